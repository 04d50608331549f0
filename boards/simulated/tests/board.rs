//! A board's shell with its real sockets, pseudo-terminal and files; behind the probe is a device that echoes.
#![allow(missing_docs, clippy::unwrap_used)]

use rustix::fs::OFlags;
use simulated_board::{
    Bench, Command, Event, Events, Fault, Faults, Options, SimulatedBoard, StartError,
    bench::Record,
    board::Parts,
    control::{self, ControlError},
    device::{Device, Left},
    stream::Stream,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::TcpStream,
    os::unix::{fs::OpenOptionsExt as _, net::UnixStream},
    path::Path,
    sync::mpsc::Receiver,
    time::Duration,
};
use tempfile::TempDir;

/// Answers each byte with itself, but for: `n` (its name, a line), `p` (how often it had power, a line), `l` (leaves).
/// What arrives at its UART, it sends back.
struct Echo {
    name: String,
    powered: u32,
    _uart: std::thread::JoinHandle<()>,
}

impl Echo {
    fn new(parts: Parts) -> Result<Self, String> {
        let name = parts.flash.file_stem().unwrap().to_string_lossy().into_owned();
        let mut uart = UnixStream::from(parts.uart);
        let echo = move || {
            let mut byte = [0];
            while matches!(uart.read(&mut byte), Ok(1)) && uart.write_all(&byte).is_ok() {}
        };
        Ok(Self { name, powered: 1, _uart: std::thread::spawn(echo) })
    }
}

impl Device for Echo {
    fn serve(&mut self, mut stream: Stream, _: &Faults) -> Result<Left, String> {
        let mut byte = [0];
        while matches!(stream.read(&mut byte), Ok(1)) {
            let answer = match byte[0] {
                b'n' => format!("{}\n", self.name),
                b'p' => format!("{}\n", self.powered),
                b'l' => return Ok(Left::Probe),
                b'x' => return Err("it broke".into()),
                byte => char::from(byte).to_string(),
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
        Ok(Left::Debugger)
    }

    fn power_cycle(&mut self) -> Result<(), String> {
        self.powered += 1;
        Ok(())
    }
}

/// A bench, and boards on it.
struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn bench(&self) -> Bench {
        Bench::open(self.folder.path()).unwrap()
    }

    fn options(&self, serial: &str, place: &str) -> Options {
        Options { baud: 1_000_000, ..Options::new("netduinoplus2", serial, place, self.folder.path()) }
    }

    fn start(&self, serial: &str, place: &str) -> (SimulatedBoard, Receiver<Event>) {
        let (events, heard) = Events::channel();
        let options = Options { events, ..self.options(serial, place) };
        let board = SimulatedBoard::start_with(options, Echo::new).unwrap();
        assert_eq!(heard.recv().unwrap(), Event::Started);
        (board, heard)
    }

    fn probe(&self, place: &str) -> UnixStream {
        UnixStream::connect(self.folder.path().join(format!("{place}.probe"))).unwrap()
    }

    fn uart(&self, place: &str) -> File {
        let flags = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
        let path = self.folder.path().join(format!("{place}.uart"));
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap()
    }

    fn record(&self, place: &str) -> Option<Record> {
        self.bench().record(place)
    }

    fn command(&self, place: &str, command: &str) -> Result<control::Status, ControlError> {
        let bench = self.bench();
        runtime().block_on(control::send(&bench, place, &command.parse().unwrap()))
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Says one byte, and reads the answer: `count` bytes.
fn say(stream: &mut (impl Read + Write), byte: u8, count: usize) -> String {
    stream.write_all(&[byte]).unwrap();
    let mut answer = vec![0; count];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Whether the other side has hung up; waits for it.
fn hung_up(mut stream: impl Read) -> bool {
    !matches!(stream.read(&mut [0; 64]), Ok(1..))
}

#[track_caller]
fn until(heard: &Receiver<Event>, wanted: &Event) -> Vec<Event> {
    let mut before = Vec::new();
    loop {
        match heard.recv_timeout(Duration::from_secs(60)) {
            Ok(event) if event == *wanted => return before,
            Ok(event) => before.push(event),
            Err(_) => panic!("no {wanted:?}, but {before:?}"),
        }
    }
}

#[test]
fn a_board_is_on_its_bench_while_it_lives_and_leaves_its_flash_alone() {
    let lab = Lab::new();
    let (board, heard) = lab.start("SIM-1", "port-1");
    assert_eq!(lab.files(), ["SIM-1.flash", "port-1.control", "port-1.json", "port-1.probe", "port-1.uart"]);
    let record = lab.record("port-1").unwrap();
    assert_eq!(&record, board.record());
    assert_eq!((record.serial.as_str(), record.chip.as_str()), ("SIM-1", "sim-stm32f405"));
    assert_eq!(record.unique_id.len(), 24);
    let probe = lab.folder.path().canonicalize().unwrap().join("port-1.probe");
    assert_eq!(record.selector, format!("20b7:9db1:unix:{}", probe.display()));
    assert_eq!(say(&mut lab.probe("port-1"), b'n', 6), "SIM-1\n");
    assert_eq!(say(&mut lab.uart("port-1"), b'u', 1), "u");
    // With a debugger on the line and somebody at the serial port.
    let (probe, uart) = (lab.probe("port-1"), lab.uart("port-1"));
    drop(board);
    assert!(hung_up(probe) && hung_up(uart));
    assert_eq!(heard.iter().last(), Some(Event::Stopped));
    assert_eq!(lab.files(), ["SIM-1.flash"]);
}

#[test]
fn the_probe_serves_one_debugger_at_a_time() {
    let lab = Lab::new();
    let (_board, heard) = lab.start("SIM-1", "port-1");
    let mut first = lab.probe("port-1");
    assert_eq!(say(&mut first, b'a', 1), "a");
    assert!(hung_up(lab.probe("port-1")), "a second one is refused");
    until(&heard, &Event::Refused);
    assert_eq!(say(&mut first, b'b', 1), "b", "the first one goes on");
    assert!(lab.command("port-1", "status").unwrap().in_use);
    drop(first);
    // One who comes right after another has left is never taken for a second one.
    for _ in 0..200 {
        assert_eq!(say(&mut lab.probe("port-1"), b'c', 1), "c");
    }
    let events: Vec<_> = heard.try_iter().collect();
    assert!(!events.contains(&Event::Refused), "{events:?}");
}

#[test]
fn the_probe_can_be_had_over_tcp_on_loopback() {
    let lab = Lab::new();
    let options = Options { tcp: Some(0), ..lab.options("SIM-1", "port-1") };
    let board = SimulatedBoard::start_with(options, Echo::new).unwrap();
    let port = board.tcp().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(say(&mut stream, b'n', 6), "SIM-1\n");
    assert!(hung_up(lab.probe("port-1")), "it is one probe, whichever way one comes");
    let again = Options { tcp: Some(port), ..lab.options("SIM-2", "port-2") };
    let error = SimulatedBoard::start_with(again, Echo::new).unwrap_err();
    assert!(matches!(error, StartError::Tcp { .. }), "{error}");
    assert!(!lab.files().contains(&"port-2.control".to_owned()), "{:?}", lab.files());
}

#[test]
fn the_power_takes_the_board_off_the_bus_and_back() {
    let lab = Lab::new();
    let (board, heard) = lab.start("SIM-1", "port-1");
    board.faults().add(Fault::NeedsPowerCycle, 1);
    let (mut probe, uart) = (lab.probe("port-1"), lab.uart("port-1"));
    assert_eq!(say(&mut probe, b'p', 2), "1\n");
    let status = lab.command("port-1", "power-cycle").unwrap();
    assert!(status.plugged && status.faults.is_empty(), "{status:?}");
    assert!(hung_up(probe) && hung_up(uart));
    assert_eq!(say(&mut lab.probe("port-1"), b'p', 2), "2\n");
    let before = until(&heard, &Event::Plugged);
    assert_eq!(before, [Event::Connected, Event::Unplugged, Event::Disconnected, Event::PowerCycled]);
}

#[test]
fn an_unplugged_board_is_not_there_but_keeps_its_place() {
    let lab = Lab::new();
    let (_board, heard) = lab.start("SIM-1", "port-1");
    assert!(!lab.command("port-1", "unplug").unwrap().plugged);
    assert_eq!(lab.record("port-1"), None);
    assert_eq!(lab.files(), ["SIM-1.flash", "port-1.control"]);
    let error = SimulatedBoard::start_with(lab.options("SIM-2", "port-1"), Echo::new).unwrap_err().to_string();
    assert!(error.contains("port-1") && error.contains("not plugged in"), "{error}");
    // The power comes over the bus.
    assert!(!lab.command("port-1", "power-cycle").unwrap().plugged);
    assert!(lab.command("port-1", "plug").unwrap().plugged);
    assert!(lab.command("port-1", "plug").unwrap().plugged, "twice is once");
    assert_eq!(say(&mut lab.probe("port-1"), b'p', 2), "3\n");
    until(&heard, &Event::Plugged);
}

#[test]
fn a_probe_that_leaves_by_itself_comes_back() {
    let lab = Lab::new();
    let (_board, heard) = lab.start("SIM-1", "port-1");
    let mut probe = lab.probe("port-1");
    probe.write_all(b"l").unwrap();
    assert!(hung_up(probe));
    assert_eq!(until(&heard, &Event::Plugged), [Event::Connected, Event::Disconnected, Event::Unplugged]);
    assert_eq!(say(&mut lab.probe("port-1"), b'p', 2), "1\n", "its power was never off");
    // Unless somebody has unplugged it meanwhile.
    let mut probe = lab.probe("port-1");
    probe.write_all(b"l").unwrap();
    assert!(hung_up(probe));
    lab.command("port-1", "unplug").unwrap();
    std::thread::sleep(Duration::from_millis(600));
    assert!(!lab.command("port-1", "status").unwrap().plugged);
}

#[test]
fn two_boards_exchange_places_and_with_them_their_sockets() {
    let lab = Lab::new();
    let (_one, heard_one) = lab.start("SIM-1", "port-1");
    let (_two, heard_two) = lab.start("SIM-2", "port-2");
    let status = lab.command("port-1", "swap port-2").unwrap();
    assert_eq!((status.serial.as_str(), status.place.as_str()), ("SIM-1", "port-2"));
    until(&heard_one, &Event::Moved { place: "port-2".into() });
    until(&heard_two, &Event::Moved { place: "port-1".into() });
    assert_eq!(lab.record("port-1").unwrap().serial, "SIM-2");
    assert_eq!(lab.record("port-2").unwrap().serial, "SIM-1");
    assert_eq!(say(&mut lab.probe("port-1"), b'n', 6), "SIM-2\n");
    assert_eq!(say(&mut lab.probe("port-2"), b'n', 6), "SIM-1\n");
    assert_eq!(say(&mut lab.uart("port-1"), b'u', 1), "u");
    let wrong = |command| lab.command("port-1", command).unwrap_err().to_string();
    assert_eq!(wrong("swap port-1"), "the board stands at port-1 already");
    assert!(wrong("swap port-9").contains("no simulated board stands at port-9"), "{}", wrong("swap port-9"));
    assert_eq!(say(&mut lab.probe("port-1"), b'n', 6), "SIM-2\n", "what cannot be done moves nothing");
}

#[test]
fn swaps_that_meet_do_not_hold_each_other_up() {
    let lab = Lab::new();
    let (_one, _) = lab.start("SIM-1", "port-1");
    let (_two, _) = lab.start("SIM-2", "port-2");
    let bench = lab.bench();
    let swap = |place: &'static str, with: &str| {
        let (bench, command) = (bench.clone(), Command::Swap { with: with.to_owned() });
        async move { control::send(&bench, place, &command).await }
    };
    for _ in 0..10 {
        // Whether the second one still finds what it wants depends on which is first.
        let (one, two) = runtime().block_on(async { tokio::join!(swap("port-1", "port-2"), swap("port-2", "port-1")) });
        assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
        let serials = ["port-1", "port-2"].map(|place| lab.record(place).unwrap().serial);
        assert!(serials == ["SIM-1", "SIM-2"] || serials == ["SIM-2", "SIM-1"], "{serials:?}");
    }
}

#[test]
fn a_serial_port_that_is_renamed_is_found_again_by_its_place() {
    let lab = Lab::new();
    let (board, heard) = lab.start("SIM-1", "port-1");
    let before = board.record().uart.clone();
    assert_eq!(fs::read_link(lab.folder.path().join("port-1.uart")).unwrap(), before);
    lab.command("port-1", "fault uart-renamed").unwrap();
    let mut uart = lab.uart("port-1");
    uart.write_all(b"x").unwrap();
    assert!(hung_up(uart));
    let uart = loop {
        if let Event::UartRenamed { uart } = heard.recv().unwrap() {
            break uart;
        }
    };
    assert_ne!(uart, before);
    assert_eq!(lab.record("port-1").unwrap().uart, uart);
    assert_eq!(fs::read_link(lab.folder.path().join("port-1.uart")).unwrap(), uart);
    assert_eq!(say(&mut lab.uart("port-1"), b'u', 1), "u");
}

#[test]
fn what_is_no_command_is_refused_on_a_line_of_its_own() {
    let lab = Lab::new();
    let (_board, _) = lab.start("SIM-1", "port-1");
    let mut stream = UnixStream::connect(lab.folder.path().join("port-1.control")).unwrap();
    let mut ask = |line: &[u8]| {
        stream.write_all(line).unwrap();
        let mut answer = Vec::new();
        while answer.last() != Some(&b'\n') {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        serde_json::from_slice::<serde_json::Value>(&answer).unwrap()
    };
    for wrong in
        ["", "{}", "power-cycle", r#"{"command":"explode"}"#, r#"{"command":"fault","fault":"hang","times":0}"#]
    {
        assert_eq!(ask(format!("{wrong}\n").as_bytes())["answer"], "refused", "{wrong}");
    }
    assert_eq!(ask(b"\xff\xfe\n")["answer"], "refused");
    let done = ask(b"{\"command\":\"fault\",\"fault\":\"hang\",\"times\":2}\n");
    assert_eq!((&done["answer"], &done["faults"]["hang"]), (&"done".into(), &2.into()));
    // A line that does not end: refused before it fills the memory.
    let refused = ask(&[b'x'; 64 * 1024]);
    assert_eq!(refused["answer"], "refused");
    assert!(hung_up(stream));
}

#[test]
fn a_simulation_that_fails_says_so_and_goes_on() {
    let lab = Lab::new();
    let (_board, heard) = lab.start("SIM-1", "port-1");
    let mut probe = lab.probe("port-1");
    probe.write_all(b"x").unwrap();
    assert!(hung_up(probe));
    until(&heard, &Event::Broken { reason: "it broke".into() });
    assert_eq!(say(&mut lab.probe("port-1"), b'a', 1), "a");
}

#[test]
fn what_cannot_be_started_says_why_and_leaves_nothing() {
    let lab = Lab::new();
    let refused = |options: Options| SimulatedBoard::start_with(options, Echo::new).unwrap_err().to_string();
    let plain = || lab.options("SIM-1", "port-1");
    assert!(refused(Options { machine: "netduino".into(), ..plain() }).contains("netduinoplus2, "));
    assert!(refused(Options { baud: 0, ..plain() }).contains("from 300 to 4000000"));
    assert!(refused(lab.options("SIM/1", "port-1")).contains("serial number"));
    assert!(refused(lab.options("SIM-1", "../port")).contains("no name for a place"));
    let flash = Some(Path::new("/proc/none/flash").to_owned());
    assert!(refused(Options { flash, ..plain() }).contains("--flash"));
    let error = SimulatedBoard::start_with(plain(), |_| Err::<Echo, _>("no emulator".to_owned())).unwrap_err();
    assert_eq!(error.to_string(), "no emulator");
    assert_eq!(lab.files(), ["SIM-1.flash"]);
    // One flash for two boards would be spoilt.
    let (_board, _) = lab.start("SIM-1", "port-1");
    assert!(refused(lab.options("SIM-1", "port-2")).contains("SIM-1.flash belongs to another"));
}
