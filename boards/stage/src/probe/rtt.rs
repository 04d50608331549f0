//! The link over the probe: SEGGER RTT buffers in the chip's RAM, at the address that the ELF file names.

use super::{
    pump::{Channel, CoreState},
    words::could_not,
};
use farm::TargetError;
use probe_rs::{
    Core, MemoryInterface,
    rtt::{self, Rtt},
};

/// Bytes of the control block: its head, one channel up, one down.
const CONTROL_BLOCK: usize = 24 + 2 * 24;
const DHCSR: u64 = 0xE000_EDF0;

/// Wipes a control block that an earlier run left in RAM, so that it is not taken for the next one's. Before that runs.
///
/// # Errors
/// What the probe said.
pub fn forget(core: &mut Core<'_>, address: u64) -> Result<(), TargetError> {
    core.write(address, &[0; CONTROL_BLOCK]).map_err(|error| could_not("wipe the RTT control block", &error))
}

/// The control block, once the runner has made it. `None`: not yet.
///
/// # Errors
/// What the probe said.
pub fn attach(core: &mut Core<'_>, address: u64) -> Result<Option<Rtt>, TargetError> {
    match Rtt::attach_at(core, address) {
        Ok(mut rtt) => {
            let whole = rtt.up_channel(0).is_some() && rtt.down_channel(0).is_some();
            Ok(whole.then_some(rtt))
        }
        // Half-made ones are these, too.
        Err(rtt::Error::ControlBlockNotFound | rtt::Error::ControlBlockCorrupted(_)) => Ok(None),
        Err(error) => Err(could_not("look for the RTT control block", &error)),
    }
}

/// How the core is. Reading it clears what it says of a reset.
///
/// # Errors
/// What the probe said.
pub fn state(core: &mut Core<'_>) -> Result<CoreState, TargetError> {
    let word = core.read_word_32(DHCSR).map_err(|error| could_not("ask how the core is", &error))?;
    Ok(CoreState::of_dhcsr(word))
}

impl CoreState {
    /// What the Debug Halting Control and Status Register says. Bits: Armv7-M Architecture Reference Manual, C1.6.2.
    pub fn of_dhcsr(word: u32) -> Self {
        let bit = |number: u32| word >> number & 1 == 1;
        match (bit(19), bit(25), bit(17)) {
            (true, ..) => Self::LockedUp,
            (_, true, _) => Self::WasReset,
            (.., true) => Self::Halted,
            _ => Self::Runs,
        }
    }
}

/// RTT as the pump wants it. Without buffers it is silent and only tells how the core is: the link is a serial port.
pub struct Watched<'core, 'probe> {
    /// The core.
    pub core: &'core mut Core<'probe>,
    /// The buffers.
    pub rtt: Option<&'core mut Rtt>,
}

impl Channel for Watched<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TargetError> {
        let Some(channel) = self.rtt.as_mut().and_then(|rtt| rtt.up_channel(0)) else { return Ok(0) };
        channel.read(self.core, buffer).map_err(|error| could_not("read what the runner says (RTT)", &error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, TargetError> {
        let Some(channel) = self.rtt.as_mut().and_then(|rtt| rtt.down_channel(0)) else { return Ok(0) };
        channel.write(self.core, bytes).map_err(|error| could_not("write to the runner (RTT)", &error))
    }

    fn core(&mut self) -> Result<CoreState, TargetError> {
        state(self.core)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_register_tells_a_lockup_a_reset_and_a_halt() {
        // C_DEBUGEN is always set; S_REGRDY and S_RETIRE_ST come and go.
        assert_eq!(CoreState::of_dhcsr(0x0101_0001), CoreState::Runs);
        assert_eq!(CoreState::of_dhcsr(0x0109_0001), CoreState::LockedUp);
        assert_eq!(CoreState::of_dhcsr(0x0301_0001), CoreState::WasReset);
        assert_eq!(CoreState::of_dhcsr(0x0003_0003), CoreState::Halted);
    }
}
