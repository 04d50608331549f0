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
    let (first, last) = in_order(session.target(), pieces, marks);
    progress(0, total);
    let mut loader = session.target().flash_loader();
    if let Some(vectors) = vectors_in_ram {
        loader.set_vector_table_addr(vectors);
    }
    let done = commit(session, loader, &first, false, 0, total, progress)?;
    if !last.is_empty() {
        // Their sectors were erased with what was written first.
        let loader = session.target().flash_loader();
        commit(session, loader, &last, true, done, total, progress)?;
    }
    progress(total, total);
    Ok(())
}

/// What is written first and what last. A piece in RAM has no marks: it is gone when the power is. A marked page that has
/// its sector for itself is written first, since only then is its sector erased.
fn in_order(target: &Target, pieces: Vec<Piece>, marks: &[Range<u64>]) -> (Vec<Piece>, Vec<Piece>) {
    let flash = |address: u64| algorithm(target, address).map(|algorithm| &algorithm.flash_properties);
    let marks: Vec<Range<u64>> = marks.iter().filter(|mark| flash(mark.start).is_some()).cloned().collect();
    let (mut first, last) =
        marks_last(pieces, &marks, |address| flash(address).map_or(1, |flash| flash.page_size.into()));
    let erased = |first: &[Piece], address: u64| {
        let Some(sector) = flash(address).and_then(|flash| sector(flash, address)) else { return false };
        first.iter().any(|(start, bytes)| *start < sector.end && start + bytes.len() as u64 > sector.start)
    };
    let (last, alone): (Vec<_>, Vec<_>) = last.into_iter().partition(|(address, _)| erased(&first, *address));
    first.extend(alone);
    first.sort_by_key(|(address, _)| *address);
    (first, last)
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
            done = (done + size).min(before + bytes);
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
    Ok(before + bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe_rs_target::SectorDescription;

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
