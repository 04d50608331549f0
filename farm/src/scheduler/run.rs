//! The scheduler: a job from its queue to its report.

use super::{
    attempt::{self, Attempt, Stop, panic_text},
    memo::{Known, Memo},
    place::Place,
};
use crate::{
    AttemptReport, Availability, EventSink, FarmEvent, JobId, JobReport, JobSpec, Judgement, Target, TargetError,
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
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Evidence that the memo holds by itself, bytes.
const KEPT: usize = 64 << 20;

/// How long a target may take to shut down.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// How the scheduler works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerOptions {
    /// How many jobs at once on all targets with shared slots; at least 1.
    pub jobs: usize,
    /// How long a target may take to prepare (build its runner or image).
    pub prepare_timeout: Duration,
}

impl Default for SchedulerOptions {
    /// As many jobs as cores; 10 minutes to prepare.
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Self { jobs, prepare_timeout: Duration::from_secs(600) }
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

struct Inner {
    targets: Vec<Arc<dyn Target>>,
    places: Vec<Place>,
    options: SchedulerOptions,
    sink: EventSink,
    cancel: CancellationToken,
    jobs: AtomicU64,
    memo: Mutex<Memo>,
    tasks: TaskTracker,
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
        Self(Arc::new(Inner {
            targets,
            places,
            options,
            sink,
            // A child: shutting down interrupts this scheduler's jobs, not whoever else listens.
            cancel: cancel.child_token(),
            jobs: AtomicU64::new(0),
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
                    let id = JobId(self.0.jobs.fetch_add(1, Ordering::Relaxed) + 1);
                    let names = Names::of(&spec);
                    let task = self.0.tasks.spawn(self.0.clone().job(id, spec));
                    let pending = async move {
                        // The task catches panics; only a runtime that is torn down ends it early.
                        task.await
                            .unwrap_or_else(|_| Arc::new(JobResult::without(names.stopped(id, &Stop::Interrupted))))
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

impl JobResult {
    /// A result without evidence.
    fn without(report: JobReport) -> Self {
        Self { report: Arc::new(report), summary: None }
    }
}

/// What a report says of its job, kept apart so that the job itself may move on.
struct Names {
    model: String,
    dataset: String,
    target: TargetId,
}

impl Names {
    fn of(spec: &JobSpec) -> Self {
        let (model, dataset) = (spec.model.name().to_owned(), spec.dataset.name().to_owned());
        Self { model, dataset, target: spec.target.clone() }
    }

    /// The report of a job that ended before its first attempt.
    fn stopped(self, id: JobId, stop: &Stop) -> JobReport {
        JobReport {
            id,
            model: self.model,
            dataset: self.dataset,
            target: self.target,
            judgement: Judgement::new(stop.verdict(), stop.reason()),
            fault: match stop {
                Stop::Target(TargetError::Fault(fault)) => Some(fault.clone()),
                _ => None,
            },
            attempts: Vec::new(),
            evidence: None,
            log: String::new(),
        }
    }
}

impl Inner {
    fn place(&self, id: &TargetId) -> Option<&Place> {
        self.places.iter().find(|place| place.info.id == *id)
    }

    fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
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
            samples: spec.dataset.len(),
        });
        let work = async {
            let report = self.work(id, &spec).await;
            let summary = report.evidence.as_ref().map(|evidence| Summary::of(&spec.model, &spec.dataset, evidence));
            JobResult { report: Arc::new(report), summary: summary.map(Arc::new) }
        };
        let result = AssertUnwindSafe(work.instrument(span.clone())).catch_unwind().await.unwrap_or_else(|panic| {
            JobResult::without(names.stopped(id, &Stop::bench(format!("the job panicked: {}", panic_text(&*panic)))))
        });
        span.in_scope(|| tracing::info!("{}", result.report.judgement));
        let result = Arc::new(result);
        self.sink.send(FarmEvent::JobFinished { report: result.report.clone(), summary: result.summary.clone() });
        self.memo().finish(key, &result);
        result
    }

    /// From the queue to the last attempt.
    async fn work(&self, id: JobId, spec: &JobSpec) -> JobReport {
        let stopped = |stop: &Stop| Names::of(spec).stopped(id, stop);
        let Some(place) = self.place(&spec.target) else {
            let mend = suggest::mend(&spec.target.0, self.places.iter().map(|place| place.info.id.0.as_str()));
            let reason = format!("there is no target `{}`: {mend}", spec.target);
            return stopped(&Stop::Target(TargetError::Blocked(reason)));
        };
        if self.cancel.is_cancelled() {
            return stopped(&Stop::Interrupted);
        }
        let ready = async {
            let tool = match place.availability().await {
                Availability::Ready { tool } => tool.clone(),
                Availability::Absent { reason } => {
                    return Err(Stop::Target(TargetError::Blocked(format!(
                        "{} is not there: {reason}",
                        place.info.id
                    ))));
                }
            };
            place.prepare(self.options.prepare_timeout, spec.retries, &self.sink, &self.cancel).await.map(|()| tool)
        };
        let tool = tokio::select! {
            biased;
            ready = ready => match ready {
                Ok(tool) => tool,
                Err(stop) => return stopped(&stop),
            },
            () = self.cancel.cancelled() => return stopped(&Stop::Interrupted),
        };

        let mut attempts: Vec<AttemptReport> = Vec::new();
        loop {
            let number = attempts.len() as u32 + 1;
            let (last, report) = self.attempt(place, &tool, spec, id, number).await;
            attempts.extend(report);
            let again =
                matches!(&last.outcome, Err(stop) if stop.verdict() == Verdict::Infra) && number <= spec.retries;
            if !again {
                return conclude(Names::of(spec), id, attempts, last);
            }
        }
    }

    /// Waits for a slot and tries once; no report where it was interrupted before it had a slot.
    async fn attempt(
        &self,
        place: &Place,
        tool: &str,
        spec: &JobSpec,
        id: JobId,
        number: u32,
    ) -> (Attempt, Option<AttemptReport>) {
        let slot = tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            slot = place.slots.acquire() => slot.ok(),
        };
        let Some(_slot) = slot else {
            return (Attempt { outcome: Err(Stop::Interrupted), log: String::new(), remark: None }, None);
        };
        self.sink.send(FarmEvent::AttemptStarted { job: id, attempt: number });
        let started = Instant::now();
        let attempt = attempt::attempt(&*place.target, tool, spec, id, &self.sink, &self.cancel).await;
        let (verdict, reason) = match &attempt.outcome {
            Ok(_) => (Verdict::Pass, String::new()),
            Err(stop) => (stop.verdict(), stop.reason()),
        };
        let reason = with_remark(reason, attempt.remark.as_deref());
        let report = AttemptReport { number, verdict, reason, took: started.elapsed() };
        tracing::debug!(attempt = number, verdict = %report.verdict, took = ?report.took, "{}", report.reason);
        self.sink.send(FarmEvent::AttemptFinished { job: id, report: report.clone() });
        (attempt, Some(report))
    }
}

fn with_remark(reason: String, remark: Option<&str>) -> String {
    match remark {
        None => reason,
        Some(remark) if reason.is_empty() => remark.to_owned(),
        Some(remark) => format!("{reason}; {remark}"),
    }
}

/// The report of a job whose last attempt was `last`.
fn conclude(names: Names, id: JobId, attempts: Vec<AttemptReport>, last: Attempt) -> JobReport {
    let (verdict, reason, fault) = match &last.outcome {
        Ok(_) => (Verdict::Pass, String::new(), None),
        Err(Stop::Target(TargetError::Fault(fault))) => (Verdict::Fail, fault.to_string(), Some(fault.clone())),
        Err(stop) => (stop.verdict(), stop.reason(), None),
    };
    // Infra reasons of the attempts before the last; an interruption while queueing is not an attempt.
    let earlier: Vec<&str> = attempts
        .iter()
        .take_while(|attempt| attempt.verdict == Verdict::Infra)
        .take(if verdict == Verdict::Infra { attempts.len() - 1 } else { attempts.len() })
        .map(|attempt| attempt.reason.as_str())
        .collect();
    let retries = match earlier.len() {
        0 => None,
        1 => Some(format!("after 1 infra retry: {}", earlier[0])),
        count => Some(format!("after {count} infra retries: {}", earlier.join("; "))),
    };
    let reason = with_remark(with_remark(reason, retries.as_deref()), last.remark.as_deref());
    JobReport {
        id,
        model: names.model,
        dataset: names.dataset,
        target: names.target,
        judgement: Judgement::new(verdict, reason),
        fault,
        attempts,
        log: last.log,
        evidence: last.outcome.ok().map(Arc::new),
    }
}
