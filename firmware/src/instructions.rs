//! Ticks to instructions, on a QEMU whose every instruction takes the same time: an emulated machine, or a simulated board.

/// What turns the runner's ticks (SysTick, at the machine's rate) into executed instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions {
    /// Rate of the clock that the runner reads, hertz.
    pub clock_hz: u64,
    /// An instruction takes 2 to this power nanoseconds.
    pub icount_shift: u32,
}

impl Instructions {
    /// The instructions that `ticks` stand for.
    ///
    /// SysTick takes up its value one tick after it was switched on, and a tick that is not over when it is read does not
    /// count: between one and two ticks are lost. An instruction is two ticks or more (every port sees to that), so the
    /// smallest number of instructions that reaches `ticks` is the number there was. (Measured on every machine but
    /// microbit with runs of 0 to 200 instructions.)
    pub fn of_ticks(&self, ticks: u64) -> u64 {
        let per_instruction = u128::from(self.clock_hz) << self.icount_shift;
        let instructions = (u128::from(ticks) * 1_000_000_000).div_ceil(per_instruction.max(1));
        u64::try_from(instructions).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Rates and shifts of every port, and lost ticks as QEMU's SysTick loses them.
        #[test]
        fn ticks_give_back_the_number_of_instructions(
            machine in prop::sample::select(crate::ports().iter().filter_map(|port| {
                Some(Instructions { clock_hz: port.clock_hz, icount_shift: port.qemu.as_ref()?.icount_shift })
            }).collect::<Vec<_>>()),
            count in 10u64..10_000_000_000,
            finer in 0u32..3,
        ) {
            let machine = Instructions { icount_shift: machine.icount_shift + finer, ..machine };
            let per_instruction = u128::from(machine.clock_hz) << machine.icount_shift;
            let ticks = u128::from(count) * per_instruction / 1_000_000_000 - 1;
            let found = machine.of_ticks(ticks as u64);
            prop_assert_eq!(found, count);
        }
    }
}
