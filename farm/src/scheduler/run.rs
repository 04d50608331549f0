//! The scheduler: a job from its queue to its report.

use super::{
    attempt::{self, Attempt, Stop, panic_text},
    claim::{Claim, NoClaim, Passed, none_left},
    memo::{Known, Memo},
    place::Place,
    report::{Course, Names, with_remark},
};
use crate::{
    AttemptReport, Availability, EventSink, FarmEvent, JobId, JobReport, JobSpec, Reservation, Target, TargetError,
    TargetId, Verdict, metrics::Summary, suggest,
};
use futures::{FutureExt, future::join_all};
use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Evidence that the memo holds by itself, bytes.
const KEPT: usize = 64 << 20;

/// How long a target may take to shut down.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// How long a target may take to look after itself once an attempt has ended.
const AFTER_LIMIT: Duration = Duration::from_secs(600);

/// How long it may go on with that once the run has ended or was interrupted.
const AFTER_GRACE: Duration = Duration::from_secs(30);

/// How the scheduler works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerOptions {
    /// How many jobs at once on all targets with shared slots; at least 1.
    pub jobs: usize,
    /// How long a target may take to prepare (build its runner or image).
    pub prepare_timeout: Duration,
    /// How long an attempt waits for a target that another process has.
    pub wait_timeout: Duration,
    /// The number of the first job: more than 1 where a run goes on that was cut short.
    pub first_job: u64,
}

impl Default for SchedulerOptions {
    /// As many jobs as cores; 10 minutes to prepare, 10 minutes to wait; jobs are numbered from 1.
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let ten_minutes = Duration::from_secs(600);
        Self { jobs, prepare_timeout: ten_minutes, wait_timeout: ten_minutes, first_job: 1 }
    }
}

/// What a job ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct JobResult {
    /// How it ended; the evidence is inside.
    pub report: Arc<JobReport>,
    /// The figures drawn from its evidence; `Some` exactly where there is evidence.
    pub summary: Option<Arc<Summary>>,
}

/// Runs jobs on targets. Cheap to clone; must be used within a tokio runtime.
#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

pub(super) struct Inner {
    targets: Vec<Arc<dyn Target>>,
    places: Vec<Place>,
    pub(super) options: SchedulerOptions,
    pub(super) sink: EventSink,
    pub(super) cancel: CancellationToken,
    /// The next job's number.
    jobs: AtomicU64,
    memo: Mutex<Memo>,
    pub(super) tasks: TaskTracker,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("targets", &self.0.targets).field("options", &self.0.options).finish()
    }
}

impl Scheduler {
    /// A scheduler for `targets`; news goes to `sink`, and `cancel` interrupts every job.
    pub fn new(
        targets: Vec<Arc<dyn Target>>,
        options: SchedulerOptions,
        sink: EventSink,
        cancel: CancellationToken,
    ) -> Self {
        Self::keeping(KEPT, targets, options, sink, &cancel)
    }

    /// As `new`, with another bound on the evidence that is kept.
    pub(super) fn keeping(
        bytes: usize,
        targets: Vec<Arc<dyn Target>>,
        options: SchedulerOptions,
        sink: EventSink,
        cancel: &CancellationToken,
    ) -> Self {
        let shared = Arc::new(Semaphore::new(options.jobs.clamp(1, Semaphore::MAX_PERMITS)));
        let places = targets.iter().map(|target| Place::new(target.clone(), &shared)).collect();
        let jobs = AtomicU64::new(options.first_job);
        Self(Arc::new(Inner {
            targets,
            places,
            options,
            sink,
            // A child: shutting down interrupts this scheduler's jobs, not whoever else listens.
            cancel: cancel.child_token(),
            jobs,
            memo: Mutex::new(Memo::new(bytes)),
            tasks: TaskTracker::new(),
        }))
    }

    /// The targets, in the order given.
    pub fn targets(&self) -> &[Arc<dyn Target>] {
        &self.0.targets
    }

    /// Whether a target can be used; asked once a run. `None`: there is no such target.
    pub async fn availability(&self, id: &TargetId) -> Option<Availability> {
        Some(self.0.place(id)?.availability().await.clone())
    }

    /// Runs a job, or waits for the one that was already asked for, and answers how it ended. Never fails: what goes
    /// wrong is in the report.
    pub async fn run(&self, spec: JobSpec) -> Arc<JobResult> {
        let key = spec.key();
        // In a block, so that the lock is not held while waiting.
        let known = {
            let mut memo = self.0.memo();
            match memo.get(&key) {
                Some(known) => known,
                None => {
                    let id = JobId(self.0.jobs.fetch_add(1, Ordering::Relaxed));
                    let (names, inner) = (Names::of(&spec), self.0.clone());
                    let task = self.0.tasks.spawn(self.0.clone().job(id, spec));
                    let pending = async move {
                        // The task catches panics; only a runtime that is torn down ends it early.
                        task.await.unwrap_or_else(|_| Arc::new(inner.stopped(names, id, Stop::Interrupted)))
                    };
                    let pending = pending.boxed().shared();
                    memo.start(key, pending.clone());
                    Known::Pending(pending)
                }
            }
        };
        match known {
            Known::Done(result) => result,
            Known::Pending(pending) => pending.await,
        }
    }

    /// Interrupts the jobs that are left, waits until their sessions are closed and shuts the targets down.
    pub async fn shutdown(&self) {
        self.0.cancel.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        join_all(self.0.places.iter().map(|place| place.shutdown(SHUTDOWN_LIMIT))).await;
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.0.memo().len()
    }
}

impl Inner {
    pub(super) fn place(&self, id: &TargetId) -> Option<&Place> {
        self.places.iter().find(|place| place.info.id == *id)
    }

    fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of a job that ended before its first attempt.
    fn stopped(&self, names: Names, id: JobId, stop: Stop) -> JobResult {
        let report = self.conclude(names, id, Course::default(), Attempt::without(stop));
        JobResult { report: Arc::new(report), summary: None }
    }

    /// A job's whole life. Whatever panics on the way, it ends with one report.
    async fn job(self: Arc<Self>, id: JobId, spec: JobSpec) -> Arc<JobResult> {
        let (key, names) = (spec.key(), Names::of(&spec));
        let span =
            tracing::info_span!("job", id = id.0, model = names.model, dataset = names.dataset, target = %names.target);
        self.sink.send(FarmEvent::JobQueued {
            job: id,
            model: names.model.clone(),
            dataset: names.dataset.clone(),
            target: names.target.clone(),
            alternates: spec.alternates.clone(),
            samples: spec.dataset.len(),
        });
        let work = async {
            let report = self.work(id, &spec).await;
            let summary = report.evidence.as_ref().map(|evidence| Summary::of(&spec.model, &spec.dataset, evidence));
            JobResult { report: Arc::new(report), summary: summary.map(Arc::new) }
        };
        let result = AssertUnwindSafe(work.instrument(span.clone())).catch_unwind().await.unwrap_or_else(|panic| {
            self.stopped(names, id, Stop::bench(format!("the job panicked: {}", panic_text(&*panic))))
        });
        span.in_scope(|| tracing::info!("{}", result.report.judgement));
        let result = Arc::new(result);
        self.sink.send(FarmEvent::JobFinished { report: result.report.clone(), summary: result.summary.clone() });
        self.memo().finish(key, &result);
        result
    }

    /// From the queue to the last attempt.
    async fn work(&self, id: JobId, spec: &JobSpec) -> JobReport {
        let mut course = Course::default();
        let mut candidates: Vec<&Place> = Vec::new();
        for wanted in std::iter::once(&spec.target).chain(&spec.alternates) {
            match self.place(wanted) {
                Some(place) if candidates.iter().all(|known| known.info.id != place.info.id) => candidates.push(place),
                Some(_) => (),
                None => {
                    let mend = suggest::mend(&wanted.0, self.places.iter().map(|place| place.info.id.0.as_str()));
                    let error = TargetError::Blocked(format!("there is no target `{wanted}`: {mend}"));
                    course.passed.push(Passed {
                        target: wanted.clone(),
                        label: wanted.to_string(),
                        stop: Stop::Target(error),
                    });
                }
            }
        }
        let mut failed: Option<&Place> = None;
        let mut last = Attempt::without(Stop::Interrupted);
        loop {
            let pools = pools(&candidates, &course.attempts, failed);
            let mut claim = match self.claim(id, spec.retries, &pools, &mut course.passed).await {
                Ok(claim) => claim,
                // What the bench did stands; that there is nowhere to try again is said beside.
                Err(NoClaim::AllPassed) if failed.is_some() => {
                    let words: Vec<String> = course.passed.drain(..).map(|passed| passed.words()).collect();
                    let words = format!("not tried again: {}", words.join("; "));
                    last.remark = Some(with_remark(last.remark.take().unwrap_or_default(), Some(&words)));
                    return self.conclude(Names::of(spec), id, course, last);
                }
                Err(NoClaim::AllPassed) => {
                    let stop = none_left(&course.passed);
                    return self.conclude(Names::of(spec), id, course, Attempt::without(stop));
                }
                Err(NoClaim::Stop(stop)) => {
                    return self.conclude(Names::of(spec), id, course, Attempt::without(stop));
                }
            };
            let place = claim.place;
            course.waited.extend(claim.waited.take());
            let number = course.attempts.len() as u32 + 1;
            let (attempt, report) = self.attempt(claim, spec, id, number).await;
            course.attempts.push(report);
            last = attempt;
            let infra = matches!(&last.outcome, Err(stop) if stop.verdict() == Verdict::Infra);
            if !infra || number > spec.retries {
                return self.conclude(Names::of(spec), id, course, last);
            }
            failed = Some(place);
        }
    }

    /// Tries once, where `claim` says, and gives the target back.
    async fn attempt(&self, claim: Claim<'_>, spec: &JobSpec, id: JobId, number: u32) -> (Attempt, AttemptReport) {
        let Claim { place, tool, slot, reservation, waited: _ } = claim;
        let target = place.info.id.clone();
        self.sink.send(FarmEvent::AttemptStarted { job: id, attempt: number, target: target.clone() });
        let started = Instant::now();
        let (attempt, reservation) = match reservation {
            Err(error) => (Attempt::without(Stop::Target(error)), None),
            Ok(reservation) => {
                let attempt = attempt::attempt(place, &tool, spec, id, &self.sink, &self.cancel);
                let attempt = AssertUnwindSafe(attempt).catch_unwind().await.unwrap_or_else(|panic| {
                    Attempt::without(Stop::bench(format!("the attempt panicked: {}", panic_text(&*panic))))
                });
                (attempt, Some(reservation))
            }
        };
        let (verdict, reason) = match &attempt.outcome {
            Ok(_) => (Verdict::Pass, String::new()),
            Err(stop) => (stop.verdict(), stop.reason()),
        };
        let reason = with_remark(reason, attempt.remark.as_deref());
        let report = AttemptReport { number, target, verdict, reason, took: started.elapsed() };
        tracing::debug!(attempt = number, target = %report.target, verdict = %report.verdict, took = ?report.took, "{}", report.reason);
        self.sink.send(FarmEvent::AttemptFinished { job: id, report: report.clone() });
        if let Some(reservation) = reservation {
            let outcome = attempt.outcome.as_ref().map(|_| ()).map_err(Stop::error);
            self.give_back(place, outcome, (reservation, slot));
        }
        (attempt, report)
    }

    /// Lets the target look after itself, and then others have it. What that takes, the job does not wait for: it may be
    /// tried elsewhere meanwhile.
    fn give_back(&self, place: &Place, outcome: Result<(), TargetError>, held: (Reservation, OwnedSemaphorePermit)) {
        let (target, cancel) = (place.target.clone(), self.cancel.clone());
        let mut after = async move {
            let id = &target.info().id;
            let work = AssertUnwindSafe(target.after(outcome.as_ref().copied())).catch_unwind();
            let grace = async {
                cancel.cancelled().await;
                tokio::time::sleep(AFTER_GRACE).await;
            };
            tokio::select! {
                biased;
                done = work => if let Err(panic) = done {
                    tracing::warn!(target = %id, "looking after itself, it panicked: {}", panic_text(&*panic));
                },
                () = tokio::time::sleep(AFTER_LIMIT) => tracing::warn!(target = %id, "looking after itself took longer than {AFTER_LIMIT:?}"),
                () = grace => tracing::warn!(target = %id, "the run ended while it looked after itself"),
            }
            // The reservation first: whoever gets the slot is to find the target free.
            let (reservation, slot) = held;
            drop(reservation);
            drop(slot);
        }
        .boxed();
        // Most targets have nothing to do here, and need no task for it.
        if (&mut after).now_or_never().is_none() {
            self.tasks.spawn(after);
        }
    }
}

/// Where the next attempt may go: those that have not been tried first, of them the equals of the one that `failed` first.
/// A simulated board has a job only where no real one can: it is ready sooner, and tells less.
fn pools<'a>(candidates: &[&'a Place], attempts: &[AttemptReport], failed: Option<&Place>) -> [Vec<&'a Place>; 3] {
    let tried = |place: &&Place| attempts.iter().any(|attempt| attempt.target == place.info.id);
    let (again, mut fresh): (Vec<&Place>, Vec<&Place>) = candidates.iter().copied().partition(tried);
    // Stable: otherwise in the order given.
    fresh.sort_by_key(|place| !failed.is_some_and(|failed| place.info.equals(&failed.info)));
    let (simulated, real) = fresh.into_iter().partition(|place| place.info.simulated);
    [real, simulated, again]
}
