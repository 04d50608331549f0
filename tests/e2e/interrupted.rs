//! Ctrl-C, and a kill that cannot be caught: nothing is left behind, and what ran is reported.

use crate::support::{Project, Running};

/// A hello_world scenario that is done at once, and one whose job takes minutes.
fn project() -> Project {
    let project = Project::new();
    let bytes = 49 * 40;
    project
        .file("features/silence/silence.bin", vec![0; bytes * 10_000])
        .file("features/silence/labels.csv", format!("silence.bin,4,0,{bytes},{bytes}\n"))
        .file(
            "features/test.feature",
            r#"Feature: test
                 Scenario: a short one
                   Given the model "hello_world" and the dataset "sine_100"
                   When it runs on the emulator "qemu:mps2-an386"
                 Scenario: a long one
                   Given the model "micro_speech" and the dataset "silence"
                   When it runs on the emulator "qemu:mps2-an386"
            "#,
        );
    project
}

fn start(project: &Project) -> Running {
    let mut running = Running::start(project, &["run", "--report", "report", "--format", "json", "--jobs", "2"]);
    running.await_event("scenario-finished");
    // What makes progress after that is the long one.
    running.await_event("job-progress");
    assert_eq!(running.children("qemu-system-arm").len(), 1);
    running
}

#[test]
fn ctrl_c_ends_the_run_cleanly_with_its_reports() {
    let project = project();
    let running = start(&project);
    let emulators = running.children("qemu-system-arm");
    running.signal("INT");
    let ended = running.ended(&project);
    ended.expect(130, &["interrupted: giving the targets back", "once more to stop at once"]);
    assert!(emulators.iter().all(|process| !alive(*process)), "an emulator outlived the run");
    let verdicts: Vec<_> = ended.report["scenarios"].as_array().unwrap().iter().map(|s| s["verdict"].clone()).collect();
    assert_eq!(verdicts, ["pass", "blocked"], "{}", ended.report);
    assert_eq!(ended.report["scenarios"][1]["reason"], "interrupted");
    assert_eq!(ended.report["run"]["state"], "interrupted");
    assert!(ended.junit.contains(r#"<skipped type="blocked" message="interrupted""#), "{}", ended.junit);
    assert!(ended.junit.contains("</testsuites>"), "{}", ended.junit);
}

#[test]
fn a_request_to_terminate_and_a_closed_terminal_end_the_run_as_ctrl_c_does() {
    for signal in ["TERM", "HUP"] {
        let project = project();
        let running = start(&project);
        let emulators = running.children("qemu-system-arm");
        running.signal(signal);
        let ended = running.ended(&project);
        ended.expect(130, &["interrupted: giving the targets back"]);
        assert!(emulators.iter().all(|process| !alive(*process)), "an emulator outlived the run");
        assert_eq!(ended.report["run"]["state"], "interrupted", "{signal}");
    }
}

#[test]
fn a_killed_run_leaves_valid_reports_and_no_emulator() {
    let project = project();
    let running = start(&project);
    let emulators = running.children("qemu-system-arm");
    running.signal("KILL");
    let ended = running.ended(&project);
    // The kernel ends them when their parent dies; that it has done so is seen when they are no more.
    for process in emulators {
        while alive(process) {
            std::thread::yield_now();
        }
    }
    assert!(ended.junit.contains("</testsuites>"), "{}", ended.junit);
    assert!(ended.junit.contains(r#"<testcase name="run was cut short""#), "{}", ended.junit);
    assert_eq!(ended.report["run"]["state"], "running", "{}", ended.report);
}

#[test]
fn an_interruption_while_a_runner_is_built_ends_the_run_and_the_compiler() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the container"#,
    );
    // A compiler that never ends.
    let bin = project.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let started = project.path().join("started");
    // Several are started at once, and each has a file of its own until it is whole.
    let script = format!("#!/bin/sh\necho $$ > {0}.$$\nmv {0}.$$ {0}\nexec sleep 600\n", started.display());
    firmware::testing::write_program(&bin.join("g++"), &script).unwrap();
    let mut command = project.command(&["run", "--report", "report", "--format", "json"]);
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    let running = Running::spawn(command);
    let compiler = loop {
        match std::fs::read_to_string(&started) {
            Ok(process) => break process.trim().parse().unwrap(),
            Err(_) => std::thread::yield_now(),
        }
    };
    running.signal("TERM");
    let ended = running.ended(&project);
    assert_eq!(ended.code, 130, "{}", ended.said());
    assert!(!ended.said().contains("shutdown took longer"), "the build was waited for:\n{}", ended.said());
    assert_eq!(ended.verdict().0, "blocked");
    assert!(!alive(compiler), "the compiler outlived the run");
}

/// Whether a process runs.
pub fn alive(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, tail)| !tail.starts_with('Z'))
}
