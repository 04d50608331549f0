//! What a test wants of the stand-in, by environment variables:
//!
//! | variable | what it says |
//! |---|---|
//! | `STAND_IN_FOLDER` | where the journal is kept: a line for each start, command and end, with the number of the process |
//! | `STAND_IN_FAULT` | what goes wrong: `dies-at-start`, `never-ready`, `dies-after=BYTES` of the UART, `closes-uart-after=BYTES`, `fails=COMMAND`, `late=COMMAND` |
//! | `STAND_IN_TIMES` | how often that goes wrong, over all processes with that folder; without it, always |
//!
//! `late` holds an answer back until a byte can be read from the FIFO `go` in the folder; without a FIFO, for ever.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::PathBuf,
    thread,
};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    DiesAtStart,
    NeverReady,
    /// It dies when so many bytes came from the UART.
    DiesAfter(usize),
    /// It hangs up on whoever listens to the UART when so many bytes came.
    ClosesUartAfter(usize),
    /// Commands that begin like this are answered FAIL.
    Fails(String),
    /// Commands that begin like this are answered when the test says so.
    Late(String),
}

/// All that it was told.
#[derive(Debug)]
pub struct Orders {
    folder: Option<PathBuf>,
    fault: Option<Fault>,
    times: Option<u32>,
}

impl Orders {
    pub fn from_environment() -> io::Result<Self> {
        let text = |name| env::var(name).ok().filter(|text| !text.is_empty());
        let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("there is no fault {text}"));
        let fault = text("STAND_IN_FAULT").map(|text| Fault::parse(&text).ok_or_else(|| wrong(&text))).transpose()?;
        let times = text("STAND_IN_TIMES").and_then(|text| text.parse().ok());
        Ok(Self { folder: text("STAND_IN_FOLDER").map(PathBuf::from), fault, times })
    }

    /// Adds a line to the journal.
    pub fn note(&self, line: &str) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut journal = OpenOptions::new().create(true).append(true).open(folder.join("journal"))?;
        // One write: several processes have it open.
        journal.write_all(format!("{} {line}\n", std::process::id()).as_bytes())
    }

    /// Whether this goes wrong now; each time it does counts.
    pub fn fault(&self, fault: &Fault) -> bool {
        if self.fault.as_ref() != Some(fault) {
            return false;
        }
        match (self.times, &self.folder) {
            // Whoever creates the file has this one.
            (Some(times), Some(folder)) => {
                (0..times).any(|time| File::create_new(folder.join(format!("fault-{time}"))).is_ok())
            }
            _ => true,
        }
    }

    /// The fault that is ordered for the UART, and after how many bytes.
    pub fn uart_fault(&self) -> Option<(&Fault, usize)> {
        match self.fault.as_ref()? {
            fault @ (Fault::DiesAfter(bytes) | Fault::ClosesUartAfter(bytes)) => Some((fault, *bytes)),
            _ => None,
        }
    }

    /// Whether this command is to be answered FAIL; an answer that is held back is waited for here.
    pub fn fails(&self, command: &str) -> bool {
        match &self.fault {
            Some(fault @ Fault::Late(start)) if command.starts_with(start) && self.fault(fault) => {
                self.wait();
                false
            }
            Some(fault @ Fault::Fails(start)) => command.starts_with(start) && self.fault(fault),
            _ => false,
        }
    }

    fn wait(&self) {
        let told = self.folder.as_ref().and_then(|folder| File::open(folder.join("go")).ok());
        if told.is_none_or(|mut fifo| fifo.read_exact(&mut [0]).is_err()) {
            for_ever();
        }
    }
}

impl Fault {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once('=') {
            None if text == "dies-at-start" => Self::DiesAtStart,
            None if text == "never-ready" => Self::NeverReady,
            Some(("dies-after", bytes)) => Self::DiesAfter(bytes.parse().ok()?),
            Some(("closes-uart-after", bytes)) => Self::ClosesUartAfter(bytes.parse().ok()?),
            Some(("fails", command)) => Self::Fails(command.to_owned()),
            Some(("late", command)) => Self::Late(command.to_owned()),
            _ => return None,
        })
    }
}

/// Until it is ended.
pub fn for_ever() -> ! {
    loop {
        thread::park();
    }
}
