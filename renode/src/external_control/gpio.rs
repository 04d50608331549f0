//! GPIO ports and their events.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BufMut};

use super::codec::Command;
use super::{ExternalControl, ExternalControlError, short};

/// A pin that changed while [`ExternalControl::run_for`] ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The number given to [`Gpio::subscribe`].
    pub descriptor: i32,
    /// Virtual time, in whole microseconds.
    pub time: Duration,
    /// The new level.
    pub high: bool,
}

impl Event {
    /// Only GPIO has events in the versions spoken: u64 microseconds, u8 level, and padding that varies.
    pub(super) fn read(source: u8, descriptor: i32, mut data: &[u8]) -> Option<Self> {
        if source != Command::Gpio.number() || data.len() < 9 {
            tracing::warn!(source, descriptor, ?data, "unknown event");
            return None;
        }
        Some(Self { descriptor, time: Duration::from_micros(data.get_u64_le()), high: data.get_u8() != 0 })
    }
}

/// A GPIO port, from [`ExternalControl::gpio`].
#[derive(Clone, Debug)]
pub struct Gpio {
    control: ExternalControl,
    id: i32,
    name: String,
    pins: u32,
    /// Pins that Renode was seen to have.
    seen: Arc<Mutex<Vec<u32>>>,
}

impl Gpio {
    pub(super) fn new(control: ExternalControl, id: i32, name: &str, pins: u32) -> Self {
        Self { control, id, name: name.to_owned(), pins, seen: Arc::default() }
    }

    /// How many pins were declared.
    #[must_use]
    pub const fn pins(&self) -> u32 {
        self.pins
    }

    /// The level that the port drives on `pin`.
    ///
    /// # Errors
    /// [`ExternalControlError::PinOutOfRange`] before anything is sent, or [`ExternalControlError::CommandFailed`] where
    /// Renode has no such output.
    pub async fn get(&self, pin: u32) -> Result<bool, ExternalControlError> {
        let level = self.control.data(Command::Gpio, &self.operation(0, pin)?).await?;
        self.remember(pin);
        level.first().map(|level| *level != 0).ok_or_else(|| short(Command::Gpio))
    }

    /// Drives `pin` from outside.
    ///
    /// A pin that does not exist ends Renode, so the first time a pin is set its output is read, which is harmless:
    /// Renode answers that it has none. Use [`Gpio::set_input`] for what has inputs without outputs.
    ///
    /// # Errors
    /// [`ExternalControlError::PinOutOfRange`] where it is not one of the pins declared or Renode has none of that number;
    /// [`ExternalControlError::CommandFailed`] where the peripheral has no GPIO inputs.
    pub async fn set(&self, pin: u32, high: bool) -> Result<(), ExternalControlError> {
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(&pin) {
            match self.get(pin).await {
                Ok(_) => {}
                Err(ExternalControlError::CommandFailed { message, .. }) => {
                    tracing::debug!(pin, message, "not set");
                    return Err(self.out_of_range(pin));
                }
                Err(error) => return Err(error),
            }
        }
        self.set_input(pin, high).await
    }

    /// As [`Gpio::set`] without a look at Renode's pins: the number of pins declared must be right, or Renode ends.
    ///
    /// # Errors
    /// As [`Gpio::set`].
    pub async fn set_input(&self, pin: u32, high: bool) -> Result<(), ExternalControlError> {
        let mut data = self.operation(1, pin)?;
        data.put_u8(u8::from(high));
        self.control.request(Command::Gpio, &data).await.map(drop)
    }

    /// Tells changes of `pin` with `descriptor`, from now on, in the events of every [`ExternalControl::run_for`];
    /// changes at other times (a run by the monitor, a bus write) are not told.
    ///
    /// It cannot be undone: Renode keeps it until the machine goes, also for later clients, and twice for a pin
    /// subscribed twice. A later client that subscribes for itself should take other numbers.
    ///
    /// # Errors
    /// As [`Gpio::get`]; [`ExternalControlError::NoEvents`] before 1.15.3.
    pub async fn subscribe(&self, pin: u32, descriptor: i32) -> Result<(), ExternalControlError> {
        if !self.control.events {
            return Err(ExternalControlError::NoEvents);
        }
        let mut data = self.operation(2, pin)?;
        data.put_i32_le(descriptor);
        self.control.request(Command::Gpio, &data).await.map(drop)
    }

    fn operation(&self, operation: u8, pin: u32) -> Result<Vec<u8>, ExternalControlError> {
        if pin >= self.pins || i32::try_from(pin).is_err() {
            return Err(self.out_of_range(pin));
        }
        let mut data = Vec::with_capacity(13);
        data.put_i32_le(self.id);
        data.put_u8(operation);
        data.put_u32_le(pin);
        Ok(data)
    }

    fn out_of_range(&self, pin: u32) -> ExternalControlError {
        ExternalControlError::PinOutOfRange { name: self.name.clone(), pin, pins: self.pins }
    }

    fn remember(&self, pin: u32) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(&pin) {
            seen.push(pin);
        }
    }
}
