//! Waiting on the rings, and ringing the bell.
//!
//! Who sleeps: sets the own *waits* word, looks again, then waits for the bell. Who moves a head or tail: stores it,
//! looks at the other's *waits* word, and rings if it is 1. With a full fence between the store and the look on both
//! sides no wake-up is lost. The farm has its fences; the guest's are only as good as its emulator: QEMU 7.2 leaves out
//! a guest's barriers where only one virtual CPU runs (`tcg_gen_mb`), so that the host may delay the guest's store of a
//! word past its look at the farm's. Such a store is on its way within nanoseconds, so the farm, before it sleeps for
//! long, looks a second time one [`SECOND_LOOK`] later. Once for each sleep: an idle farm stays idle.

use super::{
    Rings,
    rings::{AT_FARM_WAITS, AT_GUEST_WAITS},
};
use rustix::{
    io::Errno,
    net::{SendFlags, send},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{Ordering, fence},
    },
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    time::{Instant, Sleep, sleep_until},
};

/// When the farm looks a second time. Far longer than a store can be on its way, far shorter than anyone would notice.
const SECOND_LOOK: Duration = Duration::from_millis(2);

/// The farm's end of the shared-memory link. It ends (reads nothing, refuses writes) when the UART does.
#[derive(Debug)]
pub struct SharedLink {
    rings: Rings,
    bell: UnixStream,
    /// The UART has ended: the emulator is gone, what is in the ring is all there will be.
    ended: bool,
    waiters: Arc<Waiters>,
    /// The farm moved a word and saw nobody waiting for it.
    owed: bool,
    /// That, or the farm's *waits* word was set: worth a second look.
    unsettled: bool,
    second_look: Option<Pin<Box<Sleep>>>,
    second_look_due: bool,
    second_look_after: Option<Duration>,
    broken: Broken,
}

/// What the guest did to the rings' words that no guest may do, once it did.
pub type Broken = Arc<OnceLock<String>>;

/// Reader and writer may be two tasks; the bell wakes both.
#[derive(Debug, Default)]
struct Waiters(Mutex<[Option<Waker>; 2]>);

#[derive(Debug, Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

impl Waiters {
    fn add(&self, side: Side, waker: &Waker) {
        let slot = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner)[side as usize];
        match slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    fn wake_other(&self, than: Side) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner)[1 - than as usize].take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl SharedLink {
    /// A link over `rings` with the UART's socket as `bell`.
    pub fn new(rings: Rings, bell: UnixStream) -> Self {
        Self {
            rings,
            bell,
            ended: false,
            waiters: Arc::default(),
            owed: false,
            unsettled: false,
            second_look: None,
            second_look_due: false,
            second_look_after: Some(SECOND_LOOK),
            broken: Broken::default(),
        }
    }

    /// Where it will stand that the guest broke the link: whoever asks why the link ended does not have the link.
    pub fn broken(&self) -> Broken {
        self.broken.clone()
    }

    fn note_if_broken<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::InvalidData
        {
            let _ = self.broken.set(error.to_string());
        }
        result
    }

    /// The same with nothing but the bell to wake it: shows that between two sides with true fences the bell is enough.
    #[cfg(test)]
    pub(super) fn without_second_look(mut self) -> Self {
        self.second_look_after = None;
        self
    }

    /// Rings if the guest waits. Called after a word was moved.
    fn ring_if_waited_for(&mut self) -> io::Result<()> {
        let waits = self.rings.memory();
        if waits.load(AT_GUEST_WAITS, Ordering::SeqCst) != 1 || waits.swap(AT_GUEST_WAITS, 0) != 1 {
            self.owed = true;
            self.unsettled = true;
            return Ok(());
        }
        self.owed = false;
        // Not `try_write`: it refuses without asking the kernel until the reactor has seen the socket writable.
        match send(&self.bell, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            // Where no more bells fit, enough are under way: the guest will hear.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            // What the guest said before it went is still to be read.
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says that the farm is about to sleep. Whoever calls looks once more, then [`Self::poll_bell`]s.
    fn about_to_sleep(&mut self) {
        if self.rings.memory().swap(AT_FARM_WAITS, 1) != 1 {
            self.unsettled = true;
        }
        fence(Ordering::SeqCst);
    }

    /// Waits for the bell, for the UART's end, or for the second look: ready means look again.
    fn poll_bell(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        self.waiters.add(side, cx.waker());
        let both = Waker::from(self.waiters.clone());
        let cx = &mut Context::from_waker(&both);
        let mut bells = [0; 64];
        let mut heard = ReadBuf::new(&mut bells);
        if let Poll::Ready(result) = Pin::new(&mut self.bell).poll_read(cx, &mut heard) {
            match result {
                Ok(()) => self.ended |= heard.filled().is_empty(),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.ended = true,
                Err(error) => return Poll::Ready(Err(error)),
            }
            // The bell may have been for the other one.
            self.waiters.wake_other(side);
            return Poll::Ready(Ok(()));
        }
        if let Some(after) = self.second_look_after
            && std::mem::take(&mut self.unsettled)
        {
            let at = Instant::now() + after;
            match &mut self.second_look {
                Some(timer) => timer.as_mut().reset(at),
                None => self.second_look = Some(Box::pin(sleep_until(at))),
            }
            self.second_look_due = true;
        }
        if self.second_look_due
            && let Some(timer) = &mut self.second_look
        {
            ready!(timer.as_mut().poll(cx));
            self.second_look_due = false;
            if self.owed {
                self.ring_if_waited_for()?;
            }
            (self.owed, self.unsettled) = (false, false);
            self.waiters.wake_other(side);
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl AsyncRead for SharedLink {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let link = &mut *self;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let count = link.rings.read(buf.initialize_unfilled());
            let count = link.note_if_broken(count)?;
            if count > 0 {
                buf.advance(count);
                link.ring_if_waited_for()?;
                return Poll::Ready(Ok(()));
            }
            if link.ended {
                return Poll::Ready(Ok(()));
            }
            link.about_to_sleep();
            if link.rings.readable()? == 0 {
                ready!(link.poll_bell(cx, Side::Reader))?;
            }
        }
    }
}

impl AsyncWrite for SharedLink {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let link = &mut *self;
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if link.ended {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let count = link.rings.write(from);
            let count = link.note_if_broken(count)?;
            if count > 0 {
                link.ring_if_waited_for()?;
                return Poll::Ready(Ok(count));
            }
            link.about_to_sleep();
            if link.rings.writable()? == 0 {
                ready!(link.poll_bell(cx, Side::Writer))?;
            }
        }
    }

    /// Nothing to do: what was written is in the guest's memory.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
