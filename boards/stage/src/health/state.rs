//! The state of a board, from its history; and what to do next. Pure: no clock is read, no file touched.

use super::{Event, Record};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Whether a board can be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It can.
    #[default]
    Healthy,
    /// The bench ended the last attempts.
    Suspect {
        /// How many, one after the other; at least 1.
        infra: u32,
        /// What the last one showed.
        reason: String,
    },
    /// It was power-cycled or reset, and a health check must tell whether that was enough.
    Recovering {
        /// What had made it suspect.
        reason: String,
    },
    /// It takes no jobs.
    Quarantined(Quarantine),
}

/// Why a board takes no jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What its health check showed, or what somebody said.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Who did it; `None`: the farm itself, which lets it back when a health check passes.
    pub by: Option<String>,
    /// Health checks that did not pass, one after the other.
    pub failed_checks: u32,
    /// When the last of them was.
    pub checked: Option<Timestamp>,
}

/// What leads where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// As many consecutive infra faults lead to recovery and health check. 0 is as good as 1.
    pub quarantine_after: u32,
    /// A board that quarantined itself is checked again after this time, then after twice that, and so on.
    pub recheck_after: Duration,
    /// But never later than this after the last check.
    pub recheck_most: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { quarantine_after: 3, recheck_after: Duration::from_secs(60), recheck_most: Duration::from_secs(60 * 60) }
    }
}

/// What to do next with a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it may take jobs.
    Nothing,
    /// Power-cycle or reset it, and record [`Event::Recovered`].
    Recover,
    /// Make a health check, and record how it ended.
    Check,
    /// Leave it alone.
    StayQuarantined {
        /// Until then, when it is to be checked again; `None`: until somebody releases it.
        until: Option<Timestamp>,
    },
}

/// The state that a history leads to.
pub fn derive<'a>(history: impl IntoIterator<Item = &'a Record>) -> State {
    history.into_iter().fold(State::Healthy, State::after)
}

impl State {
    /// The state after one more event.
    #[must_use]
    pub fn after(self, record: &Record) -> Self {
        let reason_so_far = |state: Self| match state {
            Self::Suspect { reason, .. } | Self::Recovering { reason } => reason,
            Self::Healthy | Self::Quarantined(_) => String::new(),
        };
        match (self, &record.event) {
            (_, Event::Summary { state, .. }) => state.clone(),
            (_, Event::Released) => Self::Healthy,
            (state, Event::Quarantined { reason }) => Self::Quarantined(Quarantine {
                reason: reason.clone(),
                since: record.at,
                by: Some(record.user.clone()),
                failed_checks: state.quarantine().map_or(0, |quarantine| quarantine.failed_checks),
                checked: state.quarantine().and_then(|quarantine| quarantine.checked),
            }),
            // By hand: nothing that happens on the board lets it back.
            (Self::Quarantined(quarantine), event) if quarantine.by.is_some() => {
                Self::Quarantined(quarantine.checked_by(event, record.at))
            }
            (_, Event::CheckPassed) => Self::Healthy,
            (Self::Quarantined(quarantine), event) => Self::Quarantined(quarantine.checked_by(event, record.at)),
            (_, Event::CheckFailed { reason }) => Self::Quarantined(Quarantine {
                reason: reason.clone(),
                since: record.at,
                by: None,
                failed_checks: 1,
                checked: Some(record.at),
            }),
            (_, Event::Served | Event::ModelFailed) => Self::Healthy,
            (Self::Suspect { infra, .. }, Event::Infra { reason }) => {
                Self::Suspect { infra: infra.saturating_add(1), reason: reason.clone() }
            }
            (_, Event::Infra { reason }) => Self::Suspect { infra: 1, reason: reason.clone() },
            (state, Event::Recovered { .. }) => Self::Recovering { reason: reason_so_far(state) },
        }
    }

    /// Its quarantine, if it is in one.
    pub fn quarantine(&self) -> Option<&Quarantine> {
        match self {
            Self::Quarantined(quarantine) => Some(quarantine),
            _ => None,
        }
    }

    /// Its name in events and lists.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Suspect { .. } => "suspect",
            Self::Recovering { .. } => "recovering",
            Self::Quarantined(_) => "quarantined",
        }
    }
}

impl Quarantine {
    /// Counts a failed check; nothing else changes a quarantine from within.
    fn checked_by(self, event: &Event, at: Timestamp) -> Self {
        match event {
            Event::CheckFailed { reason } => Self {
                reason: if self.by.is_some() { self.reason } else { reason.clone() },
                failed_checks: self.failed_checks.saturating_add(1),
                checked: Some(at),
                ..self
            },
            _ => self,
        }
    }

    /// When the farm checks it again; `None`: never, somebody must release it.
    pub fn due(&self, policy: &Policy) -> Option<Timestamp> {
        if self.by.is_some() {
            return None;
        }
        let doubled = 1_u32.checked_shl(self.failed_checks.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = policy.recheck_after.saturating_mul(doubled).min(policy.recheck_most);
        Some(self.checked.unwrap_or(self.since).saturating_add(pause).unwrap_or(Timestamp::MAX))
    }
}

/// What to do next with a board in this state.
pub fn next_step(state: &State, policy: &Policy, now: Timestamp) -> Step {
    match state {
        State::Healthy => Step::Nothing,
        State::Suspect { infra, .. } if *infra >= policy.quarantine_after => Step::Recover,
        State::Suspect { .. } => Step::Nothing,
        State::Recovering { .. } => Step::Check,
        State::Quarantined(quarantine) => match quarantine.due(policy) {
            None => Step::StayQuarantined { until: None },
            // A last check in the future is the word of a clock that was wrong: nobody should have to wait for it.
            Some(due) if due <= now || quarantine.checked.is_some_and(|checked| checked > now) => Step::Check,
            Some(due) => Step::StayQuarantined { until: Some(due) },
        },
    }
}

/// `quarantined by ann since 2026-03-01 14:03:05: the cable is loose`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.pad(self.word()),
            Self::Suspect { infra: 1, reason } => write!(f, "suspect after an infra fault: {reason}"),
            Self::Suspect { infra, reason } => write!(f, "suspect after {infra} infra faults in a row: {reason}"),
            Self::Recovering { reason } => write!(f, "recovering: {reason}"),
            Self::Quarantined(quarantine) => quarantine.fmt(f),
        }
    }
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = local(self.since);
        match &self.by {
            Some(user) => write!(f, "quarantined by {user} since {since}: {}", self.reason),
            None => write!(f, "quarantined since {since}, its health check did not pass: {}", self.reason),
        }
    }
}

/// A time as people here read it.
pub(crate) fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%F %T").to_string()
}
