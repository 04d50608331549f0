//! Analogue-to-digital converters.
//!
//! The frames are those of Renode's sources (1.16.1); only the refusals were seen on the wire.

use bytes::{Buf, BufMut};

use super::codec::Command;
use super::{ExternalControl, ExternalControlError, short};

/// An analogue-to-digital converter, from [`ExternalControl::adc`].
#[derive(Clone, Debug)]
pub struct Adc {
    control: ExternalControl,
    id: i32,
    name: String,
    channels: u32,
}

impl Adc {
    /// Asks for the number of channels, for a channel that does not exist may end Renode, as a GPIO pin does.
    pub(super) async fn new(control: ExternalControl, id: i32, name: &str) -> Result<Self, ExternalControlError> {
        let mut data = Vec::with_capacity(5);
        data.put_i32_le(id);
        data.put_u8(0);
        let channels = control.number(Command::Adc, &data).await?;
        let channels = u32::try_from(channels)
            .map_err(|_| ExternalControlError::Protocol(format!("{name} has {channels} channels")))?;
        Ok(Self { control, id, name: name.to_owned(), channels })
    }

    /// How many channels there are, counted from 0.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.channels
    }

    /// The value of a channel; its unit is the model's, in general microvolts.
    ///
    /// # Errors
    /// [`ExternalControlError::ChannelOutOfRange`] before anything is sent.
    pub async fn get(&self, channel: u32) -> Result<u32, ExternalControlError> {
        let data = self.operation(1, channel)?;
        self.control.data(Command::Adc, &data).await?.try_get_u32_le().map_err(|_| short(Command::Adc))
    }

    /// Sets the value of a channel; its unit is the model's, in general microvolts.
    ///
    /// # Errors
    /// [`ExternalControlError::ChannelOutOfRange`] before anything is sent.
    pub async fn set(&self, channel: u32, value: u32) -> Result<(), ExternalControlError> {
        let mut data = self.operation(2, channel)?;
        data.put_u32_le(value);
        self.control.request(Command::Adc, &data).await.map(drop)
    }

    fn operation(&self, operation: u8, channel: u32) -> Result<Vec<u8>, ExternalControlError> {
        if channel >= self.channels {
            let (name, channels) = (self.name.clone(), self.channels);
            return Err(ExternalControlError::ChannelOutOfRange { name, channel, channels });
        }
        let mut data = Vec::with_capacity(13);
        data.put_i32_le(self.id);
        data.put_u8(operation);
        data.put_u32_le(channel);
        Ok(data)
    }
}
