//! All that a run told so far, kept once for all reporters.
//!
//! What it keeps is bounded by the count of jobs and scenarios. Of outputs it keeps a hash for each sample, and jobs with
//! the same outputs share them.

mod job;
mod scenario;

pub(crate) use job::{Answer, AttemptAccount, Bucket, JobAccount};
pub(crate) use scenario::{Course, ScenarioAccount};

use crate::{Tally, json::RunState, text::escape};
use farm::{
    Availability, FarmEvent, Inference, JobId, Origin, Stamped, TargetId, TargetInfo, Verdict, events::ScenarioId,
    target::label,
};
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// How many targets are named where a job may run on any of them.
const CHOICES: usize = 4;

/// All that a run told so far.
#[derive(Debug, Default)]
pub struct Account {
    /// The run.
    pub(crate) run: RunAccount,
    /// Its scenarios counted by verdict.
    pub(crate) tally: Tally,
    /// Targets in the order in which they were seen.
    pub(crate) targets: Vec<SeenTarget>,
    /// What was built for targets, in the order of events.
    pub(crate) preparations: Vec<Preparation>,
    /// Jobs by number.
    pub(crate) jobs: BTreeMap<JobId, JobAccount>,
    /// Scenarios that have a verdict, in the order in which they ended.
    pub(crate) scenarios: Vec<ScenarioAccount>,
    /// What boards thought of their health, in the order of events.
    pub(crate) health: Vec<Health>,
    /// Feature files by path, as they were read.
    pub(crate) features: BTreeMap<String, String>,
    /// Targets that only play a board.
    pub(crate) simulated: HashSet<TargetId>,
    /// Scenarios that have begun and not ended.
    pub(crate) open: BTreeMap<ScenarioId, Course>,
    /// Attempts under way.
    started: HashMap<(JobId, u32), Timestamp>,
    /// Outputs that some job had, so that others with the same share them.
    outputs: HashMap<u64, Arc<[Answer]>>,
}

/// The run.
#[derive(Debug, Clone)]
pub(crate) struct RunAccount {
    /// Its name.
    pub id: String,
    /// tinyfarm's version.
    pub version: String,
    /// The command's words.
    pub command: Vec<String>,
    /// When it started.
    pub started: Timestamp,
    /// How far it got.
    pub state: RunState,
    /// How long it took, where it ended.
    pub took: Option<Duration>,
    /// The sources it judged and the machine it was on.
    pub origin: Origin,
    /// How often it was cut short and went on.
    pub resumed: usize,
    /// When the latest event happened: the only "now" that a document may know.
    pub now: Timestamp,
}

impl Default for RunAccount {
    fn default() -> Self {
        Self {
            id: String::new(),
            version: String::new(),
            command: Vec::new(),
            started: Timestamp::UNIX_EPOCH,
            state: RunState::Running,
            took: None,
            origin: Origin::default(),
            resumed: 0,
            now: Timestamp::UNIX_EPOCH,
        }
    }
}

/// A target the run might use.
#[derive(Debug, Clone)]
pub(crate) struct SeenTarget {
    /// What it is.
    pub info: TargetInfo,
    /// Whether it could be used.
    pub availability: Availability,
}

/// A target's runner or image was built.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    /// For which target.
    pub target: TargetId,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None`: it did not.
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A board changed its mind about its health.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    /// When.
    pub at: Timestamp,
    /// Which board.
    pub target: TargetId,
    /// `healthy`, `suspect`, `recovering`, `quarantined` or `re-admitted`.
    pub state: String,
    /// Why.
    pub reason: String,
}

impl Account {
    /// Scenarios with the heaviest verdict first, those that gate before those that do not; of one kind by file and line.
    pub(crate) fn worst_first(&self) -> Vec<&ScenarioAccount> {
        let mut all: Vec<&ScenarioAccount> = self.scenarios.iter().collect();
        all.sort_by_key(|it| (!it.gates(), Reverse(it.judgement.verdict), &it.id.path, it.id.line));
        all
    }

    /// Jobs that needed more than one attempt, by number.
    pub(crate) fn retried(&self) -> impl Iterator<Item = &JobAccount> {
        self.jobs.values().filter(|job| job.needed().is_some())
    }

    /// The run in a word or four; never a pass for less than a whole run.
    pub(crate) fn outcome(&self) -> &'static str {
        match (self.tally.worst(), self.shortfall()) {
            (Some(Verdict::Fail), _) => "fail",
            (_, Some(_)) => "incomplete",
            (Some(verdict), None) => verdict.word(),
            (None, None) if self.tally.nothing_to_run() => "nothing had to run",
            (None, None) => "nothing that gates had to run",
        }
    }

    /// What keeps the run from being a whole one; `None` where nothing does. A run is never told as passed with it.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let (judged, planned) = (self.tally.judged() - self.tally.stopped, self.tally.planned);
        let counts = format!("{judged} of {planned} scenarios have a verdict");
        match self.run.state {
            RunState::Running => Some(format!("the run goes on or was cut short: {counts}")),
            RunState::Interrupted => Some(format!("interrupted: {counts}")),
            RunState::Finished if self.tally.not_run() > 0 => Some(format!("ended early: {counts}")),
            RunState::Finished if self.tally.nothing_to_run() => None,
            RunState::Finished if judged == 0 => Some("no scenario was run".to_owned()),
            RunState::Finished if self.tally.nothing_gates() => None,
            RunState::Finished if self.tally.worst().is_none() => {
                Some("nothing that gates was run: all of it is in quarantine".to_owned())
            }
            RunState::Finished => None,
        }
    }

    /// Takes in an event.
    pub fn on(&mut self, stamped: &Stamped) {
        self.run.now = stamped.at;
        self.tally.on(&stamped.event);
        match &stamped.event {
            FarmEvent::RunStarted { run, version, command, origin, .. } => {
                self.run.id.clone_from(run);
                self.run.version.clone_from(version);
                self.run.command.clone_from(command);
                self.run.started = stamped.at;
                self.run.origin = origin.clone();
            }
            FarmEvent::RunResumed { .. } => {
                self.run.resumed += 1;
                self.started.clear();
                // What had begun begins anew, a job under another number.
                self.open.clear();
                self.jobs.retain(|_, job| job.judgement.is_some());
            }
            FarmEvent::FeatureRead { path, text } => {
                self.features.insert(path.clone(), text.clone());
            }
            FarmEvent::TargetSeen { info, availability } => {
                if info.simulated {
                    self.simulated.insert(info.id.clone());
                }
                let seen = SeenTarget { info: info.clone(), availability: availability.clone() };
                match self.targets.iter_mut().find(|target| target.info.id == info.id) {
                    Some(target) => *target = seen,
                    None => self.targets.push(seen),
                }
            }
            FarmEvent::Preparing { target } => {
                let (target, started) = (target.clone(), stamped.at);
                self.preparations.push(Preparation { target, started, ended: None, error: None });
            }
            FarmEvent::Prepared { target, error, .. } => {
                let open = |it: &&mut Preparation| it.target == *target && it.ended.is_none();
                if let Some(preparation) = self.preparations.iter_mut().rev().find(open) {
                    (preparation.ended, preparation.error) = (Some(stamped.at), error.clone());
                }
            }
            FarmEvent::BenchHealth { target, state, reason } => self.health.push(Health {
                at: stamped.at,
                target: target.clone(),
                state: state.clone(),
                reason: reason.clone(),
            }),
            FarmEvent::RunFinished { interrupted, took } => {
                self.run.state = if *interrupted { RunState::Interrupted } else { RunState::Finished };
                self.run.took = Some(*took);
            }
            event => {
                self.on_scenario(event);
                self.on_job(event, stamped.at);
            }
        }
    }

    fn on_scenario(&mut self, event: &FarmEvent) {
        match event {
            FarmEvent::ScenarioStarted { scenario, tags } => self.course(scenario).tags.clone_from(tags),
            FarmEvent::JobUsed { scenario, job } => {
                let jobs = &mut self.course(scenario).jobs;
                if !jobs.contains(job) {
                    jobs.push(*job);
                }
            }
            FarmEvent::CriterionJudged { scenario, report } => self.course(scenario).criteria.push(report.clone()),
            FarmEvent::StepFinished { scenario, report } => self.course(scenario).steps.push(report.clone()),
            FarmEvent::ScenarioFinished { scenario, judgement, took, quarantine } => {
                let course = self.open.remove(scenario).unwrap_or_default();
                let ended = ScenarioAccount {
                    id: scenario.clone(),
                    course,
                    judgement: judgement.clone(),
                    took: *took,
                    quarantine: quarantine.clone(),
                };
                if self.is_idle(&ended) && ended.gates() {
                    self.tally.idle += 1;
                }
                self.scenarios.push(ended);
            }
            _ => {}
        }
    }

    fn on_job(&mut self, event: &FarmEvent, at: Timestamp) {
        match event {
            FarmEvent::JobQueued { job, model, dataset, target, alternates, samples } => {
                let all: Vec<String> = std::iter::once(target).chain(alternates).map(|id| self.label(id)).collect();
                let job = self.job(*job, model, dataset, target);
                job.planned = Some(*samples);
                match all.len() {
                    0 | 1 => (),
                    2..=CHOICES => job.place = format!("any of {}", all.join(", ")),
                    more => {
                        let (named, others) = (all[..CHOICES - 1].join(", "), more + 1 - CHOICES);
                        job.place = format!("any of {named} and {others} others");
                    }
                }
            }
            FarmEvent::AttemptStarted { job, attempt, target } => {
                self.started.insert((*job, *attempt), at);
                let place = self.label(target);
                if let Some(job) = self.jobs.get_mut(job) {
                    (job.target, job.place) = (target.clone(), place);
                }
            }
            FarmEvent::AttemptFinished { job, report } => {
                let started = self.started.remove(&(*job, report.number)).unwrap_or(at);
                if let Some(job) = self.jobs.get_mut(job) {
                    job.attempts.push(AttemptAccount { report: report.clone(), started, ended: at });
                }
            }
            FarmEvent::JobFinished { report, summary } => {
                let samples = self.answers(report.evidence.as_ref().map_or(&[], |evidence| &evidence.inferences));
                let job = self.job(report.id, &report.model, &report.dataset, &report.target);
                job.finish(report, summary.as_ref(), samples, at);
            }
            FarmEvent::JobHistory { job, metrics } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.history.clone_from(metrics);
                }
            }
            FarmEvent::CriterionJudged { report, .. } => {
                if let Some(job) = self.jobs.get_mut(&report.job) {
                    job.weigh(report.judgement.verdict);
                }
            }
            _ => {}
        }
    }

    /// The scenario that `event` ended, where it ended one.
    pub(crate) fn ended(&self, event: &FarmEvent) -> Option<&ScenarioAccount> {
        self.scenarios.last().filter(|_| matches!(event, FarmEvent::ScenarioFinished { .. }))
    }

    /// A feature file as the repository's root sees it, where its path tells that.
    pub(crate) fn file(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in self.run.origin.folder.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// Whether a scenario passed without an inference: it allows what does not fit, nothing did, and nothing was asked of
    /// what would have come of it.
    pub(crate) fn is_idle(&self, scenario: &ScenarioAccount) -> bool {
        let course = &scenario.course;
        let no_room = |id: &JobId| self.jobs.get(id).is_some_and(|job| job.no_room);
        let ran_nothing = !course.jobs.is_empty() && course.jobs.iter().all(no_room) && course.criteria.is_empty();
        scenario.judgement.verdict == Verdict::Pass && ran_nothing
    }

    /// A target's name as people are to read it.
    pub(crate) fn name(&self, target: &TargetId) -> String {
        label(target, self.simulated.contains(target))
    }

    /// The same, escaped.
    pub(crate) fn label(&self, target: &TargetId) -> String {
        escape(&self.name(target)).into_owned()
    }

    fn course(&mut self, scenario: &ScenarioId) -> &mut Course {
        self.open.entry(scenario.clone()).or_default()
    }

    fn job(&mut self, id: JobId, model: &str, dataset: &str, target: &TargetId) -> &mut JobAccount {
        let simulated = self.simulated.contains(target);
        self.jobs.entry(id).or_insert_with(|| JobAccount::new(id, model, dataset, target, simulated))
    }

    /// The outputs of a job; those that another had as well are kept once.
    fn answers(&mut self, inferences: &[Inference]) -> Arc<[Answer]> {
        let hash = |inference: &Inference| {
            let mut hasher = DefaultHasher::new();
            inference.output.hash(&mut hasher);
            Answer { hash: hasher.finish() }
        };
        let answers: Vec<Answer> = inferences.iter().map(hash).collect();
        let mut whole = DefaultHasher::new();
        answers.iter().for_each(|answer| answer.hash.hash(&mut whole));
        let known = self.outputs.entry(whole.finish()).or_insert_with(|| answers.as_slice().into());
        if **known == *answers { known.clone() } else { answers.into() }
    }
}

#[cfg(test)]
mod tests;
