//! Which clock a timing was read from, and what may be asked of it.
//!
//! Emulators count instructions and are gated on instructions, never on milliseconds; a host's time is informational.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The clock behind every [`crate::Inference::ticks`] of one job. The variant says what one tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Clock {
    /// A board's cycle counter (DWT CYCCNT): a tick is one core cycle.
    BoardCycles {
        /// Core clock in hertz; 0: not known, or known to be claimed wrongly, so that a tick tells no time.
        hz: u64,
    },
    /// A board's timer: a tick is one step of it.
    BoardTimer {
        /// Rate in hertz; its inverse is the resolution. 0 as above.
        hz: u64,
    },
    /// Renode's virtual time: a tick is one executed instruction.
    RenodeVirtual,
    /// QEMU with a fixed icount shift: a tick is one executed instruction, not a cycle.
    QemuInstructions,
    /// The monotonic clock of the host: a tick is one nanosecond. Informational: no criterion may rest on it.
    Host,
}

impl Clock {
    /// Whether a tick is an executed instruction.
    pub fn counts_instructions(&self) -> bool {
        matches!(self, Self::RenodeVirtual | Self::QemuInstructions)
    }

    /// Whether a criterion on latency may rest on this clock: only a board's clocks tell a real time.
    pub fn times_latency(&self) -> bool {
        matches!(self, Self::BoardCycles { .. } | Self::BoardTimer { .. })
    }

    /// The time that `ticks` took, where ticks stand for time.
    pub fn duration(&self, ticks: u64) -> Option<Duration> {
        let hz = match self {
            Self::BoardCycles { hz } | Self::BoardTimer { hz } => *hz,
            Self::Host => 1_000_000_000,
            Self::RenodeVirtual | Self::QemuInstructions => return None,
        };
        (hz > 0).then(|| Duration::from_nanos((u128::from(ticks) * 1_000_000_000 / u128::from(hz)) as u64))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BoardCycles { hz: 0 } => write!(f, "board cycle counter of unknown rate"),
            Self::BoardTimer { hz: 0 } => write!(f, "board timer of unknown rate"),
            Self::BoardCycles { hz } => write!(f, "board cycle counter at {:.3} MHz", *hz as f64 / 1e6),
            Self::BoardTimer { hz } => write!(f, "board timer, resolution {:.3} µs", 1e6 / *hz as f64),
            Self::RenodeVirtual => write!(f, "Renode virtual time"),
            Self::QemuInstructions => write!(f, "QEMU instruction count"),
            Self::Host => write!(f, "host clock"),
        }
    }
}
