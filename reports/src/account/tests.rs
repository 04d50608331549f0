//! What is kept of a run.

#![allow(clippy::unwrap_used)]

use super::{job::Histogram, *};
use crate::script;

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
