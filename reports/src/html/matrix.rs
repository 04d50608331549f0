//! Models by targets: how they ended, which targets agree, and what is taken for what.

use super::parts::{ROWS, by_series, job_mark, more, pair, place, table};
use crate::{
    account::{Account, JobAccount},
    text,
};
use farm::{TargetId, metrics::Classification};
use maud::{Markup, html};

/// How many classes a confusion matrix may have to be drawn.
const CLASSES: usize = 24;

/// Every model and dataset in a row, every target that ran anything in a column.
pub(super) fn section(account: &Account) -> Option<Markup> {
    let groups = by_series(account);
    let used = |id: &TargetId| groups.values().flatten().any(|job| job.target == *id);
    let targets: Vec<&TargetId> = account.targets.iter().map(|seen| &seen.info.id).filter(|id| used(id)).collect();
    if targets.is_empty() {
        return None;
    }
    let names: Vec<String> = targets.iter().map(|id| place(account, id)).collect();
    let heads: Vec<(&str, bool)> =
        std::iter::once(("model over dataset", false)).chain(names.iter().map(|name| (name.as_str(), false))).collect();
    let rows = html! {
        @for ((model, dataset), jobs) in groups.iter().take(ROWS) {
            tr {
                th scope="row" { (pair(model, dataset)) }
                @for target in &targets {
                    td {
                        @match jobs.iter().find(|job| job.target == **target) {
                            Some(job) => { (job_mark(job)) (figures(job)) }
                            None => { span.soft { "not run" } }
                        }
                    }
                }
            }
        }
    };
    Some(html! {
        (table("The latest job of each model and dataset on each target", &heads, &rows))
        (more(groups.len(), ROWS))
    })
}

/// The few figures that tell a job at a glance.
fn figures(job: &JobAccount) -> Markup {
    let Some(summary) = &job.summary else { return html! {} };
    let quality = crate::figures::Figures::of(summary).quality.short();
    html! {
        br; small { (quality) }
        br; small { (text::ticks(&summary.clock, summary.ticks.median)) " " (text::clock(&summary.clock)) }
        @if let Some(needed) = job.needed() { br; small { "needed " (needed) " attempts" } }
    }
}

/// A cell whose colour is the deeper the nearer `share` is to 1. It never carries the number: that is written.
fn heat(share: f64, words: &str) -> Markup {
    // Half the depth at most, so that the words keep their contrast; and a step between the whole and nearly the whole.
    let most = if share >= 1.0 { 0.45 } else { 0.3 };
    let depth = (share.clamp(0.0, 1.0) * most * 100.0).round() / 100.0;
    html! { td.heat style={ "background: rgb(var(--heat) / " (depth) ")" } { (words) } }
}

/// Confusion matrices; targets with the same one share it.
pub(super) fn confusion(account: &Account) -> Option<Markup> {
    let groups = by_series(account);
    let mut parts = Vec::new();
    let mut left_out = 0;
    for ((model, dataset), jobs) in &groups {
        let mut same: Vec<(&Classification, Vec<&JobAccount>)> = Vec::new();
        for job in jobs {
            let Some(seen) = job.summary.as_ref().and_then(|summary| summary.classification.as_ref()) else { continue };
            match same.iter_mut().find(|(known, _)| known.confusion == seen.confusion) {
                Some((_, jobs)) => jobs.push(job),
                None => same.push((seen, vec![job])),
            }
        }
        for (seen, jobs) in same {
            if parts.len() == 40 || seen.classes.len() > CLASSES {
                left_out += 1;
                continue;
            }
            let names: Vec<String> = jobs.iter().map(|job| place(account, &job.target)).collect();
            parts.push(html! {
                h3 { (pair(model, dataset)) " on " (names.join(", ")) }
                (one(seen))
            });
        }
    }
    (!parts.is_empty() || left_out > 0).then(|| {
        html! {
            p.soft { "A row is what a sample is, a column what the model took it for." }
            @for part in &parts { (part) }
            @if left_out > 0 { p.soft { (text::count(left_out, "matrix")) " left out: of more than " (CLASSES) " classes, or beyond the first 40." } }
        }
    })
}

fn one(seen: &Classification) -> Markup {
    let names: Vec<String> = seen.classes.iter().map(|class| text::short(&class.name)).collect();
    let no_answer = seen.confusion.iter().any(|row| row.last().is_some_and(|count| *count > 0));
    let mut heads = vec![("is", false)];
    heads.extend(names.iter().map(|name| (name.as_str(), true)));
    if no_answer {
        heads.push(("no answer", true));
    }
    heads.extend([("precision", true), ("recall", true)]);
    let share = |share: Option<f64>| share.map_or("undefined".to_owned(), text::percent);
    let rows = html! {
        @for ((row, class), name) in seen.confusion.iter().zip(&seen.classes).zip(&names) {
            tr {
                th scope="row" { (name) }
                @for count in row.iter().take(names.len() + usize::from(no_answer)) {
                    (heat(*count as f64 / class.support.max(1) as f64, &text::thousands(*count)))
                }
                td.n { (share(class.precision)) }
                td.n { (share(class.recall)) }
            }
        }
    };
    let caption = format!(
        "{} of {} right, {}; 95 % interval {} to {}",
        text::thousands(seen.correct),
        text::thousands(seen.total),
        text::percent(seen.accuracy),
        text::percent(seen.wilson.0),
        text::percent(seen.wilson.1)
    );
    table(&caption, &heads, &rows)
}

/// For each model and dataset, the share of samples of which each two targets have the same output to the bit.
pub(super) fn agreement(account: &Account) -> Option<Markup> {
    let groups = by_series(account);
    let several: Vec<_> = groups
        .into_iter()
        .map(|(key, jobs)| (key, jobs.into_iter().filter(|job| !job.samples.is_empty()).collect::<Vec<_>>()))
        .filter(|(_, jobs)| jobs.len() > 1)
        .collect();
    if several.is_empty() {
        return None;
    }
    Some(html! {
        p.soft { "The share of samples whose outputs are the same to the bit on both targets." }
        @for ((model, dataset), jobs) in several.iter().take(40) {
            @let agree = jobs.windows(2).all(|pair| pair[0].samples == pair[1].samples);
            @if agree {
                p {
                    strong { (pair(model, dataset)) } ": the same to the bit on all " (jobs.len()) " targets ("
                    (jobs.iter().map(|job| place(account, &job.target)).collect::<Vec<_>>().join(", ")) "), over "
                    (text::count(jobs[0].samples.len(), "sample")) "."
                }
            } @else {
                (heat_map(account, &pair(model, dataset), jobs))
            }
        }
        (more(several.len(), 40))
    })
}

fn heat_map(account: &Account, caption: &str, jobs: &[&JobAccount]) -> Markup {
    let names: Vec<String> = jobs.iter().map(|job| place(account, &job.target)).collect();
    let heads: Vec<(&str, bool)> =
        std::iter::once(("target", false)).chain(names.iter().map(|name| (name.as_str(), true))).collect();
    let rows = html! {
        @for (job, name) in jobs.iter().zip(&names) {
            tr {
                th scope="row" { (name) }
                @for other in jobs {
                    @let share = share(job, other);
                    (heat(share, &text::percent(share)))
                }
            }
        }
    };
    table(caption, &heads, &rows)
}

fn share(one: &JobAccount, other: &JobAccount) -> f64 {
    let same = one.samples.iter().zip(other.samples.iter()).filter(|(one, other)| one == other).count();
    same as f64 / one.samples.len().max(other.samples.len()).max(1) as f64
}
