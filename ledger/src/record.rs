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
}

impl Ledger {
    /// Takes in the rest of `run` (its whole name), which was cut short: what comes before [`FarmEvent::RunResumed`] is told
    /// again, and ignored here.
    ///
    /// # Errors
    /// There is no such run, or it is under way.
    pub fn resume(&self, run: &str) -> Result<Recorder> {
        let (id, row) = self.find_exact(run)?;
        let mut recorder = self.record()?;
        recorder.take_lock(&row.name)?;
        (recorder.run, recorder.resuming) = (Some(id), true);
        Ok(recorder)
    }
}

impl Recorder {
    pub(crate) fn new(path: PathBuf, connection: Connection) -> Self {
        let (waiting, written) = (Vec::new(), Instant::now());
        Self { path, connection, waiting, written, run: None, resuming: false, lock: None }
    }

    /// Takes in one event.
    ///
    /// # Errors
    /// It, and what waited with it, cannot be written. They are kept, and written with the next where that works again.
    pub fn on(&mut self, stamped: &Stamped) -> Result<()> {
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
        if edge || self.waiting.len() >= MANY || self.written.elapsed() >= PAUSE { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// As [`Recorder::on`].
    pub fn idle(&mut self) -> Result<()> {
        self.flush()
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
        self.written = Instant::now();
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (path, waiting, begun) = (&self.path, &self.waiting, self.run);
        let run = in_transaction(path, &mut self.connection, |connection| {
            write(connection, begun, waiting).map_err(|error| LedgerError::sqlite(path, "write", &error))
        })?;
        self.run = run;
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
        let chunk = news::pack(events).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        news::append(connection, number, &chunk)?;
    }
    Ok(number)
}
