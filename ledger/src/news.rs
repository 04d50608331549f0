//! Events as they are kept: JSON lines, deflated, a chunk for each time that a recorder wrote.

use crate::{Ledger, LedgerError, error::Result};
use farm::{FarmEvent, Stamped};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

/// No chunk of ours is longer than this when it is read: what came from elsewhere must not fill the memory.
const LONGEST: u64 = 1 << 30;

/// Whether an event is kept. The others tell how far something is and are of no use once it is done.
pub(crate) fn is_kept(event: &FarmEvent) -> bool {
    !matches!(
        event,
        FarmEvent::JobProgress { .. }
            | FarmEvent::Building { .. }
            | FarmEvent::Flashing { .. }
            | FarmEvent::Waiting { .. }
    )
}

/// Events as a chunk.
pub(crate) fn pack(events: &[Stamped]) -> std::io::Result<Vec<u8>> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
    for event in events {
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
    }
    out.finish()
}

/// A chunk's events.
pub(crate) fn unpack(chunk: &[u8]) -> std::result::Result<Vec<Stamped>, String> {
    let lines = BufReader::new(ZlibDecoder::new(chunk).take(LONGEST)).split(b'\n');
    lines
        .map(|line| {
            let line = line.map_err(|error| error.to_string())?;
            serde_json::from_slice(&line).map_err(|error| error.to_string())
        })
        .collect()
}

/// Adds `chunk` at the end of a run's.
pub(crate) fn append(connection: &Connection, run: i64, chunk: &[u8]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO news (run, seq, events) VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM news WHERE run = ?1), ?2)",
    )?;
    insert.execute(params![run, chunk])?;
    Ok(())
}

/// Goes through a run's events, a chunk at a time.
#[derive(Debug)]
pub struct Events {
    ledger: Ledger,
    run: i64,
    seq: i64,
    ready: std::vec::IntoIter<Stamped>,
    over: bool,
}

impl Iterator for Events {
    type Item = Result<Stamped>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.next() {
                return Some(Ok(event));
            }
            if self.over {
                return None;
            }
            match self.chunk() {
                Ok(Some(events)) => self.ready = events.into_iter(),
                Ok(None) => self.over = true,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Events {
    fn chunk(&mut self) -> Result<Option<Vec<Stamped>>> {
        let found: Option<(i64, Vec<u8>)> = self.ledger.read(|connection| {
            connection
                .prepare_cached("SELECT seq, events FROM news WHERE run = ? AND seq > ? ORDER BY seq LIMIT 1")?
                .query_row(params![self.run, self.seq], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })?;
        let Some((seq, chunk)) = found else { return Ok(None) };
        self.seq = seq;
        let path = self.ledger.path().to_owned();
        let damaged = |error| LedgerError::Damaged { path, detail: format!("events of run {}: {error}", self.run) };
        unpack(&chunk).map(Some).map_err(damaged)
    }
}

impl Ledger {
    /// The events of `run` (its whole name), exactly as they were recorded, in their order.
    ///
    /// # Errors
    /// There is no such run, or its events were pruned; each event may be damaged.
    pub fn events(&self, run: &str) -> Result<Events> {
        let row = self.find_exact(run)?;
        if !row.1.has_events {
            return Err(LedgerError::NoEvents { run: run.to_owned() });
        }
        Ok(Events { ledger: self.clone(), run: row.0, seq: 0, ready: Vec::new().into_iter(), over: false })
    }
}
