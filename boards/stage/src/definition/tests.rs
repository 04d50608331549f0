//! Files of boards, read, inherited and refused.

#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use std::{fs, path::Path};

/// A folder of these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn load(files: &[(&str, &str)]) -> Result<Definitions, String> {
    let folder = folder(files);
    let path = folder.path().display().to_string();
    Definitions::load(&[folder.path().to_owned()]).map_err(|error| error.to_string().replace(&path, "boards"))
}

fn refused(text: &str) -> String {
    load(&[("b.toml", text)]).unwrap_err()
}

fn board(text: &str) -> Definition {
    load(&[("b.toml", text)]).unwrap().board("b").unwrap().clone()
}

/// A board of a kind, and one more line.
fn with(line: &str) -> String {
    refused(&format!("kind = \"nucleo-l4r5zi\"\nprobe = \"066B\"\n{line}\n"))
}

#[test]
fn what_is_no_file_of_text_is_refused_and_what_editors_leave_behind_is_none() {
    use std::os::unix::fs::symlink;
    let told = |make: &dyn Fn(&Path)| {
        let folder = folder(&[(".#b.toml", "no definition"), ("._b.toml", "\0")]);
        fs::create_dir(folder.path().join("folder.toml")).unwrap();
        make(&folder.path().join("b.toml"));
        let path = folder.path().display().to_string();
        let loaded = Definitions::load(&[folder.path().to_owned()]);
        loaded.map_or_else(|error| error.to_string().replace(&path, "boards"), |_| "all is well".to_owned())
    };
    let shown = [
        told(&|_| ()),
        told(&|path| symlink("gone.toml", path).unwrap()),
        told(&|path| symlink("b.toml", path).unwrap()),
        told(&|path| symlink("/dev/zero", path).unwrap()),
        told(&|path| fs::write(path, " ".repeat(5 << 20)).unwrap()),
        told(&|path| fs::write(path, b"chip = \"\xff\"").unwrap()),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    all is well
    boards/b.toml: cannot be read: No such file or directory (os error 2); mend that, or take it away
    boards/b.toml: cannot be read: Too many levels of symbolic links (os error 40); mend that, or take it away
    boards/b.toml: cannot be read: it is no file; mend that, or take it away
    boards/b.toml: cannot be read: it is longer than 4 MiB; mend that, or take it away
    boards/b.toml: cannot be read: it is not written in UTF-8; mend that, or take it away
    "#);
}

#[test]
fn three_lines_are_a_board() {
    let by_kind = board("kind = \"nucleo-l4r5zi\"\nprobe = \"066BFF31\"\ntags = [\"dsp\"]\n");
    assert_eq!(
        (by_kind.chip.as_str(), by_kind.core, by_kind.clock_hz),
        ("STM32L4R5ZITx", Some(Core::M4F), Some(4_000_000))
    );
    assert_eq!((by_kind.probe.as_deref(), by_kind.tags.as_slice()), (Some("066BFF31"), &["dsp".to_owned()][..]));
    assert!(by_kind.is_board() && !by_kind.is_simulated() && by_kind.file.is_some());
    let by_chip = board("chip = \"STM32L4R5ZITx\"\nprobe = \"0483:374b:066BFF31\"\n");
    assert_eq!((by_chip.clock_hz, by_chip.core, by_chip.link), (None, None, Link::Rtt));
}

#[test]
fn a_board_overrides_single_keys_of_its_kind_and_of_the_kinds_kind() {
    let definitions = load(&[
        (
            "ours.toml",
            "kind = \"nucleo-l4r5zi\"\nlimits = { ram = 0x1_0000, stack = \"4 KiB\" }\n[power]\ncycle = [\"./power\", \"1\"]\ntimeout = \"500 ms\"\n",
        ),
        (
            "left.toml",
            "kind = \"ours\"\nprobe = \"A\"\nlimits.ram = \"32 KiB\"\nunique_id.value = \"000102030405060708090A0B\"\n",
        ),
    ]);
    let definitions = definitions.unwrap();
    let left = definitions.board("left").unwrap();
    assert_eq!(left.limits, Limits { ram: Some(0x8000), stack: Some(0x1000), ..Limits::default() });
    let id = left.unique_id.as_ref().unwrap();
    assert_eq!(
        (id.address, id.words, id.value.as_deref()),
        (0x1FFF_7590, 3, Some(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][..]))
    );
    let hook = left.power_cycle.as_ref().unwrap();
    // The program is where the file is, wherever the farm was started.
    assert_eq!(hook.command, [hook.folder.join("./power").to_str().unwrap(), "1"]);
    assert_eq!(hook.timeout, Duration::from_millis(500));
    assert_eq!((left.summary.starts_with("ST NUCLEO"), left.kind.as_deref()), (true, Some("ours")));
    assert!(definitions.board("ours").is_none() && definitions.kinds.iter().any(|kind| kind.name == "ours"));
}

#[test]
fn a_file_of_the_users_takes_the_place_of_a_shipped_one() {
    let definitions = load(&[
        ("nucleo-l4r5zi.toml", "chip = \"STM32L4R5ZGTx\"\n"),
        ("b.toml", "kind = \"nucleo-l4r5zi\"\nprobe = \"A\"\n"),
    ]);
    assert_eq!(definitions.unwrap().board("b").unwrap().chip, "STM32L4R5ZGTx");
}

#[test]
fn what_is_simulated_and_what_is_real_have_chips_of_their_own() {
    let simulated = "kind = \"sim-netduinoplus2\"\n";
    let shown = [
        refused(&format!("{simulated}tags = [\"x\"]\nchip = \"STM32F405RGTx\"\n")),
        refused(&format!("{simulated}simulated = \"mps2-an385\"\n")),
        refused("kind = \"nucleo-l4r5zi\"\nsimulated = \"netduinoplus2\"\n"),
        refused("probe = \"A\"\nchip = \"sim-mps2-an386\"\n"),
        refused("probe = \"A\"\nchip = \" \"\n"),
        refused("chip = \"\"\nfirmware = \"own\"\nlink = \"serial\"\nserial.usb = \"0483:374b:A\"\n"),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    boards/b.toml:3: `simulated = "netduinoplus2"` and another chip than that machine's: `STM32F405RGTx`; say `chip = "sim-stm32f405"`, or leave `simulated` out where the board is a real one
    boards/b.toml:2: `simulated = "mps2-an385"` and another chip than that machine's: `sim-stm32f405`; say `chip = "sim-mps2-an385"`, or leave `simulated` out where the board is a real one
    boards/b.toml:2: `simulated = "netduinoplus2"` and another chip than that machine's: `STM32L4R5ZITx`; say `chip = "sim-stm32f405"`, or leave `simulated` out where the board is a real one
    boards/b.toml:2: `sim-mps2-an386` is the chip of a simulated board, and nothing says that this is one; say `simulated = "mps2-an386"`, or name the chip that the board has
    boards/b.toml:2: `chip` names no chip; write it like `chip = "STM32L4R5ZITx"`
    boards/b.toml:1: `chip` names no chip; write it like `chip = "STM32L4R5ZITx"`
    "#);
    board("chip = \"sim-mps2-an386\"\nsimulated = \"mps2-an386\"\n");
}

#[test]
fn boards_are_equal_where_chip_port_and_link_are() {
    let nucleo = board("kind = \"nucleo-l4r5zi\"\nprobe = \"A\"\n").specimen_of();
    let like = |text: &str| board(text).specimen_of() == nucleo;
    assert!(like(
        "kind = \"nucleo-l4r5zi\"\nprobe = \"B\"\ntags = [\"x\"]\nunique_id.value = \"000102030405060708090A0B\"\n"
    ));
    for other in ["core = \"Cortex-M4\"", "run_from = \"ram\"", "limits.ram = 65536", "clock_hz = 8_000_000"] {
        assert!(!like(&format!("kind = \"nucleo-l4r5zi\"\nprobe = \"A\"\n{other}\n")), "{other}");
    }
}

#[test]
fn serial_ports_are_known_by_their_usb_identity_or_a_lasting_name() {
    let serial = |text: &str| board(&format!("chip = \"ESP32\"\nfirmware = \"own\"\nlink = \"serial\"\n{text}\n")).link;
    let Link::Serial(port) = serial("serial = { usb = \"10C4:ea60:0001:A\", interface = 1, baud = 921_600 }") else {
        panic!()
    };
    assert_eq!((port.baud, port.identity.unwrap().to_string().as_str()), (921_600, "10c4:ea60-1:0001:A"));
    let Link::Serial(port) = serial("serial.path = \"/dev/serial/by-id/usb-x\"") else { panic!() };
    assert_eq!(
        (port.baud, port.identity),
        (115_200, Some(crate::serial::Identity::Path("/dev/serial/by-id/usb-x".into())))
    );
    let own = |text: &str| refused(&format!("chip = \"ESP32\"\nfirmware = \"own\"\n{text}\n"));
    insta::assert_snapshot!(own("link = \"serial\"\nprobe = \"A\""), @r#"boards/b.toml:3: `link = "serial"` without a serial port; say which, as `tinyfarm boards list` shows it: `serial = { usb = "0483:374b:066BFF…" }`"#);
    insta::assert_snapshot!(own("link = \"serial\"\nserial.path = \"/dev/ttyACM99\""), @r#"boards/b.toml:4: /dev/ttyACM99 is not the same port after a reset or another boot; name it by its link in /dev/serial/by-id (see `ls -l /dev/serial/by-id` while it is attached), or by usb = "vid:pid:serial""#);
    insta::assert_snapshot!(own("link = \"serial\"\nserial.usb = \"/dev/ttyACM0\""), @r#"boards/b.toml:4: `/dev/ttyACM0` names no serial port; write it like `serial.usb = "0483:374b:066BFF…"`"#);
    insta::assert_snapshot!(own("serial.usb = \"1:2:3\""), @r#"boards/b.toml:3: a serial port, and a link that is not serial; say `link = "serial"`, or leave `serial` out"#);
    insta::assert_snapshot!(own("link = \"serial\"\nserial = { usb = \"1:2:3\", path = \"/dev/x\" }"), @"boards/b.toml:4: the serial port has both `usb` and `path`; leave one");
    insta::assert_snapshot!(own("link = \"serial\"\nserial = { usb = \"1:2-1:3\", interface = 2 }"), @"boards/b.toml:4: `usb` names another interface than `interface = 2`; leave one of them out");
    insta::assert_snapshot!(own("link = \"serial\"\nserial = { path = \"/dev/x\", baud = 0 }"), @"boards/b.toml:4: a port of 0 baud says nothing; write it like `serial.baud = 115200`");
    insta::assert_snapshot!(own("link = \"uart\"\nserial.path = \"/dev/x\""), @"boards/b.toml:3: `link` cannot be `uart`; there is: rtt, serial");
    insta::assert_snapshot!(refused("chip = \"STM32F407VGTx\"\nlink = \"serial\"\nserial.path = \"/dev/x\"\n"), @r#"boards/b.toml:2: without a probe the farm can put no runner on the board; say `probe = "…"`, or `firmware = "own"` where the firmware on it speaks firmware/PROTOCOL.md"#);
    insta::assert_snapshot!(with("link = \"serial\"\nserial.path = \"/dev/x\""), @r#"boards/b.toml:3: a runner built for a chip talks by RTT: pins and clocks of a UART differ from board to board; say `link = "rtt"`, or `firmware = "own"` where the firmware on it speaks firmware/PROTOCOL.md"#);
    insta::assert_snapshot!(with("reset.line = \"dtr\""), @r#"boards/b.toml:3: `reset.line` is a line of a serial port, and the link is none; say `reset = { command = ["…"] }`, or leave it out: a probe resets the board"#);
}

#[test]
fn what_is_not_toml_or_no_key_is_told_by_file_and_line() {
    insta::assert_snapshot!(refused("chip = \n"), @"boards/b.toml:1: string values must be quoted, expected literal string; a definition is lines of `key = value`");
    insta::assert_snapshot!(with("clok_hz = 1"), @"boards/b.toml:3: there is no key `clok_hz`; did you mean `clock_hz`?");
    insta::assert_snapshot!(with("limits.flsh = 1"), @"boards/b.toml:3: there is no key `limits.flsh`; did you mean `limits.flash`?");
    insta::assert_snapshot!(with("limits = 1"), @"boards/b.toml:3: `limits` is no table; write it like `limits = { flash = 0x8_0000 }`");
    insta::assert_snapshot!(with("identify = [{ adress = 1, value = 2 }]"), @"boards/b.toml:3: `identify` says what it cannot: unknown field `adress`, expected one of `address`, `mask`, `value`; write it like `identify = [{ address = 0xE004_2000, mask = 0xFFF, value = 0x470 }]`");
    insta::assert_snapshot!(with("chip = 5"), @r#"boards/b.toml:3: `chip` says what it cannot: invalid type: integer `5`, expected a string; write it like `chip = "STM32L4R5ZITx"`"#);
    insta::assert_snapshot!(refused("probe = \"A\"\n"), @r#"boards/b.toml:1: `b` says neither `kind` nor `chip`; say which board it is, `kind = "nucleo-l4r5zi"`, or which chip, `chip = "STM32L4R5ZITx"`"#);
}

#[test]
fn a_kind_that_is_not_there_gets_the_nearest() {
    insta::assert_snapshot!(refused("# mine\nkind = \"nucleo-l4r5\"\nprobe = \"A\"\n"), @"boards/b.toml:2: there is no kind `nucleo-l4r5`; did you mean `nucleo-l4r5zi`?");
    insta::assert_snapshot!(
        load(&[("a.toml", "kind = \"b\"\n"), ("b.toml", "kind = \"c\"\n"), ("c.toml", "kind = \"a\"\n")]).unwrap_err(), @"boards/c.toml:1: a kind of itself: a -> b -> c -> a; leave `kind` out in one of them");
    insta::assert_snapshot!(refused("kind = \"b\"\n"), @"boards/b.toml:1: a kind of itself: b -> b; leave `kind` out in one of them");
}

#[test]
fn what_the_chip_does_not_have_is_told_at_the_key_that_wants_it() {
    insta::assert_snapshot!(with("chip = \"STM32L4R5ZZTx\""), @"boards/b.toml:3: probe-rs knows no chip `STM32L4R5ZZTx`; did you mean `STM32L4R5ZITx`, `STM32L4R5ZGTx`, `STM32L4R5ZITxP`? If it is none of them, describe it in a file and name that by `chip_description`");
    insta::assert_snapshot!(with("core = \"Cortex-M33\""), @"boards/b.toml:3: STM32L4R5ZITx has no Cortex-M33; its core is one of: Cortex-M4, Cortex-M4F, Cortex-M7, Cortex-M7F, Cortex-M7FD");
    insta::assert_snapshot!(with("core = \"M4F\""), @"boards/b.toml:3: no core is named `M4F`; there is: Cortex-M0, Cortex-M0+, Cortex-M3, Cortex-M4, Cortex-M4F, Cortex-M7, Cortex-M7F, Cortex-M7FD, Cortex-M23, Cortex-M33, Cortex-M33F, Cortex-M55");
    insta::assert_snapshot!(with("limits = { flash = \"3 MiB\" }"), @"boards/b.toml:3: `limits.flash` is 3145728 bytes, and STM32L4R5ZITx has 2097152 in one piece; allow no more than there is");
    insta::assert_snapshot!(with("limits = { ram = \"4 KiB\", stack = \"8 KiB\" }"), @"boards/b.toml:3: the port stm32l4r5zitx makes no sense: stack, heap and rtt take 8832 bytes of ram's 4096: nothing is left for a tensor arena; give it more, or take another chip");
    insta::assert_snapshot!(with("limits.ram = \"many\""), @r#"boards/b.toml:3: `limits.ram` says `many`, which is no size; write it like `limits.ram = 0x1_0000` or `limits.ram = "64 KiB"`"#);
    insta::assert_snapshot!(with("limits.ram = 0"), @r#"boards/b.toml:3: `limits.ram` says `0`, which is no size; write it like `limits.ram = 0x1_0000` or `limits.ram = "64 KiB"`"#);
    insta::assert_snapshot!(with("port = \"netduinoplus\""), @"boards/b.toml:3: no port is named `netduinoplus`; did you mean `netduinoplus2`?");
    insta::assert_snapshot!(with("port = \"host\""), @r#"boards/b.toml:3: the port `host` is no microcontroller's; write it like `port = "netduinoplus2"`"#);
    insta::assert_snapshot!(with("port = \"mps2-an386\""), @"boards/b.toml:3: the port `mps2-an386` is not for STM32L4R5ZITx: no RAM is at 0x20000000 to 0x20400000; leave it out");
    insta::assert_snapshot!(with("simulated = \"netduino\""), @"boards/b.toml:3: `simulated` cannot be `netduino`; did you mean `netduinoplus2`?");
    insta::assert_snapshot!(refused("kind = \"raspberry-pi-pico\"\nprobe = \"A\"\nrun_from = \"flash\"\n"), @r#"boards/b.toml:3: RP2040 does not start the runner from flash (RP2040 Datasheet, Bootrom: a second stage of 256 bytes with a checksum); say `run_from = "ram"`"#);
}

#[test]
fn what_makes_no_sense_is_told_with_the_mend() {
    insta::assert_snapshot!(with("tags = [\"two words\"]"), @"boards/b.toml:3: `two words` cannot be a tag; take letters, digits, `_`, `-` and `.`");
    insta::assert_snapshot!(with("clock_hz = 0"), @"boards/b.toml:3: a core does not run at 0 Hz; write it like `clock_hz = 4_000_000`");
    insta::assert_snapshot!(with("run_from = \"rom\""), @"boards/b.toml:3: `run_from` cannot be `rom`; did you mean `ram`?");
    insta::assert_snapshot!(with("identify = [{ address = 0x1000, mask = 0xF, value = 0x10 }]"), @"boards/b.toml:3: no word fits the mask 0xf and the value 0x10; let `value` have only bits of `mask`, and `address` be a multiple of 4");
    insta::assert_snapshot!(with("identify = [{ address = 0x1001, value = 0x10 }]"), @"boards/b.toml:3: no word is at 0x1001; let `value` have only bits of `mask`, and `address` be a multiple of 4");
    insta::assert_snapshot!(with("unique_id.value = \"00\""), @"boards/b.toml:3: `00` is no number of 3 words; write its 24 hex digits, bytes in the order of memory, as `tinyfarm boards doctor` shows them");
    insta::assert_snapshot!(refused("chip = \"STM32F407VGTx\"\nprobe = \"A\"\nunique_id = { value = \"00\" }\n"), @"boards/b.toml:3: where the chip's own number stands is not known; say `address` and `words`, too");
    insta::assert_snapshot!(refused("chip = \"STM32F407VGTx\"\nprobe = \"A\"\nunique_id = { words = 2 }\n"), @"boards/b.toml:3: where the chip's own number stands is not known; say `address`, too");
    insta::assert_snapshot!(with("power = { cycle = [] }"), @r#"boards/b.toml:3: `power.cycle` names no program; write it like `power.cycle = ["uhubctl", "-l", "1-1", "-p", "2", "-a", "cycle"]`"#);
    insta::assert_snapshot!(with("power = { cycle = [\"x\"], timeout = \"30\" }"), @r#"boards/b.toml:3: `30` is no time; write it like `power.timeout = "30 s"`"#);
    insta::assert_snapshot!(with("reset = { line = \"dtr\", command = [\"x\"] }"), @"boards/b.toml:3: `reset` has both `line` and `command`; leave one");
    insta::assert_snapshot!(with("flash = [\"x\"]"), @r#"boards/b.toml:3: `flash` writes firmware of one's own, and the farm writes its runner itself; say `firmware = "own"`, or leave `flash` out"#);
    insta::assert_snapshot!(refused("kind = \"sim-netduinoplus2\"\nfirmware = \"own\"\n"), @"boards/b.toml:2: a simulated board runs the farm's runner; leave `firmware` out");
    for probe in ["/dev/ttyACM0", "", "two words", "nucleo:1"] {
        assert!(
            refused(&format!("kind = \"nucleo-l4r5zi\"\nprobe = {probe:?}\n")).starts_with("boards/b.toml:2: "),
            "{probe}"
        );
    }
    insta::assert_snapshot!(refused("kind = \"nucleo-l4r5zi\"\nprobe = \"/dev/ttyACM0\"\n"), @"boards/b.toml:2: `/dev/ttyACM0` is a serial port's name, and no probe; name the probe by its serial number, as `tinyfarm boards list` shows it");
    insta::assert_snapshot!(refused("kind = \"nucleo-l4r5zi\"\nprobe = \"nucleo:1\"\n"), @r#"boards/b.toml:2: `nucleo:1` is neither a probe's serial number nor a selector; write it like `probe = "066BFF…"` or `probe = "0483:374b:066BFF…"`"#);
}

#[test]
fn names_that_a_step_cannot_hold_or_that_mean_something_else_are_refused() {
    let named = |name: &str| load(&[(name, "kind = \"nucleo-l4r5zi\"\nprobe = \"A\"\n")]).unwrap_err();
    insta::assert_snapshot!(named("my board.toml"), @"boards/my board.toml:1: `my board` cannot be a board's name; rename the file: letters, digits, `_`, `-` and `.`");
    insta::assert_snapshot!(named("qemu:x.toml"), @"boards/qemu:x.toml:1: `qemu:x` cannot be a board's name; rename the file: letters, digits, `_`, `-` and `.`");
    insta::assert_snapshot!(named("Container.toml"), @"boards/Container.toml:1: `Container` means something else in a step; rename the file");
}

#[test]
fn boards_that_could_not_be_told_apart_are_refused() {
    let two = |first: &str, second: &str| {
        let text = |lines: &str| format!("kind = \"nucleo-l4r5zi\"\n{lines}\n");
        load(&[("a.toml", &text(first)), ("b.toml", &text(second))]).unwrap_err()
    };
    insta::assert_snapshot!(two("probe = \"066B\"", "probe = \"0483:374b:066B\""), @"boards/b.toml:2: `b` has the same `probe` as `a`; say it in one of them only: it tells boards apart");
    let port = "firmware = \"own\"\nlink = \"serial\"\nserial.usb = \"1:2:3\"";
    insta::assert_snapshot!(two(port, port), @"boards/b.toml:4: `b` has the same `serial.usb` as `a`; say it in one of them only: it tells boards apart");
    let id = |probe| format!("probe = \"{probe}\"\nunique_id.value = \"000102030405060708090a0b\"");
    insta::assert_snapshot!(two(&id("A"), &id("B")), @"boards/b.toml:3: `b` has the same `unique_id.value` as `a`; say it in one of them only: it tells boards apart");
    let (one, other) =
        (folder(&[("a.toml", "kind = \"microbit-v1\"")]), folder(&[("a.toml", "kind = \"microbit-v1\"")]));
    let error = Definitions::load(&[one.path().to_owned(), other.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("`a` is there already") && error.contains(&*one.path().to_string_lossy()), "{error}");
}

#[test]
fn a_chip_of_ones_own_is_described_in_a_file() {
    let text =
        |file: &str| format!("chip = \"my-chip\"\nchip_description = \"{file}\"\nprobe = \"A\"\nrun_from = \"ram\"\n");
    let described = "name: Mine\nvariants:\n- name: my-chip\n  cores:\n  - name: main\n    type: armv7em\n    core_access_options: !Arm\n      ap: !v1 0\n  memory_map:\n  - !Ram\n    range:\n      start: 0x20000000\n      end: 0x20080000\n    cores:\n    - main\nflash_algorithms: []\n";
    let definitions = load(&[("b.toml", &text("mine.yaml")), ("mine.yaml", described)]).unwrap();
    assert_eq!(definitions.chips.chip("my-chip").unwrap().ram[0].length, 0x8_0000);
    insta::assert_snapshot!(load(&[("b.toml", &text("gone.yaml"))]).unwrap_err(), @"boards/b.toml:2: boards/gone.yaml cannot be read (No such file or directory (os error 2)); check the path");
    insta::assert_snapshot!(load(&[("b.toml", &text("bad.yaml")), ("bad.yaml", "name: [")]).unwrap_err(), @"boards/b.toml:2: probe-rs does not understand boards/bad.yaml: An error occurred while deserializing a YAML target description file: name: invalid type: sequence, expected a string at line 1 column 7; it is a target description as `target-gen` of probe-rs makes them");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_what_is_no_definition_is_left_alone() {
    let error = Definitions::load(&["/nowhere/boards".into()]).unwrap_err();
    insta::assert_snapshot!(error, @"/nowhere/boards: there is no such folder of boards; make it, or mend `folders` of `[boards]` in the configuration");
    assert_eq!(load(&[("notes.md", "x"), ("chip.yaml", "x")]).unwrap().boards.len(), 1);
}

#[test]
fn the_guide_explains_every_key() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    for (key, _) in keys::KEYS {
        let told = key.split_once('.').map_or_else(|| format!("`{key}`"), |(table, key)| format!("`{table}.{key}`"));
        assert!(guide.contains(&told), "boards/README.md does not explain {told}");
    }
    for kind in Definitions::load(&[]).unwrap().kinds {
        assert!(guide.contains(&format!("`{}`", kind.name)), "boards/README.md does not list {}", kind.name);
    }
}

proptest! {
    /// Whatever is in a file, it is a definition or an error with a line of the file.
    #[test]
    fn any_file_is_read_or_refused(
        lines in prop::collection::vec((0..keys::KEYS.len(), prop::sample::select(vec![
            "1", "-1", "0xFFFF_FFFF_FF", "\"\"", "\"x\"", "\"é:1:2\"", "[]", "[\"\"]", "[{}]", "{}", "true", "1e300", "\"1 B\"", "\"9e99 MiB\"",
            "\"1e300 s\"", "[{ address = 3, value = 9 }]",
        ])), 0..6),
    ) {
        let text: String = lines.iter().map(|(key, value)| format!("{} = {value}\n", keys::KEYS[*key].0)).collect();
        if let Err(error) = load(&[("b.toml", &text)]) {
            let line: usize = error.split(':').nth(1).unwrap().parse().unwrap();
            prop_assert!(error.starts_with("boards/b.toml:") && (1..=lines.len().max(1)).contains(&line), "{}", error);
        }
    }
}
