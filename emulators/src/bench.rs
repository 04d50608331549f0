//! What stands behind a session on an emulated machine: one QEMU process, ended on every path.

use crate::{
    ending::Ending,
    launch::Started,
    link::{Broken, Link, SharedLink},
    monitor::Monitor,
    stderr::Stderr,
};
use async_trait::async_trait;
use farm::{Clock, Fault, TargetError};
use firmware::{
    Bench, Firmware, Instructions,
    process::{Child, is_stopped},
    protocol::Hello,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

/// How long a QEMU whose UART has ended may take to end itself (to print a register dump, say).
const PATIENCE: Duration = Duration::from_secs(3);

/// A QEMU process and what it says.
#[derive(Debug)]
pub struct QemuBench {
    /// `None` once it was handed to the task that sees it off.
    child: Option<Child>,
    monitor: Monitor,
    stderr: Stderr,
    firmware: Arc<Firmware>,
    instructions: Instructions,
    broken: Option<Broken>,
}

impl QemuBench {
    /// The bench of a QEMU that runs `firmware`; its UART and rings are returned to be the session's link.
    pub fn new(started: Started, firmware: Arc<Firmware>, instructions: Instructions) -> (Self, Link) {
        let Started { child, uart, monitor, rings, stderr } = started;
        let (link, broken) = match rings {
            Some(rings) => {
                let link = SharedLink::new(rings, uart);
                let broken = link.broken();
                (Link::Memory(link), Some(broken))
            }
            None => (Link::Uart(uart), None),
        };
        let monitor = Monitor::listen(monitor);
        (Self { child: Some(child), monitor, stderr, firmware, instructions, broken }, link)
    }

    /// The process's id, while it has one.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }
}

#[async_trait]
impl Bench for QemuBench {
    fn clock(&self, _: &Hello) -> Clock {
        Clock::QemuInstructions
    }

    fn ticks(&self, ticks: u64) -> u64 {
        self.instructions.of_ticks(ticks)
    }

    async fn why_ended(&mut self) -> Option<TargetError> {
        if let Some(detail) = self.broken.as_ref().and_then(|broken| broken.get()) {
            return Some(Fault::Crash { detail: detail.clone() }.into());
        }
        let child = self.child.as_mut()?;
        let Ok(status) = timeout(PATIENCE, child.wait()).await else {
            return Some(TargetError::Bench("QEMU runs on, but the guest's UART has ended".to_owned()));
        };
        let status = match status {
            Ok(status) => status,
            Err(error) => return Some(TargetError::Bench(format!("QEMU ended, and how is not known: {error}"))),
        };
        let heard = self.monitor.last_words().await;
        let ending = Ending { status, stderr: &self.stderr.text(), heard };
        Some(ending.explain(|address| self.firmware.symbol(address)))
    }

    async fn stopped(&mut self) -> Option<String> {
        self.pid().filter(|pid| is_stopped(*pid)).map(|pid| format!("somebody stopped QEMU (process {pid})"))
    }

    fn log(&self) -> String {
        let parts = [self.monitor.log(), self.stderr.text()];
        parts.iter().filter(|part| !part.is_empty()).map(|part| format!("{part}\n")).collect()
    }

    async fn close(mut self: Box<Self>) {
        if let Some(mut child) = self.child.take() {
            see_off(&mut child).await;
        }
    }
}

impl Drop for QemuBench {
    /// Kills at once; a task of its own waits for the end, so that no zombie is left.
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.start_kill();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { see_off(&mut child).await });
        }
    }
}

/// Kills `child` and waits until it is gone. A process in the kernel's hands (a dead disk) cannot be waited for without
/// end; it dies when the kernel lets go of it.
async fn see_off(child: &mut Child) {
    for _ in 0..3 {
        let _ = child.start_kill();
        if timeout(Duration::from_secs(2), child.wait()).await.is_ok_and(|ended| ended.is_ok()) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    tracing::warn!(pid = child.id(), "QEMU was killed and is not gone");
}
