//! Calls of the flash controller: an algorithm that runs on the core has stopped at its breakpoint.

use super::{Core, Result, memory::Heard};
use crate::{
    event::Event,
    faults::{Fault, Faults},
    flash::{CALL, Command, Refused},
    gdb::Register,
};
use std::ops::Range;

/// So many pieces are programmed before the probe leaves while it flashes.
const PIECES_BEFORE_LEAVING: u32 = 2;

/// What the controller has to do with the debugger that is connected.
#[derive(Debug, Default)]
pub(super) struct Controller {
    faults: Faults,
    pieces: u32,
    left: bool,
    /// A cell was damaged: once for each debugger, so that a count of faults is one of verifications.
    damaged: bool,
}

impl Core {
    /// A debugger has connected, to whom these faults are shown.
    pub fn connected(&mut self, faults: Faults) {
        self.controller = Controller { faults, ..Controller::default() };
        // What the last debugger asked the firmware for is over.
        self.heard = Heard::default();
    }

    /// Whether the probe has to leave because of what is flashed.
    pub fn probe_leaves(&self) -> bool {
        self.controller.left
    }

    /// Serves a call at `at`, if it is one: the core may go on behind it then. `false` where the breakpoint is another.
    pub(super) fn call_of_controller(&mut self, at: u32) -> Result<bool> {
        // Code in flash cannot call it: it would be erased under its own feet, as on a real chip.
        if self.breakpoint_at(at)? != Some(CALL) || !self.chip.ram.contains(&at) {
            return Ok(false);
        }
        let arguments = self.stopped(|gdb| {
            let mut arguments = [0; 4];
            for (number, argument) in arguments.iter_mut().enumerate() {
                *argument = gdb.register(Register(number as u32))?;
            }
            Ok(arguments)
        })?;
        let Some(arguments) = arguments else { return Ok(false) };
        let outcome = match self.control_flash(arguments)? {
            Ok(()) => 0,
            Err(refused) => refused as u32,
        };
        self.stopped(|gdb| {
            gdb.set_register(Register(0), outcome)?;
            gdb.set_register(Register::PC, at + 2)
        })?;
        Ok(true)
    }

    fn control_flash(&mut self, arguments: [u32; 4]) -> Result<std::result::Result<(), Refused>> {
        Ok(match Command::from_registers(arguments) {
            None => Err(Refused::NoSuchCommand),
            Some(Command::Unlock(keys)) => {
                self.controller.damaged = false;
                self.flash.unlock(keys)
            }
            Some(Command::Lock) => {
                self.flash.lock();
                Ok(())
            }
            Some(Command::EraseSector(address)) => match self.flash.erase_sector(address) {
                Ok(erased) => Ok(self.erased(erased)?),
                Err(refused) => Err(refused),
            },
            Some(Command::EraseAll) => match self.flash.erase_all() {
                Ok(erased) => Ok(self.erased(erased)?),
                Err(refused) => Err(refused),
            },
            Some(Command::Program { address, size, data }) => self.program(address, size, data)?,
        })
    }

    fn erased(&mut self, range: Range<u32>) -> Result<()> {
        self.events.send(Event::Erased { address: range.start, bytes: range.end - range.start });
        self.show_core(range)
    }

    fn program(&mut self, address: u32, mut size: u32, data: u32) -> Result<std::result::Result<(), Refused>> {
        if !self.chip.ram.contains(&data) || size > self.chip.ram.end - data {
            return Ok(Err(Refused::NoData));
        }
        let faults = self.controller.faults.clone();
        if self.controller.pieces >= PIECES_BEFORE_LEAVING && faults.take(Fault::ProbeLeavesFlashing) {
            self.controller.left = true;
            size /= 2;
        }
        let Some(bytes) = self.stopped(|gdb| gdb.read(data, size as usize))? else { return Ok(Err(Refused::NoData)) };
        let range = match self.flash.program(address, &bytes) {
            Ok(range) => range,
            Err(refused) => return Ok(Err(refused)),
        };
        self.controller.pieces += 1;
        if !bytes.is_empty() && !self.controller.damaged && faults.take(Fault::FlashVerify) {
            self.controller.damaged = true;
            self.flash.damage(address);
        }
        self.events.send(Event::Programmed { address: range.start, bytes: range.end - range.start });
        self.show_core(range)?;
        Ok(Ok(()))
    }

    /// What the core reads where flash has changed.
    fn show_core(&mut self, range: Range<u32>) -> Result<()> {
        let bytes = self.flash.read(range.start, range.end - range.start).unwrap_or_default().to_vec();
        self.stopped(|gdb| gdb.write(range.start, &bytes))?;
        Ok(())
    }
}
