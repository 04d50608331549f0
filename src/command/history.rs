//! `tinyfarm history`: the runs in the ledger, and what a metric was over them.

use super::{is_json, say, say_json};
use crate::{cli::HistoryArgs, config::Config};
use farm::{
    Verdict,
    history::{followed, shown},
    quantity::Unit,
};
use ledger::{Ledger, RunFilter, RunRow, Trend};
use miette::IntoDiagnostic as _;
use reports::{Table, text};

/// How many digits of a commit are shown.
const COMMIT: usize = 10;

/// Prints runs, the newest first, or with a metric its trend in each series.
pub fn run(config: &Config, arguments: &HistoryArgs) -> miette::Result<u8> {
    let ledger = super::ledger(config)?;
    match &arguments.metric {
        Some(metric) => trend(&ledger, arguments, metric)?,
        None => {
            let series = &arguments.series;
            if [&series.model, &series.dataset, &series.target].into_iter().any(Option::is_some) {
                return Err(miette::miette!(
                    help = "for example `--metric \"instructions p99\"`",
                    "which metric of it? `--model`, `--dataset` and `--target` want `--metric`"
                ));
            }
            let limit = arguments.limit as usize;
            let runs = ledger.runs(&RunFilter { limit, ..RunFilter::default() }).into_diagnostic()?;
            if is_json(arguments.format) {
                say_json(&runs)?;
            } else if runs.is_empty() {
                say(format_args!("the ledger {} holds no run yet", ledger.path().display()))?;
            } else {
                say(table(&runs))?;
            }
        }
    }
    Ok(0)
}

fn table(runs: &[RunRow]) -> String {
    let heads = ["RUN", "STARTED (UTC)", "COMMIT", "BRANCH", "SCENARIOS", "JOBS", "TOOK"];
    let mut table = Table::new(&heads.map(|head| (head, matches!(head, "JOBS" | "TOOK"))));
    for run in runs {
        let origin = &run.origin;
        let dirty = if origin.dirty { "+" } else { "" };
        let commit = origin.commit.as_deref().map_or("-".to_owned(), |commit| format!("{}{dirty}", short(commit)));
        let name = if origin.nightly { format!("{} (nightly)", run.name) } else { run.name.clone() };
        table.row(vec![
            text::escape(&name).into_owned(),
            run.started.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            text::escape(&commit).into_owned(),
            text::escape(origin.branch.as_deref().unwrap_or("-")).into_owned(),
            scenarios(run),
            text::thousands(run.jobs),
            run.took.map_or(run.state.word().to_owned(), text::time),
        ]);
    }
    super::lines(&table)
}

/// The first digits of a commit.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..COMMIT).unwrap_or(commit)
}

fn scenarios(run: &RunRow) -> String {
    let mut parts: Vec<String> = (run.verdicts.counts().into_iter())
        .filter(|(verdict, count)| *count > 0 || *verdict == Verdict::Pass)
        .map(|(verdict, count)| format!("{} {verdict}", text::thousands(count)))
        .collect();
    let not_run = run.planned.saturating_sub(run.verdicts.judged());
    if not_run > 0 {
        parts.push(format!("{} not run", text::thousands(not_run)));
    }
    if run.quarantined > 0 {
        parts.push(format!("{} of them in quarantine", text::thousands(run.quarantined)));
    }
    parts.join(", ")
}

fn trend(ledger: &Ledger, arguments: &HistoryArgs, metric: &str) -> miette::Result<()> {
    let name = metric_name(metric)?;
    let unit = followed(&name).map_or(Unit::Number, |info| info.unit);
    let trends = ledger.trend(&arguments.series.filter(), &name, arguments.limit as usize).into_diagnostic()?;
    if is_json(arguments.format) {
        return say_json(&trends);
    }
    if trends.is_empty() {
        return say(format_args!("no run in the ledger measured {name} of what is asked for"));
    }
    let heads = ["MODEL", "DATASET", "TARGET", "RUNS", "FIRST", "LATEST", "BASELINE", "OLDEST TO LATEST"];
    let mut table = Table::new(&heads.map(|head| (head, matches!(head, "RUNS" | "FIRST" | "LATEST" | "BASELINE"))));
    for Trend { series, points, baseline } in &trends {
        let value = |value: Option<f64>| value.map_or("-".to_owned(), |value| shown(value, unit));
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        table.row(vec![
            text::escape(&series.model).into_owned(),
            text::escape(&series.dataset).into_owned(),
            text::escape(&series.target.0).into_owned(),
            points.len().to_string(),
            value(values.first().copied()),
            value(values.last().copied()),
            value(*baseline),
            spark(&values),
        ]);
    }
    say(format_args!("{name}\n{}", super::lines(&table)))
}

/// The name under which a metric is followed, from any of its names.
///
/// # Errors
/// It is no metric's, or that of one that is not followed.
pub(super) fn metric_name(metric: &str) -> miette::Result<String> {
    if followed(metric).is_some() || metric == farm::history::OUTPUTS {
        return Ok(metric.to_owned());
    }
    let parsed = farm::criterion::Metric::parse(metric).into_diagnostic()?;
    let name = parsed.to_string();
    match followed(&name) {
        Some(_) => Ok(name),
        None => {
            let names: Vec<&str> = farm::history::all_followed().iter().map(|info| info.metric).collect();
            let mend = farm::suggest::mend(&name, names.iter().copied());
            Err(miette::miette!(help = mend, "the metric `{name}` is not followed from run to run"))
        }
    }
}

/// Values as a line of bars, the smallest the lowest.
fn spark(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bar = |value: &f64| match most - least {
        range if range > 0.0 => BARS[(((value - least) / range) * 7.0).round() as usize],
        _ => BARS[0],
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bars_show_where_values_lie() {
        assert_eq!(spark(&[1.0, 2.0, 8.0]), "▁▂█");
        assert_eq!(spark(&[3.0, 3.0]), "▁▁");
    }

    #[test]
    fn a_metric_is_found_by_any_of_its_names() {
        assert_eq!(metric_name("RMSE").unwrap(), "root mean square error");
        assert_eq!(metric_name("the Instructions-p99").unwrap(), "instructions p99");
        assert_eq!(metric_name("host time median").unwrap(), "host time median");
        assert!(metric_name("argmax").is_err() && metric_name("speed").is_err());
    }
}
