//! Port files, read and refused.

#![allow(clippy::unwrap_used)]
use super::*;

const M3: &str = r#"
    core = "Cortex-M3"
    compiler = "arm-none-eabi"
    flags = ["-mthumb", "-mcpu=cortex-m3"]
    optimise = ["-O2"]
    clock_hz = 25_000_000
    ops = "all"
    flash = { origin = 0, length = 0x40000 }
    ram = { origin = 0x2000_0000, length = 0x10000 }
    stack = 0x2000
    heap = 0x400
    model_align = 16
    uart = { driver = "cmsdk", base = 0x4000_4000, irq = 0 }
    qemu = { machine = "mps2-an385", icount_shift = 7 }
"#;

#[test]
fn every_port_in_the_program_is_sound() {
    for (name, text) in PORT_FILES {
        assert_eq!(Port::parse(name, text).map(|port| port.name).as_deref(), Ok(*name));
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let error = Port::parse("m3", &M3.replace("heap", "heep")).unwrap_err().to_string();
    assert!(error.contains("heep") && error.contains("line 11"), "{error}");
}

#[test]
fn operators_are_all_or_a_list_of_names() {
    let few = Port::parse("m3", &M3.replace("\"all\"", "[\"CONV_2D\", \"SOFTMAX\"]")).unwrap();
    assert_eq!(few.ops, Ops::Only(vec!["CONV_2D".into(), "SOFTMAX".into()]));
    assert!(Port::parse("m3", &M3.replace("\"all\"", "\"some\"")).is_err());
    assert!(Port::parse("m3", &M3.replace("\"all\"", "[\"conv) evil(\"]")).is_err());
}

#[test]
fn the_file_that_an_emulator_maps_holds_the_link() {
    let with =
        |more| Port::parse("m3", &format!("{M3}\nshared_memory = {{ base = 0x6000_0000, size = 0x1000{more} }}"));
    let size = |more| with(more).unwrap().shared_memory.unwrap().file_size();
    assert_eq!((size(""), size(", file = 0x8000")), (0x1000, 0x8000));
    assert!(with(", file = 0x800").unwrap_err().to_string().contains("shared_memory"));
}

#[test]
fn an_instruction_shorter_than_a_tick_is_refused() {
    let error = Port::parse("m3", &M3.replace("icount_shift = 7", "icount_shift = 6")).unwrap_err().to_string();
    assert!(error.contains("clock_hz * 2^icount_shift"), "{error}");
}

/// What is said of the port with `from` replaced.
fn refused(from: &str, to: &str) -> String {
    assert!(M3.contains(from), "{from}");
    Port::parse("m3", &M3.replace(from, to)).unwrap_err().to_string()
}

#[test]
fn a_link_is_needed_and_any_will_do() {
    const UART: &str = "uart = { driver = \"cmsdk\", base = 0x4000_4000, irq = 0 }";
    const QEMU: &str = "qemu = { machine = \"mps2-an385\", icount_shift = 7 }";
    let rtt = |more: &str| M3.replace(UART, "rtt = { up = 1024, down = 512 }").replace(QEMU, more);
    let port = Port::parse("m3", &rtt("")).unwrap();
    assert_eq!((port.rtt, port.uart), (Some(Rtt { up: 1024, down: 512 }), None));
    insta::assert_snapshot!(refused(UART, ""), @"the port m3 makes no sense: a microcontroller needs rtt, or a uart, or both");
    let error = Port::parse("m3", &rtt(QEMU)).unwrap_err().to_string();
    assert!(error.contains("qemu, renode and shared_memory need a uart"), "{error}");
    let error = Port::parse("m3", &rtt("").replace("512", "32")).unwrap_err().to_string();
    assert!(error.contains("rtt's buffers need 64 bytes each"), "{error}");
}

#[test]
fn memories_that_do_not_go_together_are_refused_with_the_mend() {
    let ram = "ram = { origin = 0x2000_0000, length = 0x10000 }";
    let flash = "flash = { origin = 0, length = 0x40000 }";
    let with = |flash_is: &str, ram_is: &str| {
        let text = M3.replace(flash, &format!("run_from_ram = true\nflash = {flash_is}"));
        Port::parse("m3", &text.replace(ram, &format!("ram = {ram_is}"))).map_err(|error| error.to_string())
    };
    let place = |origin: u64, length: u64| format!("{{ origin = {origin}, length = {length} }}");
    let said = |flash: (u64, u64), ram: (u64, u64)| with(&place(flash.0, flash.1), &place(ram.0, ram.1)).err();
    assert_eq!(said((0x2001_0000, 0x1_0000), (0x2000_0000, 0x1_0000)), None);
    for (flash, ram, words) in [
        ((0x2000_8000, 0x1_0000), (0x2000_0000, 0x1_0000), "overlap"),
        ((0x2000_0000, 0x1_0000), (0x2001_0000, 0x1_0000), "let code lie above data"),
        ((0x2001_0100, 0x1_0000), (0x2000_0000, 0x1_0000), "the vector table lies there"),
        ((0x2001_0000, 0x1_0000), (0x2000_0008, 0x8000), "the stack needs a multiple of 32"),
        ((0x2001_0000, 0), (0x2000_0000, 0x1_0000), "flash must have a length"),
        ((0x2001_0000, 0x1_0000), (0xFFFF_0000, 0x2_0000), "end within 4 GiB"),
        ((0x2001_0000, 0x1_0000), (0x2000_0000, 0x2400), "nothing is left for a tensor arena"),
    ] {
        let error = said(flash, ram).unwrap();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn a_core_without_a_vector_table_register_cannot_run_from_ram() {
    let m0 =
        M3.replace("cortex-m3", "cortex-m0plus").replace("flash = { origin = 0,", "flash = { origin = 0x2100_0000,");
    let with = |more: &str| Port::parse("m0", &format!("{more}\n{m0}"));
    let error = with("run_from_ram = true").unwrap_err().to_string();
    assert!(error.contains("say `vtor = true`"), "{error}");
    assert!(with("run_from_ram = true\nvtor = true").is_ok());
}

#[test]
fn the_host_has_none_of_a_microcontrollers_keys() {
    let host = "core = \"x\"\ncompiler = \"x86_64\"\nflags = []\noptimise = []\nops = \"all\"\n";
    assert!(Port::parse("host", host).is_ok());
    let error = Port::parse("host", &format!("{host}rtt = {{ up = 64, down = 64 }}")).unwrap_err().to_string();
    assert!(error.contains("the host has no flash"), "{error}");
}

#[test]
fn a_port_that_is_not_there_gets_a_suggestion() {
    let error = port("mps2-an368").unwrap_err().to_string();
    assert!(error.contains("did you mean `mps2-an38"), "{error}");
}
