//! A serial link that ends when the core behind it does: the probe sees a lockup that the wire does not tell.

use crate::{pipe::PipeStream, serial::SerialLink};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The port, and the probe's word that the core has stopped.
#[derive(Debug)]
pub(super) struct Ending {
    port: SerialLink,
    core: PipeStream,
}

impl Ending {
    pub(super) fn new(port: SerialLink, core: PipeStream) -> Self {
        Self { port, core }
    }
}

impl AsyncRead for Ending {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // What the port still holds comes first.
        match Pin::new(&mut self.port).poll_read(context, buffer) {
            Poll::Pending => Pin::new(&mut self.core).poll_read(context, buffer),
            ready => ready,
        }
    }
}

impl AsyncWrite for Ending {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.port).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_shutdown(context)
    }
}
