//! A history as text: one JSON object a line. What a power cut or a full disk left behind is passed over, and told.

use super::{Event, Record, State, Tally, derive};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A history that is longer than this, in lines, is shortened.
const MOST: usize = 1000;
/// To this many, and a summary of what was before.
const KEPT: usize = 500;

/// What happened on one board, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// What happened.
    pub records: Vec<Record>,
    /// Lines that could not be read.
    pub damaged: Vec<Damaged>,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// Its number, from 1.
    pub line: usize,
    /// What is left of it.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl History {
    /// Reads a history. Lines that make no sense, torn by a power cut or filled with zeros, are kept in `damaged`.
    pub fn read(bytes: &[u8]) -> Self {
        let mut history = Self::default();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(record) => history.records.push(record),
                Err(error) => {
                    let text: String = String::from_utf8_lossy(line).chars().take(200).collect();
                    let why = error.to_string();
                    history.damaged.push(Damaged { line: index + 1, text: text.replace('\0', "␀"), why });
                }
            }
        }
        history
    }

    /// The state it leads to.
    pub fn state(&self) -> State {
        derive(&self.records)
    }

    /// How often what happened.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally { damaged: self.damaged.len() as u64, ..Tally::default() };
        self.records.iter().for_each(|record| tally.count(&record.event));
        tally
    }

    /// Whether it should be shortened.
    pub(super) fn is_long(&self) -> bool {
        self.records.len() + self.damaged.len() > MOST
    }

    /// The same state and the same counts in fewer lines.
    #[must_use]
    pub(super) fn shortened(self, now: Timestamp, user: &str) -> Self {
        let old = self.records.len().saturating_sub(KEPT);
        let (old, kept) = self.records.split_at(old);
        let before = Self { records: old.to_vec(), damaged: self.damaged };
        let summary = Event::Summary { tally: before.tally(), state: before.state() };
        let at = old.last().map_or(now, |record| record.at);
        let mut records = vec![Record { at, user: user.to_owned(), event: summary }];
        records.extend_from_slice(kept);
        Self { records, damaged: Vec::new() }
    }

    /// As it is written to a file.
    pub(super) fn write(&self) -> serde_json::Result<String> {
        self.records.iter().try_fold(String::new(), |text, record| Ok(text + &line(record)?))
    }
}

/// A record as a line.
pub(super) fn line(record: &Record) -> serde_json::Result<String> {
    Ok(serde_json::to_string(record)? + "\n")
}
