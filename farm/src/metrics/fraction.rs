//! Fractions of whole numbers: shares that are compared with bounds without rounding.

use std::{cmp::Ordering, fmt};

/// A fraction of two whole numbers, in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    numerator: u128,
    denominator: u128,
}

/// Terms stay below this, so that every comparison fits into 128 bits.
const LIMIT: u128 = 1 << 80;

impl Fraction {
    /// `numerator / denominator`; `None` where the denominator is 0: of nothing there is no share.
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        Self::reduced(u128::from(numerator), u128::from(denominator))
    }

    fn reduced(numerator: u128, denominator: u128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        let (numerator, denominator) = (numerator / divisor, denominator / divisor);
        (denominator <= LIMIT && numerator <= LIMIT).then_some(Self { numerator, denominator })
    }

    /// The mean of `fractions`; `None` of none, or where the exact mean needs too long a denominator.
    pub(crate) fn mean(fractions: &[Self]) -> Option<Self> {
        let mut sum = Self { numerator: 0, denominator: 1 };
        for other in fractions {
            let common = greatest_common_divisor(sum.denominator, other.denominator);
            let denominator = (sum.denominator / common).checked_mul(other.denominator)?;
            let numerator = sum
                .numerator
                .checked_mul(other.denominator / common)?
                .checked_add(other.numerator.checked_mul(sum.denominator / common)?)?;
            sum = Self::reduced(numerator, denominator)?;
        }
        Self::reduced(sum.numerator, sum.denominator.checked_mul(fractions.len() as u128)?)
    }

    /// The nearest 64-bit float, or one beside it where a term needs more than 53 bits.
    pub fn value(&self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// How this stands to `bound`, exactly.
    pub fn compare(&self, bound: &crate::quantity::Quantity) -> Ordering {
        bound.compare_fraction(self.numerator, self.denominator)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mean_of_equal_shares_is_that_share_to_the_bit() {
        let share = Fraction::new(9, 10).unwrap();
        assert_eq!(Fraction::mean(&[share, share, share]), Some(share));
        let mixed = [Fraction::new(1, 2).unwrap(), Fraction::new(1, 3).unwrap()];
        assert_eq!(Fraction::mean(&mixed), Fraction::new(5, 12));
    }

    #[test]
    fn there_is_no_share_of_nothing() {
        assert_eq!(Fraction::new(0, 0), None);
        assert_eq!(Fraction::mean(&[]), None);
    }

    #[test]
    fn a_mean_too_long_for_exact_reckoning_is_left_to_floats() {
        let primes: [u64; 4] = [4_294_967_291, 4_294_967_279, 4_294_967_231, 4_294_967_197];
        let shares: Vec<_> = primes.iter().map(|prime| Fraction::new(1, *prime).unwrap()).collect();
        assert_eq!(Fraction::mean(&shares), None);
    }
}
