//! Events as they are kept: JSON lines, deflated, a chunk for each time that a recorder wrote.

use crate::{Ledger, LedgerError, error::Result};
use farm::{FarmEvent, Stamped};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

/// A chunk that is longer is ended, bytes before it is deflated: one at a time is read into memory.
const LONG: usize = 16 << 20;

/// No chunk of ours is longer than this: an event has no more. What came from elsewhere must not fill the memory.
pub(crate) const LONGEST: u64 = 1 << 30;

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

/// Events as chunks: as few as may be, so that they are deflated together.
pub(crate) fn pack(events: &[Stamped]) -> std::io::Result<Vec<Vec<u8>>> {
    let (mut chunks, mut line, mut length) = (Vec::new(), Vec::new(), 0);
    let fresh = || ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut out = fresh();
    for event in events {
        line.clear();
        serde_json::to_writer(&mut line, event)?;
        line.push(b'\n');
        if line.len() as u64 > LONGEST {
            return Err(std::io::Error::other("an event of more than a gibibyte"));
        }
        if length > 0 && length + line.len() > LONG {
            chunks.push(std::mem::replace(&mut out, fresh()).finish()?);
            length = 0;
        }
        out.write_all(&line)?;
        length += line.len();
    }
    if length > 0 {
        chunks.push(out.finish()?);
    }
    Ok(chunks)
}

/// A chunk's events.
pub(crate) fn unpack(chunk: &[u8]) -> std::result::Result<Vec<Stamped>, String> {
    let mut lines = BufReader::new(ZlibDecoder::new(chunk).take(LONGEST + 1));
    let (mut events, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
            break;
        }
        events.push(serde_json::from_slice(&line).map_err(|error| wrong_line(&error))?);
    }
    match lines.get_ref().limit() {
        0 => Err("more than a gibibyte at once".to_owned()),
        _ => Ok(events),
    }
}

/// What is wrong with a line, and what helps where a later version may have written it.
pub(crate) fn wrong_line(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.contains("unknown variant") {
        true => format!("{said}; a newer tinyfarm may know it"),
        false => said,
    }
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
    name: String,
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
        let damaged = |error| LedgerError::Damaged { path, detail: format!("events of run {}: {error}", self.name) };
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
        Ok(Events {
            ledger: self.clone(),
            name: run.to_owned(),
            run: row.0,
            seq: 0,
            ready: Vec::new().into_iter(),
            over: false,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use farm::{TargetId, job::JobId};
    use jiff::Timestamp;

    #[test]
    fn large_events_are_spread_over_chunks_and_come_back_in_their_order() {
        let event = |job: u64| Stamped {
            at: Timestamp::UNIX_EPOCH,
            event: FarmEvent::Waiting { job: JobId(job), target: TargetId::from("a"), why: "x".repeat(LONG / 3) },
        };
        let events: Vec<Stamped> = (0..7).map(event).collect();
        let chunks = pack(&events).unwrap();
        assert_eq!(chunks.len(), 4);
        let back: Vec<Stamped> = chunks.iter().flat_map(|chunk| unpack(chunk).unwrap()).collect();
        assert_eq!(back, events);
        assert!(pack(&[]).unwrap().is_empty());
    }
}
