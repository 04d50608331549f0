//! What is attached to this machine: debug probes on USB, and simulated boards, whose bench is a folder that stands for
//! the USB bus.
//!
//! | module | what lives there |
//! |---|---|
//! | `usb` | probes on USB, as probe-rs lists them, with their places |
//! | `bench` | the folder of a simulated bench |
//! | [`resolve`](resolve()) | a probe by serial number or selector |
//! | [`watch`](watch()) | what is plugged and unplugged |
//! | `news` | waking up when something may have changed |
//! | [`environment`](environment()) | what keeps a user from using what is attached, and the mend |

mod bench;
pub mod environment;
pub(crate) mod news;
mod resolve;
mod usb;
mod watch;

pub use environment::{Environment, environment};
pub(crate) use resolve::same_serial;
pub use resolve::{ResolveError, resolve};
pub use watch::{Change, watch};

use serde::Serialize;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Something with a debug probe, physical or simulated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// The probe's serial number, as probe-rs tells it.
    pub serial: Option<String>,
    /// What probe-rs opens it by.
    pub selector: String,
    /// What kind of probe it is: `STLink V2-1`; `simulated netduinoplus2`.
    pub name: String,
    /// Where it is attached: its USB path (`1-4.2`), its place on the simulated bench, or the address of its socket.
    pub place: String,
    /// It is no real one.
    pub simulated: bool,
    /// The serial port that belongs to it, under its most stable name.
    pub uart: Option<PathBuf>,
}

/// `STLink V2-1 0483:374b:066BFF… at USB 1-4.2`
impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.serial, self.simulated) {
            (Some(serial), true) => write!(f, "{} {serial} at place {}", self.name, self.place),
            _ => write!(f, "{} {} at {}", self.name, self.selector, self.place),
        }
    }
}

/// The bench cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The folder of the simulated bench, or a file in it, cannot be read.
    #[error("cannot read the simulated bench at {path}: {source}; let `bench` under [boards] of tinyfarm.toml name a folder that you may read", path = path.display())]
    Read {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process holds a file there which is none of a simulated board.
    #[error("{path} is not what a simulated board of this version writes ({why}): stop the process that holds it, or let `bench` under [boards] of tinyfarm.toml name another folder", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What is attached now: probes on USB in the order of their places, then what stands on the simulated bench `bench`
/// (a folder, which need not exist). Without USB there is nothing on it.
///
/// Blocks for some milliseconds.
///
/// # Errors
/// [`BusError`], when the simulated bench is there and cannot be read.
pub fn attached(bench: &Path) -> Result<Vec<Attached>, BusError> {
    let mut all = usb::attached();
    all.extend(bench::attached(bench)?);
    Ok(all)
}
