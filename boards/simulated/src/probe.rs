//! The debug probe: one debugger, from when it connects until one of the two leaves.

use crate::{
    core::CoreError,
    dap::{Ack, Dap},
    device::Left,
    faults::Fault,
    glasgow::{Request, Wire, WireError},
    machine::Machine,
};
use std::{
    io::{self, ErrorKind, Read, Write},
    thread,
    time::Duration,
};

/// By how much each answer is late on a board that is to be slow.
const SLOWNESS: Duration = Duration::from_millis(20);

/// Why a debugger is not served any longer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It does not speak as it should.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// QEMU.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// Serves a debugger.
///
/// # Errors
/// When it does not speak a Glasgow's language, or QEMU fails.
pub fn serve(mut stream: impl Read + Write, machine: &mut Machine) -> Result<Left, ProbeError> {
    machine.core.connected(machine.faults.clone());
    machine.core.pretend_to_be_another(machine.faults.take(Fault::WrongChip));
    let mut dap = Dap::default();
    let mut wire = Wire::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Before it leaves, for whatever reason, it answers what it was asked: probe-rs 0.32 waits for that for ever, even
        // on a connection that has ended.
        let size = match stream.read(&mut buffer) {
            Ok(0) => return Ok(Left::Debugger),
            Ok(size) => size,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Ok(gone(&error)),
        };
        let mut leaves = Ok(false);
        for request in wire.receive(&buffer[..size])? {
            leaves = act(request, machine, &mut dap).map(|(acks, leaves)| {
                wire.answer(if leaves { &[Ack::None] } else { &acks });
                leaves
            });
            if !matches!(leaves, Ok(false)) {
                break;
            }
        }
        if leaves.is_err() {
            wire.answer(&[Ack::None]);
        }
        if machine.core.is_slow() {
            // What the fault asks for: nothing can be awaited here.
            thread::sleep(SLOWNESS);
        }
        if let Err(error) = stream.write_all(&wire.take_out()) {
            return Ok(gone(&error));
        }
        if leaves? {
            return Ok(Left::Probe);
        }
    }
}

/// Does what the debugger asks for. `true` when the probe leaves then.
fn act(request: Request, machine: &mut Machine, dap: &mut Dap) -> Result<(Vec<Ack>, bool), CoreError> {
    let mut acks = Vec::new();
    match request {
        // The reset pin: the core starts when it is let go.
        Request::HoldReset(true) => {}
        Request::HoldReset(false) => machine.debug.reset(&mut machine.core)?,
        Request::Transfers(transfers) => acks = dap.transfer(&transfers, machine)?,
    }
    let leaves = machine.core.probe_leaves() || machine.show_faults()?.is_some();
    Ok((acks, leaves))
}

/// A connection that fails is one that ended.
fn gone(error: &io::Error) -> Left {
    tracing::debug!(%error, "the debugger's connection has ended");
    Left::Debugger
}
