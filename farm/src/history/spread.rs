//! How much a figure varies from run to run when nothing has changed.

/// Where the values of earlier runs lie, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// 1.4826 times the median absolute deviation from it: the standard deviation, were they normally distributed. A few
    /// outliers, which a busy bench has, do not change it.
    pub deviation: f64,
    /// The smallest distance from the median, where more than one value is off it; else 0. A clock that ticks coarsely gives
    /// most often the same value, so that the deviation is 0, and the next tick is no news. One alone is an outlier.
    pub step: f64,
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
        let off = distances.iter().copied().filter(|distance| *distance > 0.0);
        let step = if off.clone().count() > 1 { off.fold(f64::INFINITY, f64::min) } else { 0.0 };
        Some(Self { median, deviation: 1.4826 * self::median(&mut distances), step, runs: sorted.len() })
    }

    /// How far a value may be from the median without meaning anything: 3 deviations, and a tick.
    pub fn noise(&self) -> f64 {
        (3.0 * self.deviation).max(self.step)
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
    fn a_clock_that_ticks_coarsely_has_a_spread_of_a_tick() {
        let spread = Spread::of(&[5.0, 5.0, 6.0, 5.0, 6.0, 5.0]).unwrap();
        assert_eq!((spread.deviation, spread.step, spread.noise()), (0.0, 1.0, 1.0));
        assert_eq!(Spread::of(&[5.0; 6]).unwrap().noise(), 0.0, "nothing is known of its ticks");
        assert_eq!(Spread::of(&[5.0, 5.0, 9.0, 5.0, 5.0, 5.0]).unwrap().noise(), 0.0, "an outlier is no tick");
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
    }
}
