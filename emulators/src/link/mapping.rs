//! Memory shared with another process, reached only through atomics: whatever the other side does, the worst is wrong
//! bytes, never undefined behaviour.

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::{
    io,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU8, AtomicU32, Ordering},
};

/// A mapping of the first bytes of a memory file. Both processes may write to all of it at any time.
#[derive(Debug)]
pub struct Mapping(MmapRaw);

impl Mapping {
    /// A memory file of `size` bytes, sparse and closed on exec, and a mapping of its first `mapped` bytes.
    ///
    /// # Errors
    /// When the kernel has no memory or file descriptors left.
    pub fn create(name: &str, size: u64, mapped: usize) -> io::Result<(OwnedFd, Self)> {
        let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
        ftruncate(&file, size)?;
        if u64::try_from(mapped).is_ok_and(|mapped| mapped > size) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{mapped} bytes do not fit into {size}")));
        }
        let mapping = MmapOptions::new().len(mapped).map_raw(&file)?;
        Ok((file, Self(mapping)))
    }

    /// Bytes mapped.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The 32-bit little-endian word at `offset` (a multiple of 4 inside the mapping), read in one piece.
    pub fn load(&self, offset: usize, order: Ordering) -> u32 {
        u32::from_le(self.word(offset).load(order))
    }

    /// Writes the 32-bit little-endian word at `offset`, in one piece.
    pub fn store(&self, offset: usize, value: u32, order: Ordering) {
        self.word(offset).store(value.to_le(), order);
    }

    /// Writes `value` to the word at `offset` and returns what was there, as one step.
    pub fn swap(&self, offset: usize, value: u32) -> u32 {
        u32::from_le(self.word(offset).swap(value.to_le(), Ordering::SeqCst))
    }

    /// Copies the bytes from `offset` on into `to`.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        let shared = self.bytes(offset, to.len());
        for (byte, shared) in to.iter_mut().zip(shared) {
            *byte = shared.load(Ordering::Relaxed);
        }
    }

    /// Copies `from` to the bytes from `offset` on.
    pub fn write(&self, offset: usize, from: &[u8]) {
        for (byte, shared) in from.iter().zip(self.bytes(offset, from.len())) {
            shared.store(*byte, Ordering::Relaxed);
        }
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.size(), "word {offset:#x} is outside the mapping");
        // SAFETY: the word lies inside the mapping (checked above), which lives as long as `self`; a mapping begins on
        // a page, so the word is aligned; everyone in this process reaches the mapping through atomics only, and words
        // and bytes are never the same memory (control page and rings).
        unsafe { AtomicU32::from_ptr(self.0.as_mut_ptr().add(offset).cast()) }
    }

    fn bytes(&self, offset: usize, len: usize) -> &[AtomicU8] {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= self.size()),
            "bytes {offset:#x} are outside the mapping"
        );
        // SAFETY: the bytes lie inside the mapping (checked above), which lives as long as `self`; `AtomicU8` has the
        // layout of `u8`; everyone in this process reaches the mapping through atomics only.
        unsafe { std::slice::from_raw_parts(self.0.as_mut_ptr().add(offset).cast::<AtomicU8>(), len) }
    }
}
