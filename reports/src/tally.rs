//! Scenarios counted by verdict.

use farm::{FarmEvent, Quarantine, Verdict};
use std::{collections::BTreeMap, time::Duration};

/// How the scenarios of a run ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Scenarios that were planned.
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
    /// Those in a quarantine that has not expired, by verdict. They are in none of the counts above, and weigh nothing.
    pub quarantined: BTreeMap<Verdict, usize>,
    /// Of those that passed, how many ran nothing, because the model does not fit and that was allowed.
    pub idle: usize,
    /// Of those that are blocked, also in quarantine, how many are because somebody interrupted the run.
    pub stopped: usize,
    /// Whether the run said that it ended; otherwise it was cut short.
    pub finished: bool,
    /// Whether someone interrupted it.
    pub interrupted: bool,
    /// Scenarios that are no part of the run, because the change that it is about cannot have touched them.
    pub left_out: usize,
    /// How long the run took, where it ended.
    pub took: Option<Duration>,
}

impl Tally {
    /// Counts in one event.
    pub fn on(&mut self, event: &FarmEvent) {
        match event {
            FarmEvent::RunStarted { scenarios, origin, .. } => {
                self.planned = *scenarios;
                self.left_out = origin.since.as_ref().map_or(0, |since| since.left_out);
            }
            FarmEvent::ScenarioFinished { judgement, quarantine, .. } => {
                self.stopped += usize::from(judgement.verdict == Verdict::Blocked && judgement.reason == "interrupted");
                if quarantine.as_ref().is_none_or(Quarantine::gates) {
                    *self.slot(judgement.verdict) += 1;
                } else {
                    *self.quarantined.entry(judgement.verdict).or_default() += 1;
                }
            }
            FarmEvent::RunFinished { interrupted, took } => {
                self.finished = true;
                self.interrupted = *interrupted;
                self.took = Some(*took);
            }
            _ => {}
        }
    }

    fn slot(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Blocked => &mut self.blocked,
            Verdict::Infra => &mut self.infra,
            Verdict::Fail => &mut self.fail,
        }
    }

    /// How many that gate ended with each verdict, the lightest first.
    pub fn counts(&self) -> [(Verdict, usize); 5] {
        [
            (Verdict::Pass, self.pass),
            (Verdict::Inconclusive, self.inconclusive),
            (Verdict::Blocked, self.blocked),
            (Verdict::Infra, self.infra),
            (Verdict::Fail, self.fail),
        ]
    }

    /// How many have a verdict, those in quarantine as well.
    pub fn judged(&self) -> usize {
        self.counts().iter().map(|(_, count)| count).sum::<usize>() + self.in_quarantine()
    }

    /// How many have a verdict and are in quarantine.
    pub fn in_quarantine(&self) -> usize {
        self.quarantined.values().sum()
    }

    /// How many were planned and have none.
    pub fn not_run(&self) -> usize {
        self.planned.saturating_sub(self.judged())
    }

    /// Whether nothing had to run: the plan was known to be empty before anything ran, as only `--since` allows.
    pub fn nothing_to_run(&self) -> bool {
        self.planned == 0 && self.finished && !self.interrupted
    }

    /// Whether nothing that gates had to run: a change touched only scenarios in quarantine, which all have their verdict.
    pub fn nothing_gates(&self) -> bool {
        let all_exempt = self.planned > 0 && self.in_quarantine() == self.planned;
        all_exempt && self.left_out > 0 && self.finished && !self.interrupted
    }

    /// The heaviest verdict of those that gate; `None` where no scenario has one: no output is never a pass, and neither is
    /// a run of nothing but quarantined scenarios.
    pub fn worst(&self) -> Option<Verdict> {
        Verdict::worst(self.counts().into_iter().filter(|(_, count)| *count > 0).map(|(verdict, _)| verdict))
    }
}
