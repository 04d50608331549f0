//! A simulated board and a real probe-rs that drives it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test program uses a part")]

use probe_rs::{
    Core, MemoryInterface as _, Permissions, Session,
    config::Registry,
    flashing::{DownloadOptions, FlashError},
    probe::{DebugProbeSelector, list::Lister},
    rtt::{Rtt, ScanRegion, try_attach_to_rtt},
};
use simulated_board::{Event, Events, Options, PlannedFault, SimulatedBoard, chips::Chip};
use std::{
    path::Path,
    process::Command,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than anything here takes on a slow machine.
pub const LONG: Duration = Duration::from_secs(30);

pub struct Board {
    pub board: SimulatedBoard,
    pub chip: &'static Chip,
    pub events: Receiver<Event>,
    pub folder: TempDir,
}

impl Board {
    pub fn new(machine: &str, faults: &[&str]) -> Self {
        Self::of(tempfile::tempdir().unwrap(), machine, faults)
    }

    /// On a bench that there is already.
    pub fn of(folder: TempDir, machine: &str, faults: &[&str]) -> Self {
        let (events, heard) = Events::channel();
        let mut options = Options::new(machine, "SIM-1", "place-1", folder.path());
        options.events = events;
        options.faults = faults.iter().map(|fault| fault.parse::<PlannedFault>().unwrap()).collect();
        let board = SimulatedBoard::start(options).unwrap();
        Self { board, chip: Chip::of(machine).unwrap(), events: heard, folder }
    }

    pub fn attach(&self) -> Result<Session, probe_rs::Error> {
        let selector: DebugProbeSelector = self.board.record().selector.parse().unwrap();
        let probe = Lister::new().open(selector)?;
        let mut registry = Registry::from_builtin_families();
        registry.add_target_family_from_yaml(self.chip.description).unwrap();
        probe.attach_with_registry(self.chip.name, Permissions::default(), &registry)
    }

    /// Waits for an event.
    pub fn wait_for(&self, event: &Event) {
        while self.events.recv_timeout(LONG).unwrap() != *event {}
    }

    /// What has happened so far.
    pub fn happened(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    /// The test's firmware for this board, as it lies in flash.
    pub fn firmware(&self) -> Vec<u8> {
        let elf = self.folder.path().join("echo.elf");
        build_echo(self.chip.flash, self.chip.ram.start, &elf);
        binary(&elf)
    }

    /// Flashes the test's firmware.
    pub fn flash_firmware(&self, session: &mut Session) -> Result<(), FlashError> {
        let mut loader = session.target().flash_loader();
        loader.add_data(self.chip.flash.into(), &self.firmware()).unwrap();
        loader.commit(session, verified())
    }

    /// Flashes the test's firmware and starts it; it is not halted then.
    pub fn start_firmware(&self, session: &mut Session) {
        self.flash_firmware(session).unwrap();
        let mut core = session.core(0).unwrap();
        // RAM outlives a reset: no debugger is to take the last run's control block for the next one's.
        core.write_8(self.chip.ram.start.into(), &[0; 16]).unwrap();
        core.reset().unwrap();
    }

    /// The firmware's RTT.
    pub fn rtt(&self, core: &mut Core) -> Rtt {
        try_attach_to_rtt(core, LONG, &ScanRegion::Exact(self.chip.ram.start.into())).unwrap()
    }
}

pub fn verified() -> DownloadOptions<'static> {
    let mut options = DownloadOptions::default();
    options.verify = true;
    options
}

pub fn build_echo(flash: u32, ram: u32, elf: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firmware");
    run(Command::new("arm-none-eabi-gcc")
        .args(["-mcpu=cortex-m3", "-mthumb", "-Os", "-ffreestanding", "-nostdlib"])
        .args(["-Wl,--build-id=none", "-Wl,-n", "-T"])
        .arg(source.join("echo.ld"))
        .args([format!("-Wl,--defsym=FLASH={flash:#x}"), format!("-Wl,--defsym=RAM={ram:#x}")])
        .arg(source.join("echo.c"))
        .arg("-o")
        .arg(elf));
}

/// What of an ELF file lies in flash, from its first address on.
pub fn binary(elf: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary");
    run(Command::new("arm-none-eabi-objcopy").args(["-O", "binary"]).args([elf, &binary]));
    std::fs::read(binary).unwrap()
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// Reads what the firmware says until it has said so much.
pub fn hear(rtt: &mut Rtt, core: &mut Core, size: usize) -> String {
    let (mut heard, mut buffer) = (Vec::new(), [0; 256]);
    let begin = Instant::now();
    while heard.len() < size {
        assert!(begin.elapsed() < LONG, "heard only {heard:?}");
        let read = rtt.up_channel(0).unwrap().read(core, &mut buffer).unwrap();
        heard.extend_from_slice(&buffer[..read]);
    }
    heard.into_iter().map(char::from).collect()
}

pub fn say(rtt: &mut Rtt, core: &mut Core, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = rtt.down_channel(0).unwrap().write(core, rest).unwrap();
        rest = &rest[written..];
    }
}
