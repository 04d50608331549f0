//! The few figures of a job that tables and lists show, drawn from its [`Summary`], which may be large.

use crate::text;
use farm::{Clock, metrics::Summary};

/// What a table's row shows of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub samples: usize,
    /// How right the model was, as far as the dataset knows the answers.
    pub quality: Quality,
    pub clock: Clock,
    /// Ticks of the clock.
    pub median: u64,
    /// Ticks of the clock.
    pub p99: u64,
    /// Bytes.
    pub arena_used: u64,
    /// Bytes.
    pub arena_size: u64,
    /// Bytes of code, constants, initialised data and the model; `None` where there is no firmware.
    pub flash: Option<u64>,
    /// Bytes of data and the arena in use; `None` where there is no firmware.
    pub ram: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quality {
    /// The dataset knows no answers.
    Unknown,
    /// The share of samples whose class is right, and its 95 % Wilson interval.
    Accuracy { correct: u64, total: u64, wilson: (f64, f64) },
    /// The mean absolute error over all output elements.
    Error { mean_absolute: f64 },
}

impl Quality {
    /// For a cell of a table.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Unknown => "-".to_owned(),
            Self::Accuracy { correct, total, .. } => text::percent(*correct as f64 / *total as f64),
            Self::Error { mean_absolute } => format!("MAE {}", text::real(*mean_absolute)),
        }
    }

    /// For a sentence.
    pub(crate) fn long(&self) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::Accuracy { correct, total, wilson } => Some(format!(
                "top-1 accuracy {} ({correct} of {total}, 95 % interval {} to {})",
                text::percent(*correct as f64 / *total as f64),
                text::percent(wilson.0),
                text::percent(wilson.1)
            )),
            Self::Error { mean_absolute } => Some(format!("mean absolute error {}", text::real(*mean_absolute))),
        }
    }
}

impl Figures {
    pub(crate) fn of(summary: &Summary) -> Self {
        let quality = match (&summary.classification, &summary.errors) {
            (Some(seen), _) => Quality::Accuracy { correct: seen.correct, total: seen.total, wilson: seen.wilson },
            (None, Some(errors)) => Quality::Error { mean_absolute: errors.mean_absolute },
            (None, None) => Quality::Unknown,
        };
        Self {
            samples: summary.samples,
            quality,
            clock: summary.clock,
            median: summary.ticks.median,
            p99: summary.ticks.p99,
            arena_used: summary.arena_used,
            arena_size: summary.arena_size,
            flash: summary.flash(),
            ram: summary.ram(),
        }
    }

    /// All of them in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let mut parts = vec![text::count(self.samples, "sample")];
        parts.extend(self.quality.long());
        let ticks = |ticks| text::ticks(&self.clock, ticks);
        parts.push(format!("{} median {}, p99 {}", text::clock(&self.clock), ticks(self.median), ticks(self.p99)));
        parts.push(format!("arena {} of {}", text::bytes(self.arena_used), text::bytes(self.arena_size)));
        if let (Some(flash), Some(ram)) = (self.flash, self.ram) {
            parts.push(format!("flash {} with the model, RAM {} with the arena", text::bytes(flash), text::bytes(ram)));
        }
        parts.join("; ")
    }
}
