//! `tinyfarm baseline`: what is accepted, and accepting it.

use super::{
    history::{metric_name, short},
    is_json, say, say_json,
};
use crate::{
    cli::{AcceptArgs, BaselineCommand, BaselineShowArgs},
    config::Config,
};
use farm::{
    history::{OUTPUTS, followed, shown},
    quantity::Unit,
};
use jiff::Timestamp;
use ledger::{AcceptNote, AcceptedSeries, Choice, Ledger};
use miette::IntoDiagnostic as _;
use reports::{
    Table,
    text::{count, escape},
};
use std::process::Command;

/// Does what is asked of the baselines.
pub fn run(config: &Config, what: BaselineCommand) -> miette::Result<u8> {
    let ledger = super::ledger(config)?;
    match what {
        BaselineCommand::Accept(arguments) => accept(&ledger, &arguments)?,
        BaselineCommand::Show(arguments) => show(&ledger, &arguments)?,
        BaselineCommand::List(arguments) => list(&ledger, &arguments)?,
    }
    Ok(0)
}

fn accept(ledger: &Ledger, arguments: &AcceptArgs) -> miette::Result<()> {
    let metric = arguments.metric.as_deref().map(metric_name).transpose()?;
    let run = ledger.find(&arguments.run).into_diagnostic()?;
    let choice = Choice { series: arguments.series.filter(), metric, ..Choice::default() };
    let note = AcceptNote { who: who(), reason: arguments.reason.clone(), at: Timestamp::now() };
    let accepted = ledger.accept(&run.name, &choice, &note).into_diagnostic()?;
    for AcceptedSeries { series, metrics } in &accepted {
        let (model, dataset, target) = (escape(&series.model), escape(&series.dataset), escape(&series.target.0));
        say(format_args!("{model} over {dataset} on {target}: {}", count(metrics.len(), "figure")))?;
    }
    let figures = accepted.iter().map(|it| it.metrics.len()).sum();
    say(format_args!("accepted {} of run {}", count(figures, "figure"), escape(&run.name)))
}

/// Who sits here, as Git knows them.
fn who() -> String {
    let git = |key| {
        let output = Command::new("git").args(["config", key]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    git("user.name").or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "somebody".to_owned())
}

fn show(ledger: &Ledger, arguments: &BaselineShowArgs) -> miette::Result<()> {
    let filter = arguments.series.filter();
    let baselines = ledger.baselines().into_diagnostic()?;
    let baselines: Vec<_> = baselines.into_iter().filter(|(series, _)| filter.wants(series)).collect();
    if is_json(arguments.format) {
        return say_json(&baselines);
    }
    if baselines.is_empty() {
        return say("nothing of it is accepted yet; `tinyfarm baseline accept` does");
    }
    let heads = ["MODEL", "DATASET", "TARGET", "METRIC", "VALUE", "RUN", "COMMIT", "ACCEPTED (UTC)"];
    let mut table = Table::new(&heads.map(|head| (head, head == "VALUE")));
    for (series, baseline) in &baselines {
        let outputs = baseline.outputs.iter().map(|it| (OUTPUTS, it.value.short(), &it.run, &it.commit, it.at));
        // In the order of reports.
        let figures = farm::history::all_followed().iter().filter_map(|info| {
            let it = baseline.figures.get(info.metric)?;
            Some((info.metric, shown(it.value, info.unit), &it.run, &it.commit, it.at))
        });
        for (metric, value, run, commit, at) in outputs.chain(figures) {
            table.row(vec![
                escape(&series.model).into_owned(),
                escape(&series.dataset).into_owned(),
                escape(&series.target.0).into_owned(),
                metric.to_owned(),
                value,
                escape(run).into_owned(),
                commit.as_deref().map_or("-", short).to_owned(),
                at.strftime("%Y-%m-%d %H:%M").to_string(),
            ]);
        }
    }
    say(super::lines(&table))
}

fn list(ledger: &Ledger, arguments: &BaselineShowArgs) -> miette::Result<()> {
    let all = ledger.acceptances(&arguments.series.filter()).into_diagnostic()?;
    if is_json(arguments.format) {
        return say_json(&all);
    }
    if all.is_empty() {
        return say("nothing of it was ever accepted; `tinyfarm baseline accept` does");
    }
    let heads = ["ACCEPTED (UTC)", "BY", "MODEL", "DATASET", "TARGET", "METRIC", "VALUE", "RUN", "WHY"];
    let mut table = Table::new(&heads.map(|head| (head, head == "VALUE")));
    for it in &all {
        let unit = followed(&it.metric).map_or(Unit::Number, |info| info.unit);
        let outputs = it.outputs.map(|digest| digest.short());
        table.row(vec![
            it.at.strftime("%Y-%m-%d %H:%M").to_string(),
            escape(&it.who).into_owned(),
            escape(&it.series.model).into_owned(),
            escape(&it.series.dataset).into_owned(),
            escape(&it.series.target.0).into_owned(),
            escape(&it.metric).into_owned(),
            it.value.map(|value| shown(value, unit)).or(outputs).unwrap_or("taken out".to_owned()),
            escape(&it.run).into_owned(),
            escape(&it.reason).into_owned(),
        ]);
    }
    say(super::lines(&table))
}
