//! A metric and a bound, and the judgement of evidence by it.
//!
//! | file | what lives there |
//! |---|---|
//! | `metric` | the table of metrics: names, units, meanings |
//! | `bound` | what a bound may be, and reading it |
//! | `check` | what can be said of a criterion before anything runs |
//! | `judge` | the judgement of evidence |
//! | `cause` | which sample a miss is owed to |
//! | `show` | numbers in messages |
//!
//! # Bounds
//! | written | or in words | holds if |
//! |---|---|---|
//! | `<= 0.05`, `< 0.05` | `at most`, `below`, `under`, `less than` | the metric is at most, is less than the number |
//! | `>= 90 %`, `> 90 %` | `at least`, `above`, `over`, `more than` | it is at least, is more than the number |
//! | `= 0` | `exactly`, `equal to` | it is the number |
//! | `between 1 and 2 ms` | | it is one of them or between them |
//! | `>= 80 % for class "yes"` | | of a metric with classes: for that class (or `precision of class "yes"` as the metric) |
//! | `= container` | `the same as`, `identical to` | of `outputs`: same bits as that target's; of `argmax`: same largest elements |
//! | `within 1e-6 of container` | | of `outputs`: no element differs by more from that target's |
//! | `>= 95 % against container` | `of`, `with`, `compared with`, `vs` | of `identical outputs`, `same argmax`, `largest difference`: the number is so |
//!
//! # How numbers are compared
//! Shares, counts and times are fractions of whole numbers and compared exactly with the decimal that was written. Errors
//! and differences are 64-bit floats and compared with the float nearest to that decimal. One unit in the last place
//! beyond a bound is a miss. A NaN meets no bound.

mod bound;
mod cause;
mod check;
mod judge;
#[cfg(test)]
mod judge_tests;
mod metric;
pub(crate) mod show;
#[cfg(test)]
mod tests;

use crate::quantity::{Quantity, QuantityError, Unit};
use bound::Bound;
pub use judge::{CriterionOutcome, Subject};
pub use metric::{Metric, MetricInfo, Needs, UnknownMetric};
use std::fmt;

/// A metric and a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    metric: Metric,
    bound: Bound,
}

impl Criterion {
    /// Reads a criterion: `mean absolute error` and `<= 0.05`.
    ///
    /// # Errors
    /// [`CriterionError`]: an unknown metric, a bound that is none, a number that does not go with the metric.
    pub fn parse(metric: &str, bound: &str) -> Result<Self, CriterionError> {
        let mut metric = Metric::parse(metric)?;
        let bound = Bound::parse(&mut metric, bound)?;
        Ok(Self { metric, bound })
    }

    /// What is measured.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// The target whose evidence it compares with: `container`, `qemu:mps2-an386`.
    pub fn reference(&self) -> Option<&str> {
        self.bound.reference()
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.metric, self.bound)
    }
}

/// A criterion that makes no sense, or none where it is asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CriterionError {
    /// An unknown metric.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    /// A number that cannot be read.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    /// Text that is no bound of the metric.
    #[error("`{bound}` is not a bound of {metric}: write it like `{example}`")]
    NotABound {
        /// What was read.
        bound: String,
        /// Its metric.
        metric: String,
        /// A bound of this metric.
        example: &'static str,
    },
    /// A comparison that does not say with what.
    #[error("{metric} compares with another target: say which, like `{example}`")]
    NoReference {
        /// The metric.
        metric: String,
        /// A bound of this metric.
        example: &'static str,
    },
    /// A number of the wrong unit.
    #[error("`{quantity}` does not go with {metric}: it is {}, like `{}`", unit.word(), unit.example())]
    Unit {
        /// The number.
        quantity: Quantity,
        /// The metric.
        metric: String,
        /// What the metric is.
        unit: Unit,
    },
    /// A share below nothing or above all.
    #[error("`{quantity}` is not a share: {metric} lies between 0 and 1, or 0 % and 100 %")]
    NotAShare {
        /// The number.
        quantity: Quantity,
        /// The metric.
        metric: String,
    },
    /// A count with a fraction or below nothing.
    #[error("`{quantity}` is not a whole number of 0 or more: {metric} is a count")]
    NotACount {
        /// The number.
        quantity: Quantity,
        /// The metric.
        metric: String,
    },
    /// A range that nothing is in.
    #[error("nothing lies between {low} and {high}: write the smaller number first")]
    EmptyRange {
        /// The first number.
        low: Quantity,
        /// The second.
        high: Quantity,
    },
    /// Two classes.
    #[error("{metric} cannot be of class \"{class}\" too")]
    TwoClasses {
        /// The metric with its class.
        metric: String,
        /// The other class.
        class: String,
    },
    /// An accuracy that no number of samples could show.
    #[error(
        "`{bound}`: no number of samples shows an exact accuracy; bound it with `>=`, or count with the metric `misclassified samples`, like `= 0`"
    )]
    ExactAccuracy {
        /// The bound.
        bound: String,
    },
    /// The dataset does not hold what the metric needs.
    #[error("{metric} needs {needs}, and `{dataset}` has {has}")]
    Truth {
        /// The metric.
        metric: String,
        /// What it needs.
        needs: &'static str,
        /// The dataset's name.
        dataset: String,
        /// What it has.
        has: &'static str,
    },
    /// An unknown class.
    #[error("dataset `{dataset}` has no class `{class}`: {mend}")]
    UnknownClass {
        /// The dataset's name.
        dataset: String,
        /// The class.
        class: String,
        /// What was likely meant.
        mend: String,
    },
    /// The target lacks the clock.
    #[error("{metric} cannot be judged on {target}: its clock is the {clock}; {mend}")]
    Clock {
        /// The metric.
        metric: String,
        /// The target's name.
        target: String,
        /// The target's clock in words.
        clock: String,
        /// The mend.
        mend: String,
    },
    /// The target has no firmware.
    #[error(
        "{metric} cannot be judged on {target}: the {stage} stage has no firmware; ask it of an emulator or a board"
    )]
    NoFirmware {
        /// The metric.
        metric: String,
        /// The target's name.
        target: String,
        /// Its stage.
        stage: &'static str,
    },
    /// A comparison with itself, which could never fail.
    #[error("`{criterion}` on {target} compares it with itself and could never fail: leave it out there")]
    WithItself {
        /// The criterion.
        criterion: String,
        /// The target's name.
        target: String,
    },
    /// Labels of a single class.
    #[error(
        "{metric} says nothing of `{model}`: its output has a single element, so that there is one class; give expected values (`y`) and bound an error"
    )]
    SingleClass {
        /// The metric.
        metric: String,
        /// The model's name.
        model: String,
    },
    /// An argmax of one element.
    #[error("{metric} of `{model}` could never differ: its output has a single element; use `outputs`")]
    SingleOutput {
        /// The metric.
        metric: String,
        /// The model's name.
        model: String,
    },
}
