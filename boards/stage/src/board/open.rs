//! From a free board to a session: attach, identify, flash what differs, run, shake hands.

use super::{
    Board, SimulatedBoard,
    bench::{BoardBench, DETACH, Notes, Remarks},
    ending::Ending,
};
use crate::{
    definition::Link,
    pipe::pipe,
    probe::{Access, Device, ProbeThread, device::Start, image::Image, plan::Plan},
    serial::{self, Identity},
};
use farm::{FarmEvent, Fault, JobSpec, Session, TargetError};
use firmware::{ExpectedRunner, Firmware, Load, RunnerSession, symbols};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::MutexGuard;

/// How long opening the probe and attaching may take.
pub(super) const ATTACH: Duration = Duration::from_secs(15);
/// How long reading a few words may take.
const READ: Duration = Duration::from_secs(10);
/// How long reset and start-up may take.
const START: Duration = Duration::from_secs(10);
/// How long a flash may take: this much, and a second for every [`SLOWEST`] bytes.
const FLASH: Duration = Duration::from_secs(30);
/// Bytes a second that the slowest probe flashes.
const SLOWEST: u64 = 2 << 10;
/// How long a probe may take to be found again that has left.
const PROBE_COMES_BACK: Duration = Duration::from_secs(5);
/// How long a serial port may take to come back after a flash.
pub(super) const PORT_COMES_BACK: Duration = Duration::from_secs(10);
/// Bytes of a link that wait on either side.
const PIPE: usize = 64 << 10;

/// Why there is no session.
struct Failed {
    error: TargetError,
    /// Something that lay on the board was taken for what it should be, and the handshake failed.
    stale: bool,
}

impl From<TargetError> for Failed {
    fn from(error: TargetError) -> Self {
        Self { error, stale: false }
    }
}

impl Board {
    /// A session with the farm's own runner. What lies on the board already is not flashed again; where that turns out
    /// to have been a mistake, all is flashed once.
    pub(super) async fn open_runner(
        &self,
        job: &JobSpec,
        firmware: Arc<Firmware>,
    ) -> Result<Box<dyn Session>, TargetError> {
        let began = Instant::now();
        let in_ram = self.port().is_some_and(|port| port.run_from_ram);
        let image = Arc::new(Image::of(&firmware, &job.model, in_ram)?);
        let notes = self.begin_notes();
        match self.try_open(job, &firmware, &image, began, None, &notes).await {
            Ok(session) => Ok(Box::new(session)),
            Err(Failed { error, stale: true }) if may_be_stale(&error) => {
                tracing::info!(board = %self.info.id, "{error}; all is flashed once more");
                self.let_go().await?;
                notes.remarks.add(format!("with what lay on the board there was no session: {error}"));
                let again = self.try_open(job, &firmware, &image, began, Some(Plan::All), &notes).await;
                again.map(|session| Box::new(session) as Box<dyn Session>).map_err(|failed| failed.error)
            }
            Err(failed) => Err(failed.error),
        }
    }

    async fn try_open(
        &self,
        job: &JobSpec,
        firmware: &Arc<Firmware>,
        image: &Arc<Image>,
        began: Instant,
        forced: Option<Plan>,
        notes: &Notes,
    ) -> Result<RunnerSession, Failed> {
        let Notes { raw, remarks } = notes;
        let thread = self.identified().await?;
        let plan = match forced {
            Some(plan) => plan,
            None => self.plan(&thread, image).await?,
        };
        self.flash(&thread, image, plan).await?;
        remarks.add(plan.word());
        // Opened before the core runs, so that its first word is heard, and after the flash, which may rename it.
        let port = match &self.definition.link {
            Link::Rtt => None,
            Link::Serial(port) => {
                let port = serial::reopen(&self.port_identity().await?, port.baud, raw.clone(), PORT_COMES_BACK).await;
                Some(port.map_err(|error| error.ended())?)
            }
        };
        let start = start_of(firmware, image, port.is_none());
        thread.call("starting the runner", START, move |device| device.start(&start)).await?;
        self.check_rate(&thread, remarks).await;

        let (stream, end) = pipe(PIPE, thread.waker());
        let seen = port.is_none().then(|| raw.clone());
        let connect = move |device: &mut Device| {
            let seen = move |from_chip: bool, bytes: &[u8]| match &seen {
                Some(raw) if from_chip => raw.received(bytes),
                Some(raw) => raw.sent(bytes),
                None => {}
            };
            device.connect(end, Box::new(seen));
            Ok(())
        };
        thread.call("connecting to the runner", READ, connect).await?;

        let ticks = self.ticks();
        let bench = BoardBench { thread: Some(thread), firmware: Some(firmware.clone()), ticks, notes: notes.clone() };
        let mut job = job.clone();
        let left = job.timeouts.open.saturating_sub(began.elapsed());
        // Time is kept to let go of the probe; and for a second try, for what lay there may be stale.
        let left = left - DETACH.min(left / 4);
        job.timeouts.open = if plan == Plan::All { left } else { left / 2 };
        let expected = ExpectedRunner::from(firmware.clone());
        let opened = match port {
            None => RunnerSession::open(stream, bench, &job, Load::Beside, expected).await,
            Some(port) => RunnerSession::open(Ending::new(port, stream), bench, &job, Load::Beside, expected).await,
        };
        opened.map_err(|error| Failed { error, stale: plan != Plan::All })
    }

    /// A thread that has attached to the board and found that it is the one.
    pub(super) async fn identified(&self) -> Result<ProbeThread, TargetError> {
        let thread = self.thread(self.access().await?).await?;
        let definition = self.definition.clone();
        thread.call("identifying the board", READ, move |device| device.identify(&definition)).await?;
        Ok(thread)
    }

    /// How to get at it.
    ///
    /// # Errors
    /// [`TargetError::Bench`] where its probe is not attached, and does not come back where it was.
    pub(super) async fn access(&self) -> Result<Access, TargetError> {
        let chip = self.parts()?.chip.clone();
        let chip = chip.ok_or_else(|| TargetError::Blocked("its definition names no probe".to_owned()))?;
        let selector = match &*self.play().await? {
            Some(played) => played.selector.clone(),
            None => match self.attached().await {
                // What was there a moment ago may have lost its contact, and is about to be found again.
                Err(_) if self.was_attached.load(Ordering::SeqCst) => self.comes_back(PROBE_COMES_BACK).await?.selector,
                attached => attached?.selector,
            },
        };
        Ok(Access { board: self.definition.name.clone(), selector, chip })
    }

    /// The simulated board, where the farm plays it itself; started if it is not yet.
    pub(super) async fn play(&self) -> Result<MutexGuard<'_, Option<SimulatedBoard>>, TargetError> {
        let mut played = self.simulated.lock().await;
        if played.is_none() && !self.is_shared() {
            let simulator = self.options.simulator.as_ref();
            let simulator =
                simulator.ok_or_else(|| TargetError::Blocked("simulated boards cannot be started here".to_owned()))?;
            *played = Some(simulator.start(&self.definition).await?);
        }
        Ok(played)
    }

    /// What its serial port is named by.
    pub(super) async fn port_identity(&self) -> Result<Identity, TargetError> {
        if let Some(identity) = self.definition.serial().and_then(|port| port.identity.clone()) {
            return Ok(identity);
        }
        let uart = self.play().await?.as_ref().and_then(|played| played.uart.clone());
        uart.map(Identity::Path).ok_or_else(|| TargetError::Blocked("its definition names no serial port".to_owned()))
    }

    async fn plan(&self, thread: &ProbeThread, image: &Arc<Image>) -> Result<Plan, TargetError> {
        if image.vectors_in_ram.is_some() {
            // It may have been changed by what ran since.
            return Ok(Plan::All);
        }
        let wanted = image.clone();
        let found = thread.call("reading what lies on the board", READ, move |device| device.found(&wanted)).await?;
        let plan = Plan::of(&found, &image.wanted);
        tracing::debug!(board = %self.info.id, ?plan, "what lies on the board was read");
        Ok(plan)
    }

    async fn flash(&self, thread: &ProbeThread, image: &Arc<Image>, plan: Plan) -> Result<(), TargetError> {
        if plan == Plan::Nothing {
            return Ok(());
        }
        let (news, target, image) = (self.options.news.clone(), self.info.id.clone(), image.clone());
        let limit = FLASH + Duration::from_secs(image.bytes() / SLOWEST);
        let write = move |device: &mut Device| {
            device.flash(&image, plan, &mut |done, total| {
                news.tell(FarmEvent::Flashing { target: target.clone(), done, total });
            })
        };
        thread.call("flashing", limit, write).await
    }

    /// Once in a run: whether the core's clock is as fast as claimed. Where it is not, its ticks tell no time.
    async fn check_rate(&self, thread: &ProbeThread, remarks: &Remarks) {
        let Some(claimed) = self.definition.clock_hz.filter(|_| !self.definition.is_simulated()) else { return };
        if self.measured.get().is_none() {
            let measure = move |device: &mut Device| {
                let first = device.measure_rate()?;
                match first {
                    // The runner may have switched its counter on in between.
                    Some(measured) if measured.agrees_with(claimed).is_err() => device.measure_rate(),
                    _ => Ok(first),
                }
            };
            match thread.call("measuring the core's clock", READ, measure).await {
                Ok(measured) => {
                    let _ = self.measured.set(measured);
                }
                Err(error) => tracing::debug!(%error, "the core's clock could not be measured"),
            }
        }
        if let Some(Err(words)) = self.measured.get().copied().flatten().map(|measured| measured.agrees_with(claimed)) {
            tracing::warn!(board = %self.info.id, "{words}");
            remarks.add(words);
        }
    }
}

fn start_of(firmware: &Firmware, image: &Image, by_rtt: bool) -> Start {
    let word = firmware.address(symbols::LINK_REQUEST).map(|address| (address, symbols::LINK_REQUEST_RTT));
    Start {
        link_request: word.filter(|_| by_rtt),
        rtt: firmware.address(symbols::RTT).filter(|_| by_rtt),
        vectors_in_ram: image.vectors_in_ram,
    }
}

/// Whether it may come of something that lay on the board and is not what its mark says.
fn may_be_stale(error: &TargetError) -> bool {
    match error {
        TargetError::Bench(_) => true,
        TargetError::Fault(fault) => {
            matches!(fault, Fault::ModelCorrupt { .. } | Fault::HardFault { .. } | Fault::Crash { .. })
        }
        TargetError::Blocked(_) => false,
    }
}
