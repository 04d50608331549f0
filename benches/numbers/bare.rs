//! The bare loop over QEMU: starts it as the farm does (same command line, same firmware, same model in place), with every
//! request in its memory beforehand (sent as soon as it says hello, on machines that have only a UART), waits until all results are there and kills it. No session, no timeouts, no checks,
//! no Gherkin. Nothing that starts QEMU for a job could do much less.

use crate::Result;
use emulators::{
    Launch,
    launch::Inherited,
    link::{Layout, Mapping, Rings},
};
use farm::{Dataset, Model};
use firmware::{
    ModelImage,
    process::Start,
    protocol::{Decoded, Decoder, Kind, Reply, frame::encode_into},
};
use rustix::process::{Signal, WaitOptions, kill_process, waitpid};
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// The link's word that says that the farm waits (`firmware/PROTOCOL.md`).
const FARM_WAITS: usize = 384;

/// A bell can get lost between the guest's fences and the host's (`emulators/src/link/shared.rs`); the farm looks again
/// after the same time.
const SECOND_LOOK: Duration = Duration::from_millis(2);

/// One start of QEMU with all it needs.
pub struct BareJob {
    launch: Arc<Launch>,
    image: Arc<Vec<u8>>,
    requests: Vec<u8>,
    results: usize,
}

impl BareJob {
    /// The job that runs `model` over `dataset`.
    pub fn new(launch: &Arc<Launch>, model: &Model, dataset: &Dataset) -> Self {
        let mut requests = Vec::new();
        encode_into(&mut requests, Kind::PrepareRequest as u8, 1, &[&[0; 4]]);
        for (index, input) in dataset.inputs().iter().enumerate() {
            encode_into(&mut requests, Kind::InferRequest as u8, index as u16 + 2, &[input]);
        }
        let image = Arc::new(ModelImage::encode(model));
        Self { launch: launch.clone(), image, requests, results: dataset.len() }
    }

    /// Runs it.
    pub fn run(&self) -> Result {
        let (uart, guest_uart) = UnixStream::pair()?;
        let (_monitor, guest_monitor) = UnixStream::pair()?;
        // A memory file like the model's is made the same way as the guest's RAM.
        let (model, _) = Mapping::create("model", self.image.len() as u64, 4096.min(self.image.len()))?;
        let mut model = File::from(model);
        model.write_all(&self.image)?;
        let shared = self.launch.shared_memory.map(|size| self.share(size)).transpose()?;
        let (memory, link) = shared.map_or((None, None), |(file, mapping, rings)| (Some(file), Some((mapping, rings))));
        let fds = Inherited {
            uart: guest_uart.as_raw_fd(),
            monitor: Some(guest_monitor.as_raw_fd()),
            model: Some(model.as_raw_fd()),
            memory: memory.as_ref().map(AsRawFd::as_raw_fd),
        };
        let inherited = [guest_uart.into(), guest_monitor.into(), model.into()];
        let start = Start::new(&self.launch.qemu).arguments(self.launch.arguments(&fds));
        let process = start.inheriting(inherited.into_iter().chain(memory)).now()?;
        let done = match link {
            Some((mapping, rings)) => self.over_memory(uart, &mapping, rings),
            None => self.over_uart(uart),
        };
        kill_process(process, Signal::KILL)?;
        waitpid(Some(process), WaitOptions::empty())?;
        done.map_err(|error| format!("bare loop on {}: {error}", self.launch.machine).into())
    }

    fn share(&self, size: u64) -> Result<(std::os::fd::OwnedFd, Arc<Mapping>, Rings)> {
        let layout = Layout::within(size).ok_or("the machine has no room for the link")?;
        let (file, mapping) = Mapping::create("guest-ram", size, layout.bytes())?;
        let mapping = Arc::new(mapping);
        let mut rings = Rings::lay_out(mapping.clone(), layout)?;
        if rings.write(&self.requests)? < self.requests.len() {
            return Err("the requests are too long for the link's ring".into());
        }
        Ok((file, mapping, rings))
    }

    fn over_memory(&self, mut bell: UnixStream, mapping: &Mapping, mut rings: Rings) -> Result {
        bell.set_read_timeout(Some(SECOND_LOOK))?;
        let mut results = Results::of(self);
        let mut bytes = vec![0; 1 << 16];
        loop {
            mapping.swap(FARM_WAITS, 1);
            let count = rings.read(&mut bytes)?;
            if results.all_in(&bytes[..count])? {
                return Ok(());
            }
            if count > 0 {
                continue;
            }
            match bell.read(&mut [0; 64]) {
                Ok(0) => return Err("QEMU ended".into()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
    }

    fn over_uart(&self, mut uart: UnixStream) -> Result {
        let mut results = Results::of(self);
        let mut bytes = vec![0; 1 << 16];
        loop {
            let count = uart.read(&mut bytes)?;
            if count == 0 {
                return Err("QEMU ended".into());
            }
            let silent_before = !results.hello;
            if results.all_in(&bytes[..count])? {
                return Ok(());
            }
            // What is sent before the guest has switched on its UART is lost.
            if silent_before && results.hello {
                uart.write_all(&self.requests)?;
            }
        }
    }
}

/// Counts results.
struct Results {
    decoder: Decoder,
    hello: bool,
    left: usize,
}

impl Results {
    fn of(job: &BareJob) -> Self {
        Self { decoder: Decoder::new(), hello: false, left: job.results }
    }

    /// Whether the last result is among these bytes and those before.
    fn all_in(&mut self, bytes: &[u8]) -> Result<bool> {
        self.decoder.push(bytes);
        while let Some(decoded) = self.decoder.next() {
            let Decoded::Frame(frame) = decoded else { continue };
            match Kind::of(frame.kind) {
                Some(Kind::Hello) => self.hello = true,
                Some(Kind::Result) => self.left -= 1,
                Some(Kind::Error | Kind::Fault) => {
                    return Err(format!("the runner answers {:?}", Reply::read(frame)).into());
                }
                _ => {}
            }
        }
        Ok(self.left == 0)
    }
}

/// Runs all `jobs`, so many at once.
pub fn run_all(jobs: &[BareJob], at_once: usize) -> Result {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            job.run()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })
}
