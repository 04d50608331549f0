//! What can go wrong between the robot server and its client.

use std::{io, path::PathBuf, time::Duration};

/// A call to the robot server that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RobotError {
    /// The robot server cannot be reached.
    #[error("the robot server cannot be reached ({0}); see whether renode still runs")]
    Io(#[from] io::Error),
    /// The connection ended before the answer was there. The call may have taken effect.
    #[error("the robot server closed the connection during {during}; renode has likely ended, and its log says why")]
    Closed {
        /// The call that was not answered.
        during: String,
    },
    /// An HTTP status other than 200.
    #[error("the robot server answered HTTP status {0}")]
    Http(u16),
    /// An answer that is not the XML-RPC of a robot server.
    #[error("the answer is not that of a robot server: {0}")]
    Protocol(String),
    /// An XML-RPC fault. Code 1: no such keyword; 2: the arguments do not fit it; 0: the answer cannot be put in
    /// XML-RPC (a Python `ulong`, a `dict`, ...), or the call was malformed.
    #[error("fault {code} of the robot server: {message}")]
    Fault {
        /// `faultCode`.
        code: i32,
        /// `faultString`.
        message: String,
    },
    /// The keyword, or the command given to it, failed.
    #[error("{keyword} failed: {message}")]
    Keyword {
        /// The name of the keyword.
        keyword: String,
        /// What Renode says, without blanks at its end.
        message: String,
        /// The stack trace of Renode.
        traceback: Option<String>,
    },
    /// What was waited for did not come within its virtual time. Renode answers an invalid regular expression in the
    /// same way.
    #[error("{waited_for:?} did not come on the UART in {timeout:?} of virtual time")]
    Timeout {
        /// The text, the bytes or the regular expression.
        waited_for: String,
        /// Virtual time.
        timeout: Duration,
        /// What the terminal tester saw.
        report: String,
    },
    /// The emulation runs, so time cannot be driven by `RunFor`.
    #[error("the emulation is started already; pause it first")]
    Started,
    /// A text that Renode would take for something else.
    #[error("{text:?} cannot be passed to renode unchanged: {reason}")]
    UnsafeArgument {
        /// The text.
        text: String,
        /// Why.
        reason: &'static str,
    },
    /// A path that cannot be written in a monitor command.
    #[error("the path {path:?} cannot be passed to renode: {reason}")]
    InvalidPath {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A name of a machine, peripheral or keyword that cannot be one.
    #[error("{name:?} cannot be a name in renode: {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A time or a number that Renode does not take, or takes and misbehaves.
    #[error("{value} cannot be given to renode: {reason}")]
    InvalidValue {
        /// The value.
        value: String,
        /// Why.
        reason: &'static str,
    },
    /// The devices of the platform are there, but its register descriptions (SVD) could not be downloaded. Stock
    /// platforms ask for them in `sysbus: init: ApplySVD`.
    #[error(
        "the platform could not download its register descriptions; load an overlay that starts with \
         `using \"{platform}\"` and has a `sysbus:` entry with an `init:` of its own, which takes the place of \
         the `ApplySVD` of the platform: {message}"
    )]
    PlatformDownload {
        /// The platform.
        platform: String,
        /// What Renode says.
        message: String,
    },
    /// A file was not loaded. Renode calls a missing file "Parameters did not match the signature".
    #[error("renode could not load {path:?}; see whether it is there for renode and of the right kind: {message}")]
    Load {
        /// The file.
        path: PathBuf,
        /// What Renode says.
        message: String,
    },
    /// `LoadBinary` passed, but the memory does not hold the file.
    #[error("{path:?} is not in memory at {address:#x} after loading; see whether memory is mapped there")]
    NotLoaded {
        /// The file.
        path: PathBuf,
        /// Where it should be.
        address: u64,
    },
    /// A command passed, but its output is not of the form it has in Renode 1.16.1.
    #[error("unexpected output of {command}: {output:?}")]
    Output {
        /// The command.
        command: String,
        /// Its output.
        output: String,
    },
}
