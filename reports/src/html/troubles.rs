//! What did not pass, and why: the step, what was expected and found, the evidence behind it, the device's log.

use super::parts::{escaped, job_mark, lines, mark, more, place, table};
use crate::{
    account::{Account, JobAccount, ScenarioAccount},
    describe, text,
};
use farm::Verdict;
use maud::{Markup, html};

/// How many scenarios are told in full.
const FULL: usize = 50;

/// How many more are told in a row of a table.
const SHORT: usize = 1000;

/// Scenarios that did not pass and count, the heaviest first.
pub(super) fn section(account: &Account) -> Option<Markup> {
    let all = account.worst_first();
    let did_not_pass = |scenario: &&ScenarioAccount| scenario.judgement.verdict != Verdict::Pass && scenario.gates();
    let troubled: Vec<&ScenarioAccount> = all.into_iter().filter(did_not_pass).collect();
    (!troubled.is_empty()).then(|| listed(account, &troubled))
}

/// Scenarios in quarantine, whatever their verdict.
pub(super) fn quarantined(account: &Account) -> Option<Markup> {
    let quarantined: Vec<&ScenarioAccount> = account.worst_first().into_iter().filter(|it| !it.gates()).collect();
    (!quarantined.is_empty()).then(|| {
        html! {
            p.soft { "These ran, and do not count for the exit code until their quarantine ends." }
            (listed(account, &quarantined))
        }
    })
}

fn listed(account: &Account, troubled: &[&ScenarioAccount]) -> Markup {
    let (full, rest) = troubled.split_at(troubled.len().min(FULL));
    let rows = html! {
        @for scenario in rest.iter().take(SHORT) {
            tr {
                td { (mark(scenario.judgement.verdict)) }
                td { code { (escaped(&scenario.id.path)) ":" (scenario.line()) } }
                td.wrap { (escaped(&scenario.id.name)) }
                td.wrap { (text::short(scenario.judgement.reason.lines().next().unwrap_or_default())) }
            }
        }
    };
    html! {
        @for scenario in full { (article(account, scenario)) }
        @if !rest.is_empty() {
            (table("The others that did not pass", &[("verdict", false), ("where", false), ("scenario", false), ("why", false)], &rows))
            (more(rest.len(), SHORT))
        }
    }
}

fn article(account: &Account, scenario: &ScenarioAccount) -> Markup {
    let verdict = scenario.judgement.verdict;
    let missed: Vec<_> =
        scenario.course.criteria.iter().filter(|criterion| criterion.judgement.verdict != Verdict::Pass).collect();
    let jobs: Vec<&JobAccount> = scenario.course.jobs.iter().filter_map(|id| account.jobs.get(id)).collect();
    let stumbled = scenario.stumbled();
    let told = stumbled.and_then(|step| step.judgement.as_ref()).map_or("", |judgement| judgement.reason.as_str());
    html! {
        article class={ "trouble " (verdict.word()) } {
            h3 { (mark(verdict)) " " (escaped(&scenario.id.name)) }
            p.soft {
                (escaped(&scenario.id.feature)) ", " code { (escaped(&scenario.id.path)) ":" (scenario.line()) }
                @for tag in &scenario.course.tags { " " span.tag { "@" (escaped(tag)) } }
            }
            @if let Some(quarantine) = &scenario.quarantine { p { (escaped(&describe::quarantine(quarantine))) } }
            @if let Some(step) = stumbled { p { "Step: " strong { (describe::step(step)) } } }
            @if !told.is_empty() { pre { (lines(told)) } }
            @if !scenario.judgement.reason.is_empty() && !told.contains(&scenario.judgement.reason) {
                pre { (lines(&scenario.judgement.reason)) }
            }
            @if !missed.is_empty() { (criteria(account, &missed)) }
            @if !jobs.is_empty() { (evidence(account, &jobs)) }
            @for job in jobs.iter().filter(|job| !job.log_tail.is_empty()).take(8) {
                details open[verdict == Verdict::Fail] {
                    summary { "The last of the log of " (job.id) " on " (place(account, &job.target)) }
                    pre { (job.log_tail.join("\n")) }
                }
            }
        }
    }
}

fn criteria(account: &Account, missed: &[&farm::events::CriterionReport]) -> Markup {
    let rows = html! {
        @for criterion in missed.iter().take(20) {
            tr {
                td { (mark(criterion.judgement.verdict)) }
                td { (place(account, &criterion.target)) }
                td.wrap { (escaped(&criterion.criterion)) }
                td.wrap { (escaped(&criterion.measured)) }
            }
        }
    };
    html! {
        (table("Criteria that were not met", &[("verdict", false), ("target", false), ("expected", false), ("found", false)], &rows))
        (more(missed.len(), 20))
    }
}

fn evidence(account: &Account, jobs: &[&JobAccount]) -> Markup {
    let heads = [
        ("job", false),
        ("model over dataset", false),
        ("target", false),
        ("verdict", false),
        ("attempts", true),
        ("made by", false),
    ];
    let rows = html! {
        @for job in jobs.iter().take(40) {
            tr {
                td { (job.id) }
                td { (super::parts::pair(&job.series().model, &job.dataset)) }
                td { (place(account, &job.target)) }
                td { (job_mark(job)) }
                td.n { (job.attempts.len()) }
                td.wrap {
                    @match &job.provenance {
                        Some(made) => {
                            (escaped(&made.tool)) ", TFLM " (escaped(&made.tflm)) ", model " code { (made.model.short()) }
                            ", runner " code { (text::short(made.runner.get(..12).unwrap_or(&made.runner))) }
                        }
                        None => { (text::short(job.judgement.as_ref().map_or("", |judgement| judgement.reason.lines().next().unwrap_or_default()))) }
                    }
                }
            }
        }
    };
    html! {
        // Closed it would hide why a job brought nothing.
        details open[jobs.iter().any(|job| !job.passed())] {
            summary { "Evidence: " (text::count(jobs.len(), "job")) }
            (table("Jobs of this scenario", &heads, &rows))
            (more(jobs.len(), 40))
        }
    }
}
