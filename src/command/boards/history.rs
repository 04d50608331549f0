//! `tinyfarm boards history`: what happened on a board.

use super::{board, is_json, quarantine::health, say_json};
use crate::{cli::OneBoard, command::say};
use boards::{
    doctor::Bench,
    health::{Damaged, Record, State, Tally},
};
use jiff::tz::TimeZone;
use miette::IntoDiagnostic as _;
use serde::Serialize;

#[derive(Serialize)]
struct Told<'a> {
    board: &'a str,
    state: &'a State,
    counts: &'a Tally,
    events: &'a [Record],
    damaged: &'a [Damaged],
}

/// Prints a line for each event, oldest first, and what they add up to.
pub fn run(bench: &Bench, arguments: &OneBoard) -> miette::Result<u8> {
    let board = board(bench, &arguments.name)?;
    let health = health(bench, board)?;
    let history = health.history().into_diagnostic()?;
    let (state, counts) = (history.state(), history.tally());
    if is_json(arguments.format) {
        let (events, damaged) = (&history.records, &history.damaged);
        say_json(&Told { board: &board.name, state: &state, counts: &counts, events, damaged })?;
        return Ok(0);
    }
    for record in &history.records {
        let at = record.at.to_zoned(TimeZone::system()).strftime("%F %T");
        say(format_args!("{at}  {}  {}", record.user, record.event))?;
    }
    for damaged in &history.damaged {
        say(format_args!("{}:{} cannot be read: {}", health.path().display(), damaged.line, damaged.why))?;
    }
    say(format_args!("{}: {state}; {counts}", board.name))?;
    Ok(0)
}
