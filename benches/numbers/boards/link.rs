//! Bytes a second over RTT, with the runner's protocol, through the board stage's pump: requests of 9,216 bytes (a
//! person_detection input), which the runner reads, checks and refuses, for it holds hello_world; and its greeting again
//! and again. Beside them raw memory accesses over the same probe, to the same ring, while the same runner runs.

use super::{
    bare::{BareJob, attach},
    yard::Yard,
};
use crate::{
    Result,
    figures::{Rounds, seconds},
    project::{Project, builder, library, runtime},
};
use boards::{
    chip::Chips,
    pipe::{PipeStream, pipe},
    probe::{Access, ProbeThread, device::Start},
};
use firmware::{
    Firmware,
    protocol::{Decoded, Decoder, Kind, frame::encode_into},
    symbols,
};
use probe_rs::MemoryInterface;
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ROUNDS: usize = 5;
/// Bytes of a large request.
const INPUT: usize = 9216;
const REQUESTS: usize = 64;
const GREETINGS: usize = 1000;
/// Raw bytes each way: many times the ring, or the ring many times.
const RAW: usize = 512 << 10;
const LIMIT: Duration = Duration::from_secs(60);

pub fn measure() -> Result {
    let project = Project::new()?;
    let names = project.sines(1, "nowhere")?;
    let library = library()?;
    let model = library.model("hello_world", project.path())?;
    let yard = Yard::open(1)?;
    let selector = &yard.stands[0].board.record().selector;
    let board = yard.boards(&Arc::new(builder()?), &|_, _| None, drop)?.remove(0);
    let port = board.port().ok_or("the board has no port")?;
    let ring = port.rtt.ok_or("the board's runner has no RTT")?;
    let runtime = runtime()?;
    let firmware = runtime.block_on(builder()?.build(port))?;
    // Flashes it, and leaves its runner waiting at its RTT buffers.
    BareJob::new(&firmware, &model, library.dataset(&names[0], project.path(), &model)?.as_ref())?
        .run(selector, true)?;

    println!("  {REQUESTS} requests of {INPUT} bytes, {GREETINGS} greetings; raw {} KiB in pieces; kB/s", RAW >> 10);
    let mut read_8 = Rounds::default();
    let (mut up, mut read, mut large) = (Rounds::default(), Rounds::default(), Rounds::default());
    let (mut down, mut write) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let (linked_down, linked_up) = runtime.block_on(linked(selector, &firmware))?;
        down.add(linked_down);
        up.add(linked_up);
        let raw = raw(selector, &firmware, ring.down as usize)?;
        read.add(raw.read);
        read_8.add(raw.read_8);
        large.add(raw.large);
        write.add(raw.write);
    }
    println!("  down: RTT {down:.0}; raw writes of {} bytes {write:.0}", ring.down);
    println!(
        "  up: RTT {up:.0}; raw reads of {} bytes {read:.0} (by bytes {read_8:.0}), of 64 KiB {large:.0}",
        ring.up
    );
    println!(
        "  RTT to raw accesses of the ring's size: down {:.2}, up {:.2}",
        down.median() / write.median(),
        up.median() / read.median()
    );
    Ok(())
}

fn rate(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / seconds / 1e3
}

/// Down and up through the pump, kB/s.
async fn linked(selector: &str, firmware: &Firmware) -> Result<(f64, f64)> {
    let chip = Chips::shipped().target("sim-stm32f405")?;
    let (_, opening) = ProbeThread::start(Access { board: "board".into(), selector: selector.to_owned(), chip }, LIMIT);
    let thread = opening.await?;
    let start = Start {
        link_request: firmware.address(symbols::LINK_REQUEST).map(|at| (at, symbols::LINK_REQUEST_RTT)),
        rtt: firmware.address(symbols::RTT),
        vectors_in_ram: None,
    };
    thread.call("starting", LIMIT, move |device| device.start(&start)).await?;
    let (mut stream, end) = pipe(64 << 10, thread.waker());
    let connect = move |device: &mut boards::probe::Device| {
        device.connect(end, Box::new(|_, _| ()));
        Ok(())
    };
    thread.call("connecting", LIMIT, connect).await?;
    // The greeting that nobody asked for, and room for the tensors.
    exchange(&mut stream, &[], 1).await?;
    exchange(&mut stream, &frames(Kind::PrepareRequest, 1, &[0; 4]), 1).await?;

    let requests = frames(Kind::InferRequest, REQUESTS, &vec![0x55; INPUT]);
    let began = std::time::Instant::now();
    exchange(&mut stream, &requests, REQUESTS).await?;
    let down = rate(requests.len(), began.elapsed().as_secs_f64());
    let greetings = frames(Kind::HelloRequest, GREETINGS, &[]);
    let began = std::time::Instant::now();
    let received = exchange(&mut stream, &greetings, GREETINGS).await?;
    let up = rate(received, began.elapsed().as_secs_f64());
    drop(stream);
    thread.end(LIMIT).await;
    Ok((down, up))
}

fn frames(kind: Kind, count: usize, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..count).for_each(|index| encode_into(&mut bytes, kind as u8, index as u16 + 1, &[payload]));
    bytes
}

/// Sends, and reads so many replies; how many bytes those were.
async fn exchange(stream: &mut PipeStream, bytes: &[u8], replies: usize) -> Result<usize> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut received, mut left) = (0, replies);
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; 64 << 10];
    let write = async { writer.write_all(bytes).await };
    let read = async {
        while left > 0 {
            let count = reader.read(&mut buffer).await?;
            if count == 0 {
                return Err("the link has ended".into());
            }
            received += count;
            decoder.push(&buffer[..count]);
            while let Some(decoded) = decoder.next() {
                left -= usize::from(matches!(decoded, Decoded::Frame(_)));
            }
        }
        Result::Ok(())
    };
    let (written, read) = tokio::join!(write, read);
    written?;
    read?;
    Ok(received)
}

/// Raw accesses, kB/s.
struct Raw {
    read: f64,
    read_8: f64,
    large: f64,
    write: f64,
}

/// Accesses the ring to the runner, which is empty, and whose places are left alone.
fn raw(selector: &str, firmware: &Firmware, size: usize) -> Result<Raw> {
    let mut session = attach(selector)?;
    let mut core = session.core(0)?;
    let control = firmware.address(symbols::RTT).ok_or("the firmware has no RTT")?;
    let ring = u64::from(core.read_word_32(control + 52)?);
    let ram = ring & !0xFFFF;
    let (mut words, mut bytes, mut large) = (vec![0u32; size / 4], vec![0u8; size], vec![0u32; 16 << 10]);
    let pieces = RAW / size;
    let read = seconds(|| (0..pieces).try_for_each(|_| core.read_32(ring, &mut words)))?;
    let read_8 = seconds(|| (0..pieces).try_for_each(|_| core.read_8(ring, &mut bytes)))?;
    let write = seconds(|| (0..pieces).try_for_each(|_| core.write_32(ring, &words)))?;
    let many = seconds(|| (0..RAW >> 16).try_for_each(|_| core.read_32(ram, &mut large)))?;
    let [read, read_8, write, large] = [read, read_8, write, many].map(|seconds| rate(RAW, seconds));
    Ok(Raw { read, read_8, large, write })
}
