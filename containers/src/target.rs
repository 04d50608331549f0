//! The target `container`: one container for the whole run, started when it is first needed, a connection for each job.

use crate::{
    engine::{Engine, EngineError},
    image,
    isolation::Limits,
    options::ContainerOptions,
    program::{Program, Source},
    run::{Health, Running},
    sweep::sweep,
};
use async_trait::async_trait;
use farm::{Availability, Clock, JobSpec, Session, Slots, Stage, Target, TargetError, TargetInfo};
use firmware::{Bench, Load, RunnerSession, protocol::Hello};
use std::sync::Arc;
use tokio::{
    net::TcpStream,
    sync::{Mutex, OnceCell},
};

/// The container as a target.
#[derive(Debug)]
pub(crate) struct ContainerTarget {
    info: TargetInfo,
    shared: Arc<Shared>,
}

/// Somebody did `docker pause`.
const PAUSED: &str = "somebody paused the runner's container";

/// What outlives a single job.
#[derive(Debug)]
struct Shared {
    options: ContainerOptions,
    source: Source,
    swept: OnceCell<()>,
    place: Mutex<Place>,
}

/// Where the container is, if there is one.
#[derive(Debug, Default)]
struct Place {
    running: Option<Arc<Running>>,
    /// Containers that ended and are still to be removed.
    lost: Vec<Arc<Running>>,
    /// Shut down: no other is started.
    closed: bool,
}

impl ContainerTarget {
    pub(crate) fn new(options: ContainerOptions) -> Self {
        let info = TargetInfo {
            id: "container".into(),
            stage: Stage::Container,
            core: "x86-64".to_owned(),
            clock: Clock::Host,
            slots: Slots::Own(options.connections()),
            simulated: false,
            tags: Vec::new(),
            kind: None,
            memory: None,
        };
        Self {
            info,
            shared: Arc::new(Shared {
                source: Source::of(&options),
                options,
                swept: OnceCell::new(),
                place: Mutex::default(),
            }),
        }
    }

    /// Has the container running, with its program. The start goes on if this is dropped, so that nothing is left
    /// half-made; the build before it does not, for it may take minutes.
    async fn running(&self) -> Result<(Arc<Running>, Program), TargetError> {
        let program = self.shared.source.program().await?;
        let shared = Arc::clone(&self.shared);
        let started = tokio::spawn(async move { Ok((shared.running(&program).await?, program)) });
        started.await.unwrap_or_else(|error| Err(TargetError::Bench(format!("starting the container: {error}"))))
    }
}

impl Shared {
    async fn running(&self, program: &Program) -> Result<Arc<Running>, TargetError> {
        let mut place = self.place.lock().await;
        if let Some(running) = &place.running {
            return Ok(Arc::clone(running));
        }
        if place.closed {
            return Err(TargetError::Blocked("the run is over: its container has been removed".to_owned()));
        }
        let bench = |error: EngineError| TargetError::Bench(error.to_string());
        let engine = Engine::connect().await.map_err(bench)?;
        for lost in place.lost.drain(..) {
            lost.remove().await;
        }
        let clean = async {
            match sweep(&engine).await {
                Ok(count) => tracing::debug!(count, "swept left-overs of killed runs"),
                Err(error) => tracing::warn!(%error, "left-overs of killed runs, if any, stay"),
            }
        };
        self.swept.get_or_init(|| clean).await;
        // Asked every time: the image may have been removed since. That is quick where it is still there.
        let image = image::build(program.path(), program.digest()).await.map_err(bench)?;
        let limits = Limits::of(&self.options);
        let running = Running::start(engine, image, &self.options.run, limits).await.map_err(bench)?;
        let running = Arc::new(running);
        place.running = Some(Arc::clone(&running));
        Ok(running)
    }

    /// Has the next job start another container, if `running` is the one that it would get.
    async fn give_up(&self, running: &Arc<Running>) {
        let mut place = self.place.lock().await;
        if place.running.as_ref().is_some_and(|current| Arc::ptr_eq(current, running)) {
            let running = place.running.take();
            place.lost.extend(running);
        }
    }

    /// What became of the container behind a connection that broke.
    async fn post_mortem(&self, running: &Arc<Running>) -> TargetError {
        let health = running.health().await;
        if !matches!(health, Ok(Health::Running | Health::Paused)) {
            self.give_up(running).await;
        }
        let memory = self.options.memory() >> 20;
        TargetError::Bench(match health {
            Ok(Health::Paused) => PAUSED.to_owned(),
            Ok(Health::Running) => "the connection to the runner broke; its container runs".to_owned(),
            Ok(Health::Ended { out_of_memory: true, .. }) => {
                format!("the runner's container ran out of memory ({memory} MiB)")
            }
            Ok(Health::Ended { code, .. }) => format!("the runner's container ended with exit code {code}"),
            Ok(Health::Gone) => "the runner's container was removed by somebody else".to_owned(),
            Err(error) if error.engine_is_gone() => format!("the Docker engine stopped in mid-run ({error})"),
            Err(error) => error.to_string(),
        })
    }
}

#[async_trait]
impl Target for ContainerTarget {
    fn info(&self) -> &TargetInfo {
        &self.info
    }

    async fn availability(&self) -> Availability {
        if let Err(reason) = self.shared.source.available() {
            return Availability::Absent { reason };
        }
        let usable = Engine::connect().await.and_then(|engine| self.shared.options.reachable(&engine).map(|()| engine));
        match usable {
            Ok(engine) => Availability::Ready { tool: format!("Docker {}", engine.version) },
            Err(error) => Availability::Absent { reason: error.to_string() },
        }
    }

    async fn prepare(&self) -> Result<(), TargetError> {
        match self.running().await {
            Ok(_) => Ok(()),
            Err(TargetError::Bench(reason)) => Err(TargetError::Blocked(reason)),
            Err(error) => Err(error),
        }
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let (running, program) = self.running().await?;
        let link = match TcpStream::connect(running.address()).await {
            Ok(link) => link,
            Err(error) => {
                let (host, port) = running.address();
                let found = self.shared.post_mortem(&running).await;
                return Err(TargetError::Bench(format!("no connection to {host}:{port}: {error}; {found}")));
            }
        };
        // Requests are small and wait for each other: Nagle's algorithm would hold them back.
        if let Err(error) = link.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let bench = ContainerBench { shared: Arc::clone(&self.shared), running, note: program.note() };
        let session = RunnerSession::open(link, bench, job, Load::Frame, program.expected()).await?;
        Ok(Box::new(session))
    }

    async fn shutdown(&self) {
        let mut place = self.shared.place.lock().await;
        place.closed = true;
        let running = place.running.take();
        for running in place.lost.drain(..).chain(running) {
            running.remove().await;
        }
    }
}

/// The container behind a connection.
#[derive(Debug)]
struct ContainerBench {
    shared: Arc<Shared>,
    running: Arc<Running>,
    note: String,
}

#[async_trait]
impl Bench for ContainerBench {
    fn clock(&self, _: &Hello) -> Clock {
        Clock::Host
    }

    async fn why_ended(&mut self) -> Option<TargetError> {
        Some(self.shared.post_mortem(&self.running).await)
    }

    async fn stopped(&mut self) -> Option<String> {
        matches!(self.running.health().await, Ok(Health::Paused)).then(|| PAUSED.to_owned())
    }

    fn log(&self) -> String {
        self.note.clone()
    }

    /// The connection ends with the session; the runner's parent then ends the process behind it.
    async fn close(self: Box<Self>) {}
}
