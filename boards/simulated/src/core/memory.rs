//! What is at which address, for the probe.

use super::{Core, CoreError, Result, State};
use crate::chips::{DBGMCU_IDCODE, SIMULATED, SIMULATED_AT, UNIQUE_ID};
use firmware::protocol::{
    Kind,
    frame::{SYNC, VERSION},
};

/// Where a core says what it is.
const CPUID: u32 = 0xE000_ED00;
/// Where an MPS2 says which image it has: its system control block.
const SCC_ID: u32 = 0x4002_FFFC;

/// What other chips say there.
const STM32F2: u32 = 0x2000_6411;
const CORTEX_M0: u32 = 0x410C_C200;
const AN505: u32 = 0x4104_5050;

/// More than so much is not gathered before it is written.
const GATHER: usize = 16 << 10;

/// What an inference is asked for with: the beginning of its frame. Source: firmware/PROTOCOL.md.
const INFER: [u8; 4] = [SYNC[0], SYNC[1], VERSION, Kind::InferRequest as u8];

/// What the probe has written to the RAM of running firmware since the last reset, as far as it tells what firmware does.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// An inference was asked for.
    work: bool,
    /// Where the last write ended, and its last bytes.
    last: (u32, Vec<u8>),
}

impl Heard {
    fn write(&mut self, address: u32, bytes: &[u8]) {
        let (end, mut heard) = std::mem::take(&mut self.last);
        if end != address {
            heard.clear();
        }
        heard.extend_from_slice(bytes);
        self.work |= heard.windows(INFER.len()).any(|window| window == INFER);
        heard.drain(..heard.len().saturating_sub(INFER.len() - 1));
        self.last = (address.wrapping_add(bytes.len() as u32), heard);
    }

    pub(super) fn work(&self) -> bool {
        self.work
    }
}

impl Core {
    /// Reads memory, without the debug registers.
    ///
    /// # Errors
    /// [`CoreError::NoMemory`] where there is none.
    pub fn read(&mut self, address: u32, size: u32) -> Result<Vec<u8>> {
        self.flush()?;
        if let Some(bytes) = self.flash_at(address, size) {
            return Ok(bytes.to_vec());
        }
        if let Some(bytes) = self.identity(address, size) {
            return Ok(bytes);
        }
        match self.stopped(|gdb| gdb.read(address, size as usize))? {
            Some(bytes) => Ok(bytes),
            // What RAM held went with QEMU.
            None if self.chip.ram.contains(&address) || address >= super::SYSTEM => Ok(vec![0; size as usize]),
            None => Err(CoreError::NoMemory(address)),
        }
    }

    /// Writes memory, without the debug registers: at once, or with what is written behind it.
    ///
    /// # Errors
    /// [`CoreError::NoMemory`] where there is none, now or with the next access.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        if is_peripheral(address) {
            self.flush()?;
            return self.store(address, bytes);
        }
        if self.flash_at(address, bytes.len() as u32).is_some() {
            // Flash is written by its controller only.
            return Err(CoreError::NoMemory(address));
        }
        match &mut self.pending {
            Some((start, gathered))
                if start.wrapping_add(gathered.len() as u32) == address && gathered.len() < GATHER =>
            {
                gathered.extend_from_slice(bytes);
            }
            _ => {
                self.flush()?;
                self.pending = Some((address, bytes.to_vec()));
            }
        }
        Ok(())
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// [`CoreError::NoMemory`] where there is none.
    pub fn flush(&mut self) -> Result<()> {
        let Some((address, bytes)) = self.pending.take() else { return Ok(()) };
        if !self.chip.ram.contains(&address) {
            // QEMU does not tell whether a write went nowhere.
            self.stopped(|gdb| gdb.read(address, bytes.len()))?;
        }
        self.stopped(|gdb| gdb.write(address, &bytes))?;
        self.loaded.write(address, &bytes);
        // A flash algorithm gets its next page while it programs the last.
        if self.state == State::Running && self.flash.is_locked() {
            self.heard.write(address, &bytes);
        }
        Ok(())
    }

    /// Flash is read as it is kept, at either of its places, and the core is not stopped for it.
    fn flash_at(&self, address: u32, size: u32) -> Option<&[u8]> {
        let alias = self.chip.flash_alias.and_then(|alias| address.checked_sub(alias));
        self.flash.read(address, size).or_else(|| self.flash.read(self.chip.flash.checked_add(alias?)?, size))
    }

    /// What says who the chip is, where QEMU does not have it; or what another chip would say.
    fn identity(&self, address: u32, size: u32) -> Option<Vec<u8>> {
        let wrong = self.wrong_chip;
        let flip = if wrong { 0xFF } else { 0 };
        let id: Vec<u8> = self.unique_id.iter().map(|byte| byte ^ flip).collect();
        let words: [(u32, Option<u32>); 4] = [
            (SIMULATED_AT, Some(SIMULATED)),
            (DBGMCU_IDCODE, if wrong { Some(STM32F2) } else { self.chip.idcode }),
            (CPUID, Some(if wrong { CORTEX_M0 } else { self.chip.cpuid })),
            (SCC_ID, wrong.then_some(AN505)),
        ];
        let words = words.into_iter().filter_map(|(at, word)| Some((at, word?.to_le_bytes().to_vec())));
        words.chain([(UNIQUE_ID, id)]).find_map(|(at, bytes)| {
            let offset = address.checked_sub(at)? as usize;
            bytes.get(offset..offset.checked_add(size as usize)?).map(<[u8]>::to_vec)
        })
    }
}

/// Where only an instruction of the core can write: QEMU's debugger writes memory and nothing else.
fn is_peripheral(address: u32) -> bool {
    matches!(address, 0x4000_0000..=0x5FFF_FFFF | super::SYSTEM..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inference_that_is_asked_for_is_heard_whatever_pieces_it_comes_in() {
        for cut in 0..INFER.len() {
            let mut heard = Heard::default();
            // PREPARE, RTT's pointer, and the pointer of what was read.
            heard.write(0x100, &[0xA5, 0x5A, 1, 3, 0, 0]);
            heard.write(0x20, &[6, 0, 0, 0]);
            heard.write(0x40, &[6, 0, 0, 0]);
            let (first, second) = INFER.split_at(cut);
            heard.write(0x106, first);
            assert!(!heard.work());
            heard.write(0x106 + cut as u32, second);
            assert!(heard.work());
        }
    }

    #[test]
    fn pieces_that_lie_elsewhere_are_not_one() {
        let mut heard = Heard::default();
        heard.write(0x100, &INFER[..2]);
        heard.write(0x200, &INFER[2..]);
        assert!(!heard.work());
    }
}
