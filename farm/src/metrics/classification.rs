//! Top-1 accuracy with its Wilson interval, the confusion matrix, precision, recall and F1.

use super::{Fraction, errors::Sum};
use serde::{Deserialize, Serialize};

/// The quantile of the standard normal distribution that leaves 2.5 % on either side.
pub(crate) const Z95: f64 = 1.959_963_984_540_054;

/// How well labels were met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Samples whose class is the label.
    pub correct: u64,
    /// Samples.
    pub total: u64,
    /// `correct / total`.
    #[serde(with = "crate::number::float")]
    pub accuracy: f64,
    /// The 95 % interval of the accuracy by Wilson's score, both ends from 0 to 1.
    #[serde(with = "crate::number::pair")]
    pub wilson: (f64, f64),
    /// `confusion[label][answer]` counts samples. The last column counts samples without an answer: a NaN, or a
    /// largest output element that belongs to no class.
    pub confusion: Vec<Vec<u64>>,
    /// Each class, in the order of the model's output elements.
    pub classes: Vec<ClassFigures>,
    /// Mean precision over the classes that occur in the dataset; one that was never answered counts as 0.
    #[serde(with = "crate::number::float")]
    pub macro_precision: f64,
    /// Mean recall over the classes that occur in the dataset.
    #[serde(with = "crate::number::float")]
    pub macro_recall: f64,
    /// Mean F1 over the classes that occur in the dataset.
    #[serde(with = "crate::number::float")]
    pub macro_f1: f64,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// Its name.
    pub name: String,
    /// Of the samples answered so, the share that is so; `None` where none was answered so.
    pub precision: Option<f64>,
    /// Of the samples that are so, the share answered so; `None` where none is so.
    pub recall: Option<f64>,
    /// Harmonic mean of both: 2 TP / (2 TP + FP + FN); `None` where the class neither occurs nor was answered.
    pub f1: Option<f64>,
    /// Samples of this class.
    pub support: u64,
}

/// The three figures that exist for each class and as their mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Figure {
    Precision,
    Recall,
    F1,
}

impl Classification {
    /// Counts `(label, answer)` pairs; `None` is no answer.
    pub fn of(classes: &[String], pairs: impl Iterator<Item = (usize, Option<usize>)>) -> Self {
        let none = classes.len();
        let mut confusion = vec![vec![0; none + 1]; none];
        for (label, answer) in pairs {
            // The dataset has checked its labels.
            if let Some(row) = confusion.get_mut(label) {
                row[answer.filter(|answer| *answer < none).unwrap_or(none)] += 1;
            }
        }
        let correct = (0..none).map(|class| confusion[class][class]).sum();
        let total = confusion.iter().flatten().sum();
        let mut figures = Self {
            correct,
            total,
            accuracy: correct as f64 / total as f64,
            wilson: wilson(correct, total),
            confusion,
            classes: Vec::new(),
            macro_precision: 0.0,
            macro_recall: 0.0,
            macro_f1: 0.0,
        };
        let of = |class, figure| figures.share(class, figure).map(|share| share.value());
        figures.classes = (0..none)
            .map(|class| ClassFigures {
                name: classes[class].clone(),
                precision: of(class, Figure::Precision),
                recall: of(class, Figure::Recall),
                f1: of(class, Figure::F1),
                support: figures.confusion[class].iter().sum(),
            })
            .collect();
        figures.macro_precision = figures.mean(Figure::Precision).value();
        figures.macro_recall = figures.mean(Figure::Recall).value();
        figures.macro_f1 = figures.mean(Figure::F1).value();
        figures
    }

    /// The accuracy as a fraction.
    pub fn fraction(&self) -> Option<Fraction> {
        Fraction::new(self.correct, self.total)
    }

    /// A figure of one class; `None` where it is a share of nothing.
    pub(crate) fn share(&self, class: usize, figure: Figure) -> Option<Fraction> {
        let hits = self.confusion[class][class];
        let answered: u64 = self.confusion.iter().map(|row| row[class]).sum();
        let support: u64 = self.confusion[class].iter().sum();
        match figure {
            Figure::Precision => Fraction::new(hits, answered),
            Figure::Recall => Fraction::new(hits, support),
            Figure::F1 => Fraction::new(2 * hits, answered + support),
        }
    }

    /// The mean of a figure over the classes that occur.
    pub(crate) fn mean(&self, figure: Figure) -> Share {
        let occurring = (0..self.confusion.len()).filter(|class| self.confusion[*class].iter().any(|count| *count > 0));
        let shares: Vec<Fraction> =
            occurring.filter_map(|class| self.share(class, figure).or_else(|| Fraction::new(0, 1))).collect();
        match Fraction::mean(&shares) {
            Some(mean) => Share::Exact(mean),
            None => {
                let mut sum = Sum::default();
                shares.iter().for_each(|share| sum.add(share.value()));
                Share::Rounded(sum.total() / shares.len() as f64)
            }
        }
    }
}

/// A share, exact wherever its fraction is short enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Share {
    Exact(Fraction),
    Rounded(f64),
}

impl Share {
    pub(crate) fn value(&self) -> f64 {
        match self {
            Self::Exact(fraction) => fraction.value(),
            Self::Rounded(value) => *value,
        }
    }
}

/// The index of the largest of `values`, the lowest of equals; `None` of none, or where one is NaN.
pub fn argmax(values: &[f64]) -> Option<usize> {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if *value > values[best] {
            best = index;
        }
    }
    (!values.is_empty()).then_some(best)
}

/// The 95 % interval of a share of which `successes` out of `total` were seen (Wilson, 1927, JASA 22:209-212).
pub fn wilson(successes: u64, total: u64) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    let (n, p, z2) = (total as f64, successes as f64 / total as f64, Z95 * Z95);
    let centre = p + z2 / (2.0 * n);
    let spread = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the formula gives exactly 0 and 1, but for rounding.
    let low = if successes == 0 { 0.0 } else { ((centre - spread) / scale).clamp(0.0, 1.0) };
    let high = if successes == total { 1.0 } else { ((centre + spread) / scale).clamp(0.0, 1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: (f64, f64), wanted: (f64, f64), tolerance: f64) {
        assert!(
            (found.0 - wanted.0).abs() < tolerance && (found.1 - wanted.1).abs() < tolerance,
            "{found:?} is not {wanted:?}"
        );
    }

    #[test]
    fn the_wilson_interval_is_the_published_one() {
        close(wilson(90, 100), (0.8256, 0.9448), 5e-5);
        // Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
        close(wilson(81, 263), (0.2553, 0.3662), 5e-5);
        close(wilson(15, 148), (0.0624, 0.1605), 5e-5);
        close(wilson(0, 20), (0.0, 0.1611), 5e-5);
        close(wilson(1, 29), (0.0061, 0.1718), 5e-5);
        // A perfect score: n / (n + z²).
        close(wilson(35, 35), (35.0 / (35.0 + Z95 * Z95), 1.0), 1e-15);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn the_largest_wins_and_of_equals_the_first() {
        assert_eq!(argmax(&[1.0, 3.0, 2.0]), Some(1));
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[f64::NEG_INFINITY, f64::NEG_INFINITY]), Some(0));
        assert_eq!(argmax(&[-0.0, 0.0]), Some(0));
        assert_eq!(argmax(&[1.0, f64::NAN]), None);
        assert_eq!(argmax(&[f64::NAN]), None);
        assert_eq!(argmax(&[]), None);
    }

    fn classes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn precision_recall_and_f1_are_what_a_hand_computes() {
        // Confusion (label down, answer across): cat 4 1 1, fish 6 2 2, hen 3 0 6; the widely printed example whose
        // precisions are 30.8 %, 66.7 %, 66.7 % and whose recalls are 66.7 %, 20.0 %, 66.7 %.
        let counts = [[4, 1, 1], [6, 2, 2], [3, 0, 6]];
        let pairs = counts.iter().enumerate().flat_map(|(label, row)| {
            row.iter().enumerate().flat_map(move |(answer, count)| std::iter::repeat_n((label, Some(answer)), *count))
        });
        let figures = Classification::of(&classes(&["cat", "fish", "hen"]), pairs);
        assert_eq!((figures.correct, figures.total), (12, 25));
        assert_eq!(figures.accuracy, 0.48);
        let of = |class: usize| &figures.classes[class];
        assert_eq!((of(0).precision, of(0).recall), (Some(4.0 / 13.0), Some(4.0 / 6.0)));
        assert_eq!((of(1).precision, of(1).recall), (Some(2.0 / 3.0), Some(0.2)));
        assert_eq!((of(2).precision, of(2).recall), (Some(6.0 / 9.0), Some(6.0 / 9.0)));
        assert_eq!((of(0).f1, of(1).f1, of(2).f1), (Some(8.0 / 19.0), Some(4.0 / 13.0), Some(12.0 / 18.0)));
        assert!((figures.macro_f1 - 0.465).abs() < 5e-4, "{}", figures.macro_f1);
        assert!((figures.macro_precision - 0.547).abs() < 5e-4 && (figures.macro_recall - 0.511).abs() < 5e-4);
    }

    #[test]
    fn a_sample_without_an_answer_is_wrong_and_stands_in_the_last_column() {
        let figures = Classification::of(&classes(&["a", "b"]), [(0, None), (0, Some(0)), (1, Some(9))].into_iter());
        assert_eq!((figures.correct, figures.total), (1, 3));
        assert_eq!(figures.confusion, [[1, 0, 1], [0, 0, 1]]);
    }

    #[test]
    fn a_class_that_neither_occurs_nor_is_answered_has_no_figures_and_no_part_in_the_mean() {
        let figures = Classification::of(&classes(&["a", "b", "c"]), [(0, Some(0)), (1, Some(0))].into_iter());
        let (b, c) = (&figures.classes[1], &figures.classes[2]);
        assert_eq!((b.precision, b.recall, b.f1, b.support), (None, Some(0.0), Some(0.0), 1));
        assert_eq!((c.precision, c.recall, c.f1, c.support), (None, None, None, 0));
        assert_eq!((figures.macro_precision, figures.macro_recall), (0.25, 0.5));
    }
}
