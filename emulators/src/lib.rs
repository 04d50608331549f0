//! The emulator stage: QEMU's Cortex-M machines as targets, and Renode's platforms. Each job has a QEMU of its own, which
//! ends with it, or a Renode for itself, which goes on to the next.
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
//! | [`renode`] | Renode's platforms, through the bindings in `renode/` |

pub mod bench;
pub mod ending;
pub mod engine;
pub mod launch;
pub mod link;
pub mod monitor;
pub mod qemu;
pub mod renode;
pub mod stderr;

pub use launch::Launch;
pub use qemu::Qemu;
pub use renode::RenodeTarget;

use engine::Engines;
use farm::{Fault, TargetError};
use firmware::Builder;
use std::{path::PathBuf, sync::Arc};

/// How the emulator stage is set up.
#[derive(Debug, Clone)]
pub struct EmulatorOptions {
    /// QEMU's program; `None`: `qemu-system-arm` on PATH.
    pub qemu: Option<PathBuf>,
    /// Renode's program, or the folder of a portable build; `None`: what the environment variable `RENODE` says, or `renode`
    /// on PATH, or what is in `portable_renode`.
    pub renode: Option<PathBuf>,
    /// Where portable builds of Renode are unpacked.
    pub portable_renode: PathBuf,
    /// Builds the runner for each machine.
    pub builder: Arc<Builder>,
}

impl EmulatorOptions {
    /// QEMU and Renode wherever they are found, with runners by `builder`.
    pub fn new(builder: Arc<Builder>) -> Self {
        Self { qemu: None, renode: None, portable_renode: PathBuf::new(), builder }
    }
}

/// Every machine that a port says QEMU runs, whether it can be used or not: [`farm::Target::availability`] tells.
pub fn machines(options: &EmulatorOptions) -> Vec<Arc<Qemu>> {
    let engines = Arc::new(Engines::new(options.qemu.clone()));
    let machine = |port| Qemu::new(port, engines.clone(), options.builder.clone()).map(Arc::new);
    firmware::ports().iter().filter_map(machine).collect()
}

fn blocked(error: impl std::error::Error) -> TargetError {
    TargetError::Blocked(error.to_string())
}

/// The memory that `port` has.
fn memory(port: &firmware::Port) -> Option<farm::Memory> {
    Some(farm::Memory { flash: port.flash?.length, ram: port.ram?.length })
}

/// Whether a model image of `needed` bytes has room in `available`.
fn fits(needed: u64, available: u64) -> Result<(), Fault> {
    if needed <= available { Ok(()) } else { Err(Fault::DoesNotFit { what: "model".into(), needed, available }) }
}
