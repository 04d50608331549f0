//! The same firmware over RTT: QEMU's gdbstub plays the probe, which writes `link_request` and moves bytes while the core
//! is stopped for a moment.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use async_trait::async_trait;
use common::{job, machine, model, run, sample, sine};
use emulators::Launch;
use farm::{Clock, Fault, Inference, JobSpec, Session as _, TargetError};
use firmware::{
    Bench, ExpectedRunner, Firmware, Instructions, Load, ModelImage, Port, RunnerSession,
    port::{Chip, Core},
    process::{self, Child, Start},
    protocol::{ClockKind, Hello},
    symbols,
};
use std::{
    fs,
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// A client of the gdbstub. It owns the core: whoever calls says when it runs.
struct Gdb(UnixStream);

impl Gdb {
    fn send(&mut self, body: &str) -> io::Result<()> {
        let sum = body.bytes().fold(0u8, u8::wrapping_add);
        self.0.write_all(format!("${body}#{sum:02x}").as_bytes())
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte).map(|()| byte[0])
    }

    fn reply(&mut self) -> io::Result<String> {
        while self.byte()? != b'$' {}
        let mut body = String::new();
        loop {
            match self.byte()? {
                b'#' => break,
                byte => body.push(byte as char),
            }
        }
        let _checksum = [self.byte()?, self.byte()?];
        self.0.write_all(b"+")?;
        Ok(body)
    }

    fn ask(&mut self, body: &str) -> io::Result<String> {
        self.send(body)?;
        self.reply()
    }

    /// The stub takes packets of 4096 characters at most.
    const MOST: usize = 1024;

    fn read(&mut self, address: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let piece = Self::MOST.min(count - bytes.len());
            let hex = self.ask(&format!("m{:x},{piece:x}", address + bytes.len() as u64))?;
            bytes.extend((0..piece).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()));
        }
        Ok(bytes)
    }

    fn word(&mut self, address: u64) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.read(address, 4)?.try_into().unwrap()))
    }

    fn write(&mut self, mut address: u64, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(Self::MOST) {
            let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(self.ask(&format!("M{address:x},{:x}:{hex}", piece.len()))?, "OK");
            address += piece.len() as u64;
        }
        Ok(())
    }

    fn run(&mut self) -> io::Result<()> {
        self.send("c")
    }

    fn halt(&mut self) -> io::Result<()> {
        self.0.write_all(&[3])?;
        self.reply().map(|_| ())
    }
}

/// Moves what there is between the rings and the farm's end of the link; the core must be halted.
struct Probe {
    gdb: Gdb,
    block: u64,
    farm: UnixStream,
    /// From the farm, and not in the ring yet.
    waiting: Vec<u8>,
}

impl Probe {
    /// Offsets of fields in the control block and in a channel.
    const UP: u64 = 24;
    const DOWN: u64 = 48;
    const BYTES: u64 = 4;
    const SIZE: u64 = 8;
    const WRITTEN: u64 = 12;
    const READ: u64 = 16;

    /// Whether the farm still listens.
    fn exchange(&mut self) -> io::Result<bool> {
        if self.gdb.read(self.block, 16)? != *b"SEGGER RTT\0\0\0\0\0\0" {
            return Ok(true);
        }
        let up = self.block + Self::UP;
        let (mut read, written) = (self.gdb.word(up + Self::READ)?, self.gdb.word(up + Self::WRITTEN)?);
        while read != written {
            let (bytes, size) = (self.gdb.word(up + Self::BYTES)?, self.gdb.word(up + Self::SIZE)?);
            let end = if written > read { written } else { size };
            let piece = self.gdb.read(u64::from(bytes + read), (end - read) as usize)?;
            self.farm.write_all(&piece)?;
            read = end % size;
            self.gdb.write(up + Self::READ, &read.to_le_bytes())?;
        }
        let mut buffer = [0; 4096];
        loop {
            match self.farm.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.waiting.extend(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let down = self.block + Self::DOWN;
        let (read, mut written) = (self.gdb.word(down + Self::READ)?, self.gdb.word(down + Self::WRITTEN)?);
        let (bytes, size) = (self.gdb.word(down + Self::BYTES)?, self.gdb.word(down + Self::SIZE)?);
        while !self.waiting.is_empty() {
            let end = if read > written { read - 1 } else { size - u32::from(read == 0) };
            let count = self.waiting.len().min((end - written) as usize);
            if count == 0 {
                break;
            }
            let piece: Vec<u8> = self.waiting.drain(..count).collect();
            self.gdb.write(u64::from(bytes + written), &piece)?;
            written = (written + count as u32) % size;
            self.gdb.write(down + Self::WRITTEN, &written.to_le_bytes())?;
        }
        Ok(true)
    }

    /// Serves until one of both ends hangs up. `crash`: the core is sent to this function then, with a pointer to nowhere.
    fn serve(mut self, crash: &AtomicBool, function: u64) -> io::Result<()> {
        while self.exchange()? {
            if crash.swap(false, Ordering::Relaxed) {
                for (register, value) in [(0, 0xF000_0000), (15, function as u32)] {
                    assert_eq!(self.gdb.ask(&format!("P{register:x}={:08x}", value.swap_bytes()))?, "OK");
                }
            }
            self.gdb.run()?;
            // The core needs time to run in, too.
            thread::sleep(Duration::from_millis(1));
            self.gdb.halt()?;
        }
        Ok(())
    }
}

/// A QEMU with a probe.
struct Probed {
    child: Child,
    instructions: Instructions,
    seen: Arc<Seen>,
}

/// What the test sees and does of it while the session has it.
#[derive(Default)]
struct Seen {
    /// To be set: the core crashes.
    crash: AtomicBool,
    /// The runner's clock is SysTick.
    systick: AtomicBool,
}

#[async_trait]
impl Bench for Probed {
    fn clock(&self, hello: &Hello) -> Clock {
        self.seen.systick.store(hello.clock == ClockKind::SysTick, Ordering::Relaxed);
        Clock::QemuInstructions
    }
    fn ticks(&self, ticks: u64) -> u64 {
        self.instructions.of_ticks(ticks)
    }
    async fn why_ended(&mut self) -> Option<TargetError> {
        None
    }
    fn log(&self) -> String {
        String::new()
    }
    async fn close(mut self: Box<Self>) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }
}

/// A session over RTT, and a folder with the file `uart`: nobody is at the UART's other end, and what goes there is kept.
struct Session(RunnerSession, Arc<Seen>, TempDir);

impl Session {
    /// Starts `firmware` with `link_request` set. `reset`: what the core finds at address 0 when it comes out of reset, where
    /// the firmware does not lie there.
    async fn open(launch: &Launch, port: &Port, firmware: Arc<Firmware>, job: &JobSpec, reset: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("model");
        fs::write(&image, ModelImage::encode(&job.model)).unwrap();
        let (gdb, guest_gdb) = UnixStream::pair().unwrap();
        let (link, farm) = UnixStream::pair().unwrap();
        farm.set_nonblocking(true).unwrap();
        link.set_nonblocking(true).unwrap();

        let words = "-nodefaults -no-user-config -display none -S -gdb chardev:gdb0 -serial chardev:uart0";
        let mut arguments: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        add("-machine", launch.machine.clone());
        add("-icount", format!("shift={},sleep=on", launch.icount_shift));
        add("-chardev", format!("socket,id=gdb0,fd={}", guest_gdb.as_raw_fd()));
        add("-chardev", format!("file,id=uart0,path={}", folder.path().join("uart").display()));
        add("-device", format!("loader,file={},addr={:#x},force-raw=on", image.display(), firmware.model_start));
        let request = firmware.address(symbols::LINK_REQUEST).unwrap();
        add("-device", format!("loader,addr={request:#x},data={:#x},data-len=4", symbols::LINK_REQUEST_RTT));
        if !reset.is_empty() {
            let path = folder.path().join("reset");
            fs::write(&path, reset).unwrap();
            add("-device", format!("loader,file={},addr=0,force-raw=on", path.display()));
        }
        add("-kernel", firmware.elf.display().to_string());
        let command = Start::new(&launch.qemu).arguments(arguments).inheriting([guest_gdb.into()]);
        let child = process::spawn(command).await.unwrap();

        let seen = Arc::new(Seen::default());
        let block = firmware.address(symbols::RTT).unwrap();
        let function = firmware.address("strlen").unwrap();
        // A stub that says nothing is an error, and no test without an end.
        gdb.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut gdb = Gdb(gdb);
        // The first answer says that the machine stands, with everything loaded.
        gdb.ask("?").unwrap();
        // QEMU writes registers only for clients that know their names.
        gdb.ask("qXfer:features:read:target.xml:0,ffb").unwrap();
        let also = seen.clone();
        thread::spawn(move || {
            let probe = Probe { gdb, block, farm, waiting: Vec::new() };
            // QEMU's end is this one's, too.
            let _ = probe.serve(&also.crash, function);
        });
        let instructions = Instructions { clock_hz: port.clock_hz, icount_shift: launch.icount_shift };
        let bench = Probed { child, instructions, seen: seen.clone() };
        let link = tokio::net::UnixStream::from_std(link).unwrap();
        let session =
            RunnerSession::open(link, bench, job, Load::Beside, ExpectedRunner::from(firmware)).await.unwrap();
        Self(session, seen, folder)
    }

    async fn infer(&mut self, job: &JobSpec) -> Result<Vec<Inference>, TargetError> {
        self.0.infer(job.dataset.inputs(), &|_| ()).await
    }

    /// Ends it; the UART was not touched.
    async fn close(self) {
        Box::new(self.0).close().await;
        assert_eq!(fs::read(self.2.path().join("uart")).unwrap(), b"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_asks_for_rtt_and_gets_the_same_answers_in_the_same_instructions_as_over_the_usual_link() {
    let model = model("hello_world");
    for name in ["netduinoplus2", "mps2-an386", "mps2-an385"] {
        let target = machine(name);
        let job = job(&*target, &model, sine(12));
        let (handshake, expected) = run(&*target, &job).await.unwrap();

        let firmware = common::BUILDER.build(target.port()).await.unwrap();
        let launch = target.launch().await.unwrap();
        let mut session = Session::open(&launch, target.port(), firmware, &job, &[]).await;
        assert_eq!(session.0.handshake().model, handshake.model);
        assert_eq!(session.0.handshake().arena_used, handshake.arena_used);
        assert!(session.1.systick.load(Ordering::Relaxed), "QEMU has no cycle counter");
        assert_eq!(session.infer(&job).await.unwrap(), expected, "{name}");
        session.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fault_report_comes_over_rtt_too_and_names_the_place() {
    let target = machine("netduinoplus2");
    let job = job(&*target, &model("hello_world"), sine(3));
    let firmware = common::BUILDER.build(target.port()).await.unwrap();
    let launch = target.launch().await.unwrap();
    let mut session = Session::open(&launch, target.port(), firmware, &job, &[]).await;
    session.infer(&job).await.unwrap();
    session.1.crash.store(true, Ordering::Relaxed);
    let error = loop {
        // What was asked before the crash is still answered.
        if let Err(error) = session.infer(&job).await {
            break error;
        }
    };
    session.close().await;
    assert!(matches!(&error, TargetError::Fault(Fault::HardFault { .. })), "{error:?}");
    assert!(error.to_string().contains("in strlen)"), "{error}");
}

/// The model takes longer than SysTick's 24 bits, so that an interrupt is taken: the vector table must be found in RAM.
#[tokio::test(flavor = "multi_thread")]
async fn firmware_of_a_chip_without_a_uart_runs_from_ram() {
    let target = machine("mps2-an386");
    let (ram, flash) = target.port().ram.unwrap().split_for_code();
    let chip = Chip { core: Core::M4F, clock_hz: 25_000_000, flash, ram, model_align: 16, run_from_ram: true };
    let port = Port::for_chip("ram", &chip);
    let firmware = common::BUILDER.build(&port).await.unwrap();
    let model = model("micro_speech");
    let inputs = vec![sample("yes_micro_f2e59fea_nohash_1.data"), sample("no_micro_f9643d42_nohash_4.data")];
    let job = job(&*target, &model, inputs);
    let launch = target.launch().await.unwrap();
    // Stack pointer and first instruction, as a boot ROM or a probe would set them.
    let (stack, entry) = (ram.origin + port.stack, firmware.address(symbols::ENTRY).unwrap() | 1);
    let reset = [stack as u32, entry as u32].map(u32::to_le_bytes).concat();
    let mut session = Session::open(&launch, &port, firmware, &job, &reset).await;
    let said = session.infer(&job).await.unwrap();
    assert_eq!((&said[0].output[..], &said[1].output[..]), (&[0, 0, 255, 0][..], &[0, 17, 0, 239][..]));
    assert!(said.iter().all(|inference| (5_000_000..7_000_000).contains(&inference.ticks)), "{said:?}");
    session.close().await;
}
