//! The bare loop over probe-rs: attach, flash or not, reset, RTT, 100 inferences, as a program of a page would do it. No
//! farm, no identification, no timeouts, no second thread, and it never sleeps.

use crate::Result;
use boards::{chip::Chips, probe::image::Image};
use farm::{Dataset, Model};
use firmware::{
    Firmware,
    protocol::{Decoded, Decoder, Kind, Reply, frame::encode_into},
    symbols,
};
use probe_rs::{
    Core, MemoryInterface, Permissions, Session,
    config::{Registry, TargetSelector},
    flashing::DownloadOptions,
    probe::{DebugProbeSelector, list::Lister},
    rtt::{self, Rtt},
};
use std::time::Duration;

const HALT: Duration = Duration::from_millis(500);

/// What a job is made of, prepared as the farm prepares it: outside of its time.
pub struct BareJob {
    image: Image,
    link_request: u64,
    rtt: u64,
    requests: Vec<u8>,
    results: usize,
}

impl BareJob {
    /// The job that runs `model` over `dataset`.
    pub fn new(firmware: &Firmware, model: &Model, dataset: &Dataset) -> Result<Self> {
        let mut requests = Vec::new();
        encode_into(&mut requests, Kind::PrepareRequest as u8, 1, &[&[0; 4]]);
        for (index, input) in dataset.inputs().iter().enumerate() {
            encode_into(&mut requests, Kind::InferRequest as u8, index as u16 + 2, &[input]);
        }
        let address = |symbol: &str| firmware.address(symbol).ok_or_else(|| format!("no {symbol} in the firmware"));
        Ok(Self {
            image: Image::of(firmware, model, false)?,
            link_request: address(symbols::LINK_REQUEST)?,
            rtt: address(symbols::RTT)?,
            requests,
            results: dataset.len(),
        })
    }

    /// Runs it on the board behind the probe with this selector.
    pub fn run(&self, selector: &str, flash: bool) -> Result {
        let mut session = attach(selector)?;
        if flash {
            let mut loader = session.target().flash_loader();
            for (address, bytes) in self.image.runner.iter().chain([&self.image.model]) {
                loader.add_data(*address, bytes)?;
            }
            let mut options = DownloadOptions::default();
            options.verify = true;
            loader.commit(&mut session, options)?;
        }
        let mut core = session.core(0)?;
        let mut rtt = self.start(&mut core)?;
        self.infer(&mut core, &mut rtt)
    }

    /// Has the runner start with its link over RTT.
    fn start(&self, core: &mut Core<'_>) -> Result<Rtt> {
        core.reset_and_halt(HALT)?;
        core.write_word_32(self.link_request, symbols::LINK_REQUEST_RTT)?;
        core.write_word_32(self.rtt, 0)?;
        core.run()?;
        loop {
            match Rtt::attach_at(core, self.rtt) {
                Ok(rtt) => return Ok(rtt),
                Err(rtt::Error::ControlBlockNotFound | rtt::Error::ControlBlockCorrupted(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn infer(&self, core: &mut Core<'_>, rtt: &mut Rtt) -> Result {
        let (mut sent, mut left) = (0, self.results);
        let mut decoder = Decoder::new();
        let mut buffer = vec![0; 8 << 10];
        while left > 0 {
            if let (Some(down), true) = (rtt.down_channel(0), sent < self.requests.len()) {
                sent += down.write(core, &self.requests[sent..])?;
            }
            let up = rtt.up_channel(0).ok_or("the runner has no channel")?;
            let count = up.read(core, &mut buffer)?;
            decoder.push(&buffer[..count]);
            while let Some(decoded) = decoder.next() {
                let Decoded::Frame(frame) = decoded else { continue };
                match Kind::of(frame.kind) {
                    Some(Kind::Result) => left -= 1,
                    Some(Kind::Error | Kind::Fault) => {
                        return Err(format!("the runner answers {:?}", Reply::read(frame)).into());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Attaches to the simulated board behind a probe.
pub fn attach(selector: &str) -> Result<Session> {
    let selector: DebugProbeSelector = selector.parse()?;
    let chip = TargetSelector::Specified(Chips::shipped().target("sim-stm32f405")?);
    Ok(Lister::new().open(selector)?.attach_with_registry(chip, Permissions::default(), &Registry::new())?)
}

/// Makes a board as new: there is nothing in its flash.
pub fn erase(selector: &str) -> Result {
    let mut session = attach(selector)?;
    let mut progress = probe_rs::flashing::FlashProgress::empty();
    Ok(probe_rs::flashing::erase_all(&mut session, &mut progress, false)?)
}
