//! What can happen to a board: the lines of its history.

use super::State;
use farm::TargetError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// The user whose process wrote it.
    pub user: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen to a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An attempt brought evidence.
    Served,
    /// An attempt ended with a fault of the model or its firmware: the board did its part.
    ModelFailed,
    /// An attempt ended because the bench is at fault.
    Infra {
        /// How it showed.
        reason: String,
    },
    /// It was power-cycled or reset, or that was tried.
    Recovered {
        /// What was done: `power-cycled by uhubctl …`, `reset by the probe`, or why that did not work.
        how: String,
    },
    /// A health check passed.
    CheckPassed,
    /// A health check did not pass.
    CheckFailed {
        /// What it showed.
        reason: String,
    },
    /// Somebody took it out of use.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// Somebody gave it back.
    Released,
    /// What older lines, which are gone, added up to.
    Summary {
        /// Their counts.
        tally: Tally,
        /// The state they led to.
        state: State,
    },
}

impl Event {
    /// What the end of an attempt says of the board; `None` where it was not tried.
    pub fn of_attempt(outcome: Result<(), &TargetError>) -> Option<Self> {
        match outcome {
            Ok(()) => Some(Self::Served),
            Err(TargetError::Fault(_)) => Some(Self::ModelFailed),
            Err(TargetError::Bench(reason)) => Some(Self::Infra { reason: reason.clone() }),
            Err(TargetError::Blocked(_)) => None,
        }
    }

    /// What the end of a health check says; `None` where it could not be made. The reference model is known to be
    /// sound, so that a fault is the board's.
    pub fn of_check(outcome: Result<(), &TargetError>) -> Option<Self> {
        match outcome {
            Ok(()) => Some(Self::CheckPassed),
            Err(error @ (TargetError::Fault(_) | TargetError::Bench(_))) => {
                Some(Self::CheckFailed { reason: error.to_string() })
            }
            Err(TargetError::Blocked(_)) => None,
        }
    }
}

/// As a person reads a line of history.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served => write!(f, "served a job"),
            Self::ModelFailed => write!(f, "served a job, whose model failed"),
            Self::Infra { reason } => write!(f, "infra: {reason}"),
            Self::Recovered { how } => write!(f, "recovery: {how}"),
            Self::CheckPassed => write!(f, "health check passed"),
            Self::CheckFailed { reason } => write!(f, "health check failed: {reason}"),
            Self::Quarantined { reason } => write!(f, "quarantined by hand: {reason}"),
            Self::Released => write!(f, "released by hand"),
            Self::Summary { tally, .. } => write!(f, "before: {tally}"),
        }
    }
}

/// How often what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Attempts that brought evidence.
    pub served: u64,
    /// Attempts whose model failed.
    pub model_failed: u64,
    /// Attempts that the bench ended.
    pub infra: u64,
    /// Power cycles and resets.
    pub recovered: u64,
    /// Health checks that passed.
    pub checks_passed: u64,
    /// Health checks that did not.
    pub checks_failed: u64,
    /// Quarantines by hand.
    pub quarantined: u64,
    /// Releases by hand.
    pub released: u64,
    /// Lines that could not be read.
    pub damaged: u64,
}

impl Tally {
    /// Counts one more event.
    pub fn count(&mut self, event: &Event) {
        let counter = match event {
            Event::Served => &mut self.served,
            Event::ModelFailed => &mut self.model_failed,
            Event::Infra { .. } => &mut self.infra,
            Event::Recovered { .. } => &mut self.recovered,
            Event::CheckPassed => &mut self.checks_passed,
            Event::CheckFailed { .. } => &mut self.checks_failed,
            Event::Quarantined { .. } => &mut self.quarantined,
            Event::Released => &mut self.released,
            Event::Summary { tally, .. } => return self.add(tally),
        };
        *counter += 1;
    }

    fn add(&mut self, other: &Self) {
        self.served += other.served;
        self.model_failed += other.model_failed;
        self.infra += other.infra;
        self.recovered += other.recovered;
        self.checks_passed += other.checks_passed;
        self.checks_failed += other.checks_failed;
        self.quarantined += other.quarantined;
        self.released += other.released;
        self.damaged += other.damaged;
    }
}

/// `served 12, infra 1`, or `nothing yet`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.served, "served"),
            (self.model_failed, "model failed"),
            (self.infra, "infra"),
            (self.recovered, "recovered"),
            (self.checks_passed, "checks passed"),
            (self.checks_failed, "checks failed"),
            (self.quarantined, "quarantined by hand"),
            (self.released, "released"),
            (self.damaged, "unreadable"),
        ];
        let some = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{word} {count}"));
        let text = some.collect::<Vec<_>>().join(", ");
        f.write_str(if text.is_empty() { "nothing yet" } else { &text })
    }
}
