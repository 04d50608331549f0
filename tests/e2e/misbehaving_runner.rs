//! Runners that hang, answer garbage, stop half-way through a frame, hold another model, crash.

use crate::support::{Ended, Project};
use std::fs;

/// Runs hello_world on the host, with a runner that misbehaves as told, no retries.
fn run(behaviour: &str) -> Ended {
    run_with(behaviour, "retries = 0")
}

fn run_with(behaviour: &str, more: &str) -> Ended {
    // Only those that never end are waited for until the time is up, and even they have enough on a busy machine to
    // come to what they do wrong.
    let endless = ["hang", "silent", "garbage", "half-frame:"].iter().any(|it| behaviour.starts_with(it));
    let limit = if endless { "4 s" } else { "60 s" };
    let project = Project::configured(&format!(
        "{more}\n[timeouts]\nopen = \"{limit}\"\ninfer = \"{limit}\"\n[runner]\nprogram = \"runner\"\n"
    ));
    project.runner(behaviour);
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the host"#,
    );
    project.run()
}

#[test]
fn a_runner_that_behaves_passes_so_that_the_others_fail_for_their_own_reason() {
    run("good").judged("pass", &[]);
}

#[test]
fn a_runner_that_hangs_is_a_fail_that_says_how_far_it_got() {
    run("hang:3").judged("fail", &["hung", "after 3 of 100 inferences"]);
}

#[test]
fn a_runner_that_says_nothing_is_infra() {
    run("silent").judged("infra", &["never said HELLO"]);
}

#[test]
fn garbage_in_place_of_an_answer_is_infra_that_counts_it() {
    run("garbage:3").judged("infra", &["40 bytes"]);
}

#[test]
fn another_program_on_the_line_is_infra_that_shows_what_it_said() {
    run("garbage-from-the-start").judged("infra", &["login:"]);
}

#[test]
fn half_a_frame_and_then_silence_is_infra_that_says_how_much_came() {
    run("half-frame:3").judged("infra", &["half-way through a frame", "7"]);
}

#[test]
fn half_a_frame_and_then_the_end_is_the_crash_of_the_runner() {
    run("half-frame-then-end:3").judged("fail", &["crashed", "half-way through a frame: 7 of 12 bytes"]);
}

#[test]
fn a_runner_that_holds_another_model_is_infra_that_names_both() {
    run("wrong-model").judged("infra", &["06a6f319488f"]);
}

#[test]
fn a_runner_that_is_another_build_is_infra() {
    run("wrong-build").judged("infra", &["played", "000000000000"]);
}

#[test]
fn a_runner_that_crashes_is_a_fail_that_names_the_signal() {
    run("exit:3:11").judged("fail", &["crashed", "SIGSEGV"]);
}

#[test]
fn a_fault_of_the_core_is_a_fail_with_its_registers() {
    run("core-fault:3").judged("fail", &["HardFault", "0x00001234"]);
}

#[test]
fn an_output_that_is_too_short_is_never_a_pass() {
    run("short-output:3").judged("infra", &["answered sample 3 with 3 bytes", "promised 4"]);
}

#[test]
fn an_answer_that_is_lost_is_never_a_pass() {
    run("lost-reply:3").judged("infra", &["a reply was lost"]);
}

#[test]
fn infra_is_retried_as_often_as_told_and_every_attempt_is_in_the_report() {
    let ended = run_with("short-output:3", "retries = 2");
    ended.judged("infra", &["after 2 infra retries"]);
    let evidence = fs::read_to_string(&ended.evidence).unwrap();
    let job: serde_json::Value = serde_json::from_str(evidence.lines().next().unwrap()).unwrap();
    let attempts = job["job"]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 3, "{attempts:?}");
    assert!(attempts.iter().all(|attempt| attempt["verdict"] == "infra"), "{attempts:?}");
}

#[test]
fn a_fail_is_never_retried() {
    let ended = run_with("exit:0:11", "retries = 2");
    ended.judged("fail", &["SIGSEGV"]);
    let evidence = fs::read_to_string(&ended.evidence).unwrap();
    let job: serde_json::Value = serde_json::from_str(evidence.lines().next().unwrap()).unwrap();
    assert_eq!(job["job"]["attempts"].as_array().map(Vec::len), Some(1));
}
