//! The link of one machine: shared memory where it offers that, else the UART itself. Both carry the same protocol.

use super::SharedLink;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};

/// A byte stream to the runner in the guest.
#[derive(Debug)]
pub enum Link {
    /// Rings in shared memory.
    Memory(SharedLink),
    /// The guest's UART.
    Uart(UnixStream),
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Memory(link) => Pin::new(link).poll_read(cx, buf),
            Self::Uart(link) => Pin::new(link).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Memory(link) => Pin::new(link).poll_write(cx, from),
            Self::Uart(link) => Pin::new(link).poll_write(cx, from),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Memory(link) => Pin::new(link).poll_flush(cx),
            Self::Uart(link) => Pin::new(link).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Memory(link) => Pin::new(link).poll_shutdown(cx),
            Self::Uart(link) => Pin::new(link).poll_shutdown(cx),
        }
    }
}
