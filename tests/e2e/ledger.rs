//! The ledger through the program: runs at once, one that was killed, files that are none, moving and pruning.

use crate::{
    support::{CACHE, Project, Running},
    wave::{self, COMPARED, MEASURED, accept, git, json, latest, runs},
};
use std::{fs, io::Write as _, path::Path, process::Stdio};

#[test]
fn two_runs_at_once_are_both_in_the_ledger() {
    let project = wave::project("");
    project.scenario(MEASURED);
    let both = [(); 2].map(|()| Running::start(&project, &["run", "--format", "json"]));
    for running in both {
        running.ended(&project).expect(0, &[]);
    }
    let runs = runs(&project);
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_ne!(runs[0]["name"], runs[1]["name"]);
    assert!(runs.iter().all(|run| run["state"] == "finished" && run["verdicts"]["pass"] == 1), "{runs:?}");
    project.tinyfarm(&["compare", "latest~1", "latest"]).expect(0, &["1 series compared: 0 worse"]);
    project.tinyfarm(&["ledger", "verify"]).expect(0, &["ledger.sqlite is sound"]);
    left_over(&project);
}

/// What stands in the project beside the ledger, once nothing writes any more, has to be the ledger's alone.
#[track_caller]
fn left_over(project: &Project) {
    let names = fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ledgers: Vec<String> = names.filter(|name| name.starts_with("ledger.")).collect();
    assert_eq!(ledgers, ["ledger.sqlite"]);
}

#[test]
fn a_killed_run_is_told_as_cut_short_and_the_next_one_works() {
    let project = wave::project("");
    let second = 49 * 40;
    project
        .file("features/silence/silence.bin", vec![0; second * 10_000])
        .file("features/silence/labels.csv", format!("silence.bin,4,0,{second},{second}\n"))
        .file(
            "features/test.feature",
            format!(
                "Feature: test\nScenario: a short one\n{MEASURED}\nScenario: a long one\n\
                 Given the model \"micro_speech\" and the dataset \"silence\"\n\
                 When it runs on the emulator \"qemu:mps2-an386\"\n"
            ),
        );
    let mut running = Running::start(&project, &["run", "--report", "report", "--format", "json", "--jobs", "2"]);
    running.await_event("scenario-finished");
    // The long one tells of its progress seconds later; what the short one told is on disk by then.
    running.await_event("job-progress");
    assert_eq!(runs(&project)[0]["state"], "running");
    project.tinyfarm(&["history"]).expect(0, &["1 pass, 1 not run", "running"]);
    project.tinyfarm(&["baseline", "accept", "--reason", "x"]).expect(2, &["is under way in another process"]);
    running.signal("KILL");
    running.ended(&project);

    project.tinyfarm(&["history"]).expect(0, &["1 pass, 1 not run", "cut short"]);
    let killed = latest(&project);
    // What it told is told again, and that it did not come to its end.
    let again = project.tinyfarm(&["report", &killed, "--report", "report"]);
    again.expect(0, &["a short one", "cut short"]);
    assert_eq!(again.report["scenarios"][0]["verdict"], "pass", "{}", again.report);
    assert_eq!(again.report["run"]["state"], "running", "{}", again.report);
    assert!(again.junit.contains(r#"<testcase name="run was cut short""#), "{}", again.junit);
    let html = fs::read_to_string(project.path().join("report/report.html")).unwrap();
    assert!(html.contains("cut short"), "the page does not tell that the run was cut short");

    project.scenario(MEASURED).run().judged("pass", &[]);
    project.tinyfarm(&["compare", &killed, "latest"]).expect(0, &["1 series compared: 0 worse"]);
    project.tinyfarm(&["history"]).expect(0, &["1 pass", "1 pass, 1 not run", "cut short"]);
    project.tinyfarm(&["ledger", "verify"]).expect(0, &["is sound"]);
}

#[test]
fn a_run_that_was_interrupted_is_told_so() {
    let project = wave::project("[timeouts]\nopen = \"60 s\"\n[runner]\nprogram = \"runner\"\n");
    project.runner("hang:3").scenario(MEASURED);
    let mut running = Running::start(&project, &["run", "--format", "json"]);
    running.await_event("attempt-started");
    running.signal("INT");
    running.ended(&project).expect(130, &[]);
    assert_eq!(runs(&project)[0]["state"], "interrupted");
    project.tinyfarm(&["history"]).expect(0, &["1 blocked"]);
}

#[test]
fn without_a_ledger_no_file_is_left() {
    let project = wave::project("");
    project.scenario(MEASURED);
    project.tinyfarm(&["run", "--no-ledger"]).expect(0, &["1 pass"]);
    let names = fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["features", "models", "tinyfarm.toml"]);
}

#[test]
fn a_plan_that_is_wrong_makes_no_ledger() {
    let project = wave::project("");
    project.scenario("Given the model \"waves\" and the dataset \"points\"").run().expect(2, &["nothing was run"]);
    assert!(!project.path().join("ledger.sqlite").exists());
}

/// Runs with what `prepare` puts in the ledger's place; nothing may run then.
#[track_caller]
fn refused(prepare: impl FnOnce(&Path), words: &[&str]) {
    let project = wave::project("");
    project.scenario(MEASURED);
    let path = project.path().join("ledger.sqlite");
    prepare(&path);
    let ended = project.run();
    ended.expect(2, words);
    assert!(!ended.out.contains("pass"), "{}", ended.out);
    // Those who only read say the same.
    project.tinyfarm(&["history"]).expect(2, words);
    // And without it, it goes.
    project.tinyfarm(&["run", "--no-ledger"]).expect(0, &["1 pass"]);
}

#[test]
fn a_folder_in_its_place_is_refused() {
    refused(|path| fs::create_dir(path).unwrap(), &["ledger.sqlite is no ledger", "it is a folder", "`ledger.file`"]);
}

#[test]
fn a_file_that_is_none_is_refused_and_left_as_it_is() {
    let text = "minutes of the meeting, and no database, however long one looks at it; ".repeat(20);
    refused(|path| fs::write(path, &text).unwrap(), &["ledger.sqlite is no ledger", "move it away"]);
}

#[test]
fn another_programs_database_is_refused() {
    let create = |path: &Path| sql(path, "CREATE TABLE meeting (minutes TEXT)");
    refused(create, &["ledger.sqlite is no ledger", "another program's SQLite database", "move it away"]);
}

#[test]
fn a_ledger_of_a_later_version_is_refused() {
    let make = |path: &Path| {
        let other = wave::project("");
        other.scenario(MEASURED).run().judged("pass", &[]);
        fs::rename(other.path().join("ledger.sqlite"), path).unwrap();
        sql(path, "PRAGMA user_version = 99");
    };
    refused(make, &["ledger.sqlite is of version 99", "knows versions up to", "use a newer tinyfarm"]);
}

#[test]
fn a_place_where_no_ledger_can_be_is_refused() {
    // Modes do not hold root back; a file where a folder should be does.
    let project = wave::project("[ledger]\nfile = \"models/README/ledger.sqlite\"\n");
    let ended = project.scenario(MEASURED).run();
    ended.expect(2, &["cannot open the ledger", "models/README", "File exists", "`ledger.file`", "`--no-ledger`"]);
    assert!(!ended.out.contains("pass"), "{}", ended.out);
    project.tinyfarm(&["run", "--no-ledger"]).expect(0, &["1 pass"]);
}

#[test]
fn a_damaged_ledger_is_found_out() {
    let project = wave::project("");
    project.scenario(MEASURED).run().judged("pass", &[]);
    let path = project.path().join("ledger.sqlite");
    sql(&path, "UPDATE run SET passed = 7");
    let run = latest(&project);
    project.tinyfarm(&["ledger", "verify"]).expect(3, &[&run, "1 finding in"]);
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[4096..half].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let ended = project.tinyfarm(&["ledger", "verify"]);
    assert!(matches!(ended.code, 2 | 3), "{}", ended.said());
    ended.expect(ended.code, &["ledger.sqlite"]);
}

#[test]
fn what_is_exported_is_imported_and_exported_the_same() {
    let project = wave::project("");
    project.scenario(MEASURED).run().judged("pass", &[]);
    accept(&project);
    project.scenario(COMPARED).run().judged("pass", &[]);
    project.tinyfarm(&["ledger", "export", "--output", "runs.jsonl"]).expect(0, &["2 runs written to runs.jsonl"]);
    let exported = fs::read(project.path().join("runs.jsonl")).unwrap();
    assert!(exported.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count() > 2);

    // Through a pipe, into a ledger that is not there yet, with baseline and all.
    let other = wave::project("");
    let mut import = other.command(&["ledger", "import", "-"]);
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(&exported).unwrap();
    let imported = other.ended(import.wait_with_output().unwrap());
    imported.expect(0, &["2 runs and 5 accepted figures taken in"]);
    let again = other.tinyfarm(&["ledger", "export"]);
    assert!(again.out.into_bytes() == exported, "what is exported again is not the same");
    assert_eq!(runs(&other), runs(&project));
    other.scenario(COMPARED).run().judged("pass", &[]);
    other.tinyfarm(&["ledger", "verify"]).expect(0, &["is sound"]);

    // A second time there is nothing new in it.
    project
        .tinyfarm(&["ledger", "import", "runs.jsonl"])
        .expect(0, &["0 runs and 0 accepted figures taken in; 2 runs there already, left as they are"]);
    assert_eq!(runs(&project).len(), 2);
}

#[test]
fn an_import_that_is_wrong_names_the_line_and_leaves_nothing() {
    let project = wave::project("");
    project.scenario(MEASURED).run().judged("pass", &[]);
    project.run();
    let whole = project.tinyfarm(&["ledger", "export"]).out;
    let lines = whole.lines().count();
    let broken = format!("{}\n{{\"half\": ", whole.lines().take(lines - 1).collect::<Vec<_>>().join("\n"));
    let other = wave::project("");
    other.file("runs.jsonl", broken);
    other
        .tinyfarm(&["ledger", "import", "runs.jsonl"])
        .expect(2, &["cannot import runs.jsonl", &format!("line {lines} of what is imported"), "nothing was imported"]);
    assert!(runs(&other).is_empty());
    other.tinyfarm(&["history"]).expect(0, &["holds no run yet"]);
}

#[test]
fn pruning_keeps_what_a_baseline_stands_on() {
    let project = wave::project("");
    project.scenario(MEASURED).run().judged("pass", &[]);
    accept(&project);
    let kept = latest(&project);
    project.run();
    project.run();
    let newest = latest(&project);
    let dry = project.tinyfarm(&["ledger", "prune", "--keep", "1", "--dry-run"]);
    dry.expect(0, &[&format!("{kept}: kept, for a baseline stands on it"), "1 run would be taken out"]);
    assert_eq!(runs(&project).len(), 3);
    project.tinyfarm(&["ledger", "prune", "--keep", "1"]).expect(0, &[&kept, "1 run taken out"]);
    let left: Vec<_> = runs(&project).iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(left, [newest, kept.clone()]);
    // Its figures stay where its events go.
    project.tinyfarm(&["ledger", "prune", "--keep", "0", "--events-only"]).expect(0, &["events of 2 runs taken out"]);
    project.tinyfarm(&["report", &kept]).expect(2, &["were pruned"]);
    project.scenario(COMPARED).run().judged("pass", &[]);
    project.tinyfarm(&["ledger", "verify"]).expect(0, &["is sound"]);
}

#[test]
fn prune_that_says_not_what_takes_nothing_out() {
    let project = wave::project("");
    project.scenario(MEASURED).run().judged("pass", &[]);
    let ended = project.tinyfarm(&["ledger", "prune"]);
    ended.expect(2, &["--older-than", "--keep"]);
    assert_eq!(runs(&project).len(), 1);
}

/// A runner that fails the first time and is the farm's own from then on.
fn shaky(project: &Project) {
    let real = Path::new(env!("CARGO_BIN_EXE_tinyfarm")).with_file_name("examples/misbehaving-runner");
    let script = format!(
        "#!/bin/sh\nhere=$(dirname \"$0\")\nif [ \"$1\" = --fd ] && [ ! -e \"$here/failed\" ]; then\n\
         touch \"$here/failed\"\nexec '{0}' short-output:3 \"$@\"\nfi\nexec '{0}' good \"$@\"\n",
        real.display()
    );
    firmware::testing::write_program(&project.path().join("runner"), &script).unwrap();
}

#[test]
fn flaky_lists_jobs_that_needed_another_attempt() {
    let project = Project::configured("retries = 2\n[runner]\nprogram = \"runner\"\n");
    shaky(&project);
    project.scenario("Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the host");
    project.run().judged("pass", &[]);
    let run = latest(&project);
    project.run().judged("pass", &[]);
    project
        .tinyfarm(&["flaky"])
        .expect(0, &["jobs that needed another attempt", "hello_world sine_100 host 1 2", &run, "answered sample 3"]);
    let (_, flaky) = json(&project, &["flaky", "--days", "1", "--format", "json"]);
    assert_eq!(flaky["jobs"][0]["retried"], 1, "{flaky}");
}

#[test]
fn flaky_lists_scenarios_whose_verdict_changed_though_the_commit_did_not() {
    let project = Project::configured("retries = 0\n[runner]\nprogram = \"runner\"\n");
    shaky(&project);
    project.scenario("Given the model \"hello_world\" and the dataset \"sine_100\"\nWhen it runs on the host");
    for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "first"]] {
        git(&project, arguments);
    }
    project.run().judged("infra", &[]);
    project.tinyfarm(&["flaky"]).expect(0, &["no job needed another attempt", "no scenario changed its verdict"]);
    project.run().judged("pass", &[]);
    let commit = git(&project, &["rev-parse", "--short=10", "HEAD"]);
    project.tinyfarm(&["flaky"]).expect(
        0,
        &["scenarios whose verdict changed", &format!("features/test.feature the one {commit} 1 1"), "sample 3"],
    );
}

#[test]
fn the_ledger_is_where_the_configuration_says_from_wherever_one_stands() {
    let project = wave::project("[ledger]\nfile = \"kept/here/runs.sqlite\"\n");
    project.scenario(MEASURED);
    let mut command = project.command(&["run", "../features"]);
    let ended = project.ended(command.current_dir(project.path().join("models")).output().unwrap());
    ended.expect(0, &["1 pass"]);
    assert!(project.path().join("kept/here/runs.sqlite").is_file());
    assert!(!project.path().join("models/ledger.sqlite").exists() && Path::new(CACHE).is_dir());
    assert_eq!(runs(&project).len(), 1);
}

/// Changes a database behind the program's back.
fn sql(path: &Path, statement: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(statement).unwrap();
}

#[test]
fn an_export_never_costs_the_ledger_nor_the_export_before_it() {
    let project = wave::project("");
    project.scenario(MEASURED).run().expect(0, &[]);
    for own in ["ledger.sqlite", "./ledger.sqlite-wal"] {
        project.tinyfarm(&["ledger", "export", "--output", own]).expect(2, &["is the ledger itself", "another file"]);
    }
    project.tinyfarm(&["ledger", "export", "--output", "backup.jsonl"]).expect(0, &["1 run written"]);
    let backup = fs::read(project.path().join("backup.jsonl")).unwrap();
    project.tinyfarm(&["ledger", "export", "no-such-run", "--output", "backup.jsonl"]).expect(2, &["no-such-run"]);
    assert_eq!(fs::read(project.path().join("backup.jsonl")).unwrap(), backup);
    // What has no events any more is said, and is no whole export.
    project.run().expect(0, &[]);
    project.tinyfarm(&["ledger", "prune", "--keep", "1", "--events-only"]).expect(0, &["1 run"]);
    let ended = project.tinyfarm(&["ledger", "export", "--output", "backup.jsonl"]);
    ended.expect(3, &["1 run written", "left out: run", "were pruned"]);
    assert!(!project.path().join("backup.jsonl.partial").exists());
    project.tinyfarm(&["ledger", "export", "--output", "/dev/null"]).expect(3, &["1 run written to /dev/null"]);
}
