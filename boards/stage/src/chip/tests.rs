//! Pieces of memory, and the ports of chips that probe-rs describes.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::definition::{Definition, Definitions, RunFrom};
use firmware::{Port, port::Core};
use proptest::prelude::*;
use std::{collections::BTreeMap, ops::Range, sync::LazyLock};

static CHIPS: LazyLock<Chips> = LazyLock::new(Chips::shipped);

/// A board of which nothing is known but its chip.
fn board(chip: &str) -> Definition {
    let mut board = Definitions::load(&[]).unwrap().kinds.remove(0);
    (board.chip, board.core, board.run_from) = (chip.to_owned(), None, RunFrom::Flash);
    board
}

fn port(board: &Definition) -> Result<Port, ChipError> {
    port_of(board, &CHIPS.chip(&board.chip)?)
}

fn told(board: &Definition) -> String {
    port(board).unwrap_err().to_string()
}

/// Where a chip's code and data lie, and how a model is aligned.
fn layout(port: &Port) -> String {
    let (flash, ram) = (port.flash.unwrap(), port.ram.unwrap());
    let end = |memory: Memory| memory.end().unwrap();
    format!(
        "code {:#x}..{:#x} data {:#x}..{:#x} align {:#x}",
        flash.origin,
        end(flash),
        ram.origin,
        end(ram),
        port.model_align
    )
}

fn of(chip: &str) -> String {
    layout(&port(&board(chip)).unwrap())
}

#[test]
fn banks_and_blocks_that_touch_are_one_and_what_only_the_core_sees_is_left_out() {
    // Two banks of flash; SRAM2 at 0x10000000 is apart.
    insta::assert_snapshot!(of("STM32L475VGTx"), @"code 0x8000000..0x8100000 data 0x20000000..0x20018000 align 0x800");
    // SRAM1 and SRAM2 touch; CCM is the core's alone; sectors of 128 KiB behind small ones.
    insta::assert_snapshot!(of("STM32F407VGTx"), @"code 0x8000000..0x8100000 data 0x20000000..0x20020000 align 0x20000");
    // DTCM and SRAM touch; sectors of 256 KiB.
    insta::assert_snapshot!(of("STM32F746NGHx"), @"code 0x8000000..0x8100000 data 0x20000000..0x20050000 align 0x40000");
    // The RAM that code can be fetched from at speed is the same as that at 0x20000000.
    insta::assert_snapshot!(of("nRF52840_xxAA"), @"code 0x0..0x100000 data 0x20000000..0x20040000 align 0x1000");
    // The network core's memories are not the application core's.
    insta::assert_snapshot!(of("nRF5340_xxAA"), @"code 0x0..0x100000 data 0x20000000..0x20080000 align 0x1000");
    // Of many RAMs the largest.
    insta::assert_snapshot!(of("STM32H743ZITx"), @"code 0x8000000..0x8200000 data 0x24000000..0x24080000 align 0x20000");
    insta::assert_snapshot!(of("nRF51822_xxAA"), @"code 0x0..0x40000 data 0x20000000..0x20004000 align 0x400");
}

#[test]
fn without_a_word_code_is_for_what_every_core_of_the_architecture_runs() {
    let core = |chip| port(&board(chip)).unwrap().core;
    let cores = ["nRF51822_xxAA", "STM32F103RBTx", "STM32F407VGTx", "nRF5340_xxAA"].map(core);
    assert_eq!(cores, ["Cortex-M0", "Cortex-M3", "Cortex-M4", "Cortex-M23"]);
    let wrong = Definition { core: Some(Core::M4F), ..board("STM32F103RBTx") };
    insta::assert_snapshot!(told(&wrong), @"STM32F103RBTx has no Cortex-M4F; its core is one of: Cortex-M3");
}

#[test]
fn limits_leave_the_rest_of_the_chip_alone() {
    let limited = |board: &Definition, flash, ram| {
        let mut board = board.clone();
        (board.limits.flash, board.limits.ram) = (flash, ram);
        port(&board).map(|port| layout(&port)).unwrap_or_else(|error| format!("{}: {error}", error.key))
    };
    let flash = board("STM32F407VGTx");
    // The unit in which the limit lies is not erased.
    insta::assert_snapshot!(limited(&flash, Some(0x9_0000), Some(0x8000)), @"code 0x8000000..0x8080000 data 0x20000000..0x20008000 align 0x20000");
    insta::assert_snapshot!(limited(&flash, Some(0x10_0001), None), @"limits.flash: `limits.flash` is 1048577 bytes, and STM32F407VGTx has 1048576 in one piece; allow no more than there is");
    insta::assert_snapshot!(limited(&flash, None, Some(0x10_0000)), @"limits.ram: `limits.ram` is 1048576 bytes, and STM32F407VGTx has 131072 in one piece; allow no more than there is");
    insta::assert_snapshot!(limited(&flash, None, Some(0x1000)), @"code 0x8000000..0x8100000 data 0x20000000..0x20001000 align 0x20000");
    let ram = Definition { run_from: RunFrom::Ram, core: Some(Core::M0Plus), ..board("RP2040") };
    insta::assert_snapshot!(limited(&ram, None, None), @"code 0x20018c00..0x20042000 data 0x20000000..0x20018c00 align 0x10");
    insta::assert_snapshot!(limited(&ram, Some(0x3_0000), None), @"code 0x20012000..0x20042000 data 0x20000000..0x20012000 align 0x10");
    insta::assert_snapshot!(limited(&ram, None, Some(0x8000)), @"code 0x20008000..0x20042000 data 0x20000000..0x20008000 align 0x10");
    insta::assert_snapshot!(limited(&ram, Some(0x2_0000), Some(0x8010)), @"code 0x20008400..0x20028400 data 0x20000000..0x20008010 align 0x10");
    insta::assert_snapshot!(limited(&ram, Some(0x4_0000), Some(0x2000)), @"limits.flash: `limits.flash` leaves no room: code and data share the 270336 bytes of RAM of RP2040; allow less");
    insta::assert_snapshot!(limited(&ram, Some(u64::MAX), Some(u64::MAX)), @"limits.flash: `limits.flash` leaves no room: code and data share the 270336 bytes of RAM of RP2040; allow less");
}

#[test]
fn a_shipped_port_must_fit_the_chip() {
    let with = |chip, name: &str| Definition { port: Some(name.to_owned()), ..board(chip) };
    assert_eq!(&port(&with("sim-stm32f405", "netduinoplus2")).unwrap(), firmware::port("netduinoplus2").unwrap());
    insta::assert_snapshot!(told(&with("STM32F407VGTx", "mps2-an386")), @"the port `mps2-an386` is not for STM32F407VGTx: no RAM is at 0x20000000 to 0x20400000; leave it out");
    insta::assert_snapshot!(told(&with("nRF52840_xxAA", "microbit")), @"the port `microbit` is not for nRF52840_xxAA: its model would not begin where an erase unit does, every 0x10 bytes; leave it out");
    let mut limited = with("sim-stm32f405", "netduinoplus2");
    limited.limits.heap = Some(1);
    insta::assert_snapshot!(told(&limited), @"the port `netduinoplus2` is built as it is; leave `limits` out, or `port`");
}

#[test]
fn what_cannot_be_run_from_flash_says_so() {
    insta::assert_snapshot!(told(&board("RP2040")), @r#"RP2040 does not start the runner from flash (RP2040 Datasheet, Bootrom: a second stage of 256 bytes with a checksum); say `run_from = "ram"`"#);
    insta::assert_snapshot!(told(&board("Cortex-M4")), @"probe-rs knows no RAM of Cortex-M4; name the chip itself, not its family or core");
    insta::assert_snapshot!(told(&board("CH32V203C8T6")), @r#"the farm has no runner for the core of CH32V203C8T6 (Riscv); take a chip with a Cortex-M, or say `firmware = "own"` and `link = "serial"`"#);
}

#[test]
fn a_chip_that_probe_rs_does_not_know_gets_those_that_are_near() {
    insta::assert_snapshot!(told(&board("STM32L4R5ZZTx")), @"probe-rs knows no chip `STM32L4R5ZZTx`; did you mean `STM32L4R5ZITx`, `STM32L4R5ZGTx`, `STM32L4R5ZITxP`? If it is none of them, describe it in a file and name that by `chip_description`");
    insta::assert_snapshot!(told(&board("nrf52")), @"`nrf52` may be several chips; say which: nRF52805_xxAA, nRF52810_xxAA, nRF52811_xxAA, nRF52820_xxAA, nRF52832_xxAA, nRF52832_xxAB");
    insta::assert_snapshot!(told(&board("~~~")), @"probe-rs knows no chip `~~~`; describe it in a file and name that by `chip_description`");
}

/// Of every chip of probe-rs' with a Cortex-M, either the port is sound or the error says what is missing.
#[test]
fn every_chip_of_probe_rs_has_a_sound_port_or_a_reason() {
    let families = CHIPS.registry().families().iter();
    let names = families.flat_map(|family| &family.variants).map(|chip| chip.name.clone());
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut sound = 0;
    for name in names {
        let Ok(chip) = CHIPS.chip(&name) else { continue };
        match port_of(&board(&name), &chip) {
            Ok(port) => {
                check(&port, &chip);
                sound += 1;
            }
            Err(error) => reasons.entry(error.what.replace(&name, "…")).or_default().push(name),
        }
    }
    let without: usize = reasons.values().map(Vec::len).sum();
    println!("{sound} sound, {without} without");
    for (reason, chips) in &reasons {
        println!("{:4} {reason}: {}", chips.len(), chips.iter().take(4).cloned().collect::<Vec<_>>().join(", "));
    }
    assert!(sound > 10 * without, "{sound} of {} chips have a port", sound + without);
}

/// Whether everything lies in the chip, and models begin where they can be erased.
fn check(port: &Port, chip: &Chip) {
    port.check().unwrap();
    let (flash, ram) = (port.flash.unwrap(), port.ram.unwrap());
    assert!(chip.ram.iter().any(|piece| piece.origin <= ram.origin && ram.end() <= piece.end()), "{}", chip.name);
    let end = flash.end().unwrap();
    let piece = chip.flash.iter().find(|piece| piece.range.contains(&flash.origin)).unwrap();
    assert!(end <= piece.range.end && piece.is_boundary(end), "{}", chip.name);
    let mut models = (flash.origin..end).filter(|address| address % port.model_align == 0).step_by(1);
    assert!(models.by_ref().take(1000).all(|address| piece.is_boundary(address)), "{}", chip.name);
}

fn ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
    prop::collection::vec((0u64..200, 0u64..40).prop_map(|(start, length)| start..start + length), 0..12)
}

proptest! {
    /// Nothing is lost, nothing added, and nothing that is left touches.
    #[test]
    fn merged_pieces_have_the_same_bytes_and_a_gap_between_them(ranges in ranges()) {
        let merged = memory::merge(ranges.clone());
        for address in 0..250u64 {
            let before = ranges.iter().any(|range| range.contains(&address));
            let after = merged.iter().filter(|range| range.contains(&address)).count();
            prop_assert_eq!(usize::from(before), after, "at {}", address);
        }
        prop_assert!(merged.windows(2).all(|pair| pair[0].end < pair[1].start), "{:?}", merged);
    }

    /// Banks behind one another, each of units of its own size, cut at random, in any order.
    #[test]
    fn merged_banks_keep_every_erase_unit(banks in prop::collection::vec((0u32..4, 1u64..6, any::<bool>()), 1..6)) {
        let mut start = 0x800;
        let mut pieces = Vec::new();
        let mut boundaries = Vec::new();
        for (power, count, boots) in banks {
            let size = 0x10 << power;
            let range = start..start + size * count;
            boundaries.extend(range.clone().step_by(size as usize));
            pieces.push(Flash { range: range.clone(), boots, units: vec![Units { range: range.clone(), size }] });
            start = range.end;
        }
        pieces.reverse();
        let boots = pieces.iter().any(|piece| piece.boots);
        let merged = memory::merge_flash(pieces);
        prop_assert_eq!(merged.len(), 1);
        let whole = &merged[0];
        prop_assert_eq!((&whole.range, whole.boots), (&(0x800..start), boots));
        boundaries.push(start);
        for address in 0x800..=start {
            prop_assert_eq!(whole.is_boundary(address), boundaries.contains(&address), "at {:#x}", address);
            let below = boundaries.iter().copied().filter(|boundary| *boundary <= address).max().unwrap();
            prop_assert_eq!(whole.boundary_below(address), below);
        }
    }
}
