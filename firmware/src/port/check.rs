//! Whether a port's values go together.

use super::{Compiler, Memory, Port, PortError};

/// The vector table begins at a multiple of this: enough for 240 interrupts.
pub(super) const VECTORS_ALIGN: u64 = 0x400;
/// The stack begins at a multiple of this: the smallest piece that an MPU guards.
const STACK_ALIGN: u64 = 32;
/// Bytes below the stack that nobody may touch, where an Armv7-M core has an MPU.
const STACK_GUARD: u64 = 4096;
/// What the compiler calls the cores of Armv6-M.
const ARMV6M: [&str; 2] = ["-mcpu=cortex-m0", "-mcpu=cortex-m0plus"];
/// Those of Armv7-M; Armv8-M has a register for the stack's limit.
const ARMV7M: [&str; 3] = ["-mcpu=cortex-m3", "-mcpu=cortex-m4", "-mcpu=cortex-m7"];

impl Port {
    /// Whether the values go together.
    ///
    /// # Errors
    /// [`PortError::Senseless`] with the first that do not.
    pub fn check(&self) -> Result<(), PortError> {
        self.senseless().map_or(Ok(()), |what| Err(PortError::Senseless { name: self.name.clone(), what }))
    }

    /// What does not go together, and how it would.
    fn senseless(&self) -> Option<String> {
        let no = |what: &str| Some(what.to_owned());
        let (flash, ram) = match (self.compiler, self.flash, self.ram) {
            (Compiler::X86_64, None, None)
                if self.uart.is_none() && self.rtt.is_none() && !self.is_emulated() && !self.run_from_ram =>
            {
                return None;
            }
            (Compiler::X86_64, ..) => {
                return no("the host has no flash, ram, uart, rtt, qemu or renode, and no run_from_ram");
            }
            (Compiler::ArmNoneEabi, Some(flash), Some(ram)) => (flash, ram),
            (Compiler::ArmNoneEabi, ..) => return no("a microcontroller needs flash and ram"),
        };
        if self.uart.is_none() && self.rtt.is_none() {
            return no("a microcontroller needs rtt, or a uart, or both");
        }
        if self.stack == 0 || (self.clock_hz == 0 && self.uart.is_some()) {
            return no("a microcontroller needs stack, and with a uart clock_hz");
        }
        if self.clock_hz > u64::from(u32::MAX) {
            return Some(format!("clock_hz is {}: the protocol has no room for more than 2^32 - 1", self.clock_hz));
        }
        if self.model_align < 16 || !self.model_align.is_power_of_two() {
            return no("model_align must be a power of two, 16 at least");
        }
        let wrong = self.memory_senseless(flash, ram);
        if wrong.is_some() {
            return wrong;
        }
        if self.uart.is_none() && (self.shared_memory.is_some() || self.is_emulated()) {
            return no("qemu, renode and shared_memory need a uart: it carries the protocol, or rings for it");
        }
        if self.shared_memory.is_some_and(|memory| memory.file_size() < memory.size) {
            return no("the file of shared_memory cannot be smaller than its size");
        }
        if let Some(qemu) = &self.qemu
            && u128::from(self.clock_hz) << qemu.icount_shift.min(64) < 2_000_000_000
        {
            return no("an instruction must take two ticks at least: clock_hz * 2^icount_shift >= 2 * 10^9");
        }
        None
    }

    /// Whether an emulator runs it.
    fn is_emulated(&self) -> bool {
        self.qemu.is_some() || self.renode.is_some()
    }

    /// Whether the compiler is told one of these cores.
    fn is_one_of(&self, cores: &[&str]) -> bool {
        self.flags.iter().any(|flag| cores.contains(&flag.as_str()))
    }

    /// What is wrong with the memories of a microcontroller.
    fn memory_senseless(&self, flash: Memory, ram: Memory) -> Option<String> {
        for (name, memory) in [("flash", flash), ("ram", ram)] {
            if memory.length == 0 || memory.end().is_none() {
                return Some(format!("{name} must have a length, and end within 4 GiB"));
            }
        }
        if flash.overlaps(ram) {
            return Some("flash and ram overlap: code and data need a piece each".to_owned());
        }
        if !flash.origin.is_multiple_of(VECTORS_ALIGN) {
            return Some(format!(
                "flash begins at {:#x}: the vector table lies there, which needs a multiple of {VECTORS_ALIGN:#x}",
                flash.origin
            ));
        }
        if !ram.origin.is_multiple_of(STACK_ALIGN) {
            return Some(format!("ram begins at {:#x}: the stack needs a multiple of {STACK_ALIGN}", ram.origin));
        }
        let guard = Memory { origin: ram.origin.saturating_sub(STACK_GUARD), length: STACK_GUARD.min(ram.origin) };
        if self.is_one_of(&ARMV7M) && flash.overlaps(guard) {
            return Some(format!(
                "flash ends right below ram, where {STACK_GUARD} bytes guard the stack: let code lie above data"
            ));
        }
        if self.run_from_ram && !self.vtor && self.is_one_of(&ARMV6M) {
            return Some(
                "run_from_ram needs a core that can be told where its vector table lies; say `vtor = true` if this chip's can"
                    .to_owned(),
            );
        }
        let buffers = self.rtt.map(|rtt| [rtt.up, rtt.down]).unwrap_or_default();
        if self.rtt.is_some() && buffers.iter().any(|bytes| *bytes < 64) {
            return Some("rtt's buffers need 64 bytes each at least".to_owned());
        }
        let taken = [self.stack, self.heap].into_iter().chain(buffers.map(u64::from)).fold(0, u64::saturating_add);
        if taken >= ram.length {
            return Some(format!(
                "stack, heap and rtt take {taken} bytes of ram's {}: nothing is left for a tensor arena",
                ram.length
            ));
        }
        None
    }
}
