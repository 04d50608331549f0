//! What stands behind a session on a Renode platform: a Renode that the job has for itself.

use super::{machine, pool::Taken};
use crate::ending::tail;
use async_trait::async_trait;
use farm::{Clock, TargetError};
use firmware::{Bench, Firmware, process::is_stopped, protocol::Hello};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a Renode whose UART has ended may take to end itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take to tell what its CPU is at.
const LOOK: Duration = Duration::from_secs(3);
/// How long it may take to clear the emulation; it takes 0.1 s.
const CLEAR: Duration = Duration::from_secs(10);

/// A Renode with a job's machine.
#[derive(Debug)]
pub struct RenodeBench {
    /// `None` once it was given back.
    taken: Option<Taken>,
    firmware: Arc<Firmware>,
}

impl RenodeBench {
    /// The bench of a Renode that runs `firmware`.
    pub fn new(taken: Taken, firmware: Arc<Firmware>) -> Self {
        Self { taken: Some(taken), firmware }
    }

    fn renode(&self) -> Option<&renode_rs::Renode> {
        self.taken.as_ref()?.renode()
    }
}

#[async_trait]
impl Bench for RenodeBench {
    /// The platform's timers tick once an instruction.
    fn clock(&self, _: &Hello) -> Clock {
        Clock::RenodeVirtual
    }

    async fn why_ended(&mut self) -> Option<TargetError> {
        let renode = self.renode()?;
        let Ok(exit) = timeout(PATIENCE, renode.ended()).await else {
            return Some(TargetError::Bench("Renode runs on, but the guest's UART has ended".to_owned()));
        };
        let log = tail(&self.log());
        let log = if log.is_empty() { log } else { format!(": {log}") };
        Some(TargetError::Bench(format!("Renode ended ({exit}){log}")))
    }

    async fn stopped(&mut self) -> Option<String> {
        let pid = self.renode()?.pid()?;
        is_stopped(pid).then(|| format!("somebody stopped Renode (process {pid})"))
    }

    async fn look_into_silence(&mut self) -> Option<String> {
        let renode = self.renode()?;
        Some(match timeout(LOOK, machine::look(renode, &self.firmware)).await {
            Ok(Ok(words)) => words,
            Ok(Err(error)) => format!("Renode does not tell what its CPU is at: {error}"),
            Err(_) => format!("Renode did not tell within {LOOK:?} what its CPU is at"),
        })
    }

    fn log(&self) -> String {
        self.taken.as_ref().map(Taken::log).unwrap_or_default()
    }

    async fn close(mut self: Box<Self>) {
        let Some(taken) = self.taken.take() else { return };
        let Some(renode) = taken.renode() else { return };
        match timeout(CLEAR, machine::clear(renode)).await {
            Ok(Ok(())) => taken.give_back(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "Renode is not fit for another job");
                taken.end().await;
            }
            // It does not listen to requests.
            Err(_) => drop(taken),
        }
    }
}
