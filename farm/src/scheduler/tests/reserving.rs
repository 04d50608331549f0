//! Targets that others may have, and jobs that may run on several.

use super::{
    mock::{After, Mock, Reserve},
    *,
};
use crate::{Target, TargetId};

/// A scheduler with several mock targets, each with one slot.
struct Bench {
    scheduler: Scheduler,
    shared: Vec<Arc<Shared>>,
    events: UnboundedReceiver<Stamped>,
    cancel: CancellationToken,
}

impl Bench {
    fn new(mocks: Vec<Mock>) -> Self {
        let ((sink, events), cancel) = (EventSink::channel(), CancellationToken::new());
        let shared = mocks.iter().map(|mock| mock.shared.clone()).collect();
        let options =
            SchedulerOptions { jobs: 2, prepare_timeout: 60 * SECOND, wait_timeout: 300 * SECOND, first_job: 1 };
        let targets = mocks.into_iter().map(|mock| Arc::new(mock) as Arc<dyn Target>).collect();
        Self { scheduler: Scheduler::new(targets, options, sink, cancel.clone()), shared, events, cancel }
    }

    /// What is told of waiting: for which target, and why.
    fn waits(&mut self) -> Vec<(String, String)> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .filter_map(|stamped| match stamped.event {
                FarmEvent::Waiting { target, why, .. } => Some((target.0, why)),
                _ => None,
            })
            .collect()
    }

    fn opened(&self) -> Vec<usize> {
        self.shared.iter().map(|shared| shared.opened()).collect()
    }
}

fn board(id: &str) -> Mock {
    Mock::new(id, Slots::Own(1))
}

/// A job that may run on any of `targets`.
fn any(number: u64, retries: u32, targets: &[&str]) -> JobSpec {
    let alternates = targets[1..].iter().map(|id| TargetId::from(*id)).collect();
    JobSpec { target: targets[0].into(), alternates, ..spec(number, retries) }
}

fn quarantined() -> Reserve {
    Reserve::Error(TargetError::Blocked("quarantined since 10:31: probe lost".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_for_a_target_that_another_process_has_and_its_budget_is_whole() {
    let held = board("a").reserving(vec![Reserve::After(200 * SECOND)]).script(1, vec![open(Open::After(9 * SECOND))]);
    let mut bench = Bench::new(vec![held]);
    let result = bench.scheduler.run(any(1, 0, &["a"])).await;
    assert_eq!(result.report.judgement.to_string(), "pass: waited for a, held by another process");
    assert_eq!(result.report.attempts[0].took, 9 * SECOND);
    assert_eq!(bench.waits(), [("a".to_owned(), "held by another process".to_owned())]);

    let mut bench = Bench::new(vec![board("a").reserving(vec![Reserve::After(SECOND / 2)])]);
    bench.scheduler.run(any(1, 0, &["a"])).await;
    assert_eq!(bench.waits(), [], "a short wait is no news");
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_taken_blocks_and_names_who_has_it() {
    let bench = Bench::new(vec![board("a").reserving(vec![Reserve::Never])]);
    let result = bench.scheduler.run(any(1, 2, &["a"])).await;
    let wanted = "blocked: a was not free within 300s: held by another process";
    assert_eq!(result.report.judgement.to_string(), wanted);
    assert_eq!((result.report.attempts.len(), bench.opened()), (0, vec![0]));
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_the_wait() {
    let bench = Bench::new(vec![board("a").reserving(vec![Reserve::Never])]);
    let interrupt = async {
        tokio::time::sleep(5 * SECOND).await;
        bench.cancel.cancel();
    };
    let (result, ()) = tokio::join!(bench.scheduler.run(any(1, 0, &["a"])), interrupt);
    assert_eq!(result.report.judgement.to_string(), "blocked: interrupted");
}

#[tokio::test(start_paused = true)]
async fn a_bench_that_cannot_be_reserved_is_infra_and_tried_again() {
    for script in [Reserve::Error(bench("cannot open the lock file")), Reserve::Panic] {
        let bench = Bench::new(vec![board("a").reserving(vec![script])]);
        let result = bench.scheduler.run(any(1, 1, &["a"])).await;
        let verdicts: Vec<Verdict> = result.report.attempts.iter().map(|attempt| attempt.verdict).collect();
        assert_eq!(verdicts, [Verdict::Infra, Verdict::Pass]);
        assert_eq!(bench.shared[0].told(), ["ok"], "what it did not have it need not look after");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_free_target_is_taken_and_all_are_used() {
    let slow = |mock: Mock| (0..6).fold(mock, |mock, number| mock.script(number, vec![open(Open::After(5 * SECOND))]));
    let bench = Bench::new(vec![slow(board("a")), slow(board("b")), slow(board("c"))]);
    let jobs = (0..6).map(|number| bench.scheduler.run(any(number, 0, &["a", "b", "c"])));
    let started = tokio::time::Instant::now();
    futures::future::join_all(jobs).await;
    assert_eq!(bench.opened(), [2, 2, 2]);
    assert!(started.elapsed() < 12 * SECOND, "{:?}", started.elapsed());
    assert!(bench.shared.iter().all(|shared| shared.peak() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_job_does_not_wait_for_one_that_is_taken_while_another_is_free() {
    let taken = board("a").reserving(vec![Reserve::Never, Reserve::Never]);
    let bench = Bench::new(vec![taken, board("b")]);
    let result = bench.scheduler.run(any(1, 0, &["a", "b"])).await;
    assert_eq!((result.report.judgement.to_string().as_str(), result.report.target.0.as_str()), ("pass", "b"));
    assert_eq!(result.report.evidence.as_ref().unwrap().target.id.0, "b");
}

#[tokio::test(start_paused = true)]
async fn a_simulated_board_has_a_job_only_where_no_real_one_can_however_long_that_takes() {
    let slow = |name: &str| board(name).reserving(vec![Reserve::After(5 * SECOND)]);
    let bench = Bench::new(vec![board("sim").simulated(), slow("real")]);
    let result = bench.scheduler.run(any(1, 0, &["sim", "real"])).await;
    assert_eq!((result.report.target.0.as_str(), bench.opened()), ("real", vec![0, 1]));

    let bench = Bench::new(vec![board("sim").simulated(), board("real").reserving(vec![quarantined()])]);
    let result = bench.scheduler.run(any(1, 0, &["sim", "real"])).await;
    assert_eq!((result.report.target.0.as_str(), bench.opened()), ("sim", vec![1, 0]));
}

#[tokio::test(start_paused = true)]
async fn infra_is_tried_again_on_an_equal_target_before_others_and_they_are_named() {
    let lost = |name: &str| board(name).script(1, vec![open(Open::Error(bench("probe lost")))]);
    let bench =
        Bench::new(vec![lost("a").of_kind("nucleo"), lost("b"), lost("c").of_kind("nucleo"), board("d").of_kind("x")]);
    let result = bench.scheduler.run(any(1, 3, &["a", "b", "c", "d"])).await;
    let wanted = "pass: after 3 infra retries: on a: probe lost; on c: probe lost; on b: probe lost";
    assert_eq!(result.report.judgement.to_string(), wanted);
    let ran: Vec<&str> = result.report.attempts.iter().map(|attempt| attempt.target.0.as_str()).collect();
    assert_eq!((ran, result.report.target.0.as_str()), (vec!["a", "c", "b", "d"], "d"));
    let told = |index: usize| bench.shared[index].told();
    assert_eq!((told(0), told(3)), (vec!["Bench(\"probe lost\")".to_owned()], vec!["ok".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_fail_is_never_tried_on_another_target() {
    let fault = Fault::Crash { detail: "HardFault".to_owned() };
    let bench = Bench::new(vec![board("a").script(1, vec![infer(Infer::Error(fault.into()))]), board("b")]);
    let result = bench.scheduler.run(any(1, 3, &["a", "b"])).await;
    assert_eq!(result.report.judgement.to_string(), "fail: crashed: HardFault");
    assert_eq!((bench.opened(), bench.shared[0].told().len()), (vec![1, 0], 1));
}

#[tokio::test(start_paused = true)]
async fn targets_that_cannot_be_used_are_passed_over_and_named() {
    let mut absent = board("b");
    absent.availability = Availability::Absent { reason: "unplugged".to_owned() };
    let bench = Bench::new(vec![board("a").reserving(vec![quarantined()]), absent, board("c")]);
    let result = bench.scheduler.run(any(1, 0, &["a", "b", "c"])).await;
    assert_eq!((result.report.judgement.verdict, result.report.target.0.as_str()), (Verdict::Pass, "c"));
    let reason = &result.report.judgement.reason;
    assert!(reason.starts_with("passed over: "), "{reason}");
    assert!(reason.contains("a: quarantined since 10:31: probe lost"), "{reason}");
    assert!(reason.contains("b is not there: unplugged"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn with_none_to_be_had_the_job_is_blocked_with_every_reason() {
    let mut absent = board("b");
    absent.availability = Availability::Absent { reason: "unplugged".to_owned() };
    let bench = Bench::new(vec![board("a").reserving(vec![quarantined()]), absent]);
    let result = bench.scheduler.run(any(1, 2, &["a", "b", "bb"])).await;
    let reason = &result.report.judgement.reason;
    assert_eq!((result.report.judgement.verdict, bench.opened()), (Verdict::Blocked, vec![0, 0]));
    assert!(reason.starts_with("none of its 3 targets can be used: "), "{reason}");
    for part in ["a: quarantined since 10:31", "b is not there: unplugged", "bb: there is no target `bb`"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_bench_did_stands_where_there_is_nowhere_left_to_try() {
    let lost = board("a")
        .script(1, vec![open(Open::Error(bench("probe lost")))])
        .reserving(vec![Reserve::After(Duration::ZERO), quarantined()]);
    let bench = Bench::new(vec![lost]);
    let result = bench.scheduler.run(any(1, 2, &["a"])).await;
    let wanted = "infra: probe lost; not tried again: a: quarantined since 10:31: probe lost";
    assert_eq!(result.report.judgement.to_string(), wanted);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_looks_after_itself_keeps_others_off_and_not_its_job() {
    let mending =
        board("a").script(1, vec![open(Open::Error(bench("probe lost")))]).after(vec![After::For(60 * SECOND)]);
    let bench = Bench::new(vec![mending, board("b")]);
    let started = tokio::time::Instant::now();
    let result = bench.scheduler.run(any(1, 1, &["a", "b"])).await;
    assert_eq!(result.report.judgement.to_string(), "pass: after 1 infra retry: on a: probe lost");
    assert!(started.elapsed() < 10 * SECOND, "{:?}", started.elapsed());
    assert_eq!(bench.shared[0].reserved(), 1);
    bench.scheduler.run(any(2, 0, &["a"])).await;
    assert!(started.elapsed() >= 60 * SECOND);
    assert_eq!(bench.shared[0].peak_reserved(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_hears_of_attempts_that_were_interrupted_or_panicked_and_may_itself_panic_or_hang() {
    let silent = Infer::Never(Standing::default());
    let mock = board("a").script(1, vec![open(Open::Panic), infer(silent)]).after(vec![After::Panic, After::Never]);
    let bench = Bench::new(vec![mock]);
    let interrupt = async {
        tokio::time::sleep(20 * SECOND).await;
        bench.cancel.cancel();
    };
    let (result, ()) = tokio::join!(bench.scheduler.run(any(1, 2, &["a"])), interrupt);
    let wanted = "blocked: interrupted; after 1 infra retry: opening the target panicked: open";
    assert_eq!(result.report.judgement.to_string(), wanted);
    bench.scheduler.shutdown().await;
    let told = bench.shared[0].told();
    assert_eq!(told, ["Bench(\"opening the target panicked: open\")", "Blocked(\"interrupted\")"]);
    assert_eq!(bench.shared[0].reserved(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_choice_of_targets_is_a_job_of_its_own() {
    let bench = Bench::new(vec![board("a"), board("b")]);
    let choice = bench.scheduler.run(any(1, 0, &["a", "b"])).await;
    let again = bench.scheduler.run(any(1, 0, &["a", "b"])).await;
    let named = bench.scheduler.run(any(1, 0, &["a"])).await;
    assert!(Arc::ptr_eq(&choice, &again));
    assert_ne!(choice.report.id, named.report.id);
}
