//! How a job ended, in its report's words.

use super::{
    attempt::{Attempt, Stop},
    claim::Passed,
    run::Inner,
};
use crate::{AttemptReport, JobId, JobReport, JobSpec, Judgement, TargetError, TargetId, Verdict};
use std::sync::Arc;

/// What a report says of its job, kept apart so that the job itself may move on.
pub(super) struct Names {
    pub(super) model: String,
    pub(super) dataset: String,
    pub(super) target: TargetId,
    pub(super) own_firmware: bool,
    pub(super) rerun: u32,
}

impl Names {
    pub(super) fn of(spec: &JobSpec) -> Self {
        let (model, dataset) = (spec.model.name().to_owned(), spec.dataset.name().to_owned());
        let (own_firmware, rerun) = (spec.own_firmware, spec.rerun);
        Self { model, dataset, target: spec.target.clone(), own_firmware, rerun }
    }
}

/// What became of a job on its way.
#[derive(Default)]
pub(super) struct Course {
    /// Attempts, in order.
    pub(super) attempts: Vec<AttemptReport>,
    /// Targets that could not be used, each with every reason once.
    pub(super) passed: Vec<Passed>,
    /// Whom its attempts waited for.
    pub(super) waited: Vec<String>,
}

impl Inner {
    /// The report of a job that ended as `last` did after `course`.
    pub(super) fn conclude(&self, names: Names, id: JobId, course: Course, last: Attempt) -> JobReport {
        let Course { attempts, passed, waited } = course;
        let target = attempts.last().map_or(names.target, |attempt| attempt.target.clone());
        let label = |id: &TargetId| self.place(id).map_or_else(|| id.to_string(), |place| place.info.label());
        let (verdict, reason, fault) = match &last.outcome {
            Ok(_) => (Verdict::Pass, String::new(), None),
            Err(Stop::Target(TargetError::Fault(fault))) => (Verdict::Fail, fault.to_string(), Some(fault.clone())),
            Err(stop) => (stop.verdict(), stop.reason(), None),
        };
        // Infra reasons of the attempts before the last; an interruption while queueing is not an attempt.
        let earlier: Vec<String> = attempts
            .iter()
            .take_while(|attempt| attempt.verdict == Verdict::Infra)
            .take(if verdict == Verdict::Infra { attempts.len().saturating_sub(1) } else { attempts.len() })
            .map(|attempt| match &attempt.reason {
                reason if attempt.target == target => reason.clone(),
                reason => format!("on {}: {reason}", label(&attempt.target)),
            })
            .collect();
        let count = match earlier.len() {
            1 => "after 1 infra retry".to_owned(),
            count => format!("after {count} infra retries"),
        };
        // Each reason once: they are long, and often the same.
        let mut others: Vec<String> = Vec::new();
        for earlier in earlier.iter().filter(|earlier| **earlier != reason) {
            if !others.contains(earlier) {
                others.push(earlier.clone());
            }
        }
        let retries = match (earlier.is_empty(), others.is_empty()) {
            (true, _) => None,
            (_, true) => Some(format!("{count}, which ended alike")),
            _ => Some(format!("{count}: {}", others.join("; "))),
        };
        let reason = with_remark(with_remark(reason, retries.as_deref()), last.remark.as_deref());
        let others = passed.iter().filter(|passed| passed.target != target).map(|passed| passed.words());
        let others = if attempts.is_empty() { Vec::new() } else { others.collect::<Vec<_>>() };
        let others = (!others.is_empty()).then(|| format!("passed over: {}", others.join("; ")));
        let reason = with_remark(reason, others.as_deref());
        let waited = (!waited.is_empty()).then(|| waited.join("; "));
        JobReport {
            id,
            model: names.model,
            dataset: names.dataset,
            simulated: self.place(&target).is_some_and(|place| place.info.simulated),
            target,
            judgement: Judgement::new(verdict, with_remark(reason, waited.as_deref())),
            fault,
            attempts,
            log: last.log,
            evidence: last.outcome.ok().map(Arc::new),
            own_firmware: names.own_firmware,
            rerun: names.rerun,
        }
    }
}

/// `reason`, and what there is to say beside.
pub(super) fn with_remark(reason: String, remark: Option<&str>) -> String {
    match remark {
        None => reason,
        Some(remark) if reason.is_empty() => remark.to_owned(),
        Some(remark) => format!("{reason}; {remark}"),
    }
}
