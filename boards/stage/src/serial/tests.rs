//! Ports that are pseudo-terminals.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::raw_log::RawLog;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{OptionalActions, tcgetattr, tcsetattr},
};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::fs::symlink},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Long enough for any machine; what is waited for comes by event.
const LIMIT: Duration = Duration::from_secs(120);

/// The board's end of a serial port. Dropping it hangs up.
struct Board {
    master: File,
    slave: OwnedFd,
    path: PathBuf,
}

impl Board {
    fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
        let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut terminal = tcgetattr(&slave).unwrap();
        terminal.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &terminal).unwrap();
        Self { master: File::from(master), slave, path }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }

    /// Waits until what was said has arrived at the other end.
    fn arrived(&self) {
        poll(&mut [PollFd::new(&self.slave, PollFlags::IN)], None).unwrap();
    }

    fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut heard = vec![0; count];
        self.master.read_exact(&mut heard).unwrap();
        heard
    }
}

/// The name that stays, now leading to this board.
fn name(link: &Path, board: &Board) -> Identity {
    let new = link.with_extension("new");
    symlink(&board.path, &new).unwrap();
    std::fs::rename(new, link).unwrap();
    Identity::path(link).unwrap()
}

fn log() -> RawLog {
    RawLog::both(128 << 10)
}

/// A message without what differs from run to run.
fn told(error: &SerialError, folder: &Path) -> String {
    error.to_string().replace(&folder.display().to_string(), "…")
}

#[tokio::test]
async fn both_sides_hear_each_other_and_the_log_has_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = Board::new();
    let identity = name(&folder.path().join("a.uart"), &board);
    let log = log();
    let mut link = open(&identity, 57_600, log.clone()).unwrap();
    assert_eq!(tcgetattr(&board.slave).unwrap().output_speed(), 57_600);
    assert_eq!(link.path(), board.path);
    board.say(b"\x01hello\n");
    let mut heard = [0; 7];
    link.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"\x01hello\n");
    link.write_all(b"and\0you\r\n").await.unwrap();
    assert_eq!(board.hear(9), b"and\0you\r\n");
    let text = log.text();
    assert!(text.contains(" < \\x01hello\\n\n") && text.contains(" > and\\x00you\\r\\n\n"), "{text}");
    link.pulse_dtr().await.unwrap();
}

#[tokio::test]
async fn what_came_before_is_gone_and_what_comes_after_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = Board::new();
    board.say(b"half a fra");
    board.arrived();
    let mut link = open(&name(&folder.path().join("a.uart"), &board), 115_200, log()).unwrap();
    board.say(b"first line\n");
    let mut heard = [0; 11];
    link.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"first line\n");
}

#[tokio::test]
async fn more_than_the_kernel_holds_goes_through_both_ways_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = Board::new();
    let link = open(&name(&folder.path().join("a.uart"), &board), 115_200, log()).unwrap();
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = data.clone();
    let echo = std::thread::spawn(move || {
        for _ in 0..300 {
            let heard = board.hear(1000);
            board.say(&heard);
        }
        board
    });
    let (mut read, mut write) = tokio::io::split(link);
    let writer = tokio::spawn(async move { write.write_all(&data).await });
    let mut heard = vec![0; expected.len()];
    read.read_exact(&mut heard).await.unwrap();
    writer.await.unwrap().unwrap();
    assert!(heard == expected);
    echo.join().unwrap();
}

#[tokio::test]
async fn a_port_that_goes_away_is_the_end_of_the_stream_also_for_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let board = Board::new();
    let mut link = open(&name(&folder.path().join("a.uart"), &board), 115_200, log()).unwrap();
    let mut buffer = [0; 8];
    let (read, ()) = tokio::join!(link.read(&mut buffer), async { drop(board) });
    assert_eq!(read.unwrap(), 0);
    assert_eq!(link.read(&mut buffer).await.unwrap(), 0);
    assert_eq!(link.write(b"x").await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_port_is_open_once_and_who_has_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let board = Board::new();
    let identity = name(&folder.path().join("a.uart"), &board);
    let link = open(&identity, 115_200, log()).unwrap();
    let error = open(&identity, 115_200, log()).unwrap_err();
    let told = told(&error, folder.path()).replace(&board.path.display().to_string(), "/dev/pts/N");
    insta::assert_snapshot!(told, @"the serial port …/a.uart (/dev/pts/N) is held by this process itself: end that, or wait until it is done");
    drop(link);
    open(&identity, 115_200, log()).unwrap();
}

#[tokio::test]
async fn what_is_no_port_or_no_rate_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &str, baud| told(&open(&Identity::path(path).unwrap(), baud, log()).unwrap_err(), folder.path());
    insta::assert_snapshot!(error("/dev/null", 115_200), @"cannot open the serial port /dev/null (/dev/null) at 115200 baud: Not a typewriter; is this a serial port, and can it do this rate?");
    insta::assert_snapshot!(error("/dev/null", 0), @"cannot open the serial port /dev/null (/dev/null) at 0 baud: the rate is 0; is this a serial port, and can it do this rate?");
}

#[tokio::test]
async fn a_port_that_comes_back_under_another_name_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.uart");
    let board = Board::new();
    let identity = name(&path, &board);
    let link = open(&identity, 115_200, log()).unwrap();
    // A second one of the same name: the first port is still there, and not meant any more.
    let other = Board::new();
    name(&path, &other);
    assert_eq!((link.path(), resolve(&identity).unwrap()), (board.path.as_path(), other.path.clone()));
    drop((link, other));
    // Left alone, it would soon lead to the terminal of somebody else.
    std::fs::remove_file(&path).unwrap();
    let back = reopen(&identity, 115_200, log(), LIMIT);
    tokio::pin!(back);
    assert!(futures::poll!(&mut back).is_pending());
    let mut third = Board::new();
    name(&path, &third);
    let mut link = back.await.unwrap();
    assert_eq!(link.path(), third.path);
    third.say(b"back");
    let mut heard = [0; 4];
    link.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"back");
}

#[tokio::test]
async fn a_port_that_stays_away_is_waited_for_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::path(folder.path().join("a.uart")).unwrap();
    let error = reopen(&identity, 115_200, log(), Duration::ZERO).await.unwrap_err();
    insta::assert_snapshot!(told(&error, folder.path()), @"the serial port …/a.uart did not come back within 0ns: the serial port …/a.uart is not there; nothing has this name: plug it in, or correct `serial` in the board's definition");
    // Waiting is no use.
    let error = reopen(&Identity::path("/dev/null").unwrap(), 0, log(), LIMIT).await.unwrap_err();
    assert!(matches!(error, SerialError::Open { baud: 0, .. }), "{error}");
}
