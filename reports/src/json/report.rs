//! Writes `report.json`, now and then while the run goes on and at its end, always as a whole.

use super::{
    Criterion, Job, MetricHistory, Origin, Quarantine, Report, Run, RunState, SCHEMA, Scenario, Step, Tally, Target,
    document::{instant, seconds},
};
use crate::{
    Account, ReportError, ReportFolder, Reporter,
    account::ScenarioAccount,
    folder::{ReportFile, Throttle},
};
use farm::{FarmEvent, Stamped};
use jiff::Timestamp;

/// The file's name in the report folder.
pub const REPORT_FILE: &str = "report.json";

/// Writes [`REPORT_FILE`].
#[derive(Debug)]
pub struct ReportJson {
    file: ReportFile,
    throttle: Throttle,
    now: Timestamp,
    report: Report,
}

impl ReportJson {
    /// Into `folder`.
    pub fn new(folder: &ReportFolder) -> Self {
        let run = Run {
            id: String::new(),
            version: String::new(),
            command: Vec::new(),
            started: instant(Timestamp::UNIX_EPOCH),
            state: RunState::Running,
            took_s: None,
            origin: Origin::default(),
        };
        Self {
            file: folder.file(REPORT_FILE),
            throttle: Throttle::default(),
            now: Timestamp::UNIX_EPOCH,
            report: Report {
                schema: SCHEMA.to_owned(),
                run,
                tally: Tally::from(&crate::Tally::default()),
                targets: Vec::new(),
                jobs: Vec::new(),
                scenarios: Vec::new(),
            },
        }
    }

    fn write(&mut self, account: &Account, last: bool) -> Result<(), ReportError> {
        self.report.tally = Tally::from(&account.tally);
        let report = &self.report;
        let result = self.file.replace(last, |out| {
            serde_json::to_writer(&mut *out, report)?;
            out.write_all(b"\n")
        });
        self.throttle.written(self.now, *result.as_ref().unwrap_or(&0));
        result.map(drop)
    }
}

impl Scenario {
    fn of(scenario: &ScenarioAccount) -> Self {
        let ScenarioAccount { id, judgement, .. } = scenario;
        Self {
            path: id.path.clone(),
            line: id.line,
            feature: id.feature.clone(),
            name: id.name.clone(),
            tags: scenario.course.tags.clone(),
            verdict: judgement.verdict.into(),
            reason: judgement.reason.clone(),
            took_s: seconds(scenario.took),
            steps: scenario.course.steps.iter().map(Step::from).collect(),
            criteria: scenario.course.criteria.iter().map(Criterion::from).collect(),
            jobs: scenario.course.jobs.iter().map(|job| job.0).collect(),
            quarantine: scenario.quarantine.as_ref().map(Quarantine::from),
        }
    }
}

impl Reporter for ReportJson {
    fn name(&self) -> &str {
        "JSON"
    }

    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError> {
        self.now = event.at;
        if let Some(scenario) = account.ended(&event.event) {
            self.report.scenarios.push(Scenario::of(scenario));
            self.throttle.note();
        }
        match &event.event {
            FarmEvent::RunStarted { run, version, command, origin, .. } => {
                self.report.run.id.clone_from(run);
                self.report.run.version.clone_from(version);
                self.report.run.command.clone_from(command);
                self.report.run.started = instant(event.at);
                self.report.run.origin = origin.into();
                // At once: the file of an earlier run must not stand for this one.
                return self.write(account, false);
            }
            FarmEvent::TargetSeen { info, availability } => {
                // A run that was resumed looks at its targets once more.
                self.report.targets.retain(|known| known.id != info.id.0);
                self.report.targets.push(Target::of(info, availability));
            }
            FarmEvent::JobFinished { report, summary } => {
                self.report.jobs.push(Job::of(report, summary.as_deref()));
                self.throttle.note();
            }
            FarmEvent::JobHistory { job, metrics } => {
                if let Some(known) = self.report.jobs.iter_mut().rev().find(|known| known.id == job.0) {
                    known.history = metrics.iter().map(MetricHistory::from).collect();
                }
            }
            FarmEvent::CriterionJudged { report, .. } => {
                let known = self.report.jobs.iter_mut().rev().find(|known| known.id == report.job.0);
                let verdict = account.jobs.get(&report.job).and_then(|job| job.verdict);
                if let (Some(known), Some(verdict)) = (known, verdict) {
                    known.judged = verdict.into();
                }
            }
            FarmEvent::RunFinished { interrupted, took } => {
                self.report.run.state = if *interrupted { RunState::Interrupted } else { RunState::Finished };
                self.report.run.took_s = Some(seconds(*took));
                // Written by `finish`, which comes next.
                return Ok(());
            }
            _ => {}
        }
        if self.throttle.due(event.at) { self.write(account, false) } else { Ok(()) }
    }

    fn idle(&mut self, account: &Account) -> Result<(), ReportError> {
        if self.throttle.due(Timestamp::now()) { self.write(account, false) } else { Ok(()) }
    }

    fn finish(&mut self, account: &Account) -> Result<(), ReportError> {
        self.write(account, true)
    }
}
