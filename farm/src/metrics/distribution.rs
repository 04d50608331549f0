//! Minimum, median, p90, p99 and maximum: exact, by nearest rank.

use crate::Clock;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How ticks are distributed over a job's inferences. Every figure is a value that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Smallest.
    pub min: u64,
    /// Half of all are this or less; of an even count the lower of the middle two.
    pub median: u64,
    /// 90 % of all are this or less.
    pub p90: u64,
    /// 99 % of all are this or less.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// A [`Distribution`] as time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Smallest.
    pub min: Duration,
    /// Median.
    pub median: Duration,
    /// 90th percentile.
    pub p90: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Largest.
    pub max: Duration,
}

impl Distribution {
    /// The distribution of `values`; all zero of none.
    pub fn of(values: impl IntoIterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = values.into_iter().collect();
        sorted.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().unwrap_or(0)
        };
        Self {
            min: sorted.first().copied().unwrap_or(0),
            median: percentile(50),
            p90: percentile(90),
            p99: percentile(99),
            max: sorted.last().copied().unwrap_or(0),
        }
    }

    /// The same as time, where a tick of `clock` stands for time. On the host clock it is informational.
    pub fn latency(&self, clock: &Clock) -> Option<Latency> {
        Some(Latency {
            min: clock.duration(self.min)?,
            median: clock.duration(self.median)?,
            p90: clock.duration(self.p90)?,
            p99: clock.duration(self.p99)?,
            max: clock.duration(self.max)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percentiles_are_measured_values_by_nearest_rank() {
        // The textbook example of nearest rank: 15, 20, 35, 40, 50.
        let small = Distribution::of([50, 15, 40, 20, 35]);
        assert_eq!(small, Distribution { min: 15, median: 35, p90: 50, p99: 50, max: 50 });
        let hundred = Distribution::of((1..=100).rev());
        assert_eq!(hundred, Distribution { min: 1, median: 50, p90: 90, p99: 99, max: 100 });
        let more = Distribution::of(1..=101);
        assert_eq!(more, Distribution { min: 1, median: 51, p90: 91, p99: 100, max: 101 });
        assert_eq!(Distribution::of([7]), Distribution { min: 7, median: 7, p90: 7, p99: 7, max: 7 });
        assert_eq!(Distribution::of([1, 2]).median, 1);
    }

    #[test]
    fn ticks_become_time_only_where_the_clock_tells_time() {
        let ticks = Distribution::of([64_000, 128_000]);
        let latency = ticks.latency(&Clock::BoardCycles { hz: 64_000_000 }).unwrap();
        assert_eq!((latency.min, latency.max), (Duration::from_millis(1), Duration::from_millis(2)));
        assert_eq!(ticks.latency(&Clock::QemuInstructions), None);
    }
}
