//! What is known of a bench without running a job: every board at a glance, what is in its way, and what is wrong with
//! it or with this machine, with the mend.
//!
//! | file | what lives there |
//! |---|---|
//! | `survey` | every board at one moment: whether it is there, who has it, how it is |
//! | `obstacle` | what keeps a run from a board |
//! | `finding` | what is wrong, and the mend |
//! | `board` | findings of one board, without touching it |
//! | `touch` | findings for which a board is touched |
//! | `host` | findings of this machine |

mod board;
mod finding;
mod host;
mod obstacle;
mod survey;
#[cfg(test)]
mod tests;
mod touch;

pub use finding::{Finding, Severity};
pub use obstacle::Obstacle;
pub use survey::{Past, Presence, Seen, Survey};

use crate::{definition::Definitions, health::Policy, lease::Leases};
use std::path::PathBuf;

/// Where boards are defined, attached, leased and remembered.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The boards there are.
    pub definitions: Definitions,
    /// Folder of the simulated bench; it need not exist.
    pub folder: PathBuf,
    /// Who has which board.
    pub leases: Leases,
    /// Folder of the histories.
    pub state: PathBuf,
    /// When a board is no longer trusted.
    pub policy: Policy,
}
