//! What can go wrong with External Control.

use std::io;
use std::time::Duration;

use super::codec::Command;

/// What can go wrong with External Control.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalControlError {
    /// The format of this version is not spoken here; no byte was sent.
    #[error("external control of renode {version} is not spoken, only that of 1.15.1 to 1.16.1: use one of those")]
    Version {
        /// The version of the Renode that runs.
        version: String,
    },
    /// The command does not exist in this version; no byte was sent, for asking would stop the server for good.
    #[error("renode {version} has no {command} in external control, it came with {since}: use that or a later one")]
    NotInVersion {
        /// What was asked for.
        command: Command,
        /// The version of the Renode that runs.
        version: String,
        /// The first that has it.
        since: &'static str,
    },
    /// The run would end Renode; nothing was sent.
    #[error(
        "the emulation ran freely and may stand within a quantum, in which a run for {duration:?} ends renode: \
         call Robot::run_to_sync_point first, or drive time by run_for alone"
    )]
    WithinQuantum {
        /// What was asked for.
        duration: std::time::Duration,
    },
    /// GPIO events came with 1.15.3; no byte was sent.
    #[error("this renode tells no GPIO events: use 1.15.3 or a later one")]
    NoEvents,
    /// The capability was not asked for when connecting.
    #[error("{command} was not activated: name its capability when connecting")]
    NotActivated {
        /// What was used.
        command: Command,
    },
    /// The socket failed.
    #[error("connection for external control failed: {0}")]
    Io(#[from] io::Error),
    /// The handshake was not answered.
    #[error(
        "no answer to the handshake of external control in {patience:?}: renode serves one client at a time, close the \
         other (and a build later than 1.16.1 speaks another format)"
    )]
    Silent {
        /// How long was waited.
        patience: Duration,
    },
    /// Renode refused the command; the connection goes on.
    #[error("{command} failed: {message}")]
    CommandFailed {
        /// What was asked.
        command: Command,
        /// As Renode said it.
        message: String,
    },
    /// Renode stopped its External Control server for good; a new one is needed (`emulation
    /// CreateExternalControlServer` under another name and port).
    #[error("external control has stopped for good: {message}: create a new server on another port")]
    Fatal {
        /// As Renode said it.
        message: String,
    },
    /// Renode closed the connection before it answered.
    #[error(
        "renode closed the connection during {during}: it has ended, or the emulation was cleared, see the log of renode"
    )]
    Closed {
        /// What was under way.
        during: String,
    },
    /// An earlier failure ended the connection.
    #[error("external control is no longer connected: {reason}")]
    Dead {
        /// What ended it.
        reason: String,
    },
    /// Renode sent what this protocol does not know.
    #[error("unexpected answer in external control: {0}")]
    Protocol(String),
    /// The pin is outside of what was declared, or Renode does not have it. It was not set: a pin that does not exist
    /// ends Renode.
    #[error("pin {pin} of {name} is out of range, {pins} pins were declared or fewer exist")]
    PinOutOfRange {
        /// The GPIO port.
        name: String,
        /// The pin asked for.
        pin: u32,
        /// How many were declared.
        pins: u32,
    },
    /// The converter has fewer channels. Renode was not asked: what it does then depends on the model.
    #[error("channel {channel} of {name} is out of range, it has {channels}")]
    ChannelOutOfRange {
        /// The converter.
        name: String,
        /// The channel asked for.
        channel: u32,
        /// How many there are.
        channels: u32,
    },
    /// A name was empty.
    #[error("the name of a machine or peripheral is empty")]
    EmptyName,
    /// A time that cannot be sent unchanged.
    #[error("cannot run for {duration:?}: give whole microseconds, up to 292 years")]
    Duration {
        /// What was asked.
        duration: Duration,
    },
    /// Data whose length is no multiple of the access width.
    #[error("{length} bytes are no whole number of {width}-byte units")]
    Unit {
        /// Bytes given.
        length: usize,
        /// Bytes a unit has.
        width: usize,
    },
    /// The access runs over the end of the address space.
    #[error("{length} bytes at {address:#x} run over the end of the address space")]
    AddressRange {
        /// Where the access starts.
        address: u64,
        /// Bytes it has.
        length: usize,
    },
}
