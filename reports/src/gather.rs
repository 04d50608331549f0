//! Pieces the stream of events together: what a job was, and what belongs to a scenario, until it is finished.
//!
//! What it keeps is bounded by the count of jobs, a few hundred bytes for each; a scenario is forgotten when it is done.

use crate::{figures::Figures, text};
use farm::{
    AttemptReport, FarmEvent, Fault, JobId, JobReport, Judgement, Stamped, TargetId, Verdict,
    events::{CriterionReport, ScenarioId, StepReport},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// How many lines of a log are worth showing.
const TAIL: usize = 12;

/// What reports say of a job.
#[derive(Debug, Clone)]
pub(crate) struct JobNote {
    pub id: JobId,
    pub model: String,
    pub dataset: String,
    pub target: TargetId,
    pub samples: Option<usize>,
    /// `None` until it is finished.
    pub judgement: Option<Judgement>,
    pub attempts: Vec<AttemptReport>,
    /// `None` where no evidence came back.
    pub figures: Option<Figures>,
    /// The heaviest of its own verdict and those of the criteria judged on its evidence.
    pub verdict: Option<Verdict>,
    /// Whether the target has no room for the model: a fail by itself, and often what a scenario wants or allows.
    pub no_room: bool,
    /// The log's last lines, escaped; only where it is no pass.
    pub tail: Vec<String>,
}

impl JobNote {
    /// How it ended, in a word or three.
    pub(crate) fn word(&self) -> &'static str {
        match self.verdict {
            None => "not finished",
            Some(_) if self.no_room => "does not fit",
            Some(verdict) => verdict.word(),
        }
    }

    fn finish(&mut self, report: &JobReport) {
        self.judgement = Some(report.judgement.clone());
        self.attempts = report.attempts.clone();
        self.no_room = report.fault.as_ref().is_some_and(Fault::is_lack_of_room);
        self.weigh(report.judgement.verdict);
        if report.judgement.verdict != Verdict::Pass {
            self.tail = text::tail(&report.log, TAIL);
        }
    }

    fn weigh(&mut self, verdict: Verdict) {
        self.verdict = self.verdict.max(Some(verdict));
    }
}

/// A scenario, as far as it has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    pub tags: Vec<String>,
    pub steps: Vec<StepReport>,
    pub criteria: Vec<CriterionReport>,
    pub jobs: Vec<JobId>,
}

/// A scenario that has its verdict.
#[derive(Debug)]
pub(crate) struct Finished {
    pub id: ScenarioId,
    pub course: Course,
    pub judgement: Judgement,
    pub took: Duration,
}

/// The state of a run, as far as reporters share the need for it.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pub jobs: HashMap<JobId, JobNote>,
    /// Scenarios that have begun and not ended.
    pub open: BTreeMap<ScenarioId, Course>,
}

impl Gather {
    /// Takes in an event; hands out a scenario that it ends.
    pub(crate) fn on(&mut self, stamped: &Stamped) -> Option<Finished> {
        match &stamped.event {
            FarmEvent::JobQueued { job, model, dataset, target, samples } => {
                let note = self.job(*job, model, dataset, target);
                note.samples = Some(*samples);
            }
            FarmEvent::JobFinished { report, summary } => {
                let note = self.job(report.id, &report.model, &report.dataset, &report.target);
                note.finish(report);
                note.figures = summary.as_deref().map(Figures::of);
            }
            FarmEvent::ScenarioStarted { scenario, tags } => {
                self.open.entry(scenario.clone()).or_default().tags.clone_from(tags);
            }
            FarmEvent::JobUsed { scenario, job } => {
                let jobs = &mut self.open.entry(scenario.clone()).or_default().jobs;
                if !jobs.contains(job) {
                    jobs.push(*job);
                }
            }
            FarmEvent::CriterionJudged { scenario, report } => {
                if let Some(note) = self.jobs.get_mut(&report.job) {
                    note.weigh(report.judgement.verdict);
                }
                self.open.entry(scenario.clone()).or_default().criteria.push(report.clone());
            }
            FarmEvent::StepFinished { scenario, report } => {
                self.open.entry(scenario.clone()).or_default().steps.push(report.clone());
            }
            FarmEvent::ScenarioFinished { scenario, judgement, took } => {
                let course = self.open.remove(scenario).unwrap_or_default();
                return Some(Finished { id: scenario.clone(), course, judgement: judgement.clone(), took: *took });
            }
            _ => {}
        }
        None
    }

    fn job(&mut self, id: JobId, model: &str, dataset: &str, target: &TargetId) -> &mut JobNote {
        self.jobs.entry(id).or_insert_with(|| JobNote {
            id,
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            target: target.clone(),
            samples: None,
            judgement: None,
            attempts: Vec::new(),
            figures: None,
            verdict: None,
            no_room: false,
            tail: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::script;

    #[test]
    fn a_finished_scenario_is_forgotten_and_a_criterion_weighs_on_its_job() {
        let mut gather = Gather::default();
        let finished: Vec<Finished> = script::every_verdict().iter().filter_map(|event| gather.on(event)).collect();
        assert!(gather.open.is_empty());
        let missed = finished.iter().find(|scenario| scenario.judgement.verdict == Verdict::Fail).unwrap();
        let judged = &missed.course.criteria[0];
        assert_eq!(gather.jobs[&judged.job].judgement.as_ref().unwrap().verdict, Verdict::Pass);
        assert_eq!(gather.jobs[&judged.job].verdict, Some(Verdict::Fail));
    }
}
