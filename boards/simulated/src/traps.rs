//! Breakpoint instructions in what the debugger loaded into RAM.
//!
//! QEMU takes `bkpt` for an exception; a core under a debugger halts on it. So QEMU is given a breakpoint wherever such
//! code may have one. Code that runs from flash has none: a halting `bkpt` there is taken as QEMU takes it, a HardFault.

use std::collections::{BTreeMap, BTreeSet};

/// What was written to RAM since the last reset, by its addresses: pieces that touch are one.
#[derive(Debug, Default)]
pub struct Loaded {
    extents: BTreeMap<u32, Vec<u8>>,
    /// The traps of the extent that begins here, as long as nothing was written to it.
    found: Option<(u32, BTreeSet<u32>)>,
}

impl Loaded {
    /// Takes note of a write.
    pub fn write(&mut self, address: u32, bytes: &[u8]) {
        let within = self.extents.range(..=address).next_back();
        let start = match within {
            Some((&start, extent)) if (address - start) as usize <= extent.len() => start,
            _ => address,
        };
        let extent = self.extents.entry(start).or_default();
        let offset = (address - start) as usize;
        extent.resize(extent.len().max(offset + bytes.len()), 0);
        extent[offset..offset + bytes.len()].copy_from_slice(bytes);
        if self.found.as_ref().is_some_and(|(found, _)| *found == start) {
            self.found = None;
        }
        self.join(start);
    }

    /// Joins what follows an extent that has grown.
    fn join(&mut self, start: u32) {
        while let Some(end) = self.extents.get(&start).and_then(|extent| start.checked_add(extent.len() as u32))
            && let Some((&next, _)) = self.extents.range(start + 1..=end).next()
            && let Some(tail) = self.extents.remove(&next)
            && let Some(extent) = self.extents.get_mut(&start)
        {
            self.found = None;
            extent.extend(tail.into_iter().skip((end - next) as usize));
        }
    }

    /// Where the code around `pc` has breakpoint instructions; nowhere, when it was not loaded.
    pub fn traps(&mut self, pc: u32) -> BTreeSet<u32> {
        let around = self.extents.range(..=pc).next_back();
        let Some((&start, extent)) = around.filter(|(start, extent)| ((pc - *start) as usize) < extent.len()) else {
            return BTreeSet::new();
        };
        match &self.found {
            Some((found, traps)) if *found == start => traps.clone(),
            _ => {
                let traps = breakpoints(start, extent);
                self.found = Some((start, traps.clone()));
                traps
            }
        }
    }
}

/// The addresses of what may be a `bkpt`. A half-word that looks like one may be the second half of a long instruction (the
/// offset of a branch, say), where QEMU never stops; where instructions begin is not known, for data may precede code.
fn breakpoints(start: u32, code: &[u8]) -> BTreeSet<u32> {
    let odd = (start & 1) as usize;
    let (halves, _) = code.get(odd..).unwrap_or_default().as_chunks::<2>();
    let found = halves.iter().enumerate().filter(|&(_, &half)| breakpoint_number(half).is_some());
    found.map(|(index, _)| start + odd as u32 + 2 * index as u32).collect()
}

/// Whether these bytes are a `bkpt`, and its number.
pub fn breakpoint_number(instruction: [u8; 2]) -> Option<u8> {
    (instruction[1] == 0xBE).then_some(instruction[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u32 = 0x2000_0000;

    fn traps(loaded: &mut Loaded, pc: u32) -> Vec<u32> {
        loaded.traps(pc).into_iter().collect()
    }

    #[test]
    fn breakpoints_are_found_around_the_program_counter_only() {
        let mut loaded = Loaded::default();
        loaded.write(BASE, &[0x00, 0xBE, 0x00, 0xBF, 0xF1, 0xBE]);
        loaded.write(BASE + 0x100, &[0xAB, 0xBE]);
        assert_eq!(traps(&mut loaded, BASE + 2), [BASE, BASE + 4]);
        assert_eq!(traps(&mut loaded, BASE + 0x100), [BASE + 0x100]);
        assert!(traps(&mut loaded, BASE + 6).is_empty());
        assert!(traps(&mut loaded, 0).is_empty());
    }

    #[test]
    fn data_before_code_hides_no_breakpoint() {
        let mut loaded = Loaded::default();
        // What would be the first half of a long instruction.
        loaded.write(BASE, &[0x00, 0xF0]);
        loaded.write(BASE + 2, &[0x00, 0xBE, 0x00, 0xBF]);
        assert_eq!(traps(&mut loaded, BASE + 4), [BASE + 2]);
    }

    #[test]
    fn pieces_that_touch_are_one_and_what_is_written_over_counts() {
        let mut loaded = Loaded::default();
        loaded.write(BASE + 4, &[0x00, 0xBE]);
        loaded.write(BASE, &[0x00, 0xBE, 0x00]);
        loaded.write(BASE + 3, &[0xBF]);
        assert_eq!(traps(&mut loaded, BASE), [BASE, BASE + 4]);
        loaded.write(BASE + 5, &[0xBF, 0x00, 0xBE]);
        assert_eq!(traps(&mut loaded, BASE + 6), [BASE, BASE + 6]);
    }
}
