//! `tinyfarm compare`: what changed between two runs, or between the baseline and a run.

use super::{history::short, say, say_json};
use crate::{
    cli::{CompareArgs, ShowChanges},
    config::Config,
};
use farm::{
    History as _, Verdict,
    history::{Baseline, Change, Compared, Earlier, Series, Standing, compare},
    suggest,
};
use ledger::{JobRow, Ledger, LedgerError, RunRow, SeriesFigures, SeriesFilter};
use miette::IntoDiagnostic as _;
use reports::{
    markdown::{Page, plain},
    text::escape,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The word for the accepted figures.
const BASELINE: &str = "baseline";

/// Something is worse.
const WORSE: u8 = 1;

/// Compares, tells, and answers by exit code: 0 nothing is worse, 1 something is, 3 something cannot be told, or nothing could
/// be compared.
pub fn run(config: &Config, arguments: &CompareArgs) -> miette::Result<u8> {
    let ledger = super::ledger(config)?;
    if arguments.after == BASELINE {
        return Err(miette::miette!(
            help = "write `tinyfarm compare baseline RUN`",
            "the baseline can only be what was before"
        ));
    }
    let after = ledger.find(&arguments.after).into_diagnostic()?;
    let before = match arguments.before.as_str() {
        BASELINE => Before::Baseline,
        selector => Before::Run(Box::new(ledger.find(selector).into_diagnostic()?)),
    };
    let changes = Changes::between(&ledger, &before, &after, &arguments.series.filter(), arguments.tolerance);
    let changes = changes.into_diagnostic()?;
    match arguments.format {
        ShowChanges::Json => say_json(&changes)?,
        ShowChanges::Text => say(changes.text(arguments.all))?,
        ShowChanges::Markdown => say(changes.markdown(arguments.all))?,
    }
    if changes.series.is_empty() && changes.lost.is_empty() {
        eprintln!("{}", nothing_compared(&ledger, &before, &arguments.series.filter())?);
        return Ok(super::TROUBLE);
    }
    Ok(match (changes.worse(), changes.open()) {
        (0, 0) => 0,
        (0, _) => super::TROUBLE,
        _ => WORSE,
    })
}

/// Why nothing could be compared, and the mend.
fn nothing_compared(ledger: &Ledger, before: &Before, filter: &SeriesFilter) -> miette::Result<String> {
    let series: Vec<Series> = match before {
        Before::Baseline => ledger.baselines().into_diagnostic()?.into_keys().collect(),
        Before::Run(run) => ledger.figures(&run.name).into_diagnostic()?.into_keys().collect(),
    };
    if series.is_empty() && matches!(before, Before::Baseline) {
        return Ok(
            "nothing was compared: nothing is accepted yet; accept a run with `tinyfarm baseline accept`".to_owned()
        );
    }
    let known = |what: &str, wanted: Option<&String>, of: fn(&Series) -> &str| {
        let wanted = wanted.filter(|wanted| !series.iter().any(|series| of(series) == wanted.as_str()))?;
        let names: BTreeSet<&str> = series.iter().map(of).collect();
        Some(format!("no {what} of what was before is called `{}`: {}", escape(wanted), suggest::mend(wanted, names)))
    };
    let target = filter.target.as_ref().map(|target| &target.0);
    let why = known("model", filter.model.as_ref(), |series| &series.model)
        .or_else(|| known("dataset", filter.dataset.as_ref(), |series| &series.dataset))
        .or_else(|| known("target", target, |series| &series.target.0))
        .unwrap_or_else(|| "no series is in both".to_owned());
    Ok(format!("nothing was compared: {why}"))
}

/// What was before.
#[derive(Debug)]
pub enum Before {
    /// The accepted figures.
    Baseline,
    /// A run.
    Run(Box<RunRow>),
}

/// What changed between two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Changes {
    /// What was before, in words.
    pub before: String,
    /// What is after, in words.
    pub after: String,
    /// Series that both have.
    pub series: Vec<SeriesChanges>,
    /// Series whose job failed in the one after, and brought no evidence back. As bad as worse.
    pub lost: Vec<Lost>,
    /// Series that only the one before has.
    pub gone: Vec<Series>,
    /// Series that only the one after has.
    pub new: Vec<Series>,
}

/// A series whose job brought no evidence back.
#[derive(Debug, Clone, Serialize)]
pub struct Lost {
    /// Which.
    pub series: Series,
    /// Why.
    pub reason: String,
}

/// What changed in a series.
#[derive(Debug, Clone, Serialize)]
pub struct SeriesChanges {
    /// Which.
    pub series: Series,
    /// Its figures, in the order of reports.
    pub figures: Vec<FigureChange>,
}

/// What became of a figure.
#[derive(Debug, Clone, Serialize)]
pub struct FigureChange {
    /// Its metric.
    pub metric: String,
    /// What it was, in the metric's base unit.
    pub before: Option<f64>,
    /// What it is.
    pub after: Option<f64>,
    /// `same`, `better`, `worse`, `different`, `new`, `gone`, `incomparable`, `undecided` or `informational`.
    pub change: &'static str,
    /// The same in words.
    pub words: String,
    #[serde(skip)]
    kind: Change,
}

impl From<Compared> for FigureChange {
    fn from(it: Compared) -> Self {
        let change = match it.change {
            Change::Same => "same",
            Change::Better => "better",
            Change::Worse => "worse",
            Change::Different => "different",
            Change::New => "new",
            Change::Gone => "gone",
            Change::Incomparable => "incomparable",
            Change::Undecided => "undecided",
            Change::Informational => "informational",
        };
        let Compared { metric, before, after, words, change: kind, .. } = it;
        Self { metric, before, after, change, words, kind }
    }
}

impl FigureChange {
    fn is_news(&self) -> bool {
        !matches!(self.kind, Change::Same | Change::Informational)
    }

    /// Worse first, then what cannot be told.
    fn weight(&self) -> u8 {
        match self.kind {
            kind if kind.is_worse() => 0,
            kind if kind.is_open() => 1,
            Change::Better => 2,
            _ => 3,
        }
    }
}

impl Changes {
    /// What changed from `before` to `after` in the series that `filter` wants.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn between(
        ledger: &Ledger,
        before: &Before,
        after: &RunRow,
        filter: &SeriesFilter,
        tolerance: f64,
    ) -> Result<Self, LedgerError> {
        let wanted = |series: &Series| filter.wants(series);
        let mut earlier: BTreeMap<Series, (Earlier, BTreeMap<String, Standing>)> = match before {
            Before::Baseline => {
                let known = |baseline: &Baseline| {
                    let figures = baseline.figures.iter();
                    figures.map(|(metric, it)| (metric.clone(), it.standing())).collect()
                };
                let all = ledger.baselines()?.into_iter();
                all.map(|(series, baseline)| (series, (Earlier::from(&baseline), known(&baseline)))).collect()
            }
            Before::Run(run) => {
                let known = |found: &SeriesFigures| {
                    let (model, dataset) = (found.model, found.dataset);
                    let standing = Standing { run: run.name.clone(), model, dataset };
                    found.figures.keys().map(|metric| (metric.clone(), standing.clone())).collect()
                };
                let all = ledger.figures(&run.name)?.into_iter();
                all.map(|(series, found)| (series, (Earlier::from(&found.measured()), known(&found)))).collect()
            }
        };
        let mut changes = Self {
            before: match before {
                Before::Baseline => "the baseline".to_owned(),
                Before::Run(run) => described(run),
            },
            after: described(after),
            series: Vec::new(),
            lost: Vec::new(),
            gone: Vec::new(),
            new: Vec::new(),
        };
        for (series, found) in ledger.figures(&after.name)?.into_iter().filter(|(series, _)| wanted(series)) {
            let Some((earlier, known)) = earlier.remove(&series) else {
                changes.new.push(series);
                continue;
            };
            let among = |metric: &str| {
                let Some(standing) = known.get(metric) else { return Vec::new() };
                // An empty past leaves it undecided.
                ledger.among(&series, metric, standing).unwrap_or_default()
            };
            let compared = compare(earlier, &found.measured(), tolerance, &among).into_iter();
            let mut figures: Vec<FigureChange> = compared
                .map(|mut it| {
                    // On a real clock once is not enough.
                    if it.noisy && it.change == Change::Worse && !found.confirmed {
                        it.change = Change::Undecided;
                        it.words += ", and was not measured again";
                    }
                    it.into()
                })
                .collect();
            figures.sort_by_key(FigureChange::weight);
            changes.series.push(SeriesChanges { series, figures });
        }
        let mut jobs: BTreeMap<Series, JobRow> =
            ledger.jobs(&after.name)?.into_iter().map(|job| (job.series.clone(), job)).collect();
        for series in earlier.into_keys().filter(wanted) {
            match jobs.remove(&series) {
                // Whatever is not the model's fault says nothing of it.
                Some(job) if job.verdict == Verdict::Fail => {
                    changes.lost.push(Lost { series, reason: format!("{}: {}", job.verdict, job.reason) })
                }
                _ => changes.gone.push(series),
            }
        }
        Ok(changes)
    }

    /// How many figures are worse; a series that brought nothing back counts as one.
    pub fn worse(&self) -> usize {
        self.figures(|it| it.kind.is_worse()) + self.lost.len()
    }

    /// Leaves out the series that `wanted` does not want.
    pub fn retain(&mut self, wanted: impl Fn(&Series) -> bool) {
        self.series.retain(|it| wanted(&it.series));
        self.lost.retain(|it| wanted(&it.series));
    }

    /// How many figures nobody can say of that they are not worse.
    pub fn open(&self) -> usize {
        self.figures(|it| it.kind.is_open())
    }

    fn figures(&self, which: impl Fn(&FigureChange) -> bool) -> usize {
        self.series.iter().flat_map(|it| &it.figures).filter(|it| which(it)).count()
    }

    /// In a line: how many are worse, better, and not to be told.
    pub fn summary(&self) -> String {
        let better = self.figures(|it| it.kind == Change::Better);
        format!(
            "{} compared: {} worse, {better} better, {} that cannot be told; {} new, {} gone",
            format_args!("{} series", self.series.len()),
            self.worse(),
            self.open(),
            self.new.len(),
            self.gone.len()
        )
    }

    /// Series with something to tell, those with something worse first; what did not change only with `all`.
    fn told(&self, all: bool) -> Vec<(&Series, Vec<&FigureChange>)> {
        let mut told: Vec<(&Series, Vec<&FigureChange>)> = (self.series.iter())
            .map(|it| (&it.series, it.figures.iter().filter(|figure| all || figure.is_news()).collect()))
            .filter(|(_, figures): &(_, Vec<_>)| !figures.is_empty())
            .collect();
        told.sort_by_key(|(_, figures)| figures.iter().map(|figure| figure.weight()).min());
        told
    }

    /// For people.
    pub fn text(&self, all: bool) -> String {
        let mut lines = vec![format!("from {} to {}", escape(&self.before), escape(&self.after))];
        for (series, figures) in self.told(all) {
            lines.push(format!("\n{}", named(series)));
            let width = figures.iter().map(|figure| figure.metric.len()).max().unwrap_or(0);
            lines.extend(
                figures.iter().map(|figure| {
                    format!("  {:13}  {:width$}  {}", figure.change, figure.metric, escape(&figure.words))
                }),
            );
        }
        let lost = self.lost.iter().map(|it| format!("\n{}\n  worse: {}", named(&it.series), escape(&it.reason)));
        lines.extend(lost);
        for (what, series) in [("only before", &self.gone), ("only after", &self.new)] {
            if !series.is_empty() {
                lines.push(format!("\n{what}"));
                lines.extend(series.iter().map(|series| format!("  {}", named(series))));
            }
        }
        lines.push(format!("\n{}", self.summary()));
        lines.join("\n")
    }

    /// For merge requests.
    pub fn markdown(&self, all: bool) -> String {
        let (before, after) = (plain(&self.before), plain(&self.after));
        let mut page = Page(format!("### Changes from {before} to {after}\n\n{}.\n", self.summary()));
        let told = self.told(all).into_iter().flat_map(|(series, figures)| {
            figures.into_iter().map(move |figure| {
                let change =
                    if figure.kind.is_worse() { format!("**{}**", figure.change) } else { figure.change.to_owned() };
                let [model, dataset, target] =
                    [&series.model, &series.dataset, &series.target.0].map(|name| plain(name));
                [model, dataset, target, plain(&figure.metric), change, plain(&figure.words)]
            })
        });
        let told: Vec<_> = told.collect();
        page.table("Figures", ["model", "dataset", "target", "metric", "change", ""], told.into_iter());
        let lost = self.lost.iter().map(|it| {
            let [model, dataset, target] =
                [&it.series.model, &it.series.dataset, &it.series.target.0].map(|it| plain(it));
            [model, dataset, target, plain(&reports::text::short(&it.reason))]
        });
        page.table("Brought nothing back", ["model", "dataset", "target", "why"], lost);
        for (what, series) in [("Only before", &self.gone), ("Only after", &self.new)] {
            let rows = series.iter().map(|it| [&it.model, &it.dataset, &it.target.0].map(|name| plain(name)));
            page.table(what, ["model", "dataset", "target"], rows);
        }
        page.0
    }
}

/// A run in words.
fn described(run: &RunRow) -> String {
    match &run.origin.commit {
        Some(commit) => format!("{} (commit {})", run.name, short(commit)),
        None => run.name.clone(),
    }
}

fn named(series: &Series) -> String {
    format!("{} over {} on {}", escape(&series.model), escape(&series.dataset), escape(&series.target.0))
}
