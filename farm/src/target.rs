//! The contract that every place which can run a model fulfils: the container, an emulated machine, a board.
//!
//! `prepare` (once: build runner or image) → `open` (take the target, load runner and model, handshake) → [`Session`]
//! → `infer` batches → `close`. Sessions are closed, processes reaped and leases released on every path; a dropped
//! session ends what it started.

use crate::{Clock, Footprint, Handshake, Inference, JobSpec};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{any::Any, borrow::Cow, fmt, time::Duration};

/// Where in the order container, emulator, board a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The runner in a container.
    Container,
    /// The runner as a child process of the farm: it stands in for the container where no engine is to be had, is
    /// never called a container, and isolates nothing.
    Host,
    /// The runner on an emulated microcontroller.
    Emulator,
    /// The runner on a physical board.
    Board,
}

impl Stage {
    /// The word used in steps and reports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Host => "host",
            Self::Emulator => "emulator",
            Self::Board => "board",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A target's name: `container`, `host`, `qemu:mps2-an386`; a board's is the name it was given: `nucleo-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetId(pub String);

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for TargetId {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// How many jobs may be on a target at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slots {
    /// Each job takes one of the farm's shared places, as many as `--jobs` says (cores by default): emulators.
    Shared,
    /// The target has this many places of its own: a container's connections; a board has one.
    Own(usize),
}

/// What a target is, known without touching it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetInfo {
    /// Its name in steps and reports.
    pub id: TargetId,
    /// The stage it belongs to.
    pub stage: Stage,
    /// The core, as people call it: `Cortex-M4F`, `x86-64`.
    pub core: String,
    /// The clock its timings come from. A board's rate is what its definition says; the handshake has the last word.
    pub clock: Clock,
    /// How many jobs at once.
    pub slots: Slots,
    /// Whether it only plays a board.
    pub simulated: bool,
    /// Words a board is chosen by, as its definition has them; empty on all other targets.
    pub tags: Vec<String>,
    /// What it is a specimen of: targets of equal kind are equal (same chip, port and link). `None`: nothing is its equal.
    pub kind: Option<String>,
    /// The memory it has for firmware and model; `None` where that is no limit (container, host) or not known.
    #[serde(default)]
    pub memory: Option<Memory>,
}

/// The memory of a target, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// For code, constants and the model.
    pub flash: u64,
    /// For data, stack and the tensor arena.
    pub ram: u64,
}

impl TargetInfo {
    /// Its name as people are to read it: one that only plays a board says so.
    pub fn label(&self) -> String {
        label(&self.id, self.simulated)
    }

    /// Whether `other` is one like it, so that what the bench did to a job here may be tried there.
    pub fn equals(&self, other: &Self) -> bool {
        self.kind.is_some() && self.kind == other.kind
    }
}

/// The name of a target as people are to read it: `nucleo-1`, `sim-1 (simulated)`.
pub fn label(id: &TargetId, simulated: bool) -> String {
    if simulated { format!("{id} (simulated)") } else { id.to_string() }
}

/// Whether a target can be used now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Availability {
    /// It can, by this tool: `QEMU 7.2.22`.
    Ready {
        /// Name and version of the tool that runs it.
        tool: String,
    },
    /// It cannot.
    Absent {
        /// Why, and the mend: `qemu-system-arm is not on PATH; install it with scripts/setup`.
        reason: String,
    },
}

/// One place a model can run.
#[async_trait]
pub trait Target: Send + Sync + fmt::Debug {
    /// What it is.
    fn info(&self) -> &TargetInfo;

    /// Looks whether it can be used; cheap, starts no job and may be asked often.
    async fn availability(&self) -> Availability;

    /// Builds what every job on this target needs (runner, image); later calls find it done. Outside every job's time
    /// budget, so that the first job does not pay for all.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where a tool is missing or the build fails (with the compiler's own message).
    async fn prepare(&self) -> Result<(), TargetError>;

    /// Builds what just this job needs, as `prepare` does for all: the model's own firmware. Later calls find it done.
    ///
    /// # Errors
    /// As [`Target::prepare`]; [`TargetError::Fault`] where the model is at fault.
    async fn prepare_for(&self, _job: &JobSpec) -> Result<(), TargetError> {
        Ok(())
    }

    /// Waits until this process has the target for itself. Asked before each attempt, outside its time budget; held
    /// until [`Target::after`] has returned. Where the target is free, the future should be ready when first polled: of
    /// several targets that would do, a job takes the first that is. Dropping the future gives up waiting.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where waiting is no use (it is quarantined); any other error ends the attempt.
    async fn reserve(&self) -> Result<Reservation, TargetError> {
        Ok(Reservation::none())
    }

    /// Who or what has the target while [`Target::reserve`] waits: `process 4711 (qa, tinyfarm run) since 10:31`.
    async fn held_by(&self) -> Option<String> {
        None
    }

    /// An attempt ended; its session is closed, and the target still reserved. One that looks after itself keeps count
    /// here, and mends itself. An attempt that was interrupted ended as [`TargetError::Blocked`]. Must return in bounded
    /// time.
    async fn after(&self, _outcome: Result<(), &TargetError>) {}

    /// What runner and tool wrote in an `open` that came to no session; asked right after it, with the target still
    /// reserved. Empty where several can be opened at once.
    fn log_of_failure(&self) -> String {
        String::new()
    }

    /// Takes the target, loads runner and model, shakes hands and has the runner allocate the model's tensors.
    ///
    /// # Errors
    /// [`TargetError`]; whatever was taken has been released.
    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError>;

    /// Ends what the target keeps for a whole run (a container). Safe to call twice.
    async fn shutdown(&self) {}
}

/// What keeps others from a target; dropping it lets them.
#[derive(Debug, Default)]
pub struct Reservation {
    /// Only ever dropped.
    _guard: Option<Box<dyn Any + Send>>,
}

impl Reservation {
    /// Of a target that no one else can take.
    pub fn none() -> Self {
        Self::default()
    }

    /// Holds `guard` as long as the target is reserved.
    pub fn holding(guard: impl Send + 'static) -> Self {
        Self { _guard: Some(Box::new(guard)) }
    }
}

/// A target taken by one job, runner and model in place.
#[async_trait]
pub trait Session: Send {
    /// What the runner said of itself and of the model it holds; its model digest has been checked against the job's.
    fn handshake(&self) -> &Handshake;

    /// What the firmware takes on the target; `None` where there is no firmware (container, host).
    fn footprint(&self) -> Option<Footprint>;

    /// Runs one inference for each input, in order. An input is the model's input tensors' raw bytes, concatenated in
    /// the model's order. Returns as many inferences as inputs, or an error: never fewer.
    ///
    /// `progress` is called with the count of inferences that are back.
    ///
    /// # Errors
    /// [`TargetError`]; the session can only be closed then.
    async fn infer(
        &mut self,
        inputs: &[Vec<u8>],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Inference>, TargetError>;

    /// Text the runner and its tool have written so far (TFLM's messages, the emulator's standard error).
    fn log(&self) -> String;

    /// How far it has come. Asked after `infer` was dropped because its time was up, it tells a runner that hangs from
    /// a link that does not carry.
    fn standing(&self) -> Standing;

    /// What kept `infer` from its end other than a runner that hangs: asked after it was dropped because its time was
    /// up. `None`: nothing that the session knows of.
    async fn why_late(&mut self) -> Option<TargetError> {
        None
    }

    /// Ends the session and releases the target. Must return within the job's close timeout, by force if need be.
    async fn close(self: Box<Self>);
}

/// How far a session has come, and what its link holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Inferences that came back in the last `infer`.
    pub done: u64,
    /// The reply that began and did not end: bytes there are, and bytes it should have.
    pub partial: Option<(u64, u64)>,
    /// Bytes since the handshake that belonged to no reply.
    pub garbage: u64,
}

/// Why a target could not do its part; the variant decides the verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The model or its firmware is at fault: the verdict is *fail*, and nothing is retried.
    #[error("{0}")]
    Fault(Fault),
    /// The bench is at fault: the verdict is *infra*, and the job is tried again.
    #[error("{0}")]
    Bench(String),
    /// It could not be tried, and trying again would not help: the verdict is *blocked*.
    #[error("{0}")]
    Blocked(String),
}

impl From<Fault> for TargetError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Fault {
    /// Whether it says that the target is too small for the model: for its flash, or for its arena.
    pub fn is_lack_of_room(&self) -> bool {
        matches!(self, Self::DoesNotFit { .. } | Self::ArenaTooSmall { .. })
    }
}

/// What a model or its firmware did wrong on a target. Each is a named error with its details, never silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// The model is larger than the place the target has for it.
    #[error("does not fit: the {what} needs {needed} bytes, the target has {available}")]
    DoesNotFit {
        /// `model`, `firmware` or `arena`.
        what: Cow<'static, str>,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// The tensor arena is too small for the model.
    #[error("arena too small: of {available} bytes {missing} more are needed ({detail})")]
    ArenaTooSmall {
        /// Size of the arena in bytes.
        available: u64,
        /// How many more bytes the failing allocation wanted, at least.
        missing: u64,
        /// TFLM's own words.
        detail: String,
    },
    /// The model uses an operator that the runner does not have, or not in this version.
    #[error("unsupported operator: {detail}")]
    UnsupportedOp {
        /// Name, version and TFLM's own words.
        detail: String,
    },
    /// The model's schema version is not the one the runner reads.
    #[error("schema version {found}: the runner reads version {supported}")]
    SchemaVersion {
        /// In the model.
        found: u32,
        /// In the runner.
        supported: u32,
    },
    /// The model as the target holds it is not what was sent: wrong magic, length or checksum.
    #[error("model corrupt on the target: {detail}")]
    ModelCorrupt {
        /// What differs, expected and found.
        detail: String,
    },
    /// The model lies at an address that TFLM cannot use.
    #[error("model misaligned: it lies at {address:#010x}, and 16-byte alignment is wanted")]
    ModelMisaligned {
        /// Where it lies.
        address: u64,
    },
    /// The runner refused the model or an input for another reason.
    #[error("rejected by the runner: {detail}")]
    Rejected {
        /// The runner's own words.
        detail: String,
    },
    /// `Invoke` failed on a sample.
    #[error("inference failed at sample {sample}: {detail}")]
    InvokeFailed {
        /// Index in the dataset, from 0.
        sample: u64,
        /// TFLM's own words.
        detail: String,
    },
    /// The core faulted (HardFault and its kin), with the registers that were stacked.
    #[error("{name} at {pc:#010x} (lr {lr:#010x}{symbol}): {detail}", symbol = symbol.as_ref().map(|s| format!(", in {s}")).unwrap_or_default())]
    HardFault {
        /// `HardFault`, `UsageFault`, `unexpected interrupt 12`.
        name: String,
        /// Program counter.
        pc: u32,
        /// Link register.
        lr: u32,
        /// The function that holds the program counter, where known.
        symbol: Option<String>,
        /// The fault status registers, in words.
        detail: String,
    },
    /// The runner ended or the core locked up.
    #[error("crashed: {detail}")]
    Crash {
        /// Signal, exit status or emulator's message.
        detail: String,
    },
    /// The runner took a batch and stopped answering.
    #[error("hung: no answer within {after:?}, after {done} of {of} inferences")]
    Hung {
        /// The time that was allowed.
        after: Duration,
        /// Inferences that came back.
        done: u64,
        /// Inferences that were asked for.
        of: u64,
    },
}
