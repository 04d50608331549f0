//! The judgement of evidence by a criterion.

use super::{
    Criterion,
    bound::{Bound, Range},
    cause::{first_misclassified, first_that_differs, largest_error},
    metric::{Kind, Statistic},
    show,
};
use crate::{
    Clock, Dataset, Evidence, Judgement, Model, Verdict,
    metrics::{Agreement, Classification, Distribution, Figure, Fraction, Share, Summary, Z95},
    quantity::{Quantity, Unit},
};
use std::cmp::Ordering;

/// Digits of a number in a message, unless they would hide a miss.
const SHORT: usize = 6;
/// Digits that tell every 64-bit float from its neighbours.
const LONG: usize = 17;

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The figures drawn from the evidence.
    pub summary: &'a Summary,
    /// The evidence.
    pub evidence: &'a Evidence,
    /// The model that ran.
    pub model: &'a Model,
    /// The dataset it ran over.
    pub dataset: &'a Dataset,
}

/// How a criterion was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct CriterionOutcome {
    /// The criterion in words: `mean absolute error <= 0.05`.
    pub criterion: String,
    /// What was measured, in words, with unit and interval.
    pub measured: String,
    /// The same as a number in the base unit (a share of 1, seconds, bytes), where it is one.
    pub value: Option<f64>,
    /// The judgement. A pass has no reason, any other verdict says what was expected and what was found.
    pub judgement: Judgement,
}

/// A measured number.
#[derive(Debug, Clone, Copy)]
enum Value {
    Exact(Fraction),
    Real(f64),
}

impl Value {
    fn number(self) -> f64 {
        match self {
            Self::Exact(fraction) => fraction.value(),
            Self::Real(value) => value,
        }
    }

    fn compare(self, bound: &Quantity) -> Option<Ordering> {
        match self {
            Self::Exact(fraction) => Some(fraction.compare(bound)),
            Self::Real(value) => value.partial_cmp(&bound.value()),
        }
    }
}

impl From<Share> for Value {
    fn from(share: Share) -> Self {
        match share {
            Share::Exact(fraction) => Self::Exact(fraction),
            Share::Rounded(value) => Self::Real(value),
        }
    }
}

/// A measured number, and what stands behind it.
struct Measurement {
    value: Value,
    /// In brackets after the number: `90 of 100, 95 % interval 82.6 % to 94.5 %`.
    detail: Option<String>,
    /// On a miss, after the reason: the first sample that differs.
    cause: Option<String>,
}

impl From<Value> for Measurement {
    fn from(value: Value) -> Self {
        Self { value, detail: None, cause: None }
    }
}

/// Why there is no number to judge.
struct Undecided(Verdict, String);

impl Criterion {
    /// Judges `subject`; `reference` is the evidence of the target that [`Criterion::reference`] names.
    pub fn judge(&self, subject: &Subject<'_>, reference: Option<&Evidence>) -> CriterionOutcome {
        self.try_judge(subject, reference).unwrap_or_else(|Undecided(verdict, reason)| CriterionOutcome {
            criterion: self.to_string(),
            measured: "nothing".to_owned(),
            value: None,
            judgement: Judgement::new(verdict, reason),
        })
    }

    fn try_judge(&self, subject: &Subject<'_>, reference: Option<&Evidence>) -> Result<CriterionOutcome, Undecided> {
        if subject.evidence.inferences.is_empty() {
            return Err(Undecided(Verdict::Blocked, format!("no output, so {} cannot be judged", self.metric)));
        }
        match &self.bound {
            Bound::Number { range, reference: None } => {
                let measured = self.measure(subject)?;
                Ok(self.judge_number(range, measured, subject))
            }
            Bound::Number { range, reference: Some(name) } => {
                let agreement = compare(subject, name, reference)?;
                let cause = first_that_differs(&agreement, self.metric.info.kind, subject, name);
                let (share, what) = match self.metric.info.kind {
                    Kind::IdenticalOutputs => (agreement.identical_share(), agreement.identical),
                    Kind::SameArgmax => (agreement.same_argmax_share(), agreement.same_argmax),
                    _ => (None, 0),
                };
                let measured = match share {
                    Some(share) => Measurement {
                        value: Value::Exact(share),
                        detail: Some(format!("{} of {}", show::grouped(what), show::grouped(agreement.samples))),
                        cause,
                    },
                    None => Measurement { value: Value::Real(agreement.largest_difference), detail: None, cause },
                };
                Ok(self.judge_number(range, measured, subject))
            }
            Bound::Within { distance, reference: name } => {
                let agreement = compare(subject, name, reference)?;
                let cause = first_that_differs(&agreement, Kind::LargestDifference, subject, name);
                let value = Value::Real(agreement.largest_difference);
                let range = Range::AtMost(distance.clone());
                let mut outcome = self.judge_number(&range, Measurement { value, detail: None, cause }, subject);
                outcome.measured = format!("largest difference {}", outcome.measured);
                Ok(outcome)
            }
            Bound::Same { reference: name } => {
                let agreement = compare(subject, name, reference)?;
                Ok(self.judge_same(&agreement, subject, name))
            }
        }
    }

    /// Judges whether all samples agree.
    fn judge_same(&self, agreement: &Agreement, subject: &Subject<'_>, name: &str) -> CriterionOutcome {
        let kind = self.metric.info.kind;
        let (agreeing, what) = match kind {
            Kind::Argmax => (agreement.same_argmax, "the same argmax"),
            _ => (agreement.identical, "bit-identical outputs"),
        };
        let total = agreement.samples;
        let measured = format!("{} of {} samples with {what}", show::grouped(agreeing), show::grouped(total));
        let judgement = if agreeing == total {
            Judgement::new(Verdict::Pass, "")
        } else {
            let differing = show::grouped(total - agreeing);
            let cause = first_that_differs(agreement, kind, subject, name).unwrap_or_default();
            let reason =
                format!("expected {self}, found {differing} of {} samples that differ: {cause}", show::grouped(total));
            Judgement::new(Verdict::Fail, reason)
        };
        CriterionOutcome {
            criterion: self.to_string(),
            measured,
            value: Some(agreeing as f64 / total as f64),
            judgement,
        }
    }

    /// Judges a number.
    fn judge_number(&self, range: &Range, measured: Measurement, subject: &Subject<'_>) -> CriterionOutcome {
        let unit = self.metric.info.unit.unwrap_or(Unit::Number);
        let value = measured.value;
        let holds = range.holds(|bound| value.compare(bound));
        // What is shown must not seem to say the opposite of the verdict.
        let short = show::value(value.number(), unit, SHORT);
        let honest = Quantity::parse(&short)
            .is_ok_and(|shown| range.holds(|bound| shown.value().partial_cmp(&bound.value())) == holds);
        let shown = if honest { short } else { show::value(value.number(), unit, LONG) };
        let measured_text = match &measured.detail {
            Some(detail) => format!("{shown} ({detail})"),
            None => shown,
        };
        let judgement = if holds {
            match self.too_few(range, subject) {
                Some(reason) => Judgement::new(Verdict::Inconclusive, reason),
                None => Judgement::new(Verdict::Pass, ""),
            }
        } else {
            let miss = missed(range, value, unit);
            let cause = measured.cause.map(|cause| format!("; {cause}")).unwrap_or_default();
            Judgement::new(Verdict::Fail, format!("expected {self}, found {measured_text}: {miss}{cause}"))
        };
        CriterionOutcome {
            criterion: self.to_string(),
            measured: measured_text,
            value: Some(value.number()),
            judgement,
        }
    }

    /// Why so few samples cannot show what an accuracy is to be, even though it is met.
    fn too_few(&self, range: &Range, subject: &Subject<'_>) -> Option<String> {
        if self.metric.info.kind != Kind::Accuracy {
            return None;
        }
        let n = subject.summary.classification.as_ref()?.total as f64;
        // Wilson's interval of a perfect score of n is n / (n + z²) to 1, of a score of nothing 0 to z² / (n + z²).
        let reach = n / (n + Z95 * Z95);
        let short_of = |bound: f64| (reach < bound).then_some(bound);
        let missing = range.floor().and_then(|floor| short_of(floor.value()));
        let missing = missing.or_else(|| range.ceiling().and_then(|ceiling| short_of(1.0 - ceiling.value())));
        let bound = missing?;
        let samples = |n: f64| format!("{} sample{}", show::grouped(n as u64), if n == 1.0 { "" } else { "s" });
        let mend = if bound < 1.0 {
            format!("{} would", samples((bound * Z95 * Z95 / (1.0 - bound)).ceil()))
        } else {
            "no number of samples would; count with the metric `misclassified samples`".to_owned()
        };
        let reach = show::value(reach, Unit::Share, 3);
        Some(format!(
            "{} {} too few to show {self}: even a perfect score shows no more than {reach} (95 % Wilson interval); {mend}",
            samples(n),
            if n == 1.0 { "is" } else { "are" }
        ))
    }

    /// Draws the metric from the summary.
    fn measure(&self, subject: &Subject<'_>) -> Result<Measurement, Undecided> {
        let summary = subject.summary;
        let count = |count: u64| Ok(Value::from(count).into());
        let errors = || summary.errors.ok_or_else(|| self.lacks("expected values"));
        let classes = || summary.classification.as_ref().ok_or_else(|| self.lacks("labels"));
        let footprint = || summary.footprint.ok_or_else(|| self.lacks("a firmware"));
        match self.metric.info.kind {
            Kind::MeanAbsolute => Ok(Value::Real(errors()?.mean_absolute).into()),
            Kind::RootMeanSquare => Ok(Value::Real(errors()?.root_mean_square).into()),
            Kind::MaximumError => {
                let value = Value::Real(errors()?.maximum);
                Ok(Measurement { value, detail: None, cause: largest_error(subject) })
            }
            Kind::Accuracy => {
                let figures = classes()?;
                let (low, high) = figures.wilson;
                let (correct, total) = (show::grouped(figures.correct), show::grouped(figures.total));
                let (low, high) = (show::value(low, Unit::Share, 3), show::value(high, Unit::Share, 3));
                let value = Value::Exact(figures.fraction().ok_or_else(|| self.lacks("samples"))?);
                let detail = Some(format!("{correct} of {total}, 95 % interval {low} to {high}"));
                Ok(Measurement { value, detail, cause: None })
            }
            Kind::Misclassified => {
                let figures = classes()?;
                let value = Value::from(figures.total - figures.correct);
                Ok(Measurement { value, detail: None, cause: first_misclassified(subject) })
            }
            Kind::Figure(figure) => {
                let figures = classes()?;
                match self.metric.class() {
                    None => Ok(Value::from(figures.mean(figure)).into()),
                    Some(class) => self.measure_class(figures, class, figure),
                }
            }
            Kind::Instructions(statistic) => {
                let clock = summary.clock;
                if !clock.counts_instructions() {
                    return Err(self.untrusted(&clock, "counts no instructions"));
                }
                count(statistic.of(&summary.ticks))
            }
            Kind::Latency(statistic) => {
                let clock = summary.clock;
                let target = &subject.evidence.target;
                if target.simulated {
                    let reason = format!("{} is simulated and tells no time", target.id);
                    return Err(Undecided(Verdict::Inconclusive, reason));
                }
                let (Clock::BoardCycles { hz } | Clock::BoardTimer { hz }) = clock else {
                    return Err(self.untrusted(&clock, "tells no time to rely on"));
                };
                let seconds = Fraction::new(statistic.of(&summary.ticks), hz);
                Ok(Value::Exact(seconds.ok_or_else(|| self.untrusted(&clock, "has no rate"))?).into())
            }
            Kind::ArenaUsed => count(summary.arena_used),
            Kind::Text => count(footprint()?.text),
            Kind::Data => count(footprint()?.data),
            Kind::Bss => count(footprint()?.bss),
            Kind::Flash => count(summary.flash().ok_or_else(|| self.lacks("a firmware"))?),
            Kind::Ram => count(summary.ram().ok_or_else(|| self.lacks("a firmware"))?),
            Kind::Outputs | Kind::Argmax | Kind::IdenticalOutputs | Kind::SameArgmax | Kind::LargestDifference => {
                Err(self.lacks("a target to compare with"))
            }
        }
    }

    fn measure_class(&self, figures: &Classification, class: &str, figure: Figure) -> Result<Measurement, Undecided> {
        let index = figures.classes.iter().position(|known| known.name == class);
        let share = index.and_then(|index| figures.share(index, figure));
        match share {
            Some(share) => Ok(Value::Exact(share).into()),
            None => {
                let why = match figure {
                    Figure::Precision => "no sample was taken for this class",
                    Figure::Recall => "no sample is of this class",
                    Figure::F1 => "no sample is of this class or was taken for it",
                };
                let reason = format!("{} is undefined: {why}", self.metric);
                Err(Undecided(Verdict::Inconclusive, reason))
            }
        }
    }

    fn lacks(&self, what: &str) -> Undecided {
        Undecided(Verdict::Blocked, format!("{} cannot be judged without {what}", self.metric))
    }

    fn untrusted(&self, clock: &Clock, why: &str) -> Undecided {
        Undecided(Verdict::Inconclusive, format!("{} cannot be judged: the {clock} {why}", self.metric))
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Fraction::new(count, 1).map_or(Self::Real(count as f64), Self::Exact)
    }
}

impl Statistic {
    fn of(self, ticks: &Distribution) -> u64 {
        match self {
            Self::Min => ticks.min,
            Self::Median => ticks.median,
            Self::P90 => ticks.p90,
            Self::P99 => ticks.p99,
            Self::Max => ticks.max,
        }
    }
}

/// By how much a range was missed, in words.
fn missed(range: &Range, value: Value, unit: Unit) -> String {
    if value.number().is_nan() {
        return "NaN meets no bound".to_owned();
    }
    let (bound, order) = match (range.floor(), range.ceiling()) {
        (Some(floor), _) if value.compare(floor).is_some_and(Ordering::is_lt) => (floor, Ordering::Less),
        (_, Some(ceiling)) if value.compare(ceiling).is_some_and(Ordering::is_gt) => (ceiling, Ordering::Greater),
        (None, _) => return "it must be less".to_owned(),
        _ => return "it must be more".to_owned(),
    };
    let how = match (order, unit) {
        (Ordering::Less, Unit::Instructions | Unit::Samples) => "too few",
        (Ordering::Less, _) => "too little",
        (_, Unit::Instructions | Unit::Samples) => "too many",
        _ => "too much",
    };
    match (value.number() - bound.value()).abs() {
        // Closer than a 64-bit float can tell.
        0.0 => format!("a trace {how}"),
        distance if unit == Unit::Share => {
            format!("{} percentage points {how}", show::significant(distance * 100.0, 3))
        }
        distance => format!("{} {how}", show::value(distance, unit, 3)),
    }
}

/// Compares with the evidence of another target, if it can be compared.
fn compare(subject: &Subject<'_>, name: &str, reference: Option<&Evidence>) -> Result<Agreement, Undecided> {
    let Some(reference) = reference else {
        return Err(Undecided(Verdict::Blocked, format!("there is no evidence from {name} to compare with")));
    };
    let (ours, theirs) = (&subject.evidence.provenance, &reference.provenance);
    let (found, wanted) = (reference.inferences.len(), subject.evidence.inferences.len());
    if ours.model != theirs.model || ours.dataset != theirs.dataset || found != wanted {
        let reason =
            format!("the evidence from {name} is of another model or dataset, or of {found} samples, not {wanted}");
        return Err(Undecided(Verdict::Infra, reason));
    }
    Ok(Agreement::between(subject.model, subject.evidence, reference))
}
