//! One container at work: started, asked how it is, removed.

use crate::{
    engine::{Engine, EngineError, ask, is_not_found},
    isolation::{self, Limits, PORT, USER},
    owner::Owner,
};
use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder};
use std::{
    collections::HashMap,
    error::Error,
    mem,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use testcontainers::{GenericImage, ImageExt, TestcontainersError, runners::AsyncRunner};

/// Label with the run that a container or network belongs to.
pub(crate) const RUN: &str = "org.tinyfarm.run";
/// Label with the process that owns it: see [`Owner`].
pub(crate) const OWNER: &str = "org.tinyfarm.owner";
/// Label with the time it was made, in seconds since 1970.
pub(crate) const MADE: &str = "org.tinyfarm.made";

/// How long a container may take to start.
const START: Duration = Duration::from_secs(60);

/// How long the engine may take to say what became of a container: less than a session waits for it.
const POST_MORTEM: Duration = Duration::from_secs(3);

/// How long removal may take; after that it is left to the next run, for the program wants to end.
const REMOVAL: Duration = Duration::from_secs(20);

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// It runs. Whether a process in it was killed for memory, the engine tells only at its end.
    Running,
    /// Somebody paused it: its processes are there and do not run.
    Paused,
    /// Its first process ended.
    Ended {
        /// Exit code; 128 + n after signal n.
        code: i64,
        /// Whether the kernel ever killed a process in it for memory.
        out_of_memory: bool,
    },
    /// Somebody removed it.
    Gone,
}

/// A container of this process. Dropped, it is removed if that can still be done; what a killed process leaves is for
/// the sweep of the next run.
#[derive(Debug)]
pub(crate) struct Running {
    engine: Engine,
    id: String,
    network: String,
    address: (String, u16),
    removed: AtomicBool,
}

/// Labels for what belongs to `run` and to this process.
pub(crate) fn labels(run: &str) -> HashMap<String, String> {
    HashMap::from([
        (RUN.to_owned(), run.to_owned()),
        (OWNER.to_owned(), Owner::current().to_string()),
        (MADE.to_owned(), seconds_since_1970().to_string()),
    ])
}

pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Running {
    /// Starts a container of `image`, with a network of its own, confined to `limits`.
    ///
    /// # Errors
    /// [`EngineError`]; what was made is removed again. So that it is, this must not be dropped half-way.
    pub(crate) async fn start(
        engine: Engine,
        image: GenericImage,
        run: &str,
        limits: Limits,
    ) -> Result<Self, EngineError> {
        let name = unique_name();
        ask("create a network", engine.docker.create_network(isolation::network(&name, labels(run)))).await?;
        match Self::start_in(&engine, image, run, limits, &name).await {
            Ok((id, port)) => {
                let host = match engine.address.remote_host() {
                    Some(host) => host.to_owned(),
                    None if limits.publish.is_unspecified() => "127.0.0.1".to_owned(),
                    None => limits.publish.to_string(),
                };
                tracing::debug!(container = %id, %host, port, "started the runner's container");
                Ok(Self { engine, id, network: name, address: (host, port), removed: AtomicBool::new(false) })
            }
            Err(error) => {
                // A container that was made and did not start bears the network's name.
                remove(&engine, &name, &name).await;
                Err(error)
            }
        }
    }

    async fn start_in(
        engine: &Engine,
        image: GenericImage,
        run: &str,
        limits: Limits,
        name: &str,
    ) -> Result<(String, u16), EngineError> {
        let refused = |error| EngineError::Refused { what: "start the runner's container", why: chain_of(&error) };
        let container = image
            .with_container_name(name)
            .with_labels(labels(run))
            .with_network(name)
            .with_user(USER)
            .with_startup_timeout(START)
            .with_host_config_modifier(move |config| isolation::confine(config, limits))
            .start()
            .await
            .map_err(refused)?;
        let id = container.id().to_owned();
        // Its destructor blocks on the engine, stopped or not, and panics where no runtime is left: removal is ours.
        mem::forget(container);
        let inspected = engine.docker.inspect_container(&id, None::<InspectContainerOptions>);
        let ports = ask("inspect the runner's container", inspected).await?.network_settings.and_then(|net| net.ports);
        let bindings = ports.and_then(|mut ports| ports.remove(&format!("{PORT}/tcp")).flatten()).unwrap_or_default();
        let port = bindings.iter().find_map(|binding| binding.host_port.as_deref()?.parse().ok());
        port.map(|port| (id, port)).ok_or_else(|| EngineError::Refused {
            what: "publish the runner's port",
            why: "the container ended at once, or the engine gave it no port".to_owned(),
        })
    }

    /// Where its port is published: host and port.
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.address.0, self.address.1)
    }

    /// The container's identifier at the engine.
    #[cfg(test)]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Asks the engine how the container is.
    ///
    /// # Errors
    /// [`EngineError`]: the engine is out of reach, or did not answer that.
    pub(crate) async fn health(&self) -> Result<Health, EngineError> {
        self.engine.answers(POST_MORTEM).await?;
        let inspected = self.engine.docker.inspect_container(&self.id, None::<InspectContainerOptions>).await;
        if inspected.as_ref().is_err_and(is_not_found) {
            return Ok(Health::Gone);
        }
        let state = ask("inspect the runner's container", async { inspected }).await?.state.unwrap_or_default();
        Ok(if state.paused.unwrap_or(false) {
            Health::Paused
        } else if state.running.unwrap_or(false) {
            Health::Running
        } else {
            Health::Ended { code: state.exit_code.unwrap_or(-1), out_of_memory: state.oom_killed.unwrap_or(false) }
        })
    }

    /// Removes the container and its network. May be asked again if that failed.
    pub(crate) async fn remove(&self) {
        if !self.removed.load(Ordering::Relaxed) && remove(&self.engine, &self.id, &self.network).await {
            self.removed.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without a runtime the next run's sweep does it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.removed.load(Ordering::Relaxed)
        {
            let (engine, id, network) = (self.engine.clone(), mem::take(&mut self.id), mem::take(&mut self.network));
            runtime.spawn(async move { remove(&engine, &id, &network).await });
        }
    }
}

/// Removes a container and its network, as far as they are there; whether both are gone. What cannot be removed is told.
pub(crate) async fn remove(engine: &Engine, container: &str, network: &str) -> bool {
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let removal = async {
        let container = engine.docker.remove_container(container, Some(force)).await;
        let network = engine.docker.remove_network(network).await;
        container.err().into_iter().chain(network.err()).find(|error| !is_not_found(error))
    };
    match tokio::time::timeout(REMOVAL, removal).await {
        Ok(None) => true,
        Ok(Some(error)) => {
            tracing::warn!(container, %error, "could not remove the runner's container; the next run will");
            false
        }
        Err(_) => {
            tracing::warn!(container, "the engine did not remove the runner's container in time; the next run will");
            false
        }
    }
}

/// A name that no other container or network of the engine has, whichever machine the engine serves.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("tinyfarm-{}-{nanos:x}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An error with its causes: testcontainers keeps the engine's words in them.
fn chain_of(error: &TestcontainersError) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
