//! The session: shakes hands, keeps inferences in flight, and turns everything that goes wrong into a named error.

use super::{
    bench::Bench,
    faults,
    link::Stream,
    talk::{Talk, unexpected},
};
use crate::{
    build::{Firmware, HostRunner},
    protocol::{Kind, Reply},
};
use async_trait::async_trait;
use farm::{Footprint, Handshake, Inference, JobSpec, Session, TargetError, target::Standing};
use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// How the model gets to the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// In a LOAD frame: host and container.
    Frame,
    /// It lies beside the firmware already.
    Beside,
    /// It may lie beside the firmware; where another does, or none, it goes in a LOAD frame: firmware of the user's own.
    IfOther,
}

/// The runner that must answer.
#[derive(Debug, Clone)]
pub struct ExpectedRunner {
    /// `None`: whichever answers.
    digest: Option<String>,
    firmware: Option<Arc<Firmware>>,
}

impl ExpectedRunner {
    /// A runner of which only the build digest is known.
    pub fn with_digest(digest: impl Into<String>) -> Self {
        Self { digest: Some(digest.into()), firmware: None }
    }

    /// Whichever runner answers: firmware of the user's own, of which nobody has told a digest.
    pub fn any() -> Self {
        Self { digest: None, firmware: None }
    }
}

impl From<Arc<Firmware>> for ExpectedRunner {
    fn from(firmware: Arc<Firmware>) -> Self {
        Self { digest: Some(firmware.digest.clone()), firmware: Some(firmware) }
    }
}

impl From<Arc<HostRunner>> for ExpectedRunner {
    fn from(runner: Arc<HostRunner>) -> Self {
        Self::with_digest(runner.digest.clone())
    }
}

/// Requests that may be on their way at once: enough that neither side ever waits for the other's next word.
const WINDOW: usize = 64;
/// Bytes of requests that may be on their way at once, beyond the one that is always allowed.
const WINDOW_BYTES: usize = 1 << 20;

/// A runner that shook hands.
pub struct RunnerSession {
    talk: Talk,
    handshake: Handshake,
    output_bytes: usize,
    /// The job's time for inference.
    limit: Duration,
    pace: Pace,
}

/// How fast answers come in the current `infer`.
#[derive(Debug, Clone, Copy)]
struct Pace {
    wanted: usize,
    began: Instant,
    /// When the last answer came.
    last: Instant,
    /// The longest time without one so far.
    silence: Duration,
}

impl Pace {
    fn of(wanted: usize) -> Self {
        let now = Instant::now();
        Self { wanted, began: now, last: now, silence: Duration::ZERO }
    }

    /// An answer came.
    fn answered(&mut self) {
        let now = Instant::now();
        self.silence = self.silence.max(now - self.last);
        self.last = now;
    }

    /// Whether answers, of which `done` came, keep coming as they did before: then the runner is slow and does not hang.
    /// Over a slow link they come in bursts, with silences in between that are much longer than what one answer takes.
    fn is_kept(&self, done: u64, limit: Duration) -> bool {
        let usual = (self.last - self.began).div_f64(done.max(1) as f64);
        done > 0 && self.last.elapsed() < (usual * 10).max(self.silence * 3).max(limit / 10)
    }
}

impl fmt::Debug for RunnerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerSession").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

impl RunnerSession {
    /// Shakes hands over `link`, with `bench` behind it, and has the runner allocate the tensors of the job's model.
    ///
    /// Checks before the first inference: that it is this runner's build (where one is expected), that it holds this model, to the bit, and that
    /// its inputs and outputs have the model's sizes.
    ///
    /// Gives up at nine tenths of the job's time for opening, so that it can say what it saw.
    ///
    /// # Errors
    /// [`TargetError`]; the bench has been closed then.
    pub async fn open(
        link: impl Stream + 'static,
        bench: impl Bench + 'static,
        job: &JobSpec,
        load: Load,
        runner: ExpectedRunner,
    ) -> Result<Self, TargetError> {
        let mut talk = Talk::new(link, Box::new(bench), runner.firmware);
        let budget = job.timeouts.open.mul_f64(0.9);
        let opened = match timeout(budget, talk.shake_hands(job, load, runner.digest.as_deref())).await {
            Ok(opened) => opened,
            Err(_) => Err(talk.no_answer(budget)),
        };
        match opened {
            Ok((hello, prepared)) => {
                let handshake = talk.handshake(hello, prepared, job);
                let output_bytes = prepared.output_bytes as usize;
                Ok(Self { talk, handshake, output_bytes, limit: job.timeouts.infer, pace: Pace::of(0) })
            }
            Err(error) => {
                let error = talk.with_last_words(error);
                talk.bench.close().await;
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Session for RunnerSession {
    fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    fn footprint(&self) -> Option<Footprint> {
        self.talk.firmware.as_ref().map(|firmware| firmware.footprint)
    }

    async fn infer(
        &mut self,
        inputs: &[Vec<u8>],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Inference>, TargetError> {
        self.pace = Pace::of(inputs.len());
        let talk = &mut self.talk;
        talk.done = 0;
        let mut inferences = Vec::with_capacity(inputs.len());
        let mut due = VecDeque::new();
        let mut to_send = inputs.iter();
        let mut due_bytes = 0;
        while inferences.len() < inputs.len() {
            while due.len() < WINDOW && (due.is_empty() || due_bytes < WINDOW_BYTES) {
                let Some(input) = to_send.next() else { break };
                due.push_back((talk.request(Kind::InferRequest, input), input.len()));
                due_bytes += input.len();
            }
            let heard = match talk.link.at_hand() {
                Some(decoded) => talk.hear(decoded)?,
                None => {
                    // Told when there is time: before a wait, not once for each reply.
                    progress(inferences.len());
                    talk.wait().await?
                }
            };
            let Some((sequence, reply)) = heard else { continue };
            let Some((wanted, bytes)) = due.pop_front() else { continue };
            talk.in_order("INFER", sequence, wanted)?;
            match reply {
                Reply::Result { ticks, output } if output.len() == self.output_bytes => {
                    inferences.push(Inference { output, ticks: talk.bench.ticks(ticks) });
                    talk.done = inferences.len() as u64;
                    self.pace.answered();
                    due_bytes -= bytes;
                }
                Reply::Result { output, .. } => {
                    return Err(TargetError::Bench(format!(
                        "the runner answered sample {} with {} bytes of output; it had promised {}",
                        inferences.len(),
                        output.len(),
                        self.output_bytes
                    )));
                }
                Reply::Error(error) => return Err(faults::of_error(&error, "INFER", talk.done)),
                other => return Err(unexpected("INFER", &other)),
            }
        }
        progress(inferences.len());
        Ok(inferences)
    }

    fn log(&self) -> String {
        let mut log = self.talk.log.clone();
        let tool = self.talk.bench.log();
        if !log.is_empty() && !log.ends_with('\n') && !tool.is_empty() {
            log.push('\n');
        }
        log + &tool
    }

    fn standing(&self) -> Standing {
        let Talk { link, done, .. } = &self.talk;
        Standing { done: *done, partial: link.partial(), garbage: link.garbage().bytes }
    }

    async fn why_late(&mut self) -> Option<TargetError> {
        let (done, limit, wanted) = (self.talk.done, self.limit, self.pace.wanted);
        if let Some(how) = self.talk.bench.stopped().await {
            return Some(TargetError::Bench(format!("{how}; {done} of {wanted} inferences came within {limit:?}")));
        }
        if self.pace.is_kept(done, limit) {
            return Some(TargetError::Blocked(format!(
                "{limit:?} were too short: {done} of {wanted} inferences came, and the runner was still answering; \
                 allow more (`--timeout`, or `infer` in [timeouts]) or take fewer samples"
            )));
        }
        let found = self.talk.bench.look_into_silence().await;
        found.map(|how| TargetError::Bench(format!("{how}; {done} of {wanted} inferences came within {limit:?}")))
    }

    async fn close(self: Box<Self>) {
        self.talk.bench.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn answers_that_keep_coming_are_slow_and_a_silence_longer_than_ever_is_a_hang() {
        let limit = Duration::from_secs(100);
        let mut pace = Pace::of(1000);
        assert!(!pace.is_kept(0, limit), "nothing ever came");
        for _ in 0..20 {
            sleep(Duration::from_secs(2)).await;
            pace.answered();
        }
        // Twenty answers, 2 s each: the next may take ten times as long.
        sleep(Duration::from_secs(19)).await;
        assert!(pace.is_kept(20, limit));
        sleep(Duration::from_secs(2)).await;
        assert!(!pace.is_kept(20, limit));
        assert!(!pace.is_kept(4000, limit), "fast answers get a tenth of the time at least");
        assert!(pace.is_kept(4000, limit * 3));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_come_in_bursts_may_be_as_far_apart_as_before() {
        let mut pace = Pace::of(1000);
        for burst in 1..=3 {
            sleep(Duration::from_secs(burst)).await;
            (0..64).for_each(|_| pace.answered());
        }
        sleep(Duration::from_secs(8)).await;
        assert!(pace.is_kept(192, Duration::from_secs(14)));
        sleep(Duration::from_secs(2)).await;
        assert!(!pace.is_kept(192, Duration::from_secs(16)));
    }
}
