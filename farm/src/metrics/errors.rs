//! Mean absolute, root mean square and maximum error.

use serde::{Deserialize, Serialize};

/// Errors against expected values, over all output elements of all samples, in real units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Mean of the absolute differences.
    #[serde(with = "crate::number::float")]
    pub mean_absolute: f64,
    /// Square root of the mean of the squared differences.
    #[serde(with = "crate::number::float")]
    pub root_mean_square: f64,
    /// Largest absolute difference.
    #[serde(with = "crate::number::float")]
    pub maximum: f64,
}

impl Errors {
    /// Errors of pairs of (found, expected); of no pairs they are NaN. A NaN in any pair makes all three NaN.
    pub fn of(pairs: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut absolute, mut squares, mut maximum, mut count) = (Sum::default(), Sum::default(), 0.0_f64, 0_u64);
        for (found, expected) in pairs {
            let error = (found - expected).abs();
            absolute.add(error);
            squares.add(error * error);
            // `f64::max` would drop a NaN.
            maximum = if error.is_nan() || maximum.is_nan() { f64::NAN } else { maximum.max(error) };
            count += 1;
        }
        let mean_absolute = absolute.total() / count as f64;
        let root_mean_square = (squares.total() / count as f64).sqrt();
        Self { mean_absolute, root_mean_square, maximum: if count == 0 { f64::NAN } else { maximum } }
    }
}

/// A compensated sum (Neumaier 1974): its error does not grow with the count of terms.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    plain: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        let sum = self.plain + term;
        self.lost += if self.plain.abs() >= term.abs() { (self.plain - sum) + term } else { (term - sum) + self.plain };
        self.plain = sum;
    }

    pub(crate) fn total(&self) -> f64 {
        // With an infinity in it, what was lost is NaN; the plain sum still says infinity.
        if self.plain.is_finite() { self.plain + self.lost } else { self.plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_small_set_are_what_a_hand_computes() {
        // Differences 3, 4, 0, 5: mean 12/4, squares 9 + 16 + 0 + 25 = 50, mean 12.5.
        let errors = Errors::of([(3.0, 0.0), (0.0, 4.0), (7.0, 7.0), (-5.0, 0.0)].into_iter());
        assert_eq!(errors, Errors { mean_absolute: 3.0, root_mean_square: 12.5_f64.sqrt(), maximum: 5.0 });
    }

    #[test]
    fn one_nan_makes_all_errors_nan_wherever_it_stands() {
        for position in 0..3 {
            let mut found = [1.0, 2.0, 3.0];
            found[position] = f64::NAN;
            let errors = Errors::of(found.into_iter().map(|found| (found, 0.0)));
            assert!(errors.mean_absolute.is_nan() && errors.root_mean_square.is_nan() && errors.maximum.is_nan());
        }
        assert!(Errors::of([].into_iter()).maximum.is_nan());
    }

    #[test]
    fn an_infinite_output_is_an_infinite_error() {
        let errors = Errors::of([(f64::INFINITY, 0.0), (1.0, 0.0)].into_iter());
        assert_eq!((errors.mean_absolute, errors.maximum), (f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn small_errors_are_not_lost_beside_a_large_one() {
        // A plain sum of 1 and ten million times 1e-16 is 1.
        let mut sum = Sum::default();
        sum.add(1.0);
        (0..10_000_000).for_each(|_| sum.add(1e-16));
        assert!((sum.total() - 1.000_000_001).abs() < 1e-15, "{}", sum.total());
        let mut sum = Sum::default();
        [1.0, 1e100, 1.0, -1e100].into_iter().for_each(|term| sum.add(term));
        assert_eq!(sum.total(), 2.0);
    }
}
