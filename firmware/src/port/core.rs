//! The cores that a runner can be built for, and what the compiler is told of each.

use farm::suggest;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// A Cortex-M core with its floating-point unit. A core without one in its name runs on chips with one too, only slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Core {
    /// Cortex-M0.
    M0,
    /// Cortex-M0+.
    M0Plus,
    /// Cortex-M3.
    M3,
    /// Cortex-M4 without floating point.
    M4,
    /// Cortex-M4 with single precision.
    M4F,
    /// Cortex-M7 without floating point.
    M7,
    /// Cortex-M7 with single precision.
    M7F,
    /// Cortex-M7 with double precision.
    M7FD,
    /// Cortex-M23.
    M23,
    /// Cortex-M33 without floating point and without the DSP instructions, which are optional.
    M33,
    /// Cortex-M33 with single precision and the DSP instructions.
    M33F,
    /// Cortex-M55 with vectors and double precision.
    M55,
}

/// What is known of one core.
struct Facts {
    core: Core,
    name: &'static str,
    /// `-mthumb` goes before them.
    flags: &'static [&'static str],
    /// The part number in CPUID, bits 4 to 15.
    part: u32,
}

const fn facts(core: Core, name: &'static str, flags: &'static [&'static str], part: u32) -> Facts {
    Facts { core, name, flags, part }
}

const SOFT: &str = "-mfloat-abi=soft";
const HARD: &str = "-mfloat-abi=hard";

/// In the order of [`Core`]. Sources: GCC's manual, "ARM Options"; the cores' technical reference manuals, "CPUID".
const TABLE: [Facts; 12] = [
    facts(Core::M0, "Cortex-M0", &["-mcpu=cortex-m0", SOFT], 0xC20),
    facts(Core::M0Plus, "Cortex-M0+", &["-mcpu=cortex-m0plus", SOFT], 0xC60),
    facts(Core::M3, "Cortex-M3", &["-mcpu=cortex-m3", SOFT], 0xC23),
    facts(Core::M4, "Cortex-M4", &["-mcpu=cortex-m4", SOFT], 0xC24),
    facts(Core::M4F, "Cortex-M4F", &["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", HARD], 0xC24),
    facts(Core::M7, "Cortex-M7", &["-mcpu=cortex-m7", SOFT], 0xC27),
    facts(Core::M7F, "Cortex-M7F", &["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", HARD], 0xC27),
    facts(Core::M7FD, "Cortex-M7FD", &["-mcpu=cortex-m7", "-mfpu=fpv5-d16", HARD], 0xC27),
    facts(Core::M23, "Cortex-M23", &["-mcpu=cortex-m23", SOFT], 0xD20),
    facts(Core::M33, "Cortex-M33", &["-mcpu=cortex-m33+nodsp", SOFT], 0xD21),
    facts(Core::M33F, "Cortex-M33F", &["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", HARD], 0xD21),
    facts(Core::M55, "Cortex-M55", &["-mcpu=cortex-m55", HARD], 0xD22),
];

/// TFLM's files where nearly all of an inference is spent.
const HOT: [&str; 4] = ["conv.cc", "depthwise_conv.cc", "fully_connected.cc", "pooling.cc"];

impl Core {
    /// Every core, in the order of their names.
    pub const ALL: [Self; 12] = {
        let mut all = [Self::M0; 12];
        let mut index = 0;
        while index < all.len() {
            all[index] = TABLE[index].core;
            index += 1;
        }
        all
    };

    fn facts(self) -> &'static Facts {
        &TABLE[self as usize]
    }

    /// Its name, as definitions have it: `Cortex-M4F`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// What the compiler and the linker are told of it; a port's `flags`.
    pub fn flags(self) -> Vec<String> {
        std::iter::once(&"-mthumb").chain(self.facts().flags).map(|flag| (*flag).to_owned()).collect()
    }

    /// More flags for single files of TFLM; a port's `file_flags`. `fast`: where flash is large, the files where nearly
    /// all of an inference is spent are unrolled. The shipped ports have the same, so objects are shared with them.
    pub fn file_flags(self, fast: bool) -> BTreeMap<String, Vec<String>> {
        let mut all = BTreeMap::new();
        let mut set = |file: &str, flags: &[&str]| {
            all.insert(file.to_owned(), flags.iter().map(|flag| (*flag).to_owned()).collect());
        };
        if fast && !self.is_baseline() {
            HOT.iter().for_each(|file| set(file, &["-O3", "-mtune=cortex-m7", "-funroll-loops"]));
        }
        if self == Self::M55 {
            // binutils 2.40 misreads `vcvtne.f32.s32` inside an IT block: this file must not get one.
            set("resize_nearest_neighbor.cc", &["-fno-if-conversion", "-fno-if-conversion2"]);
        }
        all
    }

    /// The part number that the core tells in CPUID (0xE000ED00), bits 4 to 15.
    pub fn cpuid_part(self) -> u32 {
        self.facts().part
    }

    /// Whether it is Armv6-M or Armv8-M Baseline: no cycle counter, no fault status, no instructions that depend on a
    /// condition.
    pub fn is_baseline(self) -> bool {
        matches!(self, Self::M0 | Self::M0Plus | Self::M23)
    }

    /// Whether chips with it can be told where the vector table lies. With Cortex-M0+ it is optional, and nearly all
    /// chips have it.
    pub fn has_vtor(self) -> bool {
        self != Self::M0
    }
}

impl fmt::Display for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such core, or the runner does not know it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no core is named `{name}`; {mend}")]
pub struct UnknownCore {
    /// What was asked for.
    pub name: String,
    /// A suggestion.
    pub mend: String,
}

impl FromStr for Core {
    type Err = UnknownCore;

    fn from_str(name: &str) -> Result<Self, UnknownCore> {
        let found = TABLE.iter().find(|facts| facts.name == name).map(|facts| facts.core);
        found.ok_or_else(|| UnknownCore { name: name.to_owned(), mend: suggest::mend(name, Self::ALL.map(Self::name)) })
    }
}

impl TryFrom<String> for Core {
    type Error = UnknownCore;

    fn try_from(name: String) -> Result<Self, UnknownCore> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::port;

    #[test]
    fn the_table_has_every_core_at_its_place() {
        for (index, facts) in TABLE.iter().enumerate() {
            assert_eq!(facts.core as usize, index, "{}", facts.name);
            assert_eq!(facts.name.parse(), Ok(facts.core));
            assert_eq!(facts.core.flags()[0], "-mthumb");
        }
    }

    #[test]
    fn shipped_ports_have_their_cores_flags_so_that_objects_are_shared() {
        let core = |port| match port {
            "microbit" => Core::M0,
            "lm3s6965evb" | "stm32vldiscovery" | "mps2-an385" => Core::M3,
            "mps2-an386" | "netduinoplus2" | "nrf52840" => Core::M4F,
            "mps2-an500" => Core::M7FD,
            "mps2-an505" => Core::M33F,
            "mps3-an547" => Core::M55,
            other => panic!("{other}: which core has it?"),
        };
        for port in port::ports().iter().filter(|port| !port.is_host()) {
            let core = core(&port.name);
            assert_eq!(port.flags, core.flags(), "{}", port.name);
            assert_eq!(port.file_flags, core.file_flags(port.optimise == ["-O2"]), "{}", port.name);
        }
    }

    #[test]
    fn an_unknown_core_gets_a_suggestion() {
        let error = "Cortex-M4FD".parse::<Core>().unwrap_err().to_string();
        assert!(error.starts_with("no core is named `Cortex-M4FD`; did you mean `Cortex-M"), "{error}");
        insta::assert_snapshot!("RV32".parse::<Core>().unwrap_err(), @"no core is named `RV32`; there is: Cortex-M0, Cortex-M0+, Cortex-M3, Cortex-M4, Cortex-M4F, Cortex-M7, Cortex-M7F, Cortex-M7FD, Cortex-M23, Cortex-M33, Cortex-M33F, Cortex-M55");
    }
}
