//! Ports: what differs from target to target, one small file each in `ports/`, embedded in the program.

use farm::suggest;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, sync::LazyLock};

include!(concat!(env!("OUT_DIR"), "/ports.rs"));

/// One target's port. Its file's keys are its fields, save the name; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// The file's name without `.toml`: `host`, or that of QEMU's machine, `mps2-an386`.
    #[serde(skip)]
    pub name: String,
    /// The core, as people call it: `Cortex-M4F`.
    pub core: String,
    /// Which compiler.
    pub compiler: Compiler,
    /// What the compiler is told of the core; the linker too.
    pub flags: Vec<String>,
    /// Optimisation flags.
    pub optimise: Vec<String>,
    /// More flags for single TFLM files, by file name.
    #[serde(default)]
    pub file_flags: BTreeMap<String, Vec<String>>,
    /// Rate of the clock that the runner reads, hertz; 0 on the host, whose clock counts nanoseconds.
    #[serde(default)]
    pub clock_hz: u64,
    /// The operators that the runner has.
    pub ops: Ops,
    /// Code memory; `None` on the host, like everything below.
    pub flash: Option<Memory>,
    /// Data memory.
    pub ram: Option<Memory>,
    /// Bytes of stack.
    #[serde(default)]
    pub stack: u64,
    /// Bytes of heap.
    #[serde(default)]
    pub heap: u64,
    /// Where the model may begin: a multiple of this many bytes (the flash's erase unit, on a board).
    #[serde(default)]
    pub model_align: u64,
    /// The UART the protocol goes over.
    pub uart: Option<Uart>,
    /// Memory that the emulator can map into the host, for the protocol's shared-memory link.
    pub shared_memory: Option<SharedMemory>,
    /// How QEMU runs it; `None` where QEMU does not.
    pub qemu: Option<Qemu>,
}

/// A compiler that the builder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Compiler {
    /// GCC for Arm microcontrollers, with newlib-nano.
    #[serde(rename = "arm-none-eabi")]
    ArmNoneEabi,
    /// The host's GCC, linking statically.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Compiler {
    /// What its programs' names begin with.
    pub fn prefix(&self) -> &'static str {
        match self {
            Self::ArmNoneEabi => "arm-none-eabi-",
            Self::X86_64 => "",
        }
    }

    /// The Debian packages it comes from.
    pub fn packages(&self) -> &'static str {
        match self {
            Self::ArmNoneEabi => "gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
            Self::X86_64 => "g++",
        }
    }
}

/// The operators that a runner has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ops {
    /// Every one that TFLM has.
    All,
    /// These, by TFLM's names: `CONV_2D`.
    Only(Vec<String>),
}

impl<'de> Deserialize<'de> for Ops {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Ops;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\" or a list of operators")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Ops, E> {
                if word == "all" {
                    Ok(Ops::All)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(word), &self))
                }
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut names: A) -> Result<Ops, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element::<String>()? {
                    if name.is_empty()
                        || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
                    {
                        return Err(serde::de::Error::custom(format!(
                            "`{name}` is not an operator's name, like `CONV_2D`"
                        )));
                    }
                    list.push(name);
                }
                Ok(Ops::Only(list))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A piece of the address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// First address.
    pub origin: u64,
    /// Bytes.
    pub length: u64,
}

/// A UART.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uart {
    /// Its kind.
    pub driver: UartDriver,
    /// Address of its registers.
    pub base: u64,
    /// Number of its receive interrupt.
    pub irq: u32,
}

/// A kind of UART.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UartDriver {
    /// CMSDK APB UART (MPS2, MPS3).
    Cmsdk,
    /// STM32 USART.
    Stm32,
    /// Arm PL011 (Stellaris).
    Pl011,
    /// Nordic nRF51 UART.
    Nrf,
}

impl UartDriver {
    /// The word for it in the runner's defines.
    pub fn define(&self) -> &'static str {
        match self {
            Self::Cmsdk => "CMSDK",
            Self::Stm32 => "STM32",
            Self::Pl011 => "PL011",
            Self::Nrf => "NRF",
        }
    }
}

/// Memory shared with the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedMemory {
    /// Its first address, as the guest sees it.
    pub base: u64,
    /// Bytes that the link may take.
    pub size: u64,
    /// Bytes of the whole RAM, which the emulator wants as one file; without it, as many as the link may take.
    pub file: Option<u64>,
}

impl SharedMemory {
    /// Bytes of the file that the emulator maps; sparse, so that only what is used takes memory.
    pub fn file_size(&self) -> u64 {
        self.file.unwrap_or(self.size)
    }
}

/// How QEMU runs a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// Name of the machine.
    pub machine: String,
    /// An instruction takes 2 to this power nanoseconds of the guest's time: two ticks of its clock at least, because
    /// SysTick loses up to two of them.
    pub icount_shift: u32,
}

impl Port {
    /// Reads a port file's text. `name` is the file's name without `.toml`.
    ///
    /// # Errors
    /// [`PortError::Syntax`] with the place and the known keys, [`PortError::Senseless`] where values do not go together.
    pub fn parse(name: &str, text: &str) -> Result<Self, PortError> {
        let mut port: Self = toml::from_str(text)
            .map_err(|error| PortError::Syntax { name: name.to_owned(), error: error.to_string() })?;
        name.clone_into(&mut port.name);
        let senseless = |what: &str| Err(PortError::Senseless { name: name.to_owned(), what: what.to_owned() });
        match port.compiler {
            Compiler::X86_64
                if port.flash.is_some() || port.ram.is_some() || port.uart.is_some() || port.qemu.is_some() =>
            {
                return senseless("the host has no flash, ram, uart or qemu");
            }
            Compiler::ArmNoneEabi if port.flash.is_none() || port.ram.is_none() || port.uart.is_none() => {
                return senseless("a microcontroller needs flash, ram and uart");
            }
            Compiler::ArmNoneEabi if port.clock_hz == 0 || port.stack == 0 => {
                return senseless("a microcontroller needs clock_hz and stack");
            }
            Compiler::ArmNoneEabi if port.model_align < 16 || !port.model_align.is_power_of_two() => {
                return senseless("model_align must be a power of two, 16 at least");
            }
            _ => {}
        }
        if port.shared_memory.is_some_and(|memory| memory.file_size() < memory.size) {
            return senseless("the file of shared_memory cannot be smaller than its size");
        }
        if let Some(qemu) = &port.qemu
            && u128::from(port.clock_hz) << qemu.icount_shift.min(64) < 2_000_000_000
        {
            return senseless("an instruction must take two ticks at least: clock_hz * 2^icount_shift >= 2 * 10^9");
        }
        Ok(port)
    }

    /// Whether this is the host and no microcontroller.
    pub fn is_host(&self) -> bool {
        self.compiler == Compiler::X86_64
    }
}

/// A port file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// It is no TOML, or a key is unknown, missing or of the wrong type.
    #[error("port file {name}.toml: {error}")]
    Syntax {
        /// The port.
        name: String,
        /// What the parser says, with line and column.
        error: String,
    },
    /// Its values do not go together.
    #[error("port file {name}.toml: {what}")]
    Senseless {
        /// The port.
        name: String,
        /// Why.
        what: String,
    },
    /// There is no such port.
    #[error("no port is named `{name}`; {mend}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// A suggestion.
        mend: String,
    },
}

static ALL: LazyLock<Vec<Port>> = LazyLock::new(|| {
    let parsed: Result<Vec<Port>, PortError> = PORT_FILES.iter().map(|(name, text)| Port::parse(name, text)).collect();
    #[allow(clippy::expect_used, reason = "the files are part of the program, and a test parses each")]
    parsed.expect("embedded port files are sound")
});

/// Every port, by name.
pub fn ports() -> &'static [Port] {
    &ALL
}

/// The port of this name.
///
/// # Errors
/// [`PortError::Unknown`], with a suggestion.
pub fn port(name: &str) -> Result<&'static Port, PortError> {
    ports().iter().find(|port| port.name == name).ok_or_else(|| PortError::Unknown {
        name: name.to_owned(),
        mend: suggest::mend(name, ports().iter().map(|port| port.name.as_str()).collect::<Vec<_>>()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const M3: &str = r#"
        core = "Cortex-M3"
        compiler = "arm-none-eabi"
        flags = ["-mthumb", "-mcpu=cortex-m3"]
        optimise = ["-O2"]
        clock_hz = 25_000_000
        ops = "all"
        flash = { origin = 0, length = 0x40000 }
        ram = { origin = 0x2000_0000, length = 0x10000 }
        stack = 0x2000
        heap = 0x400
        model_align = 16
        uart = { driver = "cmsdk", base = 0x4000_4000, irq = 0 }
        qemu = { machine = "mps2-an385", icount_shift = 7 }
    "#;

    #[test]
    fn every_port_in_the_program_is_sound() {
        for (name, text) in PORT_FILES {
            assert_eq!(Port::parse(name, text).map(|port| port.name).as_deref(), Ok(*name));
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = Port::parse("m3", &M3.replace("heap", "heep")).unwrap_err().to_string();
        assert!(error.contains("heep") && error.contains("line 11"), "{error}");
    }

    #[test]
    fn operators_are_all_or_a_list_of_names() {
        let few = Port::parse("m3", &M3.replace("\"all\"", "[\"CONV_2D\", \"SOFTMAX\"]")).unwrap();
        assert_eq!(few.ops, Ops::Only(vec!["CONV_2D".into(), "SOFTMAX".into()]));
        assert!(Port::parse("m3", &M3.replace("\"all\"", "\"some\"")).is_err());
        assert!(Port::parse("m3", &M3.replace("\"all\"", "[\"conv) evil(\"]")).is_err());
    }

    #[test]
    fn the_file_that_an_emulator_maps_holds_the_link() {
        let with =
            |more| Port::parse("m3", &format!("{M3}\nshared_memory = {{ base = 0x6000_0000, size = 0x1000{more} }}"));
        let size = |more| with(more).unwrap().shared_memory.unwrap().file_size();
        assert_eq!((size(""), size(", file = 0x8000")), (0x1000, 0x8000));
        assert!(with(", file = 0x800").unwrap_err().to_string().contains("shared_memory"));
    }

    #[test]
    fn an_instruction_shorter_than_a_tick_is_refused() {
        let error = Port::parse("m3", &M3.replace("icount_shift = 7", "icount_shift = 6")).unwrap_err().to_string();
        assert!(error.contains("clock_hz * 2^icount_shift"), "{error}");
    }

    #[test]
    fn a_port_that_is_not_there_gets_a_suggestion() {
        let error = port("mps2-an368").unwrap_err().to_string();
        assert!(error.contains("did you mean `mps2-an38"), "{error}");
    }
}
