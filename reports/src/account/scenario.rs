//! What is kept of a scenario, while it goes on and when it is done.

use farm::{
    JobId, Judgement, Quarantine, Verdict,
    events::{CriterionReport, ScenarioId, StepReport},
};
use std::time::Duration;

/// A scenario, as far as it has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    /// Its tags and those it inherits, without `@`.
    pub tags: Vec<String>,
    /// Its steps.
    pub steps: Vec<StepReport>,
    /// The criteria that were judged.
    pub criteria: Vec<CriterionReport>,
    /// The jobs whose evidence it used.
    pub jobs: Vec<JobId>,
}

/// A scenario that has its verdict.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioAccount {
    /// Which.
    pub id: ScenarioId,
    /// Its one verdict.
    pub judgement: Judgement,
    /// How long it took.
    pub took: Duration,
    /// Whether it is in quarantine.
    pub quarantine: Option<Quarantine>,
    /// All that it came through.
    pub course: Course,
}

impl ScenarioAccount {
    /// Whether it counts for the exit code.
    pub fn gates(&self) -> bool {
        self.quarantine.as_ref().is_none_or(Quarantine::gates)
    }

    /// The first step that did not pass.
    pub fn stumbled(&self) -> Option<&StepReport> {
        let stumbled = |step: &&StepReport| step.judgement.as_ref().is_some_and(|it| it.verdict != Verdict::Pass);
        self.course.steps.iter().find(stumbled)
    }

    /// The line of the feature that a reader wants to see: that of the step that did not pass, else the scenario's own.
    pub fn line(&self) -> usize {
        self.stumbled().map_or(self.id.line, |step| step.line)
    }
}
