//! Criteria that are missed: by one unit in the last place, by one sample.

use crate::support::{CACHE, Project};
use std::path::Path;

/// The mean absolute error of hello_world over sine_100, exactly as the report has it.
fn measured(project: &Project) -> f64 {
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386"
           Then the mean absolute error is at most 1"#,
    );
    let ended = project.run();
    ended.judged("pass", &[]);
    ended.report["scenarios"][0]["criteria"][0]["value"].as_f64().expect("a measured value")
}

#[test]
fn a_criterion_missed_by_one_unit_in_the_last_place_is_a_fail() {
    let project = Project::new();
    let value = measured(&project);
    let run = |bound: f64| {
        project.scenario(&format!(
            r#"Given the model "hello_world" and the dataset "sine_100"
               When it runs on the emulator "qemu:mps2-an386"
               Then the mean absolute error is at most {bound:?}"#
        ));
        project.run()
    };
    run(value).judged("pass", &[]);
    run(value.next_down()).judged("fail", &["mean absolute error", &format!("{:?}", value.next_down())]);
}

#[test]
fn one_sample_that_differs_is_a_fail_that_names_it() {
    let runner = built_runner();
    let project = Project::configured("[runner]\nprogram = \"runner\"\n");
    let run = |behaviour: &str| {
        project.runner(behaviour).scenario(
            r#"Given the model "hello_world" and the dataset "sine_100"
               When it runs on the emulator "qemu:mps2-an386"
               Then the outputs are bit-identical to the container's"#,
        );
        let mut command = project.command(&["run", "--report", "report", "--stand-in-host"]);
        project.ended(command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap())
    };
    run(&format!("flip 42 {runner}")).judged("fail", &["1 of 100 samples", "row 43"]);
    // No sample 1,000: the same detour, and nothing turned over.
    run(&format!("flip 1000 {runner}")).judged("pass", &[]);
}

/// The real container, in place of its stand-in.
#[test]
fn the_container_and_the_emulator_answer_bit_for_bit_the_same() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386"
           Then the outputs are bit-identical to the container's"#,
    );
    project.run().judged("pass", &[]);
}

/// The path of the runner that the farm builds for this machine.
pub fn built_runner() -> String {
    let build = async {
        let builder = firmware::Builder::new(Path::new(CACHE), firmware::tflm::locate().unwrap(), 2);
        builder.host().await.unwrap().path.display().to_string()
    };
    tokio::runtime::Runtime::new().unwrap().block_on(build)
}

#[test]
fn too_few_samples_for_the_bound_are_inconclusive() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "micro_speech" and the dataset "yes_no"
           When it runs on the emulator "qemu:mps2-an386"
           Then the top-1 accuracy is at least 90 %"#,
    );
    project.run().judged("inconclusive", &["2 samples"]);
}

#[test]
fn a_fail_on_the_emulators_ends_the_scenario_and_says_where() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386", accepted by
           | metric              | bound   |
           | instructions p99    | <= 10   |
           Then the mean absolute error is at most 1"#,
    );
    let ended = project.run();
    ended.judged("fail", &["instructions p99 <= 10", "qemu:mps2-an386"]);
    assert!(ended.junit.contains("<failure"), "{}", ended.junit);
    let steps = ended.report["scenarios"][0]["steps"].as_array().unwrap();
    assert!(steps[2]["verdict"].is_null(), "a step behind a fail is not reached: {steps:?}");
}
