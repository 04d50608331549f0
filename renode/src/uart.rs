//! A UART as a byte stream, as seen with Renode 1.16.1.
//!
//! The other end is `emulation CreateServerSocketTerminal PORT "name" false` and `connector Connect sysbus.usart1 name`;
//! the `false` switches off the telnet preamble and the doubling of 0xFF, so every byte is the firmware's.
//!
//! - **Out of the firmware**: bytes come in order. What was sent while nobody was connected is kept for the next client.
//! - **Into the firmware**: a byte arrives at the beginning of the quantum after the host's network delivered it (`emulation
//!   SetGlobalQuantum`, 100 us or so). When that is depends on the host: with the emulation paused a write is only
//!   *on its way*, and a run shorter than a quantum does not take it in. The same bytes at the same virtual time in every
//!   run need `sysbus.usart1 WriteChar 0x41` while paused ([`Machine::write_char`](crate::Machine::write_char)).
//! - Nothing moves while the emulation is paused.
//! - One client at a time: a second one is accepted by the host's kernel and hears nothing until the first has closed.
//! - `machine Reset` keeps the connection, `Clear` closes it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, ToSocketAddrs};

/// A UART as a byte stream; see the [module](self) for when bytes arrive.
#[derive(Debug)]
pub struct Uart {
    stream: TcpStream,
}

impl Uart {
    /// Connects to the port of a server socket terminal.
    ///
    /// # Errors
    /// Where nothing listens there.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Where Renode listens.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// The connection itself.
    #[must_use]
    pub fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Uart {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Uart {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
