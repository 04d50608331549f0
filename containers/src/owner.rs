//! Who owns a container or network, and whether that process still lives: what tells left-overs of a killed run from
//! the belongings of another run that is at work right now.
//!
//! A process is known by its boot, its PID namespace, its number and its start time, so that neither a restart of the
//! machine nor a reused process number makes a stranger pass for the owner.

use std::{fmt, fs, str::FromStr};

/// A process, named so that no other process ever has the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `/proc/sys/kernel/random/boot_id`.
    boot: String,
    /// The target of `/proc/self/ns/pid`.
    namespace: String,
    /// Process number in that namespace.
    pid: u32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    start: u64,
}

/// What can be said of an owner from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It does not, or the machine was restarted since.
    Dead,
    /// It belongs to another machine or PID namespace that uses the same engine.
    Unknown,
}

impl Owner {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { boot: boot_id(), namespace: namespace(), pid, start: start_time(pid).unwrap_or(0) }
    }

    /// Whether the process runs, as far as this one can see.
    pub fn liveness(&self) -> Liveness {
        // Another boot id may be an earlier boot of this machine or another machine: not for us to say.
        if self.boot != boot_id() || self.namespace != namespace() {
            Liveness::Unknown
        } else if start_time(self.pid) == Some(self.start) {
            Liveness::Alive
        } else {
            Liveness::Dead
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.boot, self.namespace, self.pid, self.start)
    }
}

/// A label that names no owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no owner: boot, PID namespace, process number and start time are wanted")]
pub struct NotAnOwner(String);

impl FromStr for Owner {
    type Err = NotAnOwner;

    fn from_str(label: &str) -> Result<Self, NotAnOwner> {
        let bad = || NotAnOwner(label.to_owned());
        let mut words = label.split(' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).ok_or_else(bad);
        let owner = Self {
            boot: word()?.to_owned(),
            namespace: word()?.to_owned(),
            pid: word()?.parse().map_err(|_| bad())?,
            start: word()?.parse().map_err(|_| bad())?,
        };
        if words.next().is_some() { Err(bad()) } else { Ok(owner) }
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map_or_else(|_| "unknown".to_owned(), |link| link.to_string_lossy().into_owned())
}

/// Start time of process `pid`; `None` where there is no such process, or only its zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may hold anything, brackets and blanks included.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    #[test]
    fn this_process_is_alive_and_its_name_reads_back() {
        let me = Owner::current();
        assert_eq!(me.liveness(), Liveness::Alive);
        assert_eq!(me.to_string().parse(), Ok(me));
    }

    #[test]
    fn a_process_that_ended_is_dead_and_so_is_one_whose_number_was_reused() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let owner = Owner { pid: child.id(), start: start_time(child.id()).unwrap(), ..Owner::current() };
        assert_eq!(owner.liveness(), Liveness::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner.liveness(), Liveness::Dead);
        assert_eq!(Owner { start: 1, ..Owner::current() }.liveness(), Liveness::Dead);
    }

    #[test]
    fn an_owner_on_another_machine_or_in_another_container_is_unknown() {
        assert_eq!(Owner { boot: "x".into(), ..Owner::current() }.liveness(), Liveness::Unknown);
        assert_eq!(Owner { namespace: "pid:[1]".into(), ..Owner::current() }.liveness(), Liveness::Unknown);
    }

    #[test]
    fn a_label_that_names_no_owner_is_refused() {
        for label in ["", "a b", "a b c d", "a b 1 2 3", "a  1 2", "a b -1 2"] {
            assert_eq!(label.parse::<Owner>(), Err(NotAnOwner(label.to_owned())));
        }
    }
}
