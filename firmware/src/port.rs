//! Ports: what differs from target to target. Shipped ones are a small file each in `ports/`, embedded in the program;
//! others are made from what is known of a chip.
//!
//! | module | what lives there |
//! |---|---|
//! | [`core`] | the cores, and what the compiler is told of each |
//! | [`chip`] | a port made from a chip's facts |
//! | [`check`] | whether a port's values go together |

pub mod check;
pub mod chip;
pub mod core;
#[cfg(test)]
mod tests;

pub use chip::Chip;
pub use core::Core;

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
    /// Rate of the clock that the runner reads, hertz; 0 where it is not known, and on the host, whose clock counts
    /// nanoseconds.
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
    /// Whether an Armv6-M core can be told where its vector table lies (Cortex-M0+, mostly); all others can.
    #[serde(default)]
    pub vtor: bool,
    /// Whether `flash` is a piece of RAM: a probe writes the firmware there, and starts it.
    #[serde(default)]
    pub run_from_ram: bool,
    /// The buffers of the RTT link; `None` where the runner has none.
    pub rtt: Option<Rtt>,
    /// The UART the protocol goes over; `None` where the runner only speaks RTT.
    pub uart: Option<Uart>,
    /// Memory that the emulator can map into the host, for the protocol's shared-memory link.
    pub shared_memory: Option<SharedMemory>,
    /// How QEMU runs it; `None` where QEMU does not.
    pub qemu: Option<Qemu>,
    /// How Renode runs it; `None` where Renode does not.
    pub renode: Option<Renode>,
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

impl Ops {
    /// Enough for keyword spotting, image and gesture classification; for where flash is too small for all.
    pub const FEW: [&str; 12] = [
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "DEQUANTIZE",
        "FULLY_CONNECTED",
        "LOGISTIC",
        "MAX_POOL_2D",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RESHAPE",
        "SOFTMAX",
    ];
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

impl Memory {
    /// The address behind it; `None` where that is beyond 4 GiB.
    pub fn end(self) -> Option<u64> {
        self.origin.checked_add(self.length).filter(|end| *end <= 1 << 32)
    }

    /// Whether the two have a byte in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.origin < other.origin.saturating_add(other.length)
            && other.origin < self.origin.saturating_add(self.length)
    }
}

/// The RTT link: SEGGER's control block, with one channel to the farm and one from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rtt {
    /// Bytes of the buffer to the farm; it holds one less.
    pub up: u32,
    /// Bytes of the buffer from the farm; it holds one less.
    pub down: u32,
}

impl Rtt {
    /// Bytes for each buffer on a chip with so much RAM: a 64th of it, where that is neither tiny nor a waste.
    pub fn bytes_for(ram: u64) -> u32 {
        // At most 4096, so it is no more than the type holds.
        (ram / 64).clamp(256, 4096) as u32
    }
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
    /// Nordic nRF52 UARTE: by DMA alone, as Renode has it.
    Uarte,
}

impl UartDriver {
    /// The word for it in the runner's defines.
    pub fn define(&self) -> &'static str {
        match self {
            Self::Cmsdk => "CMSDK",
            Self::Stm32 => "STM32",
            Self::Pl011 => "PL011",
            Self::Nrf => "NRF",
            Self::Uarte => "UARTE",
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

/// How Renode runs a port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renode {
    /// Name of the platform, a file in `renode/platforms`: `stm32f4_discovery`.
    pub platform: String,
    /// The UART that carries the protocol, as the platform names it: `sysbus.usart1`.
    pub uart: String,
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
        port.check()?;
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
    #[error("the port {name} makes no sense: {what}")]
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
