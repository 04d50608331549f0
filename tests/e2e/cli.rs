//! The command line: what each subcommand says, and wrong configurations.

use crate::support::{CACHE, Project, REPOSITORY};
use std::{fs, os::unix::fs::symlink, process::Stdio};

#[test]
fn targets_tells_what_is_there_and_what_is_not_and_why() {
    let ended = Project::configured("[qemu]\nprogram = \"no-such-qemu\"").tinyfarm(&["targets"]);
    ended.expect(0, &["container", "Docker", "qemu:mps3-an547", "Cortex-M55", "no-such-qemu"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for arguments in [&["targets"][..], &["models"], &["steps"], &["check"], &["build", "qemu:microbit"]] {
        let project = Project::new();
        project.scenario(
            r#"Given the model "hello_world" and the dataset "sine"
               When it runs on the host"#,
        );
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = project.command(arguments);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        project.ended(child.wait_with_output().unwrap()).expect(0, &[]);
    }
}

#[test]
fn where_there_is_no_configuration_this_is_said_with_what_is_missing() {
    let project = Project::new();
    fs::remove_file(project.path().join("tinyfarm.toml")).unwrap();
    let note = "there is no tinyfarm.toml here or above";
    project.tinyfarm(&["run"]).expect(2, &["cannot read `features`", note]);
    project.tinyfarm(&["models"]).expect(0, &["no models", note]);
}

#[test]
fn words_of_the_command_line_that_are_wrong_are_told_with_the_mend() {
    let project = Project::new();
    project.tinyfarm(&["run", "--stages", "emulators"]).expect(2, &["emulators", "a similar value exists: 'emulator'"]);
    project.tinyfarm(&["run", "--timeout", "5"]).expect(2, &["`5` is not a time: write it like `30 s`"]);
    project.scenario("Given the model \"hello_world\"");
    let ended = project.tinyfarm(&["run", "--target", "qemu:mps2-an387"]);
    ended.expect(2, &["qemu:mps2-an387", "did you mean `qemu:mps2-an386`?"]);
}

#[test]
fn a_first_build_says_what_it_does() {
    let project = Project::new();
    // With everything compiled it has only to be linked, which is told all the same.
    fs::create_dir(project.path().join("cache")).unwrap();
    symlink(format!("{CACHE}/objects"), project.path().join("cache/objects")).unwrap();
    let config = format!("models = [\"{REPOSITORY}/models\"]\ncache = \"cache\"\n");
    project.file("tinyfarm.toml", config).scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:microbit""#,
    );
    let ended = project.tinyfarm(&["run", "--format", "plain"]);
    ended.expect(0, &["building the runner of qemu:microbit: ", " files", "prepared qemu:microbit in "]);
    assert_eq!(ended.said().matches("building the runner").count(), 1, "{}", ended.said());
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

#[test]
fn a_run_tells_which_scenarios_its_options_left_out() {
    let project = Project::new();
    let scenario = |name: &str, place: &str| {
        format!(
            "  Scenario: {name}\n    Given the model \"hello_world\" and the dataset \"sine_100\"\n    When it runs on {place}\n"
        )
    };
    let other = scenario("other", "the emulator \"qemu:microbit\"");
    let one = scenario("one", "the emulator \"qemu:mps2-an386\"");
    project.file("features/test.feature", format!("Feature: test\n{one}{other}"));
    let ended = project.tinyfarm(&["run", "--target", "qemu:mps2-an386"]);
    ended.expect(0, &["1 scenario(s) left out: it runs on targets that were not asked for"]);
    project.tinyfarm(&["run", "--name", "^one"]).expect(0, &["1 scenario(s) do not match --name `^one`"]);
}
