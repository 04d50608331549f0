//! A simulated board as its user has it: started with options, and gone when it is dropped.

use crate::{
    bench::{Bench, BenchError, Held, Record, check_name},
    chips::{CHIPS, Chip},
    control::{Command, Status},
    desk::{Desk, Identity, Setup},
    device::{self, Device},
    event::{Event, Events},
    faults::{Faults, PlannedFault},
    machine::Machine,
    orders::Orders,
    uart::{self, BAUD},
};
use rustix::io::Errno;
use std::{
    fmt::Write as _,
    fs::File,
    io,
    net::Ipv4Addr,
    os::{fd::OwnedFd, unix::net::UnixStream as StdStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};
use tokio::{
    net::{TcpListener, UnixStream},
    sync::{mpsc::unbounded_channel, oneshot},
};

/// What a simulated board is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// QEMU's machine: `netduinoplus2`.
    pub machine: String,
    /// The probe's serial number.
    pub serial: String,
    /// Where on the bench it stands.
    pub place: String,
    /// The bench's folder; made where it is missing.
    pub bench: PathBuf,
    /// The chip's own id; without it, one that follows from the serial number.
    pub unique_id: Option<[u8; 12]>,
    /// The file that holds what is flashed; without it, `<serial>.flash` in the bench's folder. Made, erased, where it is
    /// missing.
    pub flash: Option<PathBuf>,
    /// Rate of its serial port.
    pub baud: u32,
    /// What goes wrong.
    pub faults: Vec<PlannedFault>,
    /// The probe can be had on this port of the loopback interface as well; 0: any that is free.
    pub tcp: Option<u16>,
    /// QEMU's program; without it, `qemu-system-arm` on PATH.
    pub qemu: Option<PathBuf>,
    /// Who hears what happens.
    pub events: Events,
}

impl Options {
    /// A board of this machine and serial number, standing at this place.
    pub fn new(
        machine: impl Into<String>,
        serial: impl Into<String>,
        place: impl Into<String>,
        bench: impl Into<PathBuf>,
    ) -> Self {
        Self {
            machine: machine.into(),
            serial: serial.into(),
            place: place.into(),
            bench: bench.into(),
            unique_id: None,
            flash: None,
            baud: 115_200,
            faults: Vec::new(),
            tcp: None,
            qemu: None,
            events: Events::default(),
        }
    }
}

/// Why a simulated board cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No such machine.
    #[error(
        "there is no simulated board with the machine `{0}`; there are {all}",
        all = CHIPS.each_ref().map(|chip| chip.machine).join(", ")
    )]
    Machine(String),
    /// No UART has that rate.
    #[error("{0} baud is no rate of a serial port: choose one from {start} to {end}", start = BAUD.start(), end = BAUD.end())]
    Baud(u32),
    /// The bench, or its place on it.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The port is taken, or not to be had.
    #[error("the TCP port {port} on 127.0.0.1 cannot be listened to: {source}; name another with --tcp")]
    Tcp {
        /// Which.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The file with the flash's contents.
    #[error("the flash file {} cannot be used: {source}; name another with --flash", path.display())]
    Flash {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another board has that file.
    #[error(
        "the flash file {} belongs to another simulated board that runs; name another with --flash, or give the board \
         another serial number with --serial",
        .0.display()
    )]
    FlashTaken(PathBuf),
    /// The emulator.
    #[error("{0}")]
    Device(String),
    /// The system has no sockets or threads left.
    #[error("a simulated board cannot be started: {0}")]
    System(#[from] io::Error),
}

/// What a device is made with.
#[derive(Debug)]
pub struct Parts {
    /// Its chip.
    pub chip: &'static Chip,
    /// The chip's own id.
    pub unique_id: [u8; 12],
    /// The file with its flash's contents.
    pub flash: PathBuf,
    /// The machine's end of its UART: it outlives the emulator, so that each new one gets a duplicate.
    pub uart: OwnedFd,
    /// QEMU's program, where it was named.
    pub qemu: Option<PathBuf>,
    /// What is to go wrong.
    pub faults: Faults,
    /// Who hears what happens.
    pub events: Events,
}

/// A running simulated board. Dropping it ends everything that belongs to it, and waits until that is gone.
#[derive(Debug)]
pub struct SimulatedBoard {
    record: Record,
    tcp: Option<u16>,
    faults: Faults,
    orders: Orders,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl SimulatedBoard {
    /// Starts a board. Blocks until it is on its bench.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind then.
    pub fn start(options: Options) -> Result<Self, StartError> {
        Self::start_with(options, |parts| Machine::start(parts).map_err(|error| error.to_string()))
    }

    /// Starts a board, with what `make` gives behind its probe. Blocks until it is on its bench.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind then.
    pub fn start_with<D: Device>(
        options: Options,
        make: impl FnOnce(Parts) -> Result<D, String> + Send + 'static,
    ) -> Result<Self, StartError> {
        let (started, outcome) = mpsc::channel();
        let (stop, stopping) = oneshot::channel();
        let name = format!("board {}", options.serial);
        let thread = thread::Builder::new().name(name).spawn(move || {
            let events = options.events.clone();
            if live(options, make, &started, stopping).unwrap_or_else(|error| {
                let _ = started.send(Err(error));
                false
            }) {
                events.send(Event::Stopped);
            }
        })?;
        let ended = || StartError::Device("the board's thread ended before it had started".to_owned());
        match outcome.recv().unwrap_or_else(|_| Err(ended())) {
            Ok(Started { record, tcp, faults, orders }) => {
                Ok(Self { record, tcp, faults, orders, stop: Some(stop), thread: Some(thread) })
            }
            Err(error) => {
                // It has nothing left to do; had it panicked, that would be all there is to say.
                let _ = thread.join();
                Err(error)
            }
        }
    }

    /// What was told on the bench when it started.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The TCP port of its probe, where one was asked for.
    pub fn tcp(&self) -> Option<u16> {
        self.tcp
    }

    /// What is still to go wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Does what could be commanded over its control socket.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn command(&self, command: Command) -> Result<Status, String> {
        self.orders.give(command).await
    }
}

impl Drop for SimulatedBoard {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told by the thread itself.
            let _ = thread.join();
        }
    }
}

/// What a board that has started gives to its handle.
struct Started {
    record: Record,
    tcp: Option<u16>,
    faults: Faults,
    orders: Orders,
}

/// The life of a board, on a thread of its own. `Ok(true)` once it has lived.
fn live<D: Device>(
    options: Options,
    make: impl FnOnce(Parts) -> Result<D, String> + Send + 'static,
    started: &mpsc::Sender<Result<Started, StartError>>,
    stopping: oneshot::Receiver<()>,
) -> Result<bool, StartError> {
    let Some(chip) = Chip::of(&options.machine) else { return Err(StartError::Machine(options.machine)) };
    check_name(&options.serial, "serial number")?;
    if !BAUD.contains(&options.baud) {
        return Err(StartError::Baud(options.baud));
    }
    let bench = Bench::open(&options.bench)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let events = options.events;
    let faults = Faults::new(events.clone());
    options.faults.iter().for_each(|planned| faults.add(planned.fault, planned.times));

    let (work, to_do) = mpsc::channel();
    let (news, heard) = unbounded_channel();
    let (machine_uart, uart) = StdStream::pair()?;
    uart.set_nonblocking(true)?;
    let flash = options.flash.unwrap_or_else(|| bench.folder().join(format!("{}.flash", options.serial)));
    let unique_id = options.unique_id.unwrap_or_else(|| unique_id_of(&options.serial));
    let parts = Parts {
        chip,
        unique_id,
        flash: flash.clone(),
        uart: machine_uart.into(),
        qemu: options.qemu,
        faults: faults.clone(),
        events: events.clone(),
    };
    let identity = Identity {
        serial: options.serial,
        machine: options.machine,
        chip: chip.name.to_owned(),
        unique_id: unique_id.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
    };

    thread::scope(|scope| {
        let machine = runtime.block_on(async {
            let lock = bench.lock().await?;
            let spot = bench.take(&options.place)?;
            drop(lock);
            let _flash = hold(&flash)?;
            let tcp = match options.tcp {
                Some(port) => Some(listen(port).await?),
                None => None,
            };
            let port = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok()).map(|address| address.port());

            let (made, making) = oneshot::channel();
            let (on_machine, on_events, replace) = (faults.clone(), events.clone(), news.clone());
            let machine = thread::Builder::new().name(format!("machine {}", identity.serial));
            machine.spawn_scoped(scope, move || match make(parts) {
                Ok(mut device) => {
                    let _ = made.send(Ok(()));
                    device::run(&mut device, &to_do, &news, &on_machine, &on_events);
                }
                Err(reason) => drop(made.send(Err(reason))),
            })?;
            let died = || Err("the machine's thread ended before it had started".to_owned());
            making.await.unwrap_or_else(|_| died()).map_err(StartError::Device)?;

            let (requests, requested) = unbounded_channel();
            let orders = Orders::new(bench.clone(), requests);
            let (ports, from_ports) = unbounded_channel();
            let replace = move || drop(replace.send(device::News::ReplaceUart));
            tokio::spawn(uart::carry(UnixStream::from_std(uart)?, from_ports, replace, options.baud, faults.clone()));
            let setup = Setup { identity, orders: orders.clone(), faults: faults.clone(), events, tcp, work, ports };
            let (desk, record) = Desk::open(setup, bench.clone(), spot)?;
            let _ = started.send(Ok(Started { record, tcp: port, faults, orders }));
            desk.run(requested, heard, stopping).await;
            Ok(true)
        });
        // Ends the UART's task and what is still said with the board; the machine's thread ends for want of work.
        drop(runtime);
        machine
    })
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| StartError::Tcp { port, source })
}

/// Makes the file with the flash's contents where it is missing, and keeps other boards off it.
fn hold(path: &Path) -> Result<Held, StartError> {
    let wrong = |source| StartError::Flash { path: path.to_owned(), source };
    let file = File::options().create(true).append(true).open(path).map_err(wrong)?;
    match Held::lock(file) {
        Ok(held) => Ok(held),
        Err(Errno::WOULDBLOCK) => Err(StartError::FlashTaken(path.to_owned())),
        Err(error) => Err(wrong(error.into())),
    }
}

/// An id for a chip that has none: as good as unique, and always the same for a serial number (FNV-1a, 64 bits; Fowler,
/// Noll, Vo).
fn unique_id_of(serial: &str) -> [u8; 12] {
    let hash = |salt: u8| {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        serial.bytes().fold(step(0xcbf2_9ce4_8422_2325, salt), step).to_le_bytes()
    };
    let mut id = [0; 12];
    id[..8].copy_from_slice(&hash(0));
    id[8..].copy_from_slice(&hash(1)[..4]);
    id
}
