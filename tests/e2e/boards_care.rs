//! A bench that looks after itself, and boards that two programs want at once.

use crate::{
    bench::{self, SimBoards, attempts, control, expect_history, happened},
    support::{Ended, Project, Running},
};
use serde_json::Value;

const JSON: [&str; 5] = ["run", "--report", "report", "--format", "json"];

const SHORT: &str = r#"Given the model "hello_world" and the dataset "sine_100"
                       When it runs on the board "one""#;

/// A bench with a simulated board on it, which is the project's board `one`.
fn bench_of(config: &str, arguments: &[&str]) -> (Project, SimBoards) {
    let project = bench::configured(config);
    let boards = SimBoards::start(&project, arguments);
    boards.define(&project, 0, "one", "");
    project.scenario(SHORT);
    (project, boards)
}

/// The states of health that a run told of.
fn told_of_health(ended: &Ended) -> Vec<String> {
    let events = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let health = events.filter(|event| event["event"] == "bench-health");
    health.map(|event| event["state"].as_str().unwrap().to_owned()).collect()
}

fn run_as_json(project: &Project) -> Ended {
    project.ended(project.command(&JSON).output().unwrap())
}

#[test]
fn infra_is_tried_again_on_an_equal_board_and_each_history_has_its_part() {
    let project = bench::project();
    let boards = SimBoards::start(&project, &["--count", "2"]);
    for (number, name) in ["one", "two"].into_iter().enumerate() {
        boards.define(&project, number, name, "tags = [\"pair\"]");
    }
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on any board tagged "pair""#,
    );
    // Which of them is free first is nobody's business: both fail once.
    for place in ["port-1", "port-2"] {
        control(&project, place, &["fault", "swd-fault"]);
    }
    let ended = project.run();
    ended.judged("pass", &["after 2 infra retries: ", "could not attach"]);
    let attempts = attempts(&ended);
    let verdicts: Vec<&str> = attempts.iter().map(|(_, verdict)| verdict.as_str()).collect();
    assert_eq!(verdicts, ["infra", "infra", "pass"]);
    assert_ne!(attempts[0].0, attempts[1].0, "the first retry is on the other one: {attempts:?}");
    let (last, other) = if attempts[2].0 == "one" { ("one", "two") } else { ("two", "one") };
    let job = &ended.report["jobs"][0];
    assert_eq!((&job["target"], &job["simulated"]), (&last.into(), &true.into()));
    expect_history(&project, last, &["infra", "served"]);
    expect_history(&project, other, &["infra"]);
    project.tinyfarm(&["boards", "list"]).expect(0, &["suspect after an infra fault: could not attach"]);
    // A suspect is no outcast, and its next job makes it a healthy one again.
    project.scenario(&SHORT.replace("\"one\"", &format!("\"{other}\"")));
    project.run().judged("pass", &[]);
    expect_history(&project, other, &["infra", "served"]);
    boards.stop(&project).expect(0, &[]);
}

#[test]
fn a_bench_that_fails_thrice_is_recovered_and_goes_on_where_its_health_check_passes() {
    let (project, mut boards) = bench_of("", &["--fault", "wrong-chip=3"]);
    let ended = run_as_json(&project);
    assert_eq!((ended.code, ended.verdict().0.as_str()), (3, "infra"));
    assert_eq!(told_of_health(&ended), ["suspect", "suspect", "suspect", "recovering", "healthy"]);
    boards.await_event("power-cycled");
    expect_history(&project, "one", &["infra", "infra", "infra", "recovered", "check-passed"]);
    project.run().judged("pass", &[]);
}

#[test]
fn a_quarantine_ends_by_itself_when_the_health_check_passes_again() {
    // It is due at once.
    let (project, _boards) = bench_of("recheck_after = \"1 ms\"", &["--fault", "wrong-chip=5"]);
    let ended = run_as_json(&project);
    assert_eq!((ended.code, ended.verdict().0.as_str()), (3, "infra"));
    assert_eq!(told_of_health(&ended), ["suspect", "suspect", "suspect", "recovering", "quarantined"]);
    project.tinyfarm(&["boards", "list"]).expect(0, &["its health check did not pass", "is not one"]);
    // The fifth: it is no better.
    let ended = run_as_json(&project);
    let (verdict, reason) = ended.verdict();
    assert_eq!((verdict.as_str(), told_of_health(&ended)), ("blocked", vec!["quarantined".to_owned()]), "{reason}");
    assert!(reason.contains("quarantined since") && reason.contains("tinyfarm boards release one"), "{reason}");
    assert_eq!(ended.report["jobs"][0]["attempts"].as_array().map(Vec::len), Some(0), "nothing was tried");
    let ended = run_as_json(&project);
    assert_eq!((ended.verdict().0.as_str(), told_of_health(&ended)), ("pass", vec!["re-admitted".to_owned()]));
    let wanted = ["infra", "infra", "infra", "recovered", "check-failed", "check-failed", "check-passed", "served"];
    expect_history(&project, "one", &wanted);
    project.tinyfarm(&["boards", "history", "one"]).expect(0, &["one: healthy", "infra 3", "checks failed 2"]);
}

/// Starts a run whose board hangs, and waits until it does.
fn hanging(project: &Project, boards: &mut SimBoards) -> Running {
    control(project, "port-1", &["fault", "hang"]);
    let first = Running::start(project, &["run", "--format", "json"]);
    boards.await_event("fault-shown");
    first
}

/// Starts another run, and waits until it waits for that one.
fn waiting(project: &Project, first: &Running) -> Running {
    let mut second = Running::start(project, &JSON);
    let event = second.await_event("waiting");
    let holder = format!("process {}", first.id());
    assert!(event["why"].as_str().unwrap().contains(&holder) && event["target"] == "one", "{event:#}");
    project.tinyfarm(&["boards", "why-waiting", "one"]).expect(0, &[&holder]);
    second
}

#[test]
fn of_two_runs_that_want_one_board_the_second_waits_and_says_for_whom() {
    let (project, mut boards) = bench_of("", &[]);
    project.scenario(&format!("Given a time limit of 8 s\n{}", SHORT.replacen("Given", "And", 1)));
    let first = hanging(&project, &mut boards);
    let second = waiting(&project, &first);
    let holder = format!("process {}", first.id());
    first.ended(&project).expect(1, &["hung"]);
    let ended = second.ended(&project);
    assert_eq!(ended.code, 0, "{}", ended.said());
    let (verdict, reason) = ended.verdict();
    assert_eq!(verdict, "pass");
    assert!(reason.contains("waited for one (simulated), held by") && reason.contains(&holder), "{reason}");
    let told = happened(&boards.stop(&project));
    assert!(told.iter().all(|event| event["event"] != "refused"), "never both at once: {told:#?}");
    expect_history(&project, "one", &["model-failed", "served"]);
}

#[test]
fn a_killed_run_frees_its_board_at_once() {
    let (project, mut boards) = bench_of("", &[]);
    let first = hanging(&project, &mut boards);
    let second = waiting(&project, &first);
    first.signal("KILL");
    assert_eq!(first.ended(&project).code, -1);
    let ended = second.ended(&project);
    assert_eq!((ended.code, ended.verdict().0.as_str()), (0, "pass"), "{}", ended.said());
    assert!(!project.tinyfarm(&["boards", "why-waiting"]).said().contains("held by"));
}

#[test]
fn an_interrupted_run_gives_its_board_back_fit_for_use() {
    let (project, mut boards) = bench_of("", &[]);
    let first = hanging(&project, &mut boards);
    let second = waiting(&project, &first);
    first.signal("INT");
    assert_eq!(first.ended(&project).code, 130);
    let ended = second.ended(&project);
    assert_eq!((ended.code, ended.verdict().0.as_str()), (0, "pass"), "{}", ended.said());
    // Nobody's fault, and nothing of it in the history.
    expect_history(&project, "one", &["served"]);
}

#[test]
fn a_run_that_ends_while_it_flashes_leaves_the_board_fit_for_use() {
    for (signal, code) in [("INT", 130), ("KILL", -1)] {
        let (project, _boards) = bench_of("", &[]);
        let mut running = Running::start(&project, &JSON);
        running.await_event("flashing");
        running.signal(signal);
        assert_eq!(running.ended(&project).code, code, "{signal}");
        project.run().judged("pass", &[]);
    }
}
