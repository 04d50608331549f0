//! A port made from what is known of a chip: its core, its memories and its clock.

use super::{Compiler, Core, Memory, Ops, Port, Rtt, check::VECTORS_ALIGN};

/// What a port is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip {
    /// Its core.
    pub core: Core,
    /// Rate of the core's clock after reset, hertz: the runner sets none.
    pub clock_hz: u64,
    /// Where code and the model go: flash in one piece, or a piece of RAM.
    pub flash: Memory,
    /// Data memory in one piece.
    pub ram: Memory,
    /// The largest unit that is erased in one go where the model lies: a model is written without touching the firmware.
    pub model_align: u64,
    /// Whether `flash` is a piece of RAM.
    pub run_from_ram: bool,
}

/// Where all operators fit, optimised for speed, with room for models.
const FAST: u64 = 512 * 1024;
/// Where all operators fit, optimised for size.
const ALL_OPERATORS: u64 = 192 * 1024;

impl Port {
    /// The port of a chip, which speaks over RTT. Sizes of stack, heap and RTT's buffers, the operators and the
    /// optimisation follow from the memories; whoever knows better changes the fields. [`Port::check`] says whether the
    /// whole makes sense.
    pub fn for_chip(name: &str, chip: &Chip) -> Self {
        let fast = chip.flash.length >= FAST;
        let few = || Ops::Only(Ops::FEW.map(str::to_owned).to_vec());
        let (stack, heap) = match chip.ram.length {
            0x4_0000.. => (0x2000, 0x400),
            0x1_0000.. => (0x1800, 0x400),
            0x4000.. => (0xC00, 0x100),
            _ => (0x800, 0x80),
        };
        let buffer = Rtt::bytes_for(chip.ram.length);
        Self {
            name: name.to_owned(),
            core: chip.core.name().to_owned(),
            compiler: Compiler::ArmNoneEabi,
            flags: chip.core.flags(),
            optimise: vec![if fast { "-O2" } else { "-Os" }.to_owned()],
            file_flags: chip.core.file_flags(fast),
            clock_hz: chip.clock_hz,
            ops: if chip.flash.length >= ALL_OPERATORS { Ops::All } else { few() },
            flash: Some(chip.flash),
            ram: Some(chip.ram),
            stack,
            heap,
            model_align: chip.model_align,
            vtor: chip.core.has_vtor(),
            run_from_ram: chip.run_from_ram,
            rtt: Some(Rtt { up: buffer, down: buffer }),
            uart: None,
            shared_memory: None,
            qemu: None,
            renode: None,
        }
    }
}

impl Memory {
    /// Splits RAM between data and code: (data, code). Data goes to the bottom, because the stack guard needs what is
    /// below it; code and model get five eighths.
    pub fn split_for_code(self) -> (Self, Self) {
        let end = self.origin.saturating_add(self.length);
        // The vector table's place.
        let middle = (self.origin + self.length / 8 * 3).next_multiple_of(VECTORS_ALIGN).min(end);
        (Self { origin: self.origin, length: middle - self.origin }, Self { origin: middle, length: end - middle })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CHIP: Chip = Chip {
        core: Core::M33F,
        clock_hz: 4_000_000,
        flash: Memory { origin: 0x0800_0000, length: 0x8_0000 },
        ram: Memory { origin: 0x2000_0000, length: 0x4_0000 },
        model_align: 0x800,
        run_from_ram: false,
    };

    #[test]
    fn a_chips_memories_say_how_much_of_the_runner_fits() {
        let large = Port::for_chip("large", &CHIP);
        large.check().unwrap();
        assert_eq!((&large.ops, large.optimise[0].as_str()), (&Ops::All, "-O2"));
        assert!(large.file_flags.contains_key("conv.cc"));
        assert_eq!(large.rtt, Some(Rtt { up: 4096, down: 4096 }));

        let flash = Memory { length: 0x2_0000, ..CHIP.flash };
        let ram = Memory { length: 0x2000, ..CHIP.ram };
        let small = Port::for_chip("small", &Chip { core: Core::M0, flash, ram, ..CHIP });
        small.check().unwrap();
        assert!(matches!(&small.ops, Ops::Only(ops) if ops.iter().any(|op| op == "CONV_2D")));
        assert!(small.file_flags.is_empty() && small.optimise == ["-Os"] && !small.vtor);
        assert_eq!(small.rtt, Some(Rtt { up: 256, down: 256 }));
    }

    #[test]
    fn a_small_chip_has_the_operators_of_the_small_machine() {
        let few = Ops::Only(Ops::FEW.map(str::to_owned).to_vec());
        assert_eq!(few, crate::port("stm32vldiscovery").unwrap().ops);
    }

    #[test]
    fn every_core_makes_a_sound_port_from_flash_and_all_with_a_vector_table_register_from_ram() {
        for core in Core::ALL {
            Port::for_chip("flash", &Chip { core, ..CHIP }).check().unwrap();
            let (ram, flash) = Memory { origin: 0x2000_0000, length: 0x4_2000 }.split_for_code();
            let checked = Port::for_chip("ram", &Chip { core, flash, ram, run_from_ram: true, ..CHIP }).check();
            assert_eq!(checked.is_ok(), core != Core::M0, "{core}: {checked:?}");
        }
    }

    #[test]
    fn ram_is_split_without_a_byte_lost_and_with_data_below() {
        for length in [0x2000, 0x4_2000, 0x8_0000, 1000] {
            let (data, code) = Memory { origin: 0x2000_0000, length }.split_for_code();
            assert_eq!((data.origin, data.length + code.length), (0x2000_0000, length));
            assert_eq!(data.origin + data.length, code.origin);
        }
    }
}
