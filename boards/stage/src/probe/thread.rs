//! A probe's thread. What is asked of it goes in by a channel and comes back by another; every wait has an end. A thread
//! that does not come back from a call is left behind, and said to be.

use super::device::{Access, Device};
use farm::TargetError;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, Thread},
    time::Duration,
};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

type Job = Box<dyn FnOnce(&mut Device) + Send>;

/// What waits for a thread.
#[derive(Default)]
pub struct Jobs {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Jobs {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread that is over would never do is dropped, and with it who would answer.
    fn put(&self, job: Job) {
        let mut queue = self.queue();
        if !queue.closed {
            queue.jobs.push_back(job);
        }
    }

    /// Whether there is something to do, or nothing will come any more.
    pub(super) fn waiting(&self) -> bool {
        let queue = self.queue();
        queue.closed || !queue.jobs.is_empty()
    }

    /// The next; with `patient`, waits for it. `None`: nothing there, or nothing will come any more.
    fn next(&self, patient: bool) -> Option<Job> {
        let mut queue = self.queue();
        while patient && !queue.closed && queue.jobs.is_empty() {
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        // Nobody waits for the answers of what was left in the queue.
        if queue.closed { None } else { queue.jobs.pop_front() }
    }
}

/// The end of a thread, also by a panic: who waits for an answer, or would ask, is told at once.
struct Closing<'a>(&'a Jobs);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let unanswered = {
            let mut queue = self.0.queue();
            queue.closed = true;
            std::mem::take(&mut queue.jobs)
        };
        drop(unanswered);
    }
}

/// A board attached to by a thread of its own. Dropping this detaches as soon as the thread has done what it is at.
pub struct ProbeThread {
    board: String,
    jobs: Arc<Jobs>,
    thread: Thread,
    over: Over,
}

/// When a thread is over: its probe is free again.
#[derive(Debug, Clone)]
pub struct Over(watch::Receiver<()>);

impl Over {
    /// It, and what is to be dropped when the thread is over.
    pub(crate) fn pair() -> (watch::Sender<()>, Self) {
        let (sign_of_life, over) = watch::channel(());
        (sign_of_life, Self(over))
    }

    /// Whether it has come.
    pub fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Waits for it, no longer than `limit`. Whether it came.
    pub async fn within(&mut self, limit: Duration) -> bool {
        timeout(limit, async { while self.0.changed().await.is_ok() {} }).await.is_ok()
    }
}

impl ProbeThread {
    /// Starts a thread that opens the probe and attaches to the chip.
    ///
    /// The second value tells when the thread is over, also where this is dropped or fails.
    ///
    /// # Errors
    /// Those of [`Device::open`], and [`TargetError::Bench`] where that takes longer than `limit`.
    pub fn start(access: Access, limit: Duration) -> (Over, impl Future<Output = Result<Self, TargetError>> + Send) {
        let (sign_of_life, over) = Over::pair();
        let later = over.clone();
        let opening = async move {
            let board = access.board.clone();
            let jobs = Arc::new(Jobs::default());
            let (answer, answered) = oneshot::channel();
            let for_thread = jobs.clone();
            let spawned = thread::Builder::new().name(format!("probe {board}")).spawn(move || {
                // Dropped last, whatever happens.
                let _sign_of_life = sign_of_life;
                let _closing = Closing(&for_thread);
                match Device::open(&access) {
                    Ok(device) => {
                        let _ = answer.send(Ok(()));
                        run(device, &for_thread);
                    }
                    Err(error) => {
                        let _ = answer.send(Err(error));
                    }
                }
            });
            let spawned = spawned
                .map_err(|error| TargetError::Bench(format!("no thread for the probe could be started: {error}")))?;
            let thread = Self { board, jobs, thread: spawned.thread().clone(), over: later };
            thread.answer("attaching", limit, answered).await?;
            Ok(thread)
        };
        (over, opening)
    }

    /// Has the thread do `work` and waits for its answer.
    ///
    /// # Errors
    /// Those of `work`, and [`TargetError::Bench`] where that takes longer than `limit`: `doing` says what. The thread
    /// is left behind then.
    pub async fn call<T: Send + 'static>(
        &self,
        doing: &str,
        limit: Duration,
        work: impl FnOnce(&mut Device) -> Result<T, TargetError> + Send + 'static,
    ) -> Result<T, TargetError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |device| {
            let _ = answer.send(work(device));
        });
        self.jobs.put(job);
        self.wake();
        self.answer(doing, limit, answered).await
    }

    async fn answer<T>(
        &self,
        doing: &str,
        limit: Duration,
        answered: oneshot::Receiver<Result<T, TargetError>>,
    ) -> Result<T, TargetError> {
        match timeout(limit, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                Err(TargetError::Bench(format!("probe-rs gave up while {doing}; its message is on the console")))
            }
            Err(_) => {
                tracing::warn!(
                    board = self.board,
                    "the probe did not answer within {limit:?} while {doing}; its thread is left behind"
                );
                Err(TargetError::Bench(format!(
                    "the probe did not answer within {limit:?} while {doing}: unplug it and plug it in again"
                )))
            }
        }
    }

    /// What wakes the thread when there is something for it.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let thread = self.thread.clone();
        move || thread.unpark()
    }

    fn wake(&self) {
        self.jobs.filled.notify_one();
        self.thread.unpark();
    }

    /// Detaches and waits until the probe is free, no longer than `limit`. Whether it is.
    pub async fn end(self, limit: Duration) -> bool {
        let mut over = self.over.clone();
        drop(self);
        over.within(limit).await
    }
}

impl Drop for ProbeThread {
    fn drop(&mut self) {
        self.jobs.queue().closed = true;
        self.wake();
    }
}

impl fmt::Debug for ProbeThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeThread").field("board", &self.board).finish_non_exhaustive()
    }
}

fn run(mut device: Device, jobs: &Jobs) {
    loop {
        if device.is_linked() {
            device.serve(jobs);
        }
        match jobs.next(!device.is_linked()) {
            Some(job) => job(&mut device),
            None if jobs.queue().closed => return,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chip::Chips;
    use std::os::unix::net::UnixListener;

    #[tokio::test]
    async fn a_probe_that_never_answers_is_left_behind_and_let_go_of_when_it_ends() {
        let folder = crate::sockets::folder("tinyfarm-test-").unwrap();
        let path = folder.path().join("probe");
        let silent = UnixListener::bind(&path).unwrap();
        let access = Access {
            board: "one".to_owned(),
            selector: format!("20b7:9db1:unix:{}", path.display()),
            chip: Chips::shipped().target("sim-stm32f405").unwrap(),
        };
        let (mut over, opening) = ProbeThread::start(access, Duration::from_millis(200));
        let error = opening.await.unwrap_err().to_string();
        assert!(error.starts_with("the probe did not answer within 200ms while attaching"), "{error}");
        assert!(!over.within(Duration::from_millis(50)).await, "its thread still waits");
        // Both the listener and the connection that waits in it.
        drop(silent);
        assert!(over.within(Duration::from_secs(60)).await, "its thread did not end");
    }

    #[tokio::test]
    async fn who_asks_a_thread_that_has_ended_is_told_at_once_and_so_is_who_waits() {
        let jobs = Arc::new(Jobs::default());
        let asked = ProbeThread {
            board: "one".to_owned(),
            jobs: jobs.clone(),
            thread: thread::current(),
            over: Over::pair().1,
        };
        let never = Duration::from_secs(600);
        let waits = asked.call("waiting", never, |_| Ok(()));
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        drop(Closing(&jobs));
        let told = [waits.await.unwrap_err(), asked.call("asking", never, |_| Ok(())).await.unwrap_err()];
        let told = told.map(|error| error.to_string());
        assert!(
            told[0].starts_with("probe-rs gave up while waiting")
                && told[1].starts_with("probe-rs gave up while asking"),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn a_probe_that_nobody_serves_is_told_with_its_selector() {
        let access = Access {
            board: "one".to_owned(),
            selector: "20b7:9db1:unix:/nowhere/at/all".to_owned(),
            chip: Chips::shipped().target("sim-stm32f405").unwrap(),
        };
        let (mut over, opening) = ProbeThread::start(access, Duration::from_secs(60));
        let error = opening.await.unwrap_err().to_string();
        assert!(error.starts_with("could not reach the probe 20b7:9db1:unix:/nowhere/at/all: "), "{error}");
        assert!(error.ends_with("is it plugged in? `tinyfarm boards list` shows what is"), "{error}");
        assert!(over.within(Duration::from_secs(60)).await);
    }
}
