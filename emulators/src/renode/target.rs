//! A platform of Renode as a target.

use super::{
    bench::RenodeBench,
    finder::{Finder, Found},
    machine,
    pool::Pool,
};
use crate::{blocked, fits};
use async_trait::async_trait;
use farm::{Availability, Clock, JobSpec, Session, Slots, Stage, Target, TargetError, TargetId, TargetInfo};
use firmware::{Builder, ExpectedRunner, Firmware, Load, ModelImage, Port, RunnerSession, port::Renode as Platform};
use std::sync::Arc;

/// One of Renode's platforms.
#[derive(Debug)]
pub struct RenodeTarget {
    info: TargetInfo,
    port: Port,
    platform: Platform,
    finder: Arc<Finder>,
    pool: Arc<Pool>,
    builder: Arc<Builder>,
}

impl RenodeTarget {
    /// The target that runs `port`; `None` where Renode does not run it.
    pub fn new(port: &Port, finder: Arc<Finder>, pool: Arc<Pool>, builder: Arc<Builder>) -> Option<Self> {
        let platform = port.renode.clone()?;
        let info = TargetInfo {
            id: TargetId(format!("renode:{}", platform.platform)),
            stage: Stage::Emulator,
            core: port.core.clone(),
            clock: Clock::RenodeVirtual,
            slots: Slots::Shared,
            simulated: false,
            tags: Vec::new(),
            kind: None,
            memory: crate::memory(port),
        };
        Some(Self { info, port: port.clone(), platform, finder, pool, builder })
    }

    /// The port it runs.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// The program and the firmware; both are remembered, so only the first call takes time.
    async fn parts(&self) -> Result<(&Found, Arc<Firmware>), TargetError> {
        let found = self.finder.find().await.map_err(blocked)?;
        let firmware = self.builder.build(&self.port).await.map_err(blocked)?;
        Ok((found, firmware))
    }
}

#[async_trait]
impl Target for RenodeTarget {
    fn info(&self) -> &TargetInfo {
        &self.info
    }

    async fn availability(&self) -> Availability {
        match self.finder.find().await {
            Ok(found) => Availability::Ready { tool: format!("Renode {}", found.version) },
            Err(absent) => Availability::Absent { reason: absent.to_string() },
        }
    }

    /// Builds the runner, which needs no Renode. None is started: one that cannot be is the bench's fault, and tried again.
    async fn prepare(&self) -> Result<(), TargetError> {
        self.builder.build(&self.port).await.map(drop).map_err(blocked)
    }

    async fn prepare_for(&self, job: &JobSpec) -> Result<(), TargetError> {
        if job.own_firmware {
            self.builder.own(&self.port, &job.model).await.map_err(|error| error.verdict())?;
        }
        Ok(())
    }

    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let (found, mut firmware) = self.parts().await?;
        if job.own_firmware {
            firmware = self.builder.own(&self.port, &job.model).await.map_err(|error| error.verdict())?;
        }
        fits(ModelImage::size(&job.model), firmware.model_room)?;
        let taken = self.pool.take(&found.installation).await;
        let taken = taken.map_err(|error| TargetError::Bench(error.to_string()))?;
        let Some(renode) = taken.renode() else { return Err(TargetError::Bench("there is no Renode".to_owned())) };
        let uart = match machine::start(renode, &self.platform, &firmware, &ModelImage::encode(&job.model)).await {
            Ok(uart) => uart,
            Err(error) => {
                taken.end().await;
                return Err(error);
            }
        };
        let bench = RenodeBench::new(taken, firmware.clone());
        let session = RunnerSession::open(uart, bench, job, Load::Beside, ExpectedRunner::from(firmware)).await?;
        Ok(Box::new(session))
    }

    async fn shutdown(&self) {
        self.pool.end().await;
    }
}
