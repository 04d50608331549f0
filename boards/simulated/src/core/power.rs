//! Power and reset.

use super::{Core, CoreError, Result, SYSTEM, State, controller::Controller, memory::Heard};
use crate::{
    chips::Chip,
    event::{Event, Events},
    flash::Flash,
    gdb::{Gdb, Register},
    qemu::{LastRegisters, Launch},
    traps::Loaded,
};
use std::{collections::BTreeSet, os::fd::OwnedFd, path::PathBuf};

impl Core {
    /// Switches a chip on: it runs what its flash holds. `uart` is the machine's end of its serial port.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn power_on(
        chip: &'static Chip,
        flash: Flash,
        unique_id: [u8; 12],
        program: PathBuf,
        icount_shift: u32,
        uart: OwnedFd,
        events: Events,
    ) -> Result<Self> {
        let mut core = Self {
            chip,
            program,
            icount_shift,
            uart,
            events,
            flash,
            unique_id,
            qemu: None,
            last: LastRegisters::default(),
            state: State::LockedUp,
            hit: false,
            paused: false,
            stuck: None,
            resets: 0,
            loaded: Loaded::default(),
            comparators: BTreeSet::new(),
            debugged: false,
            armed: BTreeSet::new(),
            pending: None,
            heard: Heard::default(),
            broken_down: false,
            slow: false,
            wrong_chip: false,
            controller: Controller::default(),
        };
        core.reset(false)?;
        Ok(core)
    }

    /// Switches it off and on.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn power_cycle(&mut self) -> Result<()> {
        self.qemu = None;
        self.comparators.clear();
        self.debugged = false;
        self.reset(false)
    }

    /// Resets it, and halts it before the first instruction or lets it run. A core without QEMU gets a new one.
    ///
    /// # Errors
    /// When QEMU cannot be started, or does not answer.
    pub fn reset(&mut self, halt: bool) -> Result<()> {
        if self.flush().is_err() {
            tracing::debug!("a write before a reset went nowhere");
        }
        if self.stopped(Gdb::reset)?.is_none() {
            self.start()?;
        }
        self.was_reset();
        self.paused = false;
        self.state = State::Halted;
        if !halt {
            self.boot()?;
        }
        Ok(())
    }

    /// Notices a reset by the firmware itself, which QEMU has done and whose core it has left running.
    pub(super) fn look_for_reset(&mut self) -> Result<()> {
        let Some(qemu) = self.qemu.as_mut().filter(|_| self.state == State::Running) else { return Ok(()) };
        let reset = qemu.was_reset_by_guest();
        if self.unless_ended(reset)? == Some(true) {
            self.was_reset();
        }
        Ok(())
    }

    fn was_reset(&mut self) {
        self.resets += 1;
        self.stuck = None;
        self.hit = false;
        self.broken_down = false;
        self.slow = false;
        self.heard = Heard::default();
        self.flash.reset();
        self.events.send(Event::Reset);
    }

    /// What the core does after a reset; one whose flash is erased locks up.
    fn boot(&mut self) -> Result<()> {
        match self.stopped(|gdb| gdb.register(Register::PC))? {
            Some(at) if at >= SYSTEM => self.lock_up(at),
            _ => self.resume()?,
        }
        Ok(())
    }

    /// A new QEMU, with the flash's contents.
    fn start(&mut self) -> Result<()> {
        let failed = |why: String| CoreError::Start { program: self.program.clone(), why };
        let uart = self.uart.try_clone().map_err(|error| failed(error.to_string()))?;
        let launch = Launch { program: &self.program, machine: self.chip.machine, icount_shift: self.icount_shift };
        let events = self.events.clone();
        let ended = move |last: Option<LastRegisters>| {
            if last.is_some() {
                events.send(Event::LockedUp);
            }
        };
        let mut qemu = launch.start(uart, ended).map_err(|error| failed(error.to_string()))?;
        qemu.gdb.write(self.chip.flash, self.flash.content())?;
        // The core takes its first stack pointer and program counter from there.
        qemu.gdb.reset()?;
        self.qemu = Some(qemu);
        self.armed.clear();
        self.loaded = Loaded::default();
        self.pending = None;
        Ok(())
    }
}
