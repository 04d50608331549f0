//! The report folder: a full disk, a place that cannot be written, two runs at once, every verdict in its place.

use crate::support::Project;
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

const SHORT: &str = r#"Given the model "hello_world" and the dataset "sine_100"
                       When it runs on the emulator "qemu:mps2-an386""#;

/// A file system of this many KiB in memory, gone with it; where this user may not mount one, a link to `/dev/full` in
/// place of the file that would not fit.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn new(path: &'a Path, kib: usize, file: &str) -> Self {
        fs::create_dir_all(path).unwrap();
        let size = format!("size={kib}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            symlink("/dev/full", path.join(file)).unwrap();
        }
        Self(path)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).output();
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
    let _disk = SmallDisk::new(&path, 32, "evidence.jsonl");
    project.run().expect(3, &["report/evidence.jsonl", "No space left", "1 pass"]);
}

#[test]
fn a_full_disk_is_told_before_anything_runs() {
    let project = Project::new();
    project.scenario(SHORT);
    let path = project.path().join("report");
    let _disk = SmallDisk::new(&path, 4, "..probe.partial");
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
    ended.expect(2, &["cannot write report", "a file stands where the folder should be"]);
    assert!(!ended.out.contains("pass"), "{}", ended.out);
}

#[test]
fn a_folder_that_another_run_writes_into_is_refused() {
    let project = Project::new();
    project.scenario(SHORT);
    fs::create_dir(project.path().join("report")).unwrap();
    let lock = fs::File::create(project.path().join("report/.lock")).unwrap();
    lock.lock().unwrap();
    project.run().expect(2, &["the report folder report is in use by another run"]);
}

#[test]
fn a_reader_that_is_gone_is_told_and_costs_the_report_nothing() {
    let project = Project::new();
    project.scenario(SHORT);
    let mut command = project.command(&["run", "--report", "report"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended =
        project.ended(command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
    ended.expect(3, &["cannot write to standard output", "Broken pipe"]);
    assert_eq!(ended.verdict().0, "pass");
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
    // As GitLab and Jenkins want them: a path from here, and a name that is the scenario's alone.
    let case = r#"classname="features/test" file="features/test.feature">"#;
    assert_eq!(ended.junit.matches(case).count(), 3, "{}", ended.junit);
    assert!(ended.junit.contains(r#"<testcase name="passes" time=""#), "{}", ended.junit);
    let missed =
        r#"<failure type="fail" message="qemu:mps2-an386: expected mean absolute error &lt;= 0.01, found 0.03"#;
    assert!(ended.junit.contains(missed), "{}", ended.junit);
    assert_eq!(ended.said().matches("found 0.03").count(), 2, "when it happens and at the end:\n{}", ended.said());
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
