//! A client of QEMU's gdbstub: memory, registers, running and stopping of one Cortex-M core.
//!
//! | module | what lives there |
//! |---|---|
//! | `packet` | the remote protocol's packets |
//!
//! The stub takes commands only while the core is stopped; a byte of any kind stops it, and each stop is told once.

mod packet;

use packet::{Parser, encode, hex, unhex};
use std::{
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

/// Bytes of memory in one packet: QEMU's packets hold 4096 characters.
const PIECE: usize = 2000;

/// How long QEMU may take for an answer: it takes 50 µs, on a host that lives.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long is waited for one instruction before it is asked whether the core sleeps, at first: it takes 0.1 ms.
const STEP: Duration = Duration::from_millis(20);

/// What the stub says of a core that sleeps.
const SLEEPS: &[u8] = b"[halted";

/// The byte that stops the core.
const INTERRUPT: u8 = 3;

/// A register, by the stub's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register(pub u32);

impl Register {
    /// The stack pointer in use.
    pub const SP: Self = Self(13);
    /// The link register.
    pub const LR: Self = Self(14);
    /// The program counter.
    pub const PC: Self = Self(15);
    /// The program status register.
    pub const XPSR: Self = Self(25);
}

/// Why the core stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It was asked to.
    Asked,
    /// A breakpoint, or the end of a step.
    Trap,
}

/// Why the stub did not do something.
#[derive(Debug, thiserror::Error)]
pub enum GdbError {
    /// There is no memory.
    #[error("there is no memory at {0:#010x}")]
    NoMemory(u32),
    /// The connection ended: QEMU did.
    #[error("QEMU has ended")]
    Ended,
    /// No answer.
    #[error("QEMU has not answered for {PATIENCE:?}; is it stopped?")]
    Silent,
    /// An answer that is none.
    #[error("QEMU's gdbstub answered `{answer}` to `{command}`, which the simulated board does not understand")]
    Unexpected {
        /// What was asked.
        command: String,
        /// What it said.
        answer: String,
    },
    /// The socket failed.
    #[error("the connection to QEMU's gdbstub failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for GdbError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => Self::Ended,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            _ => Self::Io(error),
        }
    }
}

type Result<T> = std::result::Result<T, GdbError>;

/// A connection to a gdbstub.
#[derive(Debug)]
pub struct Gdb {
    stream: UnixStream,
    parser: Parser,
    running: bool,
}

impl Gdb {
    /// Greets the stub of a core that is stopped. It gives no register before its description was read.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn greet(stream: UnixStream) -> Result<Self> {
        let mut gdb = Self { stream, parser: Parser::default(), running: false };
        gdb.ask("qSupported:")?;
        gdb.ask("?")?;
        gdb.ask("qXfer:features:read:target.xml:0,ffb")?;
        Ok(gdb)
    }

    /// Whether the core runs, as far as is known.
    pub fn running(&self) -> bool {
        self.running
    }

    /// Reads memory. Registers of peripherals may be read: the core's own, too.
    ///
    /// # Errors
    /// [`GdbError::NoMemory`] where there is none.
    pub fn read(&mut self, address: u32, size: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            let at = address.wrapping_add(bytes.len() as u32);
            let piece = (size - bytes.len()).min(PIECE);
            let answer = self.ask(&format!("m{at:x},{piece:x}"))?;
            match unhex(&answer) {
                Some(read) if read.len() == piece => bytes.extend(read),
                _ if answer.starts_with(b"E") => return Err(GdbError::NoMemory(at)),
                _ => return Err(unexpected("m", &answer)),
            }
        }
        Ok(bytes)
    }

    /// Writes memory, read-only memory too. Registers of peripherals are not reached: QEMU leaves such writes out.
    ///
    /// # Errors
    /// [`GdbError::NoMemory`] where there is none.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        let mut at = address;
        for piece in bytes.chunks(PIECE) {
            let answer = self.ask(&format!("M{at:x},{:x}:{}", piece.len(), hex(piece)))?;
            match answer.as_slice() {
                b"OK" => at = at.wrapping_add(piece.len() as u32),
                [b'E', ..] => return Err(GdbError::NoMemory(at)),
                _ => return Err(unexpected("M", &answer)),
            }
        }
        Ok(())
    }

    /// Reads a register of 32 bits.
    ///
    /// # Errors
    /// When there is none of this number.
    pub fn register(&mut self, Register(number): Register) -> Result<u32> {
        let answer = self.ask(&format!("p{number:x}"))?;
        match unhex(&answer).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Ok(u32::from_le_bytes(bytes)),
            None => Err(unexpected("p", &answer)),
        }
    }

    /// Writes a register of 32 bits.
    ///
    /// # Errors
    /// When there is none of this number.
    pub fn set_register(&mut self, Register(number): Register, value: u32) -> Result<()> {
        self.order(&format!("P{number:x}={}", hex(&value.to_le_bytes())))
    }

    /// Has the core stop before it executes what is at `address`.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn set_breakpoint(&mut self, address: u32) -> Result<()> {
        self.order(&format!("Z0,{address:x},2"))
    }

    /// Takes a breakpoint away.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn clear_breakpoint(&mut self, address: u32) -> Result<()> {
        self.order(&format!("z0,{address:x},2"))
    }

    /// Resets the machine; the core stays stopped.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn reset(&mut self) -> Result<()> {
        let command = format!("qRcmd,{}", hex(b"system_reset"));
        // What the monitor prints comes before the OK. The machine is reset before the next command is read.
        let mut answer = self.ask(&command)?;
        while answer.starts_with(b"O") && answer != b"OK" {
            answer = self.packet(PATIENCE)?;
        }
        if answer == b"OK" { Ok(()) } else { Err(unexpected(&command, &answer)) }
    }

    /// Lets the core run.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn resume(&mut self) -> Result<()> {
        self.send("c")?;
        self.running = true;
        Ok(())
    }

    /// Executes one instruction. `false` where the core sleeps, which nothing but an interrupt ends.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn step(&mut self) -> Result<bool> {
        let before = self.register(Register::PC)?;
        let mut time = STEP;
        while time < PATIENCE {
            self.send("s")?;
            self.running = true;
            let stop = match self.stopped_within(time)? {
                Some(stop) => stop,
                None => self.interrupt()?,
            };
            // Both may have happened at once, and then only the interrupt is told.
            if stop == Stop::Trap || self.register(Register::PC)? != before {
                return Ok(true);
            }
            if self.asleep()? {
                return Ok(false);
            }
            // The host had no time for it.
            time *= 2;
        }
        Err(GdbError::Silent)
    }

    /// Whether the core sleeps (WFI): the stub says that in words, `CPU#0 [halted ]`.
    fn asleep(&mut self) -> Result<bool> {
        let answer = self.ask("qThreadExtraInfo,1")?;
        match unhex(&answer) {
            Some(words) => Ok(words.windows(SLEEPS.len()).any(|window| window == SLEEPS)),
            None => Err(unexpected("qThreadExtraInfo", &answer)),
        }
    }

    /// Stops a running core. It may have stopped by itself in the same moment, which the answer then says.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn interrupt(&mut self) -> Result<Stop> {
        if !self.running {
            return Ok(Stop::Asked);
        }
        self.stream.write_all(&[INTERRUPT])?;
        let stop = self.packet(PATIENCE)?;
        self.stop(&stop)
    }

    /// Whether a running core has stopped by itself meanwhile.
    ///
    /// # Errors
    /// When the connection ended.
    pub fn poll(&mut self) -> Result<Option<Stop>> {
        if !self.running {
            return Ok(None);
        }
        self.stream.set_nonblocking(true)?;
        let packet = self.packet_now();
        self.stream.set_nonblocking(false)?;
        packet?.map(|packet| self.stop(&packet)).transpose()
    }

    /// Waits for a running core to stop by itself.
    ///
    /// # Errors
    /// When the connection ended.
    pub fn stopped_within(&mut self, time: Duration) -> Result<Option<Stop>> {
        match self.packet(time) {
            Ok(packet) => self.stop(&packet).map(Some),
            Err(GdbError::Silent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stop(&mut self, packet: &[u8]) -> Result<Stop> {
        self.running = false;
        match packet {
            [b'T', b'0', b'5', ..] => Ok(Stop::Trap),
            [b'T', ..] => Ok(Stop::Asked),
            _ => Err(unexpected("c", packet)),
        }
    }

    fn order(&mut self, command: &str) -> Result<()> {
        let answer = self.ask(command)?;
        if answer == b"OK" { Ok(()) } else { Err(unexpected(command, &answer)) }
    }

    fn ask(&mut self, command: &str) -> Result<Vec<u8>> {
        self.send(command)?;
        self.packet(PATIENCE)
    }

    fn send(&mut self, command: &str) -> Result<()> {
        Ok(self.stream.write_all(&encode(command.as_bytes()))?)
    }

    fn packet(&mut self, time: Duration) -> Result<Vec<u8>> {
        self.stream.set_read_timeout(Some(time))?;
        loop {
            if let Some(packet) = self.parser.next() {
                return Ok(packet);
            }
            self.receive()?;
        }
    }

    fn packet_now(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(packet) = self.parser.next() {
                return Ok(Some(packet));
            }
            match self.receive() {
                Ok(()) => {}
                Err(GdbError::Silent) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 8192];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(GdbError::Ended),
            Ok(size) => {
                self.parser.push(&buffer[..size]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn unexpected(command: &str, answer: &[u8]) -> GdbError {
    let answer = String::from_utf8_lossy(answer).chars().take(80).collect();
    GdbError::Unexpected { command: command.chars().take(80).collect(), answer }
}

#[cfg(test)]
mod tests;
