//! What is known of every board without touching it: whether it is there, who has it, how it is.

use super::Bench;
use crate::{
    bus::{self, Attached, BusError},
    definition::Definition,
    health::{Health, HealthError, History, State, Tally},
    lease::{self, Holder},
    serial,
};
use serde::Serialize;
use std::path::PathBuf;

/// All boards at one moment.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The boards that are defined, in the order of their names.
    pub boards: Vec<Seen>,
    /// What is attached and no definition names.
    pub strangers: Vec<Attached>,
}

/// A board at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it is.
    pub definition: Definition,
    /// What leases and histories know it by.
    pub identity: String,
    /// Whether it is there.
    pub presence: Presence,
    /// Who has it.
    pub held_by: Option<Holder>,
    /// How it is, or why that is not known; `None`: it is started anew for each run, and has no past.
    pub health: Option<Result<Past, String>>,
}

/// What a board's history says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// How it is.
    pub state: State,
    /// How often what happened.
    pub tally: Tally,
    /// Lines that could not be read.
    pub damaged: usize,
}

/// Whether a board is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Presence {
    /// Its probe is attached.
    Attached(Attached),
    /// Its serial port is, at this device.
    Port {
        /// The device, under its most stable name.
        device: PathBuf,
    },
    /// It is simulated, and the farm starts it when it is wanted.
    Startable,
    /// It is not.
    Missing {
        /// Why, and the mend.
        reason: String,
    },
}

impl Presence {
    /// Whether it is there by what is attached so.
    fn is(&self, attached: &Attached) -> bool {
        matches!(self, Self::Attached(one) if one.selector == attached.selector)
    }

    /// Whether a job could have it.
    pub fn is_there(&self) -> bool {
        !matches!(self, Self::Missing { .. })
    }
}

impl Bench {
    /// Looks at every board, and at what is attached. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`BusError`] where the simulated bench cannot be read.
    pub fn survey(&self) -> Result<Survey, BusError> {
        let boards: Vec<Seen> = self.definitions.boards.iter().map(|definition| self.look_at(definition)).collect();
        let known = |attached: &Attached| boards.iter().any(|board| board.presence.is(attached));
        let strangers = bus::attached(&self.folder)?.into_iter().filter(|attached| !known(attached)).collect();
        Ok(Survey { boards, strangers })
    }

    /// Looks at one board. Blocks for some milliseconds.
    pub fn look_at(&self, definition: &Definition) -> Seen {
        let identity = lease::identity(definition, &self.folder);
        Seen {
            presence: self.presence(definition),
            held_by: self.leases.held_by(&identity),
            health: self.past(definition),
            definition: definition.clone(),
            identity,
        }
    }

    /// The board that is defined by what is attached, if one is. Blocks for some milliseconds.
    pub fn board_of(&self, attached: &Attached) -> Option<&Definition> {
        self.definitions.boards.iter().find(|board| self.presence(board).is(attached))
    }

    /// The health of a board; `None`: it is started anew for each run, and has no past.
    ///
    /// # Errors
    /// [`HealthError`] where the folder of the histories cannot be made.
    pub fn health(&self, definition: &Definition) -> Option<Result<Health, HealthError>> {
        let identity = || lease::identity(definition, &self.folder);
        lease::is_shared(definition).then(|| Health::open(&self.state, &identity()))
    }

    fn presence(&self, definition: &Definition) -> Presence {
        let missing = |reason: String| Presence::Missing { reason };
        if let Some(probe) = &definition.probe {
            return match bus::resolve(probe, &self.folder) {
                Ok(attached) => Presence::Attached(attached),
                Err(error) => missing(error.to_string()),
            };
        }
        match definition.serial().and_then(|port| port.identity.as_ref()) {
            Some(identity) => match serial::resolve(identity) {
                Ok(device) => Presence::Port { device },
                Err(error) => missing(error.to_string()),
            },
            None => Presence::Startable,
        }
    }

    fn past(&self, definition: &Definition) -> Option<Result<Past, String>> {
        let history = self.health(definition)?.and_then(|health| health.history());
        let past =
            |history: History| Past { state: history.state(), tally: history.tally(), damaged: history.damaged.len() };
        Some(history.map(past).map_err(|error| error.to_string()))
    }
}
