//! A runner that is played, well or badly: for tests of everything that must stand a runner that misbehaves.

use crate::protocol::{
    ClockKind, Decoded, Decoder, FaultRegisters, Frame, Hello, HelloModel, Kind, Prepared, Reply, RunnerError,
};
use farm::Digest;
use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
    str::FromStr,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a played runner does wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Nothing.
    Good,
    /// Says nothing at all.
    Silent,
    /// Shakes hands, and stops answering at this sample (from 0).
    Hang(usize),
    /// Answers this sample with bytes that are no frame, and goes on.
    Garbage(usize),
    /// Says bytes that are no frame, and nothing else, from the start.
    GarbageFromTheStart,
    /// Answers this sample with the first seven bytes of its frame, and says no more.
    HalfFrame(usize),
    /// The same, and hangs up.
    HalfFrameThenEnd(usize),
    /// Answers this sample with a frame that lacks its last output byte.
    ShortOutput(usize),
    /// Leaves this sample unanswered, and goes on with the next.
    LostReply(usize),
    /// Holds another model than the one it was given.
    WrongModel,
    /// Holds the model with one bit wrong.
    CorruptModel,
    /// Is another build.
    WrongBuild,
    /// Counts other inputs than the model has.
    WrongSizes,
    /// Refuses PREPARE with this error.
    Refuse(RunnerError),
    /// Reports a fault of the core at this sample.
    CoreFault(usize),
    /// Comes out of reset at this sample.
    Reset(usize),
    /// Ends at this sample with this signal, as its parent tells it; 0: with status 3.
    Exit(usize, u32),
    /// Hangs up at this sample.
    End(usize),
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => write!(f, "good"),
            Self::Silent => write!(f, "silent"),
            Self::Hang(at) => write!(f, "hang:{at}"),
            Self::Garbage(at) => write!(f, "garbage:{at}"),
            Self::GarbageFromTheStart => write!(f, "garbage-from-the-start"),
            Self::HalfFrame(at) => write!(f, "half-frame:{at}"),
            Self::HalfFrameThenEnd(at) => write!(f, "half-frame-then-end:{at}"),
            Self::ShortOutput(at) => write!(f, "short-output:{at}"),
            Self::LostReply(at) => write!(f, "lost-reply:{at}"),
            Self::WrongModel => write!(f, "wrong-model"),
            Self::CorruptModel => write!(f, "corrupt-model"),
            Self::WrongBuild => write!(f, "wrong-build"),
            Self::WrongSizes => write!(f, "wrong-sizes"),
            Self::Refuse(error) => write!(f, "refuse:{}:{}:{}:{}", error.code, error.a, error.b, error.text),
            Self::CoreFault(at) => write!(f, "core-fault:{at}"),
            Self::Reset(at) => write!(f, "reset:{at}"),
            Self::Exit(at, signal) => write!(f, "exit:{at}:{signal}"),
            Self::End(at) => write!(f, "end:{at}"),
        }
    }
}

/// Text that names no behaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no behaviour of a played runner: `good`, `hang:3`, `refuse:10:4096:16:words` are some")]
pub struct UnknownBehaviour(pub String);

impl FromStr for Behaviour {
    type Err = UnknownBehaviour;

    /// Reads what [`fmt::Display`] writes; a sample that is not given is the first.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let numbers: Vec<u32> = rest.splitn(4, ':').map_while(|word| word.parse().ok()).collect();
        let at = numbers.first().map_or(0, |at| *at as usize);
        Ok(match name {
            "good" => Self::Good,
            "silent" => Self::Silent,
            "hang" => Self::Hang(at),
            "garbage" => Self::Garbage(at),
            "garbage-from-the-start" => Self::GarbageFromTheStart,
            "half-frame" => Self::HalfFrame(at),
            "half-frame-then-end" => Self::HalfFrameThenEnd(at),
            "short-output" => Self::ShortOutput(at),
            "lost-reply" => Self::LostReply(at),
            "wrong-model" => Self::WrongModel,
            "corrupt-model" => Self::CorruptModel,
            "wrong-build" => Self::WrongBuild,
            "wrong-sizes" => Self::WrongSizes,
            "refuse" if numbers.len() == 3 => Self::Refuse(RunnerError {
                code: numbers[0] as u16,
                a: numbers[1],
                b: numbers[2],
                text: rest.splitn(4, ':').nth(3).unwrap_or_default().to_owned(),
            }),
            "core-fault" => Self::CoreFault(at),
            "reset" => Self::Reset(at),
            "exit" => Self::Exit(at, numbers.get(1).copied().unwrap_or(0)),
            "end" => Self::End(at),
            _ => return Err(UnknownBehaviour(text.to_owned())),
        })
    }
}

/// A model that is played: input bytes to output bytes.
pub type Compute = Box<dyn FnMut(&[u8]) -> Vec<u8> + Send>;

/// A runner that is played. Its answers are real bytes of the protocol over any stream.
pub struct FakeRunner {
    /// What it does wrong.
    pub behaviour: Behaviour,
    /// The build digest it reports.
    pub build: String,
    /// Bytes of the model's inputs.
    pub input_bytes: usize,
    /// Bytes of the model's outputs.
    pub output_bytes: usize,
    /// The digest of the model it holds from the start, with length and CRC-32, as on a microcontroller; `None`: it is
    /// given one by LOAD.
    pub model: Option<(Digest, u32, u32)>,
    /// What comes out, by what goes in; cut or filled up with zeros to the model's size.
    pub compute: Compute,
}

impl fmt::Debug for FakeRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeRunner")
            .field("behaviour", &self.behaviour)
            .field("build", &self.build)
            .finish_non_exhaustive()
    }
}

impl FakeRunner {
    /// A runner of the build `build` that answers each input with itself.
    pub fn new(behaviour: Behaviour, build: impl Into<String>, input_bytes: usize, output_bytes: usize) -> Self {
        let compute = Box::new(|input: &[u8]| input.to_vec());
        Self { behaviour, build: build.into(), input_bytes, output_bytes, model: None, compute }
    }

    /// Serves one connection that was inherited as file descriptor `fd`, as the host's runner does with `--fd`.
    ///
    /// # Errors
    /// What the connection says. To be called within a tokio runtime, once for each descriptor.
    pub async fn serve_fd(self, fd: std::os::fd::RawFd) -> io::Result<()> {
        use std::os::fd::FromRawFd;
        // SAFETY: the caller was given the descriptor by its parent, and gives it up here.
        let stream = unsafe { std::os::unix::net::UnixStream::from_raw_fd(fd) };
        stream.set_nonblocking(true)?;
        self.serve(tokio::net::UnixStream::from_std(stream)?).await
    }

    /// Serves one connection to its end: until the farm hangs up, or as the behaviour has it.
    ///
    /// # Errors
    /// What the connection says.
    pub async fn serve(mut self, mut link: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        match self.behaviour {
            Behaviour::Silent => return drain(&mut link).await,
            Behaviour::GarbageFromTheStart => {
                link.write_all(b"login: \r\nWelcome to another program\r\n").await?;
                return drain(&mut link).await;
            }
            _ => say(&mut link, &self.hello(), 0).await?,
        }
        let mut decoder = Decoder::new();
        let mut buffer = vec![0; 1 << 16];
        let mut sample = 0;
        loop {
            while let Some(decoded) = decoder.next() {
                let Decoded::Frame(frame) = decoded else { continue };
                if frame.kind == Kind::InferRequest as u8 {
                    if !self.infer(&mut link, &frame, sample).await? {
                        return Ok(());
                    }
                    sample += 1;
                } else {
                    let reply = self.answer(&frame);
                    say(&mut link, &reply, frame.sequence).await?;
                }
            }
            match link.read(&mut buffer).await? {
                0 => return Ok(()),
                count => decoder.push(&buffer[..count]),
            }
        }
    }

    fn hello(&self) -> Reply {
        let model = self.model.map(|(digest, length, crc)| match self.behaviour {
            Behaviour::WrongModel => HelloModel { digest: Digest::of(b"another model"), length, crc },
            Behaviour::CorruptModel => HelloModel { digest, length, crc: crc ^ 1 },
            _ => HelloModel { digest, length, crc },
        });
        let build = match self.behaviour {
            Behaviour::WrongBuild => "0".repeat(64),
            _ => self.build.clone(),
        };
        Reply::Hello(Hello {
            clock_hz: 1_000_000_000,
            clock: ClockKind::Host,
            model,
            arena_size: 1 << 20,
            runner: "played".to_owned(),
            build,
            tflm: "none".to_owned(),
            core: "played".to_owned(),
        })
    }

    fn answer(&mut self, frame: &Frame) -> Reply {
        let error = |code, a, b, text: &str| Reply::Error(RunnerError { code, a, b, text: text.to_owned() });
        match Kind::of(frame.kind) {
            Some(Kind::HelloRequest) => self.hello(),
            Some(Kind::LoadRequest) => {
                let (Some(digest), Some(model)) = (frame.payload.get(16..48), frame.payload.get(64..)) else {
                    return error(3, frame.payload.len() as u32, 64, "LOAD");
                };
                let digest = Digest(digest.try_into().unwrap_or([0; 32]));
                self.model = Some((digest, model.len() as u32, crc32fast::hash(model)));
                self.hello()
            }
            Some(Kind::PrepareRequest) => match &self.behaviour {
                Behaviour::Refuse(error) => Reply::Error(error.clone()),
                _ if self.model.is_none() => error(4, 0, 0, ""),
                behaviour => Reply::Prepared(Prepared {
                    arena_size: 1 << 20,
                    arena_used: 1024,
                    input_bytes: (self.input_bytes + usize::from(*behaviour == Behaviour::WrongSizes)) as u32,
                    output_bytes: self.output_bytes as u32,
                }),
            },
            _ => error(2, frame.kind.into(), 0, ""),
        }
    }

    /// Answers one sample; `false` if that was the last.
    async fn infer(
        &mut self,
        link: &mut (impl AsyncRead + AsyncWrite + Unpin),
        frame: &Frame,
        sample: usize,
    ) -> io::Result<bool> {
        let mut output = (self.compute)(&frame.payload);
        output.resize(self.output_bytes, 0);
        let good = Reply::Result { ticks: 1000 + sample as u64, output: output.clone() };
        let bytes = good.frame(frame.sequence).encode();
        match self.behaviour {
            Behaviour::Hang(at) if at == sample => {
                drain(link).await?;
                return Ok(false);
            }
            Behaviour::Garbage(at) if at == sample => link.write_all(&[0x55; 40]).await?,
            Behaviour::HalfFrame(at) if at == sample => {
                link.write_all(&bytes[..7]).await?;
                link.flush().await?;
                drain(link).await?;
                return Ok(false);
            }
            Behaviour::HalfFrameThenEnd(at) if at == sample => {
                link.write_all(&bytes[..7]).await?;
                link.flush().await?;
                return Ok(false);
            }
            Behaviour::ShortOutput(at) if at == sample => {
                output.pop();
                say(link, &Reply::Result { ticks: 1, output }, frame.sequence).await?;
            }
            Behaviour::LostReply(at) if at == sample => {}
            Behaviour::CoreFault(at) if at == sample => {
                let registers = FaultRegisters {
                    vector: 3,
                    pc: 0x1234,
                    lr: 0x5679,
                    cfsr: 1 << 16,
                    hfsr: 1 << 30,
                    ..FaultRegisters::default()
                };
                say(link, &Reply::Fault(registers), 0).await?;
                return Ok(false);
            }
            Behaviour::Reset(at) if at == sample => say(link, &self.hello(), 0).await?,
            Behaviour::Exit(at, signal) if at == sample => {
                let status = if signal == 0 { 3 } else { 0 };
                say(link, &Reply::Exited(crate::protocol::Exited { signal, status }), 0).await?;
                return Ok(false);
            }
            Behaviour::End(at) if at == sample => return Ok(false),
            _ => link.write_all(&bytes).await?,
        }
        link.flush().await?;
        Ok(true)
    }
}

async fn say(link: &mut (impl AsyncWrite + Unpin), reply: &Reply, sequence: u16) -> io::Result<()> {
    link.write_all(&reply.frame(sequence).encode()).await?;
    link.flush().await
}

/// Takes what comes and says nothing, until the farm hangs up.
async fn drain(link: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while link.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Writes a program (a script) that can be started at once.
///
/// By a process of its own, because of a trap: while a thread has a program open for writing, another may fork, and the
/// child holds it open until it execs. Starting the program fails until then ("Text file busy").
///
/// # Errors
/// When it cannot be written.
pub fn write_program(path: &Path, text: &str) -> io::Result<()> {
    let mut install =
        Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = install.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    match install.wait()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} cannot be written", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_behaviour_is_named_by_what_it_shows() {
        let error = RunnerError { code: 10, a: 4096, b: 16, text: "two words: and a colon".into() };
        for behaviour in [
            Behaviour::Good,
            Behaviour::Silent,
            Behaviour::Hang(3),
            Behaviour::Garbage(1),
            Behaviour::GarbageFromTheStart,
            Behaviour::HalfFrame(2),
            Behaviour::HalfFrameThenEnd(0),
            Behaviour::ShortOutput(1),
            Behaviour::LostReply(1),
            Behaviour::WrongModel,
            Behaviour::CorruptModel,
            Behaviour::WrongBuild,
            Behaviour::WrongSizes,
            Behaviour::Refuse(error),
            Behaviour::CoreFault(1),
            Behaviour::Reset(1),
            Behaviour::Exit(1, 11),
            Behaviour::End(4),
        ] {
            assert_eq!(behaviour.to_string().parse(), Ok(behaviour));
        }
        assert!("lazy".parse::<Behaviour>().is_err());
    }
}
