//! What is known of earlier runs, as far as the domain has to know it: which figures are followed from run to run, and the
//! contract of whatever remembers them.
//!
//! | file | what lives there |
//! |---|---|
//! | `figures` | the figures of a job that are followed, and how each may be compared |
//! | `spread` | how much a figure varies when nothing has changed |
//! | `compare` | what changed, and whether it got worse |

mod compare;
#[cfg(test)]
mod compare_tests;
mod figures;
mod spread;

pub use compare::{Change, Compared, Earlier, Measured, OUTPUTS, compare, shown};
pub use figures::{Better, Comparison, FollowedFigure, FollowedInfo, all_followed, figures, followed, outputs_digest};
pub use spread::Spread;

use crate::{Digest, JobReport, TargetId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is followed from run to run: one model over one dataset on one target, all by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Series {
    /// Model by name.
    pub model: String,
    /// Dataset by name.
    pub dataset: String,
    /// Target.
    pub target: TargetId,
}

impl Series {
    /// The series that a job belongs to. One with the model's own firmware is followed apart from those with the farm's,
    /// whose flash and RAM are others: its model is called `hello_world (own firmware)`.
    pub fn of(report: &JobReport) -> Self {
        let own = if report.own_firmware { " (own firmware)" } else { "" };
        Self { model: format!("{}{own}", report.model), dataset: report.dataset.clone(), target: report.target.clone() }
    }
}

/// The accepted figures of a series. Each metric is accepted by itself, so that they may be of different runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Accepted figures by the metric's name.
    pub figures: BTreeMap<String, Accepted<f64>>,
    /// Digest of the accepted outputs ([`outputs_digest`]).
    pub outputs: Option<Accepted<Digest>>,
}

/// A value that was accepted, and what it was measured with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted<T> {
    /// The value, in the metric's base unit.
    pub value: T,
    /// The run that measured it, by name.
    pub run: String,
    /// Its Git commit.
    pub commit: Option<String>,
    /// When it was accepted.
    pub at: Timestamp,
    /// Digest of the model it was measured with.
    pub model: Digest,
    /// Digest of the dataset it was measured with.
    pub dataset: Digest,
}

impl<T> Accepted<T> {
    /// Where it stands in time.
    pub fn standing(&self) -> Standing {
        Standing { run: self.run.clone(), model: self.model, dataset: self.dataset }
    }
}

/// Where an earlier value stands in time, and what it was measured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The run that measured it, by name.
    pub run: String,
    /// Digest of the model.
    pub model: Digest,
    /// Digest of the dataset.
    pub dataset: Digest,
}

/// What remembers earlier runs. Asked between jobs, so that it must answer within milliseconds. Runs under way are not
/// among those that it remembers, and of a job only its first measurement is ([`JobReport::rerun`] 0).
pub trait History: Send + Sync + std::fmt::Debug {
    /// The baseline of `series`; `None` where nothing of it was ever accepted.
    ///
    /// # Errors
    /// [`HistoryError`] where it cannot be read.
    fn baseline(&self, series: &Series) -> Result<Option<Baseline>, HistoryError>;

    /// What `metric` of `series` was in the latest `limit` runs that measured it, oldest first; with `dataset`, only where it
    /// was measured with these files.
    ///
    /// # Errors
    /// As [`History::baseline`].
    fn recent(
        &self,
        series: &Series,
        metric: &str,
        dataset: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<f64>, HistoryError>;

    /// What `metric` of `series` was in the runs that an earlier value stands among, oldest first: those of just the same
    /// model, dataset, runner and tools, up to its own run, [`Spread::MOST`] at most; where these are fewer than
    /// [`Spread::LEAST`], also the first ones after it. None where its run is not known.
    ///
    /// Never simply the latest: a figure that got worse and stays so would soon be what is usual, and no longer be told. And
    /// none of another runner, before which it may have been worse: it would hide that it is so again.
    ///
    /// # Errors
    /// As [`History::baseline`].
    fn among(&self, series: &Series, metric: &str, standing: &Standing) -> Result<Vec<f64>, HistoryError>;
}

/// What remembers earlier runs cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the ledger: {0}")]
pub struct HistoryError(pub String);

/// What a job's metric was before, for reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricHistory {
    /// The metric's name.
    pub metric: String,
    /// The accepted value, in the base unit.
    pub baseline: Option<f64>,
    /// Values of the latest runs before this one, oldest first.
    pub points: Vec<f64>,
}
