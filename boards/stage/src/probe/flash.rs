//! Writing to a board's memory: by the chip's flash algorithm, or straight into RAM; read back, with progress.

use super::{
    plan::{Piece, marks_last},
    words::could_not,
};
use farm::TargetError;
use probe_rs::{
    Session, Target,
    flashing::{DownloadOptions, FlashLoader, FlashProgress, ProgressEvent, ProgressOperation},
};
use probe_rs_target::{FlashProperties, RawFlashAlgorithm};
use std::{
    ops::Range,
    time::{Duration, Instant},
};

/// Progress is told no more often than this.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Told of bytes written, and of bytes there are to write.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What an erased byte is.
const ERASED: u8 = 0xFF;

/// Writes `pieces` and reads them back, those with `marks` in them last. Erases the sectors that they lie in, no others.
/// With `vectors_in_ram` the core is reset and halted first: what ran before must not write to the RAM that is written.
///
/// # Errors
/// What the probe said; the marks are not there then.
pub fn write(
    session: &mut Session,
    pieces: Vec<Piece>,
    marks: &[Range<u64>],
    vectors_in_ram: Option<u64>,
    progress: Progress<'_>,
) -> Result<(), TargetError> {
    let total = pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let Turns { first, shared, alone } = in_order(session.target(), pieces, marks);
    progress(0, total);
    let mut loader = session.target().flash_loader();
    if let Some(vectors) = vectors_in_ram {
        loader.set_vector_table_addr(vectors);
    }
    let mut done = commit(session, loader, &first, false, 0, total, progress)?;
    // The sectors of shared ones were erased with what was written first.
    for (last, erased) in [(shared, true), (alone, false)] {
        if !last.is_empty() {
            let loader = session.target().flash_loader();
            done = commit(session, loader, &last, erased, done, total, progress)?;
        }
    }
    progress(total, total);
    Ok(())
}

/// What is written when.
#[derive(Debug, PartialEq, Eq)]
struct Turns {
    /// All but the marks.
    first: Vec<Piece>,
    /// Pages with marks, in sectors of which something was written already.
    shared: Vec<Piece>,
    /// Pages with marks that have their sectors for themselves: those were written already without the marks, so that
    /// no mark of before outlives the first turn, and are erased once more.
    alone: Vec<Piece>,
}

/// Puts pieces in order. One in RAM has no marks: it is gone when the power is.
fn in_order(target: &Target, pieces: Vec<Piece>, marks: &[Range<u64>]) -> Turns {
    let flash = |address: u64| algorithm(target, address).map(|algorithm| &algorithm.flash_properties);
    let marks: Vec<Range<u64>> = marks.iter().filter(|mark| flash(mark.start).is_some()).cloned().collect();
    let (mut first, last) =
        marks_last(pieces, &marks, |address| flash(address).map_or(1, |flash| flash.page_size.into()));
    let erased = |first: &[Piece], address: u64| {
        let Some(sector) = flash(address).and_then(|flash| sector(flash, address)) else { return false };
        first.iter().any(|(start, bytes)| *start < sector.end && start + bytes.len() as u64 > sector.start)
    };
    let (shared, alone): (Vec<_>, Vec<_>) = last.into_iter().partition(|(address, _)| erased(&first, *address));
    first.extend(alone.iter().map(|piece| unmarked(piece, &marks)));
    first.sort_by_key(|(address, _)| *address);
    Turns { first, shared, alone }
}

/// The same without what lies in `marks`.
fn unmarked((start, bytes): &Piece, marks: &[Range<u64>]) -> Piece {
    let marked = |address: u64| marks.iter().any(|mark| mark.contains(&address));
    let byte = |(address, byte): (u64, &u8)| if marked(address) { ERASED } else { *byte };
    (*start, (*start..).zip(bytes).map(byte).collect())
}

/// The algorithm that writes to an address.
fn algorithm(target: &Target, address: u64) -> Option<&RawFlashAlgorithm> {
    let all = target.flash_algorithms.iter();
    let mut fitting: Vec<_> =
        all.filter(|algorithm| algorithm.flash_properties.address_range.contains(&address)).collect();
    fitting.sort_by_key(|algorithm| !algorithm.default);
    fitting.first().copied()
}

/// The sector (what is erased at once) that holds an address.
fn sector(flash: &FlashProperties, address: u64) -> Option<Range<u64>> {
    let offset = address.checked_sub(flash.address_range.start)?;
    let kind = flash.sectors.iter().filter(|sector| sector.address <= offset).max_by_key(|sector| sector.address)?;
    let start = flash.address_range.start + kind.address + (offset - kind.address) / kind.size.max(1) * kind.size;
    Some(start..start + kind.size)
}

/// Writes pieces and reads them back; returns how many bytes have been written in all.
fn commit(
    session: &mut Session,
    mut loader: FlashLoader,
    pieces: &[Piece],
    erased: bool,
    before: u64,
    total: u64,
    progress: Progress<'_>,
) -> Result<u64, TargetError> {
    for (address, bytes) in pieces {
        let place = format!("place {} bytes at {address:#010x}", bytes.len());
        loader.add_data(*address, bytes).map_err(|error| could_not(&place, &error))?;
    }
    let bytes: u64 = pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let mut done = before;
    let mut told = Instant::now();
    let mut phase = "flash the board";
    let mut options = DownloadOptions::default();
    options.verify = true;
    options.skip_erase = erased;
    options.progress = FlashProgress::new(|event| match event {
        ProgressEvent::Started(operation) => {
            phase = match operation {
                ProgressOperation::Erase => "erase the board's flash",
                ProgressOperation::Verify => "verify what was flashed",
                _ => "flash the board",
            };
        }
        ProgressEvent::Progress { operation: ProgressOperation::Program, size, .. } => {
            // Pages are counted whole.
            done = (done + size).min(before + bytes).min(total);
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                progress(done, total);
            }
        }
        ProgressEvent::DiagnosticMessage { message } => tracing::debug!(message, "the flash algorithm says"),
        _ => {}
    });
    let committed = loader.commit(session, options);
    committed.map_err(|error| could_not(phase, &error))?;
    Ok((before + bytes).min(total))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chip::Chips;
    use probe_rs_target::SectorDescription;

    /// The turns of a runner of 12 KiB, all of it 1, with a mark at 0x1800, and a model of 9000 bytes with one at its start.
    fn turns(chip: &str, flash: u64) -> Turns {
        let model = flash + 0x2_0000;
        let marks = [flash + 0x1800..flash + 0x1840, model..model + 48];
        let target = Chips::shipped().target(chip).unwrap();
        in_order(&target, vec![(flash, vec![1; 0x3000]), (model, vec![2; 9000])], &marks)
    }

    fn spans(pieces: &[Piece]) -> Vec<(u64, usize)> {
        pieces.iter().map(|(start, bytes)| (*start, bytes.len())).collect()
    }

    #[test]
    fn a_marked_page_that_shares_its_sector_is_written_after_all_else_and_not_erased_again() {
        let Turns { first, shared, alone } = turns("sim-stm32f405", 0x0800_0000);
        assert_eq!((shared.len(), alone.len()), (2, 0));
        let bytes = |pieces: &[Piece]| pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        assert_eq!(bytes(&first) + bytes(&shared), 0x3000 + 9000);
    }

    #[test]
    fn a_marked_page_that_is_a_sector_is_written_without_its_mark_and_at_the_end_with_it() {
        // Pages and sectors of 4 KiB.
        let Turns { first, shared, alone } = turns("nRF52840_xxAA", 0);
        assert_eq!(
            spans(&first),
            [(0, 0x1000), (0x1000, 0x1000), (0x2000, 0x1000), (0x2_0000, 0x1000), (0x2_1000, 4904)]
        );
        assert_eq!(first[1].1, [vec![1; 0x800], vec![0xFF; 0x40], vec![1; 0x7C0]].concat());
        assert_eq!(first[3].1, [vec![0xFF; 48], vec![2; 0x1000 - 48]].concat());
        assert_eq!((shared, alone), (vec![], vec![(0x1000, vec![1; 0x1000]), (0x2_0000, vec![2; 0x1000])]));
    }

    #[test]
    fn a_sector_is_found_where_they_differ_in_size() {
        let sectors = [(0x4000, 0), (0x10000, 0x10000), (0x20000, 0x20000)];
        let flash = FlashProperties {
            address_range: 0x0800_0000..0x0810_0000,
            sectors: sectors.map(|(size, address)| SectorDescription { size, address }).to_vec(),
            ..FlashProperties::default()
        };
        assert_eq!(sector(&flash, 0x0800_7FFF), Some(0x0800_4000..0x0800_8000));
        assert_eq!(sector(&flash, 0x0801_0000), Some(0x0801_0000..0x0802_0000));
        assert_eq!(sector(&flash, 0x0805_0000), Some(0x0804_0000..0x0806_0000));
        assert_eq!(sector(&flash, 0x0700_0000), None);
    }
}
