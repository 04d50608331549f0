//! The target `host`: the runner as a child process of the farm. It stands in where no engine is to be had, isolates
//! nothing, and is never called a container.

use crate::{options::ContainerOptions, program::Source};
use async_trait::async_trait;
use farm::{Availability, Clock, Fault, JobSpec, Session, Slots, Stage, Target, TargetError, TargetInfo};
use firmware::{
    Bench, Load, RunnerSession,
    process::{self, Child, Start},
    protocol::Hello,
    session::faults::signal_name,
};
use std::{
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::Path,
    process::ExitStatus,
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// How long a runner whose connection closed may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// This machine as a target.
#[derive(Debug)]
pub(crate) struct HostTarget {
    info: TargetInfo,
    source: Source,
}

impl HostTarget {
    pub(crate) fn new(options: &ContainerOptions) -> Self {
        let info = TargetInfo {
            id: "host".into(),
            stage: Stage::Host,
            core: "x86-64".to_owned(),
            clock: Clock::Host,
            slots: Slots::Own(options.connections()),
            simulated: false,
            tags: Vec::new(),
            kind: None,
            memory: None,
        };
        Self { info, source: Source::of(options) }
    }
}

#[async_trait]
impl Target for HostTarget {
    fn info(&self) -> &TargetInfo {
        &self.info
    }

    async fn availability(&self) -> Availability {
        match self.source.available() {
            Ok(()) => Availability::Ready { tool: "child process".to_owned() },
            Err(reason) => Availability::Absent { reason },
        }
    }

    async fn prepare(&self) -> Result<(), TargetError> {
        self.source.program().await.map(drop)
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let program = self.source.program().await?;
        let (link, child) = start(program.path()).await.map_err(|error| {
            TargetError::Bench(format!("the runner {} could not be started: {error}", program.path().display()))
        })?;
        let bench = HostBench { child, note: program.note() };
        Ok(Box::new(RunnerSession::open(link, bench, job, Load::Frame, program.expected()).await?))
    }
}

/// Starts `program` with a connection to it.
async fn start(program: &Path) -> io::Result<(UnixStream, Child)> {
    // Only ours must not block: the runner reads as one reads.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let (ours, theirs) = (UnixStream::from_std(ours)?, OwnedFd::from(theirs));
    let number = theirs.as_raw_fd().to_string();
    let start = Start::new(program).arguments(["--fd", &number]).inheriting([theirs]);
    Ok((ours, process::spawn(start).await?))
}

/// The process behind a connection.
#[derive(Debug)]
struct HostBench {
    child: Child,
    note: String,
}

#[async_trait]
impl Bench for HostBench {
    fn clock(&self, _: &Hello) -> Clock {
        Clock::Host
    }

    async fn why_ended(&mut self) -> Option<TargetError> {
        match timeout(GRACE, self.child.wait()).await {
            Ok(Ok(status)) => Some(of_status(status)),
            Ok(Err(error)) => Some(TargetError::Bench(format!("no news of the runner's process: {error}"))),
            Err(_) => Some(Fault::Crash { detail: "the runner closed its connection and runs on".to_owned() }.into()),
        }
    }

    async fn stopped(&mut self) -> Option<String> {
        let stopped = self.child.id().is_some_and(process::is_stopped);
        stopped.then(|| "somebody stopped the runner's process".to_owned())
    }

    fn log(&self) -> String {
        self.note.clone()
    }

    /// The connection is still open here, so the runner would not end by itself. Its child dies with it.
    async fn close(mut self: Box<Self>) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the runner's process could not be killed");
        }
    }
}

/// What the end of the runner's process means.
fn of_status(status: ExitStatus) -> TargetError {
    match (status.signal(), status.code()) {
        (Some(9 | 15), _) => TargetError::Bench(format!("the runner was killed from outside ({status})")),
        (Some(signal), _) => {
            let name = u32::try_from(signal).map_or("", signal_name);
            Fault::Crash { detail: format!("the runner got signal {signal} ({name})") }.into()
        }
        (None, Some(0)) => Fault::Crash { detail: "the runner ended before its job did".to_owned() }.into(),
        (None, code) => Fault::Crash { detail: format!("the runner ended with status {}", code.unwrap_or(-1)) }.into(),
    }
}
