//! Jobs a second: hello_world, 100 inferences, a fresh QEMU each, through this crate, beside a bare loop that starts the
//! same QEMU with the same requests already in its memory and does nothing but wait for the last answer.
//!
//! `cargo bench --profile dev -p emulators --bench jobs [-- workers [jobs [rounds]]]`
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use command_fds::CommandFdExt;
use common::{job, machine, model, sine};
use emulators::{
    Launch, Qemu,
    launch::Inherited,
    link::{Layout, Mapping, Rings},
};
use farm::{JobSpec, Target};
use firmware::{
    ModelImage,
    protocol::{Decoded, Decoder, Kind, frame::encode_into},
};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{
    fs::File,
    io::{Read, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Words of the link's control page (`firmware/PROTOCOL.md`).
const TO_HOST_HEAD: usize = 192;
const FARM_WAITS: usize = 384;

/// One job without the farm: QEMU, its memory with all requests in it, and a wait for `answers` bytes. `None`: until
/// 100 results have come, however many bytes that takes; returns the bytes.
fn bare(launch: &Launch, requests: &[u8], image: &[u8], answers: Option<u32>) -> u32 {
    let layout = Layout::default();
    let (memory, mapping) = Mapping::create("guest-ram", launch.shared_memory.unwrap(), layout.bytes()).unwrap();
    let mapping = Arc::new(mapping);
    let mut rings = Rings::lay_out(mapping.clone(), layout).unwrap();
    assert_eq!(rings.write(requests).unwrap(), requests.len());
    let mut model = File::from(memfd_create("model", MemfdFlags::CLOEXEC).unwrap());
    model.write_all(image).unwrap();
    let (mut bell, guest_bell) = UnixStream::pair().unwrap();
    let (_monitor, guest_monitor) = UnixStream::pair().unwrap();
    let fds = Inherited {
        uart: guest_bell.as_raw_fd(),
        monitor: Some(guest_monitor.as_raw_fd()),
        model: Some(model.as_raw_fd()),
        memory: Some(memory.as_raw_fd()),
    };
    let mut command = Command::new(&launch.qemu);
    command.args(launch.arguments(&fds)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.preserved_fds(vec![guest_bell.into(), guest_monitor.into(), model.into(), memory]);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut decoder = Decoder::new();
    let mut results = 0;
    let mut bytes = [0; 4096];
    let head = loop {
        mapping.swap(FARM_WAITS, 1);
        let head = mapping.load(TO_HOST_HEAD, Ordering::SeqCst);
        let done = match answers {
            Some(answers) => head >= answers,
            None => {
                let count = rings.read(&mut bytes).unwrap();
                decoder.push(&bytes[..count]);
                while let Some(Decoded::Frame(frame)) = decoder.next() {
                    results += usize::from(frame.kind == Kind::Result as u8);
                }
                results == 100
            }
        };
        if done {
            break mapping.load(TO_HOST_HEAD, Ordering::SeqCst);
        }
        assert!(bell.read(&mut [0; 64]).unwrap() > 0, "QEMU ended");
    };
    child.kill().unwrap();
    child.wait().unwrap();
    head
}

/// The same job through the crate.
async fn farmed(target: &Qemu, job: &JobSpec, phases: &Mutex<Vec<[Duration; 3]>>) {
    let begun = Instant::now();
    let mut session = target.open(job).await.unwrap();
    let opened = begun.elapsed();
    let inferences = session.infer(job.dataset.inputs(), &|_| ()).await.unwrap();
    let inferred = begun.elapsed() - opened;
    assert_eq!(inferences.len(), 100);
    let closing = Instant::now();
    session.close().await;
    phases.lock().unwrap().push([opened, inferred, closing.elapsed()]);
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let number = |index: usize, default| numbers.get(index).copied().unwrap_or(default);
    let (workers, jobs, rounds) = (number(0, 4), number(1, 80), number(2, 5));
    let name = "mps2-an386";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let target = machine(name);
    let job = job(&target, &model("hello_world"), sine(100));
    runtime.block_on(target.prepare()).unwrap();
    let launch = runtime.block_on(target.launch()).unwrap();

    let mut requests = Vec::new();
    encode_into(&mut requests, Kind::PrepareRequest as u8, 1, &[&[0; 4]]);
    for (index, input) in job.dataset.inputs().iter().enumerate() {
        encode_into(&mut requests, Kind::InferRequest as u8, index as u16 + 2, &[input]);
    }
    let image = ModelImage::encode(&job.model);
    let answers = bare(&launch, &requests, &image, None);

    println!("{name}, hello_world, 100 inferences a job, fresh QEMU each; {workers} workers, {jobs} jobs a round");
    let phases = Arc::<Mutex<Vec<[Duration; 3]>>>::default();
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let begun = Instant::now();
        let left = AtomicUsize::new(jobs);
        let take = |left: &AtomicUsize| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while take(&left) {
                        bare(&launch, &requests, &image, Some(answers));
                    }
                });
            }
        });
        let bare = jobs as f64 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        runtime.block_on(async {
            let left = Arc::new(AtomicUsize::new(jobs));
            let workers: Vec<_> = (0..workers)
                .map(|_| {
                    let (target, job, left, phases) = (target.clone(), job.clone(), left.clone(), phases.clone());
                    tokio::spawn(async move {
                        while take(&left) {
                            farmed(&target, &job, &phases).await;
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.await.unwrap();
            }
        });
        let farmed = jobs as f64 / begun.elapsed().as_secs_f64();
        ratios.push(farmed / bare);
        println!(
            "round {round}: bare loop {bare:6.1} jobs/s, this crate {farmed:6.1} jobs/s, ratio {:.2}",
            farmed / bare
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
    let phases = phases.lock().unwrap();
    for (index, phase) in ["open", "infer", "close"].into_iter().enumerate() {
        let mut times: Vec<Duration> = phases.iter().map(|phases| phases[index]).collect();
        times.sort_unstable();
        println!("{phase:5}: median {:.1?}, p90 {:.1?}", times[times.len() / 2], times[times.len() * 9 / 10]);
    }
}
