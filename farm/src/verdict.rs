//! pass, fail, infra, blocked, inconclusive: what each means, which outweighs which, and how a program exits on them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the farm answers about a criterion, a job or a scenario.
///
/// The order is that of weight: of several verdicts the greatest stands ([`Verdict::worst`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The evidence meets every criterion.
    Pass,
    /// It ran, and the evidence cannot decide: too few samples for the bound, a clock that cannot be trusted for it.
    Inconclusive,
    /// It could not be tried.
    Blocked,
    /// The bench is at fault: a process or probe lost, an emulator that would not start. The only kind that is retried.
    Infra,
    /// The model or its firmware is at fault: a criterion missed, a model rejected, a crash, does not fit. Never retried.
    Fail,
}

impl Verdict {
    /// The heaviest of `verdicts`; `None` of none: no output is never a pass.
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Option<Self> {
        verdicts.into_iter().max()
    }

    /// The word used in every report.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Blocked => "blocked",
            Self::Infra => "infra",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A verdict with what led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence that names the cause, with expected and found; a remark on a pass (`after 1 infra retry`).
    pub reason: String,
}

impl Judgement {
    /// A judgement of `verdict` because of `reason`.
    pub fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into() }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => write!(f, "{}", self.verdict),
            reason => write!(f, "{}: {reason}", self.verdict),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_outweighs_all_and_nothing_is_not_a_pass() {
        assert_eq!(Verdict::worst([Verdict::Pass, Verdict::Fail, Verdict::Infra]), Some(Verdict::Fail));
        assert_eq!(Verdict::worst([Verdict::Pass, Verdict::Inconclusive]), Some(Verdict::Inconclusive));
        assert_eq!(Verdict::worst([]), None);
    }

    #[test]
    fn a_judgement_without_a_reason_is_only_its_verdict() {
        assert_eq!(Judgement::new(Verdict::Pass, "").to_string(), "pass");
        assert_eq!(Judgement::new(Verdict::Fail, "crashed").to_string(), "fail: crashed");
    }
}
