//! Tests of the scheduler, with targets that do what a script says. Time is paused: no test waits, none depends on speed.
#![allow(clippy::unwrap_used)]

mod laws;
mod mock;
mod reserving;

use super::*;
use crate::{
    Availability, FarmEvent, Fault, JobSpec, Slots, TargetError, Verdict,
    dataset::Truth,
    events::{EventSink, Stamped},
    target::Standing,
    testing,
};
use mock::{Close, Infer, Mock, Open, Script, Shared};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);

/// A scheduler with one mock target named `mock`.
struct Farm {
    scheduler: Scheduler,
    shared: Arc<Shared>,
    events: UnboundedReceiver<Stamped>,
    cancel: CancellationToken,
}

impl Farm {
    fn new(mock: Mock) -> Self {
        Self::keeping(64 << 20, mock)
    }

    fn keeping(bytes: usize, mock: Mock) -> Self {
        let ((sink, events), cancel, shared) = (EventSink::channel(), CancellationToken::new(), mock.shared.clone());
        let options =
            SchedulerOptions { jobs: 2, prepare_timeout: 60 * SECOND, wait_timeout: 300 * SECOND, first_job: 1 };
        let scheduler = Scheduler::keeping(bytes, vec![Arc::new(mock)], options, sink, &cancel);
        Self { scheduler, shared, events, cancel }
    }

    /// Runs one job that plays `scripts`, an attempt each.
    async fn play(scripts: Vec<Script>) -> (Self, Arc<JobResult>) {
        let mut farm = Self::new(Mock::new("mock", Slots::Shared).script(1, scripts));
        let result = farm.scheduler.run(spec(1, 2)).await;
        farm.check_events();
        assert_eq!(farm.shared.alive(), 0, "every session is closed or dropped");
        (farm, result)
    }

    fn told(&mut self) -> Vec<FarmEvent> {
        std::iter::from_fn(|| self.events.try_recv().ok()).map(|stamped| stamped.event).collect()
    }

    /// Each attempt that starts ends, and the job ends last.
    fn check_events(&mut self) {
        let told = self.told();
        let count = |wanted: fn(&FarmEvent) -> bool| told.iter().filter(|event| wanted(event)).count();
        assert!(matches!(told.first(), Some(FarmEvent::JobQueued { .. })));
        assert!(matches!(told.last(), Some(FarmEvent::JobFinished { .. })));
        assert_eq!(count(|event| matches!(event, FarmEvent::JobFinished { .. })), 1);
        let started = count(|event| matches!(event, FarmEvent::AttemptStarted { .. }));
        assert_eq!(started, count(|event| matches!(event, FarmEvent::AttemptFinished { .. })));
    }
}

/// The job number `number`: three samples, budgets of 10, 100 and 5 seconds.
fn spec(number: u64, retries: u32) -> JobSpec {
    let model = testing::model(2);
    let dataset = testing::dataset(&model, 3, Truth::Unknown);
    let timeouts = crate::Timeouts { open: 10 * SECOND, infer: 100 * SECOND, close: 5 * SECOND };
    // The arena limit tells jobs apart; the mock finds its script by it.
    JobSpec {
        model,
        dataset,
        target: "mock".into(),
        alternates: Vec::new(),
        arena_limit: Some(number),
        timeouts,
        retries,
        own_firmware: false,
        rerun: 0,
    }
}

fn open(open: Open) -> Script {
    Script { open, ..Script::default() }
}

fn infer(infer: Infer) -> Script {
    Script { infer, ..Script::default() }
}

fn close(close: Close) -> Script {
    Script { close, ..Script::default() }
}

fn bench(reason: &str) -> TargetError {
    TargetError::Bench(reason.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_job_brings_back_evidence_with_its_provenance() {
    let (farm, result) = Farm::play(vec![]).await;
    let evidence = result.report.evidence.as_ref().unwrap();
    assert_eq!(result.report.judgement, crate::Judgement::new(Verdict::Pass, ""));
    assert_eq!((evidence.inferences.len(), evidence.provenance.tool.as_str()), (3, "mock 1"));
    assert_eq!(evidence.provenance.model, spec(1, 0).model.digest());
    assert_eq!(evidence.provenance.dataset, spec(1, 0).dataset.digest());
    assert_eq!(result.summary.as_ref().unwrap().samples, 3);
    assert_eq!(result.report.log, "a log");
    assert_eq!(farm.shared.closed(), 1);
}

#[tokio::test(start_paused = true)]
async fn infra_is_retried_and_a_pass_says_so() {
    let (_, result) = Farm::play(vec![open(Open::Error(bench("the port vanished")))]).await;
    assert_eq!(result.report.judgement.to_string(), "pass: after 1 infra retry: the port vanished");
    let reasons: Vec<_> = result.report.attempts.iter().map(|attempt| (attempt.number, attempt.verdict)).collect();
    assert_eq!(reasons, [(1, Verdict::Infra), (2, Verdict::Pass)]);
}

#[tokio::test(start_paused = true)]
async fn infra_is_retried_only_so_often_and_each_reason_is_kept() {
    let scripts = ["first", "second", "third", "fourth"].map(|reason| infer(Infer::Error(bench(reason))));
    let (farm, result) = Farm::play(scripts.to_vec()).await;
    assert_eq!(result.report.judgement.to_string(), "infra: third; after 2 infra retries: first; second");
    assert_eq!((result.report.attempts.len(), farm.shared.closed()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_reason_that_comes_again_is_told_once() {
    for (reasons, wanted) in [
        (["lost", "lost", "lost"], "infra: lost; after 2 infra retries, which ended alike"),
        (["late", "late", "lost"], "infra: lost; after 2 infra retries: late"),
        (["lost", "late", "lost"], "infra: lost; after 2 infra retries: late"),
    ] {
        let (_, result) = Farm::play(reasons.map(|reason| infer(Infer::Error(bench(reason)))).to_vec()).await;
        assert_eq!(result.report.judgement.to_string(), wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_a_fail_and_never_retried() {
    let fault = Fault::Crash { detail: "signal 11".to_owned() };
    for script in [open(Open::Error(fault.clone().into())), infer(Infer::Error(fault.clone().into()))] {
        let (_, result) = Farm::play(vec![script]).await;
        assert_eq!(result.report.judgement.to_string(), "fail: crashed: signal 11");
        assert_eq!((result.report.fault.as_ref(), result.report.attempts.len()), (Some(&fault), 1));
        assert_eq!((&result.report.evidence, &result.summary), (&None, &None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_after_an_infra_retry_names_both() {
    let fault = Fault::Crash { detail: "signal 11".to_owned() };
    let (_, result) =
        Farm::play(vec![open(Open::Error(bench("the port vanished"))), open(Open::Error(fault.into()))]).await;
    let wanted = "fail: crashed: signal 11; after 1 infra retry: the port vanished";
    assert_eq!(result.report.judgement.to_string(), wanted);
}

#[tokio::test(start_paused = true)]
async fn what_is_blocked_is_not_tried_again() {
    let (_, result) = Farm::play(vec![open(Open::Error(TargetError::Blocked("no licence".to_owned())))]).await;
    assert_eq!(result.report.judgement.to_string(), "blocked: no licence");
    assert_eq!(result.report.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_open_that_takes_too_long_is_infra_and_has_its_whole_budget_again() {
    let nine = open(Open::After(9 * SECOND));
    let (_, result) = Farm::play(vec![open(Open::Never), nine]).await;
    assert_eq!(result.report.judgement.to_string(), "pass: after 1 infra retry: the target did not open within 10s");
    assert_eq!(result.report.attempts[0].took, 10 * SECOND);
    assert_eq!(result.report.attempts[1].took, 9 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_falls_silent_hangs_and_fails() {
    let (farm, result) = Farm::play(vec![infer(Infer::Never(Standing { done: 2, ..Standing::default() }))]).await;
    let wanted = "fail: hung: no answer within 100s, after 2 of 3 inferences";
    assert_eq!(result.report.judgement.to_string(), wanted);
    assert_eq!(result.report.fault, Some(Fault::Hung { after: 100 * SECOND, done: 2, of: 3 }));
    assert_eq!((farm.shared.closed(), result.report.log.as_str()), (1, "a log"));
}

#[tokio::test(start_paused = true)]
async fn a_silence_that_leaves_half_a_frame_or_garbage_is_the_links_fault() {
    let half = Infer::Never(Standing { done: 1, partial: Some((7, 20)), garbage: 0 });
    let (_, result) = Farm::play(vec![infer(half)]).await;
    assert_eq!(
        result.report.judgement.reason,
        "after 1 infra retry: stopped half-way through a frame: 7 of 20 bytes; no answer within 100s, after 1 of 3 inferences"
    );
    let garbage = Infer::Never(Standing { done: 0, partial: None, garbage: 512 });
    let (_, result) = Farm::play(vec![infer(garbage)]).await;
    assert_eq!(
        result.report.judgement.reason,
        "after 1 infra retry: 512 bytes of garbage where frames were due; no answer within 100s, after 0 of 3 inferences"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_knows_why_it_is_late_is_believed() {
    let late = |error| Farm::play(vec![infer(Infer::Late(error))]);
    let (_, result) = late(TargetError::Blocked("too many samples".to_owned())).await;
    assert_eq!(result.report.judgement.to_string(), "blocked: too many samples");
    assert_eq!(result.report.attempts.len(), 1);
    let (_, result) = late(TargetError::Bench("the emulator is stopped".to_owned())).await;
    assert_eq!(result.report.judgement.reason, "after 1 infra retry: the emulator is stopped");
}

#[tokio::test(start_paused = true)]
async fn a_panic_anywhere_is_infra_and_loses_no_job() {
    for (script, reason) in [
        (open(Open::Panic), "opening the target panicked: open"),
        (infer(Infer::Panic), "inference panicked: infer"),
        (Script { log_panics: true, ..Script::default() }, ""),
        (Script { handshake_panics: true, ..Script::default() }, "the session panicked: handshake"),
    ] {
        let (_, result) = Farm::play(vec![script]).await;
        assert_eq!(result.report.judgement.verdict, Verdict::Pass);
        assert_eq!(result.report.attempts[0].reason, reason);
    }
    let (_, result) = Farm::play(vec![close(Close::Panic)]).await;
    assert_eq!(result.report.judgement.to_string(), "pass: closing the session panicked: close");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_close_is_dropped_and_said_so() {
    let (farm, result) = Farm::play(vec![close(Close::Never)]).await;
    assert_eq!(result.report.judgement.to_string(), "pass: the session did not close within 5s and was dropped");
    assert_eq!((farm.shared.alive(), farm.shared.closed()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn evidence_that_cannot_be_right_is_infra() {
    for (script, reason) in [
        (infer(Infer::Short), "2 of 3 inferences came back"),
        (infer(Infer::WrongSize), "sample 2 came back with 5 bytes of output, not 8"),
    ] {
        let (_, result) = Farm::play(vec![script]).await;
        assert_eq!(result.report.judgement.to_string(), format!("pass: after 1 infra retry: {reason}"));
    }
    let (_, result) = Farm::play(vec![Script { stale_model: true, ..Script::default() }]).await;
    let reason = &result.report.attempts[0].reason;
    assert!(reason.starts_with("the target holds model ") && reason.contains("…, not "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn an_absent_target_blocks_with_the_reason_and_is_not_touched() {
    let mut mock = Mock::new("mock", Slots::Shared);
    mock.availability = Availability::Absent { reason: "qemu-system-arm is not on PATH".to_owned() };
    let farm = Farm::new(mock);
    let result = farm.scheduler.run(spec(1, 2)).await;
    assert_eq!(result.report.judgement.to_string(), "blocked: mock is not there: qemu-system-arm is not on PATH");
    assert_eq!((result.report.attempts.len(), farm.shared.prepared(), farm.shared.opened()), (0, 0, 0));
    farm.scheduler.run(spec(2, 2)).await;
    assert_eq!(farm.shared.asked(), 1, "availability is asked once a run");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_target_blocks_with_a_suggestion() {
    let farm = Farm::new(Mock::new("mock", Slots::Shared));
    let result = farm.scheduler.run(JobSpec { target: "mok".into(), ..spec(1, 0) }).await;
    assert_eq!(result.report.judgement.to_string(), "blocked: there is no target `mok`: did you mean `mock`?");
    assert_eq!(farm.scheduler.availability(&"mok".into()).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_target_is_prepared_once_and_its_failure_stops_every_job() {
    let mut farm = Farm::new(Mock::new("mock", Slots::Shared));
    let jobs = (0..5).map(|number| farm.scheduler.run(spec(number, 0)));
    futures::future::join_all(jobs).await;
    assert_eq!(farm.shared.prepared(), 1);
    let told = farm.told();
    assert_eq!(told.iter().filter(|event| matches!(event, FarmEvent::Preparing { .. })).count(), 1);
    assert_eq!(told.iter().filter(|event| matches!(event, FarmEvent::Prepared { error: None, .. })).count(), 1);

    let error = TargetError::Blocked("runner.cc:7: error: expected `;`".to_owned());
    let farm = Farm::new(Mock::new("mock", Slots::Shared).preparing(vec![Err(error)]));
    for number in 0..3 {
        let result = farm.scheduler.run(spec(number, 2)).await;
        assert_eq!(result.report.judgement.to_string(), "blocked: runner.cc:7: error: expected `;`");
    }
    assert_eq!((farm.shared.prepared(), farm.shared.opened()), (1, 0));

    let farm = Farm::new(Mock::new("mock", Slots::Shared).preparing(vec![Err(bench("engine busy"))]));
    assert_eq!(farm.scheduler.run(spec(1, 2)).await.report.judgement.verdict, Verdict::Pass);
    assert_eq!(farm.shared.prepared(), 2, "infra is tried again");
}

#[tokio::test(start_paused = true)]
async fn the_same_job_is_run_once_and_shared() {
    let mut farm = Farm::new(Mock::new("mock", Slots::Shared));
    let (first, second) = tokio::join!(farm.scheduler.run(spec(1, 0)), farm.scheduler.run(spec(1, 0)));
    let third = farm.scheduler.run(spec(1, 0)).await;
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&first, &third));
    let other = farm.scheduler.run(spec(2, 0)).await;
    assert_ne!(first.report.id, other.report.id);
    assert_eq!(farm.shared.opened(), 2);
    let finished = farm.told().iter().filter(|event| matches!(event, FarmEvent::JobFinished { .. })).count();
    assert_eq!(finished, 2);
}

#[tokio::test(start_paused = true)]
async fn the_memo_does_not_grow_without_bound() {
    let mut farm = Farm::keeping(10_000, Mock::new("mock", Slots::Shared));
    let held = farm.scheduler.run(spec(0, 0)).await;
    for number in 1..3000 {
        let _ = farm.scheduler.run(spec(number, 0)).await;
        farm.told();
    }
    assert!(farm.scheduler.remembered() < 1100, "{}", farm.scheduler.remembered());
    // What someone holds serves again, however old; what nobody holds is run anew.
    assert!(Arc::ptr_eq(&held, &farm.scheduler.run(spec(0, 0)).await));
    let opened = farm.shared.opened();
    farm.scheduler.run(spec(1, 0)).await;
    assert_eq!(farm.shared.opened(), opened + 1);
}

#[tokio::test(start_paused = true)]
async fn slots_bound_how_many_jobs_are_on_a_target() {
    for (slots, most) in [(Slots::Shared, 2), (Slots::Own(1), 1), (Slots::Own(3), 3), (Slots::Own(0), 1)] {
        let mut mock = Mock::new("mock", slots);
        for number in 0..12 {
            mock = mock.script(number, vec![open(Open::After(SECOND))]);
        }
        let farm = Farm::new(mock);
        futures::future::join_all((0..12).map(|number| farm.scheduler.run(spec(number, 0)))).await;
        assert_eq!(farm.shared.peak(), most, "{slots:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_blocks_the_queued_and_closes_the_running() {
    let mut mock = Mock::new("mock", Slots::Own(1));
    for number in 0..3 {
        mock = mock.script(number, vec![infer(Infer::Never(Standing::default()))]);
    }
    let mut farm = Farm::new(mock);
    let jobs = futures::future::join_all((0..3).map(|number| farm.scheduler.run(spec(number, 2))));
    let cancel = farm.cancel.clone();
    let interrupt = async {
        tokio::time::sleep(5 * SECOND).await;
        cancel.cancel();
    };
    let (results, ()) = tokio::join!(jobs, interrupt);
    for result in &results {
        assert_eq!(result.report.judgement.to_string(), "blocked: interrupted");
    }
    assert_eq!((farm.shared.opened(), farm.shared.closed(), farm.shared.alive()), (1, 1, 0));
    assert_eq!(farm.told().iter().filter(|event| matches!(event, FarmEvent::JobFinished { .. })).count(), 3);
    let late = farm.scheduler.run(spec(9, 0)).await;
    assert_eq!(late.report.judgement.to_string(), "blocked: interrupted");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_nobody_waits_for_still_ends_and_shutting_down_waits_for_it() {
    let mock = Mock::new("mock", Slots::Shared).script(1, vec![infer(Infer::Never(Standing::default()))]);
    let mut farm = Farm::new(mock);
    {
        let job = farm.scheduler.run(spec(1, 0));
        assert!(tokio::time::timeout(5 * SECOND, job).await.is_err());
    }
    assert_eq!(farm.shared.alive(), 1);
    farm.scheduler.shutdown().await;
    assert_eq!((farm.shared.alive(), farm.shared.closed(), farm.shared.shut()), (0, 1, 1));
    assert!(matches!(farm.told().last(), Some(FarmEvent::JobFinished { .. })));
    assert!(!farm.cancel.is_cancelled(), "shutting down interrupts nobody else");
}

#[tokio::test(start_paused = true)]
async fn progress_of_a_large_job_does_not_drown_its_readers() {
    let mut farm = Farm::new(Mock::new("mock", Slots::Shared));
    let model = testing::model(2);
    let dataset = testing::dataset(&model, 1001, Truth::Unknown);
    let result = farm.scheduler.run(JobSpec { model, dataset, ..spec(1, 0) }).await;
    assert_eq!(result.report.judgement.verdict, Verdict::Pass);
    let progress: Vec<usize> = farm
        .told()
        .iter()
        .filter_map(|event| match event {
            FarmEvent::JobProgress { done, .. } => Some(*done),
            _ => None,
        })
        .collect();
    assert!((10..=21).contains(&progress.len()), "{}", progress.len());
    assert_eq!(progress.last(), Some(&1001));
}
