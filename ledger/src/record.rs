//! A run's events taken in: a few at a time, each time all or nothing, and on disk when that is done.

use crate::{
    Ledger, LedgerError, derive,
    error::Result,
    news,
    open::{RunLock, in_transaction},
};
use farm::{FarmEvent, Stamped};
use rusqlite::Connection;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long events may wait to be written: what a power cut costs at most, as long as others come.
const PAUSE: Duration = Duration::from_millis(250);

/// So many may wait.
const MANY: usize = 4096;

/// So many are kept while they cannot be written. Then the run is given up: what comes later would follow on a gap.
const MOST: usize = 16 * MANY;

/// Records one run.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    connection: Connection,
    waiting: Vec<Stamped>,
    written: Instant,
    run: Option<i64>,
    /// Events before [`FarmEvent::RunResumed`] are known and only told again.
    resuming: bool,
    lock: Option<RunLock>,
    /// Whether the last attempt to write failed.
    failing: bool,
    /// How long until the next attempt.
    pause: Duration,
    given_up: bool,
}

impl Ledger {
    /// Takes in the rest of `run` (its whole name), which was cut short: what comes before [`FarmEvent::RunResumed`] is told
    /// again, and ignored here.
    ///
    /// # Errors
    /// There is no such run, it is under way, or has come to its end.
    pub fn resume(&self, run: &str) -> Result<Recorder> {
        let (id, row) = self.find_exact(run)?;
        let mut recorder = self.record()?;
        recorder.take_lock(&row.name)?;
        // Whoever had it may have come to the end meanwhile.
        if self.find_exact(run)?.1.state != crate::RunState::Running {
            return Err(LedgerError::Ended { run: run.to_owned() });
        }
        (recorder.run, recorder.resuming) = (Some(id), true);
        Ok(recorder)
    }
}

impl Recorder {
    pub(crate) fn new(path: PathBuf, connection: Connection) -> Self {
        let (waiting, written) = (Vec::new(), Instant::now());
        Self {
            path,
            connection,
            waiting,
            written,
            run: None,
            resuming: false,
            lock: None,
            failing: false,
            pause: PAUSE,
            given_up: false,
        }
    }

    /// Takes in one event.
    ///
    /// # Errors
    /// It, and what waited with it, cannot be written. They are kept, and written with later ones where that works again
    /// before there are too many.
    pub fn on(&mut self, stamped: &Stamped) -> Result<()> {
        if self.given_up {
            return Ok(());
        }
        if self.resuming {
            match &stamped.event {
                FarmEvent::RunResumed { .. } => self.resuming = false,
                _ => return Ok(()),
            }
        }
        if let FarmEvent::RunStarted { run, .. } = &stamped.event {
            self.take_lock(run)?;
        }
        if news::is_kept(&stamped.event) {
            self.waiting.push(stamped.clone());
        }
        // The run is there for others at once, and what ended is safe.
        let edge = matches!(
            stamped.event,
            FarmEvent::RunStarted { .. } | FarmEvent::RunResumed { .. } | FarmEvent::RunFinished { .. }
        );
        // One after the other would try in vain.
        let many = self.waiting.len() >= MANY && !self.failing;
        let result = if edge || many || self.written.elapsed() >= self.pause { self.flush() } else { Ok(()) };
        if self.failing && self.waiting.len() >= MOST {
            (self.waiting, self.given_up) = (Vec::new(), true);
        }
        result
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// As [`Recorder::on`].
    pub fn idle(&mut self) -> Result<()> {
        if self.failing && self.written.elapsed() < self.pause { Ok(()) } else { self.flush() }
    }

    /// Writes what waits, and lets the run go.
    ///
    /// # Errors
    /// As [`Recorder::on`].
    pub fn finish(&mut self) -> Result<()> {
        let written = self.flush();
        self.lock = None;
        written
    }

    fn take_lock(&mut self, run: &str) -> Result<()> {
        let lock = RunLock::take(&self.path, run).map_err(|error| LedgerError::Io {
            what: "write",
            path: self.path.clone(),
            detail: format!("no file can be made beside it: {error}"),
            mend: "make its folder writable, name another file in `ledger.file` of tinyfarm.toml, or run with `--no-ledger`",
        })?;
        self.lock = Some(lock.ok_or_else(|| LedgerError::UnderWay { run: run.to_owned() })?);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (path, waiting, begun, begun_at) = (&self.path, &self.waiting, self.run, Instant::now());
        let run = in_transaction(path, &mut self.connection, |connection| {
            write(connection, begun, waiting).map_err(|error| LedgerError::sqlite(path, "write", &error))
        });
        // A writer who does not let go must not hold up the run's other reporters for long.
        self.failing = run.is_err();
        self.pause = if self.failing { PAUSE.max(8 * begun_at.elapsed()) } else { PAUSE };
        self.written = Instant::now();
        self.run = run?;
        self.waiting.clear();
        Ok(())
    }
}

/// Writes `events` of the run with the number `run`, or of the one that they begin; returns its number.
pub(crate) fn write(connection: &Connection, run: Option<i64>, events: &[Stamped]) -> rusqlite::Result<Option<i64>> {
    let mut number = run;
    for event in events {
        number = derive::apply(connection, number, event)?;
    }
    if let Some(number) = number {
        let chunks = news::pack(events).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        chunks.iter().try_for_each(|chunk| news::append(connection, number, chunk))?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use farm::{Judgement, Origin, Verdict, events::ScenarioId};
    use jiff::Timestamp;

    fn stamped(event: FarmEvent) -> Stamped {
        Stamped { at: Timestamp::from_second(1_700_000_000).unwrap(), event }
    }

    fn start() -> Stamped {
        stamped(FarmEvent::RunStarted {
            run: "a".to_owned(),
            version: "1.2.3".to_owned(),
            command: Vec::new(),
            scenarios: 1_000_000,
            origin: Origin::default(),
        })
    }

    fn scenario(line: usize) -> Stamped {
        let (path, feature, name) = ("a.feature".to_owned(), "A".to_owned(), format!("scenario {line}"));
        stamped(FarmEvent::ScenarioFinished {
            scenario: ScenarioId { path, line, feature, name },
            judgement: Judgement::new(Verdict::Pass, ""),
            took: Duration::from_millis(3),
            quarantine: None,
        })
    }

    /// A run that has begun, in a file that may not grow: as good as a full disk.
    fn on_a_full_disk() -> (tempfile::TempDir, Ledger, Recorder) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
        let mut recorder = ledger.record().unwrap();
        recorder.on(&start()).unwrap();
        let pages: i64 = recorder.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        recorder.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        (folder, ledger, recorder)
    }

    #[test]
    fn a_disk_that_stays_full_costs_the_record_and_not_the_memory() {
        let (_folder, ledger, mut recorder) = on_a_full_disk();
        let mut failed = 0;
        for line in 1..2 * MOST {
            failed += usize::from(recorder.on(&scenario(line)).is_err());
        }
        assert!(failed > 0 && recorder.given_up && recorder.waiting.is_empty(), "{failed}");
        // There is room again, and what came after the gap does not follow on what came before it.
        recorder.connection.pragma_update_and_check(None, "max_page_count", i32::MAX, |_| Ok(())).unwrap();
        recorder.on(&stamped(FarmEvent::RunFinished { interrupted: false, took: Duration::ZERO })).unwrap();
        recorder.finish().unwrap();
        assert_eq!(ledger.find("a").unwrap().state, crate::RunState::Cut);
        assert!(ledger.verify().unwrap().is_empty());
    }

    #[test]
    fn what_could_not_be_written_is_written_when_there_is_room_again() {
        let (_folder, ledger, mut recorder) = on_a_full_disk();
        let lines = (1..).take_while(|line| recorder.on(&scenario(*line)).is_ok()).count() + 1;
        recorder.connection.pragma_update_and_check(None, "max_page_count", i32::MAX, |_| Ok(())).unwrap();
        recorder.on(&stamped(FarmEvent::RunFinished { interrupted: false, took: Duration::ZERO })).unwrap();
        recorder.finish().unwrap();
        assert_eq!(ledger.outcomes("a").unwrap().len(), lines);
        assert!(ledger.verify().unwrap().is_empty());
    }
}
