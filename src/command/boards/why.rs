//! `tinyfarm boards why-waiting`: why a run would have to wait for a board, or cannot have it at all.

use super::{is_json, say_json, some};
use crate::{cli::SomeBoards, command::say};
use boards::doctor::{Bench, Obstacle};
use serde::Serialize;

#[derive(Serialize)]
struct Told<'a> {
    board: &'a str,
    obstacles: &'a [Obstacle],
}

/// Prints what is in the way of each board.
pub fn run(bench: &Bench, arguments: &SomeBoards) -> miette::Result<u8> {
    for board in some(bench, &arguments.names)? {
        let obstacles = bench.look_at(board).obstacles(&bench.policy, jiff::Timestamp::now());
        if is_json(arguments.format) {
            say_json(&Told { board: &board.name, obstacles: &obstacles })?;
        } else if obstacles.is_empty() {
            say(format_args!("{}: free", board.name))?;
        } else {
            for obstacle in &obstacles {
                say(format_args!("{}: {obstacle}", board.name))?;
            }
        }
    }
    Ok(0)
}
