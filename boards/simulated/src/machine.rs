//! A simulated board's machine: the chip, its flash and the QEMU that executes, as the one thing that a probe sees and
//! that has power.

use crate::{
    board::Parts,
    chips::Chip,
    core::{Core, CoreError},
    device::{Device, Left},
    faults::{Fault, Faults},
    flash::Flash,
    probe,
    scs::Debug,
    stream::Stream,
};
use emulators::engine::{EngineError, Engines};
use std::{io, path::PathBuf};

/// Why there is no machine.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// QEMU is not there, too old, or has no such machine.
    #[error(transparent)]
    Qemu(#[from] EngineError),
    /// The system has no file descriptors left.
    #[error("a machine cannot be started: {0}")]
    System(io::Error),
    /// There is no port of the runner for it, which says how fast its instructions are.
    #[error(transparent)]
    Port(#[from] firmware::port::PortError),
    /// The runner's port does not say how QEMU executes it.
    #[error("the port {0} does not say how QEMU runs it; give its file a `qemu` key")]
    NotQemus(&'static str),
    /// The flash's file.
    #[error("the flash's file {} cannot be used: {source}; remove it to begin with an erased chip", path.display())]
    Flash {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// QEMU.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// A machine with power.
#[derive(Debug)]
pub struct Machine {
    pub(crate) core: Core,
    pub(crate) debug: Debug,
    pub(crate) faults: Faults,
}

impl Machine {
    /// Switches it on: its core runs what its flash holds.
    ///
    /// # Errors
    /// When QEMU or the flash's file cannot be used.
    pub fn start(parts: Parts) -> Result<Self, MachineError> {
        let Parts { chip, unique_id, flash: path, uart, qemu, faults, events } = parts;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MachineError::System)?;
        let program = runtime.block_on(Engines::new(qemu).find_for(chip.machine))?.path.clone();
        let port = firmware::port::port(chip.machine)?;
        let qemu = port.qemu.as_ref().ok_or(MachineError::NotQemus(chip.machine))?;
        let flash = Flash::open(chip, Some(&path)).map_err(|source| MachineError::Flash { path, source })?;
        let core = Core::power_on(chip, flash, unique_id, program, qemu.icount_shift, uart, events)?;
        Ok(Self { core, debug: Debug::default(), faults })
    }

    /// What it is.
    pub fn chip(&self) -> &'static Chip {
        self.core.chip()
    }

    /// Switches it off and on again: what flash holds is there again, all else is as new.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn power_cycle(&mut self) -> Result<(), CoreError> {
        self.debug = Debug::default();
        self.core.power_cycle()
    }

    /// Shows a fault that is due: in the firmware once it is at work, that is when the link has brought it a request for an
    /// inference. Says which of them takes the probe away.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub(crate) fn show_faults(&mut self) -> Result<Option<Fault>, CoreError> {
        if !self.core.at_work() {
            return Ok(None);
        }
        let at_work = [Fault::ProbeLeavesRunning, Fault::Lockup, Fault::Hang, Fault::HardFault, Fault::Slow];
        let Some(fault) = at_work.into_iter().find(|fault| self.faults.take(*fault)) else { return Ok(None) };
        self.core.break_down(fault)?;
        self.core.settle()?;
        Ok((fault == Fault::ProbeLeavesRunning).then_some(fault))
    }
}

impl Device for Machine {
    fn serve(&mut self, stream: Stream, _: &Faults) -> Result<Left, String> {
        probe::serve(stream, self).map_err(|error| error.to_string())
    }

    fn power_cycle(&mut self) -> Result<(), String> {
        self.power_cycle().map_err(|error| error.to_string())
    }
}
