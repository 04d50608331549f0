//! What holds of every schedule, tried with random jobs, scripts, slots and interruptions.

use super::{
    super::{Scheduler, SchedulerOptions},
    mock::{Close, Infer, Mock, Open, Script, Shared},
    spec,
};
use crate::{
    FarmEvent, Fault, JobId, JobReport, JobSpec, Slots, Target, TargetError, Verdict, events::EventSink,
    target::Standing,
};
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// One job: on which target, with how many retries, and what its attempts meet.
#[derive(Debug, Clone)]
struct Plan {
    target: usize,
    retries: u32,
    attempts: Vec<Script>,
}

#[derive(Debug, Clone)]
struct Schedule {
    slots: Vec<Slots>,
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
    // Budgets are 10, 100 and 5 seconds (see `spec`).
    let seconds = |most: u64| (0..most * 1000).prop_map(Duration::from_millis);
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

fn schedule() -> impl Strategy<Value = Schedule> {
    let slots = proptest::collection::vec(prop_oneof![Just(Slots::Shared), (1..4_usize).prop_map(Slots::Own)], 1..4);
    let plan = (0..3_usize, 0..4_u32, proptest::collection::vec(script(), 0..5))
        .prop_map(|(target, retries, attempts)| Plan { target, retries, attempts });
    let interrupted_after = proptest::option::weighted(0.3, (0..400_u64).prop_map(Duration::from_secs));
    (slots, 1..4_usize, proptest::collection::vec(plan, 1..12), interrupted_after)
        .prop_map(|(slots, jobs, plans, interrupted_after)| Schedule { slots, jobs, plans, interrupted_after })
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

fn play(schedule: &Schedule) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let together = Arc::<Shared>::default();
        let mut mocks: Vec<Mock> = schedule
            .slots
            .iter()
            .enumerate()
            .map(|(index, slots)| {
                let mock = Mock::new(&format!("t{index}"), *slots);
                if *slots == Slots::Shared { mock.counting_in(&together) } else { mock }
            })
            .collect();
        let count = mocks.len();
        for (number, plan) in schedule.plans.iter().enumerate() {
            let mock = mocks.remove(plan.target % count).script(number as u64, plan.attempts.clone());
            mocks.insert(plan.target % count, mock);
        }
        let counters: Vec<_> = mocks.iter().map(|mock| mock.shared.clone()).collect();
        let targets = mocks.into_iter().map(|mock| Arc::new(mock) as Arc<dyn Target>).collect();
        let ((sink, mut events), cancel) = (EventSink::channel(), CancellationToken::new());
        let options = SchedulerOptions { jobs: schedule.jobs, prepare_timeout: Duration::from_secs(60) };
        let scheduler = Scheduler::new(targets, options, sink, cancel.clone());

        let jobs = schedule.plans.iter().enumerate().map(|(number, plan)| {
            let target = format!("t{}", plan.target % count);
            scheduler.run(JobSpec { target: target.as_str().into(), ..spec(number as u64, plan.retries) })
        });
        let interrupt = async {
            if let Some(time) = schedule.interrupted_after {
                tokio::time::sleep(time).await;
                cancel.cancel();
            }
        };
        let (results, ()) = tokio::join!(futures::future::join_all(jobs), interrupt);

        let mut finished: HashMap<JobId, Vec<Arc<JobReport>>> = HashMap::new();
        while let Ok(stamped) = events.try_recv() {
            if let FarmEvent::JobFinished { report, .. } = stamped.event {
                finished.entry(report.id).or_default().push(report);
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
            let wanted = expected_attempts(plan);
            let found: Vec<Verdict> = report.attempts.iter().map(|attempt| attempt.verdict).collect();
            if schedule.interrupted_after.is_some() && report.judgement.reason.starts_with("interrupted") {
                assert_eq!(report.judgement.verdict, Verdict::Blocked);
                // Attempts that had ended before are as they must be; the one under way was stopped.
                let ended = found.len() - usize::from(found.last() == Some(&Verdict::Blocked));
                assert_eq!(found[..ended], wanted[..ended]);
            } else {
                assert_eq!(found, wanted);
                assert_eq!(Some(&report.judgement.verdict), wanted.last());
            }
        }
        assert!(together.peak() <= schedule.jobs, "never more than the shared slots");
        for (slots, counter) in schedule.slots.iter().zip(&counters) {
            if let Slots::Own(own) = slots {
                assert!(counter.peak() <= *own, "never more than its slots");
            }
            assert_eq!(counter.alive(), 0, "every session is closed");
        }
        scheduler.shutdown().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_job_ends_with_the_one_verdict_that_its_attempts_lead_to(schedule in schedule()) {
        play(&schedule);
    }
}
