//! The link against a model of the guest: a thread that keeps the guest's side of `firmware/PROTOCOL.md`.
#![allow(clippy::unwrap_used)]

use super::{
    Layout, Mapping, Rings, SharedLink,
    rings::{AT_FARM_WAITS, AT_GUEST_WAITS},
};
use proptest::prelude::*;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream as Socket,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, timeout},
};

/// Far more than any of these tests takes; only a lost wake-up gets here.
const LOST: Duration = Duration::from_secs(60);

struct Guest {
    rings: Rings,
    memory: Arc<Mapping>,
    bell: Socket,
}

impl Guest {
    fn ring_if_waited_for(&mut self) {
        if self.memory.load(AT_FARM_WAITS, Ordering::SeqCst) == 1 {
            self.memory.store(AT_FARM_WAITS, 0, Ordering::SeqCst);
            let _ = self.bell.write_all(&[0]);
        }
    }

    /// Sleeps unless `awake` finds something to do; false when the farm has gone.
    fn sleep(&mut self, awake: impl Fn(&Rings) -> bool) -> bool {
        self.memory.store(AT_GUEST_WAITS, 1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let stays = awake(&self.rings) || self.bell.read(&mut [0; 16]).unwrap_or(0) > 0;
        self.memory.store(AT_GUEST_WAITS, 0, Ordering::SeqCst);
        stays
    }

    /// Sends back what comes, byte by byte inverted, in pieces of `piece` bytes, until the farm hangs up.
    fn echo(mut self, piece: usize) {
        let mut bytes = vec![0; piece];
        loop {
            let count = self.rings.read(&mut bytes).unwrap();
            if count == 0 {
                if !self.sleep(|rings| rings.readable().unwrap() > 0) {
                    return;
                }
                continue;
            }
            self.ring_if_waited_for();
            let reply: Vec<u8> = bytes[..count].iter().map(|byte| !byte).collect();
            let mut rest = &reply[..];
            while !rest.is_empty() {
                let written = self.rings.write(rest).unwrap();
                rest = &rest[written..];
                if written > 0 {
                    self.ring_if_waited_for();
                } else if !self.sleep(|rings| rings.writable().unwrap() > 0) {
                    return;
                }
            }
        }
    }
}

fn link(layout: Layout) -> (SharedLink, Guest) {
    let (_file, memory) = Mapping::create("link-test", layout.bytes() as u64, layout.bytes()).unwrap();
    let memory = Arc::new(memory);
    let rings = Rings::lay_out(memory.clone(), layout).unwrap();
    let (near, far) = Socket::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let guest = Guest { rings: Rings::of_guest(memory.clone()), memory, bell: far };
    (SharedLink::new(rings, UnixStream::from_std(near).unwrap()), guest)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Reader and writer are two tasks; rings are small, so that both sides sleep and wake all the time.
    #[test]
    fn everything_arrives_in_order_and_no_wake_up_is_lost(
        to_guest in 2u32..7, to_host in 2u32..7, guest in 1usize..40, out in 1usize..90, back in 1usize..90, len in 1usize..6000,
    ) {
        runtime().block_on(async {
            let (link, model) = link(Layout { to_guest: 1 << to_guest, to_host: 1 << to_host });
            let thread = thread::spawn(move || model.echo(guest));
            let (mut read, mut write) = tokio::io::split(link.without_second_look());
            let sent = pattern(len);
            let pieces: Vec<Vec<u8>> = sent.chunks(out).map(<[u8]>::to_vec).collect();
            let writer = tokio::spawn(async move {
                for piece in pieces {
                    write.write_all(&piece).await.unwrap();
                }
                write
            });
            let mut received = Vec::new();
            let mut bytes = vec![0; back];
            while received.len() < len {
                let count = timeout(LOST, read.read(&mut bytes)).await.expect("a wake-up was lost").unwrap();
                received.extend(bytes[..count].iter().map(|byte| !byte));
            }
            assert_eq!(received, sent);
            drop((read, writer.await.unwrap()));
            thread.join().unwrap();
        });
    }
}

#[tokio::test]
async fn one_task_that_writes_all_and_then_reads_all_is_served() {
    let (mut link, guest) = link(Layout { to_guest: 4096, to_host: 4096 });
    let thread = thread::spawn(move || guest.echo(100));
    for _ in 0..200 {
        let sent = pattern(1500);
        timeout(LOST, link.write_all(&sent)).await.unwrap().unwrap();
        let mut back = vec![0; sent.len()];
        timeout(LOST, link.read_exact(&mut back)).await.unwrap().unwrap();
        assert!(back.iter().zip(&sent).all(|(back, sent)| *back == !sent));
    }
    drop(link);
    thread.join().unwrap();
}

#[tokio::test]
async fn what_the_guest_said_before_it_went_is_read_before_the_end() {
    let (mut link, mut guest) = link(Layout::default());
    assert_eq!(guest.rings.write(b"last words").unwrap(), 10);
    drop(guest);
    let mut said = Vec::new();
    timeout(LOST, link.read_to_end(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, b"last words");
    assert_eq!(link.write_all(b"x").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_guest_whose_waits_word_came_late_is_woken_by_the_second_look() {
    let (mut link, mut guest) = link(Layout::default());
    link.write_all(b"input").await.unwrap(); // nobody waits yet, as far as the farm can see: no bell
    let thread = thread::spawn(move || {
        guest.memory.store(AT_GUEST_WAITS, 1, Ordering::SeqCst); // ... and the guest looked before the input came
        guest.bell.read_exact(&mut [0]).unwrap();
        guest.echo(16);
    });
    let mut back = [0; 5];
    timeout(LOST, link.read_exact(&mut back)).await.expect("the guest sleeps for ever").unwrap();
    drop(link);
    thread.join().unwrap();
}

#[tokio::test]
async fn output_whose_guest_saw_nobody_waiting_is_found_by_the_second_look() {
    let (mut link, mut guest) = link(Layout::default());
    let mut output = [0; 6];
    let mut reading = std::pin::pin!(link.read_exact(&mut output));
    let mut asleep = false;
    let read = std::future::poll_fn(|cx| {
        let poll = reading.as_mut().poll(cx);
        if poll.is_pending() && !std::mem::replace(&mut asleep, true) {
            guest.rings.write(b"output").unwrap(); // no bell: the guest's look at the farm's word was too early
        }
        poll
    });
    let started = Instant::now();
    timeout(LOST, read).await.unwrap().unwrap();
    assert!(started.elapsed() < LOST, "only the timeout woke the farm");
    assert_eq!(&output, b"output");
}

#[tokio::test]
async fn a_guest_that_writes_nonsense_into_its_words_is_an_error_and_no_panic() {
    let (mut link, guest) = link(Layout { to_guest: 64, to_host: 64 });
    guest.memory.store(192, 65, Ordering::SeqCst);
    let error = link.read_u8().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "shared-memory link corrupt: the runner has written ahead of what was read: 65 bytes in a ring of 64"
    );
    assert_eq!(link.broken().get(), Some(&error.to_string()));
    guest.memory.store(128, 1, Ordering::SeqCst);
    assert!(link.write_all(b"x").await.unwrap_err().to_string().contains("read beyond what was written"));
}

#[test]
fn positions_wrap_at_two_to_the_thirty_second() {
    let layout = Layout { to_guest: 64, to_host: 64 };
    let (_file, memory) = Mapping::create("link-test", layout.bytes() as u64, layout.bytes()).unwrap();
    let memory = Arc::new(memory);
    let mut farm = Rings::lay_out(memory.clone(), layout).unwrap();
    let mut guest = Rings::of_guest(memory.clone());
    let near_end = u32::MAX - 9;
    farm.start_at(near_end);
    guest.start_at(near_end);
    assert_eq!(farm.write(&pattern(100)).unwrap(), 64);
    let mut read = [0; 100];
    assert_eq!(guest.read(&mut read).unwrap(), 64);
    assert_eq!(read[..64], pattern(64));
    assert_eq!((farm.writable().unwrap(), guest.readable().unwrap()), (64, 0));
}

#[test]
fn a_layout_is_cut_to_the_room_there_is() {
    assert_eq!(Layout::within(1 << 24), Some(Layout::default()));
    assert_eq!(Layout::within(20_000), Some(Layout { to_guest: 4096, to_host: 4096 }));
    assert_eq!(Layout::within(4096), None);
}
