//! The process: finding Renode, starting it, and ending it with all that it started.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use renode_rs::{Installation, StartOptions};
//!
//! let renode = Installation::find(&[])?.start(&StartOptions::default()).await?;
//! println!("Renode {}", renode.version());
//! renode.robot().execute("mach create \"board\"").await?;
//! println!("ended: {}", renode.end().await);
//! # Ok(())
//! # }
//! ```
//!
//! # What a started Renode gets
//! - A private folder, only for its user (0700): its `TMPDIR` (at its start, Renode removes the `renode-*` folders in there of
//!   others), its `HOME` and `XDG_*_HOME` (no user's configuration changes a result; a `renode.config`
//!   beside Renode's own program does), and room for files that it is to read. What it fetches from the network is fetched anew.
//! - A robot server and a monitor on TCP ports that were free. **Stock releases listen on every interface, and a port of
//!   Renode's is code execution for whoever reaches it**: its monitor runs Python. Where others share the machine or the
//!   network, use the container image, or a network namespace.
//! - An end: it is killed, with all that it started, when the [`Renode`] is dropped and when this process ends, be it by
//!   SIGKILL. (A container is removed when the [`Renode`] is dropped, but SIGKILL leaves it.)
//!
//! Starting takes a second and more, and the first platform another: one Renode serves many jobs (`Clear`, then load again).

mod body;
mod child;
mod end;
mod find;
mod folder;
#[cfg(feature = "image")]
mod image;
mod log;
mod options;
mod ports;
mod servers;
mod start;

pub use end::{Ended, EndedBy, Exit};
pub use find::{FindError, Installation};
pub use options::{MonitorPort, StartOptions};
pub use servers::ServerError;
pub use start::StartError;

use crate::{robot::Robot, version::Version};
use body::Body;
use folder::Folder;
use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A running Renode. Dropped, it is killed with all that it started (which may take some milliseconds), and its folder is
/// removed; [`Renode::end`] is the polite way.
#[derive(Debug)]
pub struct Renode {
    robot: Robot,
    version: Version,
    /// The port of its monitor.
    monitor: u16,
    described: String,
    /// How long it may take to end when it is asked to.
    grace: Duration,
    /// How many servers got a name.
    names: AtomicU32,
    // In this order: what writes to the folder ends before the folder does.
    body: Body,
    folder: Folder,
}

impl Renode {
    /// Its robot server, connected.
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// Its version, as it tells now that it runs. Whether these bindings were made for it: [`Version::is_known`].
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The number of its process (not of a script around it); none in a container, and none after its end.
    pub fn pid(&self) -> Option<u32> {
        let started = self.body.pid().filter(|_| self.body.exit().is_none())?;
        Some(self.folder.pid().unwrap_or(started))
    }

    /// Its private folder, by an absolute path. Files for Renode to read (platforms, firmware) may be put there, under names
    /// other than `tmp`, `home` and `pid`; to a container nothing else of this machine is visible. Removed at the end.
    pub fn temp_folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to its standard output and standard error, the last 256 KiB: crashes, and with
    /// [`StartOptions::show_log`] its own log.
    pub fn log(&self) -> String {
        self.body.log()
    }

    /// Waits for its end, whatever ends it. Several may wait, and stop waiting.
    pub async fn ended(&self) -> Exit {
        self.body.ended().await
    }

    /// A name that no other server of this Renode has: one word, for it is typed into commands.
    fn name(&self, kind: &str) -> String {
        format!("rs{kind}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}
