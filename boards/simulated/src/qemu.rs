//! The QEMU behind a simulated board: one process from power-on to power-off, or until the core locks up and QEMU gives
//! up with it.

use crate::gdb::{Gdb, GdbError};
use emulators::stderr::Stderr;
use firmware::process::Start;
use rustix::{
    io::Errno,
    process::{PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid},
};
use std::{
    ffi::OsString,
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

/// How QEMU is started.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The program.
    pub program: &'a Path,
    /// The machine.
    pub machine: &'a str,
    /// An instruction takes 2 to this power nanoseconds of the guest's time.
    pub icount_shift: u32,
}

/// What a core's registers held when it locked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastRegisters {
    /// r0 to r15.
    pub r: [u32; 16],
    /// xPSR.
    pub xpsr: u32,
    /// QEMU's words for what happened.
    pub why: String,
}

/// A running QEMU.
#[derive(Debug)]
pub struct Qemu {
    /// Its gdbstub.
    pub gdb: Gdb,
    monitor: Monitor,
    process: Process,
    stderr: Arc<Stderr>,
}

impl Launch<'_> {
    /// QEMU's arguments: see [`emulators::Launch::arguments`], with which the guest's clock agrees. There is no firmware,
    /// the core is stopped, and a reset by the firmware is a reset.
    fn arguments(&self, gdb: RawFd, monitor: RawFd, uart: RawFd) -> Vec<OsString> {
        let icount = format!("shift={},sleep=on", self.icount_shift);
        let socket = |id: &str, fd: RawFd| format!("socket,id={id},fd={fd}");
        let (gdb, monitor, uart) = (socket("gdb0", gdb), socket("monitor0", monitor), socket("uart0", uart));
        #[rustfmt::skip]
        let arguments = [
            "-machine", self.machine, "-nodefaults", "-no-user-config", "-display", "none", "-S", "-icount", &icount,
            "-chardev", &gdb, "-gdb", "chardev:gdb0", "-chardev", &uart, "-serial", "chardev:uart0",
            "-chardev", &monitor, "-mon", "chardev=monitor0,mode=control",
        ];
        arguments.into_iter().map(OsString::from).collect()
    }

    /// Starts QEMU with its core stopped and `uart` for its UART. `ended` is called, on a thread of its own, when it ends by
    /// itself.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer.
    pub fn start(
        &self,
        uart: OwnedFd,
        ended: impl FnOnce(Option<LastRegisters>) + Send + 'static,
    ) -> Result<Qemu, GdbError> {
        let (gdb, gdb_inside) = UnixStream::pair()?;
        let (monitor, monitor_inside) = UnixStream::pair()?;
        let stderr = Arc::new(Stderr::new()?);
        let arguments = self.arguments(gdb_inside.as_raw_fd(), monitor_inside.as_raw_fd(), uart.as_raw_fd());
        let start = Start::new(self.program).arguments(arguments).stderr(stderr.for_child()?);
        let start = start.inheriting([gdb_inside.into(), monitor_inside.into(), uart]);
        let ending = Arc::new(AtomicBool::new(false));
        let (sender, started) = mpsc::channel();
        let keep = {
            let (stderr, ending) = (stderr.clone(), ending.clone());
            move || keep(start, &sender, || ended(LastRegisters::parse(&stderr.text())), &ending)
        };
        let keeper = thread::Builder::new().name("simulated-core".to_owned()).spawn(keep)?;
        let handle = started.recv().map_err(|_| GdbError::Ended)??;
        // From here on it ends with this.
        let process = Process { handle, ending, keeper: Some(keeper) };
        let gdb = Gdb::greet(gdb)?;
        let monitor = Monitor::greet(monitor)?;
        Ok(Qemu { gdb, monitor, process, stderr })
    }
}

/// Starts QEMU and stays with it: the kernel ends it with the thread that started it.
fn keep(start: Start, started: &mpsc::Sender<io::Result<OwnedFd>>, ended: impl FnOnce(), ending: &AtomicBool) {
    let process = match start.now() {
        Ok(process) => process,
        Err(error) => return drop(started.send(Err(error))),
    };
    let handle = pidfd_open(process, PidfdFlags::empty());
    if handle.is_err() {
        // Nobody could end it later.
        let _ = kill_process(process, Signal::KILL);
    }
    let _ = started.send(handle.map_err(io::Error::from));
    while let Err(Errno::INTR) = waitpid(Some(process), WaitOptions::empty()) {}
    if !ending.load(Ordering::SeqCst) {
        ended();
    }
}

impl Qemu {
    /// What the core's registers held when it locked up, if that is why QEMU has ended; waits for its end.
    pub fn last_registers(mut self) -> Option<LastRegisters> {
        // Its sockets are closed: it is as good as gone, and its last words are written.
        self.process.wait();
        LastRegisters::parse(&self.stderr.text())
    }

    /// Whether the firmware has reset the core since this was asked last.
    ///
    /// # Errors
    /// When QEMU has ended.
    pub fn was_reset_by_guest(&mut self) -> Result<bool, GdbError> {
        self.monitor.guest_reset()
    }

    /// QEMU's words, without noise.
    pub fn words(&self) -> String {
        self.stderr.text()
    }
}

/// The process; dropped, it is killed and waited for.
#[derive(Debug)]
struct Process {
    handle: OwnedFd,
    ending: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    fn wait(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has nothing to wait for.
            let _ = keeper.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.keeper.is_some() {
            self.ending.store(true, Ordering::SeqCst);
            // It may have ended a moment ago.
            let _ = pidfd_send_signal(&self.handle, Signal::KILL);
            self.wait();
        }
    }
}

/// QEMU's monitor, which tells when the guest resets itself: the gdbstub does not.
#[derive(Debug)]
struct Monitor {
    stream: UnixStream,
    heard: Vec<u8>,
}

impl Monitor {
    fn greet(mut stream: UnixStream) -> io::Result<Self> {
        stream.write_all(b"{\"execute\":\"qmp_capabilities\"}\n")?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, heard: Vec::new() })
    }

    fn guest_reset(&mut self) -> Result<bool, GdbError> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(GdbError::Ended),
                Ok(size) => self.heard.extend_from_slice(&buffer[..size]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut reset = false;
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let message: serde_json::Value = serde_json::from_slice(&line).unwrap_or_default();
            reset |= message["event"] == "RESET" && message["data"]["guest"] == true;
        }
        Ok(reset)
    }
}

impl LastRegisters {
    /// Reads what QEMU prints when a core locks up; `None` when that is not what it says.
    pub fn parse(words: &str) -> Option<Self> {
        let why = words.lines().find_map(|line| Some(line.split_once("Lockup: ")?.1.trim().to_owned()))?;
        let value = |name: &str| {
            let digits = words.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
            u32::from_str_radix(digits, 16).ok()
        };
        let r = std::array::from_fn(|number| value(&format!("R{number:02}")).unwrap_or_default());
        Some(Self { r, xpsr: value("XPSR").unwrap_or_default(), why })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_registers_of_a_lockup_are_read_from_what_qemu_prints() {
        let words = "qemu: fatal: Lockup: can't escalate 3 to HardFault (current priority -1)\n\n\
            R00=00000001 R01=00000000 R02=00000000 R03=00000000\nR12=0000000c R13=20000fe0 R14=fffffff9 R15=00000104\n\
            XPSR=00000003 ---- A handler";
        let last = LastRegisters::parse(words).unwrap();
        assert_eq!((last.r[0], last.r[12], last.r[15], last.xpsr), (1, 12, 0x104, 3));
        assert_eq!(last.why, "can't escalate 3 to HardFault (current priority -1)");
        assert_eq!(LastRegisters::parse("qemu: could not load"), None);
    }

    #[test]
    fn only_the_guests_own_resets_are_told_of() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut monitor = Monitor::greet(near).unwrap();
        assert!(!monitor.guest_reset().unwrap());
        far.write_all(b"{\"QMP\": {}}\r\n{\"event\": \"RESET\", \"data\": {\"guest\": false}}\r\n").unwrap();
        assert!(!monitor.guest_reset().unwrap());
        far.write_all(b"{\"event\": \"RESET\", \"data\": {\"gue").unwrap();
        assert!(!monitor.guest_reset().unwrap());
        far.write_all(b"st\": true}}\r\n").unwrap();
        assert!(monitor.guest_reset().unwrap());
        assert!(!monitor.guest_reset().unwrap());
        drop(far);
        assert!(matches!(monitor.guest_reset(), Err(GdbError::Ended)));
    }
}
