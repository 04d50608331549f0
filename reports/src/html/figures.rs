//! Distributions, memory, and the three that pull against each other: quality, speed and size.

use super::{
    parts::{by_series, more, pair, place, table},
    svg::{self, Bubble},
};
use crate::{
    account::{Account, JobAccount},
    figures::{Figures, Quality},
    text,
};
use farm::{Clock, metrics::Summary};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many models and datasets are drawn.
const GROUPS: usize = 40;

/// What a timing is on this job's clock; one that is only played says so.
fn clock(job: &JobAccount, summary: &Summary) -> String {
    let simulated =
        if job.simulated && !summary.clock.counts_instructions() { ", simulated: tells no time" } else { "" };
    format!("{}{simulated}", text::clock(&summary.clock))
}

/// For each model and dataset a row for each target: percentiles, and the distribution between smallest and largest.
pub(super) fn timings(account: &Account) -> Option<Markup> {
    let mut groups = by_series(account);
    groups.retain(|_, jobs| jobs.iter().any(|job| job.summary.is_some()));
    if groups.is_empty() {
        return None;
    }
    let heads = [
        ("target", false),
        ("clock", false),
        ("inferences", true),
        ("min", true),
        ("median", true),
        ("p90", true),
        ("p99", true),
        ("max", true),
        ("from min to max", false),
    ];
    Some(html! {
        p.soft {
            "Each row has a clock of its own, and only rows of one clock can be compared. Emulators count instructions; a host's time is informational; a board's is real."
        }
        @for ((model, dataset), jobs) in groups.iter().take(GROUPS) {
            @let rows = html! {
                @for job in jobs {
                    @if let Some(summary) = &job.summary {
                        @let shown = |ticks| text::ticks(&summary.clock, ticks);
                        @let ticks = &summary.ticks;
                        tr {
                            th scope="row" { (place(account, &job.target)) }
                            td { (clock(job, summary)) }
                            td.n { (text::thousands(summary.samples as u64)) }
                            @for figure in [ticks.min, ticks.median, ticks.p90, ticks.p99, ticks.max] { td.n { (shown(figure)) } }
                            td {
                                @if ticks.min == ticks.max { span.soft { "all the same" } } @else {
                                    (svg::histogram(&job.ticks.buckets(), &format!("from {} to {}, {}", shown(ticks.min), shown(ticks.max), text::clock(&summary.clock)), shown))
                                }
                            }
                        }
                    }
                }
            };
            (table(&pair(model, dataset), &heads, &rows))
        }
        (more(groups.len(), GROUPS))
    })
}

/// Flash, RAM and arena of each job beside what its target has.
pub(super) fn memory(account: &Account) -> Option<Markup> {
    let groups = by_series(account);
    let jobs: Vec<&JobAccount> = groups.into_values().flatten().filter(|job| job.summary.is_some()).collect();
    if jobs.is_empty() {
        return None;
    }
    let largest = |of: fn(&Summary) -> Option<u64>| {
        jobs.iter().filter_map(|job| of(job.summary.as_deref()?)).max().unwrap_or(1) as f64
    };
    let (most_flash, most_ram) = (largest(Summary::flash), largest(Summary::ram));
    let cell = |used: Option<u64>, limit: Option<u64>, largest: f64, what: &str| {
        html! {
            td.n {
                @match used {
                    Some(used) => {
                        @let words = match limit {
                            Some(limit) => format!("{} of {}", text::bytes(used), text::bytes(limit)),
                            None => text::bytes(used),
                        };
                        (words) (svg::fill(used as f64, limit.map(|limit| limit as f64), largest, &format!("{what}: {words}")))
                    }
                    None => "-"
                }
            }
        }
    };
    let heads =
        [("model over dataset", false), ("target", false), ("flash", true), ("RAM", true), ("tensor arena", true)];
    let rows = html! {
        @for job in jobs.iter().take(super::parts::ROWS) {
            @if let Some(summary) = &job.summary {
                @let memory = account.targets.iter().find(|seen| seen.info.id == job.target).and_then(|seen| seen.info.memory);
                tr {
                    th scope="row" { (pair(&job.series().model, &job.dataset)) }
                    td { (place(account, &job.target)) }
                    (cell(summary.flash(), memory.map(|memory| memory.flash), most_flash, "flash"))
                    (cell(summary.ram(), memory.map(|memory| memory.ram), most_ram, "RAM"))
                    (cell(Some(summary.arena_used), Some(summary.arena_size), 1.0, "arena"))
                }
            }
        }
    };
    Some(html! {
        p.soft {
            "Flash is code, constants, initialised data and the model; RAM is data and the arena in use. A bar in a frame is the share of what the target has; without a frame that is not known, and the bar is the share of the largest in its column."
        }
        (table("Memory", &heads, &rows))
        (more(jobs.len(), super::parts::ROWS))
    })
}

/// One chart for each clock and each measure of quality: nothing is drawn beside what it cannot be compared with.
pub(super) fn bubbles(account: &Account) -> Option<Markup> {
    let mut charts = BTreeMap::<(bool, &'static str, bool), Vec<Bubble>>::new();
    for job in by_series(account).into_values().flatten() {
        let Some(summary) = &job.summary else { continue };
        let figures = Figures::of(summary);
        let (is_error, y) = match figures.quality {
            Quality::Accuracy { correct, total, .. } => (false, correct as f64 / total.max(1) as f64),
            Quality::Error { mean_absolute } if mean_absolute.is_finite() => (true, mean_absolute),
            _ => continue,
        };
        let x = match summary.clock.duration(summary.ticks.median) {
            Some(time) => time.as_secs_f64() * 1000.0,
            None => summary.ticks.median as f64,
        };
        let informational = summary.clock == Clock::Host || (job.simulated && !summary.clock.counts_instructions());
        let (place, size) = (place(account, &job.target), figures.flash);
        let title = format!(
            "{} on {place}: {}, median {}, flash {}",
            pair(&job.series().model, &job.dataset),
            figures.quality.short(),
            text::ticks(&summary.clock, summary.ticks.median),
            size.map_or("not known".to_owned(), text::bytes)
        );
        let bubble = Bubble { x, y, size: size.map(|size| size as f64), title };
        charts.entry((informational, text::clock(&summary.clock), is_error)).or_default().push(bubble);
    }
    // One bubble is a row of the tables above.
    charts.retain(|_, bubbles| bubbles.len() > 1);
    if charts.is_empty() {
        return None;
    }
    Some(html! {
        p.soft { "To the left is faster, and a smaller bubble takes less flash; the smallest stand for a size that is not known. Each has a number, which the list below explains." }
        @for ((_, clock, is_error), bubbles) in &mut charts {
            @let (quality, better) = if *is_error { ("mean absolute error", "lower is better") } else { ("top-1 accuracy", "higher is better") };
            @let x_name = if clock.starts_with("instructions") { format!("median {clock}") } else { format!("median {clock}, ms") };
            @let title = format!("{quality} over {x_name}; the area of a bubble is its flash");
            @let all = bubbles.len();
            @let drawn = { bubbles.truncate(60); &*bubbles };
            figure {
                figcaption { (title) }
                div.scroll tabindex="0" role="group" aria-label=(title) {
                    (svg::bubbles(drawn, &x_name, &format!("{quality} ({better})"), |value| if *is_error { text::real(value.max(0.0)) } else { text::percent(value.clamp(0.0, 1.0)) }, &title))
                }
                ol.mono { @for bubble in drawn { li { (bubble.title) } } }
                (more(all, 60))
            }
        }
    })
}
