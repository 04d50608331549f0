//! A past run told again: by the same reporters and from the same events, so that each file is the same to the byte.

use crate::{
    support::Project,
    wave::{self, MEASURED, git, latest},
};
use std::{collections::BTreeMap, fs, path::Path};

/// The files of a report folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = all.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    // What keeps others out of the folder is no report.
    named.filter(|(name, _)| name != ".lock").map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

#[track_caller]
fn same(project: &Project, first: &str, second: &str) {
    let (before, after) = (files(&project.path().join(first)), files(&project.path().join(second)));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, bytes) in before {
        if after[&name] != bytes {
            let (before, after) = (String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&after[&name]));
            let line = before.lines().zip(after.lines()).find(|(before, after)| before != after);
            panic!("{name} is not the same: {line:?}");
        }
    }
}

/// A pass, a fail, one that cannot be decided, one in quarantine, an emulator, a retry, a baseline: all that reports tell.
#[test]
fn every_file_is_the_same_to_the_byte() {
    let quarantine = "[[quarantine]]\nfeature = \"features/test.feature\"\nscenario = \"in quarantine\"\nowner = \"Ada\"\n\
                      reason = \"why\"\nuntil = \"2999-12-31\"\n";
    let project = wave::project(quarantine);
    project.file(
        "features/test.feature",
        r#"Feature: test
             Scenario: passes
               Given the model "wave" and the dataset "points"
               When it runs on the host
               Then nothing is worse than the baseline
             Scenario: fails <& "so">
               Given the model "wave" and the dataset "points"
               When it runs on the emulator "qemu:mps2-an386"
               Then the mean absolute error is at most 0.01
             Scenario: in quarantine
               Given the model "wave" and the dataset "points"
               When it runs on the host
               Then the mean absolute error is at most 0.01
             Scenario: cannot decide
               Given the model "micro_speech" and the dataset "yes_no"
               When it runs on the host
               Then the top-1 accuracy is at least 90 %
        "#,
    );
    project.run().expect(1, &[]);
    project.tinyfarm(&["baseline", "accept", "--reason", "first"]).expect(0, &[]);
    // The second has a past, which its reports show.
    let ended = project.run();
    ended.expect(1, &["1 pass"]);
    let names = files(&project.path().join("report")).into_keys().collect::<Vec<_>>();
    let known = ["evidence.jsonl", "junit.xml", "report.html", "report.json", "report.md", "metrics.csv"];
    assert!(known.iter().all(|name| names.iter().any(|found| found == name)), "{names:?}");

    let run = latest(&project);
    project.tinyfarm(&["report", &run, "--report", "again"]).expect(0, &["in quarantine", "Ada"]);
    same(&project, "report", "again");
    // What became of the ledger since does not change what a run told.
    project.run().expect(1, &[]);
    project.tinyfarm(&["report", "latest~1", "--report", "once-more"]).expect(0, &[]);
    same(&project, "again", "once-more");
    // From another ledger neither.
    project.tinyfarm(&["ledger", "export", "--output", "runs.jsonl", &run]).expect(0, &["1 run written"]);
    let other = Project::new();
    fs::copy(project.path().join("runs.jsonl"), other.path().join("runs.jsonl")).unwrap();
    other.tinyfarm(&["ledger", "import", "runs.jsonl"]).expect(0, &["1 run and"]);
    let there = project.path().join("from-there");
    other.tinyfarm(&["report", &run, "--report", there.to_str().unwrap()]).expect(0, &[]);
    same(&project, "again", "from-there");
}

#[test]
fn a_retried_job_is_told_again_the_same() {
    let project = Project::configured("retries = 2\n[runner]\nprogram = \"runner\"\n");
    project.runner("short-output:3");
    project.scenario("Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the host");
    project.run().judged("infra", &["after 2 infra retries"]);
    project.tinyfarm(&["report", "--report", "again"]).expect(0, &["after 2 infra retries"]);
    same(&project, "report", "again");
}

#[test]
fn an_interrupted_run_is_told_again_the_same() {
    let project = Project::configured("[timeouts]\nopen = \"60 s\"\n[runner]\nprogram = \"runner\"\n");
    project.runner("hang:3");
    project.scenario("Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the host");
    let arguments = ["run", "--report", "report", "--format", "json"];
    let mut running = crate::support::Running::start(&project, &arguments);
    running.await_event("attempt-started");
    running.signal("INT");
    running.ended(&project).expect(130, &[]);
    project.tinyfarm(&["report", "--report", "again"]).expect(0, &["interrupted"]);
    same(&project, "report", "again");
}

#[test]
fn a_past_run_is_told_as_events_and_what_stands_in_the_way_is_told() {
    let project = wave::project("");
    project.scenario(wave::MEASURED);
    let told = project.tinyfarm(&["run", "--format", "json"]);
    told.expect(0, &[]);
    let again = project.tinyfarm(&["report", "--format", "json"]);
    again.expect(0, &[]);
    // Progress is of the moment, and is not kept.
    let passing = ["job-progress", "building", "flashing", "waiting"].map(|kind| format!("\"event\":\"{kind}\""));
    let lasting = told.out.lines().filter(|line| !passing.iter().any(|kind| line.contains(kind)));
    assert_eq!(again.out.lines().collect::<Vec<_>>(), lasting.collect::<Vec<_>>());

    project.file("taken", "a file");
    project.tinyfarm(&["report", "--report", "taken"]).expect(2, &["a file stands where the folder should be"]);
    project.tinyfarm(&["report", "latest~7"]).expect(2, &["no run `latest~7`", "it holds one run"]);
    // Telling a run again makes no new one.
    assert_eq!(wave::runs(&project).len(), 1);
}

#[test]
fn the_report_of_an_earlier_run_does_not_stand_for_one_that_was_refused() {
    let project = wave::project("");
    project.scenario(MEASURED).run().expect(0, &[]);
    git(&project, &["init", "-q", "-b", "main"]);
    project.file("features/broken.feature", "Feature: broken\n  Scenario: broken\n    Given the modle \"wave\"\n");
    let ended = project.tinyfarm(&["run", "--report", "report", "--format", "github"]);
    ended.expect(2, &["undefined step", "nothing was run"]);
    let place = "::error file=features/broken.feature,line=3,title=nothing was run::undefined step";
    assert!(ended.out.contains(place), "{}", ended.said());
    let read = |name: &str| fs::read_to_string(project.path().join("report").join(name)).unwrap();
    assert!(read("junit.xml").contains("broken.feature:3") && !read("junit.xml").contains("the one"));
    assert!(read("report.md").starts_with("## tinyfarm: nothing was run"), "{}", read("report.md"));
    assert!(read("codequality.json").contains("tinyfarm/refused"));
    assert!(!project.path().join("report/report.html").exists());
}
