//! Jobs, steps and criteria in words, the same on the console and in JUnit. All text is escaped, and each string is a
//! line.

use crate::{
    Account,
    account::{JobAccount, ScenarioAccount},
    text::{self, escape},
};
use farm::{
    Quarantine, Verdict,
    events::{CriterionReport, ScenarioId, StepReport},
};

/// `features/hello.feature:12`.
pub(crate) fn place(id: &ScenarioId) -> String {
    format!("{}:{}", escape(&id.path), id.line)
}

/// `Then the mean absolute error is at most 0.05`.
pub(crate) fn step(step: &StepReport) -> String {
    format!("{} {}", escape(step.keyword.trim()), escape(&step.text))
}

/// `hello_world over sine on qemu:mps2-an386`.
pub(crate) fn job(job: &JobAccount) -> String {
    let again = if job.rerun > 0 { " (measured again)" } else { "" };
    format!("{} over {} on {}{again}", escape(&job.series().model), escape(&job.dataset), job.place)
}

/// `quarantined by qa until 2026-12-24 (flickers)`, or that it is over.
pub(crate) fn quarantine(quarantine: &Quarantine) -> String {
    let Quarantine { owner, reason, until, expired } = quarantine;
    let (owner, reason) = (escape(owner), escape(reason));
    match expired {
        false => format!("quarantined by {owner} until {until} ({reason})"),
        true => format!("the quarantine by {owner} ({reason}) ended on {until}: it gates again"),
    }
}

/// A job that needed several attempts says so: `needed 2 attempts`.
pub(crate) fn needed(attempts: usize) -> Option<String> {
    (attempts > 1).then(|| format!("needed {attempts} attempts"))
}

/// A job and how it ended; a reason that is in `known`, which the reader has seen already, is not said again.
pub(crate) fn job_line(note: &JobAccount, known: &str) -> String {
    let end = match &note.judgement {
        None => "not finished".to_owned(),
        Some(judgement) => {
            let word = if note.no_room { note.word() } else { judgement.verdict.word() };
            match judgement.reason.as_str() {
                reason if known.contains(reason) => word.to_owned(),
                reason if reason.starts_with(word) => escape(reason).into_owned(),
                reason => format!("{word}: {}", escape(reason)),
            }
        }
    };
    let needed = needed(note.attempts.len()).map(|needed| format!(", {needed}")).unwrap_or_default();
    format!("{}, {}: {end}{needed}", note.id, job(note))
}

/// A job with its attempts, where there were several, and its figures.
pub(crate) fn job_lines(note: &JobAccount, known: &str, account: &Account) -> Vec<String> {
    let mut lines = vec![job_line(note, known)];
    let attempts = || note.attempts.iter().map(|attempt| &attempt.report).filter(|_| note.attempts.len() > 1);
    let moved = attempts().any(|attempt| attempt.target != note.target);
    for attempt in attempts() {
        let reason = if attempt.reason.is_empty() { String::new() } else { format!(": {}", escape(&attempt.reason)) };
        let took = text::time(attempt.took);
        let place = if moved { format!(" on {}", account.label(&attempt.target)) } else { String::new() };
        lines.push(format!("  attempt {}{place}, {took}: {}{reason}", attempt.number, attempt.verdict));
    }
    lines.extend(note.figures().map(|figures| format!("  {}", figures.sentence())));
    lines
}

/// A criterion with what was found.
pub(crate) fn criterion(report: &CriterionReport, account: &Account) -> String {
    format!(
        "{}: {}, found {} on {}",
        report.judgement.verdict,
        escape(&report.criterion),
        escape(&report.measured),
        account.label(&report.target)
    )
}

/// What a scenario that did not pass needs saying, once: the step and why, the criteria and the jobs that this does not
/// tell already, and the last of the logs.
pub(crate) fn trouble(scenario: &ScenarioAccount, account: &Account) -> Vec<String> {
    let course = &scenario.course;
    let mut lines = Vec::new();
    let stumbled = |step: &&StepReport| step.judgement.as_ref().is_some_and(|it| it.verdict != Verdict::Pass);
    let mut known = String::new();
    for report in course.steps.iter().filter(stumbled) {
        lines.push(step(report));
        lines.push(format!("  at {}:{}", escape(&scenario.id.path), report.line));
        if let Some(judgement) = &report.judgement {
            lines.extend(reason(&judgement.reason));
            known = known + &judgement.reason + "\n";
        }
    }
    if !known.contains(&scenario.judgement.reason) {
        lines.extend(reason(&scenario.judgement.reason));
        known += &scenario.judgement.reason;
    }
    for report in course.criteria.iter().filter(|report| report.judgement.verdict != Verdict::Pass) {
        lines.extend(missed(report, &known, account));
    }
    let jobs = course.jobs.iter().filter_map(|id| account.jobs.get(id));
    for note in jobs.filter(|job| !job.passed()) {
        let told = job_lines(note, &known, account);
        let reason = note.judgement.as_ref().map_or("not finished", |judgement| &judgement.reason);
        let news = !known.contains(reason) || !known.contains(&note.target.0);
        if news || told.len() > 1 || !note.tail().is_empty() {
            lines.extend(told.into_iter().map(|line| format!("  {line}")));
        }
        if !note.tail().is_empty() {
            lines.push("    the last of its log:".to_owned());
            lines.extend(note.tail().iter().map(|line| format!("    | {line}")));
        }
    }
    lines
}

/// A criterion that was not met, unless `known` says so of this target.
fn missed(report: &CriterionReport, known: &str, account: &Account) -> Option<String> {
    let (target, reason, measured) = (account.name(&report.target), &report.judgement.reason, &report.measured);
    let found = format!("expected {}, found {measured}", report.criterion);
    // A reason may name its target itself.
    let names_it = reason.starts_with(&format!("{} ", report.target));
    let told = known.contains(&format!("{target}: {reason}")) || (names_it && known.contains(reason));
    let words = match (told, reason.contains(measured)) {
        (true, true) => return None,
        (true, false) => found,
        (false, true) => reason.clone(),
        (false, false) => format!("{found}: {reason}"),
    };
    Some(format!("  {} on {}: {}", report.judgement.verdict, escape(&target), escape(&words)))
}

/// A reason may have several lines (a compiler's message): each is kept.
fn reason(reason: &str) -> Vec<String> {
    reason.lines().map(|line| format!("  {}", escape(line))).collect()
}
