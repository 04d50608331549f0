//! What holds of every schedule, tried with random jobs, scripts, slots and interruptions.

use super::{
    super::{Scheduler, SchedulerOptions},
    mock::{After, Close, Infer, Mock, Open, Reserve, Script, Scripts, Shared},
    spec,
};
use crate::{
    FarmEvent, Fault, JobId, JobReport, JobSpec, Slots, Target, TargetError, TargetId, Verdict, events::EventSink,
    target::Standing,
};
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// One job: on which targets, with how many retries, and what its attempts meet.
#[derive(Debug, Clone)]
struct Plan {
    target: usize,
    alternates: Vec<usize>,
    retries: u32,
    attempts: Vec<Script>,
}

/// One target, and what those meet who want it.
#[derive(Debug, Clone)]
struct Place {
    slots: Slots,
    reserving: Vec<Reserve>,
    after: Vec<After>,
}

#[derive(Debug, Clone)]
struct Schedule {
    places: Vec<Place>,
    jobs: usize,
    plans: Vec<Plan>,
    interrupted_after: Option<Duration>,
}

fn error() -> impl Strategy<Value = TargetError> {
    prop_oneof![
        Just(TargetError::Bench("bench".to_owned())),
        Just(TargetError::Blocked("blocked".to_owned())),
        Just(TargetError::Fault(Fault::Crash { detail: "crash".to_owned() })),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    // Budgets are 10, 100 and 5 seconds (see `spec`); an odd time never ends with one.
    let seconds = |most: u64| (0..most * 1000).prop_map(|time| Duration::from_millis(time | 1));
    let open = prop_oneof![
        6 => seconds(20).prop_map(Open::After),
        1 => Just(Open::Never),
        1 => error().prop_map(Open::Error),
        1 => Just(Open::Panic),
    ];
    let standing = (0..3_u64, proptest::option::of(Just((7, 20))), prop_oneof![Just(0), Just(9)])
        .prop_map(|(done, partial, garbage)| Standing { done, partial, garbage });
    let infer = prop_oneof![
        6 => seconds(200).prop_map(Infer::After),
        2 => standing.prop_map(Infer::Never),
        1 => error().prop_map(Infer::Error),
        1 => error().prop_map(Infer::Late),
        1 => Just(Infer::Panic),
        1 => Just(Infer::Short),
        1 => Just(Infer::WrongSize),
    ];
    let close = prop_oneof![4 => seconds(10).prop_map(Close::After), 1 => Just(Close::Never), 1 => Just(Close::Panic)];
    (open, infer, close, proptest::bool::weighted(0.1)).prop_map(|(open, infer, close, stale_model)| Script {
        open,
        infer,
        close,
        stale_model,
        ..Script::default()
    })
}

fn place() -> impl Strategy<Value = Place> {
    // One is given up after 300 seconds (see `play`).
    let reserve = prop_oneof![
        6 => Just(Reserve::After(Duration::ZERO)),
        4 => (0..400_u64).prop_map(|time| Reserve::After(Duration::from_secs(time))),
        1 => Just(Reserve::Never),
        1 => Just(Reserve::Error(TargetError::Blocked("quarantined".to_owned()))),
    ];
    let after = prop_oneof![
        6 => (0..60_u64).prop_map(|time| After::For(Duration::from_secs(time))),
        1 => Just(After::Never),
        1 => Just(After::Panic),
    ];
    let slots = prop_oneof![Just(Slots::Shared), Just(Slots::Own(1)), (1..4_usize).prop_map(Slots::Own)];
    (slots, proptest::collection::vec(reserve, 0..4), proptest::collection::vec(after, 0..4))
        .prop_map(|(slots, reserving, after)| Place { slots, reserving, after })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let places = proptest::collection::vec(place(), 1..4);
    let alternates = proptest::collection::vec(0..3_usize, 0..3);
    let plan = (0..3_usize, alternates, 0..4_u32, proptest::collection::vec(script(), 0..5))
        .prop_map(|(target, alternates, retries, attempts)| Plan { target, alternates, retries, attempts });
    let interrupted_after = proptest::option::weighted(0.3, (0..400_u64).prop_map(Duration::from_secs));
    (places, 1..4_usize, proptest::collection::vec(plan, 1..12), interrupted_after)
        .prop_map(|(places, jobs, plans, interrupted_after)| Schedule { places, jobs, plans, interrupted_after })
}

/// What an attempt must end with.
fn expected(script: &Script) -> Verdict {
    let of = |error: &TargetError| match error {
        TargetError::Fault(_) => Verdict::Fail,
        TargetError::Bench(_) => Verdict::Infra,
        TargetError::Blocked(_) => Verdict::Blocked,
    };
    match &script.open {
        Open::Error(error) => return of(error),
        Open::Never | Open::Panic => return Verdict::Infra,
        Open::After(time) if *time >= Duration::from_secs(10) => return Verdict::Infra,
        Open::After(_) if script.stale_model => return Verdict::Infra,
        Open::After(_) => (),
    }
    match &script.infer {
        Infer::Error(error) | Infer::Late(error) => of(error),
        Infer::Panic | Infer::Short | Infer::WrongSize => Verdict::Infra,
        Infer::Never(standing) if standing.garbage > 0 || standing.partial.is_some() => Verdict::Infra,
        Infer::Never(_) => Verdict::Fail,
        Infer::After(time) if *time >= Duration::from_secs(100) => Verdict::Fail,
        Infer::After(_) => Verdict::Pass,
    }
}

/// The verdicts of the attempts that a job must have, uninterrupted.
fn expected_attempts(plan: &Plan) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for attempt in 0..=plan.retries as usize {
        let verdict = expected(plan.attempts.get(attempt).unwrap_or(&Script::default()));
        verdicts.push(verdict);
        if verdict != Verdict::Infra {
            break;
        }
    }
    verdicts
}

/// What a job's attempts must be, given where it might run.
fn check_attempts(schedule: &Schedule, plan: &Plan, report: &JobReport, candidates: &[TargetId]) {
    let wanted = expected_attempts(plan);
    let found: Vec<Verdict> = report.attempts.iter().map(|attempt| attempt.verdict).collect();
    let verdict = report.judgement.verdict;
    if schedule.interrupted_after.is_some() && report.judgement.reason.starts_with("interrupted") {
        assert_eq!(verdict, Verdict::Blocked);
        // Attempts that had ended before are as they must be; the one under way was stopped.
        let ended = found.len() - usize::from(found.last() == Some(&Verdict::Blocked));
        assert_eq!(found[..ended], wanted[..ended]);
    } else if found.is_empty() {
        assert_eq!(verdict, Verdict::Blocked, "it could have none of its targets");
    } else {
        assert_eq!(found, wanted[..found.len()], "a fail is never tried again");
        assert_eq!(Some(&verdict), found.last());
        let given_up = report.judgement.reason.contains("not tried again: ");
        assert_eq!(found.len() < wanted.len(), given_up, "fewer attempts only where no target was to be had");
    }
    for (index, attempt) in report.attempts.iter().enumerate() {
        assert!(candidates.contains(&attempt.target), "never where it may not");
        let tried: Vec<&TargetId> = report.attempts[..index].iter().map(|attempt| &attempt.target).collect();
        let blocked = schedule.places.iter().any(|place| !place.reserving.is_empty());
        let untried = candidates.iter().any(|candidate| !tried.contains(&candidate));
        assert!(!tried.contains(&&attempt.target) || !untried || blocked, "what has not been tried comes first");
    }
    assert_eq!(Some(&report.target), report.attempts.last().map(|attempt| &attempt.target).or(candidates.first()));
}

fn play(schedule: &Schedule) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (together, scripts) = (Arc::<Shared>::default(), Scripts::default());
        for (number, plan) in schedule.plans.iter().enumerate() {
            scripts.lock().unwrap().insert(number as u64, plan.attempts.iter().rev().cloned().collect());
        }
        let mocks = schedule.places.iter().enumerate().map(|(index, place)| {
            let mock = Mock::new(&format!("t{index}"), place.slots);
            let mock = mock.reserving(place.reserving.clone()).after(place.after.clone());
            let mock = mock.playing(&scripts);
            if place.slots == Slots::Shared { mock.counting_in(&together) } else { mock }
        });
        let mocks: Vec<Mock> = mocks.collect();
        let count = mocks.len();
        let counters: Vec<_> = mocks.iter().map(|mock| mock.shared.clone()).collect();
        let targets = mocks.into_iter().map(|mock| Arc::new(mock) as Arc<dyn Target>).collect();
        let ((sink, mut events), cancel) = (EventSink::channel(), CancellationToken::new());
        let (prepare_timeout, wait_timeout) = (Duration::from_secs(60), Duration::from_secs(300));
        let options = SchedulerOptions { jobs: schedule.jobs, prepare_timeout, wait_timeout, first_job: 1 };
        let scheduler = Scheduler::new(targets, options, sink, cancel.clone());

        let id = |target: usize| TargetId(format!("t{}", target % count));
        let jobs = schedule.plans.iter().enumerate().map(|(number, plan)| {
            let alternates = plan.alternates.iter().map(|target| id(*target)).collect();
            scheduler.run(JobSpec { target: id(plan.target), alternates, ..spec(number as u64, plan.retries) })
        });
        let interrupt = async {
            if let Some(time) = schedule.interrupted_after {
                tokio::time::sleep(time).await;
                cancel.cancel();
            }
        };
        let (results, ()) = tokio::join!(futures::future::join_all(jobs), interrupt);

        let mut finished: HashMap<JobId, Vec<Arc<JobReport>>> = HashMap::new();
        let mut tried = 0;
        while let Ok(stamped) = events.try_recv() {
            match stamped.event {
                FarmEvent::JobFinished { report, .. } => finished.entry(report.id).or_default().push(report),
                FarmEvent::AttemptFinished { .. } => tried += 1,
                _ => (),
            }
        }
        assert_eq!(finished.len(), results.len(), "every job ends");
        for (plan, result) in schedule.plans.iter().zip(&results) {
            let report = &result.report;
            assert_eq!(finished[&report.id].len(), 1, "exactly once");
            assert_eq!(finished[&report.id][0], *report);
            assert_eq!(
                report.evidence.is_some(),
                report.judgement.verdict == Verdict::Pass,
                "no output is never a pass"
            );
            assert_eq!(result.summary.is_some(), report.evidence.is_some());
            let mut candidates: Vec<TargetId> = vec![id(plan.target)];
            for alternate in &plan.alternates {
                if !candidates.contains(&id(*alternate)) {
                    candidates.push(id(*alternate));
                }
            }
            check_attempts(schedule, plan, report, &candidates);
        }
        scheduler.shutdown().await;
        assert!(together.peak() <= schedule.jobs, "never more than the shared slots");
        for (place, counter) in schedule.places.iter().zip(&counters) {
            if let Slots::Own(own) = place.slots {
                assert!(counter.peak() <= own && counter.peak_reserved() <= own, "never more than its slots");
            }
            assert_eq!(
                (counter.alive(), counter.reserved()),
                (0, 0),
                "every session is closed, every lease given back"
            );
        }
        let told: usize = counters.iter().map(|counter| counter.told().len()).sum();
        assert_eq!(told, tried, "every target hears of every attempt");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_job_ends_with_the_one_verdict_that_its_attempts_lead_to(schedule in schedule()) {
        play(&schedule);
    }
}
