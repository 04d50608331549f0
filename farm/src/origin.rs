//! Where a run comes from: the sources it judged and the machine it ran on.

use serde::{Deserialize, Serialize};

/// Where a run comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The Git commit that is checked out, all digits; `None` outside a repository.
    pub commit: Option<String>,
    /// The branch, as Git or the CI system names it; `None` where neither does.
    pub branch: Option<String>,
    /// Whether files that Git follows differ from the commit.
    pub dirty: bool,
    /// The machine.
    pub machine: Machine,
    /// Whether this is a nightly sweep: every model over every target.
    pub nightly: bool,
}

/// The machine that the farm runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host name.
    pub name: String,
    /// Kernel and release: `Linux 6.1.0`.
    pub os: String,
    /// The processor, as it names itself; empty where it does not.
    pub cpu: String,
    /// Logical cores that this process may use.
    pub cores: u64,
    /// Main memory, bytes.
    pub memory: u64,
}
