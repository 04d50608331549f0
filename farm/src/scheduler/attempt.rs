//! One attempt of a job: open, infer, close, each with its time budget.

use super::place::Place;
use crate::{
    Digest, Evidence, FarmEvent, Fault, Footprint, Handshake, Inference, JobId, JobSpec, Provenance, Session,
    TargetError, Verdict, events::EventSink,
};
use futures::FutureExt;
use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How an attempt ended.
pub(super) struct Attempt {
    /// The evidence, or why there is none.
    pub(super) outcome: Result<Evidence, Stop>,
    /// What runner and tool wrote.
    pub(super) log: String,
    /// What went wrong beside, without a bearing on the verdict.
    pub(super) remark: Option<String>,
}

impl Attempt {
    /// One that ended before there was anything to tell of it.
    pub(super) fn without(stop: Stop) -> Self {
        Self { outcome: Err(stop), log: String::new(), remark: None }
    }

    /// One that came to no session.
    fn unopened(place: &Place, stop: Stop) -> Self {
        let log = std::panic::catch_unwind(AssertUnwindSafe(|| place.target.log_of_failure())).unwrap_or_default();
        Self { log, ..Self::without(stop) }
    }
}

/// Why there is no evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The target said why.
    Target(TargetError),
    /// Someone interrupted the run.
    Interrupted,
}

impl Stop {
    pub(super) fn bench(reason: impl Into<String>) -> Self {
        Self::Target(TargetError::Bench(reason.into()))
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Target(TargetError::Fault(_)) => Verdict::Fail,
            Self::Target(TargetError::Bench(_)) => Verdict::Infra,
            Self::Target(TargetError::Blocked(_)) | Self::Interrupted => Verdict::Blocked,
        }
    }

    /// As a target is told of it.
    pub(super) fn error(&self) -> TargetError {
        match self {
            Self::Target(error) => error.clone(),
            Self::Interrupted => TargetError::Blocked("interrupted".to_owned()),
        }
    }

    pub(super) fn reason(&self) -> String {
        match self {
            Self::Target(error) => error.to_string(),
            Self::Interrupted => "interrupted".to_owned(),
        }
    }
}

/// How long a target may build for one job: not of the job's own budget, and not for ever.
const BUILD: Duration = Duration::from_secs(900);

/// How a phase ended.
pub(super) enum Phase<T> {
    Done(Result<T, TargetError>),
    TimedOut,
    Interrupted,
}

/// Runs one phase within `limit` until it is done or `cancel` is given. A panic is the bench's fault.
pub(super) async fn phase<T>(
    what: &str,
    limit: Duration,
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, TargetError>>,
) -> Phase<T> {
    let work = AssertUnwindSafe(work).catch_unwind();
    tokio::select! {
        biased;
        done = tokio::time::timeout(limit, work) => match done {
            Ok(Ok(done)) => Phase::Done(done),
            Ok(Err(panic)) => Phase::Done(Err(TargetError::Bench(format!("{what} panicked: {}", panic_text(&*panic))))),
            Err(_) => Phase::TimedOut,
        },
        () = cancel.cancelled() => Phase::Interrupted,
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Tries `spec` once. The session is closed on every path.
pub(super) async fn attempt(
    place: &Place,
    tool: &str,
    spec: &JobSpec,
    id: JobId,
    sink: &EventSink,
    cancel: &CancellationToken,
) -> Attempt {
    match phase("building for the job", BUILD, cancel, place.target.prepare_for(spec)).await {
        Phase::Done(Ok(())) => {}
        Phase::Done(Err(error)) => return Attempt::unopened(place, Stop::Target(error)),
        Phase::TimedOut => {
            return Attempt::unopened(place, Stop::bench(format!("nothing was built for the job within {BUILD:?}")));
        }
        Phase::Interrupted => return Attempt::unopened(place, Stop::Interrupted),
    }
    let limit = spec.timeouts.open;
    let mut session = match phase("opening the target", limit, cancel, place.target.open(spec)).await {
        Phase::Done(Ok(session)) => session,
        Phase::Done(Err(error)) => return Attempt::unopened(place, Stop::Target(error)),
        Phase::TimedOut => {
            return Attempt::unopened(place, Stop::bench(format!("the target did not open within {limit:?}")));
        }
        Phase::Interrupted => return Attempt::unopened(place, Stop::Interrupted),
    };
    let result = use_session(&mut *session, spec, id, sink, cancel).await;
    let log = std::panic::catch_unwind(AssertUnwindSafe(|| session.log())).unwrap_or_default();
    let remark = close(session, spec.timeouts.close).await;
    let outcome = result.map(|(handshake, footprint, inferences)| Evidence {
        target: place.info.clone(),
        inferences,
        clock: handshake.clock,
        footprint,
        log: log.clone(),
        provenance: Provenance {
            model: spec.model.digest(),
            dataset: spec.dataset.digest(),
            runner: handshake.runner_digest.clone(),
            tflm: handshake.tflm.clone(),
            tool: tool.to_owned(),
        },
        handshake,
    });
    Attempt { outcome, log, remark }
}

type Brought = (Handshake, Option<Footprint>, Vec<Inference>);

/// Checks the model, runs every inference and checks what came back.
async fn use_session(
    session: &mut dyn Session,
    spec: &JobSpec,
    id: JobId,
    sink: &EventSink,
    cancel: &CancellationToken,
) -> Result<Brought, Stop> {
    let known = std::panic::catch_unwind(AssertUnwindSafe(|| (session.handshake().clone(), session.footprint())));
    let (handshake, footprint) =
        known.map_err(|panic| Stop::bench(format!("the session panicked: {}", panic_text(&*panic))))?;
    check_model(handshake.model, spec.model.digest())?;

    let inputs = spec.dataset.inputs();
    let (limit, samples) = (spec.timeouts.infer, inputs.len());
    let reported = Progress::new(samples);
    let progress = |done: usize| {
        if reported.is_news(done) {
            sink.send(FarmEvent::JobProgress { job: id, done });
        }
    };
    let inferences = match phase("inference", limit, cancel, session.infer(inputs, &progress)).await {
        Phase::Done(Ok(inferences)) => inferences,
        Phase::Done(Err(error)) => return Err(Stop::Target(error)),
        Phase::Interrupted => return Err(Stop::Interrupted),
        Phase::TimedOut => return Err(lateness(session, limit, samples as u64).await),
    };
    if inferences.len() != samples {
        return Err(Stop::bench(format!("{} of {samples} inferences came back", inferences.len())));
    }
    let wanted = spec.model.output_bytes();
    if let Some((sample, inference)) = inferences.iter().enumerate().find(|(_, one)| one.output.len() != wanted) {
        let found = inference.output.len();
        return Err(Stop::bench(format!("sample {sample} came back with {found} bytes of output, not {wanted}")));
    }
    Ok((handshake, footprint, inferences))
}

/// Whether the target holds the model that it should.
fn check_model(held: Digest, wanted: Digest) -> Result<(), Stop> {
    if held == wanted {
        return Ok(());
    }
    Err(Stop::bench(format!("the target holds model {}…, not {}…", held.short(), wanted.short())))
}

/// How long a session may take to say why it is late.
const POST_MORTEM: Duration = Duration::from_secs(5);

/// Whose fault it is that the time was up: what the session knows of, or a silence.
async fn lateness(session: &mut dyn Session, limit: Duration, of: u64) -> Stop {
    let asked = AssertUnwindSafe(tokio::time::timeout(POST_MORTEM, session.why_late())).catch_unwind().await;
    match asked {
        Ok(Ok(Some(error))) => Stop::Target(error),
        Ok(Ok(None) | Err(_)) => silence(session, limit, of),
        Err(panic) => Stop::bench(format!("the session panicked: {}", panic_text(&*panic))),
    }
}

/// Whose fault a silence is: the link's if it left garbage or half a frame, else the firmware's.
fn silence(session: &dyn Session, limit: Duration, of: u64) -> Stop {
    let standing = match std::panic::catch_unwind(AssertUnwindSafe(|| session.standing())) {
        Ok(standing) => standing,
        Err(panic) => return Stop::bench(format!("the session panicked: {}", panic_text(&*panic))),
    };
    let done = standing.done;
    let mut causes = Vec::new();
    if let Some((got, wanted)) = standing.partial {
        causes.push(format!("stopped half-way through a frame: {got} of {wanted} bytes"));
    }
    if standing.garbage > 0 {
        causes.push(format!("{} bytes of garbage where frames were due", standing.garbage));
    }
    if causes.is_empty() {
        return Stop::Target(Fault::Hung { after: limit, done, of }.into());
    }
    Stop::bench(format!("{}; no answer within {limit:?}, after {done} of {of} inferences", causes.join("; ")))
}

/// Closes `session`; says what went wrong with that. Past its time it is dropped, which ends what it started.
async fn close(session: Box<dyn Session>, limit: Duration) -> Option<String> {
    match tokio::time::timeout(limit, AssertUnwindSafe(session.close()).catch_unwind()).await {
        Ok(Ok(())) => None,
        Ok(Err(panic)) => Some(format!("closing the session panicked: {}", panic_text(&*panic))),
        Err(_) => Some(format!("the session did not close within {limit:?} and was dropped")),
    }
}

/// Lets through about twenty progress reports of a job, however many samples it has: a run of many jobs must not
/// drown its readers. The last one always goes through.
struct Progress {
    samples: usize,
    told: AtomicUsize,
}

impl Progress {
    fn new(samples: usize) -> Self {
        Self { samples, told: AtomicUsize::new(0) }
    }

    fn is_news(&self, done: usize) -> bool {
        let told = self.told.load(Ordering::Relaxed);
        let news = done > told && (done - told >= self.samples.div_ceil(20) || done >= self.samples);
        if news {
            self.told.store(done, Ordering::Relaxed);
        }
        news
    }
}
