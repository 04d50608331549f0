//! Pieces the stream of events together: what a job was, and what belongs to a scenario, until it is finished.
//!
//! What it keeps is bounded by the count of jobs, a few hundred bytes for each; a scenario is forgotten when it is done.

use crate::{
    figures::Figures,
    text::{self, escape},
};
use farm::{
    AttemptReport, FarmEvent, Fault, JobId, JobReport, Judgement, Quarantine, Stamped, TargetId, Verdict,
    events::{CriterionReport, ScenarioId, StepReport},
    history::Series,
    target::label,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

/// How many lines of a log are worth showing.
const TAIL: usize = 12;

/// How many targets are named where a job may run on any of them.
const CHOICES: usize = 4;

/// What reports say of a job.
#[derive(Debug, Clone)]
pub(crate) struct JobNote {
    pub id: JobId,
    pub model: String,
    pub dataset: String,
    pub target: TargetId,
    /// Where it runs or ran, as people are to read it, escaped: `nucleo-1`, `sim-1 (simulated)`; while it may still run
    /// on several, `any of nucleo-1, nucleo-2`.
    pub place: String,
    pub samples: Option<usize>,
    /// `None` until it is finished.
    pub judgement: Option<Judgement>,
    pub attempts: Vec<AttemptReport>,
    /// Where each attempt ran, escaped; empty where all ran in one place.
    pub places: Vec<String>,
    /// `None` where no evidence came back.
    pub figures: Option<Figures>,
    /// The heaviest of its own verdict and those of the criteria judged on its evidence.
    pub verdict: Option<Verdict>,
    /// Whether the target has no room for the model: a fail by itself, and often what a scenario wants or allows.
    pub no_room: bool,
    /// The log's last lines, escaped; only where it is no pass.
    pub tail: Vec<String>,
    /// Which measurement it was of those that are otherwise the same; 0 for the first.
    pub rerun: u32,
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
    pub quarantine: Option<Quarantine>,
}

/// The state of a run, as far as reporters share the need for it.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    pub jobs: HashMap<JobId, JobNote>,
    /// Targets that only play a board.
    pub simulated: HashSet<TargetId>,
    /// Scenarios that have begun and not ended.
    pub open: BTreeMap<ScenarioId, Course>,
}

impl Gather {
    /// Takes in an event; hands out a scenario that it ends.
    pub(crate) fn on(&mut self, stamped: &Stamped) -> Option<Finished> {
        match &stamped.event {
            // What had begun begins anew, a job under another number.
            FarmEvent::RunResumed { .. } => {
                self.open.clear();
                self.jobs.retain(|_, note| note.judgement.is_some());
            }
            FarmEvent::TargetSeen { info, .. } if info.simulated => {
                self.simulated.insert(info.id.clone());
            }
            FarmEvent::JobQueued { job, model, dataset, target, alternates, samples } => {
                let all: Vec<String> = std::iter::once(target).chain(alternates).map(|id| self.label(id)).collect();
                let note = self.job(*job, model, dataset, target);
                note.samples = Some(*samples);
                match all.len() {
                    0 | 1 => (),
                    2..=CHOICES => note.place = format!("any of {}", all.join(", ")),
                    more => {
                        note.place =
                            format!("any of {} and {} others", all[..CHOICES - 1].join(", "), more + 1 - CHOICES)
                    }
                }
            }
            FarmEvent::AttemptStarted { job, target, .. } => {
                let place = self.label(target);
                if let Some(note) = self.jobs.get_mut(job) {
                    (note.target, note.place) = (target.clone(), place);
                }
            }
            FarmEvent::JobFinished { report, summary } => {
                let place = escape(&label(&report.target, report.simulated)).into_owned();
                let moved = report.attempts.iter().any(|attempt| attempt.target != report.target);
                let places = report.attempts.iter().filter(|_| moved).map(|attempt| self.label(&attempt.target));
                let places: Vec<String> = places.collect();
                let note = self.job(report.id, &report.model, &report.dataset, &report.target);
                if !report.attempts.is_empty() {
                    (note.target, note.place) = (report.target.clone(), place);
                }
                // One with the model's own firmware is followed apart, and told apart.
                note.model = Series::of(report).model;
                note.rerun = report.rerun;
                note.places = places;
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
            FarmEvent::ScenarioFinished { scenario, judgement, took, quarantine } => {
                let course = self.open.remove(scenario).unwrap_or_default();
                let (id, judgement, quarantine) = (scenario.clone(), judgement.clone(), quarantine.clone());
                return Some(Finished { id, course, judgement, took: *took, quarantine });
            }
            _ => {}
        }
        None
    }

    /// A target's name as people are to read it.
    pub(crate) fn name(&self, target: &TargetId) -> String {
        label(target, self.simulated.contains(target))
    }

    /// The same, escaped.
    pub(crate) fn label(&self, target: &TargetId) -> String {
        escape(&self.name(target)).into_owned()
    }

    fn job(&mut self, id: JobId, model: &str, dataset: &str, target: &TargetId) -> &mut JobNote {
        let place = self.label(target);
        self.jobs.entry(id).or_insert_with(|| JobNote {
            id,
            place,
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            target: target.clone(),
            samples: None,
            judgement: None,
            attempts: Vec::new(),
            places: Vec::new(),
            figures: None,
            verdict: None,
            no_room: false,
            tail: Vec::new(),
            rerun: 0,
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
