//! What is read back from a ledger.

use farm::{Digest, Origin, TargetId, Verdict, history::Series};
use jiff::Timestamp;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It is under way.
    Running,
    /// It came to its end.
    Finished,
    /// Somebody stopped it.
    Interrupted,
    /// It was killed, or its machine lost power.
    Cut,
}

impl RunState {
    /// In words.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Cut => "cut short",
        }
    }
}

/// How many scenarios ended with each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Passed.
    pub pass: u64,
    /// Ran, and the evidence could not decide.
    pub inconclusive: u64,
    /// Could not be tried.
    pub blocked: u64,
    /// The bench was at fault.
    pub infra: u64,
    /// The model or its firmware was at fault.
    pub fail: u64,
}

impl Verdicts {
    /// How many have a verdict.
    pub fn judged(&self) -> u64 {
        self.pass + self.inconclusive + self.blocked + self.infra + self.fail
    }

    /// Each with its word, the lightest first.
    pub fn counts(&self) -> [(Verdict, u64); 5] {
        [
            (Verdict::Pass, self.pass),
            (Verdict::Inconclusive, self.inconclusive),
            (Verdict::Blocked, self.blocked),
            (Verdict::Infra, self.infra),
            (Verdict::Fail, self.fail),
        ]
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Its name.
    pub name: String,
    /// When it started.
    pub started: Timestamp,
    /// How long it took; `None` where it did not end.
    pub took: Option<Duration>,
    /// How far it got.
    pub state: RunState,
    /// Version of tinyfarm.
    pub version: String,
    /// The command's words.
    pub command: Vec<String>,
    /// The sources it judged and its machine.
    pub origin: Origin,
    /// Scenarios that were planned.
    pub planned: u64,
    /// Scenarios by verdict, those in quarantine too.
    pub verdicts: Verdicts,
    /// How many of them were in quarantine and did not gate.
    pub quarantined: u64,
    /// Jobs that ended.
    pub jobs: u64,
    /// Whether its events are still there, so that it can be shown again.
    pub has_events: bool,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// So many at most; 0: all.
    pub limit: usize,
    /// Only nightly sweeps.
    pub nightly: bool,
    /// Only those that came to their end.
    pub finished: bool,
    /// Only those of this branch.
    pub branch: Option<String>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRow {
    /// Its number in the run.
    pub number: u64,
    /// What it measured.
    pub series: Series,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended; criteria are not in it.
    pub verdict: Verdict,
    /// Why, where it is no pass.
    pub reason: String,
    /// How many attempts it took.
    pub attempts: u64,
    /// 0: the first measurement.
    pub rerun: u64,
    /// Its figures by metric.
    pub figures: BTreeMap<String, f64>,
}

/// A scenario that has its verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeRow {
    /// Its feature file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its line.
    pub line: u64,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, where it is no pass.
    pub reason: String,
    /// Whether it was in quarantine and did not gate.
    pub quarantined: bool,
}

/// What a run measured of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFigures {
    /// The job's number.
    pub job: u64,
    /// Its figures by metric, in the base unit.
    pub figures: BTreeMap<String, f64>,
    /// Digest of its outputs.
    pub outputs: Digest,
    /// Digest of its model.
    pub model: Digest,
    /// Digest of its dataset.
    pub dataset: Digest,
    /// Whether it ran on what only plays a board.
    pub simulated: bool,
    /// Whether its figures on a real clock were measured again, and are what they were then.
    pub confirmed: bool,
}

impl SeriesFigures {
    pub(crate) fn measured_again(&mut self, again: Self) {
        let noisy = |metric: &str| {
            farm::history::followed(metric).is_some_and(|info| info.comparison == farm::history::Comparison::Noisy)
        };
        self.figures.extend(again.figures.into_iter().filter(|(metric, _)| noisy(metric)));
        self.confirmed = true;
    }

    /// The same for [`farm::history::compare`].
    pub fn measured(&self) -> farm::history::Measured {
        let figures = self.figures.iter().map(|(metric, value)| (metric.as_str(), *value));
        farm::history::Measured::kept(figures, self.outputs, self.model, self.dataset)
    }
}

/// Which series; `None`: any.
#[derive(Debug, Clone, Default)]
pub struct SeriesFilter {
    /// Only this model.
    pub model: Option<String>,
    /// Only this dataset.
    pub dataset: Option<String>,
    /// Only this target.
    pub target: Option<TargetId>,
}

impl SeriesFilter {
    /// Whether `series` is wanted.
    pub fn wants(&self, series: &Series) -> bool {
        self.model.as_ref().is_none_or(|model| *model == series.model)
            && self.dataset.as_ref().is_none_or(|dataset| *dataset == series.dataset)
            && self.target.as_ref().is_none_or(|target| *target == series.target)
    }
}

/// A metric of a series over runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// Which.
    pub series: Series,
    /// Its values, oldest first.
    pub points: Vec<TrendPoint>,
    /// The accepted value.
    pub baseline: Option<f64>,
}

/// A value of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrendPoint {
    /// The run.
    pub run: String,
    /// Its commit.
    pub commit: Option<String>,
    /// When it was measured.
    pub at: Timestamp,
    /// The value in the metric's base unit.
    pub value: f64,
}
