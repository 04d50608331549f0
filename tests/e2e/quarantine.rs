//! Scenarios in quarantine: they run and are told, and do not gate, until the day on which they do again.

use crate::{
    support::{Ended, Project},
    wave,
};

const FEATURE: &str = r#"Feature: test
  Scenario: a flaky one
    Given the model "wave" and the dataset "points"
    When it runs on the host
    Then the mean absolute error is at most 0.001
"#;

const GOOD: &str = r#"
  Scenario: a sound one
    Given the model "wave" and the dataset "points"
    When it runs on the host
"#;

fn rule(scenario: &str, until: &str) -> String {
    format!(
        "[[quarantine]]\nfeature = \"features/test.feature\"\n{scenario}owner = \"Ada\"\nreason = \"known since #42\"\n\
         until = \"{until}\"\n"
    )
}

fn project(feature: &str, rule: &str) -> Project {
    let project = wave::project(rule);
    project.file("features/test.feature", feature);
    project
}

const NAMED: &str = "scenario = \"a flaky one\"\n";

fn entry<'a>(ended: &'a Ended, name: &str) -> &'a serde_json::Value {
    let all = ended.report["scenarios"].as_array().unwrap_or_else(|| panic!("{}", ended.said()));
    all.iter().find(|scenario| scenario["name"] == name).unwrap_or_else(|| panic!("{all:?}"))
}

#[test]
fn where_another_passes_a_fail_in_quarantine_does_not_gate_and_is_named() {
    let project = project(&format!("{FEATURE}{GOOD}"), &rule(NAMED, "2999-12-31"));
    let ended = project.run();
    ended.expect(0, &["1 pass", "a flaky one", "quarantine", "Ada", "2999-12-31", "known since #42"]);
    let scenario = entry(&ended, "a flaky one");
    assert_eq!(scenario["verdict"], "fail", "{scenario}");
    assert_eq!(scenario["quarantine"]["owner"], "Ada", "{scenario}");
    assert_eq!(scenario["quarantine"]["until"], "2999-12-31", "{scenario}");
    assert_eq!(scenario["quarantine"]["reason"], "known since #42", "{scenario}");
    assert!(entry(&ended, "a sound one")["quarantine"].is_null());
    assert!(ended.junit.contains("quarantined by Ada until 2999-12-31 (known since #42): fail"), "{}", ended.junit);
    assert!(ended.junit.contains("<skipped") && !ended.junit.contains("<failure"), "{}", ended.junit);
    assert!(ended.junit.contains(r#"tests="2" errors="0" failures="0""#), "{}", ended.junit);
    project.tinyfarm(&["history"]).expect(0, &["1 pass, 1 fail, 1 of them in quarantine"]);
}

#[test]
fn where_nothing_else_passes_a_fail_in_quarantine_is_no_success() {
    let ended = project(FEATURE, &rule(NAMED, "2999-12-31")).run();
    ended.expect(3, &["quarantine", "Ada", "2999-12-31"]);
    assert!(!ended.junit.contains("<failure"), "{}", ended.junit);
}

#[test]
fn a_rule_without_a_name_is_for_the_whole_file() {
    let ended = project(&format!("{FEATURE}{GOOD}"), &rule("", "2999-12-31")).run();
    ended.expect(3, &["Ada"]);
    for name in ["a flaky one", "a sound one"] {
        assert_eq!(entry(&ended, name)["quarantine"]["owner"], "Ada");
    }
}

#[test]
fn a_fail_that_is_not_in_quarantine_gates_beside_one_that_is() {
    let second = FEATURE.replace("Feature: test", "").replace("a flaky one", "a bad one");
    let ended = project(&format!("{FEATURE}{second}"), &rule(NAMED, "2999-12-31")).run();
    ended.expect(1, &["a bad one"]);
    assert_eq!(ended.junit.matches("<failure").count(), 1, "{}", ended.junit);
}

#[test]
fn a_quarantine_that_is_over_gates_again_and_says_so() {
    let ended = project(&format!("{FEATURE}{GOOD}"), &rule(NAMED, "2020-02-29")).run();
    ended.expect(1, &["the quarantine of `a flaky one` ended on 2020-02-29 (Ada: known since #42): it gates again"]);
    assert!(ended.junit.contains("<failure"), "{}", ended.junit);
    assert_eq!(entry(&ended, "a flaky one")["quarantine"]["expired"], true);
}

#[test]
fn a_rule_that_matches_nothing_is_an_error_with_the_nearest_name() {
    let wrong = rule("scenario = \"a flakey one\"\n", "2999-12-31");
    project(FEATURE, &wrong).run().expect(
        2,
        &["a quarantine names the scenario `a flakey one`", "did you mean `a flaky one`?", "nothing was run"],
    );
    let gone = rule(NAMED, "2999-12-31").replace("test.feature", "tests.feature");
    project(FEATURE, &gone).run().expect(2, &["features/tests.feature", "which is not there", "nothing was run"]);
}

#[test]
fn a_rule_that_does_not_say_who_why_or_until_when_is_refused() {
    let whole = rule(NAMED, "2999-12-31");
    project(FEATURE, &whole.replace("\"Ada\"", "\" \"")).run().expect(2, &["it must say something"]);
    project(FEATURE, &whole.replace("until =", "untill =")).run().expect(2, &["untill", "did you mean `until`?"]);
    project(FEATURE, &whole.replace("reason = \"known since #42\"\n", "")).run().expect(2, &["reason"]);
    project(FEATURE, &rule(NAMED, "2999-02-30")).run().expect(2, &["2999-02-30"]);
}
