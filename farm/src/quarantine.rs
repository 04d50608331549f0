//! Quarantine of a scenario: known to be unsound, it still runs and is reported, and does not gate until it expires.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Who put a scenario into quarantine, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Who sees to it that it is mended.
    pub owner: String,
    /// Why it does not gate.
    pub reason: String,
    /// The last day on which it does not gate, in UTC.
    pub until: Date,
    /// Whether that day was over when the run started: then it gates again.
    pub expired: bool,
}

impl Quarantine {
    /// Whether the scenario counts for the run's exit code.
    pub fn gates(&self) -> bool {
        self.expired
    }
}
