//! The one stream of news: reporters and the ledger see nothing else.

use crate::{
    Availability, Judgement, Origin, Quarantine, TargetId, TargetInfo, history::MetricHistory, job::*, metrics::Summary,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Which scenario: a feature file, the line of the scenario (of the example row in an outline) and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScenarioId {
    /// Path of the feature file, as given.
    pub path: String,
    /// Line of the scenario, or of the row of examples that it was made from; from 1.
    pub line: usize,
    /// Name of the feature.
    pub feature: String,
    /// Name of the scenario, placeholders filled in.
    pub name: String,
}

/// A criterion that was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionReport {
    /// The job whose evidence was judged.
    pub job: JobId,
    /// Where that job ran.
    pub target: TargetId,
    /// The criterion in words: `mean absolute error <= 0.05`.
    pub criterion: String,
    /// What was measured, in words, with unit and interval.
    pub measured: String,
    /// The same as a number, where it is one.
    pub value: Option<f64>,
    /// The judgement.
    pub judgement: Judgement,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// `Given`, `When`, `Then`, `And`, `But`, as written.
    pub keyword: String,
    /// The step's text.
    pub text: String,
    /// Line in the feature file, from 1.
    pub line: usize,
    /// How it ended; `None`: not reached, because an earlier step did not pass.
    pub judgement: Option<Judgement>,
    /// How long it took.
    pub took: Duration,
}

/// What happened. The ledger keeps events as they are serialised, so that a change here must read what was kept before:
/// give a new field a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum FarmEvent {
    /// A run begins; what follows was planned and found sound.
    RunStarted {
        /// Names the run: its start in UTC and a random tail.
        run: String,
        /// tinyfarm's version.
        version: String,
        /// The command's words.
        command: Vec<String>,
        /// How many scenarios there are to run.
        scenarios: usize,
        /// The sources it judges and the machine it is on.
        origin: Origin,
    },
    /// A run that was cut short goes on: what began and did not end begins anew.
    RunResumed {
        /// How many scenarios are left to run.
        scenarios: usize,
    },
    /// A feature file that has scenarios in this run.
    FeatureRead {
        /// Its path, as in [`ScenarioId::path`].
        path: String,
        /// Its text.
        text: String,
    },
    /// A target the run may use, and whether it can.
    TargetSeen {
        /// What it is.
        info: TargetInfo,
        /// Whether it can be used.
        availability: Availability,
    },
    /// A target builds its runner or image.
    Preparing {
        /// Which target.
        target: TargetId,
    },
    /// A target that prepares compiles its runner. Not told where the runner was found built.
    Building {
        /// Which target.
        target: TargetId,
        /// Files compiled, or found compiled.
        done: usize,
        /// Files there are.
        total: usize,
    },
    /// It has, or failed to.
    Prepared {
        /// Which target.
        target: TargetId,
        /// How long it took.
        took: Duration,
        /// Why not.
        error: Option<String>,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Which.
        scenario: ScenarioId,
        /// Its tags and those it inherits, without `@`.
        tags: Vec<String>,
    },
    /// A job waits for its target.
    JobQueued {
        /// Its number.
        job: JobId,
        /// Model by name.
        model: String,
        /// Dataset by name.
        dataset: String,
        /// Its target.
        target: TargetId,
        /// Others where it may run just as well.
        alternates: Vec<TargetId>,
        /// How many samples.
        samples: usize,
    },
    /// A job waits for a target that someone else has: more than its turn in this run.
    Waiting {
        /// Which job.
        job: JobId,
        /// For which target.
        target: TargetId,
        /// Who has it, or what keeps it.
        why: String,
    },
    /// An attempt has its target.
    AttemptStarted {
        /// Its job.
        job: JobId,
        /// From 1.
        attempt: u32,
        /// Where it runs.
        target: TargetId,
    },
    /// A board's flash is written.
    Flashing {
        /// Which board.
        target: TargetId,
        /// Bytes written so far.
        done: u64,
        /// Bytes there are to write.
        total: u64,
    },
    /// A board that looks after itself changed its mind about its health.
    BenchHealth {
        /// Which board.
        target: TargetId,
        /// `healthy`, `suspect`, `recovering`, `quarantined` or `re-admitted`.
        state: String,
        /// Why.
        reason: String,
    },
    /// Inferences are back.
    JobProgress {
        /// Which job.
        job: JobId,
        /// How many so far.
        done: usize,
    },
    /// An attempt ended.
    AttemptFinished {
        /// Its job.
        job: JobId,
        /// How.
        report: AttemptReport,
    },
    /// A job ended.
    JobFinished {
        /// How; the evidence is inside.
        report: Arc<JobReport>,
        /// The figures drawn from its evidence; `None` where none came back.
        summary: Option<Arc<Summary>>,
    },
    /// What was known of a finished job's figures before; told once for each job, where there is a ledger.
    JobHistory {
        /// The job.
        job: JobId,
        /// One for each figure that is followed and was known before.
        metrics: Vec<MetricHistory>,
    },
    /// A scenario uses a job's evidence. One job may serve several scenarios.
    JobUsed {
        /// The scenario.
        scenario: ScenarioId,
        /// The job.
        job: JobId,
    },
    /// A criterion was judged.
    CriterionJudged {
        /// For which scenario.
        scenario: ScenarioId,
        /// How.
        report: CriterionReport,
    },
    /// A step ended, or was not reached.
    StepFinished {
        /// Its scenario.
        scenario: ScenarioId,
        /// How.
        report: StepReport,
    },
    /// A scenario ended.
    ScenarioFinished {
        /// Which.
        scenario: ScenarioId,
        /// Its one verdict.
        judgement: Judgement,
        /// How long it took.
        took: Duration,
        /// Whether it is in quarantine: then it does not count for the exit code, unless that expired.
        quarantine: Option<Quarantine>,
    },
    /// The run ended. The last event.
    RunFinished {
        /// Whether someone interrupted it.
        interrupted: bool,
        /// How long it took.
        took: Duration,
    },
}

/// An event and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: FarmEvent,
}

/// Where news goes in. Cheap to clone; sending never waits and never fails: with no reader left, news is dropped.
#[derive(Debug, Clone)]
pub struct EventSink(mpsc::UnboundedSender<Stamped>);

impl EventSink {
    /// A sink and the end from which its events are read.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Stamped>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Tells `event`, stamped with the time now.
    pub fn send(&self, event: FarmEvent) {
        self.replay(Stamped { at: Timestamp::now(), event });
    }

    /// Tells an event again that happened when it says.
    pub fn replay(&self, stamped: Stamped) {
        let _ = self.0.send(stamped);
    }
}
