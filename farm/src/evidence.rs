//! What a job brings back: outputs, timings with their clock, memory, log and provenance.

use crate::{Clock, Digest, TargetInfo};
use serde::{Deserialize, Serialize};

/// What the runner said of itself and of the model it holds before the first inference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// Version of the runner.
    pub runner: String,
    /// Digest of the runner's build (sources, flags, compiler).
    pub runner_digest: String,
    /// Version of TFLM the runner was built with.
    pub tflm: String,
    /// Core it runs on, in the runner's words.
    pub core: String,
    /// The clock its timings come from, with the rate it reported.
    pub clock: Clock,
    /// Digest of the model it holds.
    pub model: Digest,
    /// Tensor arena there is, bytes.
    pub arena_size: u64,
    /// Tensor arena the model uses, bytes, as `MicroInterpreter::arena_used_bytes` tells it.
    pub arena_used: u64,
}

/// What the firmware takes on the target, in bytes, as `size` counts it. The model is not in `text`, also where it is linked
/// into its own firmware; the sizes are then of what would ship ([`crate::JobSpec::own_firmware`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Code and constants (flash).
    pub text: u64,
    /// Initialised data (flash and RAM).
    pub data: u64,
    /// Zeroed data (RAM), the arena not counted.
    pub bss: u64,
}

/// One inference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inference {
    /// The output tensors' raw bytes, concatenated in the model's order.
    #[serde(with = "crate::number::hex")]
    pub output: Vec<u8>,
    /// How long `Invoke` took, in ticks of the job's [`Clock`].
    pub ticks: u64,
}

/// Which things made this evidence: digests and versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Model file.
    pub model: Digest,
    /// Dataset as encoded for the model.
    pub dataset: Digest,
    /// Digest of the runner's build, as the runner reported it.
    pub runner: String,
    /// TFLM version, as the runner reported it.
    pub tflm: String,
    /// Name and version of the tool that ran the target.
    pub tool: String,
}

/// All that one attempt of a job brought back. Inference `i` belongs to sample `i` of the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it ran.
    pub target: TargetInfo,
    /// One for each sample of the dataset.
    pub inferences: Vec<Inference>,
    /// The clock of every timing in it.
    pub clock: Clock,
    /// What the runner said first.
    pub handshake: Handshake,
    /// The firmware's sizes; `None` on container and host.
    pub footprint: Option<Footprint>,
    /// What runner and tool wrote.
    pub log: String,
    /// What made it.
    pub provenance: Provenance,
}
