//! One scenario under way: what its steps have said, what has run, and how each step ended.

use super::{Shared, words};
use crate::{action::Action, catalogue, plan::PlannedScenario};
use farm::{
    Dataset, FarmEvent, JobSpec, Judgement, Model, TargetId, TargetInfo, Timeouts, Verdict,
    events::{CriterionReport, StepReport},
    scheduler::JobResult,
};
use futures::FutureExt as _;
use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

/// A scenario's seat in the world.
pub(crate) struct Seat {
    pub(super) shared: Arc<Shared>,
    pub(super) planned: Arc<PlannedScenario>,
    index: usize,
    started: Instant,
    /// Index of the step that comes next.
    next: usize,
    judgements: Vec<Judgement>,
    pub(super) limits: Limits,
    /// The jobs of the latest run that are to be judged.
    pub(super) latest: Vec<Ran>,
    /// Those of the latest run that were left out, because the model does not fit there.
    pub(super) left_out: Vec<Ran>,
    /// Every job of this scenario, for others to be compared with.
    pub(super) all: Vec<Ran>,
}

/// What steps allow a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub arena: Option<u64>,
    pub timeouts: Timeouts,
    pub retries: u32,
    pub own_firmware: bool,
}

/// A job that ended.
#[derive(Clone)]
pub(super) struct Ran {
    /// Where its last attempt ran, or its first would have.
    pub target: TargetId,
    pub model: Arc<Model>,
    pub dataset: Arc<Dataset>,
    /// What was asked for.
    pub spec: Arc<JobSpec>,
    pub result: Arc<JobResult>,
}

impl Ran {
    /// The target's name as people are to read it.
    pub fn label(&self) -> String {
        farm::target::label(&self.target, self.result.report.simulated)
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("scenario", &self.planned.id).finish_non_exhaustive()
    }
}

impl Seat {
    /// Takes the seat: the scenario has started.
    pub fn new(shared: Arc<Shared>, index: usize, planned: Arc<PlannedScenario>) -> Self {
        shared.tell_feature(&planned.id.path, &planned.text);
        shared.sink.send(FarmEvent::ScenarioStarted { scenario: planned.id.clone(), tags: planned.tags.clone() });
        let limits = Limits { arena: None, timeouts: planned.timeouts, retries: planned.retries, own_firmware: false };
        Self {
            shared,
            planned,
            index,
            started: Instant::now(),
            next: 0,
            judgements: Vec::new(),
            limits,
            latest: Vec::new(),
            left_out: Vec::new(),
            all: Vec::new(),
        }
    }

    /// Whether the run was interrupted before this scenario's first step.
    pub fn interrupted(&mut self) -> bool {
        let interrupted = self.shared.cancel.is_cancelled();
        if interrupted {
            self.judgements.push(Judgement::new(Verdict::Blocked, "interrupted"));
        }
        interrupted
    }

    /// Does one step and tells how it ended; whether it passed.
    pub async fn step(&mut self, step: &gherkin::Step) -> bool {
        let started = Instant::now();
        let outcome = AssertUnwindSafe(self.act(step)).catch_unwind().await;
        let judgement = outcome
            .unwrap_or_else(|panic| Judgement::new(Verdict::Infra, format!("tinyfarm bug: {}", words::panic(&*panic))));
        let passed = judgement.verdict == Verdict::Pass;
        self.judgements.push(judgement.clone());
        self.tell(self.next, Some(judgement), started.elapsed());
        self.next += 1;
        passed
    }

    /// Leaves the seat: steps that were not reached and the scenario's verdict are told, evidence is dropped.
    pub fn leave(self) {
        for index in self.next..self.planned.steps.len() {
            self.tell(index, None, Duration::ZERO);
        }
        let reached_all = self.next == self.planned.steps.len();
        let worst = self.judgements.iter().map(|judgement| judgement.verdict).max();
        let judgement = match worst {
            Some(Verdict::Pass) if reached_all => {
                let mut remarks: Vec<&str> = Vec::new();
                for judgement in &self.judgements {
                    if !judgement.reason.is_empty() && !remarks.contains(&judgement.reason.as_str()) {
                        remarks.push(&judgement.reason);
                    }
                }
                Judgement::new(Verdict::Pass, remarks.join("; "))
            }
            // Cucumber ended the scenario though no step asked for it.
            None | Some(Verdict::Pass) => {
                let step = self.planned.steps.get(self.next).map_or("its end", |step| step.text.as_str());
                Judgement::new(Verdict::Infra, format!("tinyfarm bug: cucumber stopped at `{step}`"))
            }
            Some(worst) => {
                let reason = self.judgements.iter().find(|judgement| judgement.verdict == worst);
                Judgement::new(worst, reason.map_or("", |judgement| judgement.reason.as_str()))
            }
        };
        self.shared.finish(self.index, judgement, self.started.elapsed());
    }

    async fn act(&mut self, step: &gherkin::Step) -> Judgement {
        if self.shared.cancel.is_cancelled() {
            return Judgement::new(Verdict::Blocked, "interrupted");
        }
        let action = match catalogue::parse(step) {
            Ok(action) => action,
            Err(error) => {
                return Judgement::new(Verdict::Infra, format!("tinyfarm bug: the plan let this step pass: {error}"));
            }
        };
        let judges = matches!(action, Action::Judge(_) | Action::Outputs(_));
        if judges && self.latest.is_empty() && !self.left_out.is_empty() {
            return Judgement::new(
                Verdict::Inconclusive,
                "there is nothing to judge: the model does not fit where it was to run",
            );
        }
        match action {
            // The plan has found model and dataset, and checked one against the other.
            Action::Subject { model, own_firmware, .. } => {
                if model.is_some() {
                    self.limits.own_firmware = own_firmware;
                }
            }
            Action::ArenaLimit(bytes) => self.limits.arena = Some(bytes),
            Action::TimeLimit(time) => self.limits.timeouts.infer = time,
            Action::Retries(count) => self.limits.retries = count,
            Action::Run(run) => {
                let Some(planned) = self.planned.steps.get(self.next).and_then(|step| step.run.clone()) else {
                    return Judgement::new(Verdict::Infra, "tinyfarm bug: the plan knows no run for this step");
                };
                return self.run(&run, &planned).await;
            }
            Action::Judge(criteria) => return self.judge_latest(&criteria).await,
            Action::Outputs(expected) => return self.compare_outputs(&expected),
            Action::NotWorse(wanted) => return self.not_worse(&wanted).await,
            Action::FailsBecause(reason) => return self.fails_because(&reason),
            Action::DoesNotFit => return self.does_not_fit(),
        }
        Judgement::new(Verdict::Pass, "")
    }

    /// Runs a job on each target, or one on any of them, tells that this scenario uses it, and keeps it for comparisons.
    pub(super) async fn job(&mut self, ran: Wanted<'_>) -> Vec<Ran> {
        let Wanted { model, dataset, targets, any } = ran;
        let limits = self.limits;
        let places: Vec<&[TargetInfo]> = if any { vec![targets] } else { targets.chunks(1).collect() };
        let jobs = places.into_iter().filter_map(|place| place.split_first()).map(|(info, others)| {
            let spec = JobSpec {
                model: Arc::clone(model),
                dataset: Arc::clone(dataset),
                target: info.id.clone(),
                alternates: others.iter().map(|info| info.id.clone()).collect(),
                arena_limit: limits.arena,
                timeouts: limits.timeouts,
                retries: limits.retries,
                own_firmware: limits.own_firmware,
                rerun: 0,
            };
            self.ask(Arc::new(spec))
        });
        let ran = futures::future::join_all(jobs).await;
        self.all.extend(ran.iter().cloned());
        ran
    }

    /// Runs one job, and tells that this scenario uses it.
    pub(super) async fn ask(&self, spec: Arc<JobSpec>) -> Ran {
        let result = self.shared.scheduler.run(JobSpec::clone(&spec)).await;
        self.shared.sink.send(FarmEvent::JobUsed { scenario: self.planned.id.clone(), job: result.report.id });
        self.shared.tell_history(&result).await;
        let target = result.report.target.clone();
        Ran { target, model: Arc::clone(&spec.model), dataset: Arc::clone(&spec.dataset), spec, result }
    }

    /// Tells of a criterion that was judged.
    pub(super) fn tell_criterion(&self, report: CriterionReport) {
        self.shared.sink.send(FarmEvent::CriterionJudged { scenario: self.planned.id.clone(), report });
    }

    fn tell(&self, index: usize, judgement: Option<Judgement>, took: Duration) {
        let Some(step) = self.planned.steps.get(index) else { return };
        let report =
            StepReport { keyword: step.keyword.clone(), text: step.text.clone(), line: step.line, judgement, took };
        self.shared.sink.send(FarmEvent::StepFinished { scenario: self.planned.id.clone(), report });
    }
}

/// What to run where.
pub(super) struct Wanted<'a> {
    pub model: &'a Arc<Model>,
    pub dataset: &'a Arc<Dataset>,
    pub targets: &'a [TargetInfo],
    /// One job, on whichever of the targets is free, in place of one on each.
    pub any: bool,
}
