//! `tinyfarm boards watch`: what is plugged in and unplugged, until Ctrl-C.

use super::is_json;
use crate::{cli::Show, command::say_if_heard};
use boards::{
    bus::{self, Attached, Change},
    doctor::Bench,
};
use futures::StreamExt as _;
use jiff::{Timestamp, tz::TimeZone};
use miette::IntoDiagnostic as _;
use serde::Serialize;
use std::{collections::HashMap, pin::pin};

#[derive(Serialize)]
struct Told<'a> {
    at: Timestamp,
    event: &'static str,
    /// The board that it is, if it is one.
    board: Option<&'a str>,
    attached: &'a Attached,
}

/// Prints a line for what is there, and then for each change.
pub async fn run(bench: &Bench, show: Show) -> miette::Result<u8> {
    let mut changes = pin!(bus::watch(&bench.folder));
    // What is unplugged can no longer be asked which board it was.
    let mut known: HashMap<String, String> = HashMap::new();
    loop {
        let change = tokio::select! {
            Some(change) = changes.next() => change,
            Ok(()) = tokio::signal::ctrl_c() => return Ok(0),
        };
        let (word, attached, board) = match &change {
            Change::Plugged(attached) => {
                let board = bench.board_of(attached).map(|board| board.name.clone());
                known.extend(board.clone().map(|board| (attached.selector.clone(), board)));
                ("plugged", attached, board)
            }
            Change::Unplugged(attached) => ("unplugged", attached, known.remove(&attached.selector)),
        };
        let (at, board) = (Timestamp::now(), board.as_deref());
        let line = if is_json(show) {
            serde_json::to_string(&Told { at, event: word, board, attached }).into_diagnostic()?
        } else {
            let board = board.map_or("in no definition".to_owned(), |board| format!("board {board}"));
            let at = at.to_zoned(TimeZone::system()).strftime("%T");
            format!("{at}  {word:9}  {attached}  ({board})")
        };
        if !say_if_heard(line)? {
            return Ok(0);
        }
    }
}
