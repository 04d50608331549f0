//! What a Then asks of the baseline: that nothing is worse than it, or that one metric is not.

use crate::phrase::PhraseError;
use farm::{
    Criterion, Dataset, Model, TargetInfo,
    criterion::Metric,
    history::{OUTPUTS, followed},
    quantity::{Quantity, Unit},
};
use std::fmt;

/// What must not be worse than the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct NotWorse {
    /// The one metric that is asked for, or `outputs`; `None`: all of them.
    pub metric: Option<&'static str>,
    tolerance: Option<Quantity>,
}

impl NotWorse {
    /// Reads the metric and the tolerance of a step.
    pub(crate) fn parse(metric: Option<&str>, tolerance: Option<&str>) -> Result<Self, PhraseError> {
        let metric = metric.map(of_baseline).transpose()?;
        let tolerance = tolerance.map(share).transpose()?;
        if metric == Some(OUTPUTS) && tolerance.is_some() {
            return Err(PhraseError::new("outputs are the same or not, and by no share")
                .help("write `the outputs are not worse than the baseline`"));
        }
        Ok(Self { metric, tolerance })
    }

    /// By how much a metric may be worse, as a share of its accepted value.
    pub fn tolerance(&self) -> f64 {
        self.tolerance.as_ref().map_or(0.0, Quantity::value)
    }

    /// Whether what it asks for can be measured on `info` at all.
    pub(crate) fn check(&self, info: &TargetInfo, model: &Model, dataset: &Dataset) -> Result<(), PhraseError> {
        let Some(metric) = self.metric.filter(|metric| *metric != OUTPUTS) else { return Ok(()) };
        let known = Metric::parse(metric).map_err(|error| PhraseError::new(error.to_string()))?;
        // Any bound will do: it is the metric that is asked about. Its example may be of a class.
        let bound = known.info().example.split(" for class").next().unwrap_or_default();
        let criterion = Criterion::parse(metric, bound).map_err(|error| PhraseError::new(error.to_string()))?;
        criterion.check(info, model, dataset).map_err(|error| PhraseError::new(error.to_string()))
    }
}

impl fmt::Display for NotWorse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.metric {
            Some(metric) => write!(f, "{metric} not worse than the baseline")?,
            None => write!(f, "nothing is worse than the baseline")?,
        }
        match &self.tolerance {
            Some(tolerance) => write!(f, " by more than {tolerance}"),
            None => Ok(()),
        }
    }
}

/// The metric of this name, if a baseline holds it.
fn of_baseline(name: &str) -> Result<&'static str, PhraseError> {
    let metric = Metric::parse(name).map_err(|error| PhraseError::new(error.to_string()))?;
    let held = |name: &str| name == OUTPUTS || followed(name).is_some();
    if let Some(class) = metric.class() {
        return Err(PhraseError::new(format!("a baseline holds no metric of one class, like \"{class}\""))
            .help(format!("write `the {} is not worse than the baseline`", metric.info().name)));
    }
    let known = metric.info().name;
    if held(known) {
        return Ok(known);
    }
    Err(PhraseError::new(format!("a baseline does not hold {known}, which compares two targets"))
        .help("say `the outputs are not worse than the baseline`"))
}

/// A share from nothing to less than all.
fn share(text: &str) -> Result<Quantity, PhraseError> {
    let quantity = Quantity::parse(text).map_err(|error| PhraseError::new(error.to_string()))?;
    if quantity.unit() != Unit::Share {
        return Err(PhraseError::new(format!("`{text}` is {}, and a share is wanted", quantity.unit().word()))
            .help("write it like `2 %`: it is taken of each metric's accepted value"));
    }
    if !(0.0..1.0).contains(&quantity.value()) {
        return Err(PhraseError::new(format!("`{text}` is not from 0 % to less than 100 %")));
    }
    Ok(quantity)
}
