//! Every metric: its names, its unit and what it means; one table for parsing, for errors and for the docs.

use crate::{metrics::Figure, quantity::Unit, suggest};
use std::fmt;

/// What a metric can only be judged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Needs {
    /// Evidence alone.
    Nothing,
    /// A dataset with expected values.
    Expected,
    /// A dataset with labels.
    Labels,
    /// The evidence of another target.
    Reference,
    /// A clock that counts instructions: an emulator's.
    Instructions,
    /// A clock that tells a real time: a board's.
    Time,
    /// Firmware: an emulator or a board.
    Firmware,
}

impl Needs {
    /// In words, for the docs; empty where nothing more is needed.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Expected => "a dataset with expected values",
            Self::Labels => "a dataset with labels",
            Self::Reference => "another target to compare with",
            Self::Instructions => "an emulator's or a simulated board's clock",
            Self::Time => "a board's clock; inconclusive on a simulated one",
            Self::Firmware => "firmware: an emulator or a board",
        }
    }
}

/// A metric as the docs show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// Its name. Letter case does not matter, and `-` or `_` may stand for a space.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// What its bound is: a bare number will do, except for a time. `None`: it takes no number, only a target.
    pub unit: Option<Unit>,
    /// What it means.
    pub meaning: &'static str,
    /// What it can only be judged with.
    pub needs: Needs,
    /// A bound, to show how one is written.
    pub example: &'static str,
    pub(super) kind: Kind,
}

/// Which metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    MeanAbsolute,
    RootMeanSquare,
    MaximumError,
    Accuracy,
    Misclassified,
    Figure(Figure),
    Outputs,
    Argmax,
    IdenticalOutputs,
    SameArgmax,
    LargestDifference,
    Instructions(Statistic),
    Latency(Statistic),
    ArenaUsed,
    Text,
    Data,
    Bss,
    Flash,
    Ram,
}

/// Which figure of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Statistic {
    Min,
    Median,
    P90,
    P99,
    Max,
}

const fn row(
    kind: Kind,
    name: &'static str,
    aliases: &'static [&'static str],
    unit: Option<Unit>,
    needs: Needs,
    example: &'static str,
    meaning: &'static str,
) -> MetricInfo {
    MetricInfo { name, aliases, unit, meaning, needs, example, kind }
}

const NUMBER: Option<Unit> = Some(Unit::Number);
const SHARE: Option<Unit> = Some(Unit::Share);
const BYTES: Option<Unit> = Some(Unit::Bytes);
const COUNT: Option<Unit> = Some(Unit::Instructions);
const TIME: Option<Unit> = Some(Unit::Seconds);

#[rustfmt::skip]
static TABLE: [MetricInfo; 29] = [
    row(Kind::MeanAbsolute, "mean absolute error", &["MAE"], NUMBER, Needs::Expected, "<= 0.05",
        "mean of |output - expected| over all output elements of all samples, in real (dequantised) units"),
    row(Kind::RootMeanSquare, "root mean square error", &["RMSE", "root mean squared error"], NUMBER, Needs::Expected, "<= 0.05",
        "square root of the mean of the squared errors"),
    row(Kind::MaximumError, "maximum error", &["max error", "maximum absolute error", "largest error"], NUMBER, Needs::Expected, "<= 0.2",
        "largest |output - expected|"),
    row(Kind::Accuracy, "top-1 accuracy", &["accuracy"], SHARE, Needs::Labels, ">= 90 %",
        "share of samples whose largest output element is the label's; inconclusive where even a perfect score on so few samples could not show the bound (95 % Wilson interval)"),
    row(Kind::Misclassified, "misclassified samples", &["misclassified", "misclassifications", "wrong samples"], Some(Unit::Samples), Needs::Labels, "= 0",
        "samples whose largest output element is not the label's: an exact count that claims nothing of other samples"),
    row(Kind::Figure(Figure::Precision), "precision", &["macro precision"], SHARE, Needs::Labels, ">= 80 % for class \"yes\"",
        "of the samples taken for a class, the share that is of it; without a class the mean over the classes that occur"),
    row(Kind::Figure(Figure::Recall), "recall", &["macro recall"], SHARE, Needs::Labels, ">= 80 % for class \"yes\"",
        "of the samples of a class, the share taken for it; without a class the mean over the classes that occur"),
    row(Kind::Figure(Figure::F1), "F1", &["F1 score", "macro F1", "macro F1 score"], SHARE, Needs::Labels, ">= 80 % for class \"yes\"",
        "harmonic mean of precision and recall; without a class the mean over the classes that occur"),
    row(Kind::Outputs, "outputs", &["output"], None, Needs::Reference, "= container",
        "`= TARGET`: every output of every sample is the same to the bit; `within 1e-6 of TARGET`: no element differs by more, in real units"),
    row(Kind::Argmax, "argmax", &["predicted class", "predicted classes"], None, Needs::Reference, "= container",
        "every sample has the same largest output element"),
    row(Kind::IdenticalOutputs, "identical outputs", &["bit-identical outputs", "bit-identical share"], SHARE, Needs::Reference, ">= 95 % against container",
        "share of samples whose outputs are the same to the bit"),
    row(Kind::SameArgmax, "same argmax", &["same argmax share", "same predicted class"], SHARE, Needs::Reference, ">= 99 % against container",
        "share of samples with the same largest output element"),
    row(Kind::LargestDifference, "largest difference", &["maximum difference", "max difference"], NUMBER, Needs::Reference, "<= 1e-6 against container",
        "largest difference between two targets' output elements, in real units"),
    row(Kind::Instructions(Statistic::Min), "instructions min", &["min instructions", "minimum instructions", "instructions minimum"], COUNT, Needs::Instructions, "<= 8,000",
        "fewest instructions of an inference"),
    row(Kind::Instructions(Statistic::Median), "instructions median", &["median instructions"], COUNT, Needs::Instructions, "<= 8,000",
        "half of the inferences take so many instructions or fewer"),
    row(Kind::Instructions(Statistic::P90), "instructions p90", &["p90 instructions"], COUNT, Needs::Instructions, "<= 8,000",
        "90 % of the inferences take so many instructions or fewer"),
    row(Kind::Instructions(Statistic::P99), "instructions p99", &["p99 instructions"], COUNT, Needs::Instructions, "<= 8,000",
        "99 % of the inferences take so many instructions or fewer"),
    row(Kind::Instructions(Statistic::Max), "instructions max", &["max instructions", "maximum instructions", "instructions maximum"], COUNT, Needs::Instructions, "<= 8,000",
        "most instructions of an inference"),
    row(Kind::Latency(Statistic::Min), "latency min", &["min latency", "minimum latency", "latency minimum"], TIME, Needs::Time, "<= 5 ms",
        "shortest time of an inference"),
    row(Kind::Latency(Statistic::Median), "latency median", &["median latency"], TIME, Needs::Time, "<= 5 ms",
        "half of the inferences take this time or less"),
    row(Kind::Latency(Statistic::P90), "latency p90", &["p90 latency"], TIME, Needs::Time, "<= 5 ms",
        "90 % of the inferences take this time or less"),
    row(Kind::Latency(Statistic::P99), "latency p99", &["p99 latency"], TIME, Needs::Time, "<= 5 ms",
        "99 % of the inferences take this time or less"),
    row(Kind::Latency(Statistic::Max), "latency max", &["max latency", "maximum latency", "latency maximum"], TIME, Needs::Time, "<= 5 ms",
        "longest time of an inference"),
    row(Kind::ArenaUsed, "arena used", &["arena", "arena bytes", "tensor arena", "arena used bytes"], BYTES, Needs::Nothing, "<= 8 KiB",
        "bytes of the tensor arena that the model uses, as TFLM tells it"),
    row(Kind::Text, "firmware text", &["text"], BYTES, Needs::Firmware, "<= 200 KiB",
        "code and constants of the runner, without the model"),
    row(Kind::Data, "firmware data", &["data"], BYTES, Needs::Firmware, "<= 4 KiB",
        "initialised data of the runner"),
    row(Kind::Bss, "firmware bss", &["bss"], BYTES, Needs::Firmware, "<= 16 KiB",
        "zeroed data of the runner, without the arena"),
    row(Kind::Flash, "flash", &["flash total", "flash used", "total flash"], BYTES, Needs::Firmware, "<= 512 KiB",
        "text, data and the model's file"),
    row(Kind::Ram, "RAM", &["RAM total", "RAM used", "total RAM"], BYTES, Needs::Firmware, "<= 64 KiB",
        "data, bss and the arena that the model uses"),
];

/// A metric, with the class it is of where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    pub(super) info: &'static MetricInfo,
    pub(super) class: Option<String>,
}

/// A name that is no metric's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric `{name}`: {mend}")]
pub struct UnknownMetric {
    /// What was read.
    pub name: String,
    /// What was likely meant, or the list.
    pub mend: String,
}

impl Metric {
    /// Every metric, in the order of the docs.
    pub fn all() -> &'static [MetricInfo] {
        &TABLE
    }

    /// Reads a metric's name: `mean absolute error`, `the top-1 accuracy`, `precision of class "yes"`.
    ///
    /// # Errors
    /// [`UnknownMetric`] with a suggestion.
    pub fn parse(text: &str) -> Result<Self, UnknownMetric> {
        if let Some(info) = find(text) {
            return Ok(Self { info, class: None });
        }
        if let (figure, Some(class)) = split_class(text)
            && let Some(info) = find(figure)
            && matches!(info.kind, Kind::Figure(_))
        {
            return Ok(Self { info, class: Some(class.to_owned()) });
        }
        let wanted = normal(text);
        let mend = match wanted.as_str() {
            "instructions" | "latency" => {
                let which = ["min", "median", "p90", "p99", "max"].map(|statistic| format!("`{wanted} {statistic}`"));
                format!("say which: {}", which.join(", "))
            }
            // Short names are near to everything.
            _ => match suggest::nearest(&wanted, TABLE.iter().flat_map(names).filter(|name| name.len() > 4)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("there is: {}", TABLE.map(|info| info.name).join(", ")),
            },
        };
        Err(UnknownMetric { name: text.trim().to_owned(), mend })
    }

    /// Its row in the table.
    pub fn info(&self) -> &'static MetricInfo {
        self.info
    }

    /// The class it is of; `None`: all.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.class {
            Some(class) => write!(f, "{} of class \"{class}\"", self.info.name),
            None => write!(f, "{}", self.info.name),
        }
    }
}

fn names(info: &'static MetricInfo) -> impl Iterator<Item = &'static str> + Clone {
    std::iter::once(info.name).chain(info.aliases.iter().copied())
}

fn find(text: &str) -> Option<&'static MetricInfo> {
    let wanted = normal(text);
    TABLE.iter().find(|info| names(info).any(|name| normal(name) == wanted))
}

/// A name without what does not matter: letter case, an article, hyphens and runs of spaces.
fn normal(text: &str) -> String {
    let lower = text.to_lowercase().replace(['-', '_'], " ");
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.strip_prefix(&["the"]).unwrap_or(&words).join(" ")
}

/// Splits `precision of class "yes"` or `>= 80 % for class yes` into what stands before and the class.
pub(super) fn split_class(text: &str) -> (&str, Option<&str>) {
    for marker in [" of class ", " for class ", " in class "] {
        if let Some((before, class)) = text.split_once(marker) {
            return (before, Some(unquoted(class)).filter(|class| !class.is_empty()));
        }
    }
    (text, None)
}

/// `text` without spaces and one pair of quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    ['"', '\'', '`']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote).and_then(|text| text.strip_suffix(*quote)))
        .unwrap_or(text)
        .trim()
}
