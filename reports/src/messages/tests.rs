//! Cucumber Messages, held against their official schema.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::script::{self, Played, Script, scenario};
use farm::Verdict;
use proptest::prelude::*;
use std::{collections::HashSet, fs};

const FEATURE: &str = r#"# language: en
@audio
Feature: hello_world predicts a sine
  Told to <nobody>.

  Background:
    Given the model "hello_world" and the dataset "sine"

  @smoke
  Scenario: Plain
    When it runs on the container
    Then the outputs are
      | sample | y    |
      # a comment between rows
      | 0      | 0.0  |

  Rule: Placeholders are filled
    Background:
      Given the tolerance is
        """
        of <metric>
        """

    @audio @slow
    Scenario Outline: <metric> is small
      * it runs on the emulator "<target>"
      But the <metric> is at most <bound>

      @first
      Examples: two
        | target          | metric | bound   |
        | qemu:mps2-an386 | mean   | <target |
        | qemu:microbit   | max    | 0.1     |
"#;

fn write(events: &[Stamped]) -> String {
    let dir = tempfile::tempdir().unwrap();
    script::play(&mut Messages::new(&ReportFolder::create(dir.path()).unwrap()), events);
    fs::read_to_string(dir.path().join(FILE)).unwrap()
}

fn envelopes(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A run of a feature that has everything that Gherkin has.
fn whole() -> Vec<Stamped> {
    let mut script = Script::new(3);
    let path = "features/hello_world.feature".to_owned();
    script.tell(FarmEvent::FeatureRead { path, text: FEATURE.to_owned() });
    let pass = Some((Verdict::Pass, ""));
    let given = "the model \"hello_world\" and the dataset \"sine\"";
    script.ready("container", "Docker 20.10.24");
    let id = scenario(10, "Plain");
    script.begin(&id, &["audio", "smoke"]);
    script.step(&id, "Given", given, pass);
    script.job(&id, 1, ["hello_world", "sine", "container"], script::Found::Sine(0.0336), 1);
    script.step(&id, "When", "it runs on the container", pass);
    script.judge(&id, 1, "container", ["outputs are those", "others"], (Verdict::Fail, "sample 0: y is 0.1"));
    script.step(&id, "Then", "the outputs are", Some((Verdict::Fail, "container: sample 0: y is 0.1")));
    script.end(&id, Verdict::Fail, "container: sample 0: y is 0.1");

    let id = scenario(32, "mean is small");
    script.begin(&id, &[]);
    script.step(&id, "Given", given, pass);
    script.step(&id, "Given", "the tolerance is", pass);
    let infra = (Verdict::Infra, "QEMU was killed by signal 9");
    script.lost(&id, 2, ["hello_world", "sine", "qemu:mps2-an386"], infra, "one\ntwo\u{1b}[2J\n");
    script.step(&id, "*", "it runs on the emulator \"qemu:mps2-an386\"", Some(infra));
    script.step(&id, "But", "the mean is at most <target", None);
    script.end(&id, Verdict::Infra, infra.1);

    let id = scenario(33, "max is small");
    script.begin(&id, &[]);
    script.step(&id, "Given", given, pass);
    let quarantine = farm::Quarantine {
        owner: "qa".to_owned(),
        reason: "drifts".to_owned(),
        until: "2026-12-24".parse().unwrap(),
        expired: false,
    };
    let (judgement, took) = (Judgement::new(Verdict::Fail, "interrupted in doubt"), std::time::Duration::from_secs(1));
    script.tell(FarmEvent::ScenarioFinished { scenario: id, judgement, took, quarantine: Some(quarantine) });
    script.finish(false);
    script.events
}

fn assert_valid(text: &str) {
    let schema: Value = serde_json::from_str(include_str!("schema/messages.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let all = envelopes(text);
    for envelope in &all {
        let errors: Vec<String> =
            validator.iter_errors(envelope).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{envelope}: {errors:?}");
        assert_eq!(envelope.as_object().unwrap().len(), 1);
    }
    let mut broken = all[0].clone();
    broken["meta"]["surprise"] = 1.into();
    assert!(!validator.is_valid(&broken), "the schema refuses nothing");
}

/// What a message refers to came before it; no identifier stands twice.
fn assert_sound(text: &str) {
    let mut known = HashSet::new();
    for envelope in envelopes(text) {
        let (mut defined, mut wanted) = (Vec::new(), Vec::new());
        visit("", &envelope, &mut defined, &mut wanted);
        for id in defined {
            assert!(known.insert(id.clone()), "{id} stands twice: {envelope}");
        }
        for id in wanted {
            assert!(known.contains(&id), "{id} is not known: {envelope}");
        }
    }
}

fn visit(key: &str, value: &Value, defined: &mut Vec<String>, wanted: &mut Vec<String>) {
    match value {
        Value::String(id) if key == "id" => defined.push(id.clone()),
        Value::String(id) if key.ends_with("Id") || key.ends_with("Ids") => wanted.push(id.clone()),
        Value::Array(all) => all.iter().for_each(|value| visit(key, value, defined, wanted)),
        Value::Object(all) => all.iter().for_each(|(key, value)| visit(key, value, defined, wanted)),
        _ => {}
    }
}

fn results(text: &str) -> Vec<String> {
    let all = envelopes(text);
    let results = all.iter().filter_map(|envelope| envelope["testStepFinished"]["testStepResult"].as_object());
    results
        .map(|it| format!("{} {}", it["status"].as_str().unwrap(), it.get("message").unwrap_or(&"".into())))
        .collect()
}

#[test]
fn every_message_is_valid_under_the_published_schema_and_refers_to_what_is_there() {
    let long: Vec<Stamped> = script::long(20).collect();
    for events in [whole(), script::every_verdict(), script::boards(), long] {
        let text = write(&events);
        assert_valid(&text);
        assert_sound(&text);
        assert_eq!(text, write(&events), "the same events give the same bytes");
    }
}

#[test]
fn a_feature_with_rules_outlines_tables_and_doc_strings() {
    insta::assert_snapshot!("whole", write(&whole()));
}

#[test]
fn what_ran_without_its_features_text_is_told_from_its_steps() {
    let text = write(&script::every_verdict());
    insta::assert_snapshot!(results(&text).join("\n"));
    let documents = envelopes(&text).into_iter().filter(|it| it.get("gherkinDocument").is_some()).count();
    assert_eq!(documents, 7);
}

#[test]
fn a_text_that_is_not_what_ran_is_not_taken_for_it() {
    let other = "Feature: other\n\n\n\n\n\n\n\n\n  Scenario: Plain\n    Given the model \"hello_world\" and the dataset \"sine\"\n    When else\n    Then x\n";
    for text in ["no Gherkin", other] {
        let mut events = whole();
        for event in &mut events {
            if let FarmEvent::FeatureRead { text: told, .. } = &mut event.event {
                *told = text.to_owned();
            }
        }
        let written = write(&events);
        assert_valid(&written);
        assert_sound(&written);
        assert_eq!(results(&written).len(), 8, "{written}");
    }
}

#[test]
fn doc_strings_and_tables_are_arguments_with_placeholders_filled_once() {
    let text = write(&whole());
    let pickles: Vec<Value> =
        envelopes(&text).into_iter().filter_map(|envelope| envelope.get("pickle").cloned()).collect();
    assert_eq!(pickles[0]["steps"][2]["argument"]["dataTable"]["rows"][1]["cells"][1]["value"], "0.0");
    assert_eq!(pickles[1]["steps"][1]["argument"]["docString"]["content"], "of mean");
    assert_eq!(pickles[1]["steps"][3]["text"], "the mean is at most <target");
    let tags: Vec<&str> =
        pickles[1]["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags, ["@audio", "@slow", "@first"]);
}

#[test]
fn a_scenario_without_a_verdict_is_not_there_and_the_run_no_success() {
    let mut script = Script::new(2);
    let (done, open) = (scenario(3, "Done"), scenario(8, "Under way"));
    script.begin(&done, &[]);
    script.begin(&open, &[]);
    script.step(&done, "Given", "x", Some((Verdict::Pass, "")));
    script.end(&done, Verdict::Pass, "");
    script.tell(FarmEvent::RunResumed { scenarios: 1 });
    script.finish(true);
    let all = envelopes(&write(&script.events));
    assert_eq!(all.iter().filter(|it| it.get("testCaseStarted").is_some()).count(), 1);
    let last = &all.last().unwrap()["testRunFinished"];
    assert_eq!(last["success"], false);
    assert_eq!(last["message"], "interrupted: 1 of 2 scenarios have a verdict");
}

#[test]
fn nothing_in_the_file_repaints_a_terminal_or_turns_the_direction_of_writing() {
    let mut script = Script::new(0);
    let text =
        "Feature: \u{202e}x\u{7f} <b>]]>\u{1b}[2J \u{1f980}\n  Scenario: \u{2066}\n    Given \u{85}\u{0}\n".to_owned();
    script.tell(FarmEvent::FeatureRead { path: "a\u{202e}.feature".to_owned(), text: text.clone() });
    script.events.extend(script::every_verdict().into_iter().skip(1));
    let written = write(&script.events);
    assert!(written.lines().all(|line| line == escape(line)), "{written}");
    let source = envelopes(&written).into_iter().find_map(|it| it.get("source").cloned()).unwrap();
    assert_eq!(source["data"], text, "the source is as it was");
    assert_valid(&written);
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join(FILE)).unwrap();
    let mut reporter = Played::new(Messages::new(&ReportFolder::create(dir.path()).unwrap()));
    let error = reporter.on(&Script::new(1).events[0]).unwrap_err().to_string();
    assert!(error.contains(FILE) && error.contains("No space left"), "{error}");
}

#[test]
fn every_shipped_feature_is_told_with_all_its_scenarios() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../features");
    let mut features = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(path) = path.to_str().filter(|path| path.ends_with(".feature")) else { continue };
        let text = fs::read_to_string(path).unwrap();
        let document = Document::parse(path, &text, &mut Ids::default()).unwrap();
        let headings = text.lines().filter(|line| line.trim_start().starts_with("Scenario:")).count();
        assert!(document.scenarios.len() >= headings.max(1), "{path}");
        let lines: Vec<&str> = text.lines().collect();
        for line in document.scenarios.keys() {
            assert!(lines[line - 1].trim_start().starts_with(['S', 'E', '|']), "{path}:{line}: {}", lines[line - 1]);
        }
        features += 1;
    }
    assert!(features > 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_feature_says_what_is_told_of_it_is_valid(
        lines in proptest::collection::vec(
            prop_oneof![
                "[ -~\\u{80}-\\u{2fff}]{0,12}",
                Just("  Scenario: <a>".to_owned()),
                Just("  Scenario Outline: <a> <".to_owned()),
                Just("  Rule: r".to_owned()),
                Just("  Background:".to_owned()),
                Just("  @t @t".to_owned()),
                Just("    Given <a>".to_owned()),
                Just("    * x<".to_owned()),
                Just("    Examples:".to_owned()),
                Just("      | a | b |".to_owned()),
                Just("      \"\"\"".to_owned()),
                Just("# language: fi".to_owned()),
            ],
            0..24,
        )
    ) {
        let mut script = Script::new(0);
        let text = format!("Feature: f\n{}\n", lines.join("\n"));
        script.tell(FarmEvent::FeatureRead { path: "x.feature".to_owned(), text });
        script.finish(false);
        let text = write(&script.events);
        assert_valid(&text);
        assert_sound(&text);
    }
}
