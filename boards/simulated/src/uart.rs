//! The board's serial port on the host: a pseudo-terminal whose bytes take the time that they take on a wire.
//!
//! As with a USB adapter, what the board sends while nobody has the port open is lost.

use crate::faults::{Fault, Faults};
use firmware::protocol::frame::SYNC;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, fcntl_setfl, inotify, open},
    io::Errno,
    net::RecvFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr},
};
use std::{
    ffi::OsString,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt as _,
    },
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, unix::AsyncFd},
    net::UnixStream,
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// The rates a UART may have, baud.
pub const BAUD: std::ops::RangeInclusive<u32> = 300..=4_000_000;

/// What a disturbed line brings: no frame of the runner's protocol, and no text.
const GARBAGE: [u8; 24] =
    *b"\xff\xfe\x00\xa5\x5a\x00\x80\xff\x7f\x00\x13\x11\xde\xad\x00\xbe\xef\xff\xff\x00\xc3\x28\xf8\x88";

/// Makes bytes take as long as on a wire: 10 bits each (8N1).
#[derive(Debug)]
pub struct Pacer {
    byte: Duration,
    /// How far the wire may be ahead of the timer, whose steps are coarse: bytes come in bursts of so long at most.
    slack: Duration,
    /// When all bytes so far have passed.
    free: Instant,
}

impl Pacer {
    /// A wire of `baud` bits a second that has been idle.
    pub fn new(baud: u32) -> Self {
        let byte = Duration::from_secs(10) / baud;
        Self { byte, slack: Duration::from_millis(4).max(byte), free: Instant::now() }
    }

    /// How many bytes may go at once: half a burst.
    pub fn chunk(&self) -> usize {
        let bytes = self.slack.as_nanos() / (2 * self.byte.as_nanos()).max(1);
        usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
    }

    /// Waits until so many more bytes have passed.
    pub async fn pass(&mut self, bytes: usize) {
        let wire = self.byte * u32::try_from(bytes).unwrap_or(u32::MAX);
        let idle_since = Instant::now().checked_sub(self.slack).unwrap_or(self.free);
        self.free = self.free.max(idle_since) + wire;
        sleep_until(self.free).await;
    }
}

/// A pseudo-terminal. Dropping it hangs up: who has it open reads its end.
#[derive(Debug)]
pub struct Port {
    master: OwnedFd,
    /// Tells when somebody opens it.
    opens: OwnedFd,
    path: PathBuf,
}

impl Port {
    /// A new one, raw, which nobody has open.
    ///
    /// # Errors
    /// When there are none here, or no more of them; says which file is missing, and the mend.
    pub fn new() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.map_err(|error| not_opened(Path::new("/dev/ptmx"), error))?;
        grantpt(&master)?;
        unlockpt(&master)?;
        fcntl_setfl(&master, OFlags::NONBLOCK)?;
        let path = PathBuf::from(OsString::from_vec(ptsname(&master, Vec::new())?.into_bytes()));
        let opens = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&opens, &path, inotify::WatchFlags::OPEN).map_err(|error| not_opened(&path, error))?;
        let port = Self { master, opens, path };
        // Only once it was opened and closed does the master tell that nobody has it open.
        let slave = port.open_slave().map_err(|error| not_opened(&port.path, error))?;
        let mut terminal = tcgetattr(&slave)?;
        terminal.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &terminal)?;
        drop(slave);
        port.was_opened();
        Ok(port)
    }

    /// The device that a user opens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_slave(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
    }

    /// Whether somebody has it open.
    fn in_use(&self) -> bool {
        let mut fds = [PollFd::new(&self.master, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().contains(PollFlags::HUP)
    }

    /// Waits until somebody opens it; who does may have closed it again, after writing to it.
    async fn opened(&self) -> io::Result<()> {
        let opens = watched(&self.opens)?;
        while !self.in_use() {
            let mut ready = opens.readable().await?;
            ready.clear_ready();
            if self.was_opened() {
                break;
            }
        }
        Ok(())
    }

    /// Whether it was opened since this was last asked.
    fn was_opened(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 512];
        let mut events = inotify::Reader::new(&self.opens, &mut buffer);
        let mut any = false;
        while events.next().is_ok() {
            any = true;
        }
        any
    }

    /// After it was closed: forgets what nobody has read, unless somebody else has opened it meanwhile. `false` where it
    /// cannot be opened again, because who had it open claimed it for himself alone (TIOCEXCL), which on a
    /// pseudo-terminal outlives the one who did.
    fn closed(&self) -> bool {
        if self.in_use() {
            return true;
        }
        match self.open_slave() {
            Ok(slave) => {
                // On its way to the reader's side, and there. Should it fail, the next one who reads finds old bytes.
                let _ = tcflush(&self.master, QueueSelector::OFlush);
                let _ = tcflush(&slave, QueueSelector::IFlush);
                drop(slave);
                // That was us.
                self.was_opened();
                true
            }
            Err(_) => self.in_use(),
        }
    }
}

/// Why there is no pseudo-terminal, and the mend.
fn not_opened(path: &Path, error: Errno) -> io::Error {
    let mend = match error {
        Errno::NOSPC => "all are taken: end who has them, or raise /proc/sys/kernel/pty/max",
        _ => "pseudo-terminals are wanted below /dev/pts: `sudo mount -t devpts devpts /dev/pts`",
    };
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{} cannot be opened: {error}; {mend}", path.display()))
}

/// Why a port is not served any longer.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Who had it open closed it.
    Closed,
    /// It has to be replaced by another.
    Replace,
    /// The machine is gone.
    MachineGone,
}

/// Carries bytes between the machine's UART and its port on the host until either is gone for good. `ports` brings the
/// port to use from now on (`None`: the board is off the bus); `replace` is called where another is needed.
pub async fn carry(
    mut machine: UnixStream,
    mut ports: mpsc::UnboundedReceiver<Option<Port>>,
    replace: impl Fn(),
    baud: u32,
    faults: Faults,
) {
    let mut port = None;
    loop {
        let end = tokio::select! {
            biased;
            next = ports.recv() => match next {
                Some(next) => {
                    // Drops the one before, which hangs up.
                    port = next;
                    continue;
                }
                None => return,
            },
            end = serve(port.as_ref(), &mut machine, baud, &faults) => end,
        };
        if end == End::MachineGone {
            return;
        }
        replace();
        tokio::select! {
            next = ports.recv() => match next {
                Some(next) => port = next,
                None => return,
            },
            _ = discard(&mut machine) => return,
        }
    }
}

/// Serves one port for as long as it can be.
async fn serve(port: Option<&Port>, machine: &mut UnixStream, baud: u32, faults: &Faults) -> End {
    let Some(port) = port else { return discard(machine).await };
    // What has left the machine and not come to the host yet.
    let mut held = Vec::new();
    loop {
        if !port.in_use() {
            held.clear();
            tokio::select! {
                biased;
                opened = port.opened() => if opened.is_err() { return End::Replace },
                end = discard(machine) => return end,
            }
            // What was sent before, and is still on its way to here.
            while matches!(rustix::net::recv(&*machine, &mut [0; 4096][..], RecvFlags::DONTWAIT), Ok((1.., _))) {}
        }
        // Anew each time: that it was closed before stays with the readiness of an `AsyncFd` for good.
        let Ok(pty) = watched(&port.master) else { return End::Replace };
        let (from_machine, to_machine) = machine.split();
        let end = tokio::select! {
            end = to_host(from_machine, &mut held, &pty, Pacer::new(baud), faults) => end,
            end = to_machine_from(&pty, to_machine, Pacer::new(baud)) => end,
        };
        match end {
            End::Closed if port.closed() => {}
            End::Closed => return End::Replace,
            end => return end,
        }
    }
}

/// A file descriptor whose readiness can be awaited.
fn watched(fd: &OwnedFd) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: what is borrowed stays open, and the same, for as long as the `AsyncFd` lives.
    Ok(unsafe { AsyncFd::register(fd.as_fd()) }?)
}

/// Reads what nobody listens to.
async fn discard(machine: &mut UnixStream) -> End {
    let mut buffer = [0; 4096];
    while matches!(machine.read(&mut buffer).await, Ok(1..)) {}
    End::MachineGone
}

/// Where a line that stops can be cut so that what is lost is the end of something: neither a text's line nor a frame of
/// the runner's protocol ends there.
fn mid_line(bytes: &[u8]) -> Option<usize> {
    let middle = bytes.len().div_ceil(2).max(1);
    (middle..bytes.len()).chain((1..middle).rev()).find(|&cut| bytes[cut - 1] != b'\n' && bytes[cut] != SYNC[0])
}

/// Carries what the machine sends; that the port was closed is found by the other direction, once that has carried all
/// that was written to it.
async fn to_host(
    mut machine: impl AsyncRead + Unpin,
    held: &mut Vec<u8>,
    pty: &AsyncFd<BorrowedFd<'_>>,
    mut pacer: Pacer,
    faults: &Faults,
) -> End {
    let mut buffer = vec![0; pacer.chunk()];
    // Until it is opened anew.
    let mut silent = false;
    loop {
        if held.is_empty() {
            let bytes = match machine.read(&mut buffer).await {
                Ok(count @ 1..) => &buffer[..count],
                _ => return End::MachineGone,
            };
            if silent {
                continue;
            }
            if faults.take(Fault::UartRenamed) {
                return End::Replace;
            }
            if faults.take(Fault::UartGarbage) {
                held.extend(GARBAGE);
            }
            let cut = mid_line(bytes).filter(|_| faults.take(Fault::UartStops));
            silent = cut.is_some();
            held.extend(&bytes[..cut.unwrap_or(bytes.len())]);
        }
        pacer.pass(held.len()).await;
        silent |= write_all(pty, held).await.is_err();
        held.clear();
    }
}

async fn to_machine_from(pty: &AsyncFd<BorrowedFd<'_>>, mut machine: impl AsyncWrite + Unpin, mut pacer: Pacer) -> End {
    let mut buffer = vec![0; pacer.chunk()];
    loop {
        let read = when(pty, Interest::READABLE, |pty| rustix::io::read(pty, &mut buffer[..])).await;
        let Ok(count @ 1..) = read else { return End::Closed };
        pacer.pass(count).await;
        if machine.write_all(&buffer[..count]).await.is_err() {
            return End::MachineGone;
        }
    }
}

async fn write_all(pty: &AsyncFd<BorrowedFd<'_>>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = when(pty, Interest::WRITABLE, |pty| rustix::io::write(pty, bytes)).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Does something with a pseudo-terminal as soon as that is possible. Fails if it was closed meanwhile, even if somebody
/// else has opened it since: its readiness tells nothing from then on.
async fn when<R>(
    pty: &AsyncFd<BorrowedFd<'_>>,
    interest: Interest,
    mut act: impl FnMut(&BorrowedFd<'_>) -> Result<R, Errno>,
) -> io::Result<R> {
    loop {
        let mut guard = pty.ready(interest).await?;
        let ready = guard.ready();
        match act(pty.get_ref()) {
            Err(Errno::WOULDBLOCK) if ready.is_read_closed() || ready.is_write_closed() => return Err(Errno::IO.into()),
            Err(Errno::WOULDBLOCK) => guard.clear_ready(),
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests;
