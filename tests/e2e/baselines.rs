//! What changed since: runs compared with what was accepted, and with each other.

use crate::{
    support::Project,
    wave::{self, COMPARED, MEASURED, git, json, latest},
};
use serde_json::Value;

/// A project whose only run is accepted, and whose next run is compared with it.
fn accepted() -> Project {
    let project = wave::project("");
    project.scenario(MEASURED).run().judged("pass", &[]);
    wave::accept(&project);
    project.scenario(COMPARED);
    project
}

#[test]
fn without_a_baseline_it_is_inconclusive_and_with_the_mend_it_passes() {
    let project = wave::project("");
    project.scenario(COMPARED).run().judged(
        "inconclusive",
        &[
            "there is no baseline for `wave` over `points` here",
            "accept one with `tinyfarm baseline accept --reason TEXT`",
        ],
    );
    project.tinyfarm(&["baseline", "show"]).expect(0, &["nothing of it is accepted yet"]);
    wave::accept(&project);
    project.run().judged("pass", &[]);
    let ended = project.tinyfarm(&["baseline", "show"]);
    ended.expect(0, &["wave points host mean absolute error 0.0323762", "wave points host arena used 2,400 B"]);
    let ended = project.tinyfarm(&["baseline", "list"]);
    ended.expect(0, &["it is as it should be"]);
}

#[test]
fn a_worse_model_under_the_same_name_fails_with_what_was_and_what_is() {
    let project = accepted();
    let run = latest(&project);
    project.file("models/wave/wave.tflite", wave::worse_model());
    let words = [
        &format!("worse than the baseline (run {run}"),
        "mean absolute error 0.0323762 -> 1.10185 (+3303 %)",
        "root mean square error 0.0411141 -> 1.30732",
    ];
    let ended = project.run();
    ended.judged("fail", &words);
    assert!(!ended.verdict().1.contains("arena used"), "what did not change is no reason: {}", ended.verdict().1);
    // The mend for a change that is meant.
    wave::accept(&project);
    project.run().judged("pass", &[]);
}

#[test]
fn a_tolerance_and_a_metric_of_ones_own_decide_what_counts_as_worse() {
    let project = accepted();
    project.file("models/wave/wave.tflite", wave::worse_model());
    let run = |then: &str| project.scenario(&format!("{MEASURED}\n{then}")).run();
    run("Then the arena used is not worse than the baseline").judged("pass", &[]);
    run("Then the mean absolute error is not worse than the baseline by more than 50 %")
        .judged("fail", &["mean absolute error 0.0323762 -> 1.10185"]);
}

/// The same model and the same data, and one sample that is one bit off.
#[test]
fn one_bit_of_the_outputs_is_worse_whatever_the_tolerance() {
    let project = wave::project("[runner]\nprogram = \"runner\"\n");
    let runner = crate::criteria::built_runner();
    // The same detour both times: no sample 1,000.
    project.runner(&format!("flip 1000 {runner}")).scenario(MEASURED).run().judged("pass", &[]);
    wave::accept(&project);
    project.runner(&format!("flip 42 {runner}"));
    project.scenario(&format!("{COMPARED} by more than 90 %")).run().judged("fail", &["the outputs are"]);
    let (code, changes) = json(&project, &["compare", "baseline", "--tolerance", "90 %", "--format", "json"]);
    assert_eq!((code, change(&changes, "outputs")), (1, "different"), "{changes}");
}

#[test]
fn another_dataset_under_the_same_name_is_inconclusive_and_says_accept_anew() {
    let project = accepted();
    project.file("models/wave/points.csv", "x,y\n0,0\n1,0.84\n2,0.91\n");
    project.run().judged(
        "inconclusive",
        &[
            "the baseline was measured with other data than `points` holds now",
            "`tinyfarm baseline accept --reason TEXT`",
        ],
    );
    project.tinyfarm(&["compare", "baseline"]).expect(3, &["it must be accepted anew"]);
    wave::accept(&project);
    project.run().judged("pass", &[]);
}

#[test]
fn without_a_ledger_a_comparison_is_blocked() {
    let project = accepted();
    project
        .tinyfarm(&["run", "--report", "report", "--no-ledger"])
        .judged("blocked", &["there is no ledger", "run without `--no-ledger`"]);
}

#[test]
fn more_instructions_on_an_emulator_are_worse() {
    let project = wave::project("");
    let steps = |more: &str| {
        format!(
            "Given the model \"wave\" and the dataset \"few\"\nWhen it runs on the emulator \"qemu:mps2-an386\"\n{more}"
        )
    };
    let few = "[[dataset]]\nname = \"few\"\nmodel = \"wave\"\nfile = \"few.csv\"\n";
    project.file("models/wave/few.csv", "x,y\n1,0.84\n2,0.91\n");
    project.file("models/wave/few.toml", few).scenario(&steps("")).run().judged("pass", &[]);
    project
        .tinyfarm(&["baseline", "accept", "--metric", "the instructions p99", "--reason", "a fast one"])
        .expect(0, &["wave over few on qemu:mps2-an386: 1 figure", "accepted 1 figure of run"]);
    // The same digits in every run: an emulator counts exactly.
    let compared = "Then the instructions p99 are not worse than the baseline";
    project.scenario(&steps(compared)).run().judged("pass", &[]);
    let (_, trend) = json(&project, &["history", "--metric", "instructions p99", "--format", "json"]);
    let points = trend[0]["points"].as_array().unwrap_or_else(|| panic!("{trend}"));
    assert_eq!((points.len(), &points[0]["value"]), (2, &points[1]["value"]), "{trend}");
    assert_eq!(trend[0]["baseline"], points[0]["value"], "{trend}");
    // Weights of zero are as many, and multiplied all the same.
    project.file("models/wave/wave.tflite", wave::worse_model()).run();
    project.tinyfarm(&["history", "--metric", "instructions p99"]).expect(0, &["qemu:mps2-an386 3"]);
    let changes = project.tinyfarm(&["compare", "baseline", "--tolerance", "2 %"]);
    changes.expect(changes.code, &["wave over few on qemu:mps2-an386", "1 series compared"]);
}

#[test]
fn two_runs_are_compared_for_people_for_programs_and_for_merge_requests() {
    let project = wave::project("");
    project.scenario(MEASURED).run();
    let first = latest(&project);
    project.run();
    project.tinyfarm(&["compare", "latest~1", "latest"]).expect(0, &["1 series compared: 0 worse, 0 better"]);
    project.tinyfarm(&["compare", "latest~1", "--all"]).expect(0, &["same outputs the same to the bit"]);
    project.file("models/wave/wave.tflite", wave::worse_model()).run();
    let third = latest(&project);

    let text = project.tinyfarm(&["compare", &first, "latest"]);
    text.expect(1, &[&format!("from {first} to {third}"), "worse mean absolute error 0.0323762 -> 1.10185 (+3303 %)"]);
    assert!(!text.out.contains("arena used"), "what did not change is told only with --all:\n{}", text.out);
    // The other way round it is an improvement.
    project.tinyfarm(&["compare", "latest", &first]).expect(0, &["better mean absolute error 1.10185 -> 0.0323762"]);

    let (code, changes) = json(&project, &["compare", &first, "latest", "--format", "json"]);
    assert_eq!((code, change(&changes, "mean absolute error")), (1, "worse"), "{changes}");
    assert_eq!(change(&changes, "arena used"), "same", "{changes}");
    assert_eq!(changes["after"], third.as_str());

    let markdown = project.tinyfarm(&["compare", &first, "latest", "--format", "markdown"]);
    let row = "| wave | points | host | mean absolute error | **worse** | 0.0323762 -&gt; 1.10185 (+3303 %) |";
    markdown.expect(1, &[&format!("### Changes from {first} to {third}"), row]);
}

#[test]
fn compared_with_the_baseline_series_that_come_and_go_are_told() {
    let project = accepted();
    project
        .file("models/wave/few.csv", "x,y\n1,0.84\n2,0.91\n")
        .file("models/wave/few.toml", "[[dataset]]\nname = \"few\"\nmodel = \"wave\"\nfile = \"few.csv\"\n")
        .scenario("Given the model \"wave\" and the dataset \"few\"\nWhen it runs on the host")
        .run();
    let ended = project.tinyfarm(&["compare", "baseline", "latest"]);
    let told = ["only before wave over points on host", "only after wave over few on host", "1 new, 1 gone"];
    ended.expect(3, &[&told[..], &["nothing was compared: no series is in both"]].concat());
    let (_, changes) = json(&project, &["compare", "baseline", "--dataset", "few", "--format", "json"]);
    assert_eq!((&changes["gone"], changes["new"].as_array().unwrap().len()), (&Value::Array(vec![]), 1), "{changes}");
    project
        .tinyfarm(&["compare", "baseline", "--format", "markdown"])
        .expect(3, &["### Only before", "| wave | points | host |", "### Only after", "| wave | few | host |"]);
}

#[test]
fn a_job_that_brings_nothing_back_is_worse_and_nothing_compared_is_no_pass() {
    let project = accepted();
    project.scenario(&MEASURED.replace("When it runs", "Given an arena of at most 64 B\nWhen it runs")).run();
    let ended = project.tinyfarm(&["compare", "baseline", "latest"]);
    ended.expect(1, &["0 series compared: 1 worse", "arena too small"]);
    let markdown = project.tinyfarm(&["compare", "baseline", "--format", "markdown"]);
    markdown.expect(1, &["### Brought nothing back", "| wave | points | host |"]);
    let other = project.tinyfarm(&["compare", "baseline", "--model", "wav"]);
    other.expect(3, &["nothing was compared: no model of what was before is called `wav`: did you mean `wave`?"]);
    let fresh = wave::project("");
    fresh.scenario(MEASURED).run().expect(0, &[]);
    fresh.tinyfarm(&["compare", "baseline"]).expect(3, &["nothing is accepted yet"]);
}

#[test]
fn inline_data_keeps_its_history_wherever_it_stands() {
    let inline = "Given the model \"wave\"\nAnd the dataset:\n| x | y |\n| 1 | 0.84 |\nWhen it runs on the host";
    let project = wave::project("");
    project.scenario(inline).run().expect(0, &[]);
    wave::accept(&project);
    project
        .scenario(&format!("# Moved.\n{inline}\nThen nothing is worse than the baseline"))
        .run()
        .expect(0, &["1 pass"]);
}

#[test]
fn what_cannot_be_compared_or_accepted_is_refused_with_the_mend() {
    let project = wave::project("");
    for command in [&["compare", "baseline"][..], &["baseline", "show"], &["history"], &["flaky"], &["report"]] {
        project.tinyfarm(command).expect(2, &["there is no ledger at", "the first `tinyfarm run` makes one"]);
    }
    project.scenario(MEASURED).run();
    let run = latest(&project);
    project
        .tinyfarm(&["compare", "baseline"])
        .expect(3, &["0 series compared", "only after", "nothing is accepted yet"]);
    project.tinyfarm(&["compare", "latest~1"]).expect(2, &["no run `latest~1`", "it holds one run"]);
    project.tinyfarm(&["compare", &format!("{run}1"), "latest"]).expect(2, &[&format!("did you mean `{run}`?")]);
    project.tinyfarm(&["compare", "latest", "baseline"]).expect(2, &["write `tinyfarm compare baseline RUN`"]);
    project.tinyfarm(&["compare", "latest", "--tolerance", "2 KiB"]).expect(2, &["write it like `2 %`"]);
    project.tinyfarm(&["baseline", "accept"]).expect(2, &["--reason"]);
    let accept = |what: &[&str]| project.tinyfarm(&[&["baseline", "accept", "--reason", "x"][..], what].concat());
    accept(&["--metric", "arena usd"]).expect(2, &["did you mean `arena used`?"]);
    accept(&["--model", "waves"]).expect(2, &["it measured nothing of what is chosen"]);
    project.tinyfarm(&["history", "--model", "wave"]).expect(2, &["--metric \"instructions p99\""]);
    project.tinyfarm(&["baseline", "show"]).expect(0, &["nothing of it is accepted yet"]);
}

#[test]
fn a_clean_pass_on_the_branch_of_the_rule_is_accepted_and_no_other() {
    let project = wave::project("[baselines]\nbranches = [\"main\"]\n");
    project.scenario(MEASURED).file(".gitignore", "ledger.sqlite*\nreport\n");
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "first"]] {
        git(&project, arguments);
    }
    let accepted = || json(&project, &["baseline", "list", "--format", "json"]).1.as_array().unwrap().len();

    // Another branch.
    git(&project, &["checkout", "-q", "-b", "faster"]);
    let ended = project.run();
    ended.expect(0, &["1 pass"]);
    assert!(!ended.said().contains("accepted"), "{}", ended.said());
    assert_eq!(accepted(), 0);

    // The branch, but not what is committed.
    git(&project, &["checkout", "-q", "main"]);
    project.file("models/README", "changed");
    project.run().expect(0, &["not accepted as the baseline of branch main: files differ from the commit"]);
    assert_eq!(accepted(), 0);
    git(&project, &["checkout", "-q", "models/README"]);

    // It fails.
    project.scenario(&format!("{MEASURED}\nThen the mean absolute error is at most 0.001"));
    git(&project, &["commit", "-q", "-a", "-m", "too strict"]);
    project.run().expect(1, &[]);
    assert_eq!(accepted(), 0);
    git(&project, &["reset", "-q", "--hard", "HEAD~1"]);

    project.run().expect(0, &["accepted as the baseline of branch main: 1 series"]);
    assert_eq!(accepted(), 5);
    let commit = git(&project, &["rev-parse", "--short=10", "HEAD"]);
    project.tinyfarm(&["baseline", "list"]).expect(0, &["branch rule", "passed on branch main"]);
    project.tinyfarm(&["baseline", "show"]).expect(0, &[&commit]);
    // History tells where each run stood, and finds one by its commit.
    let history = project.tinyfarm(&["history"]);
    history.expect(0, &[&format!("{commit} main"), &format!("{commit}+ main"), &format!("{commit} faster")]);
    project.tinyfarm(&["compare", "baseline", &commit]).expect(0, &["0 worse", &format!("(commit {commit})")]);
}

#[test]
fn the_rule_of_a_branch_means_no_merge_request_and_nothing_that_did_not_pass() {
    let project = wave::project("[baselines]\nbranches = [\"main\"]\n");
    let rule = "[[quarantine]]\nfeature = \"features/loose.feature\"\nowner = \"Ada\"\nreason = \"known\"\nuntil = 2999-12-31\n";
    let config = std::fs::read_to_string(project.path().join("tinyfarm.toml")).unwrap();
    project.file("tinyfarm.toml", format!("{config}{rule}"));
    let loose = "Feature: loose\n  Scenario: loose\n    Given the model \"wave\" and the dataset \"points\"\n    \
                 When it runs on the host\n    Then the mean absolute error is at most 0.0000001\n";
    let other = "Given the model \"wave\" and the dataset \"../few.csv\"\nWhen it runs on the host";
    project
        .scenario(other)
        .file("few.csv", "x,y\n1,0.84\n")
        .file("features/loose.feature", loose)
        .file(".gitignore", "ledger.sqlite*\nreport\n");
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "first"]] {
        git(&project, arguments);
    }
    // A fork's branch of the same name, as CI has it.
    git(&project, &["checkout", "-q", "--detach"]);
    let mut command = project.command(&["run", "--report", "report"]);
    let output = command.env("GITHUB_HEAD_REF", "main").env("GITHUB_REF_NAME", "7/merge").output().unwrap();
    project.ended(output).expect(0, &["not accepted as the baseline of branch main: this is a merge request or a tag"]);
    git(&project, &["checkout", "-q", "main"]);
    project.run().expect(
        0,
        &[
            "1 pass, 1 quarantined (1 fail)",
            "accepted as the baseline of branch main: 1 series",
            "not accepted, for a scenario in quarantine did not pass with them: 1 series",
        ],
    );
    let list = json(&project, &["baseline", "list", "--format", "json"]).1;
    let datasets = list.as_array().unwrap().iter().map(|it| it["series"]["dataset"].as_str().unwrap());
    assert!(datasets.clone().count() > 0 && datasets.clone().all(|name| name != "points"), "{list}");
}

/// What became of a metric in the only series.
#[track_caller]
fn change<'a>(changes: &'a Value, metric: &str) -> &'a str {
    let figures = changes["series"][0]["figures"].as_array().unwrap_or_else(|| panic!("{changes}"));
    let found = figures.iter().find(|figure| figure["metric"] == metric).unwrap_or_else(|| panic!("{changes}"));
    found["change"].as_str().unwrap()
}
