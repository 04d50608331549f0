//! The model linked into its own firmware: the same answers, in less memory, and criteria that judge what would ship.

use crate::support::{Ended, Project};

fn run(project: &Project, scenario: &str) -> Ended {
    project.scenario(scenario);
    let mut command = project.command(&["run", "--report", "report", "--stand-in-host"]);
    project.ended(command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap())
}

fn value(ended: &Ended, metric: &str) -> f64 {
    let criteria = ended.report["scenarios"][0]["criteria"].as_array().unwrap();
    let found =
        criteria.iter().find(|criterion| criterion["criterion"].as_str().is_some_and(|told| told.starts_with(metric)));
    found.and_then(|criterion| criterion["value"].as_f64()).unwrap_or_else(|| panic!("{criteria:?}"))
}

fn measured(project: &Project, subject: &str) -> (f64, f64) {
    let ended = run(
        project,
        &format!(
            r#"Given {subject}
               When it runs on the emulator "qemu:mps2-an386"
               Then the outputs are bit-identical to the container's
               And the flash is at most 4 MiB
               And the RAM is at most 4 MiB"#
        ),
    );
    ended.judged("pass", &[]);
    (value(&ended, "flash"), value(&ended, "RAM"))
}

#[test]
fn it_answers_bit_for_bit_the_same_in_less_flash_and_ram_than_the_general_runner() {
    let project = Project::new();
    for (model, dataset, saved) in [("hello_world", "sine_100", 100_000.0), ("person_detection", "people", 100_000.0)] {
        let general = measured(&project, &format!(r#"the model "{model}" and the dataset "{dataset}""#));
        let own = format!(r#"the model "{model}" linked into its own firmware and the dataset "{dataset}""#);
        let own = measured(&project, &own);
        assert!(own.0 + saved < general.0 && own.1 < general.1, "{model}: own {own:?}, general {general:?}");
    }
}

#[test]
fn a_bound_on_what_would_ship_that_is_too_small_fails_with_expected_and_found() {
    let project = Project::new();
    let ended = run(
        &project,
        r#"Given the model "hello_world" linked into its own firmware
           And the dataset "sine_100"
           When it runs on the emulator "qemu:mps2-an386"
           Then the flash is at most 20 KiB"#,
    );
    ended.judged("fail", &["expected flash <= 20 KiB, found 35,944 B"]);
    assert_eq!(ended.report["jobs"][0]["own_firmware"], true);
}
