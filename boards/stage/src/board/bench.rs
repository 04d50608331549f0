//! What stands behind a session on a board: its probe, with its eyes on the core; or nothing but a serial port.

use crate::{
    probe::{
        ProbeThread,
        pump::{CoreState, Ended},
    },
    raw_log::RawLog,
};
use async_trait::async_trait;
use farm::{Clock, Fault, TargetError};
use firmware::{
    Bench, Firmware, Instructions,
    protocol::{ClockKind, Hello},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long the probe may take to read a core's registers.
const EXAMINE: Duration = Duration::from_secs(3);
/// Bytes of what went over a link that are kept as evidence.
const RAW: usize = 4 << 10;
/// How long it may take to detach.
pub(super) const DETACH: Duration = Duration::from_secs(5);

/// What a board's ticks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticks {
    /// QEMU plays it: they stand for instructions.
    Instructions(Instructions),
    /// Of a clock with this rate in hertz; `None`: not known, or not to be believed.
    OfRate(Option<u64>),
}

impl Ticks {
    /// The clock that evidence bears.
    pub fn clock(&self, kind: ClockKind) -> Clock {
        match (self, kind) {
            (Self::Instructions(_), _) => Clock::QemuInstructions,
            (_, ClockKind::Host) => Clock::Host,
            (Self::OfRate(hz), ClockKind::SysTick) => Clock::BoardTimer { hz: hz.unwrap_or(0) },
            (Self::OfRate(hz), ClockKind::Cyccnt) => Clock::BoardCycles { hz: hz.unwrap_or(0) },
        }
    }
}

/// What was noticed that has no bearing on a verdict, a line each.
#[derive(Debug, Clone, Default)]
pub struct Remarks(Arc<Mutex<Vec<String>>>);

impl Remarks {
    /// Notes `remark`.
    pub fn add(&self, remark: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remark.into());
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// What is written of one attempt on a board, whether it comes to a session or not. Clones write to the same.
#[derive(Debug, Clone)]
pub struct Notes {
    /// What went over the link.
    pub raw: RawLog,
    /// What else is to be known.
    pub remarks: Remarks,
}

impl Default for Notes {
    /// Nothing yet.
    fn default() -> Self {
        Self { raw: RawLog::received_only(RAW), remarks: Remarks::default() }
    }
}

impl Notes {
    /// For people.
    pub fn text(&self) -> String {
        let (raw, remarks) = (self.raw.text(), self.remarks.text());
        if raw.is_empty() || remarks.is_empty() { raw + &remarks } else { format!("{}\n{remarks}", raw.trim_end()) }
    }
}

/// The bench of one session on a board.
#[derive(Debug)]
pub struct BoardBench {
    /// `None`: a board without a probe.
    pub thread: Option<ProbeThread>,
    /// What runs on it; `None`: the user's own.
    pub firmware: Option<Arc<Firmware>>,
    /// What its ticks are; `None`: as the runner says of its clock.
    pub ticks: Option<Ticks>,
    /// What is written of it.
    pub notes: Notes,
}

impl BoardBench {
    fn symbol(&self, address: u64) -> Option<String> {
        self.firmware.as_ref()?.symbol(address)
    }

    /// What a core that ended the link was at.
    async fn post_mortem(&self, thread: &ProbeThread, ended: Ended) -> TargetError {
        let state = match ended {
            Ended::Core(state) => state,
            Ended::Probe(words) => return TargetError::Bench(words),
        };
        if state == CoreState::WasReset {
            return Fault::Crash { detail: "the firmware reset the core".to_owned() }.into();
        }
        let registers = match thread.call("reading the core's registers", EXAMINE, |device| device.examine()).await {
            Ok(registers) => registers,
            Err(error) if state == CoreState::LockedUp => {
                return Fault::Crash { detail: format!("the core locked up; {error}") }.into();
            }
            Err(error) => return error,
        };
        let symbol = |address| self.symbol(address);
        match state {
            CoreState::LockedUp => registers.fault("lockup", symbol).into(),
            CoreState::Halted => {
                Fault::Crash { detail: format!("the core stopped by itself: {}", registers.told(symbol)) }.into()
            }
            CoreState::Runs | CoreState::WasReset => {
                TargetError::Bench(format!("the runner did not open its link: {}", registers.told(symbol)))
            }
        }
    }
}

#[async_trait]
impl Bench for BoardBench {
    fn clock(&self, hello: &Hello) -> Clock {
        let as_said = Ticks::OfRate(Some(hello.clock_hz.into()));
        self.ticks.unwrap_or(as_said).clock(hello.clock)
    }

    fn ticks(&self, ticks: u64) -> u64 {
        match self.ticks {
            Some(Ticks::Instructions(instructions)) => instructions.of_ticks(ticks),
            _ => ticks,
        }
    }

    async fn why_ended(&mut self) -> Option<TargetError> {
        let thread = self.thread.as_ref()?;
        match thread.call("asking why the link ended", EXAMINE, |device| Ok(device.ended().cloned())).await {
            Ok(Some(ended)) => Some(self.post_mortem(thread, ended).await),
            Ok(None) => None,
            Err(error) => Some(error),
        }
    }

    async fn look_into_silence(&mut self) -> Option<String> {
        let thread = self.thread.as_ref()?;
        match thread.call("reading the core's registers", EXAMINE, |device| device.examine()).await {
            Ok(registers) => {
                let place = registers.told(|address| self.symbol(address));
                self.notes.remarks.add(format!("when no answer came the core was at {place}"));
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    fn log(&self) -> String {
        self.notes.text()
    }

    async fn close(mut self: Box<Self>) {
        if let Some(thread) = self.thread.take()
            && !thread.end(DETACH).await
        {
            tracing::warn!("the probe was not free within {DETACH:?} of the session's end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boards_clock_has_the_rate_that_is_believed() {
        let rate = |hz| Ticks::OfRate(hz);
        assert_eq!(rate(Some(64)).clock(ClockKind::Cyccnt), Clock::BoardCycles { hz: 64 });
        assert_eq!(rate(None).clock(ClockKind::Cyccnt), Clock::BoardCycles { hz: 0 });
        assert_eq!(rate(Some(64)).clock(ClockKind::SysTick), Clock::BoardTimer { hz: 64 });
        assert_eq!(rate(Some(64)).clock(ClockKind::Host), Clock::Host);
        let played = Ticks::Instructions(Instructions { clock_hz: 168_000_000, icount_shift: 4 });
        assert_eq!(played.clock(ClockKind::SysTick), Clock::QemuInstructions);
    }
}
