//! How Renode is to be started.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// How to start a Renode; `StartOptions::default()` suits most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOptions {
    /// How long it may take until it answers; 60 s unless told otherwise. 1.1 s to 1.4 s were seen on a quiet machine, and a
    /// busy one may take twenty times as long.
    pub patience: Duration,
    /// How long it may take to end when it is asked to, before it is terminated; 10 s unless told otherwise. 0.1 s to 0.5 s
    /// were seen, on a quiet machine.
    pub grace: Duration,
    /// Where its private folder is made; the system's folder for temporary files unless told otherwise.
    pub temp_parent: Option<PathBuf>,
    /// Further arguments for Renode, after those that these bindings give it.
    pub arguments: Vec<OsString>,
    /// The port of its monitor.
    pub monitor: MonitorPort,
    /// Whether Renode writes its own log where [`Renode::log`](super::Renode::log) reads it (no `--hide-log`): warnings of
    /// peripherals, and why a CPU halted. Off unless told otherwise, for firmware may cause many thousand lines.
    pub show_log: bool,
}

/// The TCP port of a monitor. Renode always gets one: without it, its shell thread keeps a core busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MonitorPort {
    /// One that is free.
    #[default]
    Free,
    /// This one; whether it is free is not checked before.
    Fixed(u16),
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            temp_parent: None,
            arguments: Vec::new(),
            monitor: MonitorPort::Free,
            show_log: false,
        }
    }
}
