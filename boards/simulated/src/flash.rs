//! Flash as a chip has it, and its controller: it outlives the power (and QEMU), sectors are erased to ones, programming
//! only clears bits, and nothing is done before it is unlocked.

use crate::chips::Chip;
use std::{
    fs::File,
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

/// What opens the lock, in this order. Source: STM32F405 reference manual RM0090, 3.9.2 (FLASH_KEYR).
pub const KEYS: [u32; 2] = [0x4567_0123, 0xCDEF_89AB];

/// The number of the breakpoint instruction by which an algorithm calls the controller.
pub const CALL: u8 = 0xF1;

/// What an erased byte reads.
pub const ERASED: u8 = 0xFF;

/// What an algorithm asks for: registers r0 to r3 at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Opens the lock, with the [`KEYS`].
    Unlock([u32; 2]),
    /// Closes it.
    Lock,
    /// Erases the sector that begins at this address.
    EraseSector(u32),
    /// Programs bytes.
    Program {
        /// To where in flash.
        address: u32,
        /// How many.
        size: u32,
        /// From where in RAM.
        data: u32,
    },
    /// Erases every sector.
    EraseAll,
}

impl Command {
    /// Reads registers r0 to r3; `None` when there is no such command.
    pub fn from_registers([command, a, b, c]: [u32; 4]) -> Option<Self> {
        Some(match command {
            1 => Self::Unlock([a, b]),
            2 => Self::Lock,
            3 => Self::EraseSector(a),
            4 => Self::Program { address: a, size: b, data: c },
            5 => Self::EraseAll,
            _ => return None,
        })
    }
}

/// Why the controller refused; the number is what the algorithm returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Refused {
    /// It is locked, or was given wrong keys and stays locked until the next reset.
    Locked = 1,
    /// There is no flash, or no sector begins there.
    NoSuchPlace = 2,
    /// There is no such command.
    NoSuchCommand = 3,
    /// The data lie where there is no memory.
    NoData = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Closed,
    Open,
    /// A wrong key: only a reset helps.
    Jammed,
}

/// The flash of one board.
#[derive(Debug)]
pub struct Flash {
    base: u32,
    /// Where each sector begins, and the end of the last, from the first byte of flash on.
    bounds: Vec<u32>,
    content: Vec<u8>,
    lock: Lock,
    /// Where the content is kept while the board is not there.
    file: Option<File>,
}

impl Flash {
    /// The flash of a chip: what `file` holds, or erased where it holds nothing yet.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn open(chip: &Chip, file: Option<&Path>) -> io::Result<Self> {
        let mut bounds = vec![0];
        let mut end = 0;
        for sectors in chip.sectors {
            for _ in 0..sectors.count {
                end += sectors.size;
                bounds.push(end);
            }
        }
        let mut content = vec![ERASED; end as usize];
        let file = file.map(|path| restore(path, &mut content)).transpose()?;
        Ok(Self { base: chip.flash, bounds, content, lock: Lock::Closed, file })
    }

    /// The addresses that it takes.
    pub fn range(&self) -> Range<u32> {
        self.base..self.base + self.content.len() as u32
    }

    /// What it holds.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// `size` bytes from `address` on; `None` where they are not all in flash.
    pub fn read(&self, address: u32, size: u32) -> Option<&[u8]> {
        let offset = address.checked_sub(self.base)?;
        self.content.get(offset as usize..offset.checked_add(size)? as usize)
    }

    /// A reset closes the lock.
    pub fn reset(&mut self) {
        self.lock = Lock::Closed;
    }

    /// Whether nothing can be written.
    pub fn is_locked(&self) -> bool {
        self.lock != Lock::Open
    }

    /// Tries keys on the lock.
    ///
    /// # Errors
    /// [`Refused::Locked`] with wrong ones, and then until the next reset.
    pub fn unlock(&mut self, keys: [u32; 2]) -> Result<(), Refused> {
        if self.lock == Lock::Jammed || keys != KEYS {
            self.lock = Lock::Jammed;
            return Err(Refused::Locked);
        }
        self.lock = Lock::Open;
        Ok(())
    }

    /// Closes the lock.
    pub fn lock(&mut self) {
        if self.lock == Lock::Open {
            self.lock = Lock::Closed;
        }
    }

    /// Erases the sector that begins at `address`, and says which addresses that are.
    ///
    /// # Errors
    /// When it is locked or no sector begins there.
    pub fn erase_sector(&mut self, address: u32) -> Result<Range<u32>, Refused> {
        self.writable()?;
        let offset = address.checked_sub(self.base).ok_or(Refused::NoSuchPlace)?;
        let sector = self.bounds.windows(2).find(|bounds| bounds[0] == offset).ok_or(Refused::NoSuchPlace)?;
        let (start, end) = (sector[0], sector[1]);
        self.erase(start..end);
        Ok(self.base + start..self.base + end)
    }

    /// Erases everything.
    ///
    /// # Errors
    /// When it is locked.
    pub fn erase_all(&mut self) -> Result<Range<u32>, Refused> {
        self.writable()?;
        self.erase(0..self.content.len() as u32);
        Ok(self.range())
    }

    /// Programs bytes: bits are cleared where `data` has zeros, and none is ever set.
    ///
    /// # Errors
    /// When it is locked, or not all of it is in flash.
    pub fn program(&mut self, address: u32, data: &[u8]) -> Result<Range<u32>, Refused> {
        self.writable()?;
        let start = address.checked_sub(self.base).ok_or(Refused::NoSuchPlace)? as usize;
        let end = start.checked_add(data.len()).ok_or(Refused::NoSuchPlace)?;
        let place = self.content.get_mut(start..end).ok_or(Refused::NoSuchPlace)?;
        for (cell, byte) in place.iter_mut().zip(data) {
            *cell &= byte;
        }
        self.keep(start, end);
        Ok(self.base + start as u32..self.base + end as u32)
    }

    /// Damages the byte at `address`, as a worn-out cell would: one bit is not what it was programmed to.
    pub fn damage(&mut self, address: u32) {
        let offset = address.wrapping_sub(self.base) as usize;
        if let Some(cell) = self.content.get_mut(offset) {
            *cell ^= 1;
            self.keep(offset, offset + 1);
        }
    }

    fn writable(&self) -> Result<(), Refused> {
        if self.lock == Lock::Open { Ok(()) } else { Err(Refused::Locked) }
    }

    fn erase(&mut self, offsets: Range<u32>) {
        let (start, end) = (offsets.start as usize, offsets.end as usize);
        self.content[start..end].fill(ERASED);
        self.keep(start, end);
    }

    /// Writes a changed piece to the file. Flash is as good without: only what outlives the board is lost.
    fn keep(&mut self, start: usize, end: usize) {
        if let Some(file) = &self.file
            && let Err(error) = file.write_all_at(&self.content[start..end], start as u64)
        {
            tracing::warn!(%error, "the flash's file cannot be written; what it holds ends with this board");
            self.file = None;
        }
    }
}

/// Reads a flash's file, or makes it.
fn restore(path: &Path, content: &mut [u8]) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.read_exact_at(content, 0) {
        Ok(()) if file.metadata()?.len() == content.len() as u64 => {}
        // New, or of another chip: that board's flash was another one.
        Ok(()) => content.fill(ERASED),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => content.fill(ERASED),
        Err(error) => return Err(error),
    }
    file.set_len(content.len() as u64)?;
    file.write_all_at(content, 0)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chips::CHIPS;
    use proptest::prelude::*;

    fn unlocked(chip: &Chip) -> Flash {
        let mut flash = Flash::open(chip, None).unwrap();
        flash.unlock(KEYS).unwrap();
        flash
    }

    #[test]
    fn sectors_are_those_of_the_data_sheet() {
        let mut flash = unlocked(&CHIPS[0]);
        assert_eq!(flash.range(), 0x0800_0000..0x0810_0000);
        assert_eq!(flash.erase_sector(0x0800_C000), Ok(0x0800_C000..0x0801_0000));
        assert_eq!(flash.erase_sector(0x0801_0000), Ok(0x0801_0000..0x0802_0000));
        assert_eq!(flash.erase_sector(0x080E_0000), Ok(0x080E_0000..0x0810_0000));
        assert_eq!(flash.erase_sector(0x0801_4000), Err(Refused::NoSuchPlace));
        assert_eq!(flash.erase_sector(0x0810_0000), Err(Refused::NoSuchPlace));
        assert_eq!(unlocked(&CHIPS[1]).erase_sector(0x3F_F000), Ok(0x3F_F000..0x40_0000));
    }

    #[test]
    fn programming_only_clears_bits_and_erasing_sets_them() {
        let mut flash = unlocked(&CHIPS[1]);
        flash.program(0x1000, &[0b1100]).unwrap();
        flash.program(0x1000, &[0b1010]).unwrap();
        assert_eq!(flash.read(0x1000, 2), Some(&[0b1000, 0xFF][..]));
        flash.erase_sector(0x1000).unwrap();
        assert_eq!(flash.read(0x1000, 1), Some(&[0xFF][..]));
        assert_eq!(flash.program(0x3F_FFFF, &[0, 0]), Err(Refused::NoSuchPlace));
    }

    #[test]
    fn it_is_locked_until_unlocked_and_jams_on_a_wrong_key_until_reset() {
        let mut flash = Flash::open(&CHIPS[1], None).unwrap();
        assert_eq!(flash.program(0, &[0]), Err(Refused::Locked));
        assert_eq!(flash.erase_all(), Err(Refused::Locked));
        assert_eq!(flash.unlock([1, 2]), Err(Refused::Locked));
        assert_eq!(flash.unlock(KEYS), Err(Refused::Locked));
        flash.reset();
        flash.unlock(KEYS).unwrap();
        flash.program(0, &[0]).unwrap();
        flash.lock();
        assert_eq!(flash.erase_sector(0), Err(Refused::Locked));
    }

    #[test]
    fn what_it_holds_outlives_it_but_not_on_another_chip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash");
        let mut flash = Flash::open(&CHIPS[0], Some(&path)).unwrap();
        flash.unlock(KEYS).unwrap();
        flash.program(0x0800_0004, b"kept").unwrap();
        drop(flash);
        let flash = Flash::open(&CHIPS[0], Some(&path)).unwrap();
        assert_eq!(flash.read(0x0800_0003, 6), Some(&b"\xFFkept\xFF"[..]));
        let other = Flash::open(&CHIPS[1], Some(&path)).unwrap();
        assert!(other.content().iter().all(|byte| *byte == ERASED));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0x40_0000);
    }

    #[test]
    fn a_damaged_cell_differs_and_stays_so_until_it_is_erased() {
        let mut flash = unlocked(&CHIPS[1]);
        flash.program(8, &[0]).unwrap();
        flash.damage(8);
        assert_eq!(flash.read(8, 1), Some(&[1][..]));
        flash.erase_sector(0).unwrap();
        flash.program(8, &[0]).unwrap();
        assert_eq!(flash.read(8, 1), Some(&[0][..]));
    }

    proptest! {
        #[test]
        fn no_programming_ever_sets_a_bit(
            pieces in proptest::collection::vec((0u32..64, proptest::collection::vec(any::<u8>(), 1..32)), 1..20)
        ) {
            let mut flash = unlocked(&CHIPS[1]);
            for (address, data) in pieces {
                let before = flash.read(0, 128).unwrap().to_vec();
                flash.program(address, &data).unwrap();
                let after = flash.read(0, 128).unwrap();
                for (before, after) in before.iter().zip(after) {
                    prop_assert_eq!(before & after, *after);
                }
                for (cell, byte) in flash.read(address, data.len() as u32).unwrap().iter().zip(&data) {
                    prop_assert_eq!(cell & !byte, 0);
                }
            }
        }
    }
}
