//! A target that does what a script says.

use crate::{
    Availability, Clock, Footprint, Handshake, Inference, JobSpec, Session, Slots, Stage, Target, TargetError,
    TargetInfo, target::Standing, testing,
};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// What `open` does.
#[derive(Debug, Clone)]
pub(super) enum Open {
    After(Duration),
    Never,
    Error(TargetError),
    Panic,
}

/// What `infer` does.
#[derive(Debug, Clone)]
pub(super) enum Infer {
    After(Duration),
    Never(Standing),
    Late(TargetError),
    Error(TargetError),
    Panic,
    Short,
    WrongSize,
}

/// What `close` does.
#[derive(Debug, Clone)]
pub(super) enum Close {
    After(Duration),
    Never,
    Panic,
}

/// What one attempt meets.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) open: Open,
    pub(super) infer: Infer,
    pub(super) close: Close,
    pub(super) stale_model: bool,
    pub(super) log_panics: bool,
    pub(super) handshake_panics: bool,
}

impl Default for Script {
    fn default() -> Self {
        let at_once = Duration::ZERO;
        Self {
            open: Open::After(at_once),
            infer: Infer::After(at_once),
            close: Close::After(at_once),
            stale_model: false,
            log_panics: false,
            handshake_panics: false,
        }
    }
}

/// What the mock counts.
#[derive(Debug, Default)]
pub(super) struct Shared {
    asked: AtomicUsize,
    prepared: AtomicUsize,
    opened: AtomicUsize,
    closed: AtomicUsize,
    shut: AtomicUsize,
    alive: AtomicUsize,
    peak: AtomicUsize,
}

impl Shared {
    pub(super) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
    pub(super) fn prepared(&self) -> usize {
        self.prepared.load(SeqCst)
    }
    pub(super) fn opened(&self) -> usize {
        self.opened.load(SeqCst)
    }
    /// Sessions whose `close` went through.
    pub(super) fn closed(&self) -> usize {
        self.closed.load(SeqCst)
    }
    pub(super) fn shut(&self) -> usize {
        self.shut.load(SeqCst)
    }
    /// Sessions that hold the target, those being opened included.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(SeqCst)
    }
    /// The most that ever did at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(SeqCst)
    }
}

/// Holds the target; let go on every path out.
struct Hold(Vec<Arc<Shared>>);

impl Hold {
    fn new(counters: &[&Arc<Shared>]) -> Self {
        for shared in counters {
            shared.opened.fetch_add(1, SeqCst);
            let alive = shared.alive.fetch_add(1, SeqCst) + 1;
            shared.peak.fetch_max(alive, SeqCst);
        }
        Self(counters.iter().map(|shared| Arc::clone(shared)).collect())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for shared in &self.0 {
            shared.alive.fetch_sub(1, SeqCst);
        }
    }
}

/// The target. A job's arena limit says which script it plays; without one all goes well.
#[derive(Debug)]
pub(super) struct Mock {
    info: TargetInfo,
    pub(super) availability: Availability,
    preparing: Mutex<Vec<Result<(), TargetError>>>,
    scripts: Mutex<HashMap<u64, Vec<Script>>>,
    pub(super) shared: Arc<Shared>,
    group: Arc<Shared>,
}

impl Mock {
    pub(super) fn new(id: &str, slots: Slots) -> Self {
        Self {
            info: testing::target(id, Stage::Emulator, Clock::QemuInstructions, slots),
            availability: Availability::Ready { tool: "mock 1".to_owned() },
            preparing: Mutex::default(),
            scripts: Mutex::default(),
            shared: Arc::default(),
            group: Arc::default(),
        }
    }

    /// Job `number` plays `scripts`, an attempt each; after the last all goes well.
    pub(super) fn script(self, number: u64, mut scripts: Vec<Script>) -> Self {
        scripts.reverse();
        self.scripts.lock().unwrap().insert(number, scripts);
        self
    }

    /// Counts its sessions in `group` too.
    pub(super) fn counting_in(self, group: &Arc<Shared>) -> Self {
        Self { group: group.clone(), ..self }
    }

    /// `prepare` answers so, one after the other; after the last all goes well.
    pub(super) fn preparing(self, mut results: Vec<Result<(), TargetError>>) -> Self {
        results.reverse();
        *self.preparing.lock().unwrap() = results;
        self
    }
}

#[async_trait]
impl Target for Mock {
    fn info(&self) -> &TargetInfo {
        &self.info
    }

    async fn availability(&self) -> Availability {
        self.shared.asked.fetch_add(1, SeqCst);
        self.availability.clone()
    }

    async fn prepare(&self) -> Result<(), TargetError> {
        self.shared.prepared.fetch_add(1, SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.preparing.lock().unwrap().pop().unwrap_or(Ok(()))
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let hold = Hold::new(&[&self.shared, &self.group]);
        let number = job.arena_limit.unwrap_or(u64::MAX);
        let script = self.scripts.lock().unwrap().get_mut(&number).and_then(Vec::pop).unwrap_or_default();
        match &script.open {
            Open::After(time) => tokio::time::sleep(*time).await,
            Open::Never => std::future::pending().await,
            Open::Error(error) => return Err(error.clone()),
            Open::Panic => panic!("open"),
        }
        let mut handshake = testing::handshake(&job.model, self.info.clock);
        if script.stale_model {
            handshake.model = crate::Digest::of(b"another");
        }
        Ok(Box::new(MockSession { handshake, script, output: job.model.output_bytes(), hold }))
    }

    async fn shutdown(&self) {
        self.shared.shut.fetch_add(1, SeqCst);
    }
}

struct MockSession {
    handshake: Handshake,
    script: Script,
    output: usize,
    hold: Hold,
}

#[async_trait]
impl Session for MockSession {
    fn handshake(&self) -> &Handshake {
        assert!(!self.script.handshake_panics, "handshake");
        &self.handshake
    }

    fn footprint(&self) -> Option<Footprint> {
        None
    }

    async fn infer(
        &mut self,
        inputs: &[Vec<u8>],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Inference>, TargetError> {
        let mut inferences: Vec<Inference> =
            inputs.iter().map(|_| Inference { output: vec![0; self.output], ticks: 7 }).collect();
        match &self.script.infer {
            Infer::After(time) => tokio::time::sleep(*time).await,
            Infer::Never(_) | Infer::Late(_) => std::future::pending().await,
            Infer::Error(error) => return Err(error.clone()),
            Infer::Panic => panic!("infer"),
            Infer::Short => drop(inferences.pop()),
            Infer::WrongSize => drop(inferences.last_mut().map(|last| last.output.truncate(5))),
        }
        (1..=inferences.len()).for_each(progress);
        Ok(inferences)
    }

    fn log(&self) -> String {
        assert!(!self.script.log_panics, "log");
        "a log".to_owned()
    }

    async fn why_late(&mut self) -> Option<TargetError> {
        match &self.script.infer {
            Infer::Late(error) => Some(error.clone()),
            _ => None,
        }
    }

    fn standing(&self) -> Standing {
        match self.script.infer {
            Infer::Never(standing) => standing,
            _ => Standing::default(),
        }
    }

    async fn close(self: Box<Self>) {
        match self.script.close {
            Close::After(time) => tokio::time::sleep(time).await,
            Close::Never => std::future::pending().await,
            Close::Panic => panic!("close"),
        }
        self.hold.0[0].closed.fetch_add(1, SeqCst);
    }
}
