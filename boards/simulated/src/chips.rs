//! The chips that there are simulated boards of: what QEMU's machines have, and what probe-rs is told of them.
//!
//! Sources: QEMU 7.2 `hw/arm/stm32f405_soc.c`, `hw/arm/mps2.c`; STM32F405 reference manual RM0090 (flash sectors, 3.3;
//! DBGMCU_IDCODE, 38.6.1; unique id, 39.1); Arm AN385/AN386 (SCC_ID).

use std::ops::Range;

/// Where every simulated chip has its unique id of 12 bytes.
pub const UNIQUE_ID: u32 = 0x1FFF_7A10;
/// Where ST's chips say which they are.
pub const DBGMCU_IDCODE: u32 = 0xE004_2000;
/// Where every simulated chip says that it is simulated: [`SIMULATED`].
pub const SIMULATED_AT: u32 = 0xE00F_FFCC;
/// "FTSB", read as a little-endian word.
pub const SIMULATED: u32 = 0x4253_5446;

/// A run of equal flash sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sectors {
    /// How many.
    pub count: u32,
    /// Bytes of each.
    pub size: u32,
}

/// A chip that can be simulated.
#[derive(Debug, PartialEq, Eq)]
pub struct Chip {
    /// QEMU's name of the machine, which is the name of the runner's port, too.
    pub machine: &'static str,
    /// probe-rs' name of the chip, as in [`Chip::description`].
    pub name: &'static str,
    /// probe-rs' description of the chip with its flash algorithm: YAML.
    pub description: &'static str,
    /// Where flash begins.
    pub flash: u32,
    /// Its sectors, from the first on.
    pub sectors: &'static [Sectors],
    /// Where the same flash can be seen, too: from where the core boots.
    pub flash_alias: Option<u32>,
    /// Data memory that probe-rs and the runner use.
    pub ram: Range<u32>,
    /// CPUID of the core.
    pub cpuid: u32,
    /// What [`DBGMCU_IDCODE`] reads, on a chip of ST's.
    pub idcode: Option<u32>,
}

impl Chip {
    /// Bytes of flash.
    pub fn flash_size(&self) -> u32 {
        self.sectors.iter().map(|sectors| sectors.count * sectors.size).sum()
    }

    /// The simulated chip of one of QEMU's machines; `None` where there is none.
    pub fn of(machine: &str) -> Option<&'static Self> {
        CHIPS.iter().find(|chip| chip.machine == machine)
    }
}

/// 4 MiB in 4 KiB sectors, as a serial flash would have them: the MPS2 has no flash of its own.
const MPS2_SECTORS: &[Sectors] = &[Sectors { count: 1024, size: 0x1000 }];

/// Every chip that can be simulated.
pub static CHIPS: [Chip; 3] = [
    Chip {
        machine: "netduinoplus2",
        name: "sim-stm32f405",
        description: include_str!("../chips/sim-stm32f405.yaml"),
        flash: 0x0800_0000,
        sectors: &[
            Sectors { count: 4, size: 0x4000 },
            Sectors { count: 1, size: 0x1_0000 },
            Sectors { count: 7, size: 0x2_0000 },
        ],
        flash_alias: Some(0),
        ram: 0x2000_0000..0x2002_0000,
        cpuid: 0x410F_C240,
        idcode: Some(0x1007_6413),
    },
    Chip {
        machine: "mps2-an385",
        name: "sim-mps2-an385",
        description: include_str!("../chips/sim-mps2-an385.yaml"),
        flash: 0,
        sectors: MPS2_SECTORS,
        flash_alias: None,
        ram: 0x2000_0000..0x2040_0000,
        cpuid: 0x412F_C231,
        idcode: None,
    },
    Chip {
        machine: "mps2-an386",
        name: "sim-mps2-an386",
        description: include_str!("../chips/sim-mps2-an386.yaml"),
        flash: 0,
        sectors: MPS2_SECTORS,
        flash_alias: None,
        ram: 0x2000_0000..0x2040_0000,
        cpuid: 0x410F_C240,
        idcode: None,
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{path::Path, process::Command};

    fn tool(name: &str, arguments: &[&str]) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("algorithm");
        let output =
            Command::new(format!("arm-none-eabi-{name}")).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn every_descriptions_algorithm_is_what_its_source_builds_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name).to_string_lossy().into_owned();
        let (elf, binary) = (path("flash.elf"), path("flash.bin"));
        #[rustfmt::skip]
        tool("gcc", &[
            "-mcpu=cortex-m0", "-mthumb", "-Os", "-ffreestanding", "-nostdlib", "-Wl,--build-id=none", "-Wl,-e0",
            "-T", "link.ld", "flash.c", "-o", &elf,
        ]);
        tool("objcopy", &["-O", "binary", &elf, &binary]);
        let built = std::fs::read(binary).unwrap();
        let symbols = tool("nm", &[&elf]);
        let symbol = |name: &str| {
            let line = symbols.lines().find(|line| line.ends_with(&format!(" {name}"))).unwrap();
            u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap()
        };
        for chip in &CHIPS {
            let mut registry = probe_rs::config::Registry::new();
            registry.add_target_family_from_yaml(chip.description).unwrap();
            let family = registry.families().first().unwrap();
            let algorithm = &family.flash_algorithms[0];
            assert_eq!(algorithm.instructions, built, "{}: write what is built into its description", chip.name);
            assert_eq!(algorithm.pc_init, Some(symbol("Init")));
            assert_eq!(algorithm.pc_uninit, Some(symbol("UnInit")));
            assert_eq!(algorithm.pc_erase_sector, symbol("EraseSector"));
            assert_eq!(algorithm.pc_program_page, symbol("ProgramPage"));
            assert_eq!(algorithm.pc_erase_all, Some(symbol("EraseChip")));
        }
    }

    #[test]
    fn descriptions_say_of_flash_and_ram_what_is_simulated() {
        for chip in &CHIPS {
            let mut registry = probe_rs::config::Registry::new();
            registry.add_target_family_from_yaml(chip.description).unwrap();
            let target = registry.get_target_by_name(chip.name).unwrap();
            let ranges: Vec<_> = target.memory_map.iter().map(|region| region.address_range()).collect();
            let flash = u64::from(chip.flash)..u64::from(chip.flash + chip.flash_size());
            assert_eq!(ranges, [flash, u64::from(chip.ram.start)..u64::from(chip.ram.end)]);
            let properties = &target.flash_algorithms[0].flash_properties;
            let mut bounds = vec![0];
            for sectors in chip.sectors {
                for _ in 0..sectors.count {
                    bounds.push(bounds.last().unwrap() + u64::from(sectors.size));
                }
            }
            for pair in bounds.windows(2) {
                let sector = properties.sectors.iter().rev().find(|sector| sector.address <= pair[0]).unwrap();
                assert_eq!(sector.size, pair[1] - pair[0], "{}", chip.name);
            }
        }
    }
}
