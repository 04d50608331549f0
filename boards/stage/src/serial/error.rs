//! Why there is no serial link, and the mend.

use super::Identity;
use farm::TargetError;
use std::{path::PathBuf, time::Duration};

/// Why a serial port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SerialError {
    /// It is not attached.
    #[error(
        "the serial port {identity} is not there; {there}: plug it in, or correct `serial` in the board's definition"
    )]
    NotThere {
        /// What was looked for.
        identity: Identity,
        /// What is there instead, in words.
        there: String,
    },
    /// Several are meant.
    #[error("the serial port {identity} may be any of these: {these}; {mend}")]
    Ambiguous {
        /// What was looked for.
        identity: Identity,
        /// Those that it may be.
        these: String,
        /// How to tell them apart.
        mend: &'static str,
    },
    /// Somebody else has it open.
    #[error("the serial port {identity} ({path}) is held by {holder}: end that, or wait until it is done", path = path.display())]
    Busy {
        /// Which.
        identity: Identity,
        /// What it is called now.
        path: PathBuf,
        /// Who, in words.
        holder: String,
    },
    /// This user may not open it.
    #[error("the serial port {identity} ({path}) may not be opened by this user: {mend}", path = path.display())]
    Denied {
        /// Which.
        identity: Identity,
        /// What it is called now.
        path: PathBuf,
        /// What to do.
        mend: String,
    },
    /// It cannot be opened or set up for another reason.
    #[error("cannot open the serial port {identity} ({path}) at {baud} baud: {why}; is this a serial port, and can it do this rate?", path = path.display())]
    Open {
        /// Which.
        identity: Identity,
        /// What it is called now.
        path: PathBuf,
        /// Bits per second that were asked for.
        baud: u32,
        /// Why.
        why: String,
    },
    /// It went away and stayed away.
    #[error("the serial port {identity} did not come back within {limit:?}: {last}")]
    StayedAway {
        /// Which.
        identity: Identity,
        /// How long was waited for it.
        limit: Duration,
        /// How it was missing at the end.
        last: Box<SerialError>,
    },
}

impl SerialError {
    /// As the end of an attempt: nothing could be tried where this user may not open the port; else it is the bench's fault.
    pub(crate) fn ended(&self) -> TargetError {
        match self {
            Self::Denied { .. } => TargetError::Blocked(self.to_string()),
            Self::StayedAway { last, .. } if matches!(**last, Self::Denied { .. }) => last.ended(),
            _ => TargetError::Bench(self.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_port_that_this_user_may_not_open_is_no_fault_of_the_bench() {
        let identity = Identity::usb("0483:374b:066B", None).unwrap();
        let mend = "join the group dialout".to_owned();
        let denied = SerialError::Denied { identity: identity.clone(), path: "/dev/ttyACM0".into(), mend };
        let limit = Duration::from_secs(10);
        let stayed = SerialError::StayedAway { identity: identity.clone(), limit, last: Box::new(denied) };
        let TargetError::Blocked(reason) = stayed.ended() else { panic!("{stayed}") };
        assert!(reason.ends_with("join the group dialout"), "{reason}");
        let missing = SerialError::NotThere { identity, there: "none is attached".to_owned() };
        assert!(matches!(missing.ended(), TargetError::Bench(_)));
    }
}
