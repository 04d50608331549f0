//! The port derived from a chip: where code, model and data lie.

use super::{Chip, ChipError, Flash};
use crate::definition::{Definition, Limits, Link, RunFrom};
use firmware::{
    Port,
    port::{self, Core, Memory},
};
use probe_rs::config::CoreType;
use std::ops::Range;

/// Arm's memory map: where on-chip RAM is that core, debugger and DMA all see (Armv7-M Architecture Reference Manual, B3.1).
const SRAM: Range<u64> = 0x2000_0000..0x4000_0000;
/// From here on memories are beyond the chip, and silent until somebody sets up their controller.
const EXTERNAL: u64 = 0x6000_0000;
/// Where code lies in RAM it begins at a multiple of this, as its vector table must.
const VECTORS: u64 = 0x400;
/// The stack lies at the bottom of data memory, and begins at a multiple of this.
const STACK: u64 = 32;
/// No runner is smaller, so no model lies in the flash's first bytes.
const LEAST_RUNNER: u64 = 0x1_0000;
/// Chips whose boot ROM starts from flash only what has a header of its own, which it is, and who says so.
const WITH_HEADER: [(&str, &str); 3] = [
    ("RP2040", "RP2040 Datasheet, Bootrom: a second stage of 256 bytes with a checksum"),
    ("RP235", "RP2350 Datasheet, Bootrom: an image definition block"),
    ("MIMXRT", "i.MX RT reference manuals, System Boot: a flash configuration block and an image vector table"),
];

/// The port that the farm's runner is built for: the shipped one that `definition` names, or one derived from `chip`.
///
/// # Errors
/// The chip has no such memory, or the definition asks for more than there is; with the key to mend.
pub fn port_of(definition: &Definition, chip: &Chip) -> Result<Port, ChipError> {
    let port = match &definition.port {
        Some(name) => shipped(definition, chip, name)?,
        None => derived(definition, chip)?,
    };
    if definition.link == Link::Rtt && port.rtt.is_none() {
        let what = format!("the port `{}` does not speak RTT", port.name);
        return Err(ChipError::new("port", what, "take another, or say `link = \"serial\"`"));
    }
    Ok(port)
}

fn shipped(definition: &Definition, chip: &Chip, name: &str) -> Result<Port, ChipError> {
    let port = port::port(name).map_err(|error| ChipError::new("port", error.to_string(), "take another"))?;
    for (key, limit) in limits(&definition.limits) {
        if limit.is_some() {
            return Err(ChipError::new(
                key,
                format!("the port `{name}` is built as it is"),
                "leave `limits` out, or `port`",
            ));
        }
    }
    let misfit = |what: String| {
        ChipError::new("port", format!("the port `{name}` is not for {}: {what}", chip.name), "leave it out")
    };
    let within = |memory: Memory, piece: Memory| piece.origin <= memory.origin && memory.end() <= piece.end();
    let (Some(flash), Some(ram)) = (port.flash, port.ram) else {
        return Err(misfit("it is no microcontroller's".to_owned()));
    };
    if !chip.ram.iter().any(|piece| within(ram, *piece)) {
        return Err(misfit(format!("no RAM is at {}", span(ram))));
    }
    let mut pieces = chip.flash.iter().map(|flash| memory(&flash.range)).chain(chip.ram.iter().copied());
    if !pieces.any(|piece| within(flash, piece)) {
        return Err(misfit(format!("no flash is at {}", span(flash))));
    }
    if let Some(piece) = chip.flash.iter().find(|piece| piece.range.contains(&flash.origin))
        && !lines_up(piece, flash, port.model_align)
    {
        return Err(misfit(format!(
            "its model would not begin where an erase unit does, every {:#x} bytes",
            port.model_align
        )));
    }
    Ok(port.clone())
}

fn derived(definition: &Definition, chip: &Chip) -> Result<Port, ChipError> {
    let core = core(definition, chip)?;
    let ram = data_memory(chip)?;
    let Limits { flash: code_limit, ram: ram_limit, .. } = definition.limits;
    let (flash, ram, model_align) = match definition.run_from {
        RunFrom::Flash => {
            let (flash, align) = code_memory(chip, code_limit)?;
            (flash, cut(ram, ram_limit, "limits.ram", chip)?, align)
        }
        RunFrom::Ram => {
            let (ram, code) = split(ram, code_limit, ram_limit, chip)?;
            // RAM is written in any piece.
            (code, ram, 16)
        }
    };
    let run_from_ram = definition.run_from == RunFrom::Ram;
    // 0: not known.
    let clock_hz = definition.clock_hz.unwrap_or(0);
    let facts = port::Chip { core, clock_hz, flash, ram, model_align, run_from_ram };
    let mut port = Port::for_chip(&file_name(&chip.name), &facts);
    port.stack = definition.limits.stack.unwrap_or(port.stack);
    port.heap = definition.limits.heap.unwrap_or(port.heap);
    let key = limits(&definition.limits).into_iter().find(|(_, limit)| limit.is_some()).map_or("chip", |(key, _)| key);
    port.check().map_err(|error| ChipError::new(key, error.to_string(), "give it more, or take another chip"))?;
    Ok(port)
}

fn limits(limits: &Limits) -> [(&'static str, Option<u64>); 4] {
    let Limits { flash, ram, stack, heap } = *limits;
    [("limits.stack", stack), ("limits.heap", heap), ("limits.ram", ram), ("limits.flash", flash)]
}

/// The core to compile for. Without a word it is one whose code every core of the architecture runs.
fn core(definition: &Definition, chip: &Chip) -> Result<Core, ChipError> {
    let cores: &[Core] = match chip.core_type {
        CoreType::Armv6m => &[Core::M0, Core::M0Plus],
        CoreType::Armv7m => &[Core::M3],
        CoreType::Armv7em => &[Core::M4, Core::M4F, Core::M7, Core::M7F, Core::M7FD],
        CoreType::Armv8m => &[Core::M23, Core::M33, Core::M33F, Core::M55],
        _ => &[],
    };
    match (definition.core, cores.first()) {
        (Some(core), _) if cores.contains(&core) => Ok(core),
        (None, Some(core)) => Ok(*core),
        (core, _) => {
            let what = format!("{} has no {}", chip.name, core.map_or("core of the runner's", Core::name));
            let names: Vec<&str> = cores.iter().map(|core| core.name()).collect();
            Err(ChipError::new("core", what, format!("its core is one of: {}", names.join(", "))))
        }
    }
}

/// The largest piece of RAM that needs no setting up, and that not only the core sees.
fn data_memory(chip: &Chip) -> Result<Memory, ChipError> {
    let largest = |wanted: &dyn Fn(&Memory) -> bool| {
        let pieces = chip.ram.iter().filter(|piece| wanted(piece));
        // Of equal ones the first.
        pieces.max_by_key(|piece| (piece.length, std::cmp::Reverse(piece.origin))).copied()
    };
    let ram = largest(&|piece| SRAM.contains(&piece.origin)).or_else(|| largest(&|piece| piece.origin < EXTERNAL));
    let aligned = |piece: Memory| {
        let origin = piece.origin.next_multiple_of(STACK);
        Memory { origin, length: piece.length.saturating_sub(origin - piece.origin) }
    };
    ram.map(aligned).ok_or_else(|| {
        ChipError::new(
            "chip",
            format!("probe-rs knows no RAM of {}", chip.name),
            "name the chip itself, not its family or core",
        )
    })
}

/// Where code and model go, and where a model may begin.
fn code_memory(chip: &Chip, limit: Option<u64>) -> Result<(Memory, u64), ChipError> {
    let wrong = |what: String| Err(ChipError::new("run_from", what, "say `run_from = \"ram\"`"));
    if let Some((_, why)) = WITH_HEADER.iter().find(|(prefix, _)| chip.name.starts_with(prefix)) {
        return wrong(format!("{} does not start the runner from flash ({why})", chip.name));
    }
    let boots = chip.flash.iter().any(|flash| flash.boots);
    let pieces = chip.flash.iter().filter(|flash| flash.boots || !boots && flash.range.start < EXTERNAL);
    let largest =
        pieces.max_by_key(|flash| (flash.range.end - flash.range.start, std::cmp::Reverse(flash.range.start)));
    let Some(flash) = largest else { return wrong(format!("probe-rs knows no flash of {}", chip.name)) };
    if flash.units.is_empty() {
        return wrong(format!("probe-rs does not know how to write the flash of {}", chip.name));
    }
    let mut piece = cut(memory(&flash.range), limit, "limits.flash", chip)?;
    // What lies behind is not the farm's, so no unit that reaches there may be erased.
    piece.length = flash.boundary_below(piece.origin + piece.length) - piece.origin;
    let least = flash.largest_unit_from(piece.origin + LEAST_RUNNER.min(piece.length.saturating_sub(1)));
    let mut align = least.unwrap_or(16).max(16).next_power_of_two();
    while align <= piece.length {
        if lines_up(flash, piece, align) {
            return Ok((piece, align));
        }
        align *= 2;
    }
    wrong(format!("the flash of {} is erased in units between which no model can begin", chip.name))
}

/// Whether an erase unit begins wherever a model may.
fn lines_up(flash: &Flash, piece: Memory, align: u64) -> bool {
    let step = usize::try_from(align).unwrap_or(usize::MAX).max(1);
    let end = piece.origin + piece.length;
    (piece.origin.next_multiple_of(align)..end).step_by(step).all(|address| flash.is_boundary(address))
}

/// No more of a memory than the definition allows.
fn cut(memory: Memory, limit: Option<u64>, key: &'static str, chip: &Chip) -> Result<Memory, ChipError> {
    match limit {
        Some(limit) if limit > memory.length => Err(beyond(key, limit, memory.length, chip)),
        limit => Ok(Memory { length: limit.unwrap_or(memory.length), ..memory }),
    }
}

fn beyond(key: &'static str, limit: u64, length: u64, chip: &Chip) -> ChipError {
    let what = format!("`{key}` is {limit} bytes, and {} has {length} in one piece", chip.name);
    ChipError::new(key, what, "allow no more than there is")
}

/// RAM in two, data below and code above. Who limits one of them says how.
fn split(ram: Memory, code: Option<u64>, data: Option<u64>, chip: &Chip) -> Result<(Memory, Memory), ChipError> {
    let end = ram.origin + ram.length;
    let (key, wanted) = match (code, data) {
        (None, None) => return Ok(ram.split_for_code()),
        (Some(code), data) => ("limits.flash", code.saturating_add(data.unwrap_or(0))),
        (None, Some(data)) => ("limits.ram", data),
    };
    let too_much = || {
        let what =
            format!("`{key}` leaves no room: code and data share the {} bytes of RAM of {}", ram.length, chip.name);
        Err(ChipError::new(key, what, "allow less"))
    };
    let middle = match (code, data) {
        _ if wanted >= ram.length => return too_much(),
        (Some(code), None) => (end - code) / VECTORS * VECTORS,
        (_, data) => (ram.origin + data.unwrap_or(0)).next_multiple_of(VECTORS),
    };
    let above = end.saturating_sub(middle);
    match code.unwrap_or(above) {
        0 => too_much(),
        code if code > above => too_much(),
        code => {
            let data = data.unwrap_or(middle.saturating_sub(ram.origin));
            Ok((Memory { origin: ram.origin, length: data }, Memory { origin: middle, length: code }))
        }
    }
}

fn memory(range: &Range<u64>) -> Memory {
    Memory { origin: range.start, length: range.end - range.start }
}

fn span(memory: Memory) -> String {
    format!("{:#x} to {:#x}", memory.origin, memory.origin.saturating_add(memory.length))
}

/// A chip's name as the name of a file.
fn file_name(chip: &str) -> String {
    let sound = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    chip.to_ascii_lowercase().chars().map(sound).collect()
}
