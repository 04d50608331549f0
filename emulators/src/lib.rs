//! The emulator stage: QEMU's Cortex-M machines as targets. Each job has a QEMU of its own, which ends with it.
//!
//! | module | what lives there |
//! |---|---|
//! | [`qemu`] | a machine as a target: what the farm sees |
//! | [`engine`] | the program: where it is, which version, which machines |
//! | [`launch`] | one start of it: command line, model, memory, sockets |
//! | [`link`] | the protocol's byte stream: rings in shared memory, or the UART |
//! | [`bench`] | the process behind a session, ended on every path |
//! | [`ending`] | why it ended: the guest's fault, or the bench's |
//! | [`monitor`] | what it says over QMP |
//! | [`stderr`] | what it writes to its standard error |

pub mod bench;
pub mod ending;
pub mod engine;
pub mod launch;
pub mod link;
pub mod monitor;
pub mod qemu;
pub mod stderr;

pub use launch::Launch;
pub use qemu::Qemu;

use engine::Engines;
use farm::Target;
use firmware::Builder;
use std::{path::PathBuf, sync::Arc};

/// How the emulator stage is set up.
#[derive(Debug, Clone)]
pub struct EmulatorOptions {
    /// QEMU's program; `None`: `qemu-system-arm` on PATH.
    pub qemu: Option<PathBuf>,
    /// Builds the runner for each machine.
    pub builder: Arc<Builder>,
}

/// Every machine that a port says QEMU runs, whether it can be used or not: [`Target::availability`] tells.
pub fn targets(options: EmulatorOptions) -> Vec<Arc<dyn Target>> {
    machines(options).into_iter().map(|machine| machine as Arc<dyn Target>).collect()
}

/// The same, as what they are.
pub fn machines(options: EmulatorOptions) -> Vec<Arc<Qemu>> {
    let engines = Arc::new(Engines::new(options.qemu));
    let machine = |port| Qemu::new(port, engines.clone(), options.builder.clone()).map(Arc::new);
    firmware::ports().iter().filter_map(machine).collect()
}
