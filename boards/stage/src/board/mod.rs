//! A board as a target: what the farm sees. One job at a time, held against every other process of this machine.
//!
//! | module | what lives there |
//! |---|---|
//! | [`options`] | how the board stage is set up, and the boards that come of it |
//! | `open` | from a free board to a session: identify, flash what differs, run, shake hands |
//! | `own` | the same with firmware of the user's own |
//! | [`bench`] | what stands behind a session: the probe with its eyes on the core |
//! | [`held`] | a board that this process has |
//! | `ending` | a serial link that ends when the core does |
//! | `care` | looking after a board: recovery, health checks |
//! | `hook` | commands of the user's |

pub mod bench;
mod care;
mod ending;
pub mod held;
mod hook;
mod open;
pub mod options;
mod own;

pub use options::{BoardOptions, News, SimulatedBoard, Simulator, boards, targets};

use crate::{
    chip::{ChipError, Chips, port_of},
    definition::{Definition, Runner},
    health::Health,
    lease,
    probe::{rate::Measured, thread::Over},
    serial,
};
use async_trait::async_trait;
use bench::{Notes, Ticks};
use farm::{
    Availability, Clock, FarmEvent, Fault, JobSpec, Reservation, Session, Slots, Stage, Target, TargetError, TargetId,
    TargetInfo,
};
use firmware::{Firmware, Instructions, Port};
use held::Held;
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a probe that was let go of may take to be free: it may be in the middle of a flash.
const LET_GO: Duration = Duration::from_secs(20);

/// One board.
pub struct Board {
    info: TargetInfo,
    definition: Arc<Definition>,
    /// Known once it is wanted: of a thousand chips this one must be found.
    parts: OnceLock<Result<Parts, ChipError>>,
    options: Arc<BoardOptions>,
    /// What it is known by to leases and in its history.
    identity: String,
    /// When the last session's probe is free again.
    over: Arc<Mutex<Option<Over>>>,
    /// How fast its clock was found to be; `None` inside: it cannot be told.
    measured: OnceLock<Option<Measured>>,
    /// Whether the user's own firmware was flashed since something went wrong.
    flashed: AtomicBool,
    /// Whether its probe was seen attached.
    was_attached: AtomicBool,
    /// What is written of the last attempt.
    notes: Mutex<Notes>,
    /// Where the farm plays it itself.
    simulated: tokio::sync::Mutex<Option<SimulatedBoard>>,
}

/// What a board is made of.
#[derive(Debug)]
struct Parts {
    /// The chip, as probe-rs knows it; `None`: nobody attaches to it.
    chip: Option<probe_rs::Target>,
    /// What its runner is built for; `None`: the firmware is the user's own.
    port: Option<Port>,
}

impl Parts {
    fn of(definition: &Definition, chips: &Chips) -> Result<Self, ChipError> {
        let port = match definition.firmware {
            Runner::Tinyfarm => Some(port_of(definition, &chips.chip(&definition.chip)?)?),
            Runner::Own => None,
        };
        let attaches = definition.probe.is_some() || definition.is_simulated();
        let chip = attaches.then(|| chips.target(&definition.chip)).transpose()?;
        Ok(Self { chip, port })
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("id", &self.info.id).finish_non_exhaustive()
    }
}

impl Board {
    /// The board that `definition` means. Touches nothing.
    ///
    /// # Errors
    /// [`ChipError`] where its core depends on a chip that is not known or has no room for the runner.
    pub fn new(definition: Definition, options: Arc<BoardOptions>) -> Result<Self, ChipError> {
        let parts = OnceLock::new();
        let core = match (definition.core, definition.firmware) {
            (Some(core), _) => core.name().to_owned(),
            (None, Runner::Own) => definition.chip.clone(),
            (None, Runner::Tinyfarm) => {
                let made = Parts::of(&definition, &options.definitions.chips)?;
                let core = made.port.as_ref().map_or(String::new(), |port| port.core.clone());
                let _ = parts.set(Ok(made));
                core
            }
        };
        // Looking for the chip only for this would have every start wait for it.
        let known: Option<&Result<Parts, ChipError>> = parts.get();
        let port = known.and_then(|made| made.as_ref().ok()?.port.as_ref());
        let memory = port.and_then(|port| Some(farm::Memory { flash: port.flash?.length, ram: port.ram?.length }));
        let info = TargetInfo {
            id: TargetId(definition.name.clone()),
            stage: Stage::Board,
            clock: clock_of(&definition, &core),
            core,
            slots: Slots::Own(1),
            simulated: definition.is_simulated(),
            tags: definition.tags.clone(),
            kind: Some(definition.specimen_of()),
            memory,
        };
        let identity = lease::identity(&definition, &options.bench);
        Ok(Self {
            info,
            definition: Arc::new(definition),
            parts,
            options,
            identity,
            over: Arc::default(),
            measured: OnceLock::new(),
            flashed: AtomicBool::new(false),
            was_attached: AtomicBool::new(false),
            notes: Mutex::default(),
            simulated: tokio::sync::Mutex::default(),
        })
    }

    /// What it is defined as.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// What it was set up with.
    pub fn options(&self) -> &Arc<BoardOptions> {
        &self.options
    }

    /// The runner built for it; remembered, so only the first call takes time. `None`: the firmware is the user's own.
    async fn firmware(&self) -> Result<Option<Arc<Firmware>>, TargetError> {
        let Some(port) = &self.parts()?.port else { return Ok(None) };
        let built = self.options.builder.build(port).await;
        built.map(Some).map_err(|error| TargetError::Blocked(error.to_string()))
    }

    fn parts(&self) -> Result<&Parts, TargetError> {
        let parts = self.parts.get_or_init(|| Parts::of(&self.definition, &self.options.definitions.chips));
        let name = &self.definition.name;
        parts.as_ref().map_err(|error| TargetError::Blocked(format!("the definition of {name}: {error}")))
    }

    /// What its runner is built for; `None`: the firmware is the user's own.
    pub fn port(&self) -> Option<&Port> {
        self.parts().ok()?.port.as_ref()
    }

    /// Waits until this process has it for itself. Dropping the future gives up waiting.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where its lease cannot be taken, whoever has it.
    pub async fn hold(&self) -> Result<Held, TargetError> {
        if !self.is_shared() {
            return Ok(Held::nothing());
        }
        let holder = lease::Holder::this_process(self.options.run.as_deref());
        let lease = self.options.leases.take(&self.identity, &holder).await;
        let lease = lease.map_err(|error| TargetError::Blocked(error.to_string()))?;
        Ok(Held::new(lease, self.over.clone()))
    }

    /// Whether others may want it, too.
    fn is_shared(&self) -> bool {
        lease::is_shared(&self.definition)
    }

    fn health(&self) -> Result<Health, TargetError> {
        Health::open(&self.options.state, &self.identity).map_err(|error| TargetError::Blocked(error.to_string()))
    }

    fn over(&self) -> MutexGuard<'_, Option<Over>> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the last session's probe is free.
    ///
    /// # Errors
    /// [`TargetError::Bench`] where a call to it never came back.
    async fn let_go(&self) -> Result<(), TargetError> {
        let over = self.over().clone();
        let Some(mut over) = over else { return Ok(()) };
        if over.within(LET_GO).await {
            return Ok(());
        }
        tracing::warn!(board = %self.info.id, "a call to its probe does not come back");
        Err(TargetError::Bench(
            "the probe is still held by a call that does not come back: unplug it and plug it in again".to_owned(),
        ))
    }

    /// What its ticks are; `None`: as the firmware says.
    fn ticks(&self) -> Option<Ticks> {
        if let Some(instructions) = self.instructions() {
            return Some(Ticks::Instructions(instructions));
        }
        self.port()?;
        let claimed = self.definition.clock_hz;
        let measured = self.measured.get().copied().flatten();
        let believed = claimed.filter(|hz| measured.is_none_or(|measured| measured.agrees_with(*hz).is_ok()));
        Some(Ticks::OfRate(believed))
    }

    fn instructions(&self) -> Option<Instructions> {
        let machine = self.definition.simulated.as_deref()?;
        let qemu =
            firmware::ports().iter().filter_map(|port| port.qemu.as_ref()).find(|qemu| qemu.machine == machine)?;
        Some(Instructions { clock_hz: self.port()?.clock_hz, icount_shift: qemu.icount_shift })
    }
}

/// The clock that its definition promises; the handshake has the last word.
fn clock_of(definition: &Definition, core: &str) -> Clock {
    if definition.is_simulated() {
        return Clock::QemuInstructions;
    }
    let hz = definition.clock_hz.unwrap_or(0);
    // Armv6-M has no cycle counter.
    if core.starts_with("Cortex-M0") { Clock::BoardTimer { hz } } else { Clock::BoardCycles { hz } }
}

#[async_trait]
impl Target for Board {
    fn info(&self) -> &TargetInfo {
        &self.info
    }

    async fn availability(&self) -> Availability {
        if !self.is_shared() {
            return match &self.options.simulator {
                Some(simulator) => simulator.availability(&self.definition).await,
                None => Availability::Absent { reason: "simulated boards cannot be started here".to_owned() },
            };
        }
        let absent = |reason: String| Availability::Absent { reason };
        if self.definition.probe.is_some() {
            return match self.attached().await {
                Ok(attached) => Availability::Ready { tool: format!("probe-rs with {}", attached.name) },
                Err(error) => absent(error.to_string()),
            };
        }
        match self.definition.serial().and_then(|port| port.identity.as_ref()) {
            Some(identity) => match serial::resolve(identity) {
                Ok(path) => Availability::Ready { tool: format!("serial port {}", path.display()) },
                Err(error) => absent(error.to_string()),
            },
            None => absent("its definition names neither probe nor serial port".to_owned()),
        }
    }

    async fn prepare(&self) -> Result<(), TargetError> {
        self.firmware().await?;
        self.play().await.map(|_| ())
    }

    async fn reserve(&self) -> Result<Reservation, TargetError> {
        if !self.is_shared() {
            return Ok(Reservation::none());
        }
        let health = self.health()?;
        self.refuse_if_left_alone(&health)?;
        let held = self.hold().await?;
        self.admit(&health).await?;
        Ok(Reservation::holding(held))
    }

    async fn held_by(&self) -> Option<String> {
        let holder = self.options.leases.held_by(&self.identity)?;
        // Then nobody is in the way: between the lease and the job the board is looked after.
        if holder.pid == std::process::id() && holder.run == self.options.run {
            return Some("this run, which looks after the board first".to_owned());
        }
        Some(holder.to_string())
    }

    async fn after(&self, outcome: Result<(), &TargetError>) {
        // Nobody else may have the board while a thread of ours is at its probe. One that hangs was warned of.
        let free = self.let_go().await;
        if outcome.is_err() {
            self.flashed.store(false, Ordering::SeqCst);
        }
        let outcome = outcome.and(free.as_ref().copied());
        if self.is_shared() {
            self.note(outcome).await;
        } else if matches!(outcome, Err(TargetError::Bench(_))) {
            // Its process may be gone, or out of order: the next attempt starts another.
            self.end_played().await;
        }
    }

    fn log_of_failure(&self) -> String {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    async fn prepare_for(&self, job: &JobSpec) -> Result<(), TargetError> {
        if let (true, Some(port)) = (job.own_firmware, &self.parts()?.port) {
            self.options.builder.own(port, &job.model).await.map_err(|error| error.verdict())?;
        }
        Ok(())
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        self.begin_notes();
        self.let_go().await?;
        match self.firmware().await? {
            Some(mut firmware) => {
                if let (true, Some(port)) = (job.own_firmware, &self.parts()?.port) {
                    let own = self.options.builder.own(port, &job.model).await;
                    firmware = own.map_err(|error| error.verdict())?;
                }
                let (needed, available) = (firmware::ModelImage::size(&job.model), firmware.model_room);
                if needed > available {
                    return Err(Fault::DoesNotFit { what: "model".into(), needed, available }.into());
                }
                self.open_runner(job, firmware).await
            }
            None if job.own_firmware => Err(TargetError::Blocked(format!(
                "{} runs firmware of your own: tinyfarm links none for it",
                self.info.id
            ))),
            None => self.open_own(job).await,
        }
    }

    async fn shutdown(&self) {
        let _ = self.let_go().await;
        self.end_played().await;
    }
}

impl Board {
    /// Ends the simulated board, where the farm plays it itself and it was started.
    async fn end_played(&self) {
        // On a thread of its own: it may wait for a process.
        if let Some(played) = self.simulated.lock().await.take() {
            let _ = tokio::task::spawn_blocking(move || drop(played)).await;
        }
    }

    /// New notes, for a new attempt.
    fn begin_notes(&self) -> Notes {
        let notes = Notes::default();
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&notes);
        notes
    }

    fn tell(&self, event: FarmEvent) {
        self.options.news.tell(event);
    }
}
