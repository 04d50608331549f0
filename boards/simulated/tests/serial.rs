//! The runner in flash, spoken to over the board's serial port: the machine's UART, the paced pseudo-terminal and its
//! faults, all real.
#![allow(missing_docs, clippy::unwrap_used)]

use firmware::{
    Builder, Firmware,
    protocol::{Decoded, Decoder, Frame, Hello, Kind, Reply},
    tflm,
};
use rustix::fs::OFlags;
use simulated_board::{Command, Event, Events, Fault, Options, SimulatedBoard};
use std::{
    env,
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
    sync::{Arc, mpsc::Receiver},
};
use tempfile::TempDir;

const MACHINE: &str = "netduinoplus2";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn built() -> Arc<Firmware> {
    let cache = env::var_os("TINYFARM_CACHE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tinyfarm")), PathBuf::from);
    let builder = Builder::new(&cache, tflm::locate().unwrap(), 4);
    runtime().block_on(builder.build(firmware::port(MACHINE).unwrap())).unwrap()
}

/// A board that has the runner in its flash.
struct Flashed {
    firmware: Arc<Firmware>,
    board: SimulatedBoard,
    heard: Receiver<Event>,
    folder: TempDir,
}

impl Flashed {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let firmware = built();
        let flash = folder.path().join("SIM-1.flash");
        let copied = process::Command::new("arm-none-eabi-objcopy")
            .args(["-O", "binary", "--gap-fill", "0xff", "--pad-to", "0x08100000"])
            .args([&firmware.elf, &flash])
            .status();
        assert!(copied.unwrap().success());
        let (events, heard) = Events::channel();
        let options = Options { events, baud: 460_800, ..Options::new(MACHINE, "SIM-1", "port-1", folder.path()) };
        let board = SimulatedBoard::start(options).unwrap();
        Self { firmware, board, heard, folder }
    }

    fn open(&self) -> File {
        open(&self.folder.path().join("port-1.uart"))
    }
}

fn open(path: &Path) -> File {
    let flags = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap()
}

/// Asks who is there, and waits for the answer; with what was no frame before it. `None` where the port hung up.
fn hello(uart: &mut File, sequence: u16) -> Option<(Hello, u64)> {
    uart.write_all(&Frame::new(Kind::HelloRequest, sequence, []).encode()).ok()?;
    let mut decoder = Decoder::new();
    loop {
        while let Some(decoded) = decoder.next() {
            let Decoded::Frame(frame) = decoded else { panic!("{decoded:?}") };
            if frame.sequence == sequence
                && let Ok(Reply::Hello(hello)) = Reply::read(frame)
            {
                return Some((hello, decoder.garbage().bytes));
            }
        }
        let mut buffer = [0; 256];
        match uart.read(&mut buffer) {
            Ok(count @ 1..) => decoder.push(&buffer[..count]),
            _ => return None,
        }
    }
}

#[test]
fn the_runner_answers_over_the_serial_port_and_after_a_power_cycle_again() {
    let flashed = Flashed::start();
    let mut uart = flashed.open();
    // The first may come behind the rest of what the runner says when it starts.
    let (told, _) = hello(&mut uart, 1).unwrap();
    assert_eq!(told.build, flashed.firmware.digest);
    assert_eq!(hello(&mut uart, 2).unwrap(), (told.clone(), 0));
    runtime().block_on(flashed.board.command(Command::PowerCycle)).unwrap();
    let (again, _) = hello(&mut flashed.open(), 3).unwrap();
    assert_eq!(again.build, told.build);
}

#[test]
fn garbage_is_passed_over_and_the_frame_behind_it_found() {
    let flashed = Flashed::start();
    let mut uart = flashed.open();
    hello(&mut uart, 1).unwrap();
    flashed.board.faults().add(Fault::UartGarbage, 1);
    let (_, garbage) = hello(&mut uart, 2).unwrap();
    assert_eq!(garbage, 24);
    assert_eq!(hello(&mut uart, 3).unwrap().1, 0, "once is once");
}

#[test]
fn a_port_that_is_renamed_hangs_up_and_the_runner_is_where_the_link_leads() {
    let flashed = Flashed::start();
    let mut uart = flashed.open();
    hello(&mut uart, 1).unwrap();
    flashed.board.faults().add(Fault::UartRenamed, 1);
    assert!(hello(&mut uart, 2).is_none());
    let renamed = flashed.heard.iter().find(|event| matches!(event, Event::UartRenamed { .. }));
    let Some(Event::UartRenamed { uart: name }) = renamed else { panic!("{renamed:?}") };
    hello(&mut open(&name), 3).unwrap();
    hello(&mut flashed.open(), 4).unwrap();
}
