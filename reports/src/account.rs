//! All that a run told, for documents that are written at its end.
//!
//! What it keeps is bounded by the count of jobs and scenarios. Of outputs it keeps a hash for each sample, and jobs with
//! the same outputs share them.

// Of its fields, each document reads those that it shows.
#![allow(dead_code)]

use crate::{Tally, gather::Gather, json::RunState, text};
use farm::{
    AttemptReport, Availability, FarmEvent, Fault, Inference, JobId, JobReport, Judgement, Origin, Provenance,
    Quarantine, Stamped, TargetId, TargetInfo, Verdict,
    events::{CriterionReport, ScenarioId, StepReport},
    history::{FollowedFigure, MetricHistory, Series, figures},
    metrics::Summary,
};
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// How many lines of the log of a job that did not pass are kept.
const TAIL: usize = 40;

/// How many buckets a histogram has at most.
const BUCKETS: u64 = 64;

/// All that a run told so far.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The run.
    pub run: RunAccount,
    /// Its scenarios counted by verdict.
    pub tally: Tally,
    /// Targets in the order in which they were seen.
    pub targets: Vec<SeenTarget>,
    /// What was built for targets, in the order of events.
    pub preparations: Vec<Preparation>,
    /// Jobs by number.
    pub jobs: BTreeMap<JobId, JobAccount>,
    /// Scenarios that have a verdict, in the order in which they ended.
    pub scenarios: Vec<ScenarioAccount>,
    /// What boards thought of their health, in the order of events.
    pub health: Vec<Health>,
    /// Feature files by path, as they were read.
    pub features: BTreeMap<String, String>,
    /// What other reporters know as well: how jobs are put in words.
    pub gather: Gather,
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

/// An attempt, and when it was.
#[derive(Debug, Clone)]
pub(crate) struct AttemptAccount {
    /// How it ended.
    pub report: AttemptReport,
    /// When it had its target.
    pub started: Timestamp,
    /// When it gave it back.
    pub ended: Timestamp,
}

/// The outputs for one sample, as far as they can be told equal or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Hash of the output tensors' bytes. Only to be compared within a run.
    pub hash: u64,
}

/// How many inferences took so many ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// The fewest ticks that fall into it.
    pub from: u64,
    /// The most.
    pub to: u64,
    /// How many inferences.
    pub count: u64,
}

/// How ticks are distributed; small, for there are ten thousands of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    from: u64,
    to: u64,
    width: u64,
    counts: Box<[u32]>,
}

impl Histogram {
    /// Its buckets, from the fewest ticks to the most.
    pub fn buckets(&self) -> Vec<Bucket> {
        let bucket = |(index, count): (u64, &u32)| {
            let from = self.from.saturating_add(index * self.width);
            Bucket { from, to: from.saturating_add(self.width - 1).min(self.to), count: u64::from(*count) }
        };
        (0..).zip(&self.counts).map(bucket).collect()
    }
}

/// A job.
#[derive(Debug, Clone)]
pub(crate) struct JobAccount {
    /// Its number.
    pub id: JobId,
    /// Model by name.
    pub model: String,
    /// Dataset by name.
    pub dataset: String,
    /// Where its last attempt ran, or its first would have.
    pub target: TargetId,
    /// Whether that only plays a board.
    pub simulated: bool,
    /// How it ended by itself; `None` until it did.
    pub judgement: Option<Judgement>,
    /// The heaviest of its own verdict and those of the criteria judged on its evidence.
    pub verdict: Option<Verdict>,
    /// Whether the target has no room for the model: a fail by itself, and often what a scenario wants or allows.
    pub no_room: bool,
    /// Every attempt that ended, in order.
    pub attempts: Vec<AttemptAccount>,
    /// The figures drawn from its evidence; `None` where none came back.
    pub summary: Option<Arc<Summary>>,
    /// What made its evidence.
    pub provenance: Option<Provenance>,
    /// The core it ran on, in the runner's words.
    pub core: Option<String>,
    /// The figures that are followed from run to run.
    pub figures: Vec<FollowedFigure>,
    /// What was known of them before.
    pub history: Vec<MetricHistory>,
    /// How ticks are distributed: no more than 64 buckets between smallest and largest, none empty left out.
    pub ticks: Histogram,
    /// The log's last 40 lines, escaped; only where it is no pass.
    pub log_tail: Vec<String>,
    /// The outputs, sample by sample; none where no evidence came back.
    pub samples: Arc<[Answer]>,
    /// Whether it ran on the model's own firmware.
    pub own_firmware: bool,
    /// Which measurement it was of those that are otherwise the same; 0 for the first.
    pub rerun: u32,
}

impl JobAccount {
    /// What is followed from run to run that it belongs to; as [`Series::of`] has it.
    pub fn series(&self) -> Series {
        let own = if self.own_firmware { " (own firmware)" } else { "" };
        let model = format!("{}{own}", self.model);
        Series { model, dataset: self.dataset.clone(), target: self.target.clone() }
    }

    /// How many attempts it needed, where more than one.
    pub fn needed(&self) -> Option<usize> {
        Some(self.attempts.len()).filter(|attempts| *attempts > 1)
    }

    /// What was known before of `metric`.
    pub fn known(&self, metric: &str) -> Option<&MetricHistory> {
        self.history.iter().find(|history| history.metric == metric)
    }
}

/// A scenario that has its verdict.
#[derive(Debug, Clone)]
pub(crate) struct ScenarioAccount {
    /// Which.
    pub id: ScenarioId,
    /// Its tags and those it inherits, without `@`.
    pub tags: Vec<String>,
    /// Its one verdict.
    pub judgement: Judgement,
    /// How long it took.
    pub took: Duration,
    /// When it ended.
    pub ended: Timestamp,
    /// Whether it is in quarantine.
    pub quarantine: Option<Quarantine>,
    /// Its steps.
    pub steps: Vec<StepReport>,
    /// The criteria that were judged.
    pub criteria: Vec<CriterionReport>,
    /// The jobs whose evidence it used.
    pub jobs: Vec<JobId>,
}

impl ScenarioAccount {
    /// Whether it counts for the exit code.
    pub fn gates(&self) -> bool {
        self.quarantine.as_ref().is_none_or(Quarantine::gates)
    }

    /// The first step that did not pass.
    pub fn stumbled(&self) -> Option<&StepReport> {
        let stumbled = |step: &&StepReport| step.judgement.as_ref().is_some_and(|it| it.verdict != Verdict::Pass);
        self.steps.iter().find(stumbled)
    }

    /// The line of the feature that a reader wants to see: that of the step that did not pass, else the scenario's own.
    pub fn line(&self) -> usize {
        self.stumbled().map_or(self.id.line, |step| step.line)
    }
}

impl Account {
    /// Scenarios with the heaviest verdict first, those that gate before those that do not; of one kind by file and line.
    pub fn worst_first(&self) -> Vec<&ScenarioAccount> {
        let mut all: Vec<&ScenarioAccount> = self.scenarios.iter().collect();
        all.sort_by_key(|it| (!it.gates(), Reverse(it.judgement.verdict), &it.id.path, it.id.line));
        all
    }

    /// Jobs that needed more than one attempt, by number.
    pub fn retried(&self) -> impl Iterator<Item = &JobAccount> {
        self.jobs.values().filter(|job| job.needed().is_some())
    }

    /// The run in a word or four; never a pass for less than a whole run.
    pub fn outcome(&self) -> &'static str {
        match (self.tally.worst(), self.shortfall()) {
            (Some(Verdict::Fail), _) => "fail",
            (_, Some(_)) => "incomplete",
            (Some(verdict), None) => verdict.word(),
            (None, None) if self.tally.nothing_to_run() => "nothing had to run",
            (None, None) => "nothing that gates was run",
        }
    }

    /// What keeps the run from being a whole one; `None` where nothing does. A run is never told as passed with it.
    pub fn shortfall(&self) -> Option<String> {
        let (judged, planned) = (self.tally.judged(), self.tally.planned);
        let counts = format!("{judged} of {planned} scenarios have a verdict");
        match self.run.state {
            RunState::Running => Some(format!("the run goes on or was cut short: {counts}")),
            RunState::Interrupted => Some(format!("interrupted: {counts}")),
            RunState::Finished if self.tally.not_run() > 0 => Some(format!("ended early: {counts}")),
            RunState::Finished if self.tally.nothing_to_run() => None,
            RunState::Finished if judged == 0 => Some("no scenario was run".to_owned()),
            RunState::Finished => None,
        }
    }

    /// Takes in an event.
    pub fn on(&mut self, stamped: &Stamped) {
        self.run.now = stamped.at;
        self.tally.on(&stamped.event);
        if let Some(done) = self.gather.on(stamped) {
            self.scenarios.push(ScenarioAccount {
                id: done.id,
                tags: done.course.tags,
                judgement: done.judgement,
                took: done.took,
                ended: stamped.at,
                quarantine: done.quarantine,
                steps: done.course.steps,
                criteria: done.course.criteria,
                jobs: done.course.jobs,
            });
        }
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
                // What had begun and not ended has another number when it runs again.
                self.jobs.retain(|_, job| job.judgement.is_some());
            }
            FarmEvent::FeatureRead { path, text } => {
                self.features.insert(path.clone(), text.clone());
            }
            FarmEvent::TargetSeen { info, availability } => {
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
            event => self.on_job(event, stamped.at),
        }
    }

    fn on_job(&mut self, event: &FarmEvent, at: Timestamp) {
        match event {
            FarmEvent::JobQueued { job, model, dataset, target, .. } => {
                self.job(*job, model, dataset, target);
            }
            FarmEvent::AttemptStarted { job, attempt, target } => {
                self.started.insert((*job, *attempt), at);
                if let Some(job) = self.jobs.get_mut(job) {
                    job.target = target.clone();
                }
            }
            FarmEvent::AttemptFinished { job, report } => {
                let started = self.started.remove(&(*job, report.number)).unwrap_or(at);
                if let Some(job) = self.jobs.get_mut(job) {
                    job.attempts.push(AttemptAccount { report: report.clone(), started, ended: at });
                }
            }
            FarmEvent::JobFinished { report, summary } => self.finished(report, summary.as_ref(), at),
            FarmEvent::JobHistory { job, metrics } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.history.clone_from(metrics);
                }
            }
            FarmEvent::CriterionJudged { report, .. } => {
                if let Some(job) = self.jobs.get_mut(&report.job) {
                    job.verdict = job.verdict.max(Some(report.judgement.verdict));
                }
            }
            _ => {}
        }
    }

    fn job(&mut self, id: JobId, model: &str, dataset: &str, target: &TargetId) -> &mut JobAccount {
        let simulated = self.gather.simulated.contains(target);
        self.jobs.entry(id).or_insert_with(|| JobAccount {
            id,
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            target: target.clone(),
            simulated,
            judgement: None,
            verdict: None,
            no_room: false,
            attempts: Vec::new(),
            summary: None,
            provenance: None,
            core: None,
            figures: Vec::new(),
            history: Vec::new(),
            ticks: Histogram::default(),
            log_tail: Vec::new(),
            samples: Arc::default(),
            own_firmware: false,
            rerun: 0,
        })
    }

    fn finished(&mut self, report: &JobReport, summary: Option<&Arc<Summary>>, at: Timestamp) {
        let inferences = report.evidence.as_ref().map_or(&[] as &[Inference], |evidence| &evidence.inferences);
        let samples = self.answers(inferences);
        let job = self.job(report.id, &report.model, &report.dataset, &report.target);
        job.target = report.target.clone();
        job.simulated = report.simulated;
        job.judgement = Some(report.judgement.clone());
        job.verdict = job.verdict.max(Some(report.judgement.verdict));
        job.no_room = report.fault.as_ref().is_some_and(Fault::is_lack_of_room);
        // An attempt whose end was not told is known from here.
        for attempt in report.attempts.iter().skip(job.attempts.len()) {
            job.attempts.push(AttemptAccount { report: attempt.clone(), started: at, ended: at });
        }
        job.figures = summary.map(|summary| figures(summary, report.simulated)).unwrap_or_default();
        job.summary = summary.cloned();
        if let Some(evidence) = &report.evidence {
            job.provenance = Some(evidence.provenance.clone());
            job.core = Some(evidence.handshake.core.clone());
        }
        job.ticks = histogram(inferences);
        if report.judgement.verdict != Verdict::Pass {
            job.log_tail = text::tail(&report.log, TAIL);
        }
        job.samples = samples;
        (job.own_firmware, job.rerun) = (report.own_firmware, report.rerun);
    }

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

/// Counts the ticks of `inferences` in buckets of equal width.
fn histogram(inferences: &[Inference]) -> Histogram {
    let ticks = || inferences.iter().map(|inference| inference.ticks);
    let (Some(from), Some(to)) = (ticks().min(), ticks().max()) else { return Histogram::default() };
    let width = (to - from) / BUCKETS + 1;
    let mut counts = vec![0_u32; ((to - from) / width) as usize + 1];
    ticks().for_each(|ticks| counts[((ticks - from) / width) as usize] += 1);
    Histogram { from, to, width, counts: counts.into() }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
