//! `tinyfarm boards health`: hello_world on boards, its answers checked, the outcome remembered.

use super::{NOT_WELL, is_json, say_json, say_no_boards, some};
use crate::{
    cli::SomeBoards,
    command::{INTERRUPTED, say},
    config::Config,
    targets,
};
use boards::{board::Board, doctor::Bench, health::State};
use farm::{Target as _, TargetError};
use serde::Serialize;
use std::fmt;
use tokio::task::JoinSet;

/// How a check went.
#[derive(Serialize)]
pub struct Told<'a> {
    board: &'a str,
    /// `passed`, `failed`, or `blocked` where it could not be made.
    check: &'static str,
    reason: Option<String>,
    /// How the board is now; none where it has no past.
    health: Option<State>,
}

/// Checks boards, and prints a line for each.
pub async fn run(config: &Config, bench: &Bench, arguments: &SomeBoards) -> miette::Result<u8> {
    let json = is_json(arguments.format);
    if some(bench, &arguments.names)?.is_empty() && !json {
        say_no_boards(config)?;
    }
    let tell = |told: &Told<'_>| if json { say_json(told) } else { say(told) };
    check_all(config, bench, &arguments.names, tell).await
}

/// Checks the boards of these names, or all, at the same time, waiting for those that another process has.
pub async fn check_all(
    config: &Config,
    bench: &Bench,
    names: &[String],
    tell: impl Fn(&Told<'_>) -> miette::Result<()>,
) -> miette::Result<u8> {
    let wanted: Vec<&str> = some(bench, names)?.iter().map(|board| board.name.as_str()).collect();
    let mut checks = JoinSet::new();
    for board in targets::boards(config)?.into_iter().filter(|board| wanted.contains(&&*board.definition().name)) {
        checks.spawn(async move {
            let checked = check(&board).await;
            board.shutdown().await;
            (board, checked)
        });
    }
    let mut code = 0;
    loop {
        let ended = tokio::select! {
            ended = checks.join_next() => ended,
            Ok(()) = tokio::signal::ctrl_c() => {
                // Dropped, each gives its board back.
                checks.shutdown().await;
                return Ok(INTERRUPTED);
            }
        };
        let Some(ended) = ended else { return Ok(code) };
        let (board, checked) = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        if checked.is_err() {
            code = NOT_WELL;
        }
        let definition = board.definition();
        let past = bench.look_at(definition).health.and_then(Result::ok);
        tell(&Told::of(&definition.name, checked, past.map(|past| past.state)))?;
    }
}

/// One check, with the board held.
async fn check(board: &Board) -> Result<(), TargetError> {
    // Before the board is taken: a compiler may take its time.
    board.prepare().await?;
    if let Some(holder) = board.held_by().await {
        tracing::warn!("{}: waiting, it is held by {holder}", board.info().id);
    }
    let _held = board.hold().await?;
    board.check_now().await
}

impl<'a> Told<'a> {
    fn of(board: &'a str, checked: Result<(), TargetError>, health: Option<State>) -> Self {
        let (check, reason) = match checked {
            Ok(()) => ("passed", None),
            Err(TargetError::Blocked(reason)) => ("blocked", Some(reason)),
            Err(error) => ("failed", Some(error.to_string())),
        };
        Self { board, check, reason, health }
    }
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { board, check, reason, health } = self;
        let now = health.as_ref().map(|state| format!("; {}", state.word())).unwrap_or_default();
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        write!(f, "{board}: health check {check}{now}{reason}")
    }
}
