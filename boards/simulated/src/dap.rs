//! A debug port with one access port to memory (an AHB-AP), as SWD transfers reach it.
//!
//! Source: Arm Debug Interface v5 (IHI 0031F): B2 (debug port), C2 (memory access port).

use crate::{
    core::CoreError,
    faults::Fault,
    machine::Machine,
    scs::{BREAKPOINT_UNIT, SYSTEM_CONTROL},
};

/// DPv1 of Arm, as on a Cortex-M3 and M4.
const DPIDR: u32 = 0x2BA0_1477;
/// AHB-AP, as on a Cortex-M3 and M4.
const AP_IDR: u32 = 0x2477_0011;
/// Where the ROM table would be.
const AP_BASE: u32 = 0xE00F_F003;

const STICKY_ERROR: u32 = 1 << 5;
const READ_OK: u32 = 1 << 6;
/// The bits of CTRL/STAT that are asked for and kept: power requests, lane mask, transfer mode, transaction counter.
const CTRL_KEPT: u32 = 0x503F_FF0D;
const POWER_REQUESTS: u32 = 0x5000_0000;
const DEBUG_POWER: u32 = 1 << 28;
const ABORT: u32 = 1;
const CLEAR_STICKY_ERROR: u32 = 1 << 2;

/// The address is incremented within pieces of so many bytes.
const WRAP: u32 = 0x400;

/// A transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// To the access port; else to the debug port.
    pub access_port: bool,
    /// The register: 0, 4, 8 or 12.
    pub register: u8,
    /// What is written; `None`: it is read.
    pub write: Option<u32>,
}

/// How a transfer was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// Done; with what was read.
    Ok(Option<u32>),
    /// Not yet.
    Wait,
    /// Refused, for something went wrong before.
    Fault,
    /// Nobody answers.
    None,
}

/// What the two ports hold for one connection.
#[derive(Debug, Default)]
pub struct Dap {
    select: u32,
    ctrl: u32,
    sticky_error: bool,
    /// Waits until it is told to give up ([`Fault::SwdWait`]).
    busy: bool,
    /// The result of the last read of the access port.
    read: u32,
    csw: u32,
    tar: u32,
}

impl Dap {
    /// Does transfers in their order. The first that is not done is the last that is answered: whoever sent them as one
    /// stops listening there.
    ///
    /// # Errors
    /// When QEMU fails.
    pub fn transfer(&mut self, transfers: &[Transfer], machine: &mut Machine) -> Result<Vec<Ack>, CoreError> {
        let mut acks = Vec::with_capacity(transfers.len());
        let mut rest = transfers;
        while let Some(&transfer) = rest.first() {
            let block = self.block(rest);
            let (done, ack) = if block > 1 {
                match self.read_block(block, machine)? {
                    Some(words) => {
                        // Each answers with what the one before has read.
                        for word in words {
                            acks.push(Ack::Ok(Some(std::mem::replace(&mut self.read, word))));
                        }
                        rest = &rest[block..];
                        continue;
                    }
                    None => (1, self.one(transfer, machine)?),
                }
            } else {
                (1, self.one(transfer, machine)?)
            };
            acks.push(ack);
            if !matches!(ack, Ack::Ok(_)) {
                break;
            }
            rest = &rest[done..];
        }
        match machine.core.settle() {
            Err(CoreError::NoMemory(_)) => self.sticky_error = true,
            settled => settled?,
        }
        Ok(acks)
    }

    fn one(&mut self, transfer: Transfer, machine: &mut Machine) -> Result<Ack, CoreError> {
        if machine.faults.take(Fault::NeedsPowerCycle) {
            return Ok(Ack::None);
        }
        let Transfer { access_port, register, write } = transfer;
        if !access_port {
            return Ok(self.debug_port(register, write));
        }
        let to_memory = self.ap_register(register) == 0x0C || self.ap_register(register) & 0xF0 == 0x10;
        if to_memory && !self.sticky_error && !self.busy {
            self.busy = machine.faults.take(Fault::SwdWait);
            self.sticky_error = !self.busy && machine.faults.take(Fault::SwdFault);
        }
        if self.sticky_error || self.ctrl & DEBUG_POWER == 0 {
            return Ok(Ack::Fault);
        }
        if self.busy {
            return Ok(Ack::Wait);
        }
        let done = match write {
            Some(value) => self.write_ap(register, value, machine).map(|()| None),
            None => self.read_ap(register, machine).map(Some),
        };
        Ok(match done {
            Ok(Some(value)) => Ack::Ok(Some(std::mem::replace(&mut self.read, value))),
            Ok(None) => Ack::Ok(None),
            // Told with the next transfer, as everything that happens on the bus.
            Err(CoreError::NoMemory(at)) => {
                tracing::debug!(transfer = ?transfer, at = format_args!("{at:#010x}"), "an access went nowhere");
                self.sticky_error = true;
                Ack::Ok(write.is_none().then_some(self.read))
            }
            Err(error) => return Err(error),
        })
    }

    fn debug_port(&mut self, register: u8, write: Option<u32>) -> Ack {
        let bank = self.select & 0xF;
        match (register, write) {
            (0x0, None) => Ack::Ok(Some(DPIDR)),
            (0x0, Some(value)) => {
                self.busy &= value & ABORT == 0;
                self.sticky_error &= value & CLEAR_STICKY_ERROR == 0;
                Ack::Ok(None)
            }
            (0x4, None) if bank == 0 => Ack::Ok(Some(self.status())),
            (0x4, Some(value)) if bank == 0 => {
                self.ctrl = value & CTRL_KEPT;
                Ack::Ok(None)
            }
            (0x8, Some(value)) => {
                self.select = value;
                Ack::Ok(None)
            }
            (0xC | 0x8, None) if self.sticky_error => Ack::Fault,
            (0xC | 0x8, None) if self.busy => Ack::Wait,
            (0xC | 0x8, None) => Ack::Ok(Some(self.read)),
            (_, None) => Ack::Ok(Some(0)),
            (_, Some(_)) => Ack::Ok(None),
        }
    }

    /// CTRL/STAT: power is there as soon as it is asked for.
    fn status(&self) -> u32 {
        let sticky = if self.sticky_error { STICKY_ERROR } else { READ_OK };
        self.ctrl | (self.ctrl & POWER_REQUESTS) << 1 | sticky
    }

    fn ap_register(&self, register: u8) -> u32 {
        if self.select >> 24 == 0 { self.select & 0xF0 | u32::from(register) } else { u32::MAX }
    }

    fn read_ap(&mut self, register: u8, machine: &mut Machine) -> Result<u32, CoreError> {
        Ok(match self.ap_register(register) {
            // DeviceEn; no transfer in progress.
            0x00 => self.csw & !0xC0 | 0x40,
            0x04 => self.tar,
            0x0C => {
                let address = self.tar;
                self.increment();
                read(machine, address, self.size())?
            }
            register @ 0x10..=0x1C => read(machine, self.tar & !0xF | register & 0xC, 4)?,
            0xF8 => AP_BASE,
            0xFC => AP_IDR,
            _ => 0,
        })
    }

    fn write_ap(&mut self, register: u8, value: u32, machine: &mut Machine) -> Result<(), CoreError> {
        match self.ap_register(register) {
            // Sizes above a word are not there.
            0x00 => self.csw = if value & 7 > 2 { value & !7 | 2 } else { value },
            0x04 => self.tar = value,
            0x0C => {
                let address = self.tar;
                self.increment();
                write(machine, address, self.size(), value)?;
            }
            register @ 0x10..=0x1C => write(machine, self.tar & !0xF | register & 0xC, 4, value)?,
            _ => {}
        }
        Ok(())
    }

    /// Bytes of an access.
    fn size(&self) -> u32 {
        1 << (self.csw & 7).min(2)
    }

    fn increments(&self) -> bool {
        self.csw >> 4 & 3 != 0
    }

    fn increment(&mut self) {
        if self.increments() {
            self.tar = self.tar & !(WRAP - 1) | self.tar.wrapping_add(self.size()) & (WRAP - 1);
        }
    }

    /// How many of the transfers read memory in a row.
    fn block(&self, transfers: &[Transfer]) -> usize {
        let reads = |transfer: &&Transfer| {
            transfer.access_port && transfer.write.is_none() && self.ap_register(transfer.register) == 0x0C
        };
        let sound = self.increments() && !self.sticky_error && !self.busy && self.ctrl & DEBUG_POWER != 0;
        let debug = SYSTEM_CONTROL.contains(&self.tar) || BREAKPOINT_UNIT.contains(&self.tar);
        if !sound || debug || !self.tar.is_multiple_of(self.size()) {
            return 0;
        }
        let room = (WRAP - self.tar % WRAP) / self.size();
        transfers.iter().take(room as usize).take_while(reads).count()
    }

    /// Reads memory once for all of them; `None` where one of them fails, or is to fail.
    fn read_block(&mut self, count: usize, machine: &mut Machine) -> Result<Option<Vec<u32>>, CoreError> {
        let planned = [Fault::NeedsPowerCycle, Fault::SwdFault, Fault::SwdWait];
        if planned.into_iter().any(|fault| machine.faults.pending(fault) > 0) {
            return Ok(None);
        }
        let (start, size) = (self.tar, self.size());
        let bytes = match machine.core.read(start, size * count as u32) {
            Ok(bytes) => bytes,
            Err(CoreError::NoMemory(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut words = Vec::with_capacity(count);
        for bytes in bytes.chunks(size as usize) {
            words.push(in_lane(self.tar, bytes));
            self.increment();
        }
        Ok(Some(words))
    }
}

/// Reads from the bus: what is narrower than a word comes in the lane of its address.
fn read(machine: &mut Machine, address: u32, size: u32) -> Result<u32, CoreError> {
    if !address.is_multiple_of(size) {
        return Err(CoreError::NoMemory(address));
    }
    if (SYSTEM_CONTROL.contains(&address) || BREAKPOINT_UNIT.contains(&address))
        && let Some(word) = machine.debug.read(address & !3, &mut machine.core)?
    {
        return Ok(word);
    }
    Ok(in_lane(address, &machine.core.read(address, size)?))
}

fn write(machine: &mut Machine, address: u32, size: u32, value: u32) -> Result<(), CoreError> {
    if !address.is_multiple_of(size) {
        return Err(CoreError::NoMemory(address));
    }
    if (SYSTEM_CONTROL.contains(&address) || BREAKPOINT_UNIT.contains(&address)) && size == 4 {
        // What was written before must be there before the core goes on.
        machine.core.flush()?;
        if machine.debug.write(address, value, &mut machine.core)? {
            return Ok(());
        }
    }
    let bytes = (value >> (8 * (address & 3))).to_le_bytes();
    machine.core.write(address, &bytes[..size as usize])
}

fn in_lane(address: u32, bytes: &[u8]) -> u32 {
    let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
    value << (8 * (address & 3))
}

#[cfg(test)]
mod tests;
