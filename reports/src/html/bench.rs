//! What the bench did: which target did what when, what went wrong with it, and what was left out.

use super::{
    parts::{ROWS, escaped, mark, more, pair, place, table},
    svg::{self, Span},
};
use crate::{account::Account, text};
use farm::{Availability, Verdict};
use jiff::Timestamp;
use maud::{Markup, html};
use std::time::Duration;

/// How many bars are drawn in a row: more than there are pixels show nothing.
const BARS: usize = 400;

/// The attempts on each target over the time of the run.
pub(super) fn schedule(account: &Account) -> Option<Markup> {
    let start = account.run.started;
    let second = |at: Timestamp| at.duration_since(start).as_secs_f64().max(0.0);
    let total = second(account.run.now);
    let (mut rows, mut table_rows, mut left_out) = (Vec::new(), Vec::new(), 0);
    for seen in &account.targets {
        let id = &seen.info.id;
        let mut spans: Vec<Span> = (account.preparations.iter().filter(|it| it.target == *id))
            .map(|it| Span {
                from: second(it.started),
                to: second(it.ended.unwrap_or(account.run.now)),
                class: "prepare",
                title: "prepares: builds its runner or image".to_owned(),
            })
            .collect();
        let (mut count, mut busy) = (0, 0.0);
        let attempts = account.jobs.values().flat_map(|job| job.attempts.iter().map(move |attempt| (job, attempt)));
        for (job, attempt) in attempts.filter(|(_, attempt)| attempt.report.target == *id) {
            count += 1;
            busy += (second(attempt.ended) - second(attempt.started)).max(0.0);
            if spans.len() >= BARS {
                left_out += 1;
                continue;
            }
            let verdict = attempt.report.verdict;
            spans.push(Span {
                from: second(attempt.started),
                to: second(attempt.ended),
                class: if verdict == Verdict::Pass { "bar" } else { verdict.word() },
                title: format!(
                    "{}, attempt {}: {}, {verdict}, {}",
                    job.id,
                    attempt.report.number,
                    pair(&job.series().model, &job.dataset),
                    text::time(attempt.report.took)
                ),
            });
        }
        if !spans.is_empty() {
            let share = if total > 0.0 { busy / total } else { 0.0 };
            table_rows.push((place(account, id), count, busy, share));
            rows.push((place(account, id), spans));
        }
    }
    if rows.is_empty() {
        return None;
    }
    let heads = [("target", false), ("attempts", true), ("busy", true), ("jobs at once, on average", true)];
    let body = html! {
        @for (name, count, busy, share) in &table_rows {
            tr {
                th scope="row" { (name) }
                td.n { (text::thousands(*count)) }
                td.n { (text::time(Duration::from_secs_f64(*busy))) }
                td.n { (format!("{share:.2}")) }
            }
        }
    };
    Some(html! {
        figure {
            figcaption { "Which target did what when, from the start of the run. Dashed: it prepares. An attempt that brought no evidence has the colour of its verdict; the table below counts them." }
            div.scroll tabindex="0" role="group" aria-label="Schedule" { (svg::timeline(&rows, total, "Attempts on each target over time")) }
        }
        @if left_out > 0 { p.soft { (text::count(left_out, "attempt")) " not drawn: no row has room for more than " (BARS) "." } }
        (table("How busy targets were", &heads, &body))
    })
}

/// Jobs that needed another attempt, with what went wrong first.
pub(super) fn retried(account: &Account) -> Option<Markup> {
    let jobs: Vec<_> = account.retried().collect();
    if jobs.is_empty() {
        return None;
    }
    let heads = [
        ("job", false),
        ("model over dataset", false),
        ("attempt", true),
        ("target", false),
        ("verdict", false),
        ("took", true),
        ("why", false),
    ];
    let body = html! {
        @for job in jobs.iter().take(ROWS) {
            @for attempt in &job.attempts {
                tr {
                    th scope="row" { (job.id) }
                    td { (pair(&job.series().model, &job.dataset)) }
                    td.n { (attempt.report.number) " of " (job.attempts.len()) }
                    td { (place(account, &attempt.report.target)) }
                    td { (mark(attempt.report.verdict)) }
                    td.n { (text::time(attempt.report.took)) }
                    td.wrap { (text::short(attempt.report.reason.lines().next().unwrap_or_default())) }
                }
            }
        }
    };
    Some(html! {
        p.soft { "Only faults of the bench are tried again; a fail never is." }
        (table("Every attempt of these jobs", &heads, &body))
        (more(jobs.len(), ROWS))
    })
}

/// What boards thought of their health, and which targets were not to be had.
pub(super) fn health(account: &Account) -> Option<Markup> {
    let absent: Vec<_> = account
        .targets
        .iter()
        .filter_map(|seen| match &seen.availability {
            Availability::Absent { reason } => Some((&seen.info, reason)),
            Availability::Ready { .. } => None,
        })
        .collect();
    let failed: Vec<_> = account.preparations.iter().filter_map(|it| Some((&it.target, it.error.as_ref()?))).collect();
    if absent.is_empty() && failed.is_empty() && account.health.is_empty() {
        return None;
    }
    let events = html! {
        @for event in account.health.iter().take(ROWS) {
            tr {
                td.n { (event.at.strftime("%H:%M:%S")) }
                th scope="row" { (place(account, &event.target)) }
                td { (escaped(&event.state)) }
                td.wrap { (escaped(&event.reason)) }
            }
        }
    };
    let left_out = html! {
        @for (info, reason) in &absent {
            tr { th scope="row" { (escaped(&info.label())) } td.wrap { (escaped(reason)) } }
        }
        @for (target, error) in &failed {
            tr { th scope="row" { (place(account, target)) } td.wrap { "could not be prepared" details { summary { "why" } pre { (super::parts::lines(error)) } } } }
        }
    };
    Some(html! {
        @if !account.health.is_empty() {
            (table("What boards told of their health", &[("at (UTC)", true), ("board", false), ("state", false), ("why", false)], &events))
            (more(account.health.len(), ROWS))
        }
        @if !absent.is_empty() || !failed.is_empty() {
            (table("Targets that were left out", &[("target", false), ("why", false)], &left_out))
        }
    })
}
