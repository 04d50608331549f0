//! What the payloads say, read from bytes that nobody vouches for and written for a runner that is played.

use super::frame::{Frame, Kind};
use farm::Digest;

/// A payload that is not what its kind promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends too early, or goes on too long.
    #[error("a {kind:?} of {bytes} bytes, which is not its length")]
    Length {
        /// The frame's kind.
        kind: Kind,
        /// Bytes of its payload.
        bytes: usize,
    },
    /// A number that means nothing.
    #[error("{what} {number} is none that is known")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// What it is.
        number: u32,
    },
    /// A kind that no runner sends.
    #[error("a frame of kind {0:#04x}, which no runner sends")]
    Kind(u8),
}

/// Which clock the runner reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ClockKind {
    /// The host's monotonic clock.
    Host = 0,
    /// SysTick, wraps counted.
    SysTick = 1,
    /// The cycle counter of the DWT.
    Cyccnt = 2,
}

/// The model that a runner holds, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelloModel {
    /// Bytes of the `.tflite` file.
    pub length: u32,
    /// CRC-32 of them, computed over what it holds.
    pub crc: u32,
    /// SHA-256, from the model image's header.
    pub digest: Digest,
}

/// Who the runner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Rate of the clock, hertz.
    pub clock_hz: u32,
    /// Which clock.
    pub clock: ClockKind,
    /// The model it holds.
    pub model: Option<HelloModel>,
    /// Tensor arena there is, bytes.
    pub arena_size: u32,
    /// Version of the runner.
    pub runner: String,
    /// Digest of its build.
    pub build: String,
    /// Version of TFLM in it.
    pub tflm: String,
    /// The core it runs on.
    pub core: String,
}

/// Tensors are allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared {
    /// Tensor arena there is, bytes, the limit asked for applied.
    pub arena_size: u32,
    /// Tensor arena the model uses, bytes.
    pub arena_used: u32,
    /// Bytes of all input tensors.
    pub input_bytes: u32,
    /// Bytes of all output tensors.
    pub output_bytes: u32,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// Why a request failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u16)]
        pub enum ErrorCode { $($(#[$doc])* $name = $code,)* }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word for it on the protocol's page.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The code with this number, if there is one.
            pub fn of(number: u16) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| *code as u16 == number)
            }
        }
    };
}

error_codes! {
    /// Another version of the protocol: a asked, b spoken.
    Version = 1, "version";
    /// No such request: a is its kind.
    UnknownRequest = 2, "unknown-request";
    /// A payload of the wrong length: a bytes got, b wanted.
    BadLength = 3, "bad-length";
    /// There is no model.
    NoModel = 4, "no-model";
    /// The model image is not sound: a expected, b found; the text names the field.
    ModelCorrupt = 5, "model-corrupt";
    /// The model lies at address a, which is not 16-byte aligned.
    ModelMisaligned = 6, "model-misaligned";
    /// The model has schema version a, the runner reads b.
    SchemaVersion = 7, "schema-version";
    /// The bytes do not say that they are a model.
    NotATfliteModel = 8, "not-a-tflite-model";
    /// An operator that the runner does not have.
    UnsupportedOp = 9, "unsupported-op";
    /// Of an arena of a bytes, b are missing.
    ArenaTooSmall = 10, "arena-too-small";
    /// TFLM could not allocate the tensors for another reason.
    AllocateFailed = 11, "allocate-failed";
    /// `Invoke` answered status a.
    InvokeFailed = 12, "invoke-failed";
    /// INFER before PREPARE.
    NotPrepared = 13, "not-prepared";
    /// No memory for a bytes of model.
    OutOfMemory = 14, "out-of-memory";
    /// LOAD where the model lies beside the firmware.
    NotHere = 15, "not-here";
}

/// A request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerError {
    /// Number of the [`ErrorCode`]; perhaps one that nobody knows.
    pub code: u16,
    /// First detail; what it is depends on the code.
    pub a: u32,
    /// Second detail.
    pub b: u32,
    /// In words.
    pub text: String,
}

/// What the core stacked and said when it faulted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "registers by their architectural names")]
pub struct FaultRegisters {
    pub vector: u32,
    pub r0: u32,
    pub r1: u32,
    pub r2: u32,
    pub r3: u32,
    pub r12: u32,
    pub lr: u32,
    pub pc: u32,
    pub xpsr: u32,
    pub cfsr: u32,
    pub hfsr: u32,
    pub mmfar: u32,
    pub bfar: u32,
}

/// The process behind the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exited {
    /// The signal that ended it; 0: none.
    pub signal: u32,
    /// Its exit status.
    pub status: u32,
}

/// All that a runner may say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named like its payload")]
pub enum Reply {
    Hello(Hello),
    Prepared(Prepared),
    Result { ticks: u64, output: Vec<u8> },
    Error(RunnerError),
    Fault(FaultRegisters),
    Log(String),
    Exited(Exited),
}

impl Reply {
    /// Reads what a runner's frame says.
    ///
    /// # Errors
    /// [`Malformed`], where the payload is not what its kind promises.
    pub fn read(frame: Frame) -> Result<Self, Malformed> {
        let kind = Kind::of(frame.kind).ok_or(Malformed::Kind(frame.kind))?;
        let mut payload = Payload { kind, bytes: &frame.payload, at: 0 };
        let reply = match kind {
            Kind::Hello => Self::Hello(read_hello(&mut payload)?),
            Kind::Prepared => {
                let [arena_size, arena_used, input_bytes, output_bytes] = payload.u32s()?;
                Self::Prepared(Prepared { arena_size, arena_used, input_bytes, output_bytes })
            }
            Kind::Result => {
                let ticks = u64::from_le_bytes(payload.array()?);
                Self::Result { ticks, output: payload.rest().to_vec() }
            }
            Kind::Error => {
                let [code, _zero] = [u16::from_le_bytes(payload.array()?), u16::from_le_bytes(payload.array()?)];
                let [a, b] = payload.u32s()?;
                Self::Error(RunnerError { code, a, b, text: text(payload.rest()) })
            }
            Kind::Fault => {
                let [vector, r0, r1, r2, r3, r12, lr, pc, xpsr, cfsr, hfsr, mmfar, bfar] = payload.u32s()?;
                Self::Fault(FaultRegisters { vector, r0, r1, r2, r3, r12, lr, pc, xpsr, cfsr, hfsr, mmfar, bfar })
            }
            Kind::Log => Self::Log(text(payload.rest())),
            Kind::Exited => {
                let [signal, status] = payload.u32s()?;
                Self::Exited(Exited { signal, status })
            }
            Kind::HelloRequest | Kind::LoadRequest | Kind::PrepareRequest | Kind::InferRequest => {
                return Err(Malformed::Kind(frame.kind));
            }
        };
        payload.end()?;
        Ok(reply)
    }

    /// The frame that says it: for a runner that is played.
    pub fn frame(&self, sequence: u16) -> Frame {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        match self {
            Self::Hello(hello) => Frame::new(Kind::Hello, sequence, write_hello(hello)),
            Self::Prepared(p) => Frame::new(
                Kind::Prepared,
                sequence,
                words(&[p.arena_size, p.arena_used, p.input_bytes, p.output_bytes]),
            ),
            Self::Result { ticks, output } => {
                Frame::new(Kind::Result, sequence, [&ticks.to_le_bytes()[..], output].concat())
            }
            Self::Error(error) => {
                let head = words(&[u32::from(error.code), error.a, error.b]);
                Frame::new(Kind::Error, sequence, [&head[..], error.text.as_bytes()].concat())
            }
            Self::Fault(f) => {
                let registers =
                    [f.vector, f.r0, f.r1, f.r2, f.r3, f.r12, f.lr, f.pc, f.xpsr, f.cfsr, f.hfsr, f.mmfar, f.bfar];
                Frame::new(Kind::Fault, sequence, words(&registers))
            }
            Self::Log(text) => Frame::new(Kind::Log, sequence, text.as_bytes()),
            Self::Exited(exited) => Frame::new(Kind::Exited, sequence, words(&[exited.signal, exited.status])),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_hello(payload: &mut Payload<'_>) -> Result<Hello, Malformed> {
    let [clock_hz] = payload.u32s()?;
    let [clock, has_model, _, _] = payload.array()?;
    let clock = match clock {
        0 => ClockKind::Host,
        1 => ClockKind::SysTick,
        2 => ClockKind::Cyccnt,
        other => return Err(Malformed::Unknown { what: "clock kind", number: other.into() }),
    };
    let [arena_size, length, crc] = payload.u32s()?;
    let model = HelloModel { length, crc, digest: Digest(payload.array()?) };
    let model = match has_model {
        0 => None,
        1 => Some(model),
        other => return Err(Malformed::Unknown { what: "has-model", number: other.into() }),
    };
    let (runner, build, tflm, core) = (payload.string()?, payload.string()?, payload.string()?, payload.string()?);
    Ok(Hello { clock_hz, clock, model, arena_size, runner, build, tflm, core })
}

fn write_hello(hello: &Hello) -> Vec<u8> {
    let model = hello.model.unwrap_or(HelloModel { length: 0, crc: 0, digest: Digest([0; 32]) });
    let mut bytes = hello.clock_hz.to_le_bytes().to_vec();
    bytes.extend([hello.clock as u8, u8::from(hello.model.is_some()), 0, 0]);
    for word in [hello.arena_size, model.length, model.crc] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(model.digest.0);
    for string in [&hello.runner, &hello.build, &hello.tflm, &hello.core] {
        let string = &string.as_bytes()[..string.len().min(255)];
        bytes.push(string.len() as u8);
        bytes.extend(string);
    }
    bytes
}

/// A payload that is read from front to back.
struct Payload<'a> {
    kind: Kind,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Payload<'a> {
    fn wrong_length(&self) -> Malformed {
        Malformed::Length { kind: self.kind, bytes: self.bytes.len() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.bytes.get(self.at..self.at + count).ok_or_else(|| self.wrong_length())?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.wrong_length())
    }

    fn u32s<const N: usize>(&mut self) -> Result<[u32; N], Malformed> {
        let mut words = [0; N];
        for word in &mut words {
            *word = u32::from_le_bytes(self.array()?);
        }
        Ok(words)
    }

    fn string(&mut self) -> Result<String, Malformed> {
        let [length] = self.array()?;
        Ok(text(self.take(length.into())?))
    }

    fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.wrong_length()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> Hello {
        Hello {
            clock_hz: 25_000_000,
            clock: ClockKind::SysTick,
            model: Some(HelloModel { length: 2512, crc: 7, digest: Digest::of(b"model") }),
            arena_size: 4096,
            runner: "1".into(),
            build: "b".repeat(64),
            tflm: "2.2.0".into(),
            core: "Cortex-M4F".into(),
        }
    }

    #[test]
    fn every_reply_reads_back_as_it_was_said() {
        let replies = [
            Reply::Hello(hello()),
            Reply::Hello(Hello { model: None, ..hello() }),
            Reply::Prepared(Prepared { arena_size: 1, arena_used: 2, input_bytes: 3, output_bytes: 4 }),
            Reply::Result { ticks: u64::MAX - 1, output: vec![1, 2, 3] },
            Reply::Error(RunnerError { code: 9, a: 1, b: 2, text: "Didn't find op".into() }),
            Reply::Fault(FaultRegisters { vector: 3, pc: 0x1234, bfar: 9, ..FaultRegisters::default() }),
            Reply::Log("größe".into()),
            Reply::Exited(Exited { signal: 11, status: 0 }),
        ];
        for reply in replies {
            let frame = reply.frame(5);
            assert_eq!(frame.sequence, 5);
            assert_eq!(Reply::read(frame), Ok(reply));
        }
    }

    #[test]
    fn a_payload_cut_short_or_too_long_is_refused() {
        let whole = Reply::Hello(hello()).frame(0);
        for length in 0..whole.payload.len() {
            let cut = Frame { payload: whole.payload[..length].to_vec(), ..whole.clone() };
            assert!(
                matches!(Reply::read(cut), Err(Malformed::Length { .. })),
                "{length} bytes of a HELLO were believed"
            );
        }
        let mut long = whole;
        long.payload.push(0);
        assert!(matches!(Reply::read(long), Err(Malformed::Length { .. })));
    }

    #[test]
    fn a_request_is_no_reply() {
        assert_eq!(Reply::read(Frame::new(Kind::InferRequest, 1, [])), Err(Malformed::Kind(4)));
        assert_eq!(Reply::read(Frame { kind: 0x90, sequence: 0, payload: vec![] }), Err(Malformed::Kind(0x90)));
    }

    #[test]
    fn an_unknown_clock_is_refused_by_its_number() {
        let mut frame = Reply::Hello(hello()).frame(0);
        frame.payload[4] = 9;
        assert_eq!(Reply::read(frame), Err(Malformed::Unknown { what: "clock kind", number: 9 }));
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(kind in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reply::read(Frame { kind, sequence: 0, payload });
        }
    }
}
