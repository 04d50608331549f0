//! What a run may set about the container and the host process.

use crate::engine::{Engine, EngineError};
use firmware::Builder;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

/// Address space of one job's process: arena, the longest model image, the program (`runner/host/job.cc`).
const MEMORY_PER_JOB: u64 = (16 + 64 + 32) << 20;

/// The runner's parent has room for so many jobs (`runner/host/supervisor.h`).
const MOST_CONNECTIONS: usize = 64;

/// Settings of the targets `container` and `host`.
#[derive(Debug, Clone)]
pub struct ContainerOptions {
    /// Names the run in labels of containers and networks.
    pub run: String,
    /// Builds the runner.
    pub builder: Builder,
    /// Another runner to use instead of the one that is built: for those who test their own build of it. The handshake is
    /// checked against what it says of itself at `--version`, and the log notes it. In the container it must be a static
    /// program.
    pub runner: Option<PathBuf>,
    /// Jobs at once in the container, and on the host: 1 to 64.
    pub connections: usize,
    /// Address on which the container's port is published. Anything but loopback lets others in; it is wanted where
    /// `DOCKER_HOST` names another machine.
    pub publish: IpAddr,
}

impl ContainerOptions {
    /// Settings for a run named `run`: as many jobs at once as there are cores, published on 127.0.0.1.
    pub fn new(run: impl Into<String>, builder: Builder) -> Self {
        Self {
            run: run.into(),
            builder,
            runner: None,
            connections: std::thread::available_parallelism().map_or(1, usize::from),
            publish: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// Jobs at once, within what the runner can do.
    pub(crate) fn connections(&self) -> usize {
        self.connections.clamp(1, MOST_CONNECTIONS)
    }

    /// Memory of the container, bytes: so much that the jobs' own limits are reached before it.
    pub(crate) fn memory(&self) -> u64 {
        (self.connections() as u64 + 1) * MEMORY_PER_JOB
    }

    /// Whether the port will be published where it can be reached.
    pub(crate) fn reachable(&self, engine: &Engine) -> Result<(), EngineError> {
        match engine.address.remote_host() {
            Some(host) if self.publish.is_loopback() => {
                Err(EngineError::Elsewhere { host: host.to_owned(), publish: self.publish })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_own_limit_is_reached_before_the_containers() {
        let job = include_str!("../../firmware/runner/host/job.cc");
        let bytes = |name: &str| {
            let line = job.lines().find(|line| line.contains(name)).unwrap_or_default();
            let words: Vec<u64> =
                line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
            words.into_iter().product::<u64>()
        };
        let program = bytes("kAddressSpace = ");
        assert_eq!(bytes("kArenaBytes = ") + bytes("kLongestImage = ") + program, MEMORY_PER_JOB);
    }
}
