//! What Cucumber calls a verdict.

use crate::{Tally, text::escape};
use farm::{Judgement, Quarantine, Verdict};

/// A step's result.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub status: &'static str,
    pub message: Option<String>,
}

impl Outcome {
    const NOT_REACHED: Self = Self { status: "SKIPPED", message: None };

    fn of(judgement: &Judgement, quarantine: Option<&Quarantine>) -> Self {
        let Judgement { verdict, reason } = judgement;
        let told = match escape(reason) {
            reason if reason.is_empty() => verdict.word().to_owned(),
            reason => format!("{}: {reason}", verdict.word()),
        };
        let status = match verdict {
            Verdict::Pass => return Self { status: "PASSED", message: (!reason.is_empty()).then_some(told) },
            Verdict::Inconclusive => "PENDING",
            Verdict::Blocked => "SKIPPED",
            Verdict::Infra | Verdict::Fail => "FAILED",
        };
        match quarantine {
            None => Self { status, message: Some(told) },
            Some(quarantine) => Self { status: "SKIPPED", message: Some(format!("{}: {told}", words(quarantine))) },
        }
    }
}

fn words(Quarantine { owner, reason, until, .. }: &Quarantine) -> String {
    format!("quarantined by {} until {until} ({})", escape(owner), escape(reason))
}

/// What is told at the scenario's first step.
pub(super) fn in_quarantine(quarantine: &Quarantine) -> String {
    let means = if quarantine.gates() { "that day is over, and it gates again" } else { "it does not gate" };
    format!("{}: {means}", words(quarantine))
}

/// The results of a scenario's `count` steps, of which the first have been told. Where none of them has the scenario's
/// verdict (it was interrupted between two), the one that it ended at has: a scenario must not look better than it is.
pub(super) fn results(
    told: &[Option<&Judgement>],
    count: usize,
    scenario: &Judgement,
    quarantine: Option<&Quarantine>,
) -> Vec<Outcome> {
    let quarantine = quarantine.filter(|it| !it.gates());
    let of = |at: usize| told.get(at).copied().flatten();
    let mut results: Vec<Outcome> = (0..count)
        .map(|at| of(at).map_or(Outcome::NOT_REACHED, |judgement| Outcome::of(judgement, quarantine)))
        .collect();
    let shown = Verdict::worst((0..count).filter_map(of).map(|judgement| judgement.verdict));
    if scenario.verdict != Verdict::Pass && shown.is_none_or(|shown| shown < scenario.verdict) {
        let at = (0..count).find(|at| of(*at).is_none()).unwrap_or(count.saturating_sub(1));
        if let Some(result) = results.get_mut(at) {
            *result = Outcome::of(scenario, quarantine);
        }
    }
    results
}

/// Whether the run passed, as its exit code says.
pub(super) fn succeeded(tally: &Tally) -> bool {
    let passed = tally.worst() == Some(Verdict::Pass) && tally.finished && !tally.interrupted && tally.not_run() == 0;
    passed || tally.nothing_to_run() || tally.nothing_gates()
}

/// What is to be said of the run as a whole.
pub(super) fn run_message(tally: &Tally) -> Option<String> {
    if tally.interrupted || !tally.finished || tally.not_run() > 0 {
        let why = if tally.interrupted { "interrupted" } else { "cut short" };
        let judged = tally.judged() - tally.stopped;
        return Some(format!("{why}: {judged} of {} scenarios have a verdict", tally.planned));
    }
    if succeeded(tally) {
        return None;
    }
    let counts = tally.counts();
    let counts = counts.iter().rev().filter(|(_, count)| *count > 0);
    let mut words: Vec<String> = counts.map(|(verdict, count)| format!("{count} {}", verdict.word())).collect();
    if tally.in_quarantine() > 0 {
        words.push(format!("{} in quarantine", tally.in_quarantine()));
    }
    Some(if words.is_empty() { "no scenario was run".to_owned() } else { words.join(", ") })
}
