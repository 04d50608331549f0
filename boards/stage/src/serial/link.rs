//! An open serial port, read and written on the executor: the kernel tells when it is ready.

use super::{Identity, SerialError, resolve};
use crate::{bus::environment, raw_log::RawLog};
use rustix::{fs::OFlags, io::Errno};
use serialport::{ClearBuffer, ErrorKind, SerialPort as _, TTYPort};
use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};

/// How long a reset by DTR or RTS is held.
const PULSE: Duration = Duration::from_millis(100);

/// An open serial port. Its stream ends when the port goes away. Dropping it closes the port.
#[derive(Debug)]
pub struct SerialLink {
    port: AsyncFd<TTYPort>,
    path: PathBuf,
    log: RawLog,
}

/// Opens the port that `identity` means now, for this process alone, at `baud` bits per second, 8N1, without flow
/// control. What came before is thrown away; from then on nothing is: open it before the board is reset, and its first
/// line is there. Everything that goes over the wire goes to `log`.
///
/// To be called on the executor.
///
/// # Errors
/// [`SerialError`]
pub fn open(identity: &Identity, baud: u32, log: RawLog) -> Result<SerialLink, SerialError> {
    let path = resolve(identity)?;
    let failed = |why: String| SerialError::Open { identity: identity.clone(), path: path.clone(), baud, why };
    // A rate of 0 would hang up.
    let baud = if baud == 0 { return Err(failed("the rate is 0".to_owned())) } else { baud };
    let name = path.to_str().ok_or_else(|| failed("its name is no UTF-8".to_owned()))?;
    let port = TTYPort::open(&serialport::new(name, baud)).map_err(|error| match error.kind() {
        ErrorKind::NoDevice => SerialError::Busy {
            identity: identity.clone(),
            path: path.clone(),
            holder: environment::holder(Path::new("/"), &path),
        },
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => SerialError::Denied {
            identity: identity.clone(),
            path: path.clone(),
            mend: environment::mend_for_port(Path::new("/"), &path),
        },
        _ => failed(error.to_string()),
    })?;
    port.clear(ClearBuffer::Input).map_err(|error| failed(error.to_string()))?;
    let flags = rustix::fs::fcntl_getfl(fd(&port)).map_err(|error| failed(error.to_string()))?;
    rustix::fs::fcntl_setfl(fd(&port), flags | OFlags::NONBLOCK).map_err(|error| failed(error.to_string()))?;
    // SAFETY: the port owns its descriptor, which stays the same until it is dropped.
    let port = unsafe { AsyncFd::register(port) }.map_err(|error| failed(io::Error::from(error).to_string()))?;
    Ok(SerialLink { port, path, log })
}

fn fd(port: &TTYPort) -> BorrowedFd<'_> {
    // SAFETY: the port owns its descriptor and closes it when dropped, which the borrow keeps it from.
    unsafe { BorrowedFd::borrow_raw(port.as_raw_fd()) }
}

impl Drop for SerialLink {
    fn drop(&mut self) {
        // The kernel's close waits for what was written to go out, for half a minute where nobody takes it.
        let _ = self.port.get_ref().clear(ClearBuffer::Output);
    }
}

impl SerialLink {
    /// What it is called while it is open.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Drops DTR for a moment, which resets boards that are wired so. A pseudo-terminal has no such line: nothing
    /// happens.
    ///
    /// # Errors
    /// When the port does not do it.
    pub async fn pulse_dtr(&mut self) -> io::Result<()> {
        self.pulse(TTYPort::write_data_terminal_ready).await
    }

    /// The same with RTS.
    ///
    /// # Errors
    /// When the port does not do it.
    pub async fn pulse_rts(&mut self) -> io::Result<()> {
        self.pulse(TTYPort::write_request_to_send).await
    }

    async fn pulse(&mut self, set: fn(&mut TTYPort, bool) -> serialport::Result<()>) -> io::Result<()> {
        self.set(set, false)?;
        tokio::time::sleep(PULSE).await;
        self.set(set, true)
    }

    fn set(&mut self, set: fn(&mut TTYPort, bool) -> serialport::Result<()>, level: bool) -> io::Result<()> {
        match set(self.port.get_mut(), level) {
            Err(_) if is_pseudo_terminal(&self.path) => Ok(()),
            result => Ok(result?),
        }
    }
}

fn is_pseudo_terminal(path: &Path) -> bool {
    path.starts_with("/dev/pts")
}

/// Whether the port is gone: unplugged, or nobody has the other end of the pseudo-terminal.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::IO, Errno::NODEV, Errno::NXIO, Errno::PIPE];
    error.raw_os_error().is_some_and(|error| gone.iter().any(|gone| gone.raw_os_error() == error))
}

impl AsyncRead for SerialLink {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while buffer.remaining() > 0 {
            let mut ready = ready!(self.port.poll_read_ready(context))?;
            let room = buffer.initialize_unfilled();
            match ready.try_io(|port| Ok(rustix::io::read(fd(port.get_ref()), &mut *room)?)) {
                Ok(Ok(count)) => {
                    self.log.received(&room[..count]);
                    buffer.advance(count);
                    break;
                }
                // The stream ends: what became of the port is for others to find out.
                Ok(Err(error)) if is_gone(&error) => break,
                Ok(Err(error)) if error.kind() != io::ErrorKind::Interrupted => return Poll::Ready(Err(error)),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SerialLink {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.port.poll_write_ready(context))?;
            match ready.try_io(|port| Ok(rustix::io::write(fd(port.get_ref()), bytes)?)) {
                Ok(Ok(count)) => {
                    self.log.sent(&bytes[..count]);
                    return Poll::Ready(Ok(count));
                }
                Ok(Err(error)) if is_gone(&error) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Ok(Err(error)) if error.kind() != io::ErrorKind::Interrupted => return Poll::Ready(Err(error)),
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    /// What was written is with the kernel, which sends it as fast as the wire takes it.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
