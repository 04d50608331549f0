//! External Control: the recorded conversations, as far as the typed client can say what was said. What it cannot say are
//! broken frames; that none goes out is in `external_control_faults.rs`.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use renode_rs::external_control::{
    Capabilities, Command, ExternalControl, ExternalControlError, Gpio, MachineId, Width,
};
use renode_rs::version::Version;
use support::raw_replay::{RawReplay, Step, case, script, without};
use support::transcript::{Line, read};

const NEWEST: Version = Version::new(1, 16, 1);
const PORT_A: &str = "sysbus.gpioPortA";

async fn connect(address: SocketAddr, capabilities: Capabilities) -> ExternalControl {
    ExternalControl::connect(address, &NEWEST, capabilities).await.expect("connect")
}

async fn one(lines: &[Line], connection: u32) -> RawReplay {
    RawReplay::start(vec![script(lines, connection)]).await
}

fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[track_caller]
fn failed<T: std::fmt::Debug>(result: Result<T, ExternalControlError>, expected: Command, text: &str) {
    match result {
        Err(ExternalControlError::CommandFailed { command, message }) => {
            assert_eq!((command, message.as_str()), (expected, text));
        }
        other => panic!("{other:?}"),
    }
}

/// Broken requests, which the types do not allow, and those that are sent otherwise.
const UNSPEAKABLE: [&str; 20] = [
    // Goes out in pieces: see `writes_go_in_pieces`.
    "4 KiB block write",
    "unknown machine id",
    "unknown instance id",
    "negative instance id",
    "unknown GPIO sub-command",
    "GPIO set with a short payload",
    "empty GPIO payload",
    "unknown bus operation",
    "unknown width",
    "write with too little data",
    "read with extra bytes",
    "short bus payload",
    "RunFor with 3 bytes",
    "GetTime with payload",
    "GetMachine without payload",
    "GetMachine with an empty name",
    "GetMachine with a wrong length",
    "unknown command 9",
    "unknown command 0 with payload",
    // Three frames at once: here each waits for its answer.
    "GetTime, GetTime, RunFor 10, GetTime in one write",
];

#[tokio::test]
async fn the_main_conversation_is_replayed() {
    let lines = read("extctl-main");
    let server = one(&without(&lines, &UNSPEAKABLE), 0).await;
    let control = connect(server.address, Capabilities::ALL).await;

    assert_eq!(control.time().await.expect("time"), us(0));
    assert_eq!(control.run_for(us(1000)).await.expect("run"), []);
    assert_eq!(control.time().await.expect("time"), us(1000));
    control.run_for(Duration::ZERO).await.expect("run");
    control.run_for(us(1)).await.expect("run");
    assert_eq!(control.time().await.expect("time"), us(1001));
    failed(control.machine("nope").await, Command::GetMachine, "Machine not found");
    let machine = control.machine("stm").await.expect("machine");
    assert_eq!((machine.number(), control.machine("stm").await.expect("again").number()), (0, 1));

    let bus = control.system_bus(machine, "sysbus").await.expect("bus");
    let at = 0x2001_0000;
    bus.write_u8(at, 0xA5).await.expect("write");
    assert_eq!(bus.read_u8(at).await.expect("read"), 0xA5);
    bus.write_u16(at, 0xBEEF).await.expect("write");
    assert_eq!(bus.read_u16(at).await.expect("read"), 0xBEEF);
    bus.write_u32(at, 0x1234_5678).await.expect("write");
    assert_eq!(bus.read_u32(at).await.expect("read"), 0x1234_5678);
    bus.write_u64(at, 0x1122_3344_5566_7788).await.expect("write");
    assert_eq!(bus.read_u64(at).await.expect("read"), 0x1122_3344_5566_7788);
    let three = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
    bus.write(at + 0x10, Width::U32, &three).await.expect("write");
    assert_eq!(bus.read(at + 0x10, Width::U32, 12).await.expect("read"), three);
    assert_eq!(bus.read(at + 0x10, Width::U16, 12).await.expect("read"), three);
    bus.write(0x2001_0100, Width::Block, b"hello block").await.expect("write");
    assert_eq!(bus.read(0x2001_0100, Width::Block, 11).await.expect("read"), b"hello block");
    assert_eq!(&bus.read(0x0800_0000, Width::Block, 64).await.expect("flash")[..4], [0x08, 0x10, 0x00, 0x20]);
    let page = bus.read(0x2001_1000, Width::Block, 4096).await.expect("page");
    assert!(page.iter().enumerate().all(|(at, byte)| *byte == (at % 256) as u8));
    assert_eq!(bus.read_u32(0x9000_0000).await.expect("unmapped"), 0);
    bus.write_u32(0x9000_0000, 1).await.expect("unmapped");
    assert_eq!(bus.read_u32(at + 1).await.expect("unaligned"), 0x4455_6677);
    let cpu = control.system_bus(machine, "sysbus.cpu").await.expect("cpu");
    assert_eq!(cpu.read_u32(0xE000_ED00).await.expect("cpuid"), 0x410F_C240);
    assert_eq!(bus.read_u32(0xE000_ED00).await.expect("cpuid"), 0x410F_C240);

    let port = control.gpio(machine, PORT_A, 100).await.expect("port");
    assert!(!port.get(5).await.expect("get"));
    port.set_input(7, true).await.expect("set");
    assert!(port.get(7).await.expect("get"));
    assert_eq!(bus.read_u32(0x4002_0010).await.expect("IDR"), 0x80);
    // Seen by now: not asked for again.
    port.set(7, false).await.expect("set");
    let none = "This instance does not provide GPIO output #99";
    failed(port.get(99).await, Command::Gpio, none);
    port.subscribe(5, 77).await.expect("subscribe");
    failed(port.subscribe(99, 1).await, Command::Gpio, none);
    failed(control.adc(machine, "sysbus.usart1").await, Command::Adc, "Instance not found");
    failed(control.gpio(machine, "sysbus.usart1", 1).await, Command::Gpio, "Instance not found");
    failed(control.gpio(machine, "sysbus.nosuch", 1).await, Command::Gpio, "Instance not found");
    assert_eq!(control.time().await.expect("still alive"), us(1001));
    assert_eq!(control.time().await.expect("byte by byte"), us(1001));
    control.close().await;
    server.finish().await;
}

/// Levels of the recorded toggles of PA5: three by ODR, three by BSRR.
const LEVELS: [bool; 6] = [true, false, true, false, true, false];

fn check_events(events: &[renode_rs::external_control::Event], times: [u64; 6]) {
    // Subscribed twice, so each is told twice.
    let expected: Vec<_> =
        times.into_iter().zip(LEVELS).flat_map(|(time, high)| [(77, us(time), high), (-3, us(time), high)]).collect();
    assert_eq!(events.iter().map(|event| (event.descriptor, event.time, event.high)).collect::<Vec<_>>(), expected);
}

async fn subscribed(control: &ExternalControl, machine: MachineId) -> Gpio {
    let port = control.gpio(machine, PORT_A, 16).await.expect("port");
    port.subscribe(5, 77).await.expect("subscribe");
    port.subscribe(5, -3).await.expect("subscribe");
    port
}

#[tokio::test]
async fn events_are_replayed_for_two_clients() {
    let lines = read("extctl-events");
    let server = RawReplay::start(vec![script(&lines, 0), script(&lines, 1)]).await;
    let control = connect(server.address, Capabilities::ALL).await;
    assert_eq!(control.run_for(us(1000)).await.expect("boot"), []);
    let machine = control.machine("stm").await.expect("machine");
    let port = subscribed(&control, machine).await;
    let events = control.run_for(us(1000)).await.expect("run");
    check_events(&events, [0x44C, 0x45C, 0x4B0, 0x4B0, 0x514, 0x578]);
    assert!(!port.get(5).await.expect("get"));
    let bus = control.system_bus(machine, "sysbus").await.expect("bus");
    bus.write_u32(0x4002_0018, 0x20).await.expect("BSRR");
    bus.write_u32(0x4002_0018, 0x20_0000).await.expect("BSRR");
    control.close().await;

    let control = connect(server.address, Capabilities::ALL).await;
    let events = control.run_for(us(1000)).await.expect("run");
    check_events(&events, [0xC1C, 0xC2C, 0xC80, 0xC80, 0xCE4, 0xD48]);
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn clients_in_turn_are_replayed() {
    let lines = read("extctl-clients");
    let lines = without(&lines, &["GPIO was not activated in this handshake", "half a header, then disconnect"]);
    // The third waits for its handshake until the second has closed: its own server here, for order is the kernel's.
    let server = one(&lines, 0).await;
    let some = Capabilities::RUN_FOR | Capabilities::TIME | Capabilities::SYSTEM_BUS;
    let control = connect(server.address, some).await;
    let machine = control.machine("stm").await.expect("machine");
    control.system_bus(machine, "sysbus").await.expect("bus");
    let error = control.gpio(machine, PORT_A, 16).await.expect_err("not activated");
    assert!(matches!(error, ExternalControlError::NotActivated { command: Command::Gpio }), "{error:?}");
    control.close().await;
    server.finish().await;

    // It used ids of the first client, which the types do not give away.
    let second = without(
        &lines,
        &["instance of the old machine id, new instance id", "instance id of the first client still works"],
    );
    let server = one(&second, 1).await;
    let control = connect(server.address, Capabilities::ALL).await;
    assert_eq!(control.machine("stm").await.expect("machine").number(), 1);
    assert_eq!(control.time().await.expect("time"), us(0));
    control.close().await;
    server.finish().await;

    let server = one(&lines, 2).await;
    let control = connect(server.address, Capabilities::ALL).await;
    assert_eq!(control.time().await.expect("time"), us(0));
    control.close().await;
    server.finish().await;

    // After half a header of another client.
    let server = one(&without(&lines, &["GetTime"]), 4).await;
    let result = ExternalControl::connect(server.address, &NEWEST, Capabilities::TIME).await;
    fatal(result.map(drop), "Encountered invalid version (0x1) for GetTime, expected 0x0");
    server.finish().await;
}

#[track_caller]
fn fatal(result: Result<(), ExternalControlError>, text: &str) {
    match result {
        Err(ExternalControlError::Fatal { message }) => assert_eq!(message, text),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_empty_handshake_is_replayed() {
    let lines = without(&case(&read("extctl-fatal"), "empty"), &["GetTime not activated"]);
    let server = RawReplay::start(vec![script(&lines, 0), script(&lines, 1)]).await;
    let control = connect(server.address, Capabilities::NONE).await;
    let error = control.time().await.expect_err("not activated");
    assert!(matches!(error, ExternalControlError::NotActivated { command: Command::GetTime }), "{error:?}");
    control.close().await;
    connect(server.address, Capabilities::ALL).await.close().await;
    server.finish().await;
}

#[tokio::test]
async fn a_wrong_version_is_fatal() {
    let lines = case(&read("extctl-fatal"), "version");
    let server = one(&lines, 0).await;
    // What happens where the caller is wrong about the version: 1.15.2 has GPIO 0, and no bus.
    let all = Capabilities::ALL;
    let result = ExternalControl::connect(server.address, &Version::new(1, 15, 2), all).await;
    assert!(
        matches!(result, Err(ExternalControlError::NotInVersion { command: Command::SystemBus, .. })),
        "{result:?}"
    );
    drop(server);
    let mut steps = script(&lines, 0);
    steps[0] = Step::Expect(vec![5, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
    let server = RawReplay::start(vec![steps]).await;
    let old = Capabilities::of_version(&Version::new(1, 15, 2));
    let result = ExternalControl::connect(server.address, &Version::new(1, 15, 2), old).await;
    fatal(result.map(drop), "Encountered invalid version (0x0) for GPIOPort, expected 0x1");
    server.finish().await;
}

#[tokio::test]
async fn a_fatal_header_kills_the_client() {
    // Our headers are good, so the bad one of the recording is replaced.
    for name in ["magic", "size"] {
        let lines = without(&case(&read("extctl-fatal"), name), if name == "magic" { &["next frame"] } else { &[] });
        let mut steps = script(&lines, 0);
        steps[2] = Step::Expect(b"RE\x02\0\0\0\0".to_vec());
        let server = RawReplay::start(vec![steps]).await;
        let control = connect(server.address, Capabilities::ALL).await;
        let error = control.time().await.expect_err("fatal");
        assert!(
            matches!(&error, ExternalControlError::Fatal { message } if message.starts_with("Encountered invalid"))
        );
        let error = control.time().await.expect_err("dead");
        assert!(matches!(&error, ExternalControlError::Dead { reason } if reason.contains("for good")), "{error}");
        server.finish().await;
    }
}

#[tokio::test]
async fn a_run_while_started_fails_and_goes_on() {
    let server = one(&case(&read("extctl-edge"), "started"), 0).await;
    let control = connect(server.address, Capabilities::ALL).await;
    let text = "This action is not available when emulation is already started";
    failed(control.run_for(us(100)).await, Command::RunFor, text);
    assert_eq!(control.time().await.expect("time"), us(158_500));
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn runs_of_the_edge_cases_are_replayed() {
    let lines = read("extctl-edge");
    for (name, runs) in [("pause2", vec![us(1000); 6]), ("runlong", vec![Duration::from_secs(1); 2])] {
        let server = one(&case(&lines, name), 0).await;
        let control = connect(server.address, Capabilities::ALL).await;
        for run in runs {
            assert_eq!(control.run_for(run).await.expect("run"), []);
        }
        control.close().await;
        server.finish().await;
    }
}

#[tokio::test]
async fn a_client_after_a_run_that_was_left_is_replayed() {
    let server = one(&case(&read("extctl-edge"), "discon"), 1).await;
    let control = connect(server.address, Capabilities::ALL).await;
    assert_eq!(control.time().await.expect("time"), Duration::from_secs(2));
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn an_end_of_renode_is_told() {
    let lines = read("extctl-edge");
    // In the middle of a run.
    let server = one(&case(&lines, "pause"), 0).await;
    let control = connect(server.address, Capabilities::ALL).await;
    let error = control.run_for(us(1)).await.expect_err("closed");
    assert!(matches!(&error, ExternalControlError::Closed { during } if during == "RunFor"), "{error:?}");
    server.finish().await;

    // In bus access after the machine was removed, and for whatever comes then.
    let server = one(&without(&case(&lines, "rem"), &["GetMachine after removal"]), 0).await;
    let control = connect(server.address, Capabilities::ALL).await;
    let machine = control.machine("stm").await.expect("machine");
    let bus = control.system_bus(machine, "sysbus").await.expect("bus");
    let error = bus.read_u32(0x0800_0000).await.expect_err("closed");
    assert!(matches!(&error, ExternalControlError::Closed { during } if during == "SystemBus"), "{error:?}");
    let error = control.machine("stm").await.expect_err("dead");
    assert!(matches!(error, ExternalControlError::Dead { .. }), "{error:?}");
    server.finish().await;

    // By `Clear`, while nothing runs.
    let server = one(&case(&lines, "clear"), 0).await;
    let control = connect(server.address, Capabilities::ALL).await;
    let error = control.time().await.expect_err("closed");
    assert!(matches!(error, ExternalControlError::Dead { .. } | ExternalControlError::Closed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_bad_pin_is_not_set() {
    let lines = without(
        &case(&read("extctl-edge"), "gpio99"),
        &["GPIO set on pin 99 (peripheral has 16): the exception is not caught"],
    );
    let get = b"RE\x05\x09\0\0\0\0\0\0\0\0\x63\0\0\0".to_vec();
    let none = read("extctl-main").into_iter().filter_map(|line| line.bytes).find(|bytes| bytes.ends_with(b"#99"));
    let mut steps: Vec<_> = script(&lines, 0).into_iter().filter(|step| !matches!(step, Step::Close)).collect();
    steps.extend([Step::Expect(get), Step::Send(none.expect("refusal"))]);
    let server = RawReplay::start(vec![steps]).await;
    let control = connect(server.address, Capabilities::ALL).await;
    let machine = control.machine("stm").await.expect("machine");
    // Declared wrongly: Renode is asked, and has none.
    let port = control.gpio(machine, PORT_A, 100).await.expect("port");
    for pin in [99, 100, u32::MAX] {
        let error = port.set(pin, true).await.expect_err("out of range");
        assert!(matches!(error, ExternalControlError::PinOutOfRange { pins: 100, .. }), "{error:?}");
    }
    let error = port.set_input(100, true).await.expect_err("out of range");
    assert!(matches!(error, ExternalControlError::PinOutOfRange { pin: 100, .. }), "{error:?}");
    control.close().await;
    server.finish().await;
}

#[tokio::test]
async fn no_bytes_are_read_without_asking() {
    let lines =
        without(&case(&read("extctl-edge"), "zero"), &["read of zero bytes: reply has code and command but no length"]);
    let server = one(&lines, 0).await;
    let control = connect(server.address, Capabilities::ALL).await;
    let machine = control.machine("stm").await.expect("machine");
    let bus = control.system_bus(machine, "sysbus").await.expect("bus");
    assert!(bus.read(0x0800_0000, Width::Block, 0).await.expect("read").is_empty());
    bus.write(0x0800_0000, Width::U32, &[]).await.expect("write");
    assert_eq!(control.time().await.expect("next frame"), us(0));
    control.close().await;
    server.finish().await;
}
