//! Judgements put together, and reasons in words.

use super::seat::Ran;
use farm::{Judgement, Verdict};
use std::any::Any;

/// How many reasons one judgement tells; all of them are in the events.
const TOLD: usize = 3;

/// One judgement of many: the heaviest verdict, the reasons that carry it, and remarks.
pub(super) fn together(judgements: &[Judgement], remarks: &[String]) -> Judgement {
    let worst = judgements.iter().map(|judgement| judgement.verdict).max().unwrap_or(Verdict::Pass);
    let mut reasons: Vec<&str> = Vec::new();
    for judgement in judgements.iter().filter(|judgement| judgement.verdict == worst) {
        if !judgement.reason.is_empty() && !reasons.contains(&judgement.reason.as_str()) {
            reasons.push(&judgement.reason);
        }
    }
    let more = reasons.len().saturating_sub(TOLD);
    let more = (more > 0 && worst != Verdict::Pass).then(|| format!("and {more} more"));
    if worst != Verdict::Pass {
        reasons.truncate(TOLD);
    }
    let all: Vec<&str> = reasons.into_iter().chain(more.as_deref()).chain(remarks.iter().map(String::as_str)).collect();
    Judgement::new(worst, all.join("; "))
}

/// `judgement` as one of the target that `ran` ran on.
pub(super) fn of_target(ran: &Ran, judgement: &Judgement) -> Judgement {
    let target = &ran.target;
    let reason = match judgement.reason.as_str() {
        "" => String::new(),
        "interrupted" => "interrupted".to_owned(),
        // It says so itself: `qemu:mps2-an386 is not there`.
        reason if reason.starts_with(&format!("{target} ")) => reason.to_owned(),
        reason => format!("{}: {reason}", ran.label()),
    };
    Judgement::new(judgement.verdict, reason)
}

/// What a stage did that was no pass: `emulator stage failed`.
pub(super) fn stage_ended(stage: farm::Stage, verdict: Verdict) -> String {
    match verdict {
        Verdict::Fail => format!("{stage} stage failed"),
        Verdict::Blocked => format!("{stage} stage was blocked"),
        other => format!("{stage} stage was {other}"),
    }
}

/// What a panic said.
pub(super) fn panic(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
