//! Runs that should fail: whether they did, and for the reason that was wanted.

use super::{
    judge::nothing_is_no_pass,
    seat::{Ran, Seat},
};
use farm::{Fault, Judgement, Verdict};

impl Seat {
    /// Every job of the latest run must have failed for a reason that contains `wanted`.
    pub(super) fn fails_because(&mut self, wanted: &str) -> Judgement {
        let lower = wanted.to_lowercase();
        self.each_failed(&format!("fails because \"{wanted}\""), |ran| {
            ran.result.report.judgement.reason.to_lowercase().contains(&lower)
        })
    }

    /// Every job of the latest run must have failed because the target is too small.
    pub(super) fn does_not_fit(&mut self) -> Judgement {
        self.each_failed("does not fit", |ran| ran.result.report.fault.as_ref().is_some_and(Fault::is_lack_of_room))
    }

    fn each_failed(&mut self, criterion: &str, as_wanted: impl Fn(&Ran) -> bool) -> Judgement {
        let judgements = self.latest.iter().map(|ran| {
            let how = &ran.result.report.judgement;
            let judgement = match how.verdict {
                Verdict::Fail if as_wanted(ran) => Judgement::new(Verdict::Pass, ""),
                Verdict::Fail => {
                    Judgement::new(Verdict::Fail, format!("wanted: {criterion}; it failed otherwise: {}", how.reason))
                }
                Verdict::Pass => Judgement::new(Verdict::Fail, format!("wanted: {criterion}; it ran without a fault")),
                // The bench was in the way: nothing is known of the model.
                other => Judgement::new(other, how.reason.clone()),
            };
            let measured =
                if how.verdict == Verdict::Pass { "ran without a fault".to_owned() } else { how.reason.clone() };
            self.judged(ran, criterion.to_owned(), measured, None, judgement)
        });
        nothing_is_no_pass(judgements.collect())
    }
}
