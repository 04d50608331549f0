//! A target that does what a script says.

use crate::{
    Availability, Clock, Footprint, Handshake, Inference, JobSpec, Reservation, Session, Slots, Stage, Target,
    TargetError, TargetInfo, target::Standing, testing,
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

/// What `reserve` does.
#[derive(Debug, Clone)]
pub(super) enum Reserve {
    After(Duration),
    Never,
    Error(TargetError),
    Panic,
}

/// What `after` does.
#[derive(Debug, Clone)]
pub(super) enum After {
    For(Duration),
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
    reserved: AtomicUsize,
    peak_reserved: AtomicUsize,
    told: Mutex<Vec<String>>,
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

impl Shared {
    /// Reservations that are held.
    pub(super) fn reserved(&self) -> usize {
        self.reserved.load(SeqCst)
    }
    /// The most that ever were at once.
    pub(super) fn peak_reserved(&self) -> usize {
        self.peak_reserved.load(SeqCst)
    }
    /// What `after` was told of each attempt.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

/// A reservation; let go on every path out.
struct Lease(Arc<Shared>);

impl Lease {
    fn new(shared: &Arc<Shared>) -> Self {
        let reserved = shared.reserved.fetch_add(1, SeqCst) + 1;
        shared.peak_reserved.fetch_max(reserved, SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.reserved.fetch_sub(1, SeqCst);
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

/// What jobs play, each by its number.
pub(super) type Scripts = Arc<Mutex<HashMap<u64, Vec<Script>>>>;

/// The target. A job's arena limit says which script it plays; without one all goes well.
#[derive(Debug)]
pub(super) struct Mock {
    pub(super) info: TargetInfo,
    pub(super) availability: Availability,
    preparing: Mutex<Vec<Result<(), TargetError>>>,
    scripts: Scripts,
    reserving: Mutex<Vec<Reserve>>,
    after: Mutex<Vec<After>>,
    pub(super) shared: Arc<Shared>,
    group: Arc<Shared>,
}

impl Mock {
    pub(super) fn new(id: &str, slots: Slots) -> Self {
        Self {
            info: testing::target(id, Stage::Emulator, Clock::QemuInstructions, slots),
            availability: Availability::Ready { tool: "mock 1".to_owned() },
            preparing: Mutex::default(),
            scripts: Arc::default(),
            reserving: Mutex::default(),
            after: Mutex::default(),
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

    /// Jobs play `scripts`, on whichever of several targets that share them.
    pub(super) fn playing(self, scripts: &Scripts) -> Self {
        Self { scripts: scripts.clone(), ..self }
    }

    /// `reserve` answers so, one after the other; after the last the target is free.
    pub(super) fn reserving(self, mut scripts: Vec<Reserve>) -> Self {
        scripts.reverse();
        *self.reserving.lock().unwrap() = scripts;
        self
    }

    /// `after` does this, one after the other; after the last nothing.
    pub(super) fn after(self, mut scripts: Vec<After>) -> Self {
        scripts.reverse();
        *self.after.lock().unwrap() = scripts;
        self
    }

    /// An equal of all others of `kind`.
    pub(super) fn of_kind(mut self, kind: &str) -> Self {
        self.info.kind = Some(kind.to_owned());
        self
    }

    /// A simulated board.
    pub(super) fn simulated(mut self) -> Self {
        self.info.simulated = true;
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

    async fn reserve(&self) -> Result<Reservation, TargetError> {
        let script = self.reserving.lock().unwrap().pop().unwrap_or(Reserve::After(Duration::ZERO));
        match script {
            Reserve::After(Duration::ZERO) => (),
            Reserve::After(time) => tokio::time::sleep(time).await,
            Reserve::Never => std::future::pending().await,
            Reserve::Error(error) => return Err(error),
            Reserve::Panic => panic!("reserve"),
        }
        Ok(Reservation::holding(Lease::new(&self.shared)))
    }

    async fn held_by(&self) -> Option<String> {
        Some("another process".to_owned())
    }

    async fn after(&self, outcome: Result<(), &TargetError>) {
        assert!(self.shared.reserved() > 0, "the target is still reserved");
        let told = outcome.map_or_else(|error| format!("{error:?}"), |()| "ok".to_owned());
        self.shared.told.lock().unwrap().push(told);
        let script = self.after.lock().unwrap().pop();
        match script {
            None => (),
            Some(After::For(time)) => tokio::time::sleep(time).await,
            Some(After::Never) => std::future::pending().await,
            Some(After::Panic) => panic!("after"),
        }
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        assert!(self.shared.reserved() > self.shared.alive(), "each session has a reservation of its own");
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
