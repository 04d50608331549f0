//! `report.json`: the run, its targets, its jobs and its scenarios.

use super::Job;
use farm::{
    Availability, TargetInfo,
    events::{CriterionReport, StepReport},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// All that a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this document: `tinyfarm-report/1`.
    pub schema: String,
    /// The run.
    pub run: Run,
    /// Scenarios by verdict.
    pub tally: Tally,
    /// Every target the run could have used.
    pub targets: Vec<Target>,
    /// Every job that has ended, in the order in which they ended.
    pub jobs: Vec<Job>,
    /// Every scenario that has ended, in the order in which they ended.
    pub scenarios: Vec<Scenario>,
}

/// The run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Names the run: its start in UTC and a random tail.
    pub id: String,
    /// Version of tinyfarm.
    pub version: String,
    /// The command's words.
    pub command: Vec<String>,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// How far it got.
    pub state: RunState,
    /// How long it took, in seconds; null while it runs.
    pub took_s: Option<f64>,
    /// The sources it judges and the machine it is on.
    pub origin: Origin,
}

/// The sources a run judges and the machine it is on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The Git commit; null outside a repository.
    pub commit: Option<String>,
    /// The branch; null where neither Git nor the CI system names one.
    pub branch: Option<String>,
    /// Whether files that Git follows differ from the commit.
    pub dirty: bool,
    /// Host name of the machine.
    pub machine: String,
    /// Its kernel and release.
    pub os: String,
    /// Its processor.
    pub cpu: String,
    /// Its logical cores.
    pub cores: u64,
    /// Its main memory, in bytes.
    pub memory: u64,
    /// Whether this is a nightly sweep.
    pub nightly: bool,
    /// The revision since which a change was looked at; null where all that was chosen runs.
    #[serde(default)]
    pub since: Option<String>,
    /// How many scenarios that change cannot have touched, and are left out.
    #[serde(default)]
    pub left_out: usize,
}

impl From<&farm::Origin> for Origin {
    fn from(origin: &farm::Origin) -> Self {
        let farm::Origin { commit, branch, dirty, folder: _, machine, nightly, since } = origin.clone();
        let farm::origin::Machine { name, os, cpu, cores, memory } = machine;
        let left_out = since.as_ref().map_or(0, |since| since.left_out);
        let since = since.map(|since| since.rev);
        Self { commit, branch, dirty, machine: name, os, cpu, cores, memory, nightly, since, left_out }
    }
}

/// Who put a scenario into quarantine, why, and until when. It runs, and does not count for the exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantine {
    /// Who sees to it that it is mended.
    pub owner: String,
    /// Why it does not gate.
    pub reason: String,
    /// The last day on which it does not gate, `2026-12-31`.
    pub until: String,
    /// Whether that day was over: then it gates again.
    pub expired: bool,
}

impl From<&farm::Quarantine> for Quarantine {
    fn from(quarantine: &farm::Quarantine) -> Self {
        let farm::Quarantine { owner, reason, until, expired } = quarantine.clone();
        Self { owner, reason, until: until.to_string(), expired }
    }
}

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It goes on, or it was killed.
    Running,
    /// Every scenario that was planned has had its turn.
    Finished,
    /// Someone stopped it.
    Interrupted,
}

/// Scenarios by verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Planned.
    pub planned: usize,
    /// Passed.
    pub pass: usize,
    /// Ran, and the evidence cannot decide.
    pub inconclusive: usize,
    /// Could not be tried.
    pub blocked: usize,
    /// The bench was at fault.
    pub infra: usize,
    /// The model or its firmware was at fault.
    pub fail: usize,
    /// In a quarantine that has not expired; they are in none of the counts above and do not gate.
    #[serde(default)]
    pub quarantined: Quarantined,
    /// Planned, and without a verdict.
    pub not_run: usize,
}

/// Scenarios in quarantine by verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantined {
    /// Passed.
    pub pass: usize,
    /// Ran, and the evidence cannot decide.
    pub inconclusive: usize,
    /// Could not be tried.
    pub blocked: usize,
    /// The bench was at fault.
    pub infra: usize,
    /// The model or its firmware was at fault.
    pub fail: usize,
}

impl From<&crate::Tally> for Tally {
    fn from(tally: &crate::Tally) -> Self {
        Self {
            planned: tally.planned,
            pass: tally.pass,
            inconclusive: tally.inconclusive,
            blocked: tally.blocked,
            infra: tally.infra,
            fail: tally.fail,
            quarantined: {
                let of = |verdict| tally.quarantined.get(&verdict).copied().unwrap_or_default();
                let [pass, inconclusive, blocked] =
                    [farm::Verdict::Pass, farm::Verdict::Inconclusive, farm::Verdict::Blocked].map(of);
                let [infra, fail] = [farm::Verdict::Infra, farm::Verdict::Fail].map(of);
                Quarantined { pass, inconclusive, blocked, infra, fail }
            },
            not_run: tally.not_run(),
        }
    }
}

/// What the farm answers about a criterion, a job or a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The evidence meets every criterion.
    Pass,
    /// It ran, and the evidence cannot decide.
    Inconclusive,
    /// It could not be tried.
    Blocked,
    /// The bench is at fault.
    Infra,
    /// The model or its firmware is at fault.
    Fail,
}

impl From<farm::Verdict> for Verdict {
    fn from(verdict: farm::Verdict) -> Self {
        match verdict {
            farm::Verdict::Pass => Self::Pass,
            farm::Verdict::Inconclusive => Self::Inconclusive,
            farm::Verdict::Blocked => Self::Blocked,
            farm::Verdict::Infra => Self::Infra,
            farm::Verdict::Fail => Self::Fail,
        }
    }
}

/// Where in the order container, emulator, board a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The runner in a container.
    Container,
    /// The runner as a child process, which stands in for a container and isolates nothing.
    Host,
    /// The runner on an emulated microcontroller.
    Emulator,
    /// The runner on a physical board.
    Board,
}

impl From<farm::Stage> for Stage {
    fn from(stage: farm::Stage) -> Self {
        match stage {
            farm::Stage::Container => Self::Container,
            farm::Stage::Host => Self::Host,
            farm::Stage::Emulator => Self::Emulator,
            farm::Stage::Board => Self::Board,
        }
    }
}

/// The clock of timings: what one tick is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Clock {
    /// A board's cycle counter: a tick is a core cycle.
    BoardCycles {
        /// Core clock in hertz.
        hz: u64,
    },
    /// A board's timer: a tick is a step of it.
    BoardTimer {
        /// Rate in hertz.
        hz: u64,
    },
    /// Renode's virtual time: a tick is an executed instruction.
    RenodeVirtual,
    /// QEMU with a fixed icount: a tick is an executed instruction.
    QemuInstructions,
    /// The host's monotonic clock: a tick is a nanosecond. Informational: no criterion rests on it.
    Host,
}

impl From<farm::Clock> for Clock {
    fn from(clock: farm::Clock) -> Self {
        match clock {
            farm::Clock::BoardCycles { hz } => Self::BoardCycles { hz },
            farm::Clock::BoardTimer { hz } => Self::BoardTimer { hz },
            farm::Clock::RenodeVirtual => Self::RenodeVirtual,
            farm::Clock::QemuInstructions => Self::QemuInstructions,
            farm::Clock::Host => Self::Host,
        }
    }
}

/// A target the run could have used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its name: `qemu:mps2-an386`.
    pub id: String,
    /// Its stage.
    pub stage: Stage,
    /// Its core, as people call it.
    pub core: String,
    /// The clock of its timings.
    pub clock: Clock,
    /// Whether it only plays a board.
    pub simulated: bool,
    /// Words it is chosen by; only boards have any.
    pub tags: Vec<String>,
    /// What it is a specimen of: targets of equal kind are equal; null: nothing is its equal.
    pub kind: Option<String>,
    /// Whether it could be used.
    #[serde(flatten)]
    pub state: TargetState,
}

/// Whether a target could be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TargetState {
    /// It could.
    Ready {
        /// Name and version of the tool that runs it.
        tool: String,
    },
    /// It could not, and was left out.
    Absent {
        /// Why, and the mend.
        reason: String,
    },
}

impl Target {
    pub(super) fn of(info: &TargetInfo, availability: &Availability) -> Self {
        Self {
            id: info.id.0.clone(),
            stage: info.stage.into(),
            core: info.core.clone(),
            clock: info.clock.into(),
            simulated: info.simulated,
            tags: info.tags.clone(),
            kind: info.kind.clone(),
            state: match availability {
                Availability::Ready { tool } => TargetState::Ready { tool: tool.clone() },
                Availability::Absent { reason } => TargetState::Absent { reason: reason.clone() },
            },
        }
    }
}

/// A scenario and its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Path of the feature file, as given.
    pub path: String,
    /// Line of the scenario, or of its row of examples; from 1.
    pub line: usize,
    /// Name of the feature.
    pub feature: String,
    /// Name of the scenario.
    pub name: String,
    /// Its tags and those it inherits, without `@`.
    pub tags: Vec<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// The cause, where it is no pass; on a pass a remark or nothing.
    pub reason: String,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// The criteria that were judged, in order.
    pub criteria: Vec<Criterion>,
    /// Numbers of the jobs whose evidence it used.
    pub jobs: Vec<u64>,
    /// Whether it is in quarantine; null: it is not.
    pub quarantine: Option<Quarantine>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// `Given`, `When`, `Then`, `And`, `But`, as written.
    pub keyword: String,
    /// Its text.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
    /// How it ended; null: not reached.
    pub verdict: Option<Verdict>,
    /// The cause, where it is no pass.
    pub reason: String,
    /// How long it took, in seconds.
    pub took_s: f64,
}

impl From<&StepReport> for Step {
    fn from(step: &StepReport) -> Self {
        Self {
            // The parser keeps the space that follows.
            keyword: step.keyword.trim().to_owned(),
            text: step.text.clone(),
            line: step.line,
            verdict: step.judgement.as_ref().map(|judgement| judgement.verdict.into()),
            reason: step.judgement.as_ref().map(|judgement| judgement.reason.clone()).unwrap_or_default(),
            took_s: seconds(step.took),
        }
    }
}

/// A criterion that was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    /// Number of the job whose evidence was judged.
    pub job: u64,
    /// Where that job ran.
    pub target: String,
    /// The criterion in words.
    pub criterion: String,
    /// What was measured, in words, with unit and interval.
    pub measured: String,
    /// The same as a number; null where it is none, or not a number.
    pub value: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// The cause, where it is no pass.
    pub reason: String,
}

impl From<&CriterionReport> for Criterion {
    fn from(report: &CriterionReport) -> Self {
        Self {
            job: report.job.0,
            target: report.target.0.clone(),
            criterion: report.criterion.clone(),
            measured: report.measured.clone(),
            value: report.value.filter(|value| value.is_finite()),
            verdict: report.judgement.verdict.into(),
            reason: report.judgement.reason.clone(),
        }
    }
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Where it ran.
    pub target: String,
    /// Pass: evidence came back.
    pub verdict: Verdict,
    /// The cause, where it is no pass.
    pub reason: String,
    /// How long it took, in seconds.
    pub took_s: f64,
}

impl From<&farm::AttemptReport> for Attempt {
    fn from(attempt: &farm::AttemptReport) -> Self {
        Self {
            number: attempt.number,
            target: attempt.target.0.clone(),
            verdict: attempt.verdict.into(),
            reason: attempt.reason.clone(),
            took_s: seconds(attempt.took),
        }
    }
}

/// Seconds, to the microsecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}
