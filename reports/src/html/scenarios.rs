//! Every scenario, feature by feature, and where the run comes from.

use super::parts::{escaped, mark, table};
use crate::{
    account::{Account, ScenarioAccount},
    describe, text,
};
use farm::{Availability, Verdict};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Every scenario with its verdict, in the order of the files.
pub(super) fn section(account: &Account) -> Option<Markup> {
    let mut features = BTreeMap::<&str, Vec<&ScenarioAccount>>::new();
    for scenario in &account.scenarios {
        features.entry(&scenario.id.path).or_default().push(scenario);
    }
    if features.is_empty() {
        return None;
    }
    Some(html! {
        @for (path, scenarios) in &mut features {
            @let passed = scenarios.iter().filter(|it| it.judgement.verdict == Verdict::Pass).count();
            @let sorted = { scenarios.sort_by_key(|it| it.id.line); &*scenarios };
            section.feature {
                details open[sorted.len() <= 20 && account.scenarios.len() <= 100] {
                    summary {
                        (escaped(&sorted[0].id.feature)) " " code { (escaped(path)) } ": "
                        (text::thousands(passed as u64)) " of " (text::thousands(sorted.len() as u64)) " passed"
                    }
                    ul.plain { @for scenario in sorted { (row(scenario)) } }
                }
            }
        }
    })
}

fn row(scenario: &ScenarioAccount) -> Markup {
    // The whole reason of what did not pass is at the top of the page.
    let remark = text::short(scenario.judgement.reason.lines().next().unwrap_or_default());
    html! {
        li {
            (mark(scenario.judgement.verdict))
            span.name { (escaped(&scenario.id.name)) }
            @if let Some(quarantine) = &scenario.quarantine { span.soft { (escaped(&describe::quarantine(quarantine))) } }
            @if !remark.is_empty() { small { (remark) } }
            span.soft { "line " (scenario.id.line) ", " (text::time(scenario.took)) }
        }
    }
}

/// Sources, machine, tools.
pub(super) fn provenance(account: &Account) -> Option<Markup> {
    let run = &account.run;
    let origin = &run.origin;
    let machine = &origin.machine;
    let runners: BTreeSet<(String, String, String)> = account
        .jobs
        .values()
        .filter_map(|job| {
            let made = job.provenance.as_ref()?;
            Some((made.tool.clone(), made.tflm.clone(), made.runner.get(..12).unwrap_or(&made.runner).to_owned()))
        })
        .collect();
    let models: BTreeSet<(String, String)> = account
        .jobs
        .values()
        .filter_map(|job| Some((job.model.clone(), job.provenance.as_ref()?.model.to_string())))
        .collect();
    let datasets: BTreeSet<(String, String)> = account
        .jobs
        .values()
        .filter_map(|job| Some((job.dataset.clone(), job.provenance.as_ref()?.dataset.to_string())))
        .collect();
    let facts = html! {
        (fact("command", &run.command.join(" ")))
        (fact("commit", &match &origin.commit {
            Some(commit) if origin.dirty => format!("{commit}, and files that differ from it"),
            Some(commit) => commit.clone(),
            None => "not in a Git repository".to_owned(),
        }))
        @if let Some(branch) = &origin.branch { (fact("branch", branch)) }
        @if !machine.name.is_empty() {
            (fact("machine", &format!("{}: {}, {}, {}, {}", machine.name, machine.os, machine.cpu, text::count(machine.cores as usize, "core"), text::bytes(machine.memory))))
        }
        @if run.resumed > 0 { (fact("resumed", &text::count(run.resumed, "time"))) }
        @for (model, digest) in &models { (fact(&format!("model {model}"), &format!("SHA-256 {digest}"))) }
        @for (dataset, digest) in &datasets { (fact(&format!("dataset {dataset}"), &format!("SHA-256 {digest}"))) }
        @for (tool, tflm, runner) in &runners { (fact(tool, &format!("TFLM {tflm}, runner {runner}"))) }
    };
    let targets = html! {
        @for seen in &account.targets {
            tr {
                th scope="row" { (escaped(&seen.info.label())) }
                td { (seen.info.stage) }
                td { (escaped(&seen.info.core)) }
                td { (seen.info.clock) }
                td.wrap {
                    @match &seen.availability {
                        Availability::Ready { tool } => { (escaped(tool)) }
                        Availability::Absent { .. } => { span.soft { "left out" } }
                    }
                }
            }
        }
    };
    let heads = [("target", false), ("stage", false), ("core", false), ("clock", false), ("tool", false)];
    Some(html! {
        (table("The run", &[("what", false), ("which", false)], &facts))
        @if !account.targets.is_empty() { (table("Targets", &heads, &targets)) }
    })
}

fn fact(what: &str, which: &str) -> Markup {
    html! { tr { th scope="row" { (escaped(what)) } td.wrap { (escaped(which)) } } }
}
