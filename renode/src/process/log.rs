//! What a process writes, kept in bounds.

use std::{
    collections::VecDeque,
    fmt,
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// Bytes that are kept, the last ones.
pub(super) const KEPT: usize = 256 << 10;

/// The last words of a process. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<VecDeque<u8>>>);

/// Tells when all that was written has been read.
#[derive(Debug)]
pub(super) struct Reading(mpsc::Receiver<()>);

impl Log {
    /// Reads until the last process that could write has ended, in a thread: a pipe that nobody empties stops Renode, also
    /// while the runtime is busy.
    pub(super) fn read(&self, mut source: impl Read + Send + 'static) -> std::io::Result<Reading> {
        let (done, reading) = mpsc::channel();
        let log = self.clone();
        let read = move || {
            let _done = done;
            let mut buffer = [0; 8 << 10];
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                log.push(&buffer[..count]);
            }
        };
        thread::Builder::new().name("renode-log".to_owned()).spawn(read)?;
        Ok(Reading(reading))
    }

    pub(super) fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }

    /// What is kept; bytes that are no UTF-8 are replaced.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.lock().make_contiguous()).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much there is; what there is would fill screens.
impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Log({} bytes)", self.lock().len())
    }
}

impl Reading {
    /// Waits for the end, but not for ever: something that left the process group may hold the pipe open.
    pub(super) fn finish(self, patience: Duration) {
        let _ = self.0.recv_timeout(patience);
    }
}

/// The words for an error message: the last few lines that are not a stack trace.
pub(super) fn last_words(log: &str) -> String {
    const LINES: usize = 3;
    const CHARACTERS: usize = 600;
    let mut lines: Vec<&str> = log
        .lines()
        .rev()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("at "))
        .take(LINES)
        .collect();
    lines.reverse();
    let words = lines.join("; ");
    match words.chars().count() {
        0 => "it wrote nothing".to_owned(),
        count => words.chars().skip(count.saturating_sub(CHARACTERS)).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_words_are_kept() {
        let log = Log::default();
        let said = [vec![b'a'; KEPT], "é end".into()].concat();
        log.read(std::io::Cursor::new(said)).unwrap().finish(Duration::from_secs(60));
        let text = log.text();
        assert_eq!(text.len(), KEPT);
        assert!(text.ends_with("aé end"));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let log = Log::default();
        log.push(b"caf\xff\xfe!");
        assert_eq!(log.text(), "caf\u{fffd}\u{fffd}!");
    }

    #[test]
    fn a_stack_trace_is_no_reason() {
        let log = "Starting\n\nUnhandled exception. System.IO.IOException: No space left on device\n   at System.IO.X()\n   at Y\n";
        assert_eq!(last_words(log), "Starting; Unhandled exception. System.IO.IOException: No space left on device");
        assert_eq!(last_words(" \n"), "it wrote nothing");
        assert!(last_words(&"é".repeat(5000)).len() <= 1200);
    }
}
