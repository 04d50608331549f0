//! The thread on which a board's machine lives: it serves one debugger after the other, and switches the power.

use crate::{
    event::{Event, Events},
    faults::Faults,
    stream::Stream,
};
use std::sync::mpsc::Receiver;
use tokio::sync::mpsc::UnboundedSender;

/// How a debugger's connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The debugger left, or was made to.
    Debugger,
    /// The probe went away, as a fault wanted it.
    Probe,
}

/// What is behind the probe and the UART. Its methods may block; it is dropped on the thread that made it.
pub trait Device {
    /// Serves a debugger until it leaves, or `stream` is shut down.
    ///
    /// # Errors
    /// What the simulation failed at.
    fn serve(&mut self, stream: Stream, faults: &Faults) -> Result<Left, String>;

    /// Switches the power off and on again.
    ///
    /// # Errors
    /// What the simulation failed at.
    fn power_cycle(&mut self) -> Result<(), String>;
}

/// Something for the machine's thread to do.
#[derive(Debug)]
pub enum Work {
    /// Serve the debugger of this number.
    Serve(u64, Stream),
    /// Switch the power off and on again.
    PowerCycle,
}

/// Something that the desk has to know.
#[derive(Debug)]
pub enum News {
    /// The debugger of this number is not served any longer.
    Free(u64, Left),
    /// The power has been off and on.
    Cycled(Result<(), String>),
    /// The serial port has to be replaced.
    ReplaceUart,
}

/// Does the work until there is none to come.
pub fn run(
    device: &mut dyn Device,
    work: &Receiver<Work>,
    news: &UnboundedSender<News>,
    faults: &Faults,
    events: &Events,
) {
    let broken = |reason: &String| events.send(Event::Broken { reason: reason.clone() });
    for work in work {
        let told = match work {
            Work::Serve(number, stream) => {
                events.send(Event::Connected);
                let ending = stream.try_clone();
                let left = device.serve(stream, faults).inspect_err(broken).unwrap_or(Left::Debugger);
                // The desk holds a handle, too: only this ends it for the debugger. That the probe has left the debugger
                // hears from the desk, which takes it off the bus first: nobody is to find what is not there.
                if let (Left::Debugger, Ok(stream)) = (left, ending) {
                    stream.shutdown();
                }
                events.send(Event::Disconnected);
                News::Free(number, left)
            }
            Work::PowerCycle => {
                faults.power_cycled();
                let result = device.power_cycle().inspect_err(broken);
                events.send(Event::PowerCycled);
                News::Cycled(result)
            }
        };
        if news.send(told).is_err() {
            return;
        }
    }
}
