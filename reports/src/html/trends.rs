//! What figures were in earlier runs and as they were accepted, beside those of this one.

use super::{
    parts::{by_series, more, pair, place, table},
    svg,
};
use crate::account::Account;
use farm::history::{Better, Comparison, FollowedFigure, MetricHistory, shown};
use maud::{Markup, html};
use std::cmp::Reverse;

/// How many figures are drawn.
const FIGURES: usize = 150;

/// What is of interest where it did not change.
const TELLING: [&str; 7] =
    ["top-1 accuracy", "mean absolute error", "instructions p99", "latency p99", "arena used", "flash", "RAM"];

/// Figures with a past, those furthest from their baseline for the worse first.
pub(super) fn section(account: &Account) -> Option<Markup> {
    let mut rows: Vec<_> = by_series(account)
        .into_values()
        .flatten()
        .flat_map(|job| job.followed.iter().filter_map(move |figure| Some((job, figure, job.known(figure.metric)?))))
        .filter(|(_, figure, known)| {
            let changed = known.baseline.is_some_and(|baseline| baseline != figure.value);
            figure.comparison != Comparison::Informational && (changed || TELLING.contains(&figure.metric))
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let all = rows.len();
    rows.sort_by_key(|(_, figure, known)| Reverse((worsening(figure, known) * 1e6) as i64));
    let heads = [
        ("model over dataset", false),
        ("target", false),
        ("metric", false),
        ("baseline", true),
        ("this run", true),
        ("change", false),
        ("earlier runs, then this one", false),
    ];
    let body = html! {
        @for (job, figure, known) in rows.iter().take(FIGURES) {
            @let values: Vec<f64> = known.points.iter().copied().chain([figure.value]).collect();
            @let now = shown(figure.value, figure.unit);
            @let baseline = known.baseline.map(|value| shown(value, figure.unit));
            tr {
                th scope="row" { (pair(&job.series().model, &job.dataset)) }
                td { (place(account, &job.target)) }
                td { (figure.metric) }
                td.n { (baseline.as_deref().unwrap_or("none")) }
                td.n { (now) }
                td { (step(figure, known)) }
                td {
                    (svg::spark(&values, known.baseline, &format!(
                        "{} over {} earlier runs, now {now}, baseline {}",
                        figure.metric, known.points.len(), baseline.as_deref().unwrap_or("none")
                    )))
                }
            }
        }
    };
    Some(html! {
        p.soft {
            "The dashed line is the baseline, the dot this run. A figure on a real clock (latency) may differ by noise: whether it is worse is the scenario's verdict. A host's times are not followed here."
        }
        (table("Figures with a past, the worst first", &heads, &body))
        (more(all, FIGURES))
    })
}

/// By which share of its baseline a figure is worse; negative where it is better.
fn worsening(figure: &FollowedFigure, known: &MetricHistory) -> f64 {
    let Some(baseline) = known.baseline else { return 0.0 };
    let up = (figure.value - baseline) / baseline.abs().max(f64::MIN_POSITIVE);
    let worse = match figure.better {
        Better::Lower => up,
        Better::Higher => -up,
    };
    worse.clamp(-1e6, 1e6)
}

/// What became of it, in a word and a share.
fn step(figure: &FollowedFigure, known: &MetricHistory) -> Markup {
    let worse = worsening(figure, known);
    let share = match 100.0 * worse.abs() {
        percent if percent < 0.05 => "less than 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    };
    html! {
        @match known.baseline {
            None => { span.soft { "no baseline" } }
            Some(baseline) if baseline == figure.value => { "same" }
            // On a real clock that alone says little.
            Some(_) if worse > 0.0 && figure.comparison == Comparison::Noisy => { span.v.inconclusive { "higher by " (share) } }
            Some(_) if worse > 0.0 => { span.v.fail { "worse by " (share) } }
            Some(_) => { span.v.pass { "better by " (share) } }
        }
    }
}
