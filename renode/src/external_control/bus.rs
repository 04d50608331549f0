//! Reads and writes on the system bus.

use bytes::BufMut;

use super::codec::Command;
use super::{ExternalControl, ExternalControlError, short};

/// Bytes that one write carries at most: Renode reads a request in pieces of 16 bytes and takes quadratic time (1 KiB
/// 13 ms, 64 KiB over 10 s).
pub const WRITE_CHUNK: usize = 512;

/// Bytes that one read asks for at most.
pub const READ_CHUNK: usize = 4096;

/// Width of each bus access, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// As the bus likes best, for memory.
    Block = 0,
    /// One byte.
    U8 = 1,
    /// Two bytes.
    U16 = 2,
    /// Four bytes.
    U32 = 4,
    /// Eight bytes.
    U64 = 8,
}

impl Width {
    /// Bytes of a unit.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Block => 1,
            width => width as usize,
        }
    }
}

/// The bus of a machine, from [`ExternalControl::system_bus`].
///
/// After the machine was removed an access ends Renode: drop this first. An address where nothing is reads as zero and
/// takes writes without an error (the log of Renode tells). For more than a few KiB use `sysbus LoadBinary`.
#[derive(Clone, Debug)]
pub struct SystemBus {
    control: ExternalControl,
    id: i32,
}

macro_rules! units {
    ($($read:ident $write:ident $type:ty, $width:ident, $what:literal;)*) => {$(
        #[doc = concat!("Reads ", $what, ", little-endian, in one access.")]
        ///
        /// # Errors
        /// Where Renode refuses or the connection is gone.
        pub async fn $read(&self, address: u64) -> Result<$type, ExternalControlError> {
            let data = self.read(address, Width::$width, size_of::<$type>()).await?;
            Ok(<$type>::from_le_bytes(data.as_slice().try_into().map_err(|_| short(Command::SystemBus))?))
        }

        #[doc = concat!("Writes ", $what, ", little-endian, in one access.")]
        ///
        /// # Errors
        /// Where Renode refuses or the connection is gone.
        pub async fn $write(&self, address: u64, value: $type) -> Result<(), ExternalControlError> {
            self.write(address, Width::$width, &value.to_le_bytes()).await
        }
    )*};
}

impl SystemBus {
    pub(super) const fn new(control: ExternalControl, id: i32) -> Self {
        Self { control, id }
    }

    units! {
        read_u8 write_u8 u8, U8, "one byte";
        read_u16 write_u16 u16, U16, "two bytes";
        read_u32 write_u32 u32, U32, "four bytes";
        read_u64 write_u64 u64, U64, "eight bytes";
    }

    /// Reads `length` bytes in units of `width`; the units keep their order, each is little-endian. No bytes are read
    /// without asking Renode, whose answer to that is broken.
    ///
    /// # Errors
    /// [`ExternalControlError::Unit`], [`ExternalControlError::AddressRange`] before anything is sent.
    pub async fn read(&self, address: u64, width: Width, length: usize) -> Result<Vec<u8>, ExternalControlError> {
        check(address, width, length)?;
        let mut read = Vec::with_capacity(length);
        while read.len() < length {
            let size = READ_CHUNK.min(length - read.len());
            let frame = self.operation(0, address + read.len() as u64, width, size);
            let data = self.control.data(Command::SystemBus, &frame).await?;
            if data.len() != size {
                return Err(short(Command::SystemBus));
            }
            read.extend_from_slice(&data);
        }
        Ok(read)
    }

    /// Writes `data` in units of `width`, at most [`WRITE_CHUNK`] bytes at a time: a future dropped midway leaves the
    /// rest unwritten.
    ///
    /// # Errors
    /// [`ExternalControlError::Unit`], [`ExternalControlError::AddressRange`] before anything is sent.
    pub async fn write(&self, address: u64, width: Width, data: &[u8]) -> Result<(), ExternalControlError> {
        check(address, width, data.len())?;
        let mut at = address;
        for chunk in data.chunks(WRITE_CHUNK) {
            let mut frame = self.operation(1, at, width, chunk.len());
            frame.put_slice(chunk);
            self.control.request(Command::SystemBus, &frame).await?;
            at = at.wrapping_add(chunk.len() as u64);
        }
        Ok(())
    }

    /// The head of a request for `size` bytes, which are whole units and no more than a chunk.
    fn operation(&self, operation: u8, address: u64, width: Width, size: usize) -> Vec<u8> {
        let mut data = Vec::with_capacity(18 + size);
        data.put_i32_le(self.id);
        data.put_u8(operation);
        data.put_u8(width as u8);
        data.put_u64_le(address);
        data.put_u32_le((size / width.bytes()) as u32);
        data
    }
}

/// The last byte must have an address.
fn check(address: u64, width: Width, length: usize) -> Result<(), ExternalControlError> {
    if !length.is_multiple_of(width.bytes()) {
        return Err(ExternalControlError::Unit { length, width: width.bytes() });
    }
    if length > 0 && address.checked_add(length as u64 - 1).is_none() {
        return Err(ExternalControlError::AddressRange { address, length });
    }
    Ok(())
}
