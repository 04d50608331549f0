//! Events as lines of JSON: what `--format json` writes.

use super::{
    Attempt, Criterion, Job, SCHEMA, Step, Target, Verdict,
    document::{Origin, Quarantine, instant, seconds},
};
use farm::{FarmEvent, Stamped, events::ScenarioId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An event and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventLine {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Which scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioName {
    /// Path of the feature file, as given.
    pub path: String,
    /// Line of the scenario, or of its row of examples; from 1.
    pub line: usize,
    /// Name of the feature.
    pub feature: String,
    /// Name of the scenario.
    pub name: String,
}

impl From<&ScenarioId> for ScenarioName {
    fn from(id: &ScenarioId) -> Self {
        Self { path: id.path.clone(), line: id.line, feature: id.feature.clone(), name: id.name.clone() }
    }
}

/// What a metric of a job was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricHistory {
    /// The metric's name.
    pub metric: String,
    /// The accepted value, in the base unit; null: none.
    pub baseline: Option<f64>,
    /// Values of earlier runs, oldest first.
    pub points: Vec<f64>,
}

impl From<&farm::history::MetricHistory> for MetricHistory {
    fn from(known: &farm::history::MetricHistory) -> Self {
        Self { metric: known.metric.clone(), baseline: known.baseline, points: known.points.clone() }
    }
}

/// What happened. Jobs are told by number, scenarios by file and line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins. The first line.
    RunStarted {
        /// Version of these lines: `tinyfarm-report/1`.
        schema: String,
        /// Names the run.
        run: String,
        /// Version of tinyfarm.
        version: String,
        /// The command's words.
        command: Vec<String>,
        /// How many scenarios there are to run.
        scenarios: usize,
        /// The sources it judges and the machine it is on.
        origin: Box<Origin>,
    },
    /// A run that was cut short goes on: what began and did not end begins anew.
    RunResumed {
        /// How many scenarios are left to run.
        scenarios: usize,
    },
    /// A feature file that has scenarios in this run.
    FeatureRead {
        /// Its path.
        path: String,
    },
    /// A target the run may use.
    TargetSeen {
        /// Which, and whether it can be used.
        target: Target,
    },
    /// A target builds its runner or image.
    Preparing {
        /// Which.
        target: String,
    },
    /// A target that prepares compiles its runner.
    Building {
        /// Which.
        target: String,
        /// Files compiled, or found compiled.
        done: usize,
        /// Files there are.
        total: usize,
    },
    /// It has, or failed to.
    Prepared {
        /// Which.
        target: String,
        /// How long it took, in seconds.
        took_s: f64,
        /// Why not; null where it has.
        error: Option<String>,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Which.
        scenario: ScenarioName,
        /// Its tags and those it inherits, without `@`.
        tags: Vec<String>,
    },
    /// A job waits for its target.
    JobQueued {
        /// Its number.
        job: u64,
        /// Model by name.
        model: String,
        /// Dataset by name.
        dataset: String,
        /// Its target.
        target: String,
        /// Others where it may run just as well.
        alternates: Vec<String>,
        /// How many samples.
        samples: usize,
    },
    /// A job waits for a target that someone else has.
    Waiting {
        /// Which job.
        job: u64,
        /// For which target.
        target: String,
        /// Who has it, or what keeps it.
        why: String,
    },
    /// An attempt has its target.
    AttemptStarted {
        /// Its job.
        job: u64,
        /// From 1.
        attempt: u32,
        /// Where it runs.
        target: String,
    },
    /// A board's flash is written.
    Flashing {
        /// Which board.
        target: String,
        /// Bytes written so far.
        done: u64,
        /// Bytes there are to write.
        total: u64,
    },
    /// A board's health changed.
    BenchHealth {
        /// Which board.
        target: String,
        /// `healthy`, `suspect`, `recovering`, `quarantined` or `re-admitted`.
        state: String,
        /// Why.
        reason: String,
    },
    /// Inferences are back.
    JobProgress {
        /// Which job.
        job: u64,
        /// How many so far.
        done: usize,
    },
    /// An attempt ended.
    AttemptFinished {
        /// Its job.
        job: u64,
        /// How.
        attempt: Attempt,
    },
    /// A job ended.
    JobFinished {
        /// How, and its figures.
        job: Box<Job>,
    },
    /// What a finished job's figures were before, as the ledger knows it.
    JobHistory {
        /// The job.
        job: u64,
        /// One for each figure that was known before.
        metrics: Vec<MetricHistory>,
    },
    /// A scenario uses a job's evidence.
    JobUsed {
        /// Which scenario.
        scenario: ScenarioName,
        /// Which job.
        job: u64,
    },
    /// A criterion was judged.
    CriterionJudged {
        /// For which scenario.
        scenario: ScenarioName,
        /// How.
        criterion: Criterion,
    },
    /// A step ended, or was not reached.
    StepFinished {
        /// Its scenario.
        scenario: ScenarioName,
        /// How.
        step: Step,
    },
    /// A scenario ended.
    ScenarioFinished {
        /// Which.
        scenario: ScenarioName,
        /// Its verdict.
        verdict: Verdict,
        /// The cause, where it is no pass.
        reason: String,
        /// How long it took, in seconds.
        took_s: f64,
        /// Whether it is in quarantine; null: it is not.
        quarantine: Option<Quarantine>,
    },
    /// The run ended. The last line; without it the run was killed.
    RunFinished {
        /// Whether someone interrupted it.
        interrupted: bool,
        /// How long it took, in seconds.
        took_s: f64,
    },
}

impl EventLine {
    /// The line for `stamped`.
    pub fn of(stamped: &Stamped) -> Self {
        Self { at: instant(stamped.at), event: Event::of(&stamped.event) }
    }
}

impl Event {
    fn of(event: &FarmEvent) -> Self {
        match event {
            FarmEvent::RunStarted { run, version, command, scenarios, origin } => Self::RunStarted {
                schema: SCHEMA.to_owned(),
                run: run.clone(),
                version: version.clone(),
                command: command.clone(),
                scenarios: *scenarios,
                origin: Box::new(origin.into()),
            },
            FarmEvent::RunResumed { scenarios } => Self::RunResumed { scenarios: *scenarios },
            FarmEvent::FeatureRead { path, .. } => Self::FeatureRead { path: path.clone() },
            FarmEvent::TargetSeen { info, availability } => Self::TargetSeen { target: Target::of(info, availability) },
            FarmEvent::Preparing { target } => Self::Preparing { target: target.0.clone() },
            FarmEvent::Building { target, done, total } => {
                Self::Building { target: target.0.clone(), done: *done, total: *total }
            }
            FarmEvent::Prepared { target, took, error } => {
                Self::Prepared { target: target.0.clone(), took_s: seconds(*took), error: error.clone() }
            }
            FarmEvent::ScenarioStarted { scenario, tags } => {
                Self::ScenarioStarted { scenario: scenario.into(), tags: tags.clone() }
            }
            FarmEvent::JobQueued { job, model, dataset, target, alternates, samples } => Self::JobQueued {
                job: job.0,
                model: model.clone(),
                dataset: dataset.clone(),
                target: target.0.clone(),
                alternates: alternates.iter().map(|target| target.0.clone()).collect(),
                samples: *samples,
            },
            FarmEvent::Waiting { job, target, why } => {
                Self::Waiting { job: job.0, target: target.0.clone(), why: why.clone() }
            }
            FarmEvent::AttemptStarted { job, attempt, target } => {
                Self::AttemptStarted { job: job.0, attempt: *attempt, target: target.0.clone() }
            }
            FarmEvent::Flashing { target, done, total } => {
                Self::Flashing { target: target.0.clone(), done: *done, total: *total }
            }
            FarmEvent::BenchHealth { target, state, reason } => {
                Self::BenchHealth { target: target.0.clone(), state: state.clone(), reason: reason.clone() }
            }
            FarmEvent::JobProgress { job, done } => Self::JobProgress { job: job.0, done: *done },
            FarmEvent::AttemptFinished { job, report } => Self::AttemptFinished { job: job.0, attempt: report.into() },
            FarmEvent::JobFinished { report, summary } => {
                Self::JobFinished { job: Box::new(Job::of(report, summary.as_deref())) }
            }
            FarmEvent::JobHistory { job, metrics } => {
                Self::JobHistory { job: job.0, metrics: metrics.iter().map(MetricHistory::from).collect() }
            }
            FarmEvent::JobUsed { scenario, job } => Self::JobUsed { scenario: scenario.into(), job: job.0 },
            FarmEvent::CriterionJudged { scenario, report } => {
                Self::CriterionJudged { scenario: scenario.into(), criterion: report.into() }
            }
            FarmEvent::StepFinished { scenario, report } => {
                Self::StepFinished { scenario: scenario.into(), step: report.into() }
            }
            FarmEvent::ScenarioFinished { scenario, judgement, took, quarantine } => Self::ScenarioFinished {
                scenario: scenario.into(),
                verdict: judgement.verdict.into(),
                reason: judgement.reason.clone(),
                took_s: seconds(*took),
                quarantine: quarantine.as_ref().map(Quarantine::from),
            },
            FarmEvent::RunFinished { interrupted, took } => {
                Self::RunFinished { interrupted: *interrupted, took_s: seconds(*took) }
            }
        }
    }
}
