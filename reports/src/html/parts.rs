//! The small pieces of the page.

use crate::{
    account::{Account, JobAccount},
    text,
};
use farm::{TargetId, Verdict};
use maud::{Markup, html};
use std::{borrow::Cow, collections::BTreeMap};

/// How many rows of a kind are drawn: a page of thousands helps no one, and `report.json` has them all.
pub(super) const ROWS: usize = 200;

/// Text of a feature or device, control characters written out; the template escapes what HTML gives a meaning.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    text::escape(text)
}

/// The same with its lines kept.
pub(super) fn lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

/// A verdict: a sign, a colour and the word.
pub(super) fn mark(verdict: Verdict) -> Markup {
    html! { span class={ "v " (verdict.word()) } { span aria-hidden="true" { (sign(verdict)) " " } (verdict.word()) } }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Infra => "⚠",
        Verdict::Blocked => "⊘",
        Verdict::Inconclusive => "?",
    }
}

/// How a job ended.
pub(super) fn job_mark(job: &JobAccount) -> Markup {
    match job.verdict {
        None => html! { span.soft { "not finished" } },
        // Whether that was wanted is the scenario's to say.
        Some(_) if job.no_room => html! { span.v.blocked { span aria-hidden="true" { "⊘ " } "does not fit" } },
        Some(verdict) => mark(verdict),
    }
}

/// A target's name; one that only plays a board says so.
pub(super) fn place(account: &Account, target: &TargetId) -> String {
    account.label(target)
}

/// Said where not everything is drawn.
pub(super) fn more(all: usize, shown: usize) -> Markup {
    html! {
        @if all > shown {
            p.soft { "… and " (text::thousands((all - shown) as u64)) " more; report.json has them all." }
        }
    }
}

/// A table in a box that scrolls by itself where it is wider than the page. A group and no region: of those a screen reader
/// would list dozens.
pub(super) fn table(caption: &str, heads: &[(&str, bool)], body: &Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { @for (head, number) in heads { th scope="col" class=[number.then_some("n")] { (head) } } } }
                tbody { (body) }
            }
        }
    }
}

/// One job for each model, dataset and target: the last first measurement, and one with figures before one without (which
/// may have had less of an arena, or of time); models and datasets in order of name, targets in the order in which they were
/// seen.
pub(super) fn by_series(account: &Account) -> BTreeMap<(String, String), Vec<&JobAccount>> {
    let order = |target: &TargetId| {
        account.targets.iter().position(|seen| seen.info.id == *target).unwrap_or(account.targets.len())
    };
    let mut latest: BTreeMap<_, &JobAccount> = BTreeMap::new();
    for job in account.jobs.values().filter(|job| job.rerun == 0) {
        let series = job.series();
        let key = (series.model, series.dataset, order(&series.target), series.target);
        if job.summary.is_some() || latest.get(&key).is_none_or(|known| known.summary.is_none()) {
            latest.insert(key, job);
        }
    }
    let mut groups = BTreeMap::<(String, String), Vec<&JobAccount>>::new();
    for ((model, dataset, ..), job) in latest {
        groups.entry((model, dataset)).or_default().push(job);
    }
    groups
}

/// `hello_world over sine`.
pub(super) fn pair(model: &str, dataset: &str) -> String {
    format!("{} over {}", escaped(model), escaped(dataset))
}
