//! A job: one model over one dataset on one target. It has attempts; only infra leads to another.

use crate::{Dataset, Digest, Evidence, Judgement, Model, TargetId, Verdict, target::Fault};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};

/// A job's number within its run, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.0)
    }
}

/// How long each phase of an attempt may take. Every attempt has this budget anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timeouts {
    /// Take the target, load, shake hands.
    pub open: Duration,
    /// All inferences of the job.
    pub infer: Duration,
    /// Give the target back.
    pub close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { open: Duration::from_secs(30), infer: Duration::from_secs(300), close: Duration::from_secs(10) }
    }
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// The model; its flatbuffer has been verified.
    pub model: Arc<Model>,
    /// The dataset; it has been checked against the model.
    pub dataset: Arc<Dataset>,
    /// Where.
    pub target: TargetId,
    /// Other targets where it may run just as well: it takes the first that is free, and infra is retried on one that
    /// has not been tried, an equal one (by [`crate::TargetInfo::kind`]) before others.
    pub alternates: Vec<TargetId>,
    /// No more of the target's tensor arena may be used than this, bytes; `None`: all there is.
    pub arena_limit: Option<u64>,
    /// Time budget of each attempt.
    pub timeouts: Timeouts,
    /// How many more attempts infra may cost.
    pub retries: u32,
    /// Whether the firmware is the model's own: just the operators that it uses, and the model inside. Of no meaning where
    /// there is no firmware.
    pub own_firmware: bool,
    /// Which measurement this is of those that are otherwise the same: 0 for the first. A figure on a real clock is measured
    /// again before it counts as worse than its baseline.
    pub rerun: u32,
}

/// Two specs with equal keys ask for the same evidence, so one job serves both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobKey {
    model: Digest,
    dataset: Digest,
    target: TargetId,
    alternates: Vec<TargetId>,
    arena_limit: Option<u64>,
    timeouts: Timeouts,
    retries: u32,
    own_firmware: bool,
    rerun: u32,
}

impl JobSpec {
    /// What makes this job the same as another.
    pub fn key(&self) -> JobKey {
        JobKey {
            model: self.model.digest(),
            dataset: self.dataset.digest(),
            target: self.target.clone(),
            alternates: self.alternates.clone(),
            arena_limit: self.arena_limit,
            timeouts: self.timeouts,
            retries: self.retries,
            own_firmware: self.own_firmware,
            rerun: self.rerun,
        }
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// From 1.
    pub number: u32,
    /// Where it ran.
    pub target: TargetId,
    /// Pass: evidence came back. It says nothing yet of criteria.
    pub verdict: Verdict,
    /// Why, where it is no pass.
    pub reason: String,
    /// From taking the target to giving it back.
    pub took: Duration,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    /// Its number.
    pub id: JobId,
    /// Model by name.
    pub model: String,
    /// Dataset by name.
    pub dataset: String,
    /// Where its last attempt ran, or its first would have.
    pub target: TargetId,
    /// Whether that only plays a board.
    pub simulated: bool,
    /// Pass if evidence came back, which criteria may then judge; else why none did.
    pub judgement: Judgement,
    /// The fault behind a fail.
    pub fault: Option<Fault>,
    /// Every attempt, in order; none where it was blocked before the first.
    pub attempts: Vec<AttemptReport>,
    /// What came back; `Some` exactly when the judgement is a pass.
    pub evidence: Option<Arc<Evidence>>,
    /// What runner and tool wrote in the last attempt; there even where no evidence is.
    pub log: String,
    /// Whether it asked for the model's own firmware ([`JobSpec::own_firmware`]).
    #[serde(default)]
    pub own_firmware: bool,
    /// Which measurement it was of those that are otherwise the same ([`JobSpec::rerun`]); 0 for the first.
    #[serde(default)]
    pub rerun: u32,
}
