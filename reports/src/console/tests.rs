//! The console as a person sees it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::script::{self, Found, Played, Script, scenario};
use farm::Fault;
use indicatif::TermLike;
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Keeps what is written, and plays a terminal of 100 columns that does not move its cursor.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn put(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Paper {
    fn width(&self) -> u16 {
        100
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(text)?;
        self.put("\n")
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        self.put("\r")
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn told(events: &[Stamped], colour: bool, verbosity: u8) -> String {
    let paper = Paper::default();
    let files = ["report/junit.xml", "report/report.json"].map(PathBuf::from).to_vec();
    let mut console = Console::new(Box::new(paper.clone()), colour, verbosity).listing(files);
    script::play(&mut console, events);
    paper.text()
}

#[test]
fn plain_lines_tell_the_run_and_how_it_ended() {
    insta::assert_snapshot!(told(&script::every_verdict(), false, 0), @r#"
        tinyfarm 0.1.0, run 20261122T134600Z-5eed: 7 scenarios
        building the runner of qemu:mps2-an386: 2 files
        prepared qemu:mps2-an386 in 11.2 s
        board:nucleo could not be prepared:
          runner.cc:7: error: 'x' was not declared
              7 | x
        job 1, hello_world over sine on container: pass
        job 2, hello_world over sine on qemu:mps2-an386: pass: after 1 infra retry, needed 2 attempts
        job 3, hello_world over sine on board:nucleo: pass
        pass          features/hello_world.feature:5  It predicts a sine everywhere  1.25 s  (after 1 infra retry)
        fail          features/hello_world.feature:15  It is better than it is  1.25 s
            Then the mean absolute error is at most 0.03
              at features/hello_world.feature:18
              qemu:mps2-an386: expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much
        job 4, evil\u{7} over sine on qemu:mps2-an386: fail: crashed: core locked up \u{1b}[32mpass\u{1b}[0m
        fail          features/hello_world.feature:25  It crashes \u{1b}[2J\u{202e}ssap ]]> <b>&"日本 🦀\u{0}  1.25 s
            When it runs on the emulator "qemu:mps2-an386"
              at features/hello_world.feature:26
              crashed: core locked up \u{1b}[32mpass\u{1b}[0m
              job 4, evil\u{7} over sine on qemu:mps2-an386: fail
                the last of its log:
                | one
                | ]]> \u{1b}[1A two
                | \u{0}three
        job 5, hello_world over other on qemu:mps2-an386: infra: QEMU was killed by signal 9
        infra         features/hello_world.feature:35  The bench breaks  1.25 s
            When it runs on the emulator "qemu:mps2-an386"
              at features/hello_world.feature:36
              QEMU was killed by signal 9
              job 5, hello_world over other on qemu:mps2-an386: infra
                the last of its log:
                | qemu: terminating on signal 9
        job 45, person over people on container: blocked: the Docker engine does not answer; start dockerd
        blocked       features/hello_world.feature:45  It cannot be tried  1.25 s
            When it runs in the container
              at features/hello_world.feature:46
              the Docker engine does not answer; start dockerd
              job 45, person over people on container: blocked
        job 50, person over people on container: blocked: the Docker engine does not answer; start dockerd
        blocked       features/hello_world.feature:50  It cannot be tried  1.25 s
            When it runs in the container
              at features/hello_world.feature:51
              the Docker engine does not answer; start dockerd
              job 50, person over people on container: blocked
        job 6, micro_speech over words on qemu:mps2-an386: pass
        job 7, micro_speech over noise on container: pass
        inconclusive  features/hello_world.feature:55  It needs more samples  1.25 s
            Then the top-1 accuracy is at least 99 %
              at features/hello_world.feature:56
              qemu:mps2-an386: 30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %
              inconclusive on qemu:mps2-an386: expected top-1 accuracy >= 99 %, found 100.0 % (30 of 30)

        evil\u{7} over sine (1,001 samples)
          target              verdict          accuracy   median      p99  clock                        arena      flash       RAM
          qemu:mps2-an386     fail                    -        -        -  -                                -          -         -

        hello_world over other (1,001 samples)
          target              verdict          accuracy   median      p99  clock                        arena      flash       RAM
          qemu:mps2-an386     infra                   -        -        -  -                                -          -         -

        hello_world over sine (1,001 samples)
          target              verdict          accuracy   median      p99  clock                        arena      flash       RAM
          container           pass          MAE 0.03361  6.81 µs  6.90 µs  host time (informational)  1,472 B          -         -
          qemu:mps2-an386     fail          MAE 0.03361    6,812    6,901  instructions (QEMU)        1,472 B  176.3 KiB  72.1 KiB
          board:nucleo        pass          MAE 0.03361   106 µs   108 µs  time (board cycles)        1,472 B  176.3 KiB  72.1 KiB

        micro_speech over noise (1,001 samples)
          target              verdict          accuracy   median      p99  clock                        arena      flash       RAM
          container           pass                    -  6.81 µs  6.90 µs  host time (informational)  1,472 B          -         -

        micro_speech over words (30 samples)
          target              verdict          accuracy   median      p99  clock                        arena      flash       RAM
          qemu:mps2-an386     inconclusive      100.0 %    6,812    6,901  instructions (QEMU)        1,472 B  176.3 KiB  72.1 KiB

        person over people
          target              verdict          accuracy   median      p99  clock                        arena      flash       RAM
          container (2 jobs)  blocked                 -        -        -  -                                -          -         -

        did not pass
          fail: qemu:mps2-an386: expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much
            features/hello_world.feature:15  It is better than it is
          fail: crashed: core locked up \u{1b}[32mpass\u{1b}[0m
            features/hello_world.feature:25  It crashes \u{1b}[2J\u{202e}ssap ]]> <b>&"日本 🦀\u{0}
          infra: QEMU was killed by signal 9
            features/hello_world.feature:35  The bench breaks
          blocked: the Docker engine does not answer; start dockerd
            features/hello_world.feature:45  It cannot be tried
            features/hello_world.feature:50  It cannot be tried
          inconclusive: qemu:mps2-an386: 30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %
            features/hello_world.feature:55  It needs more samples

        needed another attempt
          hello_world over sine on qemu:mps2-an386 needed 2 attempts

        targets left out
          qemu:mps3-an547: qemu-system-arm has no such machine; install it with scripts/setup

        report
          report/junit.xml
          report/report.json

        7 scenarios: 1 pass, 1 inconclusive, 2 blocked, 1 infra, 2 fail, in 12.3 s
        "#);
}

#[test]
fn verbose_lines_tell_attempts_criteria_and_preparation_as_well() {
    let text = told(&script::every_verdict(), false, 1);
    let start = text.lines().take(25).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(start, @r#"
        tinyfarm 0.1.0, run 20261122T134600Z-5eed: 7 scenarios
        target container (x86-64): Docker 20.10.24, host time (informational)
        target qemu:mps2-an386 (Cortex-M4F): QEMU 7.2.22, instructions (QEMU)
        target board:nucleo (Cortex-M4F): probe-rs 0.29, time (board cycles)
        preparing qemu:mps2-an386
        building the runner of qemu:mps2-an386: 2 files
        prepared qemu:mps2-an386 in 11.2 s
        preparing board:nucleo
        board:nucleo could not be prepared:
          runner.cc:7: error: 'x' was not declared
              7 | x
        job 1, hello_world over sine on container: attempt 1
        job 1, hello_world over sine on container: pass
          1,001 samples; mean absolute error 0.03361; host time (informational) median 6.81 µs, p99 6.90 µs; arena 1,472 B of 64.0 KiB
        job 1, pass: mean absolute error <= 0.05, found 0.0336 on container
        job 2, hello_world over sine on qemu:mps2-an386: attempt 1
        job 2, hello_world over sine on qemu:mps2-an386: attempt 2
        job 2, hello_world over sine on qemu:mps2-an386: pass: after 1 infra retry, needed 2 attempts
          attempt 1, 800 ms: infra: QEMU was killed by signal 9
          attempt 2, 800 ms: pass
          1,001 samples; mean absolute error 0.03361; instructions (QEMU) median 6,812, p99 6,901; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena
        job 2, pass: mean absolute error <= 0.05, found 0.0336 on qemu:mps2-an386
        job 3, hello_world over sine on board:nucleo: attempt 1
        job 3, hello_world over sine on board:nucleo: pass
          1,001 samples; mean absolute error 0.03361; time (board cycles) median 106 µs, p99 108 µs; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena
        "#);
}

#[test]
fn boards_are_told_where_a_job_ran_what_it_waited_for_and_how_the_bench_is() {
    insta::assert_snapshot!(told(&script::boards(), false, 0), @r#"
        tinyfarm 0.1.0, run 20261122T134600Z-5eed: 3 scenarios
        job 1 waits for nucleo-1: held by process 4711 (qa, tinyfarm run) since 10:31
        board nucleo-1 is quarantined: the probe left while flashing\u{1b}[2J
        board nucleo-1 is re-admitted
        job 1, hello_world over sine on nucleo-2: pass: after 1 infra retry: on nucleo-1: the probe left while flashing\u{1b}[2J, needed 2 attempts
        pass          features/hello_world.feature:5  Any board  1.25 s
            nucleo-2: after 1 infra retry: on nucleo-1: the probe left while flashing\u{1b}[2J
        job 2, hello_world over sine on sim-1 (simulated): pass: after 1 infra retry, needed 2 attempts
        inconclusive  features/hello_world.feature:15  A simulated board  1.25 s
            When it runs on the board "sim-1", accepted by
              at features/hello_world.feature:16
              sim-1 is simulated and tells no time
              inconclusive on sim-1 (simulated): expected latency p99 <= 5 ms, found nothing
        job 3, hello_world over sine on any of nucleo-1, sim-1 (simulated): blocked: none of its 2 targets can be used: nucleo-1: quarantined; sim-1: quarantined
        blocked       features/hello_world.feature:25  No board  1.25 s
            When it runs on any board tagged "m4"
              at features/hello_world.feature:26
              none of its 2 targets can be used: nucleo-1: quarantined; sim-1: quarantined

        hello_world over sine (1,001 samples)
          target                              verdict          accuracy  median     p99  clock                  arena      flash       RAM
          any of nucleo-1, sim-1 (simulated)  blocked                 -       -       -  -                          -          -         -
          nucleo-2                            pass          MAE 0.03361  106 µs  108 µs  time (board cycles)  1,472 B  176.3 KiB  72.1 KiB
          sim-1 (simulated)                   inconclusive  MAE 0.03361   6,812   6,901  instructions (QEMU)  1,472 B  176.3 KiB  72.1 KiB

        did not pass
          blocked: none of its 2 targets can be used: nucleo-1: quarantined; sim-1: quarantined
            features/hello_world.feature:25  No board
          inconclusive: sim-1 is simulated and tells no time
            features/hello_world.feature:15  A simulated board

        needed another attempt
          hello_world over sine on nucleo-2 needed 2 attempts
          hello_world over sine on sim-1 (simulated) needed 2 attempts

        targets left out
          sim-2 (simulated): it is not on the bench

        report
          report/junit.xml
          report/report.json

        3 scenarios: 1 pass, 1 inconclusive, 1 blocked, in 12.3 s
        "#);
}

#[test]
fn verbose_lines_tell_of_flashing_and_where_each_attempt_ran() {
    let text = told(&script::boards(), false, 1);
    let end = text.find("pass          features").unwrap();
    insta::assert_snapshot!(&text[..end], @r#"
        tinyfarm 0.1.0, run 20261122T134600Z-5eed: 3 scenarios
        target nucleo-1 (Cortex-M4F): probe-rs 0.32, time (board cycles)
        target nucleo-2 (Cortex-M4F): probe-rs 0.32, time (board cycles)
        target sim-1 (simulated) (Cortex-M4F): probe-rs 0.32, instructions (QEMU)
        job 1 waits for nucleo-1: held by process 4711 (qa, tinyfarm run) since 10:31
        job 1, hello_world over sine on nucleo-1: attempt 1
        flashing nucleo-1: 175.8 KiB
        board nucleo-1 is quarantined: the probe left while flashing\u{1b}[2J
        board nucleo-1 is re-admitted
        job 1, hello_world over sine on nucleo-2: attempt 2
        flashing nucleo-2: 175.8 KiB
        job 1, hello_world over sine on nucleo-2: pass: after 1 infra retry: on nucleo-1: the probe left while flashing\u{1b}[2J, needed 2 attempts
          attempt 1 on nucleo-1, 800 ms: infra: the probe left while flashing\u{1b}[2J
          attempt 2 on nucleo-2, 800 ms: pass
          1,001 samples; mean absolute error 0.03361; time (board cycles) median 106 µs, p99 108 µs; arena 1,472 B of 64.0 KiB; flash 176.3 KiB with the model, RAM 72.1 KiB with the arena
        "#);
}

#[test]
fn what_does_not_fit_is_no_alarm_and_hides_no_job_that_does() {
    let mut script = Script::new(1);
    let id = scenario(3, "Small");
    script.begin(&id, &[]);
    script.job(&id, 1, ["hello_world", "sine", "qemu:microbit"], Found::Sine(0.03), 0);
    let fault = Fault::DoesNotFit { what: "model".into(), needed: 2_000, available: 1_000 };
    script.faulty(&id, 2, ["hello_world", "sine", "qemu:microbit"], fault);
    let fault = Fault::ArenaTooSmall { available: 64, missing: 8, detail: "Requested: 8".to_owned() };
    script.faulty(&id, 3, ["hello_world", "sine", "qemu:lm3s6965evb"], fault);
    script.end(&id, Verdict::Pass, "left out: qemu:lm3s6965evb: arena too small: 64 bytes; this farm knows no board");
    script.finish(false);
    insta::assert_snapshot!(told(&script.events, false, 0), @r#"
        tinyfarm 0.1.0, run 20261122T134600Z-5eed: 1 scenario
        job 1, hello_world over sine on qemu:microbit: pass
        job 2, hello_world over sine on qemu:microbit: does not fit: the model needs 2000 bytes, the target has 1000
        job 3, hello_world over sine on qemu:lm3s6965evb: does not fit: arena too small: of 64 bytes 8 more are needed (Requested: 8)
        pass          features/hello_world.feature:3  Small  1.25 s
            left out: qemu:lm3s6965evb: arena too small: 64 bytes
            this farm knows no board

        hello_world over sine (1,001 samples)
          target            verdict          accuracy  median    p99  clock                  arena      flash       RAM
          qemu:lm3s6965evb  does not fit            -       -      -  -                          -          -         -
          qemu:microbit     pass          MAE 0.03000   6,812  6,901  instructions (QEMU)  1,472 B  176.3 KiB  72.1 KiB
          qemu:microbit     does not fit            -       -      -  -                          -          -         -

        report
          report/junit.xml
          report/report.json

        1 scenario: 1 pass, in 12.3 s
        "#);
}

#[test]
fn each_cause_of_a_fail_is_told_once() {
    let mut script = Script::new(1);
    let id = scenario(3, "Everywhere");
    script.begin(&id, &[]);
    let missed = "expected instructions p99 <= 10, found 6,901: 6,891 too many";
    for (job, target) in [(1, "qemu:microbit"), (2, "qemu:mps2-an386")] {
        script.job(&id, job, ["hello_world", "sine", target], Found::Sine(0.03), 0);
        script.judge(&id, job, target, ["instructions p99 <= 10", "6,901"], (Verdict::Fail, missed));
    }
    script.faulty(&id, 3, ["hello_world", "sine", "container"], Fault::Crash { detail: "SIGSEGV".to_owned() });
    let told_of = format!("qemu:microbit: {missed}; container: crashed: SIGSEGV; and 1 more");
    script.step(&id, "When ", "it runs on every stage", Some((Verdict::Fail, &told_of)));
    script.end(&id, Verdict::Fail, &told_of);
    let text = told(&script.events, false, 0);
    let start = text.find("fail   ").unwrap();
    insta::assert_snapshot!(&text[start..text.find("\n\n").unwrap()], @r#"
        fail          features/hello_world.feature:3  Everywhere  1.25 s
            When it runs on every stage
              at features/hello_world.feature:4
              qemu:microbit: expected instructions p99 <= 10, found 6,901: 6,891 too many; container: crashed: SIGSEGV; and 1 more
              fail on qemu:mps2-an386: expected instructions p99 <= 10, found 6,901: 6,891 too many
        "#);
}

#[test]
fn no_text_from_outside_reaches_the_terminal_as_a_command() {
    let text = told(&script::every_verdict(), false, 1);
    let bad = text.chars().find(|c| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn colours_change_no_word() {
    let plain = told(&script::every_verdict(), false, 0);
    let mut stripped = told(&script::every_verdict(), true, 0);
    assert!(stripped.contains("\x1b[1;31mfail"));
    while let Some(start) = stripped.find('\x1b') {
        let end = start + stripped[start..].find('m').unwrap();
        stripped.replace_range(start..=end, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn an_interrupted_run_says_so_and_what_was_not_run() {
    let mut script = Script::new(3);
    let id = scenario(3, "Only one");
    script.begin(&id, &[]);
    script.end(&id, Verdict::Pass, "");
    script.start(1, ["hello_world", "sine", "qemu:mps2-an386"], 10);
    script.finish(true);
    insta::assert_snapshot!(told(&script.events, false, 0), @r#"
        tinyfarm 0.1.0, run 20261122T134600Z-5eed: 3 scenarios
        pass          features/hello_world.feature:3  Only one  1.25 s

        hello_world over sine (10 samples)
          target           verdict
          qemu:mps2-an386  not finished

        report
          report/junit.xml
          report/report.json

        3 scenarios: 1 pass, 2 not run, in 12.3 s
        interrupted
        "#);
}

#[test]
fn a_run_that_never_said_it_ended_was_cut_short() {
    assert!(
        told(&Script::new(3).events, false, 0).ends_with("3 scenarios: 0 pass, 3 not run\nthe run was cut short\n")
    );
}

#[test]
fn while_runners_are_compiled_there_is_a_line_every_ten_seconds() {
    let targets = ["qemu:microbit", "qemu:mps2-an385", "nucleo"];
    let start: jiff::Timestamp = "2026-11-22T13:46:00Z".parse().unwrap();
    let mut events = Vec::new();
    let mut tell = |seconds: u64, event| {
        events.push(Stamped { at: start + Duration::from_secs(seconds), event });
    };
    for target in targets {
        tell(0, FarmEvent::Preparing { target: target.into() });
    }
    for done in 1..=1_200 {
        let seconds = done as u64 / 50;
        for target in &targets[..2] {
            tell(seconds, FarmEvent::Building { target: (*target).into(), done, total: 1_200 });
        }
        if done == 700 {
            let took = Duration::from_secs(14);
            tell(seconds, FarmEvent::Building { target: targets[2].into(), done: 10, total: 10 });
            tell(seconds, FarmEvent::Prepared { target: targets[2].into(), took, error: None });
        }
    }
    let text = told(&events, false, 0);
    let lines = text.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(lines, @r"
    building the runner of qemu:microbit: 1,200 files
    building the runner of qemu:mps2-an385: 1,200 files
    built 0 of 2 runners, 999 of 2,400 files
    building the runner of nucleo: 10 files
    prepared nucleo in 14.0 s
    built 1 of 3 runners, 2,009 of 2,410 files
    ");
}

#[test]
fn bars_show_running_jobs_and_leave_only_the_lines_behind() {
    let (paper, bars) = (Paper::default(), Paper::default());
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(bars.clone()), 255);
    let mut console = Played::new(Console::new(Box::new(paper.clone()), false, 0).live_on(&Screen::default(), target));
    let mut script = Script::new(2);
    let id = scenario(3, "Live");
    script.begin(&id, &[]);
    script.tell(FarmEvent::Preparing { target: "qemu:microbit".into() });
    script.tell(FarmEvent::Building { target: "qemu:microbit".into(), done: 7, total: 120 });
    script.start(1, ["hello\u{1b}[2J", "sine", "qemu:mps2-an386"], 1_000);
    for event in &script.events {
        console.on(event).unwrap();
    }
    let drawn = bars.text();
    assert!(drawn.contains("7/120 files  0s  preparing qemu:microbit"), "{drawn}");
    assert!(drawn.contains("0/2 scenarios"), "{drawn}");
    assert!(drawn.contains(r"samples  0s  job 1  hello\u{1b}[2J on qemu:mps2-an386"), "{drawn}");
    let mut script = Script::new(2);
    script.events.clear();
    script.job(&id, 1, ["hello_world", "sine", "qemu:mps2-an386"], Found::Sine(0.03), 0);
    script.end(&id, Verdict::Fail, "missed");
    script.finish(false);
    for event in &script.events {
        console.on(event).unwrap();
    }
    console.finish().unwrap();
    assert!(bars.text().contains("1/2 scenarios  0s  1 fail"), "{}", bars.text());
    let text = paper.text();
    // A job's end is the bar's to tell; scenarios and the summary stay.
    assert!(!text.contains("job 1, hello_world"), "{text}");
    assert!(text.contains("fail          features/hello_world.feature:3  Live  1.25 s\n      missed\n"), "{text}");
    assert!(text.ends_with("2 scenarios: 0 pass, 1 fail, 1 not run, in 12.3 s\n"), "{text}");
}

#[test]
fn bars_show_what_a_job_waits_for_and_how_far_a_board_is_flashed() {
    let (paper, bars) = (Paper::default(), Paper::default());
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(bars.clone()), 255);
    let mut console = Played::new(Console::new(Box::new(paper.clone()), false, 0).live_on(&Screen::default(), target));
    for event in script::boards() {
        console.on(&event).unwrap();
    }
    console.finish().unwrap();
    let drawn = bars.text();
    for wanted in [
        "job 1  hello_world waits for nucleo-1: held by proc",
        "job 1  hello_world on nucleo-2 (attempt 2)",
        "flashing nucleo-1",
        "job 2  hello_world on sim-1 (simulated)",
    ] {
        assert!(drawn.contains(wanted), "{wanted}: {drawn}");
    }
    assert!(paper.text().contains("board nucleo-1 is quarantined"), "{}", paper.text());
}

#[test]
fn a_report_that_could_not_be_written_is_told_once_and_marked_at_the_end() {
    let paper = Paper::default();
    let file = PathBuf::from("report/junit.xml");
    let mut console = Console::new(Box::new(paper.clone()), false, 0).listing(vec![file.clone()]);
    assert!(console.tell(&ReportError::write(&file, io::ErrorKind::StorageFull)));
    console.finish(&Account::default()).unwrap();
    insta::assert_snapshot!(paper.text(), @r#"
        report: cannot write report/junit.xml: no storage space; free some space, or choose another folder with `--report`

        report
          report/junit.xml  (a write failed: see above)

        0 scenarios: 0 pass
        the run was cut short
        "#);
}

#[test]
fn a_table_of_thousands_is_cut_and_keeps_what_did_not_pass() {
    let mut script = Script::new(1_000);
    let id = scenario(1, "Many");
    for job in 1..=1_000 {
        let model = format!("model-{job:04}");
        script.job(&id, job, [&model, "sine", "qemu:mps2-an386"], Found::Sine(0.03), 0);
    }
    script.lost(&id, 1_001, ["zz-last", "sine", "container"], (Verdict::Fail, "crashed"), "");
    script.finish(false);
    let mut account = Account::default();
    script.events.iter().for_each(|event| account.on(event));
    let lines = summary::table(&account, &[], Style::new(false));
    assert!(lines.iter().any(|line| line.starts_with("zz-last")));
    assert_eq!(lines.last().unwrap(), "… and 801 more, the passes first to be left out; the report has them all");
}

#[test]
fn hundreds_of_causes_are_cut_at_the_end_for_each_was_told_when_it_happened() {
    let mut script = Script::new(300);
    for line in 1..=300 {
        let id = scenario(line, "Many");
        script.begin(&id, &[]);
        script.end(&id, Verdict::Fail, &format!("missed by {line}"));
    }
    script.finish(false);
    let text = told(&script.events, false, 0);
    assert_eq!(text.matches("missed by 300\n").count(), 1);
    assert!(text.contains("\n  … and 500 more lines: see above\n"), "{text}");
}

#[test]
fn a_console_that_cannot_be_written_says_so() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut console = Played::new(Console::new(Box::new(full), false, 0));
    let error = console.on(&Script::new(1).events[0]).unwrap_err().to_string();
    assert!(error.starts_with("cannot write to standard output: No space left on device"), "{error}");
}

#[test]
fn what_is_in_quarantine_and_what_was_retried_is_told_apart() {
    insta::assert_snapshot!("console_of_a_rich_run", told(&script::rich(), false, 0));
}
