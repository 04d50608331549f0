//! How a Renode ended, and ending one: first it is asked to, then it is told to, then it is killed.

use super::{Renode, body::Body};
use std::{
    fmt,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How long when it could not be asked: it may be about to end.
const NOT_ASKED: Duration = Duration::from_secs(1);
/// How long after SIGTERM, at most.
const TOLD: Duration = Duration::from_secs(3);
/// How long after SIGKILL; more means that the kernel does not let go of it.
const KILLED: Duration = Duration::from_secs(10);

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Its exit code; 0 when it was asked to end. (A script around Renode, or a container, shows 128 + n for signal n.)
    Code(i32),
    /// The signal that ended it.
    Signal(i32),
    /// Somebody else took the exit status.
    Unknown,
}

/// What ended a Renode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// It had ended before: it crashed, or somebody else ended it.
    Itself,
    /// The robot server's `stop_remote_server`.
    Request,
    /// SIGTERM: it did not heed the request.
    Termination,
    /// SIGKILL: it did not heed SIGTERM.
    Kill,
}

/// How a Renode ended; see [`Renode::end`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The end of the process.
    pub exit: Exit,
    /// What ended it.
    pub by: EndedBy,
}

impl Exit {
    /// Whether it ended with exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        status.code().map(Self::Code).or(status.signal().map(Self::Signal)).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
            Self::Unknown => write!(formatter, "unknown exit status"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            EndedBy::Itself => "by itself",
            EndedBy::Request => "when asked to",
            EndedBy::Termination => "by SIGTERM",
            EndedBy::Kill => "by SIGKILL",
        };
        write!(formatter, "{}, {by}", self.exit)
    }
}

impl Renode {
    /// Ends it, with all that it started: by `stop_remote_server` (which takes effect after the keyword under way), else,
    /// after [`StartOptions::grace`](super::StartOptions::grace), by SIGTERM, else, after as long or 3 s, by SIGKILL. Then its
    /// folder is removed. Cancelled, it is killed. (One that answers the request and does not end has the grace twice.)
    ///
    /// `stop_remote_server` was seen to end Renode 1.16.1 with exit code 0 in 0.1 s to 0.5 s, and SIGTERM in 20 ms.
    pub async fn end(self) -> Ended {
        if let Some(exit) = self.body.exit() {
            return Ended { exit, by: EndedBy::Itself };
        }
        let refused = AtomicBool::new(false);
        let asked = async {
            // The end of Renode counts, not its answer, which may get lost on the way.
            match timeout(self.grace, self.robot.stop_server()).await {
                Ok(Ok(_)) => sleep(self.grace).await,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "Renode could not be asked to end");
                    refused.store(true, Ordering::Relaxed);
                    sleep(NOT_ASKED.min(self.grace)).await;
                }
                Err(_) => tracing::debug!("Renode does not answer the request to end"),
            }
        };
        let (mut by, exit) = end(&self.body, asked, self.grace.min(TOLD)).await;
        if by == EndedBy::Request && refused.load(Ordering::Relaxed) && !exit.is_success() {
            by = EndedBy::Itself;
        }
        tracing::debug!(renode = %self.described, %exit, ?by, "Renode ended");
        Ended { exit, by }
    }
}

async fn end(body: &Body, asked: impl Future<Output = ()>, told: Duration) -> (EndedBy, Exit) {
    tokio::select! {
        exit = body.ended() => return (EndedBy::Request, exit),
        () = asked => {}
    }
    body.terminate().await;
    if let Ok(exit) = timeout(told, body.ended()).await {
        return (EndedBy::Termination, exit);
    }
    body.kill().await;
    (EndedBy::Kill, timeout(KILLED, body.ended()).await.unwrap_or(Exit::Unknown))
}
