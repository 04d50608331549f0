//! Medians and spreads.

use std::{fmt, time::Instant};

/// What several rounds gave.
#[derive(Debug, Clone, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    pub fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|found| *found < value);
        self.0.insert(at, value);
    }

    /// The value that `share` (0 to 1) of the others are not above; NaN where there is none.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1) as f64;
        self.0.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

impl FromIterator<f64> for Rounds {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

/// The median, and the least and the greatest in brackets; with the precision that is asked for.
impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let (least, greatest) = (self.quantile(0.0), self.quantile(1.0));
        write!(f, "{:.places$} ({least:.places$} to {greatest:.places$})", self.median())
    }
}

/// How many seconds `work` takes.
pub fn seconds<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<f64, E> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64())
}

/// A line that says whether a number is reached.
pub fn verdict(what: &str, reached: bool) {
    println!("  wanted: {what}: {}", if reached { "reached" } else { "MISSED" });
}
