//! `tinyfarm boards quarantine` and `release`: taking a board out of use, and giving it back.

use super::board;
use crate::{cli::QuarantineArgs, command::say};
use boards::{
    definition::Definition,
    doctor::Bench,
    health::{Event, Health, State},
};
use miette::IntoDiagnostic as _;

/// Takes a board out of use. What runs on it goes on; nothing new begins.
pub fn quarantine(bench: &Bench, arguments: &QuarantineArgs) -> miette::Result<u8> {
    let board = board(bench, &arguments.name)?;
    let state = health(bench, board)?.record(Event::Quarantined { reason: arguments.reason.clone() });
    say(format_args!("{}: {}", board.name, state.into_diagnostic()?))?;
    if let Some(holder) = bench.look_at(board).held_by {
        say(format_args!("held by {holder}, which ends its attempt before the board is out of use"))?;
    }
    Ok(0)
}

/// Gives a board back, whoever took it out of use.
pub fn release(bench: &Bench, name: &str) -> miette::Result<u8> {
    let board = board(bench, name)?;
    let health = health(bench, board)?;
    let before = health.state().into_diagnostic()?;
    if before == State::Healthy {
        say(format_args!("{name}: healthy, there is nothing to release it from"))?;
        return Ok(0);
    }
    health.record(Event::Released).into_diagnostic()?;
    say(format_args!("{name}: released; it was {before}"))?;
    Ok(0)
}

/// The health of a board that outlives a run.
pub fn health(bench: &Bench, board: &Definition) -> miette::Result<Health> {
    match bench.health(board) {
        Some(health) => health.into_diagnostic(),
        None => miette::bail!(
            help = "to have one that stays, start it with `tinyfarm sim-board` and name it as `probe`",
            "`{}` is a simulated board that is started anew for each run: it has no history",
            board.name
        ),
    }
}
