//! Every shipped definition, with the real compiler: its runner links, lies within its chip, leaves room for a model that
//! can be erased without the runner, and for the model's tensors. None of this was tried on hardware.

#![allow(clippy::unwrap_used, missing_docs)]

use boards::{
    chip::{Chip, Chips, port_of},
    definition::{Definition, Definitions, RunFrom},
};
use farm::Model;
use firmware::{Builder, Firmware, ModelImage, Port, tflm};
use object::{Object, ObjectSegment};
use std::{path::Path, sync::LazyLock};

/// Bytes of arena that hello_world needs on a microcontroller: `features/limits.feature` shows it.
const HELLO_WORLD: u64 = 2048;

/// Outlives the run, so that only the first one compiles.
static BUILDER: LazyLock<Builder> = LazyLock::new(|| {
    let cache = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tinyfarm"));
    Builder::new(cache, tflm::locate().unwrap(), std::thread::available_parallelism().map_or(2, usize::from))
});

static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(|| Definitions::load(&[]).unwrap());

fn shipped() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS.kinds.iter().chain(&DEFINITIONS.boards)
}

fn chip(definition: &Definition) -> Chip {
    DEFINITIONS.chips.chip(&definition.chip).unwrap_or_else(|error| panic!("{}: {error}", definition.name))
}

#[tokio::test]
async fn the_runner_of_every_shipped_kind_links_into_its_chip() {
    let hello_world = firmware::tfmicro_dir().unwrap().join("examples/models/hello_world.tflite");
    let image = ModelImage::size(&Model::load("hello_world", &hello_world).unwrap());
    for definition in shipped() {
        let (name, chip) = (&definition.name, chip(definition));
        let port = port_of(definition, &chip).unwrap_or_else(|error| panic!("{name}: {error}"));
        let firmware = BUILDER.build(&port).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        println!(
            "{name}: {} KiB of code, {} KiB for models from {:#x}, arena {} KiB, rtt {:?}",
            firmware.footprint.text / 1024,
            firmware.model_room / 1024,
            firmware.model_start,
            firmware.arena / 1024,
            port.rtt
        );
        lies_within(&chip, &firmware, name);
        model_can_be_erased(definition, &chip, &port, &firmware);
        assert!(firmware.model_room >= image, "{name}: {} bytes for a model", firmware.model_room);
        assert!(firmware.arena >= HELLO_WORLD, "{name}: {} bytes of arena", firmware.arena);
    }
}

/// Whether all that is loaded, and all that is only reserved, is memory of the chip.
fn lies_within(chip: &Chip, firmware: &Firmware, name: &str) {
    let bytes = std::fs::read(&firmware.elf).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let pieces: Vec<_> = chip
        .flash
        .iter()
        .map(|flash| flash.range.clone())
        .chain(chip.ram.iter().map(|ram| ram.origin..ram.end().unwrap()))
        .collect();
    let mut seen = 0;
    for segment in file.segments().filter(|segment| segment.size() > 0) {
        let span = segment.address()..segment.address() + segment.size();
        let is_in = pieces.iter().any(|piece| piece.start <= span.start && span.end <= piece.end);
        assert!(is_in, "{name}: {span:#x?} is not of {}", chip.name);
        seen += 1;
    }
    assert!(seen >= 2, "{name}: {seen} segments");
}

fn model_can_be_erased(definition: &Definition, chip: &Chip, port: &Port, firmware: &Firmware) {
    let (name, start) = (&definition.name, firmware.model_start);
    let code = port.flash.unwrap();
    assert!(start >= code.origin + firmware.footprint.text, "{name}: the model would lie on the runner");
    assert_eq!(start + firmware.model_room, code.end().unwrap(), "{name}");
    match definition.run_from {
        RunFrom::Ram => assert!(start.is_multiple_of(16), "{name}: {start:#x}"),
        RunFrom::Flash => {
            let flash = chip.flash.iter().find(|flash| flash.range.contains(&start)).unwrap();
            assert!(flash.is_boundary(start), "{name}: no erase unit begins at {start:#x}");
        }
    }
}

#[test]
fn every_board_that_is_promised_is_shipped_and_says_what_it_is() {
    let promised = [
        "arduino-nano-33-ble-sense",
        "b-l475e-iot01a",
        "microbit-v1",
        "microbit-v2",
        "nrf52840-dk",
        "nrf5340-dk",
        "nucleo-l4r5zi",
        "raspberry-pi-pico",
        "stm32f4discovery",
        "stm32f746g-disco",
    ];
    let kinds = Definitions::load(&[]).unwrap().kinds;
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(kinds, promised);
    for definition in shipped() {
        let name = &definition.name;
        assert!(!definition.summary.is_empty() && definition.core.is_some(), "{name}");
        assert!(!definition.identify.is_empty(), "{name} would be flashed without a look at the chip");
        assert!(definition.docs.is_some() || definition.is_simulated(), "{name}");
    }
}

#[test]
fn the_only_shipped_board_is_simulated_and_runs_the_emulators_runner() {
    let [board] = &DEFINITIONS.boards[..] else { panic!("{:?}", DEFINITIONS.boards) };
    assert!(board.is_simulated() && board.probe.is_none());
    let machine = board.simulated.as_deref().unwrap();
    assert_eq!(&port_of(board, &chip(board)).unwrap(), firmware::port(machine).unwrap());
}

#[test]
fn every_simulated_machine_has_a_chip_that_its_port_fits() {
    let chips = Chips::shipped();
    for simulated in &simulated_board::chips::CHIPS {
        let folder = tempfile::tempdir().unwrap();
        let (machine, name) = (simulated.machine, simulated.name);
        let text = format!("simulated = \"{machine}\"\nport = \"{machine}\"\nchip = \"{name}\"\n");
        std::fs::write(folder.path().join("one.toml"), text).unwrap();
        let definitions = Definitions::load(&[folder.path().to_owned()]).unwrap_or_else(|error| panic!("{error}"));
        let chip = chips.chip(name).unwrap();
        let port = port_of(definitions.board("one").unwrap(), &chip).unwrap();
        assert_eq!(port.name, machine);
        let size: u64 = chip.flash.iter().map(|flash| flash.range.end - flash.range.start).sum();
        assert_eq!(size, u64::from(simulated.flash_size()), "{machine}");
    }
}
