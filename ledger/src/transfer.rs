//! Export and import as JSON lines: a header, then for each run a line that names it, a line for each of its events, and a
//! line for each figure of it that was accepted. Rows are not exported: they are derived from the events once more.

use crate::{Acceptance, Ledger, LedgerError, RunFilter, baselines, error::Result, record};
use farm::{Digest, FarmEvent, Stamped, history::Series};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};

/// The first line.
const FORMAT: &str = "tinyfarm-ledger/1";

/// Events that are taken in at once.
const CHUNK: usize = 4096;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Line {
    /// The first.
    Header { format: String },
    /// The lines that follow are of this run.
    Run { name: String },
    /// An event of it.
    Event {
        #[serde(flatten)]
        event: Box<Stamped>,
    },
    /// A figure of it that was accepted.
    Accepted(Box<AcceptedLine>),
}

#[derive(Debug, Serialize, Deserialize)]
struct AcceptedLine {
    series: Series,
    metric: String,
    value: Option<f64>,
    outputs: Option<Digest>,
    run: String,
    commit: Option<String>,
    model: Digest,
    dataset: Digest,
    accepted: Timestamp,
    who: String,
    reason: String,
}

impl From<Acceptance> for AcceptedLine {
    fn from(it: Acceptance) -> Self {
        let Acceptance { series, metric, value, outputs, run, commit, model, dataset, at, who, reason } = it;
        Self { series, metric, value, outputs, run, commit, model, dataset, accepted: at, who, reason }
    }
}

impl From<AcceptedLine> for Acceptance {
    fn from(it: AcceptedLine) -> Self {
        let AcceptedLine { series, metric, value, outputs, run, commit, model, dataset, accepted, who, reason } = it;
        Self { series, metric, value, outputs, run, commit, model, dataset, at: accepted, who, reason }
    }
}

/// What an import brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Runs that were not there before, by name.
    pub runs: Vec<String>,
    /// Runs that were there already, and were left as they are.
    pub skipped: Vec<String>,
    /// Figures that were accepted of the new ones.
    pub acceptances: u64,
}

impl Ledger {
    /// Writes `runs` (whole names; `None`: all that came to an end or were cut short) to `out`, the oldest first; returns how
    /// many. One without events cannot be written, and is an error only where it was asked for by name.
    ///
    /// # Errors
    /// A run is not there or has no events; `out` cannot be written.
    pub fn export(&self, out: &mut dyn Write, runs: Option<&[String]>) -> Result<u64> {
        let chosen = match runs {
            Some(names) => names.to_vec(),
            None => {
                let mut all = self.runs(&RunFilter::default())?;
                all.reverse();
                all.into_iter().filter(|run| run.has_events).map(|run| run.name).collect()
            }
        };
        line(out, &Line::Header { format: FORMAT.to_owned() })?;
        for name in &chosen {
            let events = self.events(name)?;
            line(out, &Line::Run { name: name.clone() })?;
            for event in events {
                line(out, &Line::Event { event: Box::new(event?) })?;
            }
            for it in self.read(|connection| baselines::of_run(connection, name))? {
                line(out, &Line::Accepted(Box::new(it.into())))?;
            }
        }
        out.flush().map_err(LedgerError::Export)?;
        Ok(chosen.len() as u64)
    }

    /// Takes in what was exported, all or nothing. Runs that are there already are left as they are.
    ///
    /// # Errors
    /// A line is wrong, which is named; it cannot be written.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<Imported> {
        self.write(|connection| {
            let mut import =
                Import { ledger: self, connection, done: Imported::default(), run: Course::None, waiting: Vec::new() };
            let mut text = Vec::new();
            let mut number = 0;
            loop {
                text.clear();
                number += 1;
                let wrong = |detail: String| LedgerError::Import { line: number, detail };
                let length = input.read_until(b'\n', &mut text).map_err(|error| wrong(error.to_string()))?;
                if length == 0 {
                    break;
                }
                let whole = text.ends_with(b"\n");
                let line: Line = serde_json::from_slice(&text).map_err(|error| match whole {
                    true => wrong(error.to_string()),
                    false => wrong(format!("the file ends in the middle of it ({error})")),
                })?;
                match (number, &line) {
                    (1, Line::Header { format }) if format == FORMAT => {}
                    (1, _) => return Err(wrong(format!("it does not begin with the header of {FORMAT}"))),
                    _ => import.take(line).map_err(|trouble| match trouble {
                        Trouble::Line(detail) => wrong(detail),
                        Trouble::Ledger(error) => error,
                    })?,
                }
            }
            if number == 1 {
                return Err(LedgerError::Import { line: 1, detail: "there is nothing".to_owned() });
            }
            import.flush().map_err(self.failed("write"))?;
            Ok(import.done)
        })
    }
}

/// Where an import stands.
enum Course {
    /// No run has begun.
    None,
    /// A run that is there already.
    Skipped,
    /// A new run of this name, and its number once it has begun.
    New(String, Option<i64>),
}

struct Import<'a> {
    ledger: &'a Ledger,
    connection: &'a rusqlite::Connection,
    done: Imported,
    run: Course,
    waiting: Vec<Stamped>,
}

enum Trouble {
    Line(String),
    Ledger(LedgerError),
}

impl Import<'_> {
    fn take(&mut self, line: Line) -> std::result::Result<(), Trouble> {
        let failed = |error| Trouble::Ledger(LedgerError::sqlite(self.ledger.path(), "write", &error));
        match (line, &mut self.run) {
            (Line::Header { .. }, _) => return Err(Trouble::Line("a second header".to_owned())),
            (Line::Run { name }, _) => {
                self.flush().map_err(failed)?;
                let sql = "SELECT EXISTS (SELECT 1 FROM run WHERE name = ?)";
                let there: bool = self.connection.query_row(sql, [&name], |row| row.get(0)).map_err(failed)?;
                if there {
                    self.done.skipped.push(name);
                    self.run = Course::Skipped;
                } else {
                    self.done.runs.push(name.clone());
                    self.run = Course::New(name, None);
                }
            }
            (Line::Event { .. } | Line::Accepted(_), Course::None) => {
                return Err(Trouble::Line("it belongs to no run".to_owned()));
            }
            (_, Course::Skipped) => {}
            (Line::Event { event }, Course::New(name, begun)) => {
                let first = begun.is_none() && self.waiting.is_empty();
                match &event.event {
                    FarmEvent::RunStarted { run, .. } if first && run == name => {}
                    FarmEvent::RunStarted { .. } => {
                        return Err(Trouble::Line("a run begins that was not named, or begins twice".to_owned()));
                    }
                    _ if first => return Err(Trouble::Line(format!("run {name} does not begin with `run-started`"))),
                    _ => {}
                }
                self.waiting.push(*event);
                if self.waiting.len() == CHUNK {
                    self.flush().map_err(failed)?;
                }
            }
            (Line::Accepted(accepted), Course::New(..)) => {
                self.flush().map_err(failed)?;
                baselines::insert(self.connection, &(*accepted).into()).map_err(failed)?;
                self.done.acceptances += 1;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> rusqlite::Result<()> {
        let events = std::mem::take(&mut self.waiting);
        if let (Course::New(_, number), false) = (&mut self.run, events.is_empty()) {
            *number = record::write(self.connection, *number, &events)?;
        }
        Ok(())
    }
}

fn line(out: &mut dyn Write, line: &Line) -> Result<()> {
    let written = serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from);
    written.and_then(|()| out.write_all(b"\n")).map_err(LedgerError::Export)
}
