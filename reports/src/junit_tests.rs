//! `junit.xml` as CI reads it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::script::{self, Played, Script, scenario};
use proptest::prelude::*;
use quick_xml::{Reader, events::Event};
use std::{fs, path::Path};

fn reporter(dir: &Path) -> Played<JUnit> {
    Played::new(JUnit::new(&ReportFolder::create(dir).unwrap()))
}

fn run(events: &[Stamped]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut junit = reporter(dir.path());
    events.iter().for_each(|event| junit.on(event).unwrap());
    junit.finish().unwrap();
    fs::read_to_string(dir.path().join(FILE)).unwrap()
}

/// How a reader sees the test cases: name, and the elements inside with their text.
fn cases(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
    let forbidden = |c: char| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!xml.contains(forbidden), "a character that XML forbids: {xml:?}");
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut cases: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut depth = 0_usize;
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                depth += 1;
                open(&mut cases, &tag);
            }
            Event::Empty(tag) => open(&mut cases, &tag),
            Event::CData(text) => {
                let inner = &mut cases.last_mut().unwrap().1.last_mut().unwrap().1;
                inner.push_str(&text.decode().unwrap());
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "every element is closed");
    cases
}

fn open(cases: &mut Vec<(String, Vec<(String, String)>)>, tag: &quick_xml::events::BytesStart<'_>) {
    let kind = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
    match kind.as_str() {
        "testsuites" | "testsuite" => {}
        "testcase" => {
            let name = tag.try_get_attribute("name").unwrap().unwrap();
            cases.push((String::from_utf8(name.value.to_vec()).unwrap(), Vec::new()));
        }
        _ => cases.last_mut().unwrap().1.push((kind, String::new())),
    }
}

#[test]
fn boards_are_named_where_a_job_ran_and_simulated_ones_are_called_so() {
    let text = run(&script::boards());
    for wanted in [
        "job 1, hello_world over sine on nucleo-2: pass: after 1 infra retry: on nucleo-1: the probe left",
        "  attempt 1 on nucleo-1, 800 ms: infra: the probe left while flashing\\u{1b}[2J",
        "  attempt 2 on nucleo-2, 800 ms: pass",
        "inconclusive: latency p99 <= 5 ms, found nothing on sim-1 (simulated)",
        "job 2, hello_world over sine on sim-1 (simulated): pass",
        "job 3, hello_world over sine on any of nucleo-1, sim-1 (simulated): blocked",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn each_verdict_has_its_element() {
    let xml = run(&script::every_verdict());
    let kinds: Vec<_> = cases(&xml)
        .into_iter()
        .map(|(name, inside)| (name, inside.into_iter().next().map(|(kind, _)| kind).unwrap()))
        .map(|(name, kind)| format!("{kind}: {name}"))
        .collect();
    insta::assert_snapshot!(kinds.join("\n"), @r#"
        system-out: It predicts a sine everywhere
        failure: It is better than it is
        failure: It crashes \u{1b}[2J\u{202e}ssap ]]&gt; &lt;b&gt;&amp;&quot;日本 🦀\u{0}
        error: The bench breaks
        skipped: It cannot be tried
        skipped: It cannot be tried
        error: It needs more samples
        "#);
    let readable = xml.replace("><", ">\n<").replace("]]>\n<![CDATA[", "]]><![CDATA[");
    insta::assert_snapshot!(readable, @r#"
        <?xml version="1.0" encoding="utf-8"?>
        <testsuites>
        <testsuite id="0" name="hello_world predicts a sine" package="testsuite/hello_world predicts a sine" tests="7" errors="2" failures="2" hostname="localhost" timestamp="2026-11-22T13:46:03Z" time="8.75">
        <testcase name="It predicts a sine everywhere" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <system-out>
        <![CDATA[@smoke
        after 1 infra retry
        pass: Given the model "hello_world" and the dataset "sine"
        pass: When it runs on every stage, accepted by
        pass: mean absolute error <= 0.05, found 0.0336 on container
        pass: mean absolute error <= 0.05, found 0.0336 on qemu:mps2-an386
        pass: mean absolute error <= 0.05, found 0.0336 on board:nucleo
        job 1, hello_world over sine on container: pass
          1,001 samples; mean absolute error 0.03361; host time (informational) median 6.81 µs, p99 6.90 µs; arena 1,472 B of 64.0 KiB
        job 2, hello_world over sine on qemu:mps2-an386: pass: after 1 infra retry, needed 2 attempts
          attempt 1, 800 ms: infra: QEMU was killed by signal 9
          attempt 2, 800 ms: pass
          1,001 samples; mean absolute error 0.03361; instructions (QEMU) median 6,812, p99 6,901; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena
        job 3, hello_world over sine on board:nucleo: pass
          1,001 samples; mean absolute error 0.03361; time (board cycles) median 106 µs, p99 108 µs; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena]]>
        </system-out>
        </testcase>
        <testcase name="It is better than it is" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <failure type="fail" message="qemu:mps2-an386: expected mean absolute error &lt;= 0.03, found 0.0336: 0.0036 too much">
        <![CDATA[Then the mean absolute error is at most 0.03
          at features/hello_world.feature:18
          qemu:mps2-an386: expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much]]>
        </failure>
        <system-out>
        <![CDATA[pass: Given the model "hello_world" and the dataset "sine"
        pass: When it runs on the emulator "qemu:mps2-an386"
        fail: Then the mean absolute error is at most 0.03
        not reached: When it runs on the board
        fail: mean absolute error <= 0.03, found 0.0336 on qemu:mps2-an386
        job 2, hello_world over sine on qemu:mps2-an386: pass: after 1 infra retry, needed 2 attempts
          attempt 1, 800 ms: infra: QEMU was killed by signal 9
          attempt 2, 800 ms: pass
          1,001 samples; mean absolute error 0.03361; instructions (QEMU) median 6,812, p99 6,901; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena]]>
        </system-out>
        </testcase>
        <testcase name="It crashes \u{1b}[2J\u{202e}ssap ]]&gt; &lt;b&gt;&amp;&quot;日本 🦀\u{0}" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <failure type="fail" message="crashed: core locked up \u{1b}[32mpass\u{1b}[0m">
        <![CDATA[When it runs on the emulator "qemu:mps2-an386"
          at features/hello_world.feature:26
          crashed: core locked up \u{1b}[32mpass\u{1b}[0m
          job 4, evil\u{7} over sine on qemu:mps2-an386: fail
            the last of its log:
            | one
            | ]]]]><![CDATA[> \u{1b}[1A two
            | \u{0}three]]>
        </failure>
        <system-out>
        <![CDATA[fail: When it runs on the emulator "qemu:mps2-an386"
        job 4, evil\u{7} over sine on qemu:mps2-an386: fail: crashed: core locked up \u{1b}[32mpass\u{1b}[0m]]>
        </system-out>
        </testcase>
        <testcase name="The bench breaks" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <error type="infra" message="QEMU was killed by signal 9">
        <![CDATA[When it runs on the emulator "qemu:mps2-an386"
          at features/hello_world.feature:36
          QEMU was killed by signal 9
          job 5, hello_world over other on qemu:mps2-an386: infra
            the last of its log:
            | qemu: terminating on signal 9]]>
        </error>
        <system-out>
        <![CDATA[infra: When it runs on the emulator "qemu:mps2-an386"
        job 5, hello_world over other on qemu:mps2-an386: infra: QEMU was killed by signal 9]]>
        </system-out>
        </testcase>
        <testcase name="It cannot be tried" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <skipped type="blocked" message="the Docker engine does not answer; start dockerd">
        <![CDATA[When it runs in the container
          at features/hello_world.feature:46
          the Docker engine does not answer; start dockerd
          job 45, person over people on container: blocked]]>
        </skipped>
        <system-out>
        <![CDATA[blocked: When it runs in the container
        job 45, person over people on container: blocked: the Docker engine does not answer; start dockerd]]>
        </system-out>
        </testcase>
        <testcase name="It cannot be tried" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <skipped type="blocked" message="the Docker engine does not answer; start dockerd">
        <![CDATA[When it runs in the container
          at features/hello_world.feature:51
          the Docker engine does not answer; start dockerd
          job 50, person over people on container: blocked]]>
        </skipped>
        <system-out>
        <![CDATA[blocked: When it runs in the container
        job 50, person over people on container: blocked: the Docker engine does not answer; start dockerd]]>
        </system-out>
        </testcase>
        <testcase name="It needs more samples" time="1.25" classname="features/hello_world" file="features/hello_world.feature">
        <error type="inconclusive" message="qemu:mps2-an386: 30 samples are too few to show top-1 accuracy &gt;= 99 %: even a perfect score shows no more than 88.6 %">
        <![CDATA[Then the top-1 accuracy is at least 99 %
          at features/hello_world.feature:56
          qemu:mps2-an386: 30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %
          inconclusive on qemu:mps2-an386: expected top-1 accuracy >= 99 %, found 100.0 % (30 of 30)]]>
        </error>
        <system-out>
        <![CDATA[inconclusive: Then the top-1 accuracy is at least 99 %
        inconclusive: top-1 accuracy >= 99 %, found 100.0 % (30 of 30) on qemu:mps2-an386
        job 6, micro_speech over words on qemu:mps2-an386: pass
          30 samples; top-1 accuracy 100.0 % (30 of 30, 95 % interval 88.6 % to 100.0 %); instructions (QEMU) median 6,812, p99 6,901; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena
        job 7, micro_speech over noise on container: pass
          1,001 samples; host time (informational) median 6.81 µs, p99 6.90 µs; arena 1,472 B of 64.0 KiB]]>
        </system-out>
        </testcase>
        </testsuite>
        </testsuites>
        "#);
}

#[test]
fn hostile_text_is_kept_readable_and_the_file_sound() {
    let mut script = Script::new(1);
    let hostile = "a\0b\u{1b}[2J \u{fffe} ]]> <![CDATA[ & \" ' 🦀\n]]]]>";
    let id = ScenarioId { path: hostile.to_owned(), feature: hostile.to_owned(), ..scenario(3, hostile) };
    script.begin(&id, &[hostile]);
    script.lost(&id, 1, [hostile, hostile, hostile], (Verdict::Fail, hostile), hostile);
    script.step(&id, hostile, hostile, Some((Verdict::Fail, hostile)));
    script.judge(&id, 1, hostile, [hostile, hostile], (Verdict::Fail, hostile));
    script.end(&id, Verdict::Fail, hostile);
    script.finish(false);
    let cases = cases(&run(&script.events));
    assert_eq!(cases.len(), 1);
    for (kind, text) in &cases[0].1 {
        assert!(text.contains(r"a\u{0}b\u{1b}[2J \u{fffe} ]]> <![CDATA[ & "), "{kind}: {text}");
        assert!(text.contains("🦀"), "{kind}: {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_makes_a_sound_file(text in any::<String>(), marked in "(]]>|<!\\[CDATA\\[|&|\"|[^a]){0,12}") {
        let text = text + &marked;
        let mut script = Script::new(1);
        let id = ScenarioId { path: text.clone(), feature: text.clone(), ..scenario(3, &text) };
        script.begin(&id, &[&text]);
        script.lost(&id, 1, [&text, &text, &text], (Verdict::Infra, &text), &text);
        script.end(&id, Verdict::Infra, &text);
        script.finish(false);
        prop_assert_eq!(cases(&run(&script.events)).len(), 1);
    }
}

#[test]
fn whenever_it_is_killed_the_file_is_sound_and_does_not_look_passed() {
    let dir = tempfile::tempdir().unwrap();
    let events = script::every_verdict();
    let (_, before_the_end) = events.split_last().unwrap();
    let mut junit = reporter(dir.path());
    for event in before_the_end {
        junit.on(event).unwrap();
        let cases = cases(&fs::read_to_string(dir.path().join(FILE)).unwrap());
        let (name, inside) = cases.last().unwrap();
        assert_eq!((name.as_str(), inside[0].0.as_str()), ("run was cut short", "error"));
    }
}

#[test]
fn the_file_of_an_earlier_run_does_not_outlive_the_start_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), "<testsuites/>").unwrap();
    let mut junit = reporter(dir.path());
    assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "<testsuites/>");
    junit.on(&Script::new(1).events[0]).unwrap();
    assert!(fs::read_to_string(dir.path().join(FILE)).unwrap().contains("run was cut short"));
}

#[test]
fn what_an_interrupted_run_did_not_get_to_is_an_error() {
    let mut script = Script::new(9);
    let (done, open) = (scenario(3, "Done"), scenario(8, "Under way"));
    script.begin(&done, &[]);
    script.begin(&open, &[]);
    script.end(&done, Verdict::Pass, "");
    script.finish(true);
    let xml = run(&script.events);
    let names: Vec<String> = cases(&xml).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Done", "Under way", "scenarios were not run"]);
    assert!(xml.contains("interrupted: 1 of 9 scenarios have a verdict"), "{xml}");
}

#[test]
fn a_run_of_nothing_does_not_look_passed() {
    let mut script = Script::new(0);
    script.finish(false);
    let xml = run(&script.events);
    assert!(xml.contains("<skipped") && xml.contains("nothing had to run") && !xml.contains("<error"), "{xml}");
    // Nothing had to run; here something should have, and did not.
    let mut script = Script::new(1);
    script.finish(false);
    assert!(run(&script.events).contains("scenarios were not run"));
}

#[test]
fn writing_ten_thousand_scenarios_stays_in_proportion() {
    let dir = tempfile::tempdir().unwrap();
    let mut junit = reporter(dir.path());
    let (mut writes, mut bytes, mut last) = (0_u64, 0, None);
    for event in script::long(10_000) {
        junit.on(&event).unwrap();
        let written = junit.reporter.throttle.last();
        if written != last {
            writes += 1;
            bytes += written.unwrap().1;
            last = written;
        }
    }
    junit.finish().unwrap();
    let size = fs::metadata(dir.path().join(FILE)).unwrap().len();
    assert!(writes > 5 && bytes < 30 * size, "{writes} writes, {bytes} bytes for a file of {size}");
    assert!(junit.account.open.is_empty());
    let xml = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert_eq!(xml.matches("<testcase ").count(), 10_000);
    assert_eq!(xml.matches("<failure ").count(), 1_000);
}

#[test]
fn a_scenario_in_quarantine_is_skipped_until_that_expires() {
    let text = run(&script::rich());
    let of = |name: &str| cases(&text).into_iter().find(|case| case.0 == name).unwrap().1;
    assert_eq!(of("It is known to drift")[0].0, "skipped");
    assert_eq!(of("It was known to be slow")[0].0, "failure");
    insta::assert_snapshot!("junit_of_a_rich_run", text);
}

#[test]
fn an_interrupted_run_is_an_error_though_all_of_it_has_a_verdict() {
    let mut script = Script::new(2);
    let (done, stopped) = (scenario(3, "Done"), scenario(8, "Stopped"));
    script.end(&done, Verdict::Pass, "");
    script.end(&stopped, Verdict::Blocked, "interrupted");
    script.finish(true);
    let xml = run(&script.events);
    assert!(xml.contains("interrupted: 1 of 2 scenarios have a verdict"), "{xml}");
    assert_eq!(xml.matches("<error").count(), 1, "{xml}");
}
