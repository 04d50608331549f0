//! Where the rings lie, and reading and writing them without waiting: the farm's side, and for tests the guest's.

use super::Mapping;
use std::{
    io,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
};

const MAGIC: u32 = u32::from_le_bytes(*b"TFSM");
const VERSION: u32 = 1;

const AT_MAGIC: usize = 0;
const AT_VERSION: usize = 4;
const AT_TO_GUEST_OFFSET: usize = 8;
const AT_TO_GUEST_SIZE: usize = 12;
const AT_TO_HOST_OFFSET: usize = 16;
const AT_TO_HOST_SIZE: usize = 20;
const AT_TO_GUEST_HEAD: usize = 64;
const AT_TO_GUEST_TAIL: usize = 128;
const AT_TO_HOST_HEAD: usize = 192;
const AT_TO_HOST_TAIL: usize = 256;
pub(super) const AT_GUEST_WAITS: usize = 320;
pub(super) const AT_FARM_WAITS: usize = 384;
const CONTROL_PAGE: usize = 4096;

/// Sizes of the rings, bytes; powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The ring to the guest: inputs.
    pub to_guest: u32,
    /// The ring to the host: outputs.
    pub to_host: u32,
}

impl Default for Layout {
    /// Room for some hundred requests of a small model or a few dozen of a large one; only what is used takes memory.
    fn default() -> Self {
        Self { to_guest: 1 << 18, to_host: 1 << 18 }
    }
}

impl Layout {
    /// Bytes from the base that the link takes.
    pub fn bytes(&self) -> usize {
        CONTROL_PAGE + self.to_guest as usize + self.to_host as usize
    }

    /// The largest layout of equal rings, no larger than the default, that fits into `room` bytes.
    pub fn within(room: u64) -> Option<Self> {
        let mut layout = Self::default();
        while layout.bytes() as u64 > room {
            layout = Self { to_guest: layout.to_guest / 2, to_host: layout.to_host / 2 };
            if layout.to_guest < 1024 {
                return None;
            }
        }
        Some(layout)
    }
}

/// One direction as seen from one side, which keeps its own position to itself: what the other side writes over it
/// does no harm.
#[derive(Debug)]
struct Ring {
    base: usize,
    size: u32,
    /// The word this side writes, and its value.
    mine: usize,
    position: u32,
    /// The word the other side writes.
    theirs: usize,
}

/// Both rings as seen from one side.
#[derive(Debug)]
pub struct Rings {
    memory: Arc<Mapping>,
    out: Ring,
    inward: Ring,
}

impl Rings {
    /// Lays the link out at the start of `memory`, which is zero, before the guest starts: the farm's side.
    ///
    /// # Errors
    /// When a size is no power of two, or the rings do not fit.
    pub fn lay_out(memory: Arc<Mapping>, layout: Layout) -> io::Result<Self> {
        let fits = layout.bytes() <= memory.size();
        if !fits || !layout.to_guest.is_power_of_two() || !layout.to_host.is_power_of_two() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("rings of {} and {} bytes do not fit into {}", layout.to_guest, layout.to_host, memory.size()),
            ));
        }
        let (to_guest, to_host) = (CONTROL_PAGE, CONTROL_PAGE + layout.to_guest as usize);
        memory.store(AT_VERSION, VERSION, Ordering::Relaxed);
        memory.store(AT_TO_GUEST_OFFSET, to_guest as u32, Ordering::Relaxed);
        memory.store(AT_TO_GUEST_SIZE, layout.to_guest, Ordering::Relaxed);
        memory.store(AT_TO_HOST_OFFSET, to_host as u32, Ordering::Relaxed);
        memory.store(AT_TO_HOST_SIZE, layout.to_host, Ordering::Relaxed);
        memory.store(AT_MAGIC, MAGIC, Ordering::SeqCst);
        let ring = |base, size, mine, theirs| Ring { base, size, mine, position: 0, theirs };
        Ok(Self {
            memory,
            out: ring(to_guest, layout.to_guest, AT_TO_GUEST_HEAD, AT_TO_GUEST_TAIL),
            inward: ring(to_host, layout.to_host, AT_TO_HOST_TAIL, AT_TO_HOST_HEAD),
        })
    }

    /// The guest's side of rings that were laid out.
    #[cfg(test)]
    pub(super) fn of_guest(memory: Arc<Mapping>) -> Self {
        let word = |at| memory.load(at, Ordering::SeqCst);
        assert_eq!((word(AT_MAGIC), word(AT_VERSION)), (0x4D53_4654, 1));
        let ring =
            |base, size, mine, theirs| Ring { base: word(base) as usize, size: word(size), mine, position: 0, theirs };
        let out = ring(AT_TO_HOST_OFFSET, AT_TO_HOST_SIZE, AT_TO_HOST_HEAD, AT_TO_HOST_TAIL);
        let inward = ring(AT_TO_GUEST_OFFSET, AT_TO_GUEST_SIZE, AT_TO_GUEST_TAIL, AT_TO_GUEST_HEAD);
        Self { memory, out, inward }
    }

    /// Pretends that so many bytes have gone both ways before.
    #[cfg(test)]
    pub(super) fn start_at(&mut self, position: u32) {
        for ring in [&mut self.out, &mut self.inward] {
            ring.position = position;
            self.memory.store(ring.mine, position, Ordering::SeqCst);
        }
    }

    /// The memory they lie in.
    pub(super) fn memory(&self) -> &Mapping {
        &self.memory
    }

    /// Bytes that can be read now.
    ///
    /// # Errors
    /// When the other side claims more than the ring holds.
    pub fn readable(&self) -> io::Result<u32> {
        let head = self.memory.load(self.inward.theirs, Ordering::SeqCst);
        within(head.wrapping_sub(self.inward.position), self.inward.size, "written ahead of what was read")
    }

    /// Bytes that can be written now.
    ///
    /// # Errors
    /// When the other side claims to have read more than was written.
    pub fn writable(&self) -> io::Result<u32> {
        let tail = self.memory.load(self.out.theirs, Ordering::SeqCst);
        let unread = within(self.out.position.wrapping_sub(tail), self.out.size, "read beyond what was written")?;
        Ok(self.out.size - unread)
    }

    /// Moves what can be read, and fits, into `to`; returns how many bytes.
    ///
    /// # Errors
    /// As [`Self::readable`].
    pub fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = (self.readable()? as usize).min(to.len());
        let ring = &mut self.inward;
        let start = (ring.position & (ring.size - 1)) as usize;
        let before_end = count.min(ring.size as usize - start);
        let (first, second) = to[..count].split_at_mut(before_end);
        self.memory.read(ring.base + start, first);
        self.memory.read(ring.base, second);
        ring.moved(&self.memory, count);
        Ok(count)
    }

    /// Moves as much of `from` as there is room for into the ring; returns how many bytes.
    ///
    /// # Errors
    /// As [`Self::writable`].
    pub fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let count = (self.writable()? as usize).min(from.len());
        let ring = &mut self.out;
        let start = (ring.position & (ring.size - 1)) as usize;
        let (first, second) = from[..count].split_at(count.min(ring.size as usize - start));
        self.memory.write(ring.base + start, first);
        self.memory.write(ring.base, second);
        ring.moved(&self.memory, count);
        Ok(count)
    }
}

impl Ring {
    /// Tells the other side of `count` bytes more. Sequentially consistent, fence included: what follows (the look at
    /// the other side's *waits* word) must not be done before it.
    fn moved(&mut self, memory: &Mapping, count: usize) {
        if count > 0 {
            self.position = self.position.wrapping_add(count as u32);
            memory.store(self.mine, self.position, Ordering::SeqCst);
            fence(Ordering::SeqCst);
        }
    }
}

fn within(count: u32, size: u32, what: &str) -> io::Result<u32> {
    if count <= size {
        return Ok(count);
    }
    let detail = format!("shared-memory link corrupt: the runner has {what}: {count} bytes in a ring of {size}");
    Err(io::Error::new(io::ErrorKind::InvalidData, detail))
}
