//! Regions of probe-rs put together to the pieces that a linker can use, and the units in which flash is erased.

use probe_rs::config::Target;
use probe_rs_target::MemoryRange as _;
use std::ops::Range;

/// A piece of flash without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether the chip starts from it.
    pub boots: bool,
    /// The units in which it is erased, from its beginning to its end; empty where probe-rs cannot write all of it.
    pub units: Vec<Units>,
}

/// Erase units of one size, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The addresses of all of them.
    pub range: Range<u64>,
    /// Bytes of each; the last one may reach beyond the range.
    pub size: u64,
}

impl Flash {
    /// Whether an erase unit begins at this address, or the flash ends there.
    pub fn is_boundary(&self, address: u64) -> bool {
        self.units
            .iter()
            .any(|units| units.range.contains(&address) && (address - units.range.start).is_multiple_of(units.size))
            || (address == self.range.end && !self.units.is_empty())
    }

    /// The last boundary that is not beyond this address; the beginning, where there is none.
    pub fn boundary_below(&self, address: u64) -> u64 {
        if address >= self.range.end {
            return self.range.end;
        }
        let units = self.units.iter().find(|units| units.range.contains(&address));
        units.map_or(self.range.start, |units| address - (address - units.range.start) % units.size)
    }

    /// The largest unit with a byte at or behind this address.
    pub fn largest_unit_from(&self, address: u64) -> Option<u64> {
        self.units.iter().filter(|units| units.range.end > address).map(|units| units.size).max()
    }
}

/// The erase units of a region; empty where probe-rs would not know how to write it. It takes the one algorithm whose
/// range has the whole region, or the one default among several.
pub(super) fn units(target: &Target, core: &str, region: &Range<u64>) -> Vec<Units> {
    let fits = target.flash_algorithms.iter().filter(|algorithm| {
        algorithm.flash_properties.address_range.contains_range(region)
            && (algorithm.cores.is_empty() || algorithm.cores.iter().any(|name| name == core))
    });
    let mut fits: Vec<_> = fits.collect();
    if fits.len() > 1 {
        fits.retain(|algorithm| algorithm.default);
    }
    let [algorithm] = fits[..] else { return Vec::new() };
    let whole = &algorithm.flash_properties.address_range;
    let mut starts: Vec<(u64, u64)> = algorithm
        .flash_properties
        .sectors
        .iter()
        .filter(|sector| sector.size > 0)
        .map(|sector| (whole.start + sector.address, sector.size))
        .collect();
    starts.sort_unstable();
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([whole.end]).collect::<Vec<_>>();
    let all = starts.iter().zip(ends).map(|(&(start, size), end)| Units { range: start..end, size });
    let units: Vec<Units> = all.filter_map(|units| clip(units, region)).collect();
    match units.first() {
        // What lies before the first sector cannot be erased.
        Some(first) if first.range.start == region.start => units,
        _ => Vec::new(),
    }
}

/// The units that begin in `region`.
fn clip(units: Units, region: &Range<u64>) -> Option<Units> {
    let Units { range, size } = units;
    let before = region.start.saturating_sub(range.start).div_ceil(size) * size;
    let range = range.start + before..range.end.min(region.end);
    (range.start < range.end).then_some(Units { range, size })
}

/// Puts together what touches or overlaps; sorted by address.
pub fn merge(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Puts together the banks that touch, if they are alike: all of them written by probe-rs, or none. A bank is part of
/// what the chip starts from if it lies behind the one that it starts from.
pub fn merge_flash(mut banks: Vec<Flash>) -> Vec<Flash> {
    banks.retain(|bank| bank.range.start < bank.range.end);
    banks.sort_by_key(|bank| (bank.range.start, bank.range.end));
    let mut merged: Vec<Flash> = Vec::new();
    for bank in banks {
        match merged.last_mut() {
            Some(last) if bank.range.start == last.range.end && bank.units.is_empty() == last.units.is_empty() => {
                last.range.end = bank.range.end;
                last.boots |= bank.boots;
                last.units.extend(bank.units);
            }
            // Described twice.
            Some(last) if bank.range.start < last.range.end => {}
            _ => merged.push(bank),
        }
    }
    merged
}
