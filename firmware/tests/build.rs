//! The real compilers, TFLM's real source: runners are built, kept, and built again only when something changed.

#![allow(clippy::unwrap_used, missing_docs)]

use firmware::{
    Builder, Firmware, Port, port,
    port::{Chip, Core, Memory},
    symbols, tflm,
};
use object::{Object, ObjectSection};
use std::path::Path;

/// Outlives the run, so that only the first one compiles.
fn cache() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tinyfarm"))
}

fn builder() -> Builder {
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    Builder::new(cache(), tflm::locate().unwrap(), jobs)
}

#[tokio::test]
async fn the_runner_for_a_microcontroller_has_room_for_models_and_names_its_functions() {
    let builder = builder();
    let port = port("mps2-an386").unwrap();
    let firmware = builder.build(port).await.unwrap_or_else(|error| panic!("{error}"));
    let flash = port.flash.unwrap();
    println!(
        "{:?} model at {:#x} room {} arena {}",
        firmware.footprint, firmware.model_start, firmware.model_room, firmware.arena
    );
    assert_eq!(firmware.model_start % 16, 0);
    assert!(firmware.model_start >= flash.origin + firmware.footprint.text, "the model would lie on the firmware");
    assert_eq!(firmware.model_start + firmware.model_room, flash.origin + flash.length);
    assert!(firmware.footprint.text > 100_000 && firmware.footprint.bss > 0, "{:?}", firmware.footprint);
    assert_eq!(firmware.digest.len(), 64);
}

/// Chips that nobody makes, with flags that shipped ports have too, so that their objects are there already.
const CHIPS: [(Core, u64, u64, bool); 5] = [
    (Core::M0, 0x4_0000, 0x4000, false),
    (Core::M4F, 0x8_0000, 0x1_8000, false),
    (Core::M7FD, 0x20_0000, 0x8_0000, false),
    (Core::M33F, 0x10_0000, 0x4_0000, false),
    (Core::M4F, 0x10_0000, 0x10_0000, true),
];

#[tokio::test]
async fn a_runner_is_built_for_any_chip_from_its_memories_and_a_probe_finds_its_symbols() {
    let builder = builder();
    for (core, flash, ram, run_from_ram) in CHIPS {
        let ram = Memory { origin: 0x2000_0000, length: ram };
        let flash = Memory { origin: if run_from_ram { 0x2400_0000 } else { 0x0800_0000 }, length: flash };
        let chip = Chip { core, clock_hz: 4_000_000, flash, ram, model_align: 0x800, run_from_ram };
        let port = Port::for_chip("nobodys", &chip);
        let firmware = builder.build(&port).await.unwrap_or_else(|error| panic!("{core}: {error}"));
        let within = |memory: Memory, symbol: &str| {
            let address = firmware.address(symbol).unwrap_or_else(|| panic!("{core}: {symbol}"));
            assert!(memory.origin <= address && address < memory.end().unwrap(), "{core}: {symbol} at {address:#x}");
            address
        };
        assert_eq!(within(flash, symbols::VECTORS), flash.origin);
        assert_eq!(within(flash, symbols::ENTRY) % 2, 0, "bit 0 is no part of an address");
        let digest = within(flash, symbols::RUNNER_DIGEST);
        assert_eq!(bytes(&firmware, digest, 64), firmware.digest.as_bytes());
        assert_eq!(within(ram, symbols::RTT) % 4, 0);
        // Start-up clears what lies before it.
        assert!(within(ram, symbols::LINK_REQUEST) >= firmware.address("__bss_end").unwrap());
        assert_eq!(firmware.model_start % 0x800, 0);
        assert_eq!(firmware.model_start + firmware.model_room, flash.end().unwrap());
        assert!(firmware.address("_ZN6runner8InitUartEv").is_none(), "there is no UART");
    }
}

#[tokio::test]
async fn a_port_that_makes_no_sense_is_refused_before_anything_is_compiled() {
    let mut port = port("mps2-an386").unwrap().clone();
    port.model_align = 100;
    let error = builder().build(&port).await.unwrap_err().to_string();
    assert_eq!(error, "the port mps2-an386 makes no sense: model_align must be a power of two, 16 at least");
}

/// What an ELF file's sections hold at an address.
fn bytes(firmware: &Firmware, address: u64, count: usize) -> Vec<u8> {
    let file = std::fs::read(&firmware.elf).unwrap();
    let file = object::File::parse(&*file).unwrap();
    let piece = |section: object::Section<'_, '_>| Some(section.data_range(address, count as u64).ok()??.to_vec());
    file.sections().find_map(piece).unwrap()
}

#[tokio::test]
async fn the_hosts_runner_is_a_static_program() {
    let runner = builder().host().await.unwrap_or_else(|error| panic!("{error}"));
    let bytes = std::fs::read(&runner.path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    assert!(file.section_by_name(".interp").is_none(), "it wants a loader");
    let said = std::process::Command::new(&runner.path).arg("--version").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let version = tflm::locate().unwrap().version().to_owned();
    assert_eq!(said, format!("runner {} {} TFLM {version}\n", env!("CARGO_PKG_VERSION"), runner.digest));
}

#[tokio::test]
async fn what_is_built_is_found_again_without_a_compiler() {
    let port = port("mps2-an386").unwrap();
    let first = builder().build(port).await.unwrap();
    let written = std::fs::metadata(&first.elf).unwrap().modified().unwrap();
    let start = std::time::Instant::now();
    let again = builder().build(port).await.unwrap();
    println!("found again in {:?}", start.elapsed());
    assert_eq!(first, again);
    assert_eq!(std::fs::metadata(&again.elf).unwrap().modified().unwrap(), written);
    let same = builder();
    assert!(std::sync::Arc::ptr_eq(&same.build(port).await.unwrap(), &same.build(port).await.unwrap()));
}

#[tokio::test]
async fn what_is_damaged_in_the_cache_is_built_again_to_the_same_bytes() {
    let port = port("mps2-an386").unwrap();
    let sound = builder().build(port).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy(cache(), folder.path());
    let elf = folder.path().join(sound.elf.strip_prefix(cache()).unwrap());
    // As after a power cut: the runner is empty, and so is one of the objects it was linked from.
    let truncate = |path: &Path| std::fs::write(path, "").unwrap();
    truncate(&elf);
    let first = std::fs::read_dir(folder.path().join("objects")).unwrap().next().unwrap().unwrap().path();
    for entry in std::fs::read_dir(first).unwrap() {
        truncate(&entry.unwrap().path());
    }
    let again = Builder::new(folder.path(), tflm::locate().unwrap(), 2);
    let again = again.build(port).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((&again.elf, &again.footprint), (&elf, &sound.footprint));
    assert!(std::fs::read(&again.elf).unwrap() == std::fs::read(&sound.elf).unwrap());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // What other tests build at this moment is no part of the cache yet.
        if entry.file_name() == "tmp" {
            continue;
        }
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
