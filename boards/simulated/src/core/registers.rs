//! The core's registers by the debugger's numbers, and what only an instruction of the core reaches: special registers,
//! the floating-point unit's, and writes to peripherals. Such an instruction is laid into RAM, stepped over, and taken out.
//!
//! Source: Armv7-M Architecture Reference Manual, C1.6.3 (DCRSR), A7.7 (encodings), B5.2 (MRS, MSR).

use super::{Core, CoreError, Result};
use crate::gdb::Register;

const CPACR: u32 = 0xE000_ED88;
/// xPSR with nothing but the Thumb state: no conditions of an IT block, which would hold for the instruction.
const THUMB: u32 = 1 << 24;

/// A register, by DCRSR's number.
enum Place {
    /// One that the gdbstub has.
    Plain(Register),
    /// One that MRS and MSR reach, by their number for it.
    Special(u16),
    /// CONTROL, FAULTMASK, BASEPRI and PRIMASK, from the high byte to the low one.
    Masks,
    /// FPSCR.
    FloatStatus,
    /// S0 to S31.
    Float(u16),
}

/// The special registers of [`Place::Masks`], from the low byte on.
const MASKS: [u16; 4] = [16, 17, 19, 20];

impl Place {
    fn of(number: u8) -> Option<Self> {
        Some(match number {
            0..=15 => Self::Plain(Register(number.into())),
            16 => Self::Plain(Register::XPSR),
            17 => Self::Special(8),
            18 => Self::Special(9),
            20 => Self::Masks,
            33 => Self::FloatStatus,
            64..=95 => Self::Float(u16::from(number) - 64),
            _ => return None,
        })
    }
}

impl Core {
    /// Reads a register of a halted core, by its number for DCRSR; 0 for one that there is not.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn register(&mut self, number: u8) -> Result<u32> {
        self.flush()?;
        if self.qemu.is_none() {
            return Ok(match number {
                0..=15 => self.last.r[usize::from(number)],
                16 => self.last.xpsr,
                17 => self.last.r[13],
                _ => 0,
            });
        }
        match Place::of(number) {
            Some(Place::Plain(register)) => Ok(self.stopped(|gdb| gdb.register(register))?.unwrap_or_default()),
            Some(Place::Special(special)) => self.special(special),
            Some(Place::Masks) => {
                let mut value = 0;
                for (byte, special) in MASKS.into_iter().enumerate() {
                    value |= (self.special(special)? & 0xFF) << (8 * byte);
                }
                Ok(value)
            }
            Some(Place::FloatStatus) if self.has_float()? => self.execute([0xEEF1, 0x0A10], [0, 0]),
            Some(Place::Float(n)) if self.has_float()? => {
                self.execute([0xEE10 | n >> 1, 0x0A10 | (n & 1) << 7], [0, 0])
            }
            _ => Ok(0),
        }
    }

    /// Writes a register of a halted core; one that there is not is left alone.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn set_register(&mut self, number: u8, value: u32) -> Result<()> {
        self.flush()?;
        match Place::of(number) {
            Some(Place::Plain(register)) => drop(self.stopped(|gdb| gdb.set_register(register, value))?),
            Some(Place::Special(special)) => self.set_special(special, value)?,
            Some(Place::Masks) => {
                for (byte, special) in MASKS.into_iter().enumerate() {
                    self.set_special(special, value >> (8 * byte) & 0xFF)?;
                }
            }
            Some(Place::FloatStatus) if self.has_float()? => drop(self.execute([0xEEE1, 0x0A10], [value, 0])?),
            Some(Place::Float(n)) if self.has_float()? => {
                self.execute([0xEE00 | n >> 1, 0x0A10 | (n & 1) << 7], [value, 0])?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes to a peripheral, as the core would.
    pub(super) fn store(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        // Where there is nothing the core would take a fault.
        self.read(address, bytes.len() as u32)?;
        let (instruction, value) = match *bytes {
            [byte] => (0x7001, u32::from(byte)),
            [low, high] => (0x8001, u32::from(u16::from_le_bytes([low, high]))),
            [a, b, c, d] => (0x6001, u32::from_le_bytes([a, b, c, d])),
            _ => return Err(CoreError::NoMemory(address)),
        };
        self.execute([instruction, NOP], [address, value])?;
        Ok(())
    }

    fn special(&mut self, special: u16) -> Result<u32> {
        self.execute([0xF3EF, 0x8000 | special], [0, 0])
    }

    fn set_special(&mut self, special: u16, value: u32) -> Result<()> {
        self.execute([0xF380, 0x8800 | special], [value, 0])?;
        Ok(())
    }

    /// Whether there is a floating-point unit that is switched on.
    fn has_float(&mut self) -> Result<bool> {
        let bytes = self.read(CPACR, 4)?;
        Ok(bytes.get(2).is_some_and(|byte| byte & 0xF0 != 0))
    }

    /// Has the core execute an instruction with these values in r0 and r1, and gives what is in r0 then.
    fn execute(&mut self, instruction: [u16; 2], values: [u32; 2]) -> Result<u32> {
        let scratch = self.chip.ram.start;
        let code: Vec<u8> = instruction.iter().flat_map(|half| half.to_le_bytes()).collect();
        let armed = self.armed.contains(&scratch);
        let r0 = self.stopped(|gdb| {
            let [saved0, saved1] = [gdb.register(Register(0))?, gdb.register(Register(1))?];
            let (pc, xpsr) = (gdb.register(Register::PC)?, gdb.register(Register::XPSR)?);
            let covered = gdb.read(scratch, code.len())?;
            if armed {
                gdb.clear_breakpoint(scratch)?;
            }
            gdb.write(scratch, &code)?;
            gdb.set_register(Register(0), values[0])?;
            gdb.set_register(Register(1), values[1])?;
            gdb.set_register(Register::XPSR, THUMB)?;
            gdb.set_register(Register::PC, scratch)?;
            // Nothing is to be had of a core that sleeps.
            let r0 = if gdb.step()? { gdb.register(Register(0))? } else { 0 };
            gdb.write(scratch, &covered)?;
            if armed {
                gdb.set_breakpoint(scratch)?;
            }
            gdb.set_register(Register(0), saved0)?;
            gdb.set_register(Register(1), saved1)?;
            gdb.set_register(Register::XPSR, xpsr)?;
            gdb.set_register(Register::PC, pc)?;
            Ok(r0)
        })?;
        Ok(r0.unwrap_or_default())
    }
}

/// What follows a short instruction, and is not executed.
const NOP: u16 = 0xBF00;
