//! Export and import as JSON lines: a header, then for each run a line that names it and a line for each of its events, and
//! at last a line for each figure that was accepted. Rows are not exported: they are derived from the events once more.

use crate::{
    Acceptance, Ledger, LedgerError, RunFilter, RunState, baselines,
    error::Result,
    news::{self, LONGEST},
    record,
};
use farm::{Digest, FarmEvent, Stamped, history::Series};
use jiff::{SignedDuration, Timestamp};
use rusqlite::ErrorCode;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read as _, Write};

/// The first line.
const FORMAT: &str = "tinyfarm-ledger/1";

/// How that of each version begins.
const FORMAT_OF_ANY_VERSION: &str = "tinyfarm-ledger/";

/// How far another machine's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Events that are taken in at once.
const CHUNK: usize = 4096;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Line {
    /// The first.
    Header { format: String },
    /// The events that follow are of this run.
    Run { name: String },
    /// An event of it.
    Event {
        #[serde(flatten)]
        event: Box<Stamped>,
    },
    /// A figure that was accepted.
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

/// What was exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Runs.
    pub runs: u64,
    /// Runs that could not be: their names, and why.
    pub left_out: Vec<(String, String)>,
}

/// What an import brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Runs that were not there before, by name.
    pub runs: Vec<String>,
    /// Runs that were there already, and were left as they are.
    pub skipped: Vec<String>,
    /// Accepted figures that were not there before.
    pub acceptances: u64,
}

impl Ledger {
    /// Writes `runs` (whole names; `None`: all that came to an end or were cut short, and all that was ever accepted) to
    /// `out`, the oldest first. One whose events are gone or damaged is left out, and an error only where it was asked for
    /// by name.
    ///
    /// # Errors
    /// A run is not there, or has no sound events; `out` cannot be written.
    pub fn export(&self, out: &mut dyn Write, runs: Option<&[String]>) -> Result<Exported> {
        let mut done = Exported::default();
        let chosen = match runs {
            Some(names) => names.to_vec(),
            None => {
                let mut all = self.runs(&RunFilter::default())?;
                all.reverse();
                all.into_iter().filter(|run| run.state != RunState::Running).map(|run| run.name).collect()
            }
        };
        line(out, &Line::Header { format: FORMAT.to_owned() })?;
        for name in &chosen {
            // All of it first: half a run must not be in the export.
            let sound = self.events(name).and_then(|mut events| events.try_for_each(|event| event.map(drop)));
            match sound {
                Ok(()) => {}
                Err(error) if runs.is_some() => return Err(error),
                Err(error) => {
                    done.left_out.push((name.clone(), error.to_string()));
                    continue;
                }
            }
            line(out, &Line::Run { name: name.clone() })?;
            for event in self.events(name)? {
                line(out, &Line::Event { event: Box::new(event?) })?;
            }
            done.runs += 1;
        }
        for it in self.read(|connection| baselines::of_runs(connection, runs))? {
            line(out, &Line::Accepted(Box::new(it.into())))?;
        }
        out.flush().map_err(LedgerError::Export)?;
        Ok(done)
    }

    /// Takes in what was exported, all or nothing. Runs, and accepted figures, that are there already are left as they are.
    ///
    /// # Errors
    /// A line is wrong, which is named; it cannot be written.
    pub fn import(&self, input: &mut dyn BufRead) -> Result<Imported> {
        let mut lines = Lines { input, number: 0, text: Vec::new() };
        // Before others are kept from writing: whoever sends it may take his time.
        match lines.next()? {
            Some(Line::Header { format }) if format == FORMAT => {}
            Some(Line::Header { format }) if format.starts_with(FORMAT_OF_ANY_VERSION) => {
                return Err(lines.wrong(format!("it is of the later format {format}; use a newer tinyfarm")));
            }
            Some(_) => return Err(lines.wrong(format!("it does not begin with the header of {FORMAT}"))),
            None => return Err(lines.wrong("there is nothing".to_owned())),
        }
        self.write(|connection| {
            let mut import =
                Import { ledger: self, connection, done: Imported::default(), run: Course::None, waiting: Vec::new() };
            let told = |trouble, lines: &Lines<'_>| match trouble {
                Trouble::Line(detail) => lines.wrong(detail),
                Trouble::Ledger(error) => error,
            };
            while let Some(line) = lines.next()? {
                import.take(line).map_err(|trouble| told(trouble, &lines))?;
            }
            import.end_of_run().map_err(|trouble| told(trouble, &lines))?;
            Ok(import.done)
        })
    }
}

/// Lines as they come in.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: usize,
    text: Vec<u8>,
}

impl Lines<'_> {
    fn wrong(&self, detail: String) -> LedgerError {
        LedgerError::Import { line: self.number.max(1), detail }
    }

    /// The next that is not blank.
    fn next(&mut self) -> Result<Option<Line>> {
        loop {
            self.text.clear();
            let read = (&mut *self.input).take(LONGEST).read_until(b'\n', &mut self.text);
            if read.map_err(|error| self.wrong(error.to_string()))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let whole = self.text.ends_with(b"\n");
            let text = self.text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.text).trim_ascii();
            if text.is_empty() && whole {
                continue;
            }
            if !whole && self.text.len() as u64 == LONGEST {
                return Err(self.wrong("it is longer than a gibibyte".to_owned()));
            }
            return serde_json::from_slice(text).map(Some).map_err(|error| {
                let said = news::wrong_line(&error);
                // serde counts lines from where it began.
                let said = said.replace("at line 1 column", "at column");
                self.wrong(if whole { said } else { format!("the file ends in the middle of it ({said})") })
            });
        }
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
        match (line, &mut self.run) {
            (Line::Header { .. }, _) => return Err(Trouble::Line("a second header".to_owned())),
            (Line::Run { name }, _) => {
                self.end_of_run()?;
                check_name(&name).map_err(Trouble::Line)?;
                let sql = "SELECT EXISTS (SELECT 1 FROM run WHERE name = ?)";
                let there: bool =
                    self.connection.query_row(sql, [&name], |row| row.get(0)).map_err(|error| self.failed(&error))?;
                if there {
                    self.done.skipped.push(name);
                    self.run = Course::Skipped;
                } else {
                    self.run = Course::New(name, None);
                }
            }
            (Line::Event { .. }, Course::None) => return Err(Trouble::Line("it belongs to no run".to_owned())),
            (Line::Event { .. }, Course::Skipped) => {}
            (Line::Event { event }, Course::New(name, begun)) => {
                let first = begun.is_none() && self.waiting.is_empty();
                match &event.event {
                    // It would be the latest for as long.
                    FarmEvent::RunStarted { .. } if first && event.at > Timestamp::now() + AHEAD => {
                        return Err(Trouble::Line(format!("run {name} begins in the future, {}", event.at)));
                    }
                    FarmEvent::RunStarted { run, .. } if first && run == name => {}
                    FarmEvent::RunStarted { .. } => {
                        return Err(Trouble::Line("a run begins that was not named, or begins twice".to_owned()));
                    }
                    _ if first => return Err(Trouble::Line(format!("run {name} does not begin with `run-started`"))),
                    _ => {}
                }
                self.waiting.push(*event);
                if self.waiting.len() == CHUNK {
                    self.flush()?;
                }
            }
            (Line::Accepted(accepted), _) => {
                self.end_of_run()?;
                let accepted = (*accepted).into();
                if !baselines::is_there(self.connection, &accepted).map_err(|error| self.failed(&error))? {
                    baselines::insert(self.connection, &accepted).map_err(|error| self.failed(&error))?;
                    self.done.acceptances += 1;
                }
            }
        }
        Ok(())
    }

    /// Nothing more comes of the run that was named last.
    fn end_of_run(&mut self) -> std::result::Result<(), Trouble> {
        self.flush()?;
        match std::mem::replace(&mut self.run, Course::None) {
            Course::New(name, None) => Err(Trouble::Line(format!("run {name}, which ends before it, has no events"))),
            Course::New(name, Some(_)) => {
                self.done.runs.push(name);
                Ok(())
            }
            Course::None | Course::Skipped => Ok(()),
        }
    }

    fn flush(&mut self) -> std::result::Result<(), Trouble> {
        let events = std::mem::take(&mut self.waiting);
        if let (Course::New(name, number), false) = (&mut self.run, events.is_empty()) {
            let written = record::write(self.connection, *number, &events);
            *number = written.map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::ConstraintViolation) => {
                    Trouble::Line(format!("an event of run {name}, here or before, contradicts another: {error}"))
                }
                _ => Trouble::Ledger(LedgerError::sqlite(self.ledger.path(), "write", &error)),
            })?;
        }
        Ok(())
    }

    fn failed(&self, error: &rusqlite::Error) -> Trouble {
        Trouble::Ledger(LedgerError::sqlite(self.ledger.path(), "write", error))
    }
}

/// Whether a run can be selected by this name.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let taken = ["latest", "baseline"].iter().any(|word| name.starts_with(word));
    match name.bytes().all(plain) && (1..=200).contains(&name.len()) && !taken {
        true => Ok(()),
        false => Err("it gives a run a name by which it cannot be selected".to_owned()),
    }
}

fn line(out: &mut dyn Write, line: &Line) -> Result<()> {
    let written = serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from);
    written.and_then(|()| out.write_all(b"\n")).map_err(LedgerError::Export)
}
