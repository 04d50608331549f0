//! Bounds: `<= 0.05`, `at least 90 %`, `between 1 and 2 ms`, `= container`, `within 1e-6 of container`.

use super::{
    CriterionError,
    metric::{Kind, Metric, split_class, unquoted},
};
use crate::quantity::{Quantity, Unit};
use std::{cmp::Ordering, fmt};

/// What a measured number must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Range {
    AtMost(Quantity),
    Below(Quantity),
    AtLeast(Quantity),
    Above(Quantity),
    Exactly(Quantity),
    Between(Quantity, Quantity),
}

/// What outputs must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    /// A number is in a range; compared with a target where the metric compares.
    Number { range: Range, reference: Option<String> },
    /// The same as that target's.
    Same { reference: String },
    /// No further than this from that target's.
    Within { distance: Quantity, reference: String },
}

/// How a bound begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    Between,
    Within,
}

/// Every way to write a relation; of two that fit the longer one is meant.
static RELATIONS: &[(&str, Relation)] = &[
    ("<=", Relation::AtMost),
    ("≤", Relation::AtMost),
    ("<", Relation::Below),
    (">=", Relation::AtLeast),
    ("≥", Relation::AtLeast),
    (">", Relation::Above),
    ("==", Relation::Equal),
    ("=", Relation::Equal),
    ("at most ", Relation::AtMost),
    ("no more than ", Relation::AtMost),
    ("not more than ", Relation::AtMost),
    ("up to ", Relation::AtMost),
    ("below ", Relation::Below),
    ("under ", Relation::Below),
    ("less than ", Relation::Below),
    ("fewer than ", Relation::Below),
    ("at least ", Relation::AtLeast),
    ("no less than ", Relation::AtLeast),
    ("not less than ", Relation::AtLeast),
    ("no fewer than ", Relation::AtLeast),
    ("above ", Relation::Above),
    ("over ", Relation::Above),
    ("more than ", Relation::Above),
    ("greater than ", Relation::Above),
    ("exactly ", Relation::Equal),
    ("equal ", Relation::Equal),
    ("equals ", Relation::Equal),
    ("equal to ", Relation::Equal),
    ("same as ", Relation::Equal),
    ("the same as ", Relation::Equal),
    ("identical to ", Relation::Equal),
    ("identical with ", Relation::Equal),
    ("bit-identical to ", Relation::Equal),
    ("between ", Relation::Between),
    ("within ", Relation::Within),
];

/// What may stand between a number and the target it is compared with.
static CONNECTIVES: [&str; 7] = [" against ", " of ", " compared with ", " vs. ", " vs ", " versus ", " with "];

impl Bound {
    /// Reads a bound of `metric`; may find the class there (`>= 80 % for class "yes"`).
    pub(super) fn parse(metric: &mut Metric, text: &str) -> Result<Self, CriterionError> {
        let mut rest = text.trim();
        if let (Kind::Figure(_), (before, Some(class))) = (metric.info.kind, split_class(rest)) {
            if metric.class.as_deref().is_some_and(|known| known != class) {
                return Err(CriterionError::TwoClasses { metric: metric.to_string(), class: class.to_owned() });
            }
            metric.class = Some(class.to_owned());
            rest = before.trim();
        }
        let not_a_bound = || {
            let example = match metric.info.kind {
                Kind::Outputs => "= container` or `within 1e-6 of container",
                _ => metric.info.example,
            };
            CriterionError::NotABound { bound: text.trim().to_owned(), metric: metric.to_string(), example }
        };
        let (relation, rest) = relation(rest).ok_or_else(not_a_bound)?;
        match (metric.info.kind, relation) {
            (Kind::Outputs | Kind::Argmax, Relation::Equal) => {
                if Quantity::parse(rest).is_ok() {
                    return Err(not_a_bound());
                }
                Ok(Self::Same { reference: reference(rest).ok_or_else(not_a_bound)? })
            }
            (Kind::Outputs, Relation::Within) => {
                let (distance, target) = split_reference(rest);
                let distance = quantity(metric, Some(Unit::Number), distance)?;
                if distance.value() < 0.0 {
                    return Err(not_a_bound());
                }
                Ok(Self::Within { distance, reference: target.ok_or_else(not_a_bound)? })
            }
            (Kind::Outputs | Kind::Argmax, _) | (_, Relation::Within) => Err(not_a_bound()),
            (kind, relation) => {
                let compares = matches!(kind, Kind::IdenticalOutputs | Kind::SameArgmax | Kind::LargestDifference);
                let (number, target) = if compares { split_reference(rest) } else { (rest, None) };
                if compares && target.is_none() {
                    return Err(CriterionError::NoReference {
                        metric: metric.to_string(),
                        example: metric.info.example,
                    });
                }
                Ok(Self::Number { range: range(metric, relation, number)?.ok_or_else(not_a_bound)?, reference: target })
            }
        }
    }

    /// The target whose evidence is needed.
    pub(super) fn reference(&self) -> Option<&str> {
        match self {
            Self::Number { reference, .. } => reference.as_deref(),
            Self::Same { reference } | Self::Within { reference, .. } => Some(reference),
        }
    }
}

/// The relation that `text` begins with, and what follows it.
fn relation(text: &str) -> Option<(Relation, &str)> {
    let text = ["is ", "are ", "be "].iter().find_map(|word| strip(text, word)).unwrap_or(text);
    RELATIONS
        .iter()
        .filter_map(|(word, relation)| Some((word.len(), *relation, strip(text, word)?)))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, relation, rest)| (relation, rest))
}

/// `text` after `word`, letter case aside.
fn strip<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| text[word.len()..].trim())
}

/// Splits `95 % against container` into number and target.
fn split_reference(text: &str) -> (&str, Option<String>) {
    let first = CONNECTIVES.iter().filter_map(|word| text.find(word).map(|at| (at, word.len()))).min();
    match first {
        Some((at, length)) => (&text[..at], reference(&text[at + length..])),
        None => (text, None),
    }
}

/// A target's name: one word, perhaps in quotes, perhaps with an article.
fn reference(text: &str) -> Option<String> {
    let text = text.trim();
    let name = unquoted(text.strip_prefix("the ").unwrap_or(text));
    (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| name.to_owned())
}

/// `None` where the relation takes two numbers and there are not two.
fn range(metric: &Metric, relation: Relation, text: &str) -> Result<Option<Range>, CriterionError> {
    let one = || quantity(metric, metric.info.unit, text);
    Ok(Some(match relation {
        Relation::AtMost => Range::AtMost(one()?),
        Relation::Below => Range::Below(one()?),
        Relation::AtLeast => Range::AtLeast(one()?),
        Relation::Above => Range::Above(one()?),
        Relation::Equal if metric.info.kind == Kind::Accuracy => {
            return Err(CriterionError::ExactAccuracy { bound: format!("= {text}") });
        }
        Relation::Equal => Range::Exactly(one()?),
        Relation::Within => return Ok(None),
        Relation::Between => {
            let Some((low, high)) = text.split_once(" and ") else { return Ok(None) };
            let high = quantity(metric, metric.info.unit, high)?;
            // `between 1 and 2 ms`: the unit stands once, for both.
            let shared = format!("{low} {}", high.suffix());
            let low = match Quantity::parse(low) {
                Ok(low) if low.unit() == Unit::Number => quantity(metric, metric.info.unit, &shared)?,
                _ => quantity(metric, metric.info.unit, low)?,
            };
            if low.value() > high.value() {
                return Err(CriterionError::EmptyRange { low, high });
            }
            Range::Between(low, high)
        }
    }))
}

/// Reads a number that must be of `unit`.
fn quantity(metric: &Metric, unit: Option<Unit>, text: &str) -> Result<Quantity, CriterionError> {
    let quantity = Quantity::parse(text)?;
    let unit = unit.unwrap_or(Unit::Number);
    let bare = quantity.unit() == Unit::Number && unit != Unit::Seconds;
    if quantity.unit() != unit && !bare {
        return Err(CriterionError::Unit { quantity, metric: metric.to_string(), unit });
    }
    let (name, value) = (|| metric.to_string(), quantity.value());
    match unit {
        Unit::Share if !(0.0..=1.0).contains(&value) => Err(CriterionError::NotAShare { quantity, metric: name() }),
        Unit::Instructions | Unit::Samples | Unit::Bytes if !quantity.is_whole() || value < 0.0 => {
            Err(CriterionError::NotACount { quantity, metric: name() })
        }
        _ => Ok(quantity),
    }
}

impl Range {
    /// Whether a number that stands so to a quantity is in the range; `None` orders nothing: a NaN.
    pub(super) fn holds(&self, compare: impl Fn(&Quantity) -> Option<Ordering>) -> bool {
        let is = |bound: &Quantity, wanted: fn(Ordering) -> bool| compare(bound).is_some_and(wanted);
        match self {
            Self::AtMost(bound) => is(bound, Ordering::is_le),
            Self::Below(bound) => is(bound, Ordering::is_lt),
            Self::AtLeast(bound) => is(bound, Ordering::is_ge),
            Self::Above(bound) => is(bound, Ordering::is_gt),
            Self::Exactly(bound) => is(bound, Ordering::is_eq),
            Self::Between(low, high) => is(low, Ordering::is_ge) && is(high, Ordering::is_le),
        }
    }

    /// The least value that may be, and whether it may itself.
    pub(super) fn floor(&self) -> Option<&Quantity> {
        match self {
            Self::AtLeast(bound) | Self::Above(bound) | Self::Exactly(bound) | Self::Between(bound, _) => Some(bound),
            Self::AtMost(_) | Self::Below(_) => None,
        }
    }

    /// The greatest value that may be.
    pub(super) fn ceiling(&self) -> Option<&Quantity> {
        match self {
            Self::AtMost(bound) | Self::Below(bound) | Self::Exactly(bound) | Self::Between(_, bound) => Some(bound),
            Self::AtLeast(_) | Self::Above(_) => None,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "<= {bound}"),
            Self::Below(bound) => write!(f, "< {bound}"),
            Self::AtLeast(bound) => write!(f, ">= {bound}"),
            Self::Above(bound) => write!(f, "> {bound}"),
            Self::Exactly(bound) => write!(f, "= {bound}"),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { range, reference: None } => write!(f, "{range}"),
            Self::Number { range, reference: Some(reference) } => write!(f, "{range} against {reference}"),
            Self::Same { reference } => write!(f, "= {reference}"),
            Self::Within { distance, reference } => write!(f, "within {distance} of {reference}"),
        }
    }
}
