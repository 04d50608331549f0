//! Whether a core's clock is as fast as its definition claims: the cycle counter against the host's clock, over the probe.

use super::words::could_not;
use farm::TargetError;
use probe_rs::MemoryInterface;
use std::{
    thread,
    time::{Duration, Instant},
};

/// DWT CYCCNT.
const CYCCNT: u64 = 0xE000_1004;
/// Between the two looks at the counter.
const SPAN: Duration = Duration::from_millis(100);
/// A claim that is off by more than this share is not believed. Internal RC oscillators are within 1 to 3 % over
/// temperature; a clock tree that is set up in another way is off by a factor.
pub const TOLERANCE: f64 = 0.05;

/// How far a counter came, and within which time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Core cycles.
    pub cycles: u32,
    /// At least this time passed between the two looks.
    pub least: Duration,
    /// At most this.
    pub most: Duration,
}

/// Looks twice at the cycle counter of a running core. `None` where it does not count: there is none, or nobody switched
/// it on.
///
/// # Errors
/// What the probe said.
pub fn measure(core: &mut probe_rs::Core<'_>) -> Result<Option<Measured>, TargetError> {
    let mut look = || {
        let before = Instant::now();
        let count = core.read_word_32(CYCCNT).map_err(|error| could_not("read the cycle counter", &error))?;
        Ok::<_, TargetError>((before, count, Instant::now()))
    };
    let (before_first, first, after_first) = look()?;
    thread::sleep(SPAN);
    let (before_second, second, after_second) = look()?;
    let cycles = second.wrapping_sub(first);
    Ok((cycles > 0).then_some(Measured {
        cycles,
        least: before_second - after_first,
        most: after_second - before_first,
    }))
}

impl Measured {
    /// Cycles in a second, at the middle of what the probe's delays leave open.
    pub fn hz(&self) -> f64 {
        f64::from(self.cycles) / ((self.least + self.most).as_secs_f64() / 2.0)
    }

    /// Whether a clock of `claimed` hertz could have come so far.
    ///
    /// # Errors
    /// What was measured, in words.
    pub fn agrees_with(&self, claimed: u64) -> Result<(), String> {
        let cycles = |time: Duration| time.as_secs_f64() * claimed as f64;
        let (fewest, most) = (cycles(self.least) * (1.0 - TOLERANCE), cycles(self.most) * (1.0 + TOLERANCE));
        if (fewest..=most).contains(&f64::from(self.cycles)) {
            return Ok(());
        }
        Err(format!(
            "the core's clock is claimed to be {:.3} MHz and was measured as {:.3} MHz (tolerance {:.0} %); \
             correct clock_hz in the board's definition",
            claimed as f64 / 1e6,
            self.hz() / 1e6,
            TOLERANCE * 100.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_believed_within_tolerance_and_what_the_probes_delays_leave_open() {
        let (least, most) = (Duration::from_millis(98), Duration::from_millis(102));
        let measured = |cycles| Measured { cycles, least, most };
        assert_eq!(measured(8_000_000).agrees_with(80_000_000), Ok(()));
        assert_eq!(measured(8_400_000).agrees_with(80_000_000), Ok(()));
        assert_eq!(measured(7_500_000).agrees_with(80_000_000), Ok(()));
        let words = measured(1_600_000).agrees_with(80_000_000).err().unwrap_or_default();
        assert!(words.contains("claimed to be 80.000 MHz and was measured as 16.000 MHz"), "{words}");
        assert!(measured(16_000_000).agrees_with(80_000_000).is_err());
    }
}
