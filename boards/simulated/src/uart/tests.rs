//! Pacing by a clock that stands still; everything else with real pseudo-terminals.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::event::{Event, Events};
use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

#[tokio::test(start_paused = true)]
async fn bytes_take_ten_bits_each_whatever_the_timer_does() {
    for baud in [300, 9_600, 115_200, 921_600, 4_000_000] {
        let mut pacer = Pacer::new(baud);
        let started = Instant::now();
        let mut bytes = 0;
        while started.elapsed() < Duration::from_secs(2) {
            pacer.pass(pacer.chunk()).await;
            bytes += pacer.chunk();
        }
        let wire = Duration::from_secs(10) * u32::try_from(bytes).unwrap() / baud;
        let taken = started.elapsed();
        assert!(wire <= taken + pacer.slack, "{baud} baud: {bytes} bytes in {taken:?}, too fast");
        assert!(taken <= wire + pacer.slack, "{baud} baud: {bytes} bytes in {taken:?}, too slow");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_wire_saves_nothing_up() {
    let mut pacer = Pacer::new(9_600);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let started = Instant::now();
    pacer.pass(960).await;
    assert!(started.elapsed() >= Duration::from_secs(1) - pacer.slack, "{:?}", started.elapsed());
}

/// A UART at work, with the machine's side of it and what asks for another port.
struct Bench {
    machine: UnixStream,
    ports: mpsc::UnboundedSender<Option<Port>>,
    replace: mpsc::UnboundedReceiver<()>,
    path: PathBuf,
    faults: Faults,
    told: std::sync::mpsc::Receiver<Event>,
}

impl Bench {
    fn new(baud: u32) -> Self {
        let (machine, board) = UnixStream::pair().unwrap();
        let (ports, from_ports) = mpsc::unbounded_channel();
        let (ask, replace) = mpsc::unbounded_channel();
        let (events, told) = Events::channel();
        let faults = Faults::new(events);
        tokio::spawn(carry(board, from_ports, move || ask.send(()).unwrap_or_default(), baud, faults.clone()));
        let port = Port::new().unwrap();
        let path = port.path().to_owned();
        ports.send(Some(port)).unwrap();
        Self { machine, ports, replace, path, faults, told }
    }

    fn open(&self) -> File {
        let nonblocking = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
        OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(&self.path).unwrap()
    }

    /// Opens it, and is sure that what the machine sends from now on is not thrown away any more.
    async fn listen(&mut self) -> File {
        let mut host = self.open();
        host.write_all(b"?").unwrap();
        assert_eq!(self.machine.read_u8().await.unwrap(), b'?');
        host
    }
}

/// Reads so many bytes on a thread that may block.
async fn read(mut host: File, count: usize) -> (File, Vec<u8>) {
    let read = move || {
        let mut bytes = vec![0; count];
        host.read_exact(&mut bytes).unwrap();
        (host, bytes)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test]
async fn every_byte_passes_unchanged_in_both_directions_and_takes_its_time() {
    let mut bench = Bench::new(57_600);
    let host = bench.listen().await;
    let all: Vec<u8> = (0..=255).collect();
    let started = Instant::now();
    bench.machine.write_all(&all).await.unwrap();
    let (mut host, found) = read(host, 256).await;
    assert_eq!(found, all);
    let wire = Duration::from_secs(2560) / 57_600 - Duration::from_millis(5);
    assert!(started.elapsed() >= wire, "{:?}", started.elapsed());
    host.write_all(&all).unwrap();
    let started = Instant::now();
    let mut found = vec![0; 256];
    bench.machine.read_exact(&mut found).await.unwrap();
    assert_eq!(found, all);
    assert!(started.elapsed() >= wire, "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_sent_while_nobody_listens_is_lost() {
    let mut bench = Bench::new(4_000_000);
    // More than any buffer holds: it passes because it is thrown away.
    bench.machine.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
    let host = bench.listen().await;
    bench.machine.write_all(b"hello").await.unwrap();
    let (host, found) = read(host, 5).await;
    assert_eq!(String::from_utf8_lossy(&found), "hello");
    // Left unread when it is closed: gone as well, and again after the next.
    for _ in 0..3 {
        bench.machine.write_all(b"unread").await.unwrap();
    }
    drop(host);
    bench.machine.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
    let host = bench.listen().await;
    bench.machine.write_all(b"again").await.unwrap();
    assert_eq!(read(host, 5).await.1, b"again");
}

#[tokio::test]
async fn who_opens_it_at_once_after_another_is_served() {
    let mut bench = Bench::new(4_000_000);
    for _ in 0..200 {
        let host = bench.listen().await;
        bench.machine.write_all(b"!").await.unwrap();
        assert_eq!(read(host, 1).await.1, b"!");
    }
}

#[tokio::test]
async fn who_opens_it_only_to_write_is_heard() {
    let mut bench = Bench::new(4_000_000);
    for _ in 0..100 {
        bench.open().write_all(b"hello").unwrap();
        let mut found = [0; 5];
        bench.machine.read_exact(&mut found).await.unwrap();
        assert_eq!(&found, b"hello");
    }
}

#[tokio::test]
async fn garbage_comes_before_what_was_sent() {
    let mut bench = Bench::new(4_000_000);
    bench.faults.add(Fault::UartGarbage, 1);
    let host = bench.listen().await;
    bench.machine.write_all(b"hello").await.unwrap();
    let (_, found) = read(host, GARBAGE.len() + 5).await;
    assert_eq!(found, [&GARBAGE[..], b"hello"].concat());
    assert_eq!(bench.told.recv().unwrap(), Event::FaultShown { fault: Fault::UartGarbage });
}

#[test]
fn a_cut_leaves_half_a_line_or_half_a_frame() {
    let cut = |bytes: &[u8]| mid_line(bytes).map(|cut| bytes[..cut].to_vec());
    assert_eq!(cut(b"0123456"), Some(b"0123".to_vec()));
    assert_eq!(cut(b"abc\ndef"), Some(b"abc\nd".to_vec()));
    assert_eq!(cut(b"\xa5\x5a\x01\xa5\x5a\x01"), Some(b"\xa5\x5a\x01\xa5".to_vec()));
    for whole in [&b""[..], b"a", b"a\xa5", b"\n\xa5"] {
        assert_eq!(cut(whole), None, "{whole:?}");
    }
}

#[tokio::test]
async fn a_line_that_stops_does_so_in_its_middle_until_the_port_is_opened_anew() {
    let mut bench = Bench::new(115_200);
    bench.faults.add(Fault::UartStops, 1);
    let host = bench.listen().await;
    bench.machine.write_all(b"0123456789").await.unwrap();
    let (host, found) = read(host, 5).await;
    assert_eq!(found, b"01234");
    // Taken, and thrown away.
    bench.machine.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
    drop(host);
    bench.machine.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
    let host = bench.listen().await;
    bench.machine.write_all(b"again").await.unwrap();
    assert_eq!(read(host, 5).await.1, b"again");
}

#[tokio::test]
async fn a_port_that_is_replaced_hangs_up_and_the_next_one_works() {
    let mut bench = Bench::new(4_000_000);
    bench.faults.add(Fault::UartRenamed, 1);
    let mut host = bench.listen().await;
    bench.machine.write_all(b"hello").await.unwrap();
    bench.replace.recv().await.unwrap();
    let port = Port::new().unwrap();
    assert_ne!(port.path(), bench.path);
    bench.path = port.path().to_owned();
    bench.ports.send(Some(port)).unwrap();
    let end = tokio::task::spawn_blocking(move || host.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(&end, Ok(0)) || end.is_err(), "{end:?}");
    let host = bench.listen().await;
    bench.machine.write_all(b"again").await.unwrap();
    assert_eq!(read(host, 5).await.1, b"again");
}

#[tokio::test]
async fn off_the_bus_it_hangs_up_and_the_machine_goes_on() {
    let mut bench = Bench::new(115_200);
    let mut host = bench.listen().await;
    bench.ports.send(None).unwrap();
    let end = tokio::task::spawn_blocking(move || host.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(&end, Ok(0)) || end.is_err(), "{end:?}");
    bench.machine.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
}

#[test]
fn where_there_are_no_pseudo_terminals_the_file_is_named_and_the_mend() {
    let said = not_opened(Path::new("/dev/pts/3"), Errno::NOENT).to_string();
    assert!(said.starts_with("/dev/pts/3 cannot be opened: No such file"), "{said}");
    assert!(said.ends_with("`sudo mount -t devpts devpts /dev/pts`"), "{said}");
    assert!(not_opened(Path::new("/dev/ptmx"), Errno::NOSPC).to_string().contains("/proc/sys/kernel/pty/max"));
}
