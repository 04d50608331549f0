//! What a simulated board tells of itself while it works.

use crate::faults::Fault;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, mpsc},
};

/// Something that happened to a simulated board. As JSON: `{"event":"programmed","address":134217728,"bytes":1024}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// It is powered and can be found on its bench.
    Started,
    /// A debugger opened the probe.
    Connected,
    /// A debugger was refused, because the probe already serves another.
    Refused,
    /// The debugger left, or the probe left it.
    Disconnected,
    /// A piece of flash was erased.
    Erased {
        /// Where it begins.
        address: u32,
        /// Its size.
        bytes: u32,
    },
    /// A piece of flash was programmed.
    Programmed {
        /// Where it begins.
        address: u32,
        /// Its size.
        bytes: u32,
    },
    /// The core was reset: by the probe, or by itself.
    Reset,
    /// The core locked up.
    LockedUp,
    /// The power was off and is on again.
    PowerCycled,
    /// It was taken off the bus.
    Unplugged,
    /// It is back on the bus.
    Plugged,
    /// It stands at another place of its bench.
    Moved {
        /// The place it stands at now.
        place: String,
    },
    /// Its serial port is another device.
    UartRenamed {
        /// The device it is now.
        uart: PathBuf,
    },
    /// A planned fault was shown.
    FaultShown {
        /// Which.
        fault: Fault,
    },
    /// Something of the simulation itself failed, which no real board would do.
    Broken {
        /// What.
        reason: String,
    },
    /// It is gone, and everything that it had on the host.
    Stopped,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Connected => f.write_str("a debugger opened the probe"),
            Self::Refused => f.write_str("refused a second debugger"),
            Self::Disconnected => f.write_str("the probe is free"),
            Self::Erased { address, bytes } => write!(f, "erased {bytes} bytes at {address:#010x}"),
            Self::Programmed { address, bytes } => write!(f, "programmed {bytes} bytes at {address:#010x}"),
            Self::Reset => f.write_str("the core was reset"),
            Self::LockedUp => f.write_str("the core locked up"),
            Self::PowerCycled => f.write_str("power-cycled"),
            Self::Unplugged => f.write_str("unplugged"),
            Self::Plugged => f.write_str("plugged"),
            Self::Moved { place } => write!(f, "stands at {place} now"),
            Self::UartRenamed { uart } => write!(f, "the serial port is {} now", uart.display()),
            Self::FaultShown { fault } => write!(f, "showed the fault {fault}"),
            Self::Broken { reason } => write!(f, "the simulation failed: {reason}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// Where events go. Clones go to the same place; the default goes nowhere.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Events {
    /// Calls `hear` with each event, on the thread where it happens: it must not block.
    pub fn new(hear: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    /// Events that can be waited for, in their order.
    pub fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel();
        // Nobody listens any more: then nobody wants to know.
        (Self::new(move |event| drop(sender.send(event))), receiver)
    }

    /// Tells of an event.
    pub fn send(&self, event: Event) {
        if let Some(hear) = &self.0 {
            hear(event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Events(..)" } else { "Events(none)" })
    }
}
