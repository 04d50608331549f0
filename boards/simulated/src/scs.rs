//! The debug registers of a Cortex-M, as the debugger sees them: halting, stepping, core registers, breakpoints, reset.
//!
//! Source: Armv7-M Architecture Reference Manual (DDI 0403E), C1.6 (debug registers), C1.11 (breakpoint unit).

use crate::core::{Core, CoreError, State};
use std::ops::Range;

/// Where the registers are that are answered here and not by QEMU.
pub const SYSTEM_CONTROL: Range<u32> = 0xE000_E000..0xE000_F000;
/// The breakpoint unit.
pub const BREAKPOINT_UNIT: Range<u32> = 0xE000_2000..0xE000_3000;

const AIRCR: u32 = 0xE000_ED0C;
const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const FP_CTRL: u32 = 0xE000_2000;
const FP_COMP: Range<u32> = 0xE000_2008..0xE000_2008 + 4 * COMPARATORS as u32;

/// As many as a Cortex-M3 and M4 have.
const COMPARATORS: usize = 6;

const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_MASKINTS: u32 = 1 << 3;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const S_RESET_ST: u32 = 1 << 25;
const VC_CORERESET: u32 = 1;
const DFSR_HALTED: u32 = 1;
const DFSR_BKPT: u32 = 1 << 1;
const DFSR_VCATCH: u32 = 1 << 3;

/// What the debug registers hold. It outlives connections, and resets but for the breakpoint unit.
#[derive(Debug, Default)]
pub struct Debug {
    enabled: bool,
    mask_interrupts: bool,
    reset_seen: u64,
    catch: u32,
    status: u32,
    data: u32,
    breakpoints_on: bool,
    comparators: [u32; COMPARATORS],
}

impl Debug {
    /// Reads a word; `None` where QEMU has the register.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn read(&mut self, address: u32, core: &mut Core) -> Result<Option<u32>, CoreError> {
        Ok(Some(match address {
            DHCSR => self.halting_status(core)?,
            DCRDR => self.data,
            DEMCR => self.catch,
            DFSR => {
                self.look(core)?;
                self.status
            }
            DCRSR => 0,
            FP_CTRL => u32::from(self.breakpoints_on) | (COMPARATORS as u32) << 4,
            address if FP_COMP.contains(&address) => self.comparators[((address - FP_COMP.start) / 4) as usize],
            address if BREAKPOINT_UNIT.contains(&address) => 0,
            _ => return Ok(None),
        }))
    }

    /// Writes a word; `false` where QEMU has the register.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn write(&mut self, address: u32, value: u32, core: &mut Core) -> Result<bool, CoreError> {
        match address {
            DHCSR if value >> 16 == 0xA05F => self.control(value, core)?,
            DHCSR => {}
            DCRSR if core.state() == State::Halted => {
                let register = (value & 0x7F) as u8;
                if value & 1 << 16 != 0 {
                    core.set_register(register, self.data)?;
                } else {
                    self.data = core.register(register)?;
                }
            }
            DCRSR => {}
            DCRDR => self.data = value,
            DEMCR => self.catch = value,
            DFSR => self.status &= !value,
            AIRCR if value >> 16 == 0x05FA && value & 0b101 != 0 => self.reset(core)?,
            FP_CTRL if value & 2 != 0 => {
                self.breakpoints_on = value & 1 != 0;
                self.arm(core)?;
            }
            address if FP_COMP.contains(&address) => {
                self.comparators[((address - FP_COMP.start) / 4) as usize] = value;
                self.arm(core)?;
            }
            address if BREAKPOINT_UNIT.contains(&address) => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Resets the system, as AIRCR.SYSRESETREQ and the reset pin do.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn reset(&mut self, core: &mut Core) -> Result<(), CoreError> {
        self.breakpoints_on = false;
        self.comparators = [0; COMPARATORS];
        self.arm(core)?;
        let halt = self.enabled && self.catch & VC_CORERESET != 0;
        core.reset(halt)?;
        if halt {
            self.status |= DFSR_VCATCH;
        }
        Ok(())
    }

    fn halting_status(&mut self, core: &mut Core) -> Result<u32, CoreError> {
        self.look(core)?;
        let mut value = S_REGRDY;
        value |= if self.enabled { C_DEBUGEN } else { 0 };
        value |= if self.mask_interrupts { C_MASKINTS } else { 0 };
        value |= match core.state() {
            State::Halted => S_HALT | C_HALT,
            State::LockedUp => S_LOCKUP,
            State::Running | State::Hung => 0,
        };
        if self.reset_seen != core.resets() {
            self.reset_seen = core.resets();
            value |= S_RESET_ST;
        }
        Ok(value)
    }

    /// Takes notice of what the core did by itself.
    fn look(&mut self, core: &mut Core) -> Result<(), CoreError> {
        core.look()?;
        if core.has_hit_breakpoint() {
            self.status |= DFSR_BKPT;
        }
        Ok(())
    }

    fn control(&mut self, value: u32, core: &mut Core) -> Result<(), CoreError> {
        self.enabled = value & C_DEBUGEN != 0;
        core.set_debugged(self.enabled)?;
        self.mask_interrupts = self.enabled && value & C_MASKINTS != 0;
        let halt = self.enabled && value & C_HALT != 0;
        let step = self.enabled && value & C_STEP != 0;
        self.look(core)?;
        match (core.state(), halt) {
            (State::Halted, true) => {}
            (State::Halted, false) if step => {
                self.status |= if core.step()? { DFSR_HALTED } else { DFSR_BKPT };
            }
            (State::Halted, false) => core.resume()?,
            (_, true) => {
                core.halt()?;
                // It may have come to a breakpoint in the same moment.
                self.status |= if core.has_hit_breakpoint() { DFSR_BKPT } else { DFSR_HALTED };
            }
            (_, false) => {}
        }
        Ok(())
    }

    /// Hands the breakpoints that are on to the core.
    fn arm(&self, core: &mut Core) -> Result<(), CoreError> {
        let on = self.comparators.iter().filter(|_| self.breakpoints_on).flat_map(|&comparator| places(comparator));
        core.set_comparators(on.collect())
    }
}

/// Where a comparator halts: on one half of a word, or on both. Source: C1.11.5, FP_COMPn.
fn places(comparator: u32) -> Vec<u32> {
    let word = comparator & 0x1FFF_FFFC;
    match (comparator & 1, comparator >> 30) {
        (1, 1) => vec![word],
        (1, 2) => vec![word + 2],
        (1, 3) => vec![word, word + 2],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparator_halts_on_the_halves_that_it_names() {
        assert_eq!(places(0x4800_0101), [0x0800_0100]);
        assert_eq!(places(0x8800_0101), [0x0800_0102]);
        assert_eq!(places(0xC800_0101), [0x0800_0100, 0x0800_0102]);
        assert!(places(0x4800_0100).is_empty());
        assert!(places(0x0800_0101).is_empty());
    }
}
