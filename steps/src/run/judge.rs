//! Criteria applied to the evidence of jobs, with the evidence they compare it to.

use super::{
    seat::{Ran, Seat, Wanted},
    words,
};
use crate::outputs::ExpectedOutputs;
use farm::{Criterion, Evidence, Judgement, Stage, TargetId, Verdict, criterion::Subject, events::CriterionReport};
use std::sync::Arc;

impl Seat {
    /// Judges every job of the latest run by `criteria`; a comparison leaves out the target that it is with.
    pub(super) async fn judge_latest(&mut self, criteria: &[Criterion]) -> Judgement {
        let mut judgements = Vec::new();
        for criterion in criteria {
            let mut own = None;
            for ran in self.latest.clone() {
                match criterion.reference() {
                    Some(name) if self.is_reference(name, &ran.target).await => own = Some(ran),
                    _ => judgements.extend(self.judge(criterion, &ran).await),
                }
            }
            if judgements.is_empty()
                && let Some(ran) = own
            {
                judgements.extend(self.judge(criterion, &ran).await);
            }
        }
        nothing_is_no_pass(judgements)
    }

    /// Whether a comparison with `name` would be one with `target`: it is that, or it stands in for it.
    async fn is_reference(&self, name: &str, target: &TargetId) -> bool {
        name == target.0
            || (name == "container" && self.container().await.targets.first().is_some_and(|info| info.id == *target))
    }

    /// Judges one job, and tells of it. Nothing where the job brought no evidence: its own verdict stands.
    pub(super) async fn judge(&mut self, criterion: &Criterion, ran: &Ran) -> Option<Judgement> {
        let (evidence, summary) = (ran.result.report.evidence.as_ref()?, ran.result.summary.as_ref()?);
        let reference = match criterion.reference() {
            None => None,
            Some(name) => match self.reference(name, ran).await {
                Ok(evidence) => Some(evidence),
                Err(why) => {
                    return Some(self.judged(
                        ran,
                        criterion.to_string(),
                        "nothing to compare with".to_owned(),
                        None,
                        why,
                    ));
                }
            },
        };
        let subject = Subject { summary, evidence, model: &ran.model, dataset: &ran.dataset };
        let outcome = criterion.judge(&subject, reference.as_deref());
        Some(self.judged(ran, outcome.criterion, outcome.measured, outcome.value, outcome.judgement))
    }

    /// The evidence of `name` for the same model and dataset; run now, if this scenario has not run it.
    async fn reference(&mut self, name: &str, ran: &Ran) -> Result<Arc<Evidence>, Judgement> {
        let missing = |verdict, reason: &str| {
            Judgement::new(verdict, format!("no evidence from {name} to compare with: {reason}"))
        };
        let ready = if name == "container" {
            self.container().await
        } else {
            let info = self.shared.targets.iter().find(|info| info.id.0 == name);
            super::stages::Ready { targets: info.into_iter().cloned().collect(), ..Default::default() }
        };
        if let Some(reason) = &ready.blocked {
            return Err(missing(Verdict::Blocked, reason));
        }
        let Some(info) = ready.targets.first() else {
            return Err(missing(Verdict::Blocked, "this farm does not know it"));
        };
        if self.shared.require_boards && info.stage == Stage::Board && info.simulated {
            return Err(missing(Verdict::Blocked, "it is only simulated, and real boards are required"));
        }
        if info.id == ran.target {
            // Only where the host stands in: the plan has refused all other comparisons of a target with itself.
            return Err(missing(
                Verdict::Blocked,
                &format!("{} stands in for it, and would be compared with itself", info.id),
            ));
        }
        // A job without evidence may have been tried under other limits: it is asked for again, under those of now.
        let same = |other: &&Ran| {
            other.result.report.evidence.is_some()
                && other.target == info.id
                && other.model.digest() == ran.model.digest()
                && other.dataset.digest() == ran.dataset.digest()
        };
        let known = self.all.iter().find(same).cloned();
        let found = match known {
            Some(found) => Some(found),
            None => {
                let (model, dataset, targets) = (&ran.model, &ran.dataset, &ready.targets[..1]);
                let wanted = Wanted { model, dataset, targets, any: false };
                self.job(wanted).await.pop()
            }
        };
        let Some(found) = found else { return Err(missing(Verdict::Infra, "it did not run")) };
        let report = &found.result.report;
        report.evidence.clone().ok_or_else(|| missing(report.judgement.verdict, &report.judgement.reason))
    }

    /// Compares outputs with the values of a table.
    pub(super) fn compare_outputs(&mut self, expected: &ExpectedOutputs) -> Judgement {
        let mut judgements = Vec::new();
        for ran in &self.latest {
            let Some(evidence) = ran.result.report.evidence.as_ref() else { continue };
            for compared in expected.compare(&ran.model, &ran.dataset, evidence) {
                let judgement = if compared.agrees {
                    Judgement::new(Verdict::Pass, "")
                } else {
                    Judgement::new(Verdict::Fail, format!("wanted {}, found {}", compared.criterion, compared.measured))
                };
                judgements.push(self.judged(ran, compared.criterion, compared.measured, None, judgement));
            }
        }
        nothing_is_no_pass(judgements)
    }

    /// Tells of a judgement, and puts the target's name to it.
    pub(super) fn judged(
        &self,
        ran: &Ran,
        criterion: String,
        measured: String,
        value: Option<f64>,
        judgement: Judgement,
    ) -> Judgement {
        let told = words::of_target(ran, &judgement);
        self.tell_criterion(CriterionReport {
            job: ran.result.report.id,
            target: ran.target.clone(),
            criterion,
            measured,
            value,
            judgement,
        });
        if told.verdict == Verdict::Pass { Judgement::new(Verdict::Pass, "") } else { told }
    }
}

/// A Then that found nothing to judge has not been met.
pub(super) fn nothing_is_no_pass(judgements: Vec<Judgement>) -> Judgement {
    if judgements.is_empty() {
        return Judgement::new(Verdict::Infra, "tinyfarm bug: there was no evidence to judge");
    }
    words::together(&judgements, &[])
}
