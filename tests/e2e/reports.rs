//! The report folder: a full disk, a place that cannot be written, two runs at once, every verdict in its place.

use crate::support::Project;
use std::{fs, path::Path, process::Command};

const SHORT: &str = r#"Given the model "hello_world" and the dataset "sine_100"
                       When it runs on the emulator "qemu:mps2-an386""#;

/// A file system of this many KiB in memory, gone with it.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn new(path: &'a Path, kib: usize) -> Self {
        fs::create_dir_all(path).unwrap();
        let size = format!("size={kib}k");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).status().unwrap();
        assert!(status.success(), "a small file system can be mounted (by root)");
        Self(path)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_is_told_and_a_pass_that_is_not_reported_is_no_success() {
    let project = Project::new();
    // Outputs and ticks of 1,001 samples on each of nine machines are more than there is room for.
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine"
           When it runs on every emulator"#,
    );
    let path = project.path().join("report");
    let _disk = SmallDisk::new(&path, 32);
    project.run().expect(3, &["report/evidence.jsonl", "No space left", "1 pass"]);
}

#[test]
fn a_full_disk_is_told_before_anything_runs() {
    let project = Project::new();
    project.scenario(SHORT);
    let path = project.path().join("report");
    let _disk = SmallDisk::new(&path, 4);
    let _ = fs::write(path.join("full"), vec![0; 1 << 16]);
    let ended = project.run();
    ended.expect(2, &["report", "No space left"]);
    assert!(!ended.out.contains("pass"), "{}", ended.out);
}

#[test]
fn a_report_folder_that_cannot_be_made_is_told_before_anything_runs() {
    let project = Project::new();
    project.scenario(SHORT).file("report", "a file in the way");
    let ended = project.run();
    ended.expect(2, &["report"]);
    assert!(!ended.out.contains("pass"), "{}", ended.out);
}

#[test]
fn ci_finds_one_test_case_for_each_scenario_in_its_verdicts_place() {
    let project = Project::configured("retries = 0");
    project.file(
        "features/test.feature",
        r#"Feature: test
             Scenario: passes
               Given the model "hello_world" and the dataset "sine_100"
               When it runs on the emulator "qemu:mps2-an386"
               Then the mean absolute error is at most 0.05
             Scenario: fails
               Given the model "hello_world" and the dataset "sine_100"
               When it runs on the emulator "qemu:mps2-an386"
               Then the mean absolute error is at most 0.01
             Scenario: cannot decide
               Given the model "micro_speech" and the dataset "yes_no"
               When it runs on the emulator "qemu:mps2-an386"
               Then the top-1 accuracy is at least 90 %
        "#,
    );
    let ended = project.run();
    ended.expect(1, &["1 pass", "1 fail", "1 inconclusive"]);
    assert_eq!(ended.junit.matches("<testcase").count(), 3, "{}", ended.junit);
    assert!(ended.junit.contains(r#"tests="3" errors="1" failures="1""#), "{}", ended.junit);
    assert_eq!(ended.report["tally"]["fail"], 1);
    let evidence = fs::read_to_string(&ended.evidence).unwrap();
    assert_eq!(evidence.lines().count(), 2, "one line for each job, and two scenarios share one");
}

#[test]
fn the_same_run_twice_brings_the_same_evidence_to_the_bit_and_to_the_instruction() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "magic_wand" and the dataset "gestures"
           When it runs on the emulator "qemu:mps2-an386""#,
    );
    let evidence = || {
        let ended = project.run();
        ended.judged("pass", &[]);
        let mut job: serde_json::Value = serde_json::from_str(&fs::read_to_string(&ended.evidence).unwrap()).unwrap();
        job["run"].take();
        job["job"]["attempts"].take();
        job
    };
    let first = evidence();
    assert_eq!(first["outputs"].as_array().map(Vec::len), Some(2));
    assert_eq!(first, evidence());
}
