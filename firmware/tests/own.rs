//! A model's own firmware with the real compiler; what would ship is booted on QEMU, without the farm.

#![allow(clippy::unwrap_used, missing_docs)]

use farm::Model;
use firmware::{Builder, port, tflm};
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

fn builder() -> Builder {
    let cache = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tinyfarm"));
    Builder::new(cache, tflm::locate().unwrap(), 2)
}

fn model(file: &str) -> Model {
    let path = tflm::tfmicro_dir().unwrap().join("examples/models").join(file);
    Model::load("model", &path).unwrap()
}

#[tokio::test]
async fn own_firmware_is_much_smaller_holds_its_model_and_is_no_other_models() {
    let (builder, port) = (builder(), port("mps2-an386").unwrap());
    let (hello, speech) = (model("hello_world.tflite"), model("micro_speech.tflite"));
    let (general, own, other) =
        tokio::join!(builder.build(port), builder.own(port, &hello), builder.own(port, &speech));
    let (general, own, other) = (general.unwrap(), own.unwrap(), other.unwrap());
    assert!(own.footprint.text * 2 < general.footprint.text, "{:?} {:?}", own.footprint, general.footprint);
    assert!(own.footprint.bss < general.footprint.bss);
    assert_eq!((general.holds_model, own.holds_model), (false, true));
    assert!(own.digest != general.digest && own.digest != other.digest);
    let again = builder.own(port, &hello).await.unwrap();
    assert_eq!((&again.elf, &again.digest), (&own.elf, &own.digest));
}

/// The word that what would ship leaves behind, read over QEMU's monitor.
fn ends_in(elf: &Path, address: u64) -> u32 {
    let mut qemu = Command::new("qemu-system-arm")
        .args(["-machine", "mps2-an386", "-nodefaults", "-display", "none", "-monitor", "stdio", "-kernel"])
        .arg(elf)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut monitor = qemu.stdin.take().unwrap();
    // An inference takes well under a millisecond; a busy machine may take longer to come to it.
    for _ in 0..20 {
        sleep(Duration::from_millis(100));
        writeln!(monitor, "xp /1wx {address:#x}").unwrap();
    }
    writeln!(monitor, "quit").unwrap();
    let said = String::from_utf8_lossy(&qemu.wait_with_output().unwrap().stdout).into_owned();
    let mut words = said.lines().rev().filter_map(|line| line.split_once(": 0x"));
    u32::from_str_radix(words.next().unwrap_or_else(|| panic!("{said}")).1.trim(), 16).unwrap()
}

#[tokio::test]
async fn what_would_ship_boots_and_invokes_in_the_arena_that_the_model_uses_and_in_no_less() {
    let (builder, port, model) = (builder(), port("mps2-an386").unwrap(), model("hello_world.tflite"));
    let state = async |arena| {
        let shipped = builder.shipping(port, &model, arena).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(shipped.arena, arena);
        ends_in(&shipped.elf, shipped.address("ship_state").unwrap())
    };
    // What the runner reports for it on this machine, rounded up to the alignment of an arena.
    assert_eq!(state(2048).await, 3);
    assert_ne!(state(256).await, 3);
}

#[tokio::test]
async fn a_model_that_its_own_firmware_has_no_room_for_is_the_models_fault_with_what_is_needed() {
    let fault = builder()
        .own(port("stm32vldiscovery").unwrap(), &model("person_detection_grayscale.tflite"))
        .await
        .unwrap_err();
    let farm::TargetError::Fault(fault) = fault.verdict() else { panic!("{fault}") };
    assert!(fault.is_lack_of_room(), "{fault}");
    assert!(fault.to_string().ends_with("the target has 131072"), "{fault}");
}
