//! What a board is: the files of `boards/`, shipped and the user's own, each read into a [`Definition`].
//!
//! A file `nucleo-1.toml` defines `nucleo-1`. With a probe, a serial port or a simulated machine it is a board;
//! without, it is a kind that boards name by `kind = "…"`. `boards/README.md` explains every key.
//!
//! | module | what lives there |
//! |---|---|
//! | [`keys`] | the keys that a file may have, each with its place, and how a kind's are inherited |
//! | [`read`] | keys into a [`Definition`], and what does not go together in one |
//! | [`load`] | the files of all folders together |
//! | [`shipped`] | the files that are part of the program |
//! | [`error`] | why not |

mod error;
mod keys;
mod load;
mod read;
mod shipped;
#[cfg(test)]
mod tests;

pub use error::DefinitionError;
pub use load::Definitions;
pub(crate) use load::text_of;

use crate::serial;
use firmware::port::Core;
use std::{path::PathBuf, time::Duration};

/// A board, or a kind of board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name: the file's, without `.toml`.
    pub name: String,
    /// The file; `None`: it is part of the program.
    pub file: Option<PathBuf>,
    /// What it is and where from, in a line; may be empty.
    pub summary: String,
    /// The page that describes it.
    pub docs: Option<String>,
    /// The definition that this one names as its kind.
    pub kind: Option<String>,
    /// The chip, as probe-rs calls it.
    pub chip: String,
    /// A file that describes the chip to probe-rs, where probe-rs does not know it.
    pub chip_description: Option<PathBuf>,
    /// The core that the runner is compiled for; `None`: what is safe for the chip's architecture.
    pub core: Option<Core>,
    /// The probe, by its serial or as a selector of probe-rs: `0483:374b:066BFF…`, `20b7:9db1:unix:/path`.
    pub probe: Option<String>,
    /// How the farm talks with the runner.
    pub link: Link,
    /// Words it is chosen by.
    pub tags: Vec<String>,
    /// Rate of the core after reset, hertz; `None`: not known, and then its ticks are not told as time.
    pub clock_hz: Option<u64>,
    /// Where the runner lies.
    pub run_from: RunFrom,
    /// The chip's own number.
    pub unique_id: Option<UniqueId>,
    /// Words that prove which chip it is.
    pub identify: Vec<Identify>,
    /// Takes the board's power away and gives it back.
    pub power_cycle: Option<Hook>,
    /// How it is reset without a probe.
    pub reset: Option<Reset>,
    /// Whose firmware runs on it.
    pub firmware: Runner,
    /// Writes the user's own firmware; only where [`Self::firmware`] is [`Runner::Own`].
    pub flash: Option<Hook>,
    /// How much of the chip may be used.
    pub limits: Limits,
    /// QEMU's machine that plays it; `None`: it is real.
    pub simulated: Option<String>,
    /// The port of `firmware/ports` that its runner is built for; `None`: one derived from the chip.
    pub port: Option<String>,
}

impl Definition {
    /// Whether it is one certain board, and not a kind of them.
    pub fn is_board(&self) -> bool {
        self.probe.is_some() || self.simulated.is_some() || self.serial().is_some_and(|port| port.identity.is_some())
    }

    /// Whether QEMU plays it.
    pub fn is_simulated(&self) -> bool {
        self.simulated.is_some()
    }

    /// Its serial port, where the link is one.
    pub fn serial(&self) -> Option<&SerialPort> {
        match &self.link {
            Link::Rtt => None,
            Link::Serial(port) => Some(port),
        }
    }

    /// What boards have in common that are equal: chip, port, link and runner.
    pub fn specimen_of(&self) -> String {
        let link = match &self.link {
            Link::Rtt => "rtt".to_owned(),
            Link::Serial(port) => format!("serial at {} baud", port.baud),
        };
        let port = self.port.as_deref().or(self.core.map(Core::name)).unwrap_or("any core");
        let place = self.run_from.word();
        let Limits { flash, ram, stack, heap } = &self.limits;
        let limits: Vec<String> =
            [flash, ram, stack, heap].map(|limit| limit.map_or("-".to_owned(), |bytes| bytes.to_string())).into();
        let simulated = self.simulated.as_deref().map_or(String::new(), |machine| format!(", simulated {machine}"));
        let clock = self.clock_hz.unwrap_or_default();
        let runner = match self.firmware {
            Runner::Tinyfarm => String::new(),
            // Nobody but its owner knows what is on it.
            Runner::Own => format!(", firmware of {}", self.name),
        };
        format!("{}, {port}, {place}, {clock} Hz, {link}, {}{simulated}{runner}", self.chip, limits.join("/"))
    }
}

/// How the farm talks with the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Through memory, by the probe.
    Rtt,
    /// By a serial port.
    Serial(SerialPort),
}

/// A serial port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialPort {
    /// Which; `None` in a kind.
    pub identity: Option<serial::Identity>,
    /// Bits per second.
    pub baud: u32,
}

/// Where the runner lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFrom {
    /// In flash: written once.
    Flash,
    /// In RAM: written each time, wears nothing.
    Ram,
}

impl RunFrom {
    /// Its word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flash => "flash",
            Self::Ram => "ram",
        }
    }
}

/// The chip's own number, read before the first write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueId {
    /// Address of its first word.
    pub address: u64,
    /// How many words of 32 bits.
    pub words: u32,
    /// What this board's must be: four bytes for each word, in the order of memory; `None`: not known.
    pub value: Option<Vec<u8>>,
}

/// A word that proves which chip it is, read before the first write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identify {
    /// Where.
    pub address: u64,
    /// The bits that count.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
}

impl Identify {
    /// Whether `word`, read at [`Self::address`], is of that chip.
    pub fn fits(&self, word: u32) -> bool {
        word & self.mask == self.value
    }
}

/// A command of the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Program and arguments; never empty.
    pub command: Vec<String>,
    /// Where it is run: the folder of the file that names it.
    pub folder: PathBuf,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a board is reset without a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// By the serial port's line DTR, dropped for a moment and asserted again.
    Dtr,
    /// The same with RTS.
    Rts,
    /// By a command.
    Command(Hook),
}

/// Whose firmware runs on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// The farm's, built and flashed by it.
    Tinyfarm,
    /// The user's, which speaks `firmware/PROTOCOL.md` and which the farm does not flash.
    Own,
}

/// How much of the chip may be used, bytes. `None`: all there is, or what is usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Code memory.
    pub flash: Option<u64>,
    /// Data memory.
    pub ram: Option<u64>,
    /// Of that, stack.
    pub stack: Option<u64>,
    /// Of that, heap.
    pub heap: Option<u64>,
}
