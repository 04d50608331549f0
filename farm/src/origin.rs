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
    /// The folder that the run was started in, as the repository's root sees it: `ml/`; empty at the root and outside.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// The machine.
    pub machine: Machine,
    /// Whether this is a nightly sweep: every model over every target.
    pub nightly: bool,
    /// The change that it is about; `None` where all that was chosen runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A run of what a change can have touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The revision since which, as it was given.
    pub rev: String,
    /// How many scenarios were left out.
    pub left_out: usize,
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
