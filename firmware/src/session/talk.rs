//! The talk with a runner: requests in order, news on the side, and what went wrong told with all that is known of it.

use super::{
    bench::Bench,
    faults,
    link::{Ended, Link, Stream, sound},
    runner::Load,
};
use crate::{
    build::Firmware,
    model_image::ModelImage,
    protocol::{Decoded, ErrorCode, Hello, Kind, Prepared, Reply, frame::encode_into},
};
use farm::{Fault, Handshake, JobSpec, TargetError};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// A runner whose first words were missed is asked again this often.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// So many bytes without one frame are no line noise at start-up: nobody speaks the protocol there.
const TOO_MUCH_GARBAGE: u64 = 64 << 10;
/// How long a bench may take to say what became of its process.
const POST_MORTEM: Duration = Duration::from_secs(5);
/// Text of the runner that is kept, bytes.
const LOG_LIMIT: usize = 1 << 20;

/// What is being said, and all it takes to say it.
pub(super) struct Talk {
    pub(super) link: Link,
    pub(super) bench: Box<dyn Bench>,
    pub(super) firmware: Option<Arc<Firmware>>,
    pub(super) log: String,
    sequence: u16,
    /// Sequences of HELLO requests that nobody waits for.
    asked: Vec<u16>,
    /// Whether the runner has said who it is.
    greeted: bool,
    pub(super) done: u64,
}

impl Talk {
    /// Nothing has been said yet.
    pub(super) fn new(link: impl Stream + 'static, bench: Box<dyn Bench>, firmware: Option<Arc<Firmware>>) -> Self {
        let (log, asked) = (String::new(), Vec::new());
        Self { link: Link::new(link), bench, firmware, log, sequence: 0, asked, greeted: false, done: 0 }
    }

    /// Has the runner say who it is, take the model, and allocate its tensors; checks all it says.
    pub(super) async fn shake_hands(
        &mut self,
        job: &JobSpec,
        load: Load,
        build: Option<&str>,
    ) -> Result<(Hello, Prepared), TargetError> {
        let mut hello = self.hello().await?;
        if let Some(build) = build
            && hello.build != build
        {
            return Err(TargetError::Bench(format!(
                "another runner answers: its build is {}, not {}",
                short(&hello.build),
                short(build)
            )));
        }
        // Noise of a line before the runner spoke says nothing of it.
        let noise = self.link.forgive();
        if noise.bytes > 0 {
            tracing::debug!(bytes = noise.bytes, sample = noise.shown(), "noise before the runner's first words");
        }
        let lies_there = hello.model.is_some_and(|held| held.digest == job.model.digest());
        if load == Load::Frame || load == Load::IfOther && !lies_there {
            let sequence = self.request(Kind::LoadRequest, &ModelImage::encode(&job.model));
            hello = match self.reply("LOAD", sequence).await {
                Ok(Reply::Hello(hello)) => hello,
                Ok(other) => return Err(unexpected("LOAD", &other)),
                Err(TargetError::Bench(reason))
                    if load == Load::IfOther && reason.contains(ErrorCode::NotHere.word()) =>
                {
                    let name = job.model.name();
                    let reason =
                        format!("the firmware holds another model and takes none: build it with {name} ({reason})");
                    return Err(TargetError::Blocked(reason));
                }
                Err(error) => return Err(error),
            };
        }
        // A runner that says it holds none is asked to prepare all the same: its error tells why it holds none.
        if hello.model.is_some() {
            check_model(&hello, job)?;
        }
        // On the wire 0 stands for all there is.
        let limit = job.arena_limit.map_or(0, |limit| u32::try_from(limit.max(1)).unwrap_or(u32::MAX));
        let sequence = self.request(Kind::PrepareRequest, &limit.to_le_bytes());
        let prepared = match self.reply("PREPARE", sequence).await? {
            Reply::Prepared(prepared) => prepared,
            other => return Err(unexpected("PREPARE", &other)),
        };
        check_model(&hello, job)?;
        for (what, found, wanted) in [
            ("inputs", prepared.input_bytes, job.model.input_bytes()),
            ("outputs", prepared.output_bytes, job.model.output_bytes()),
        ] {
            if found as usize != wanted {
                let detail = format!("it counts {found} bytes of {what}, the model file {wanted}");
                return Err(Fault::Rejected { detail }.into());
            }
        }
        Ok((hello, prepared))
    }

    /// The runner's first words. It says them unasked; a runner that said them before anyone listened is asked.
    async fn hello(&mut self) -> Result<Hello, TargetError> {
        loop {
            let received = match timeout(ASK_AGAIN, self.link.receive()).await {
                Ok(received) => received,
                Err(_) => {
                    let sequence = self.request(Kind::HelloRequest, &[]);
                    self.asked.push(sequence);
                    continue;
                }
            };
            match self.received(received).await? {
                Some((_, Reply::Hello(hello))) => {
                    self.greeted = true;
                    return Ok(hello);
                }
                Some((_, Reply::Error(error))) => return Err(faults::of_error(&error, "HELLO", 0)),
                Some((_, other)) => return Err(unexpected("HELLO", &other)),
                None => {}
            }
        }
    }

    pub(super) fn handshake(&self, hello: Hello, prepared: Prepared, job: &JobSpec) -> Handshake {
        Handshake {
            clock: self.bench.clock(&hello),
            runner: hello.runner,
            runner_digest: hello.build,
            tflm: hello.tflm,
            core: hello.core,
            model: job.model.digest(),
            arena_size: prepared.arena_size.into(),
            arena_used: prepared.arena_used.into(),
        }
    }

    /// Puts a request in line; returns its sequence.
    pub(super) fn request(&mut self, kind: Kind, payload: &[u8]) -> u16 {
        // 0 is for what nobody asked for.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let sequence = self.sequence;
        self.link.send(|out| encode_into(out, kind as u8, sequence, &[payload]));
        sequence
    }

    /// Waits for the reply to the one request that is on its way.
    async fn reply(&mut self, request: &str, wanted: u16) -> Result<Reply, TargetError> {
        loop {
            if let Some((sequence, reply)) = self.wait().await? {
                self.in_order(request, sequence, wanted)?;
                return match reply {
                    Reply::Error(error) => Err(faults::of_error(&error, request, 0)),
                    reply => Ok(reply),
                };
            }
        }
    }

    pub(super) async fn wait(&mut self) -> Result<Option<(u16, Reply)>, TargetError> {
        let received = self.link.receive().await;
        self.received(received).await
    }

    async fn received(
        &mut self,
        received: Result<Option<Decoded>, Ended>,
    ) -> Result<Option<(u16, Reply)>, TargetError> {
        match received {
            Ok(Some(decoded)) => self.hear(decoded),
            Ok(None) => self.check_garbage().map(|()| None),
            Err(ended) => Err(self.post_mortem(&ended).await),
        }
    }

    /// Takes in what came: a reply is handed on, news is dealt with here.
    pub(super) fn hear(&mut self, decoded: Decoded) -> Result<Option<(u16, Reply)>, TargetError> {
        self.check_garbage()?;
        let frame = sound(decoded).map_err(TargetError::Bench)?;
        let sequence = frame.sequence;
        let reply = Reply::read(frame)
            .map_err(|error| TargetError::Bench(format!("the runner sent {error}: it speaks another protocol")))?;
        match reply {
            Reply::Log(text) => {
                if self.log.len() < LOG_LIMIT {
                    self.log.push_str(&text);
                }
                Ok(None)
            }
            Reply::Fault(registers) => {
                let symbol = |pc| self.firmware.as_ref().and_then(|firmware| firmware.symbol(pc));
                Err(faults::of_fault(&registers, symbol).into())
            }
            Reply::Exited(exited) => Err(self.with_details(faults::of_exit(&exited))),
            // An error that answers nothing is news, too.
            Reply::Error(error) if sequence == 0 => Err(faults::of_error(&error, "nothing", self.done)),
            Reply::Hello(_) if self.greeted && self.asked.contains(&sequence) => Ok(None),
            Reply::Hello(_) if self.greeted && sequence == 0 => {
                Err(Fault::Crash { detail: "the core was reset in mid-job".to_owned() }.into())
            }
            reply => Ok(Some((sequence, reply))),
        }
    }

    pub(super) fn in_order(&self, request: &str, sequence: u16, wanted: u16) -> Result<(), TargetError> {
        if sequence == wanted {
            return Ok(());
        }
        Err(TargetError::Bench(format!(
            "a reply was lost: the runner answered request {sequence} where {request} {wanted} was due"
        )))
    }

    /// Once the runner has said who it is, every byte belongs to a frame; what does not is a link that cannot be trusted.
    fn check_garbage(&self) -> Result<(), TargetError> {
        let garbage = self.link.garbage();
        let allowed = if self.greeted { 0 } else { TOO_MUCH_GARBAGE };
        if garbage.bytes <= allowed {
            return Ok(());
        }
        Err(TargetError::Bench(format!("garbage where a reply was due: {}", self.garbage_shown())))
    }

    fn garbage_shown(&self) -> String {
        let garbage = self.link.garbage();
        format!("{} bytes, {}", garbage.bytes, garbage.shown())
    }

    /// The link ended: asks what became of the other side.
    async fn post_mortem(&mut self, ended: &Ended) -> TargetError {
        let cause = match timeout(POST_MORTEM, self.bench.why_ended()).await {
            Ok(cause) => cause,
            Err(_) => Some(TargetError::Bench("the runner closed its link and lives on".to_owned())),
        };
        let error = cause.unwrap_or_else(|| {
            let why = ended.0.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            TargetError::Bench(format!("the connection to the runner ended{why}"))
        });
        self.with_details(error)
    }

    /// An error with what the link still holds.
    fn with_details(&self, error: TargetError) -> TargetError {
        let mut details = String::new();
        if let Some((got, wanted)) = self.link.partial() {
            details += &format!("; it stopped half-way through a frame: {got} of {wanted} bytes");
        }
        if self.link.garbage().bytes > 0 {
            details += &format!("; garbage: {}", self.garbage_shown());
        }
        match error {
            TargetError::Bench(reason) => TargetError::Bench(reason + &details),
            TargetError::Fault(Fault::Crash { detail }) => Fault::Crash { detail: detail + &details }.into(),
            other => other,
        }
    }

    /// An error of a session that never was, whose log is lost, with the last that the runner said.
    pub(super) fn with_last_words(&self, error: TargetError) -> TargetError {
        let Some(words) = self.log.lines().rev().find(|line| !line.trim().is_empty()) else { return error };
        let add = |text: String| {
            if text.contains(words.trim()) { text } else { format!("{text}; the runner said: {}", shortened(words)) }
        };
        match error {
            TargetError::Bench(reason) => TargetError::Bench(add(reason)),
            TargetError::Fault(Fault::Crash { detail }) => Fault::Crash { detail: add(detail) }.into(),
            TargetError::Fault(Fault::HardFault { name, pc, lr, symbol, detail }) => {
                Fault::HardFault { name, pc, lr, symbol, detail: add(detail) }.into()
            }
            // The others carry TensorFlow's words themselves.
            other => other,
        }
    }

    /// The handshake took too long: what was seen of the runner.
    pub(super) fn no_answer(&self, after: Duration) -> TargetError {
        let seen = if self.greeted { "stopped answering in the handshake" } else { "never said HELLO" };
        let silent = self.link.partial().is_none() && self.link.garbage().bytes == 0;
        let tool = self.bench.log();
        let mut reason = format!("the runner {seen} within {after:?}");
        if silent {
            reason += "; not a byte came";
        }
        if self.greeted && silent {
            reason = format!("the runner {seen} within {after:?}");
        }
        if let Some(last) = tool.lines().rev().find(|line| !line.trim().is_empty()) {
            reason += &format!("; its tool says: {}", shortened(last));
        }
        self.with_details(TargetError::Bench(reason))
    }
}

/// A reply of a kind that does not answer `request`.
pub(super) fn unexpected(request: &str, reply: &Reply) -> TargetError {
    let kind = reply.frame(0);
    TargetError::Bench(format!("the runner answered {request} with {kind:?}"))
}

/// Whether the runner holds the job's model, to the bit.
fn check_model(hello: &Hello, job: &JobSpec) -> Result<(), TargetError> {
    let Some(held) = hello.model else {
        return Err(TargetError::Bench("the runner holds no model".to_owned()));
    };
    let wanted = job.model.digest();
    if held.digest != wanted {
        return Err(TargetError::Bench(format!(
            "the runner holds model {}…, not {}… ({})",
            held.digest.short(),
            wanted.short(),
            job.model.name()
        )));
    }
    let bytes = job.model.bytes();
    let (length, crc) = (bytes.len() as u64, crc32fast::hash(bytes));
    if u64::from(held.length) != length {
        let detail = format!("its length should be {length} and is {}", held.length);
        return Err(Fault::ModelCorrupt { detail }.into());
    }
    if held.crc != crc {
        let detail = format!("its CRC-32 should be {crc:#010x} and is {:#010x}", held.crc);
        return Err(Fault::ModelCorrupt { detail }.into());
    }
    Ok(())
}

/// A line that may be anything, fit for a reason.
fn shortened(line: &str) -> String {
    const MOST: usize = 200;
    let line = line.trim();
    let start: String = line.chars().take(MOST).collect();
    let more = if line.chars().nth(MOST).is_some() { "…" } else { "" };
    start.replace(char::is_control, "?") + more
}

/// The start of a digest that may be anything.
fn short(digest: &str) -> String {
    let start: String = digest.chars().take(12).collect();
    format!("{start}…")
}
