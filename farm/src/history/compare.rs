//! What changed between two measurements of one series, and whether it got worse.
//!
//! | figure | worse where |
//! |---|---|
//! | exact | it is worse than before by more than the tolerance |
//! | noisy | it is worse by more than the tolerance, and by more than 3 deviations and a tick, than before *and* than the median of the runs that the earlier value stands among; unknown where these are fewer than 5 |
//! | informational | never |
//! | outputs | they differ though model and dataset are the same, whatever the tolerance |
//!
//! With another dataset nothing can be compared; with another model all but the outputs.

use super::{Baseline, Better, Comparison, FollowedFigure, Spread, figures, followed, outputs_digest};
use crate::{Digest, Evidence, criterion::show, metrics::Summary, quantity::Unit};
use std::collections::BTreeMap;

/// The name under which the outputs as a whole are compared and accepted.
pub const OUTPUTS: &str = "outputs";

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The same, or within the tolerance, or within its spread.
    Same,
    /// Better.
    Better,
    /// Worse.
    Worse,
    /// Of the outputs: other ones, of the same model and dataset. As bad as worse.
    Different,
    /// It was not known before.
    New,
    /// It was known before and is not measured any more.
    Gone,
    /// It was measured with another dataset.
    Incomparable,
    /// It may be worse, and the runs before it are too few to tell.
    Undecided,
    /// Told, and never compared: a time on a clock that nothing rests on, the outputs of another model.
    Informational,
}

impl Change {
    /// Whether it counts as worse.
    pub fn is_worse(self) -> bool {
        matches!(self, Self::Worse | Self::Different)
    }

    /// Whether it cannot be said that it is not worse.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Gone | Self::Incomparable | Self::Undecided)
    }
}

/// A figure before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The metric's name, or [`OUTPUTS`].
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// What it was; `None` where it was not known, and of outputs.
    pub before: Option<f64>,
    /// What it is.
    pub after: Option<f64>,
    /// What became of it.
    pub change: Change,
    /// Whether it is measured on a real clock: then it is measured again before it counts as worse.
    pub noisy: bool,
    /// Before and after in words, and what there is to say beside: `11,873 -> 12,100 (+1.91 %)`.
    pub words: String,
}

/// What a job measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Its figures.
    pub figures: Vec<FollowedFigure>,
    /// Digest of its outputs ([`outputs_digest`]).
    pub outputs: Digest,
    /// Digest of its model.
    pub model: Digest,
    /// Digest of its dataset.
    pub dataset: Digest,
}

impl Measured {
    /// What `evidence` tells, whose figures are `summary`.
    pub fn of(summary: &Summary, evidence: &Evidence) -> Self {
        Self {
            figures: figures(summary, evidence.target.simulated),
            outputs: outputs_digest(evidence),
            model: evidence.provenance.model,
            dataset: evidence.provenance.dataset,
        }
    }

    /// What was kept by the names of its metrics; one that is not followed any more is passed over.
    pub fn kept<'a>(
        figures: impl IntoIterator<Item = (&'a str, f64)>,
        outputs: Digest,
        model: Digest,
        dataset: Digest,
    ) -> Self {
        let figures = figures.into_iter().filter_map(|(metric, value)| Some(followed(metric)?.figure(value)));
        Self { figures: figures.collect(), outputs, model, dataset }
    }
}

/// What a measurement is compared with: an earlier one, or a baseline, whose figures may be of several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Earlier {
    figures: BTreeMap<String, Known<f64>>,
    outputs: Option<Known<Digest>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Known<T> {
    value: T,
    model: Digest,
    dataset: Digest,
}

impl From<&Measured> for Earlier {
    fn from(measured: &Measured) -> Self {
        let (model, dataset) = (measured.model, measured.dataset);
        let known = |figure: &FollowedFigure| Known { value: figure.value, model, dataset };
        Self {
            figures: measured.figures.iter().map(|figure| (figure.metric.to_owned(), known(figure))).collect(),
            outputs: Some(Known { value: measured.outputs, model, dataset }),
        }
    }
}

impl From<&Baseline> for Earlier {
    fn from(baseline: &Baseline) -> Self {
        let figures = baseline.figures.iter().map(|(metric, accepted)| {
            let known = Known { value: accepted.value, model: accepted.model, dataset: accepted.dataset };
            (metric.clone(), known)
        });
        let outputs = baseline.outputs.as_ref().map(|accepted| Known {
            value: accepted.value,
            model: accepted.model,
            dataset: accepted.dataset,
        });
        Self { figures: figures.collect(), outputs }
    }
}

/// Compares `after` with `before`: the outputs, then every figure that either has, in the order of reports.
///
/// `tolerance` is a share of the earlier value. `among` gives the values of the runs that the earlier value of a noisy metric
/// stands among ([`super::History::among`]).
pub fn compare(
    before: impl Into<Earlier>,
    after: &Measured,
    tolerance: f64,
    among: &dyn Fn(&str) -> Vec<f64>,
) -> Vec<Compared> {
    let before = before.into();
    let mut all = vec![compare_outputs(before.outputs, after)];
    let later = |metric: &str| after.figures.iter().find(|figure| figure.metric == metric && figure.value.is_finite());
    let known = |metric: &str| before.figures.get(metric).filter(|known| known.value.is_finite());
    for info in super::all_followed() {
        all.extend(match (known(info.metric), later(info.metric)) {
            (None, None) => None,
            (None, Some(figure)) => {
                let words = format!("{}, not known before", shown(figure.value, figure.unit));
                // A baseline never has these.
                let informational = figure.comparison == Comparison::Informational;
                let change = if informational { Change::Informational } else { Change::New };
                Some(of(figure, None, change, words))
            }
            (Some(known), None) => gone(&info.figure(known.value), known, after),
            (Some(known), Some(figure)) => Some(compare_figure(known, figure, after, tolerance, among)),
        });
    }
    let unknown = before.figures.iter().filter(|(metric, _)| followed(metric).is_none());
    all.extend(unknown.map(|(metric, known)| Compared {
        metric: metric.clone(),
        unit: Unit::Number,
        before: Some(known.value),
        after: None,
        change: Change::Gone,
        noisy: false,
        words: "this version of tinyfarm does not measure it".to_owned(),
    }));
    all
}

/// A value in its base unit as people read it: `1.25 ms`, `8,123`, `90 %`.
pub fn shown(value: f64, unit: Unit) -> String {
    show::value(value, unit, 6)
}

fn of(figure: &FollowedFigure, before: Option<f64>, change: Change, words: String) -> Compared {
    Compared {
        metric: figure.metric.to_owned(),
        unit: figure.unit,
        before,
        after: Some(figure.value),
        change,
        noisy: figure.comparison == Comparison::Noisy,
        words,
    }
}

const OTHER_DATASET: &str = "measured with another dataset: it must be accepted anew";

fn compare_outputs(before: Option<Known<Digest>>, after: &Measured) -> Compared {
    let (change, words) = match before {
        None => (Change::New, "not known before"),
        Some(known) if known.dataset != after.dataset => (Change::Incomparable, OTHER_DATASET),
        Some(known) if known.model != after.model => (Change::Informational, "of another model, and not compared"),
        Some(known) if known.value != after.outputs => {
            (Change::Different, "not the same to the bit, though model and dataset are")
        }
        Some(_) => (Change::Same, "the same to the bit"),
    };
    let (metric, words) = (OUTPUTS.to_owned(), words.to_owned());
    Compared { metric, unit: Unit::Number, before: None, after: None, change, noisy: false, words }
}

/// A figure that was known and is not measured any more.
fn gone(figure: &FollowedFigure, known: &Known<f64>, after: &Measured) -> Option<Compared> {
    let (was, same_dataset) = (shown(known.value, figure.unit), known.dataset == after.dataset);
    let (change, words) = match figure.comparison {
        // The clock is another one.
        Comparison::Informational => return None,
        // Expected values are there, so an output was not a number.
        _ if same_dataset && figure.metric.ends_with(" error") => {
            (Change::Worse, format!("{was} -> undefined: an output is not a number"))
        }
        _ if same_dataset => (Change::Gone, format!("{was}, and not measured any more")),
        _ => (Change::Incomparable, OTHER_DATASET.to_owned()),
    };
    Some(Compared { after: None, ..of(figure, Some(known.value), change, words) })
}

fn compare_figure(
    known: &Known<f64>,
    figure: &FollowedFigure,
    after: &Measured,
    tolerance: f64,
    among: &dyn Fn(&str) -> Vec<f64>,
) -> Compared {
    let (before, now) = (known.value, figure.value);
    let told = |change, beside: &str| {
        let step = step(before, now, figure.unit);
        let words = if beside.is_empty() { step } else { format!("{step}, {beside}") };
        of(figure, Some(before), change, words)
    };
    if known.dataset != after.dataset {
        return told(Change::Incomparable, OTHER_DATASET);
    }
    // How much worse it is than `value`; negative where it is better.
    let worse_than = |value: f64| match figure.better {
        Better::Lower => now - value,
        Better::Higher => value - now,
    };
    let within = || format!("within {}", shown(tolerance, Unit::Share));
    let worse = worse_than(before);
    match figure.comparison {
        Comparison::Informational => told(Change::Informational, "on a clock that nothing rests on"),
        Comparison::Exact if beyond(worse, tolerance, before, 0.0) => told(Change::Worse, ""),
        Comparison::Exact if worse < 0.0 => told(Change::Better, ""),
        Comparison::Exact if worse > 0.0 => told(Change::Same, &within()),
        Comparison::Exact => told(Change::Same, ""),
        Comparison::Noisy => {
            let values = among(figure.metric);
            let Some(spread) = Spread::of(&values) else {
                let runs = values.iter().filter(|value| value.is_finite()).count();
                // Whatever the spread, only what is beyond the tolerance can be worse.
                return if beyond(worse, tolerance, before, 0.0) {
                    let missing = Spread::LEAST - runs;
                    let why = format!(
                        "and {runs} earlier runs cannot tell whether that is noise: {missing} more of the model and the runner that it is compared with would"
                    );
                    told(Change::Undecided, &why.replace(" 1 earlier runs", " 1 earlier run"))
                } else if worse > 0.0 {
                    told(Change::Same, &within())
                } else {
                    told(Change::Same, if worse == 0.0 { "" } else { "and too few runs to tell whether that is noise" })
                };
            };
            let noise = spread.noise();
            let Spread { median, deviation, runs, .. } = spread;
            let of_runs = format!(
                "{runs} runs (median {}, deviation {})",
                shown(median, figure.unit),
                shown(deviation, figure.unit)
            );
            let both = |sign: f64| {
                beyond(sign * worse, tolerance, before, noise)
                    && beyond(sign * worse_than(median), tolerance, median, noise)
            };
            if both(1.0) {
                told(Change::Worse, &format!("beyond 3 deviations of {of_runs}"))
            } else if both(-1.0) {
                told(Change::Better, &format!("beyond 3 deviations of {of_runs}"))
            } else if worse > 0.0 && beyond(worse, tolerance, before, 0.0) {
                told(Change::Same, &format!("within the spread of {of_runs}"))
            } else if worse > 0.0 {
                told(Change::Same, &within())
            } else {
                told(Change::Same, "")
            }
        }
    }
}

/// Whether `distance` is more than the tolerated share of `from`, and more than `noise`.
fn beyond(distance: f64, tolerance: f64, from: f64, noise: f64) -> bool {
    // The tolerance was written as a decimal, and 0.29 times 100 is a trace less than 29.
    let tolerated = tolerance * from.abs() * (1.0 + 1e-12);
    distance > tolerated.max(noise) && distance > 0.0
}

/// `11,873 -> 12,100 (+1.91 %)`; of shares, the difference in percentage points.
fn step(before: f64, after: f64, unit: Unit) -> String {
    if before == after {
        return shown(before, unit);
    }
    let (mut was, mut is) = (shown(before, unit), shown(after, unit));
    if was == is {
        (was, is) = (show::value(before, unit, 17), show::value(after, unit, 17));
    }
    let sign = if after > before { "+" } else { "-" };
    let by = match unit {
        Unit::Share => {
            format!(" ({sign}{} percentage points)", show::significant((after - before).abs() * 100.0, 3))
        }
        _ if before == 0.0 => String::new(),
        _ => format!(" ({sign}{} %)", show::significant(((after - before) / before).abs() * 100.0, 3)),
    };
    format!("{was} -> {is}{by}")
}
