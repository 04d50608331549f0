//! One start of QEMU: its command line, and what its file descriptors lead to.

use crate::{
    link::{Layout, Mapping, Rings},
    stderr::Stderr,
};
use firmware::process::{self, Child, Start};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream as Socket,
    },
    path::PathBuf,
    sync::Arc,
};
use tokio::net::UnixStream;

/// What QEMU is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub qemu: PathBuf,
    /// The machine.
    pub machine: String,
    /// An instruction takes 2 to this power nanoseconds of the guest's time.
    pub icount_shift: u32,
    /// The firmware.
    pub elf: PathBuf,
    /// Where in the guest's memory the model image goes; `None` without one.
    pub model_address: Option<u64>,
    /// Bytes of RAM that QEMU maps from a file of the farm; `None` where the machine cannot.
    pub shared_memory: Option<u64>,
}

/// The file descriptors that QEMU inherits, by their numbers, which are the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inherited {
    /// Socket that is the guest's UART.
    pub uart: RawFd,
    /// Socket of the monitor.
    pub monitor: Option<RawFd>,
    /// Memory file with the model image.
    pub model: Option<RawFd>,
    /// Memory file that is the guest's RAM.
    pub memory: Option<RawFd>,
}

/// A QEMU that has been started, and the farm's ends of what connects them.
#[derive(Debug)]
pub struct Started {
    /// The process; it dies when this is dropped.
    pub child: Child,
    /// The guest's UART.
    pub uart: UnixStream,
    /// The monitor.
    pub monitor: UnixStream,
    /// The rings in the guest's RAM, laid out, where there are any.
    pub rings: Option<Rings>,
    /// What QEMU writes to its standard error.
    pub stderr: Stderr,
}

impl Launch {
    /// QEMU's arguments.
    ///
    /// - `-icount shift=N,sleep=on`: the guest's clock counts instructions, always 2^N ns each. While the core sleeps it
    ///   goes with the host's, which no timing sees: the runner stops the clock's interrupts outside an inference and
    ///   never sleeps inside one. With `sleep=off` an idle guest whose timer runs burns a core (1.7 s in 2 s measured).
    /// - `-no-reboot`: firmware that resets the core ends QEMU; otherwise it would start over as if nothing had been.
    /// - Memory files are named through `/proc/self/fd`: nothing is ever on a disk, so nothing is left there.
    /// - No semihosting: with it firmware could open any file of the host.
    pub fn arguments(&self, fds: &Inherited) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::with_capacity(32);
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        let backed = if self.shared_memory.is_some() { ",memory-backend=ram0" } else { "" };
        add(&["-machine", &format!("{}{backed}", self.machine)]);
        add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        add(&["-icount", &format!("shift={},sleep=on", self.icount_shift)]);
        if let (Some(size), Some(fd)) = (self.shared_memory, fds.memory) {
            add(&["-object", &format!("memory-backend-file,id=ram0,size={size},mem-path=/proc/self/fd/{fd},share=on")]);
        }
        add(&["-chardev", &format!("socket,id=uart0,fd={}", fds.uart), "-serial", "chardev:uart0"]);
        if let Some(fd) = fds.monitor {
            add(&["-chardev", &format!("socket,id=monitor0,fd={fd}"), "-mon", "chardev=monitor0,mode=control"]);
        }
        if let (Some(address), Some(fd)) = (self.model_address, fds.model) {
            add(&["-device", &format!("loader,file=/proc/self/fd/{fd},addr={address:#x},force-raw=on")]);
        }
        arguments.push("-kernel".into());
        arguments.push(self.elf.clone().into());
        arguments
    }

    /// Starts QEMU with `model` (a model image) in place.
    ///
    /// # Errors
    /// When the kernel has no memory, file descriptors or processes left, or the program cannot be started.
    pub async fn start(&self, model: &[u8]) -> io::Result<Started> {
        // Everything is closed on exec; only what is inherited is let through, in the child alone, so that QEMUs started
        // at the same time do not hold each other's sockets open.
        let (uart, guest_uart) = Socket::pair()?;
        let (monitor, guest_monitor) = Socket::pair()?;
        let model = self.model_address.map(|_| memory_file("model", model)).transpose()?;
        let (memory, rings) = self.shared_memory.map(share).transpose()?.unzip();
        let stderr = Stderr::new()?;

        let fds = Inherited {
            uart: guest_uart.as_raw_fd(),
            monitor: Some(guest_monitor.as_raw_fd()),
            model: model.as_ref().map(AsRawFd::as_raw_fd),
            memory: memory.as_ref().map(AsRawFd::as_raw_fd),
        };
        let start = Start::new(&self.qemu).arguments(self.arguments(&fds)).stderr(stderr.for_child()?);
        let start = start.inheriting([guest_uart.into(), guest_monitor.into()].into_iter().chain(model).chain(memory));
        let child = process::spawn(start).await?;

        let listen = |socket: Socket| {
            socket.set_nonblocking(true)?;
            UnixStream::from_std(socket)
        };
        Ok(Started { child, uart: listen(uart)?, monitor: listen(monitor)?, rings, stderr })
    }
}

/// A memory file that holds `bytes`.
fn memory_file(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// A memory file of `size` bytes with the link laid out at its start.
fn share(size: u64) -> io::Result<(OwnedFd, Rings)> {
    let Some(layout) = Layout::within(size) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{size} bytes are too few for the link's rings"),
        ));
    };
    let (file, mapping) = Mapping::create("guest-ram", size, layout.bytes())?;
    Ok((file, Rings::lay_out(Arc::new(mapping), layout)?))
}
