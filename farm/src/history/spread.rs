//! How much a figure varies from run to run when nothing has changed.

/// Where the values of earlier runs lie, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// 1.4826 times the median absolute deviation from it: the standard deviation, were they normally distributed. A few
    /// outliers, which a busy bench has, do not change it.
    pub deviation: f64,
    /// Of how many runs.
    pub runs: usize,
}

impl Spread {
    /// So many runs it takes to know a spread.
    pub const LEAST: usize = 5;
    /// The spread is that of so many runs at most.
    pub const MOST: usize = 30;

    /// The spread of `values`; `None` below [`Spread::LEAST`] finite ones.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        if sorted.len() < Self::LEAST {
            return None;
        }
        let median = median(&mut sorted);
        let mut distances: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
        Some(Self { median, deviation: 1.4826 * self::median(&mut distances), runs: sorted.len() })
    }
}

/// The middle of `values`, or halfway between the two in the middle; there is at least one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => values[middle - 1].midpoint(values[middle]),
        _ => values[middle],
    }
}

/// Of `values`, oldest first, those that a baseline of `accepted` stands among: those up to the run it was measured in, and
/// the first ones after it where these are too few.
///
/// Not simply the latest: a figure that got worse and stays so would soon be what is usual, and no longer be told.
pub fn around(values: &[f64], accepted: f64) -> &[f64] {
    let end = match values.iter().rposition(|value| value.to_bits() == accepted.to_bits()) {
        Some(at) => at + 1,
        // It is older than all of these.
        None => Spread::MOST,
    };
    let end = end.max(Spread::LEAST).min(values.len());
    &values[end.saturating_sub(Spread::MOST)..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_outlier_does_not_widen_the_spread() {
        let spread = Spread::of(&[5.0, 5.1, 4.9, 5.0, 50.0]).unwrap();
        assert_eq!((spread.median, spread.runs), (5.0, 5));
        assert!((spread.deviation - 0.14826).abs() < 1e-9, "{spread:?}");
        assert_eq!(Spread::of(&[5.0, 5.1, 4.9, f64::NAN, 50.0]), None);
        assert_eq!(Spread::of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap().median, 3.5);
    }

    #[test]
    fn what_stays_worse_does_not_become_usual() {
        let mut values = vec![1.0, 1.1, 0.9, 1.05, 1.0];
        values.extend(std::iter::repeat_n(2.0, 100));
        assert_eq!(around(&values, 1.05), &values[..5], "extended to the fewest that tell a spread");
        assert_eq!(around(&values, 1.0), &values[..5]);
        assert_eq!(around(&values, 2.0), &values[75..], "no more than the latest of them");
        assert_eq!(around(&values, 9.0), &values[..30], "the baseline is older than all");
        assert_eq!(around(&[1.0], 1.0), &[1.0]);
        assert_eq!(around(&[], 1.0), &[] as &[f64]);
    }

    proptest! {
        #[test]
        fn a_spread_moves_and_grows_with_its_values(
            values in prop::collection::vec(-1e3..1e3_f64, 5..40), shift in -1e3..1e3_f64, scale in 0.1..10.0_f64
        ) {
            let spread = Spread::of(&values).unwrap();
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), value| (a.min(*value), b.max(*value)));
            prop_assert!((least..=most).contains(&spread.median) && spread.deviation >= 0.0);
            let moved: Vec<f64> = values.iter().map(|value| value * scale + shift).collect();
            let moved = Spread::of(&moved).unwrap();
            prop_assert!((moved.median - (spread.median * scale + shift)).abs() < 1e-6);
            prop_assert!((moved.deviation - spread.deviation * scale).abs() < 1e-6);
        }

        #[test]
        fn a_baseline_stands_among_earlier_values_in_one_piece(
            values in prop::collection::vec(0..6_u8, 0..60), accepted in 0..6_u8
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let among = around(&values, f64::from(accepted));
            prop_assert!(among.len() <= Spread::MOST && among.len() >= values.len().min(Spread::LEAST));
            let later = [values.as_slice(), &[7.0; 50]].concat();
            if values.len() >= Spread::MOST || (values.len() >= Spread::LEAST && values.contains(&f64::from(accepted))) {
                prop_assert_eq!(around(&later, f64::from(accepted)), among, "later runs change nothing");
            }
        }
    }
}
