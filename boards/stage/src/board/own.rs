//! A session with firmware of the user's own, which speaks `firmware/PROTOCOL.md` over a serial port.

use super::{Board, bench::BoardBench, ending::Ending, hook, open::PORT_COMES_BACK};
use crate::{
    definition::{Link, Reset},
    pipe::pipe,
    probe::Device,
    serial,
};
use farm::{JobSpec, Session, TargetError};
use firmware::{ExpectedRunner, Load, RunnerSession};
use std::{sync::atomic::Ordering, time::Duration};

/// How long the probe may take to reset the core.
const RESET: Duration = Duration::from_secs(10);

impl Board {
    /// Flashes by the user's command (once in a run, and again after a failure), resets, shakes hands. The model must be
    /// the one that the firmware says it holds, or one that it takes in a LOAD frame.
    pub(super) async fn open_own(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let Link::Serial(port) = &self.definition.link else {
            return Err(TargetError::Blocked(
                "firmware of your own speaks over a serial port: say `link = \"serial\"` in the board's definition"
                    .to_owned(),
            ));
        };
        let notes = self.begin_notes();
        let bench = |error: String| TargetError::Bench(error);
        if let Some(flash) = &self.definition.flash
            && !self.flashed.load(Ordering::SeqCst)
        {
            // Before the first write; and the probe is the command's, then.
            if self.parts()?.chip.is_some() {
                self.identified().await?;
                self.let_go().await?;
            }
            hook::run(flash).await.map_err(bench)?;
            self.flashed.store(true, Ordering::SeqCst);
        }
        let opened = serial::reopen(&self.port_identity().await?, port.baud, notes.raw.clone(), PORT_COMES_BACK).await;
        let mut port = opened.map_err(|error| error.ended())?;
        let (load, expected) = (Load::IfOther, ExpectedRunner::any());
        let behind = |thread| BoardBench { thread, firmware: None, ticks: None, notes };

        if self.parts()?.chip.is_some() {
            let thread = self.identified().await?;
            let (stream, end) = pipe(1, thread.waker());
            let reset = move |device: &mut Device| {
                device.reset()?;
                device.connect(end, Box::new(|_, _| ()));
                Ok(())
            };
            thread.call("resetting the board", RESET, reset).await?;
            let session =
                RunnerSession::open(Ending::new(port, stream), behind(Some(thread)), job, load, expected).await?;
            return Ok(Box::new(session));
        }
        match &self.definition.reset {
            Some(Reset::Dtr) => port.pulse_dtr().await.map_err(|error| bench(format!("DTR: {error}")))?,
            Some(Reset::Rts) => port.pulse_rts().await.map_err(|error| bench(format!("RTS: {error}")))?,
            Some(Reset::Command(reset)) => hook::run(reset).await.map_err(bench)?,
            None => {}
        }
        Ok(Box::new(RunnerSession::open(port, behind(None), job, load, expected).await?))
    }
}
