//! What keeps a run from a board.

use super::{Presence, Seen};
use crate::{
    health::{Policy, Step, local, next_step},
    lease::Holder,
};
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;

/// What keeps a run from a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "obstacle", rename_all = "kebab-case")]
pub enum Obstacle {
    /// Another process has it: a run waits.
    Held {
        /// Who.
        by: Holder,
    },
    /// It takes no jobs: a run is blocked.
    Quarantined {
        /// By whom, since when and why.
        reason: String,
        /// When the farm will check it again; `None`: it must be released.
        until: Option<Timestamp>,
    },
    /// It is not there: a run is blocked.
    Missing {
        /// Why, and the mend.
        reason: String,
    },
    /// Its history cannot be read: a run is blocked.
    Unknown {
        /// Why, and the mend.
        reason: String,
    },
}

impl Seen {
    /// What keeps a run from this board at `now`, the weightiest first; nothing: it can have it.
    pub fn obstacles(&self, policy: &Policy, now: Timestamp) -> Vec<Obstacle> {
        let missing = match &self.presence {
            Presence::Missing { reason } => Some(Obstacle::Missing { reason: reason.clone() }),
            _ => None,
        };
        let health = match &self.health {
            None => None,
            Some(Err(reason)) => Some(Obstacle::Unknown { reason: reason.clone() }),
            Some(Ok(past)) => match next_step(&past.state, policy, now) {
                Step::StayQuarantined { until } => {
                    Some(Obstacle::Quarantined { reason: past.state.to_string(), until })
                }
                Step::Nothing | Step::Recover | Step::Check => None,
            },
        };
        let held = self.held_by.clone().map(|by| Obstacle::Held { by });
        [missing, health, held].into_iter().flatten().collect()
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { by } => write!(f, "held by {by}"),
            Self::Quarantined { reason, until: Some(until) } => {
                write!(f, "{reason}; it is checked again after {}", local(*until))
            }
            Self::Quarantined { reason, until: None } => {
                write!(f, "{reason}; `tinyfarm boards release` gives it back")
            }
            Self::Missing { reason } => write!(f, "not there: {reason}"),
            Self::Unknown { reason } => f.write_str(reason),
        }
    }
}
