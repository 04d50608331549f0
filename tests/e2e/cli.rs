//! The command line: what each subcommand says, and wrong configurations.

use crate::support::{Project, REPOSITORY};
use std::fs;

#[test]
fn targets_tells_what_is_there_and_what_is_not_and_why() {
    let ended = Project::configured("[qemu]\nprogram = \"no-such-qemu\"").tinyfarm(&["targets"]);
    ended.expect(0, &["container", "Docker", "qemu:mps3-an547", "Cortex-M55", "no-such-qemu"]);
}

#[test]
fn models_tells_what_features_may_name() {
    let ended = Project::new().tinyfarm(&["models"]);
    ended.expect(0, &["person_detection", "236072 bytes", "uint8", "dataset sine", "1001 samples"]);
}

#[test]
fn steps_prints_the_catalogue_of_which_the_page_is_made() {
    let project = Project::new();
    project.tinyfarm(&["steps"]).expect(0, &["Given the model {string}"]);
    let page = fs::read_to_string(format!("{REPOSITORY}/docs/writing-features.md")).unwrap();
    assert_eq!(project.tinyfarm(&["steps", "--markdown"]).out, page);
}

#[test]
fn build_makes_a_runner_once() {
    let project = Project::new();
    project.tinyfarm(&["build", "qemu:microbit"]).expect(0, &["qemu:microbit", "ready"]);
    project.tinyfarm(&["build", "qemu:microbitt"]).expect(2, &["did you mean `qemu:microbit`?"]);
}

#[test]
fn another_tflm_checkout_that_is_none_is_told_with_what_is_missing() {
    let project = Project::new();
    let mut command = project.command(&["targets"]);
    let ended = project.ended(command.env("TFLM_DIR", project.path()).output().unwrap());
    ended.expect(2, &["TFLM_DIR", "tensorflow/lite/micro"]);
}

#[test]
fn an_unknown_key_of_the_configuration_is_refused_with_its_line_and_the_nearest_one() {
    let ended = Project::configured("retrys = 1").tinyfarm(&["check"]);
    ended.expect(2, &["unknown field `retrys`", "did you mean `retries`?", "tinyfarm.toml:3"]);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    Project::new().tinyfarm(&["--config", "other.toml", "check"]).expect(2, &["other.toml"]);
}

#[test]
fn the_shipped_features_are_sound() {
    let mut command = Project::new().command(&["check"]);
    let output = command.current_dir(REPOSITORY).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_log_is_json_lines_with_a_span_for_each_job() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386""#,
    );
    let ended = project.tinyfarm(&["run", "-v", "--log-format", "json"]);
    ended.expect(0, &[]);
    let lines: Vec<serde_json::Value> = ended.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let job = lines.iter().find(|line| line["span"]["name"] == "job").unwrap_or_else(|| panic!("{}", ended.err));
    assert_eq!(job["span"]["target"], "qemu:mps2-an386");
}
