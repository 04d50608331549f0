//! The monitor, line by line, as seen with Renode 1.16.1 (`-P PORT`).
//!
//! Prefer the [`Robot`](crate::Robot) server for commands: it tells errors from output and answers with whole texts. The
//! monitor is a terminal, and what it writes has to be guessed apart:
//!
//! - With colours an error is known by its colour. With `--plain` it looks like output, and is known by how it begins
//!   (`No such command or device: ...`): **an error that begins otherwise is given as output**, and output that begins
//!   like an error (`echo "No such command or device: x"`) is given as one.
//! - Output ends where a prompt does. With `--plain` a line of output that begins like a prompt, `(text) `, may be taken
//!   for it where the network splits the output right behind it; the rest is then [unasked](Monitor::take_unasked).
//! - What the robot server runs is copied to the monitor: run nothing on both at the same time.
//! - One client at a time: a second one hears nothing until the first has closed, which is [`MonitorError::Silent`].
//! - A half line that another client typed and left stays, and stands before the first command. None is left here.

mod text;

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};

use text::{Output, PREAMBLE, Prompt, Telnet};

/// How long [`Monitor::connect`] waits for the first byte of Renode.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// More output than this from one command is taken for an error.
const MAX_OUTPUT: usize = 64 << 20;

/// What can go wrong with the monitor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The socket failed.
    #[error("connection to the monitor failed: {0}")]
    Io(#[from] io::Error),
    /// Renode accepted and said nothing.
    #[error("the monitor said nothing in {patience:?}: it hears one client at a time, close the other")]
    Silent {
        /// How long was waited.
        patience: Duration,
    },
    /// Something else listens there.
    #[error("not a monitor of renode: it begins with {begins:02x?}")]
    NotMonitor {
        /// The first bytes.
        begins: Vec<u8>,
    },
    /// The command cannot be typed on one line.
    #[error("control character {character:?} in a command: give one line, Tab and Enter are keys of the monitor")]
    ControlCharacter {
        /// The first of them.
        character: char,
    },
    /// The command failed, or so it looks; see the [module](self) for `--plain`.
    #[error("{command} failed: {message}")]
    Command {
        /// What was typed.
        command: String,
        /// The error, its lines separated by LF.
        message: String,
        /// The output before it.
        output: String,
    },
    /// Renode closed the connection before the prompt.
    #[error("renode closed the monitor: it has ended, see its log")]
    Closed {
        /// What it said before.
        said: String,
    },
    /// The command wrote without end.
    #[error("more than {} MiB of output without a prompt", MAX_OUTPUT >> 20)]
    Endless,
}

/// A connection to the monitor; see the [module](self).
#[derive(Debug)]
pub struct Monitor {
    stream: TcpStream,
    telnet: Telnet,
    /// What was read and not yet given.
    text: Vec<u8>,
    /// The part of the current line that was not yet written.
    outgoing: Bytes,
    /// The command that waits for its prompt. It stays where its future was dropped: the next one finishes it first.
    current: Option<Current>,
    prompt: Option<Prompt>,
    unasked: String,
}

#[derive(Debug)]
struct Current {
    command: String,
    echoed: bool,
}

impl Monitor {
    /// Connects, and waits until Renode speaks.
    ///
    /// # Errors
    /// [`MonitorError::Silent`] where another client is connected, [`MonitorError::NotMonitor`].
    pub async fn connect(address: impl ToSocketAddrs) -> Result<Self, MonitorError> {
        Self::connect_within(address, CONNECT_PATIENCE).await
    }

    /// The same with a patience of one's own.
    ///
    /// # Errors
    /// As [`Monitor::connect`].
    pub async fn connect_within(address: impl ToSocketAddrs, patience: Duration) -> Result<Self, MonitorError> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        tokio::time::timeout(patience, preamble(&mut stream))
            .await
            .map_err(|_| MonitorError::Silent { patience })??;
        Ok(Self {
            stream,
            telnet: Telnet::default(),
            text: Vec::new(),
            outgoing: Bytes::new(),
            current: None,
            prompt: None,
            unasked: String::new(),
        })
    }

    /// Runs a command and gives its output, without colours, with LF between its lines and none at its end.
    ///
    /// It waits for the prompt as long as the command takes; put it in a `tokio::time::timeout` for less. Dropping the
    /// future does not stop the command: the next one waits for its prompt first.
    ///
    /// # Errors
    /// [`MonitorError::Command`] where it failed, [`MonitorError::ControlCharacter`] before anything is sent.
    pub async fn command(&mut self, command: &str) -> Result<String, MonitorError> {
        if let Some(character) = command.chars().find(|character| character.is_control()) {
            return Err(MonitorError::ControlCharacter { character });
        }
        while self.current.is_some() {
            self.answer().await?;
        }
        self.current = Some(Current { command: command.to_owned(), echoed: false });
        // CR and LF are one Enter each, both together are two.
        self.outgoing = Bytes::from(format!("{command}\r"));
        let Output { text: output, error } = self.answer().await?;
        match error {
            None => Ok(output),
            Some(message) => Err(MonitorError::Command { command: command.to_owned(), message, output }),
        }
    }

    /// Ends Renode.
    ///
    /// # Errors
    /// Where the connection is gone before, or Renode does not end.
    pub async fn quit(mut self) -> Result<(), MonitorError> {
        match self.command("quit").await {
            Err(MonitorError::Closed { said }) if said.contains("quitting") => Ok(()),
            Err(error) => Err(error),
            Ok(output) => {
                Err(MonitorError::Command { command: "quit".to_owned(), message: "renode goes on".to_owned(), output })
            }
        }
    }

    /// The prompt after the last command: `monitor`, or the name of the current machine. `None` before the first.
    #[must_use]
    pub fn prompt(&self) -> Option<String> {
        self.prompt.as_ref().map(Prompt::name)
    }

    /// Text that came while no command ran, prompts included: the banner, what Renode wrote while nobody listened,
    /// what the robot server ran.
    ///
    /// Only what came before the last command is certain to be in it.
    pub fn take_unasked(&mut self) -> String {
        std::mem::take(&mut self.unasked)
    }

    /// Writes what is left of the current line, and reads up to the prompt after it. Dropping the future loses nothing.
    async fn answer(&mut self) -> Result<Output, MonitorError> {
        while self.outgoing.has_remaining() {
            if let Err(error) = self.stream.write_buf(&mut self.outgoing).await {
                return Err(self.failed(error));
            }
        }
        loop {
            if let Some(output) = self.take_output() {
                self.current = None;
                return Ok(output);
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece).await {
                Ok(0) => return Err(self.closed()),
                Ok(length) => self.telnet.feed(&piece[..length], &mut self.text),
                Err(error) => return Err(self.failed(error)),
            }
            if self.text.len() > MAX_OUTPUT {
                return Err(MonitorError::Endless);
            }
        }
    }

    /// The output of the current command, once it is all there.
    fn take_output(&mut self) -> Option<Output> {
        let current = self.current.as_mut()?;
        if !current.echoed {
            let echo = text::echo(&self.text, &current.command)?;
            if let Some((_, prompt)) = Prompt::at_end(&self.text[..echo.start]) {
                self.prompt = Some(prompt);
            }
            self.unasked.push_str(&text::unasked(&self.text[..echo.start]));
            self.text.drain(..echo.end);
            current.echoed = true;
        }
        let (range, prompt) = Prompt::after(&self.text, self.prompt.as_ref())?;
        let output = Output::read(&self.text[..range.start], prompt.is_coloured());
        self.text.drain(..range.end);
        self.prompt = Some(prompt);
        Some(output)
    }

    fn closed(&mut self) -> MonitorError {
        self.current = None;
        MonitorError::Closed { said: text::unasked(&std::mem::take(&mut self.text)).trim().to_owned() }
    }

    /// A reset by a process that died is told as what it is: a closed connection.
    fn failed(&mut self, error: io::Error) -> MonitorError {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset => self.closed(),
            _ => MonitorError::Io(error),
        }
    }
}

async fn preamble(stream: &mut TcpStream) -> Result<(), MonitorError> {
    let mut begins = [0; PREAMBLE.len()];
    let mut length = 0;
    while length < begins.len() {
        let read = stream.read(&mut begins[length..]).await?;
        if read == 0 {
            return Err(MonitorError::Closed { said: String::from_utf8_lossy(&begins[..length]).into_owned() });
        }
        length += read;
        if begins[..length] != PREAMBLE[..length] {
            return Err(MonitorError::NotMonitor { begins: begins[..length].to_vec() });
        }
    }
    Ok(())
}
