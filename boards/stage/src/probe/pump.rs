//! Bytes between the RTT buffers on the chip and the session: moved by the probe's thread, which looks often while data
//! flows and about once a millisecond while none does. A full buffer holds its writer back, on either side.

use crate::pipe::PipeEnd;
use farm::TargetError;
use std::time::{Duration, Instant};

/// How long the thread sleeps between two looks at a chip that has nothing to say.
pub const IDLE: Duration = Duration::from_millis(1);
/// So long it looks without sleep after the last byte that moved: an inference on its way often ends within.
const EAGER: Duration = Duration::from_micros(500);
/// How often a silent core is asked whether it still runs.
const LOOK_AFTER: Duration = Duration::from_millis(50);
/// An access over the probe that failed is tried again so often: a disturbed line is no reason to lose a job.
const TRIES: u32 = 3;

/// The chip's end of the link.
pub trait Channel {
    /// Takes what the runner said, as much as fits; never waits.
    ///
    /// # Errors
    /// What the probe said.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TargetError>;

    /// Gives the runner as much of `bytes` as it has room for; never waits.
    ///
    /// # Errors
    /// What the probe said.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, TargetError>;

    /// How the core is.
    ///
    /// # Errors
    /// What the probe said.
    fn core(&mut self) -> Result<CoreState, TargetError>;
}

/// How a core is, as its debug registers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreState {
    /// It runs.
    Runs,
    /// A fault in the fault handler, or no memory where its code should be: it executes nothing any more.
    LockedUp,
    /// It stopped for a debugger and nobody asked it to: a breakpoint in the code.
    Halted,
    /// It was reset since it was last looked at.
    WasReset,
}

/// Why a link over the probe ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The core does not run any more, or began anew.
    Core(CoreState),
    /// The probe failed, in words.
    Probe(String),
}

/// Moves bytes between a channel and a pipe.
#[derive(Debug)]
pub struct Pump {
    buffer: Box<[u8]>,
    moved: Instant,
    looked: Instant,
    failures: u32,
}

/// What one step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bytes moved, or are about to: look again at once.
    Busy,
    /// Nothing to do for now.
    Idle,
    /// The link has ended, and the pipe was told.
    Ended(Ended),
}

impl Default for Pump {
    fn default() -> Self {
        let now = Instant::now();
        Self { buffer: vec![0; 8 << 10].into_boxed_slice(), moved: now, looked: now, failures: 0 }
    }
}

impl Pump {
    /// Moves what there is. `seen` is told of every piece that moved: `true` for what came from the chip.
    pub fn step(&mut self, channel: &mut dyn Channel, pipe: &PipeEnd, seen: &mut dyn FnMut(bool, &[u8])) -> Step {
        let ended = match self.try_step(channel, pipe, seen) {
            Ok(step) => {
                self.failures = 0;
                match step {
                    Step::Ended(ended) => ended,
                    step => return step,
                }
            }
            Err(error) => {
                self.failures += 1;
                if self.failures < TRIES {
                    tracing::debug!(%error, "an access over the probe failed and is tried again");
                    return Step::Busy;
                }
                Ended::Probe(error.to_string())
            }
        };
        pipe.end(match &ended {
            Ended::Probe(words) => Some(words.clone()),
            Ended::Core(_) => None,
        });
        Step::Ended(ended)
    }

    fn try_step(
        &mut self,
        channel: &mut dyn Channel,
        pipe: &PipeEnd,
        seen: &mut dyn FnMut(bool, &[u8]),
    ) -> Result<Step, TargetError> {
        let moved = self.up(channel, pipe, seen)? + self.down(channel, pipe, seen)?;
        if moved > 0 {
            self.moved = Instant::now();
            return Ok(Step::Busy);
        }
        if self.moved.elapsed() < EAGER {
            return Ok(Step::Busy);
        }
        if pipe.room() == 0 {
            // The session is slower than the chip, whose last words must not be lost.
            return Ok(Step::Idle);
        }
        if self.looked.elapsed() >= LOOK_AFTER {
            let core = channel.core()?;
            self.looked = Instant::now();
            if core != CoreState::Runs {
                // Its last words may have come since.
                while self.up(channel, pipe, seen)? > 0 {}
                return Ok(Step::Ended(Ended::Core(core)));
            }
        }
        Ok(Step::Idle)
    }

    fn up(
        &mut self,
        channel: &mut dyn Channel,
        pipe: &PipeEnd,
        seen: &mut dyn FnMut(bool, &[u8]),
    ) -> Result<usize, TargetError> {
        // Never more than the pipe takes: nothing is kept in between.
        let most = pipe.room().min(self.buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = channel.read(&mut self.buffer[..most])?;
        let bytes = &self.buffer[..count];
        if count > 0 {
            seen(true, bytes);
            pipe.push(bytes);
        }
        Ok(count)
    }

    fn down(
        &mut self,
        channel: &mut dyn Channel,
        pipe: &PipeEnd,
        seen: &mut dyn FnMut(bool, &[u8]),
    ) -> Result<usize, TargetError> {
        let waiting = pipe.peek(&mut self.buffer);
        if waiting == 0 {
            return Ok(0);
        }
        let count = channel.write(&self.buffer[..waiting])?;
        if count > 0 {
            seen(false, &self.buffer[..count]);
            pipe.taken(count);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pipe::pipe;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A chip that sends back what it gets, through buffers of its own, and whose probe fails now and then.
    #[derive(Default)]
    struct Echo {
        held: VecDeque<u8>,
        capacity: usize,
        /// How much an access carries at most, one after the other, in turns.
        turns: Vec<usize>,
        turn: usize,
        /// Each access of this number fails; 0: none.
        fails: usize,
        core: Option<CoreState>,
    }

    impl Echo {
        fn turn(&mut self) -> Result<usize, TargetError> {
            self.turn += 1;
            if self.fails > 0 && self.turn.is_multiple_of(self.fails) {
                return Err(TargetError::Bench("the line was disturbed".to_owned()));
            }
            Ok(self.turns[self.turn % self.turns.len()])
        }
    }

    impl Channel for Echo {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TargetError> {
            let count = self.turn()?.min(buffer.len()).min(self.held.len());
            for (to, from) in buffer.iter_mut().zip(self.held.drain(..count)) {
                *to = from;
            }
            Ok(count)
        }
        fn write(&mut self, bytes: &[u8]) -> Result<usize, TargetError> {
            let count = self.turn()?.min(bytes.len()).min(self.capacity - self.held.len());
            self.held.extend(&bytes[..count]);
            Ok(count)
        }
        fn core(&mut self) -> Result<CoreState, TargetError> {
            Ok(self.core.unwrap_or(CoreState::Runs))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_byte_comes_through_once_and_in_order(
            bytes in prop::collection::vec(any::<u8>(), 0..5000),
            capacity in 1usize..300,
            pipe_capacity in 1usize..300,
            turns in prop::collection::vec(1usize..70, 1..9),
            // Never three steps in a row.
            fails in prop::sample::select(vec![0usize, 7, 11]),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let result: Vec<u8> = runtime.block_on(async {
                let (stream, end) = pipe(pipe_capacity, || ());
                let (mut read, mut write) = tokio::io::split(stream);
                let (wanted, sent) = (bytes.len(), bytes.clone());
                let writer = tokio::spawn(async move { write.write_all(&sent).await });
                let reader = tokio::spawn(async move {
                    let mut got = vec![0; wanted];
                    read.read_exact(&mut got).await.map(|_| got)
                });
                let mut chip = Echo { capacity, turns, fails, ..Echo::default() };
                let mut pump = Pump::default();
                let (mut up, mut down) = (Vec::<u8>::new(), Vec::<u8>::new());
                while !reader.is_finished() {
                    pump.step(&mut chip, &end, &mut |from_chip, bytes| if from_chip { up.extend(bytes) } else { down.extend(bytes) });
                    tokio::task::yield_now().await;
                }
                writer.await.unwrap().unwrap();
                assert_eq!(up, down, "what was seen");
                reader.await.unwrap().unwrap()
            });
            prop_assert_eq!(result, bytes);
        }
    }

    #[tokio::test]
    async fn a_core_that_stops_ends_the_link_after_its_last_words() {
        let (mut stream, end) = pipe(4096, || ());
        let mut chip = Echo { capacity: 64, turns: vec![3], core: Some(CoreState::LockedUp), ..Echo::default() };
        chip.held.extend(b"last words");
        let mut pump = Pump::default();
        let ended = loop {
            if let Step::Ended(ended) = pump.step(&mut chip, &end, &mut |_, _| ()) {
                break ended;
            }
        };
        assert_eq!(ended, Ended::Core(CoreState::LockedUp));
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "last words");
    }

    #[tokio::test]
    async fn a_probe_that_keeps_failing_ends_the_link_with_its_words() {
        let (mut stream, end) = pipe(4096, || ());
        let mut chip = Echo { capacity: 64, turns: vec![1], fails: 1, ..Echo::default() };
        let mut pump = Pump::default();
        let steps: Vec<Step> = (0..3).map(|_| pump.step(&mut chip, &end, &mut |_, _| ())).collect();
        let words = "the line was disturbed".to_owned();
        assert_eq!(steps, [Step::Busy, Step::Busy, Step::Ended(Ended::Probe(words.clone()))]);
        assert_eq!(stream.read_u8().await.unwrap_err().to_string(), words);
    }
}
