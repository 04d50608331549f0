//! Features that are wrong: exit code 2, nothing run, the file, line and column, and the mend.

use crate::support::{Ended, Project};

fn check(steps: &str) -> Ended {
    let project = Project::new();
    project.scenario(steps);
    project.tinyfarm(&["check"])
}

const GIVEN: &str =
    "Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the emulator \"qemu:mps2-an386\"\n";

#[test]
fn a_sound_feature_is_sound() {
    check(GIVEN).expect(0, &["1 scenario", "qemu:mps2-an386"]);
}

#[test]
fn an_undefined_step_is_told_with_the_nearest_one() {
    check("Given the modell \"hello_world\"").expect(2, &["the modell", "test.feature:3", "the model"]);
}

#[test]
fn an_unknown_metric_is_told_with_the_nearest_one() {
    check(&format!("{GIVEN}Then the mean absolut error is at most 0.05"))
        .expect(2, &["mean absolut error", "mean absolute error", "test.feature:5"]);
}

#[test]
fn a_criterion_on_a_clock_that_the_target_lacks_is_refused() {
    check(&format!("{GIVEN}Then the latency p99 is at most 5 ms"))
        .expect(2, &["latency p99", "qemu:mps2-an386", "QEMU instruction count"]);
    check("Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the container\nThen the instructions p99 are at most 9,000")
        .expect(2, &["instructions p99", "container", "host clock"]);
}

#[test]
fn contradictory_tags_are_refused() {
    let project = Project::new();
    let scenario = format!("Scenario: one\n{GIVEN}");
    project.file("features/test.feature", format!("Feature: test\n@timeout.10s @timeout.20s\n{scenario}"));
    project.tinyfarm(&["check"]).expect(2, &["@timeout.10s", "@timeout.20s", "test.feature:2"]);
    project.file("features/test.feature", format!("Feature: test\n@stage.container\n{scenario}"));
    project.tinyfarm(&["check"]).expect(2, &["@stage.container", "qemu:mps2-an386"]);
}

#[test]
fn a_filter_that_lets_nothing_through_is_no_pass() {
    let project = Project::new();
    project.scenario(GIVEN);
    project.tinyfarm(&["run", "--tags", "@smoke and not @smoke"]).expect(2, &["@smoke and not @smoke"]);
    project.tinyfarm(&["run", "--name", "nothing like it"]).expect(2, &["nothing like it"]);
}

#[test]
fn every_error_of_every_file_is_told_at_once() {
    let project = Project::new();
    project.file("features/a.feature", "Feature: a\nScenario: a\nGiven a thing\n");
    project.file("features/b.feature", "Feature: b\nScenario: b\nGiven the model \"nope\"\n");
    project.file("features/c.feature", "Feature: c\nScenario c\n");
    project.tinyfarm(&["check"]).expect(2, &["a.feature:3", "b.feature:3", "c.feature:2", "nothing was run"]);
}

#[test]
fn a_path_that_is_not_there_is_named() {
    Project::new().tinyfarm(&["check", "features/none.feature"]).expect(2, &["features/none.feature"]);
}

#[test]
fn an_unknown_target_is_told_with_the_nearest_one() {
    check("Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the emulator \"qemu:mps2-an368\"")
        .expect(2, &["qemu:mps2-an368", "did you mean `qemu:mps2-an386`?"]);
}
