//! The Renodes of a run. Each takes seconds to start (and 300 to 400 MB), so those that are idle are kept for the next job.

use futures::FutureExt as _;
use renode_rs::{Installation, Renode, StartOptions, process::StartError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Bytes at the end of a log by which a job knows where its own part begins.
const MARK: usize = 1024;

/// The idle Renodes; as many run as jobs do at once.
#[derive(Debug, Default)]
pub struct Pool {
    idle: Mutex<Vec<Renode>>,
}

impl Pool {
    /// One for a job: an idle one, or one that is started.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn take(self: &Arc<Self>, installation: &Installation) -> Result<Taken, StartError> {
        loop {
            let Some(renode) = self.with(Vec::pop) else { break };
            if renode.ended().now_or_never().is_none() {
                return Ok(self.taken(renode));
            }
            tracing::debug!("an idle Renode has ended: {}", renode.log());
        }
        // Its log says why a CPU halted, and nothing else does.
        let renode = installation.start(&StartOptions { show_log: true, ..StartOptions::default() }).await?;
        tracing::debug!(pid = renode.pid(), version = %renode.version(), "Renode started");
        Ok(self.taken(renode))
    }

    /// Ends those that are idle.
    pub async fn end(&self) {
        let ends = self.with(std::mem::take).into_iter().map(Renode::end);
        for ended in futures::future::join_all(ends).await {
            tracing::debug!(%ended, "Renode");
        }
    }

    fn taken(self: &Arc<Self>, renode: Renode) -> Taken {
        let log = renode.log();
        let before = log.get(log.len().saturating_sub(MARK)..).unwrap_or(&log).to_owned();
        Taken { before, renode: Some(renode), pool: self.clone() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Renode>) -> T) -> T {
        work(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A Renode that a job has for itself. Dropped, it is killed.
#[derive(Debug)]
pub struct Taken {
    /// `None` once it was given back.
    renode: Option<Renode>,
    /// The end of its log from before.
    before: String,
    pool: Arc<Pool>,
}

impl Taken {
    /// The Renode, unless it was given back.
    pub fn renode(&self) -> Option<&Renode> {
        self.renode.as_ref()
    }

    /// What it wrote since it was taken; of more than it keeps, the last.
    pub fn log(&self) -> String {
        let log = self.renode.as_ref().map(Renode::log).unwrap_or_default();
        // Nothing would be found at the end.
        let mark = Some(&self.before).filter(|before| !before.is_empty());
        match mark.and_then(|before| log.rfind(before.as_str())) {
            Some(at) => log[at + self.before.len()..].to_owned(),
            None => log,
        }
    }

    /// Gives it back for the next job: it must be as it was.
    pub fn give_back(mut self) {
        if let Some(renode) = self.renode.take() {
            self.pool.with(|idle| idle.push(renode));
        }
    }

    /// Ends it.
    pub async fn end(mut self) {
        if let Some(renode) = self.renode.take() {
            let ended = renode.end().await;
            tracing::debug!(%ended, "Renode");
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Killed at once; that may wait for the process, which is no work for the executor.
        if let (Some(renode), Ok(runtime)) = (self.renode.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(renode));
        }
    }
}
