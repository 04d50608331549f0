//! What went over a wire, byte by byte and with times: kept as evidence of what a board really said, the first of it and
//! the last of it, in bounded memory.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Bytes of one direction that come within this time are one entry, and bear one time.
const TOGETHER: Duration = Duration::from_millis(2);
/// The longest entry, bytes.
const LONGEST: usize = 512;
/// What an entry costs besides its bytes.
const OVERHEAD: usize = size_of::<Entry>();
/// So many bytes are shown on one line.
const WIDTH: usize = 100;

/// A log that several may write: a clone is the same log.
#[derive(Debug, Clone)]
pub struct RawLog {
    state: Arc<Mutex<State>>,
    began: Instant,
    sent_too: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Received,
    Sent,
}

#[derive(Debug)]
struct Entry {
    at: Duration,
    direction: Direction,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct State {
    /// Half of what the log may keep, bytes.
    half: usize,
    head: Vec<Entry>,
    head_size: usize,
    /// The head takes no more: what follows goes to the tail, or the order would be lost.
    head_full: bool,
    tail: VecDeque<Entry>,
    tail_size: usize,
    left_out: u64,
}

impl RawLog {
    /// A log of both directions that keeps about `capacity` bytes: half of it for the first that was said, half for the
    /// last. Its times count from now.
    pub fn both(capacity: usize) -> Self {
        Self::new(capacity, true)
    }

    /// A log of what is received only: for a link over which whole models are sent.
    pub fn received_only(capacity: usize) -> Self {
        Self::new(capacity, false)
    }

    fn new(capacity: usize, sent_too: bool) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(capacity))), began: Instant::now(), sent_too }
    }

    /// These came in now.
    pub fn received(&self, bytes: &[u8]) {
        self.state().record(self.began.elapsed(), Direction::Received, bytes);
    }

    /// These went out now.
    pub fn sent(&self, bytes: &[u8]) {
        if self.sent_too {
            self.state().record(self.began.elapsed(), Direction::Sent, bytes);
        }
    }

    /// Whether nothing was logged.
    pub fn is_empty(&self) -> bool {
        let state = self.state();
        state.head.is_empty() && state.tail.is_empty()
    }

    /// The log for people: a line of what went over the wire is a line here, with its time and direction; what is no
    /// text is escaped; what was left out is counted. Empty if nothing was logged.
    pub fn text(&self) -> String {
        self.state().text()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(capacity: usize) -> Self {
        Self {
            half: capacity / 2,
            head: Vec::new(),
            head_size: 0,
            head_full: false,
            tail: VecDeque::new(),
            tail_size: 0,
            left_out: 0,
        }
    }

    fn record(&mut self, at: Duration, direction: Direction, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = match if self.head_full { self.tail.back() } else { self.head.last() } {
                Some(last) if last.direction == direction && at.saturating_sub(last.at) < TOGETHER => {
                    LONGEST - last.bytes.len()
                }
                _ => 0,
            };
            let entry = if room == 0 { OVERHEAD } else { 0 };
            let piece = &bytes[..bytes.len().min(if room == 0 { LONGEST } else { room })];
            if !self.head_full && self.head_size + entry + piece.len() > self.half {
                self.head_full = true;
                continue;
            }
            self.put(at, direction, piece, room > 0);
            *(if self.head_full { &mut self.tail_size } else { &mut self.head_size }) += entry + piece.len();
            bytes = &bytes[piece.len()..];
            self.forget();
        }
    }

    fn put(&mut self, at: Duration, direction: Direction, piece: &[u8], to_the_last: bool) {
        let last = if self.head_full { self.tail.back_mut() } else { self.head.last_mut() };
        match last {
            Some(last) if to_the_last => last.bytes.extend_from_slice(piece),
            _ => {
                let entry = Entry { at, direction, bytes: piece.to_vec() };
                if self.head_full { self.tail.push_back(entry) } else { self.head.push(entry) }
            }
        }
    }

    /// Makes room: the oldest of the tail goes.
    fn forget(&mut self) {
        while self.tail_size > self.half {
            let Some(oldest) = self.tail.pop_front() else { return };
            self.tail_size -= oldest.bytes.len() + OVERHEAD;
            self.left_out += oldest.bytes.len() as u64;
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.head.is_empty() && self.tail.is_empty() {
            return text;
        }
        text.push_str("# seconds since the log began, < received, > sent\n");
        self.head.iter().for_each(|entry| entry.show(&mut text));
        if self.left_out > 0 {
            let _ = writeln!(text, "           … {} bytes left out …", self.left_out);
        }
        self.tail.iter().for_each(|entry| entry.show(&mut text));
        text
    }
}

impl Entry {
    fn show(&self, text: &mut String) {
        let sign = match self.direction {
            Direction::Received => '<',
            Direction::Sent => '>',
        };
        for line in self.bytes.split_inclusive(|&byte| byte == b'\n').flat_map(|line| line.chunks(WIDTH)) {
            let _ = writeln!(text, "{:>10.6} {sign} {}", self.at.as_secs_f64(), escaped(line));
        }
    }
}

/// Bytes as text: what is printable as it is, the rest as `\n`, `\r`, `\t`, `\\` and `\xNN`.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Received, Sent};
    use proptest::prelude::*;

    const CAPACITY: usize = 128 << 10;

    #[test]
    fn lines_have_times_and_directions_and_bytes_that_are_no_text_are_escaped() {
        let mut state = State::new(CAPACITY);
        state.record(Duration::from_micros(1_500), Received, b"boot v1.2\r\nread");
        state.record(Duration::from_micros(1_600), Received, b"y\n");
        state.record(Duration::from_micros(1_700), Sent, b"\x01TF\\\0\xff");
        state.record(Duration::from_millis(12_500), Received, b"t\tlate");
        insta::assert_snapshot!(state.text(), @r"
        # seconds since the log began, < received, > sent
          0.001500 < boot v1.2\r\n
          0.001500 < ready\n
          0.001700 > \x01TF\\\x00\xff
         12.500000 < t\tlate
        ");
    }

    #[test]
    fn the_first_and_the_last_are_kept_and_the_rest_is_counted() {
        let mut state = State::new(2 * (OVERHEAD + 20));
        for n in 0..5 {
            state.record(Duration::from_secs(n), Received, format!("this is line no {n}\n").as_bytes());
        }
        insta::assert_snapshot!(state.text(), @r"
        # seconds since the log began, < received, > sent
          0.000000 < this is line no 0\n
                   … 54 bytes left out …
          4.000000 < this is line no 4\n
        ");
    }

    #[test]
    fn a_log_of_what_is_received_has_nothing_of_what_was_sent() {
        let log = RawLog::received_only(CAPACITY);
        log.sent(&[0; 1000]);
        assert!(log.is_empty());
        assert_eq!(log.text(), "");
        log.clone().received(b"heard");
        assert!(log.text().ends_with(" < heard\n"));
    }

    #[test]
    fn a_log_without_room_counts_all_and_keeps_nothing() {
        let mut state = State::new(0);
        state.record(Duration::ZERO, Received, &[7; 3000]);
        assert_eq!((state.left_out, state.tail.len(), state.head.len()), (3000, 0, 0));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_what_is_kept_is_the_beginning_and_the_end(
            capacity in 0_usize..8000,
            pieces in prop::collection::vec((0_u64..4000, any::<bool>(), 0_usize..1500), 0..40),
        ) {
            let mut state = State::new(capacity);
            let mut all = Vec::new();
            let mut at = Duration::ZERO;
            for (pause, sent, length) in pieces {
                at += Duration::from_micros(pause);
                let bytes: Vec<u8> = (all.len()..all.len() + length).map(|n| (n % 251) as u8).collect();
                state.record(at, if sent { Sent } else { Received }, &bytes);
                all.extend(bytes);
                let cost = |entries: &mut dyn Iterator<Item = &Entry>| -> usize {
                    entries.map(|entry| entry.bytes.len() + OVERHEAD).sum()
                };
                prop_assert_eq!(cost(&mut state.head.iter()), state.head_size);
                prop_assert_eq!(cost(&mut state.tail.iter()), state.tail_size);
                prop_assert!(state.head_size <= capacity / 2 && state.tail_size <= capacity / 2);
                prop_assert!(state.head.iter().chain(&state.tail).all(|entry| entry.bytes.len() <= LONGEST));
            }
            let head: Vec<u8> = state.head.iter().flat_map(|entry| entry.bytes.clone()).collect();
            let tail: Vec<u8> = state.tail.iter().flat_map(|entry| entry.bytes.clone()).collect();
            prop_assert!(all.starts_with(&head) && all.ends_with(&tail));
            prop_assert_eq!(head.len() + tail.len() + usize::try_from(state.left_out).unwrap_or(usize::MAX), all.len());
        }
    }
}
