//! A machine of QEMU as a target: a fresh process for each job.

use crate::{
    bench::QemuBench,
    blocked,
    engine::{Engine, Engines},
    fits,
    launch::Launch,
};
use async_trait::async_trait;
use farm::{Availability, Clock, JobSpec, Session, Slots, Stage, Target, TargetError, TargetId, TargetInfo};
use firmware::{
    Builder, ExpectedRunner, Firmware, Instructions, Load, ModelImage, Port, RunnerSession, port::Qemu as QemuPort,
};
use std::sync::Arc;

/// One of QEMU's machines.
#[derive(Debug)]
pub struct Qemu {
    info: TargetInfo,
    port: Port,
    machine: QemuPort,
    engines: Arc<Engines>,
    builder: Arc<Builder>,
}

impl Qemu {
    /// The target that runs `port`; `None` where QEMU does not run it.
    pub fn new(port: &Port, engines: Arc<Engines>, builder: Arc<Builder>) -> Option<Self> {
        let machine = port.qemu.clone()?;
        let info = TargetInfo {
            id: TargetId(format!("qemu:{}", machine.machine)),
            stage: Stage::Emulator,
            core: port.core.clone(),
            clock: Clock::QemuInstructions,
            slots: Slots::Shared,
            simulated: false,
            tags: Vec::new(),
            kind: None,
            memory: crate::memory(port),
        };
        Some(Self { info, port: port.clone(), machine, engines, builder })
    }

    /// The port it runs.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// How QEMU is started for a job: what a benchmark's bare loop starts, too.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where QEMU or the firmware is not to be had.
    pub async fn launch(&self) -> Result<Launch, TargetError> {
        let (engine, firmware) = self.parts().await?;
        Ok(self.launch_of(&engine, &firmware))
    }

    fn launch_of(&self, engine: &Engine, firmware: &Firmware) -> Launch {
        Launch {
            qemu: engine.path.clone(),
            machine: self.machine.machine.clone(),
            icount_shift: self.machine.icount_shift,
            elf: firmware.elf.clone(),
            model_address: (!firmware.holds_model).then_some(firmware.model_start),
            shared_memory: self.port.shared_memory.map(|memory| memory.file_size()),
        }
    }

    /// The program and the firmware; both are remembered, so only the first call takes time.
    async fn parts(&self) -> Result<(Arc<Engine>, Arc<Firmware>), TargetError> {
        let engine = self.engines.find_for(&self.machine.machine).await.map_err(blocked)?;
        let firmware = self.builder.build(&self.port).await.map_err(blocked)?;
        Ok((engine, firmware))
    }
}

#[async_trait]
impl Target for Qemu {
    fn info(&self) -> &TargetInfo {
        &self.info
    }

    async fn availability(&self) -> Availability {
        match self.engines.find_for(&self.machine.machine).await {
            Ok(engine) => Availability::Ready { tool: format!("QEMU {}", engine.version) },
            Err(error) => Availability::Absent { reason: error.to_string() },
        }
    }

    async fn prepare(&self) -> Result<(), TargetError> {
        self.parts().await.map(|_| ())
    }

    async fn prepare_for(&self, job: &JobSpec) -> Result<(), TargetError> {
        if job.own_firmware {
            self.builder.own(&self.port, &job.model).await.map_err(|error| error.verdict())?;
        }
        Ok(())
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let (engine, mut firmware) = self.parts().await?;
        if job.own_firmware {
            firmware = self.builder.own(&self.port, &job.model).await.map_err(|error| error.verdict())?;
        }
        fits(ModelImage::size(&job.model), firmware.model_room)?;
        let launch = self.launch_of(&engine, &firmware);
        let started = launch
            .start(&ModelImage::encode(&job.model))
            .await
            .map_err(|error| TargetError::Bench(format!("QEMU could not be started: {error}")))?;
        tracing::debug!(pid = started.child.id(), machine = launch.machine, "QEMU started");
        let instructions = Instructions { clock_hz: self.port.clock_hz, icount_shift: self.machine.icount_shift };
        let (bench, link) = QemuBench::new(started, firmware.clone(), instructions);
        let session = RunnerSession::open(link, bench, job, Load::Beside, ExpectedRunner::from(firmware)).await?;
        Ok(Box::new(session))
    }
}
