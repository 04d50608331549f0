//! What a probe's thread does with its board: open, attach, read, flash, reset, run, look.

use super::{
    autopsy::{self, Registers},
    flash::{self, Progress},
    identify,
    image::Image,
    plan::{Found, Plan},
    pump::{CoreState, Ended, Pump, Step},
    rate::{self, Measured},
    relay::Relay,
    rtt::{self, Watched},
    thread::Jobs,
    words::could_not,
};
use crate::{bus::environment, definition::Definition, pipe::PipeEnd};
use farm::TargetError;
use probe_rs::{
    MemoryInterface, Permissions, Session, Target,
    config::{Registry, TargetSelector},
    probe::{DebugProbeError, DebugProbeSelector, Probe, WireProtocol, list::Lister},
    rtt::Rtt,
};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long the core may take to halt.
const HALT: Duration = Duration::from_millis(500);
/// xPSR of a core that is about to execute its first instruction.
const THUMB: u32 = 1 << 24;
/// How long the runner may take from its first instruction to its RTT control block.
const RTT_APPEARS: Duration = Duration::from_secs(3);

/// How to get at a board.
#[derive(Debug, Clone)]
pub struct Access {
    /// The board's name, for errors.
    pub board: String,
    /// The probe, as probe-rs selects it: `0483:374b:066BFF…`.
    pub selector: String,
    /// The chip.
    pub chip: Target,
}

/// Where things lie that the probe reads or writes before the runner starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The word by which the link is chosen, and what it must be.
    pub link_request: Option<(u64, u32)>,
    /// The RTT control block; `None`: the link is a serial port.
    pub rtt: Option<u64>,
    /// The vector table, where the runner lies in RAM; `None`: the core starts from flash by itself.
    pub vectors_in_ram: Option<u64>,
}

/// Bytes that moved over the link, `true` for those from the chip.
pub type Seen = Box<dyn FnMut(bool, &[u8]) + Send>;

/// A board, attached.
pub struct Device {
    // Dropped first: it talks to the probe when it goes.
    session: Session,
    relay: Option<Relay>,
    board: String,
    rtt: Option<Rtt>,
    link: Option<Link>,
    ended: Option<Ended>,
}

struct Link {
    pipe: PipeEnd,
    pump: Pump,
    seen: Seen,
}

impl Drop for Link {
    fn drop(&mut self) {
        // Nothing new where the pump has said why it ended; but it may have panicked.
        self.pipe.end(Some("the thread at the probe has ended".to_owned()));
    }
}

impl Device {
    /// Opens the probe and attaches to the chip; where the chip does not answer, once more with its reset held.
    ///
    /// # Errors
    /// What the probe said.
    pub fn open(access: &Access) -> Result<Self, TargetError> {
        let relay = Relay::to(&access.selector)
            .map_err(|error| could_not(&format!("reach the probe {}", access.selector), &error))?;
        let selector = relay.as_ref().map_or(access.selector.as_str(), |relay| relay.selector());
        let selector: DebugProbeSelector = selector
            .parse()
            .map_err(|error| could_not(&format!("understand the probe's selector `{selector}`"), &error))?;
        let open = || -> Result<Probe, TargetError> {
            let mut probe = Lister::new()
                .open(selector.clone())
                .map_err(|error| not_opened(&access.selector, &selector, &error))?;
            // Probes that know but one protocol say so; it is the one they use then.
            if let Err(error) = probe.select_protocol(WireProtocol::Swd) {
                tracing::debug!(%error, "the probe chooses its protocol itself");
            }
            Ok(probe)
        };
        let chip = || TargetSelector::Specified(access.chip.clone());
        let attached = open()?.attach_with_registry(chip(), Permissions::default(), &Registry::new());
        let session = match attached {
            Ok(session) => session,
            // A relay leads to one connection, and its chip answers or has left.
            Err(error) if relay.is_some() => return Err(attach_error(access, &error)),
            Err(error) => {
                tracing::debug!(%error, board = access.board, "attaching again, under reset");
                let again = open()?.attach_under_reset_with_registry(chip(), Permissions::default(), &Registry::new());
                again.map_err(|_| attach_error(access, &error))?
            }
        };
        Ok(Self { session, relay, board: access.board.clone(), rtt: None, link: None, ended: None })
    }

    /// Reads who the board is, and compares. Nothing has been written before.
    ///
    /// # Errors
    /// [`TargetError::Bench`] where it is another, or what the probe said.
    pub fn identify(&mut self, definition: &Definition) -> Result<identify::Seen, TargetError> {
        let behind_a_socket = self.relay.is_some();
        let seen = identify::see(&mut self.core()?, definition, behind_a_socket)?;
        match identify::check(definition, &seen) {
            Ok(()) => Ok(seen),
            Err(what) => Err(TargetError::Bench(format!(
                "the board behind the probe is not {}: {what}; nothing was written",
                self.board
            ))),
        }
    }

    /// Reads the marks of what lies on the board. What cannot be read is as if empty: it is written then.
    ///
    /// # Errors
    /// What the probe said when it was asked for the core.
    pub fn found(&mut self, image: &Image) -> Result<Found, TargetError> {
        let mut core = self.core()?;
        // Some flashes cannot be read while the core runs from them.
        let halted = core.halt(HALT).or_else(|error| {
            // Whatever it was at: it is to run another program.
            tracing::debug!(%error, "the core does not halt and is reset");
            core.reset_and_halt(HALT)
        });
        halted.map_err(|error| could_not("halt the core", &error))?;
        let mut read = |range: std::ops::Range<u64>| {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            match core.read_8(range.start, &mut bytes) {
                Ok(()) => bytes,
                Err(error) => {
                    tracing::debug!(%error, address = range.start, "what lies there cannot be read");
                    Vec::new()
                }
            }
        };
        let [runner, model] = image.marks().map(&mut read);
        Ok(Found { runner, model })
    }

    /// Writes what the plan says, and reads it back.
    ///
    /// # Errors
    /// What the probe said.
    pub fn flash(&mut self, image: &Image, plan: Plan, progress: Progress<'_>) -> Result<(), TargetError> {
        let pieces = match plan {
            Plan::Nothing => return Ok(()),
            Plan::Model => vec![image.model.clone()],
            Plan::All => image.runner.iter().chain([&image.model]).cloned().collect(),
        };
        let written = flash::write(&mut self.session, pieces, &image.marks(), image.vectors_in_ram, progress);
        written.map_err(|error| self.or_left(error))
    }

    /// Resets the core and has it run, with the link that `start` asks for; waits until its RTT buffers are there.
    ///
    /// # Errors
    /// What the probe said; a core that does not come so far is said with where it is.
    pub fn start(&mut self, start: &Start) -> Result<(), TargetError> {
        let started = self.try_start(start);
        started.map_err(|error| self.or_left(error))
    }

    fn try_start(&mut self, start: &Start) -> Result<(), TargetError> {
        (self.rtt, self.ended) = (None, None);
        match start.vectors_in_ram {
            // It was reset and halted before its RAM was written.
            Some(vectors) => {
                self.begin_in_ram(vectors).map_err(|error| could_not("start the runner in RAM", &error))?
            }
            None => {
                self.core()?.reset_and_halt(HALT).map_err(|error| could_not("reset the core", &error))?;
            }
        }
        let mut core = self.session.core(0).map_err(|error| could_not("get hold of the core", &error))?;
        if let Some((address, word)) = start.link_request {
            core.write_word_32(address, word).map_err(|error| could_not("ask the runner for its link", &error))?;
        }
        if let Some(address) = start.rtt {
            rtt::forget(&mut core, address)?;
        }
        // Reading it takes note of this reset, so that the next one is told from it.
        rtt::state(&mut core)?;
        core.run().map_err(|error| could_not("run the core", &error))?;
        let Some(address) = start.rtt else { return Ok(()) };
        let since = Instant::now();
        loop {
            if let Some(rtt) = rtt::attach(&mut core, address)? {
                self.rtt = Some(rtt);
                return Ok(());
            }
            let state = rtt::state(&mut core)?;
            if state != CoreState::Runs || since.elapsed() > RTT_APPEARS {
                self.ended = Some(Ended::Core(state));
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn begin_in_ram(&mut self, vectors: u64) -> Result<(), probe_rs::Error> {
        self.session.prepare_running_on_ram(vectors, 0)?;
        let mut core = self.session.core(0)?;
        // The Thumb bit comes from the reset vector, and in flash there may be none.
        let xpsr = core.registers().core_registers().find(|register| register.name().eq_ignore_ascii_case("xPSR"));
        match xpsr.map(|register| register.id()) {
            Some(xpsr) => core.write_core_reg(xpsr, THUMB),
            None => Ok(()),
        }
    }

    /// Resets the core and lets it run, as a reset button does.
    ///
    /// # Errors
    /// What the probe said.
    pub fn reset(&mut self) -> Result<(), TargetError> {
        let mut core = self.core()?;
        core.reset().map_err(|error| could_not("reset the core", &error))?;
        // Takes note of this reset, so that the next one is told from it.
        rtt::state(&mut core).map(|_| ())
    }

    /// How fast the core's clock is, against the host's. See [`rate::measure`].
    ///
    /// # Errors
    /// What the probe said.
    pub fn measure_rate(&mut self) -> Result<Option<Measured>, TargetError> {
        rate::measure(&mut self.core()?)
    }

    /// From now on moves bytes between the runner and `pipe` until the link ends.
    pub fn connect(&mut self, pipe: PipeEnd, seen: Seen) {
        match &self.ended {
            // It never came so far.
            Some(_) => pipe.end(None),
            None => self.link = Some(Link { pipe, pump: Pump::default(), seen }),
        }
    }

    /// Why the link ended, if it has.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Halts the core and reads its registers.
    ///
    /// # Errors
    /// What the probe said.
    pub fn examine(&mut self) -> Result<Registers, TargetError> {
        autopsy::examine(&mut self.core()?)
    }

    /// Whether there is a link to be served.
    pub(super) fn is_linked(&self) -> bool {
        self.link.is_some()
    }

    /// Serves the link until somebody asks for something else or the link ends.
    pub(super) fn serve(&mut self, jobs: &Jobs) {
        let Some(Link { pipe, pump, seen }) = &mut self.link else { return };
        let ended = match self.session.core(0) {
            Ok(mut core) => {
                let mut watched = Watched { core: &mut core, rtt: self.rtt.as_mut() };
                loop {
                    if jobs.waiting() {
                        return;
                    }
                    match pump.step(&mut watched, pipe, seen) {
                        Step::Busy => {}
                        Step::Idle => thread::park_timeout(super::pump::IDLE),
                        Step::Ended(ended) => break ended,
                    }
                }
            }
            Err(error) => {
                let words = could_not("get hold of the core", &error).to_string();
                pipe.end(Some(words.clone()));
                Ended::Probe(words)
            }
        };
        self.link = None;
        self.ended = Some(match ended {
            Ended::Probe(words) => Ended::Probe(self.or_left(TargetError::Bench(words)).to_string()),
            ended => ended,
        });
    }

    fn core(&mut self) -> Result<probe_rs::Core<'_>, TargetError> {
        self.session.core(0).map_err(|error| could_not("get hold of the core", &error))
    }

    /// An error of the probe, in plain words where it is that the probe has left.
    fn or_left(&mut self, error: TargetError) -> TargetError {
        if self.relay.as_ref().is_some_and(|relay| !relay.left()) {
            // An error may arrive before the news that the probe has left: asked once more, it answers or is gone.
            let _ = self.session.core(0).and_then(|mut core| core.status());
        }
        match &self.relay {
            Some(relay) if relay.left() => TargetError::Bench(format!("the probe has left: {error}")),
            _ => error,
        }
    }
}

/// A probe that this user may not open is no fault of the bench, and some drivers say of it that it is not there.
fn not_opened(said: &str, selector: &DebugProbeSelector, error: &DebugProbeError) -> TargetError {
    match environment::denied(Path::new("/"), selector) {
        Some(problem) => TargetError::Blocked(format!("{}: {}", problem.what, problem.mend)),
        None => could_not(&format!("open the probe {said}"), error),
    }
}

fn attach_error(access: &Access, error: &probe_rs::Error) -> TargetError {
    could_not(&format!("attach to the {} of {}", access.chip.name, access.board), error)
}
