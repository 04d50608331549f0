//! What a core was at when it crashed or when time was up: its registers, read over the probe, and the place in words.

use super::words::could_not;
use farm::{Fault, TargetError};
use firmware::{protocol::FaultRegisters, session::faults};
use probe_rs::MemoryInterface;
use std::time::Duration;

/// Registers of a halted core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registers {
    /// Program counter.
    pub pc: u32,
    /// Link register.
    pub lr: u32,
    /// Stack pointer in use.
    pub sp: u32,
    /// Program status; its low 9 bits are the exception's number.
    pub xpsr: u32,
    /// Configurable fault status.
    pub cfsr: u32,
    /// HardFault status.
    pub hfsr: u32,
    /// Address of a memory fault.
    pub mmfar: u32,
    /// Address of a bus fault.
    pub bfar: u32,
    /// The eight words at the stack pointer, where they could be read: r0 to r3, r12, lr, pc, xPSR, if an exception was
    /// just taken.
    pub frame: Option<[u32; 8]>,
}

/// Halts the core and reads its registers.
///
/// # Errors
/// What the probe said.
pub fn examine(core: &mut probe_rs::Core<'_>) -> Result<Registers, TargetError> {
    let failed = |error: probe_rs::Error| could_not("read the registers of the core", &error);
    core.halt(Duration::from_millis(500)).map_err(|error| could_not("halt the core", &error))?;
    let mut register = |name: &str| -> Result<u32, TargetError> {
        let register = core.registers().core_registers().find(|register| register.name().eq_ignore_ascii_case(name));
        match register {
            Some(register) => core.read_core_reg(register.id()).map_err(failed),
            None => Ok(0),
        }
    };
    let xpsr = register("xPSR")?;
    let (pc, lr, sp) = (core.program_counter().id(), core.return_address().id(), core.stack_pointer().id());
    let (pc, lr) = (core.read_core_reg(pc).map_err(failed)?, core.read_core_reg(lr).map_err(failed)?);
    let sp: u32 = core.read_core_reg(sp).map_err(failed)?;
    // Armv6-M has none of these and answers 0.
    let mut status = [0; 5];
    core.read_32(0xE000_ED28, &mut status).map_err(failed)?;
    let [cfsr, hfsr, _dfsr, mmfar, bfar] = status;
    let mut frame = [0; 8];
    let frame = core.read_32(u64::from(sp), &mut frame).is_ok().then_some(frame);
    Ok(Registers { pc, lr, sp, xpsr, cfsr, hfsr, mmfar, bfar, frame })
}

impl Registers {
    /// Where it was: in a fault handler the place that the exception was taken from, where the stack still tells it.
    pub fn place(&self, symbol: impl Fn(u64) -> Option<String>) -> (u32, u32) {
        // EXC_RETURN in lr: nothing was called since the exception was taken.
        match self.frame {
            Some(frame) if self.lr >= 0xFFFF_FF00 && symbol(frame[6].into()).is_some() => (frame[6], frame[5]),
            _ => (self.pc, self.lr),
        }
    }

    /// As the model's or firmware's fault: `name` at the place, with what the status registers say.
    pub fn fault(&self, name: &str, symbol: impl Fn(u64) -> Option<String>) -> Fault {
        let (pc, lr) = self.place(&symbol);
        let registers = FaultRegisters {
            vector: self.xpsr & 0x1FF,
            pc,
            lr,
            cfsr: self.cfsr,
            hfsr: self.hfsr,
            mmfar: self.mmfar,
            bfar: self.bfar,
            ..FaultRegisters::default()
        };
        match faults::of_fault(&registers, symbol) {
            Fault::HardFault { pc, lr, symbol, detail, .. } => {
                Fault::HardFault { name: name.to_owned(), pc, lr, symbol, detail }
            }
            other => other,
        }
    }

    /// In one line, for a log.
    pub fn told(&self, symbol: impl Fn(u64) -> Option<String>) -> String {
        let at = |address: u32| match symbol(address.into()) {
            Some(name) => format!("{address:#010x} in {name}"),
            None => format!("{address:#010x}"),
        };
        let mut text = format!("pc {}, lr {}, sp {:#010x}", at(self.pc), at(self.lr), self.sp);
        if self.xpsr & 0x1FF != 0 {
            text += &format!(", in exception {}", self.xpsr & 0x1FF);
        }
        if self.cfsr != 0 || self.hfsr != 0 {
            text += &format!(", CFSR {:#010x}, HFSR {:#010x}", self.cfsr, self.hfsr);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(address: u64) -> Option<String> {
        match address {
            0x0800_1234 => Some("Invoke".to_owned()),
            0x0800_0200 => Some("fault_handler".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_lockup_is_told_at_the_place_that_the_exception_was_taken_from() {
        let registers = Registers {
            pc: 0x0800_0200,
            lr: 0xFFFF_FFF9,
            sp: 0x2000_1000,
            xpsr: 0x0100_0003,
            cfsr: 0x0001_0000,
            hfsr: 1 << 30,
            frame: Some([0, 0, 0, 0, 0, 0x0800_0999, 0x0800_1234, 0x0100_0000]),
            ..Registers::default()
        };
        insta::assert_snapshot!(registers.fault("lockup", symbol), @"lockup at 0x08001234 (lr 0x08000999, in Invoke): undefined instruction (CFSR 0x00010000, HFSR 0x40000000)");
        let elsewhere = Registers { frame: Some([0xFF; 8]), ..registers };
        insta::assert_snapshot!(elsewhere.fault("lockup", symbol), @"lockup at 0x08000200 (lr 0xfffffff9, in fault_handler): undefined instruction (CFSR 0x00010000, HFSR 0x40000000)");
        insta::assert_snapshot!(registers.told(symbol), @"pc 0x08000200 in fault_handler, lr 0xfffffff9, sp 0x20001000, in exception 3, CFSR 0x00010000, HFSR 0x40000000");
        insta::assert_snapshot!(Registers { pc: 0x0800_1234, ..Registers::default() }.told(symbol), @"pc 0x08001234 in Invoke, lr 0x00000000, sp 0x00000000");
    }
}
