//! The core of a simulated board as a debugger has it: it runs, halts, steps, locks up and is reset, on a QEMU that knows
//! nothing of this and dies of a lockup.
//!
//! | module | what lives there |
//! |---|---|
//! | `memory` | what is at which address |
//! | `registers` | the core's registers, and what only an instruction of the core can reach |
//! | `power` | switching on and off, reset |
//! | `controller` | calls of the flash controller by an algorithm |
//!
//! QEMU's gdbstub stops the core for each access. It goes on with [`Core::settle`], after all that arrived at once was
//! done.

mod controller;
mod memory;
mod power;
mod registers;

use crate::{
    chips::Chip,
    event::{Event, Events},
    faults::Fault,
    flash::Flash,
    gdb::{Gdb, GdbError, Register, Stop},
    qemu::{LastRegisters, Qemu},
    traps::{Loaded, breakpoint_number},
};
use memory::Heard;
use std::{
    collections::BTreeSet,
    os::fd::OwnedFd,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long is waited for a flash algorithm to go on after a call, so that the debugger finds it done when it asks next.
const CALL_RETURNS: Duration = Duration::from_millis(2);

/// Where there is nothing to execute on any simulated chip, nor on a real Armv7-M: the peripherals' part of the address
/// space.
const NOWHERE: u32 = 0x5F00_0000;

/// From here on no core executes anything: the system's part of the address space.
const SYSTEM: u32 = 0xE000_0000;

/// Why the core did not do something.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// Nothing is there.
    #[error("there is no memory at {0:#010x}")]
    NoMemory(u32),
    /// QEMU ended for no reason of the firmware's.
    #[error("QEMU has ended unexpectedly: {0}")]
    Died(String),
    /// The gdbstub.
    #[error("{0}")]
    Gdb(GdbError),
    /// QEMU could not be started.
    #[error("{} cannot be started as QEMU: {why}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        why: String,
    },
}

impl From<GdbError> for CoreError {
    fn from(error: GdbError) -> Self {
        match error {
            GdbError::NoMemory(address) => Self::NoMemory(address),
            error => Self::Gdb(error),
        }
    }
}

/// What the core does, as the debugger sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It executes.
    Running,
    /// The debugger has it.
    Halted,
    /// It took a fault that it cannot handle, and waits for a reset.
    LockedUp,
    /// It executes the same instruction for ever.
    Hung,
}

/// A state that only a reset ends, or another program counter.
#[derive(Debug, Clone, Copy)]
struct Stuck {
    at: u32,
    state: State,
}

/// A core and what it executes.
#[derive(Debug)]
pub struct Core {
    chip: &'static Chip,
    program: PathBuf,
    icount_shift: u32,
    uart: OwnedFd,
    events: Events,
    flash: Flash,
    unique_id: [u8; 12],
    /// Gone after a lockup, until the next reset.
    qemu: Option<Qemu>,
    /// What the registers held when QEMU went.
    last: LastRegisters,
    state: State,
    /// It has halted at a breakpoint, which nobody has asked about yet.
    hit: bool,
    /// It is running, but for an access that is not over.
    paused: bool,
    stuck: Option<Stuck>,
    resets: u64,
    loaded: Loaded,
    comparators: BTreeSet<u32>,
    /// A breakpoint halts it; otherwise it is an exception.
    debugged: bool,
    /// QEMU's breakpoints.
    armed: BTreeSet<u32>,
    /// What is to be written, as one: each packet costs as much as a kilobyte.
    pending: Option<(u32, Vec<u8>)>,
    heard: Heard,
    /// A fault was shown since the last reset: it is the only one until the next.
    broken_down: bool,
    slow: bool,
    wrong_chip: bool,
    controller: controller::Controller,
}

type Result<T> = std::result::Result<T, CoreError>;

impl Core {
    /// What it is.
    pub fn chip(&self) -> &'static Chip {
        self.chip
    }

    /// What it does.
    pub fn state(&self) -> State {
        self.state
    }

    /// How often it was reset since it was made.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// Whether the firmware is at work: it was asked for an inference since the last reset, and no fault was shown since.
    pub fn at_work(&self) -> bool {
        self.state == State::Running && self.heard.work() && !self.broken_down
    }

    /// Whether it is to be slow.
    pub fn is_slow(&self) -> bool {
        self.slow
    }

    /// Has it look like another chip, or like itself again.
    pub fn pretend_to_be_another(&mut self, wrong: bool) {
        self.wrong_chip = wrong;
    }

    /// Takes notice of what the core did by itself: a breakpoint, a call of the flash controller, a reset, a lockup.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn look(&mut self) -> Result<()> {
        self.look_for_reset()?;
        let mut until = None;
        while self.state == State::Running && !self.paused {
            let Some(qemu) = &mut self.qemu else { break };
            let stop = match until {
                None => qemu.gdb.poll(),
                Some(until) => qemu.gdb.stopped_within(Duration::max(
                    Instant::saturating_duration_since(&until, Instant::now()),
                    Duration::from_micros(1),
                )),
            };
            match self.unless_ended(stop)?.flatten() {
                Some(Stop::Trap) => {
                    if self.trapped()? {
                        self.go_on()?;
                        until = Some(Instant::now() + CALL_RETURNS);
                    }
                }
                // Nobody but this asks it to stop, and then waits for the answer.
                Some(Stop::Asked) => self.go_on()?,
                None => break,
            }
        }
        Ok(())
    }

    /// Lets a running core go on that was stopped for accesses, after what is still to be written.
    ///
    /// # Errors
    /// When QEMU does not answer, or there was no memory where something was written.
    pub fn settle(&mut self) -> Result<()> {
        let written = if self.state == State::Running { self.flush() } else { Ok(()) };
        if self.state == State::Running && self.paused {
            self.go_on()?;
        }
        self.look_for_reset()?;
        written
    }

    /// Halts it.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn halt(&mut self) -> Result<()> {
        if self.state == State::Running {
            self.stopped(|_| Ok(()))?;
        }
        self.state = State::Halted;
        self.paused = false;
        Ok(())
    }

    /// Lets a halted core run. It locks up at once where nothing can be executed.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn resume(&mut self) -> Result<()> {
        self.flush()?;
        let Some(at) = self.stopped(|gdb| gdb.register(Register::PC))? else {
            self.state = State::LockedUp;
            return Ok(());
        };
        match self.stuck {
            Some(stuck) if stuck.at == at => self.state = stuck.state,
            _ if at >= SYSTEM => self.lock_up(at),
            _ => {
                self.stuck = None;
                self.arm(at)?;
                self.state = State::Running;
                self.go_on()?;
            }
        }
        Ok(())
    }

    /// Executes one instruction of a halted core. `false` where a breakpoint is in the way.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn step(&mut self) -> Result<bool> {
        self.flush()?;
        let Some(at) = self.stopped(|gdb| gdb.register(Register::PC))? else { return Ok(true) };
        if self.stuck.is_some_and(|stuck| stuck.at == at) {
            return Ok(true);
        }
        if self.comparators.contains(&at) {
            return Ok(false);
        }
        if at >= SYSTEM {
            self.lock_up(at);
            return Ok(true);
        }
        if self.breakpoint_at(at)?.is_some() {
            return self.call_of_controller(at);
        }
        self.stopped(Gdb::step)?;
        Ok(true)
    }

    /// Whether it has halted at a breakpoint since this was asked last.
    pub fn has_hit_breakpoint(&mut self) -> bool {
        std::mem::take(&mut self.hit)
    }

    /// Whether a debugger has it, for which it halts: from now on, also if it runs.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn set_debugged(&mut self, debugged: bool) -> Result<()> {
        let before = std::mem::replace(&mut self.debugged, debugged);
        if before == debugged { Ok(()) } else { self.arm_running() }
    }

    /// The breakpoints that the debugger has set: from now on, also if it runs.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn set_comparators(&mut self, places: BTreeSet<u32>) -> Result<()> {
        let before = std::mem::replace(&mut self.comparators, places);
        if before == self.comparators { Ok(()) } else { self.arm_running() }
    }

    /// Has the firmware fail, or takes note that the probe is to leave it.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn break_down(&mut self, fault: Fault) -> Result<()> {
        self.broken_down = true;
        let Some(at) = self.stopped(|gdb| gdb.register(Register::PC))? else { return Ok(()) };
        match fault {
            Fault::Lockup => self.lock_up(at),
            Fault::Hang => {
                self.stuck = Some(Stuck { at, state: State::Hung });
                self.state = State::Hung;
            }
            // Its own handler tells of it.
            Fault::HardFault => drop(self.stopped(|gdb| gdb.set_register(Register::PC, NOWHERE))?),
            Fault::Slow => self.slow = true,
            _ => {}
        }
        Ok(())
    }

    /// It stays where it is until it is reset. QEMU still has its registers and its memory.
    fn lock_up(&mut self, at: u32) {
        self.stuck = Some(Stuck { at, state: State::LockedUp });
        self.state = State::LockedUp;
        self.paused = false;
        self.events.send(Event::LockedUp);
    }

    /// Does something while QEMU's core is stopped. `None` where there is no QEMU: the core has locked up.
    fn stopped<T>(&mut self, act: impl FnOnce(&mut Gdb) -> std::result::Result<T, GdbError>) -> Result<Option<T>> {
        let Some(qemu) = &mut self.qemu else { return Ok(None) };
        if qemu.gdb.running() {
            let stop = qemu.gdb.interrupt();
            self.paused = true;
            if self.unless_ended(stop)? == Some(Stop::Trap) {
                self.trapped()?;
            }
        }
        let Some(qemu) = &mut self.qemu else { return Ok(None) };
        let result = act(&mut qemu.gdb);
        self.unless_ended(result)
    }

    /// Tells the end of QEMU from failures. It means that the core has locked up.
    fn unless_ended<T>(&mut self, result: std::result::Result<T, GdbError>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(GdbError::Ended) => {
                self.paused = false;
                self.state = State::LockedUp;
                let Some(qemu) = self.qemu.take() else { return Ok(None) };
                let words = qemu.words();
                self.last = qemu.last_registers().ok_or(CoreError::Died(words))?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The core has stopped at a breakpoint. `true` where that was a call, or nobody cares, and it may go on.
    fn trapped(&mut self) -> Result<bool> {
        self.paused = true;
        if !self.debugged {
            return Ok(true);
        }
        let Some(at) = self.stopped(|gdb| gdb.register(Register::PC))? else { return Ok(false) };
        if self.breakpoint_at(at)?.is_some() && self.call_of_controller(at)? {
            return Ok(true);
        }
        self.state = State::Halted;
        self.hit = true;
        self.paused = false;
        Ok(false)
    }

    /// The number of the breakpoint instruction at an address.
    fn breakpoint_at(&mut self, at: u32) -> Result<Option<u8>> {
        match self.read(at, 2) {
            Ok(bytes) => Ok(bytes.try_into().ok().and_then(breakpoint_number)),
            Err(CoreError::NoMemory(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has QEMU stop wherever a running core may halt; one that does not run gets its breakpoints when it does.
    fn arm_running(&mut self) -> Result<()> {
        if self.state != State::Running {
            return Ok(());
        }
        match self.stopped(|gdb| gdb.register(Register::PC))? {
            Some(at) => self.arm(at),
            None => Ok(()),
        }
    }

    /// Has QEMU stop wherever the code at `pc` may halt, and nowhere else.
    fn arm(&mut self, pc: u32) -> Result<()> {
        let mut wanted = BTreeSet::new();
        if self.debugged {
            wanted = self.loaded.traps(pc);
            wanted.extend(&self.comparators);
        }
        for at in wanted.symmetric_difference(&self.armed).copied().collect::<Vec<_>>() {
            let set = wanted.contains(&at);
            self.stopped(|gdb| if set { gdb.set_breakpoint(at) } else { gdb.clear_breakpoint(at) })?;
        }
        self.armed = wanted;
        Ok(())
    }

    fn go_on(&mut self) -> Result<()> {
        self.paused = false;
        let Some(qemu) = &mut self.qemu else { return Ok(()) };
        let resumed = qemu.gdb.resume();
        self.unless_ended(resumed)?;
        Ok(())
    }
}
