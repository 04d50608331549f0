//! What is kept of a run.

#![allow(clippy::unwrap_used)]

use super::{job::Histogram, *};
use crate::script::{self, Found, Script, scenario};

fn account(events: &[Stamped]) -> Account {
    let mut account = Account::default();
    events.iter().for_each(|event| account.on(event));
    account
}

#[test]
fn a_retried_job_keeps_both_attempts_with_their_times() {
    let account = account(&script::every_verdict());
    let retried: Vec<_> = account.jobs.values().filter_map(|job| Some((job.id.0, job.needed()?))).collect();
    assert_eq!(retried, [(2, 2)]);
    let attempts = &account.jobs[&JobId(2)].attempts;
    assert!(attempts[0].ended <= attempts[1].started && attempts[1].started < attempts[1].ended);
    assert_eq!(account.run.state, RunState::Finished);
    assert_eq!(account.scenarios.len(), 7);
    assert_eq!(account.scenarios[1].line(), 18, "that of the step that failed");
}

#[test]
fn equal_outputs_are_kept_once() {
    let account = account(&script::every_verdict());
    let [one, other] = [1, 3].map(|id| &account.jobs[&JobId(id)].samples);
    assert!(Arc::ptr_eq(one, other) && one.len() == 2 && one[0] != one[1]);
}

#[test]
fn a_histogram_counts_every_inference_once() {
    let of = |ticks: &[u64]| {
        Histogram::of(&ticks.iter().map(|ticks| Inference { output: Vec::new(), ticks: *ticks }).collect::<Vec<_>>())
            .buckets()
    };
    assert_eq!(of(&[]), []);
    assert_eq!(of(&[7, 7]), [Bucket { from: 7, to: 7, count: 2 }]);
    for ticks in [vec![0, u64::MAX, 5], (0..64).collect(), (0..65).collect(), (100..100_000).collect()] {
        let buckets = of(&ticks);
        assert!(buckets.len() <= 64, "{}", buckets.len());
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), ticks.len() as u64);
        assert!(buckets.windows(2).all(|pair| pair[0].to + 1 == pair[1].from));
        assert_eq!(buckets.last().map(|bucket| bucket.to), ticks.iter().max().copied());
    }
}

#[test]
fn a_finished_scenario_is_open_no_more_and_a_criterion_weighs_on_its_job() {
    let account = account(&script::every_verdict());
    assert!(account.open.is_empty());
    let missed = account.scenarios.iter().find(|scenario| scenario.judgement.verdict == Verdict::Fail).unwrap();
    let job = &account.jobs[&missed.course.criteria[0].job];
    assert_eq!(job.judgement.as_ref().unwrap().verdict, Verdict::Pass);
    assert_eq!(job.verdict, Some(Verdict::Fail));
}

#[test]
fn a_pass_that_ran_nothing_is_told_apart_and_one_that_was_asked_for_is_not() {
    let mut script = Script::new(3);
    let fault = || farm::Fault::ArenaTooSmall { available: 1_024, missing: 400, detail: "x".to_owned() };
    let names = ["hello_world", "sine", "qemu:mps2-an386"];
    let [idle, asked, ran] = [(1, "Idle"), (5, "Asked"), (9, "Ran")].map(|(line, name)| scenario(line, name));
    script.faulty(&idle, 1, names, fault());
    script.end(&idle, Verdict::Pass, "left out: does not fit");
    script.faulty(&asked, 2, names, fault());
    script.judge(&asked, 2, names[2], ["it does not fit", "does not fit"], (Verdict::Pass, ""));
    script.end(&asked, Verdict::Pass, "");
    script.job(&ran, 3, names, Found::Sine(0.03), 0);
    script.end(&ran, Verdict::Pass, "");
    script.finish(false);
    let account = account(&script.events);
    assert_eq!(account.tally.idle, 1);
    let told = crate::console::counts(&account.tally);
    assert!(told.contains("3 pass (1 of them ran nothing: no room for the model)"), "{told}");
    assert_eq!(account.scenarios.iter().filter(|it| account.is_idle(it)).count(), 1);
}

#[test]
fn what_an_interruption_blocked_was_not_run() {
    let mut script = Script::new(2);
    let [done, stopped] = [(1, "Done"), (5, "Stopped")].map(|(line, name)| scenario(line, name));
    script.end(&done, Verdict::Pass, "");
    script.end(&stopped, Verdict::Blocked, "interrupted");
    script.finish(true);
    let account = account(&script.events);
    assert_eq!(account.shortfall().unwrap(), "interrupted: 1 of 2 scenarios have a verdict");
}

#[test]
fn a_run_of_nothing_but_quarantine_falls_short_unless_a_change_touched_no_more() {
    let mut script = Script::new(1);
    let quarantine = farm::Quarantine {
        owner: "Ada".to_owned(),
        reason: "known".to_owned(),
        until: "2999-12-31".parse().unwrap(),
        expired: false,
    };
    script.end(&scenario(1, "Known"), Verdict::Pass, "");
    let Some(Stamped { event: FarmEvent::ScenarioFinished { quarantine: it, .. }, .. }) = script.events.last_mut()
    else {
        panic!()
    };
    *it = Some(quarantine);
    script.finish(false);
    assert!(account(&script.events).shortfall().unwrap().contains("in quarantine"));
    let FarmEvent::RunStarted { origin, .. } = &mut script.events[0].event else { panic!() };
    origin.since = Some(farm::origin::Since { rev: "main".to_owned(), left_out: 4 });
    assert_eq!(account(&script.events).shortfall(), None);
}

#[test]
fn a_feature_is_named_as_the_repositorys_root_sees_it() {
    let mut account = Account::default();
    assert_eq!(account.file("./features/a.feature"), "features/a.feature");
    account.run.origin.folder = "ml/farm/".to_owned();
    assert_eq!(account.file("features/a.feature"), "ml/farm/features/a.feature");
    assert_eq!(account.file("../shared/./a.feature"), "ml/shared/a.feature");
    assert_eq!(account.file("/x/a.feature"), "/x/a.feature");
}
