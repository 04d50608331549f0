//! Processes by the group they are in, and whether one was stopped.

use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;

/// The group that a process of tokio's leads (`process_group(0)`): a script's emulator, a compiler driver's compiler.
/// Killed when this is dropped before [`Group::ended`].
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// The group that `leader` leads. Nobody, once it was waited for.
    pub fn of(leader: &tokio::process::Child) -> Self {
        Self(leader.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// The leader was waited for: its number may be another's by now.
    pub fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Whether a process was stopped by a signal (SIGSTOP) or a debugger.
pub fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before the state is in brackets and may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}
