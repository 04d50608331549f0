//! The firmware, on QEMU's netduinoplus2: from `start` on, until it is cleared away.

use emulators::{Launch, launch::Inherited};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    io::{self, BufRead as _, BufReader, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, Command},
};

/// What QEMU's machine has in common with Renode's platform: chip, memory map, UART.
const MACHINE: &str = "netduinoplus2";
/// An instruction takes 2 to this power nanoseconds, as where the farm starts this machine.
const ICOUNT_SHIFT: u32 = 4;

/// A running QEMU; dropped, it is killed.
pub struct Guest {
    child: Child,
    monitor: BufReader<UnixStream>,
}

impl Guest {
    /// Starts QEMU with what was loaded. Gives the other end of its UART, too.
    pub fn start(elf: PathBuf, binaries: &[(u64, PathBuf)]) -> io::Result<(Self, UnixStream)> {
        let (uart, inside_uart) = UnixStream::pair()?;
        let (monitor, inside_monitor) = UnixStream::pair()?;
        let launch = Launch {
            qemu: "qemu-system-arm".into(),
            machine: MACHINE.to_owned(),
            icount_shift: ICOUNT_SHIFT,
            elf,
            model_address: None,
            shared_memory: None,
        };
        // Standard input and output are sockets: nothing else has to be inherited.
        let inherited = Inherited { uart: 0, monitor: Some(1), model: None, memory: None };
        let mut command = Command::new(&launch.qemu);
        command.args(launch.arguments(&inherited));
        for (address, file) in binaries {
            let mut loader = OsString::from("loader,force-raw=on,addr=");
            loader.push(format!("{address:#x},file="));
            loader.push(file);
            command.arg("-device").arg(loader);
        }
        command.stdin(OwnedFd::from(inside_uart)).stdout(OwnedFd::from(inside_monitor));
        let child = command.spawn()?;
        // The command holds their ends: with it they would never end.
        drop(command);
        let mut guest = Self { child, monitor: BufReader::new(monitor) };
        guest.ask("qmp_capabilities", &json!({})).ok_or_else(|| io::Error::other("QEMU does not answer"))?;
        Ok((guest, uart))
    }

    pub fn pause(&mut self) {
        let _ = self.ask("stop", &json!({}));
    }

    pub fn go_on(&mut self) {
        let _ = self.ask("cont", &json!({}));
    }

    /// Whether it is there no more: QEMU ends where a core locks up.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The program counter; `None` after the end.
    pub fn pc(&mut self) -> Option<u32> {
        let registers = self.ask("human-monitor-command", &json!({ "command-line": "info registers" }))?;
        let digits = registers.as_str()?.split_whitespace().find_map(|word| word.strip_prefix("R15="))?;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Asks QEMU's monitor.
    fn ask(&mut self, command: &str, arguments: &Value) -> Option<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.monitor.get_mut().write_all(format!("{request}\n").as_bytes()).ok()?;
        loop {
            let mut line = String::new();
            if self.monitor.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let mut said: Value = serde_json::from_str(&line).ok()?;
            if said.get("error").is_some() {
                return None;
            }
            // Greetings and events come in between.
            if let Some(answer) = said.get_mut("return") {
                return Some(answer.take());
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
