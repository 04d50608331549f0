//! `tinyfarm boards`: what is there, who has it, what is wrong with it.
//!
//! | file | what lives there |
//! |---|---|
//! | `list` | every board, and what is attached besides |
//! | `watch` | what is plugged in and unplugged |
//! | `doctor` | what keeps boards from working, and the mend |
//! | `health` | hello_world on boards |
//! | `quarantine` | taking a board out of use, and giving it back |
//! | `why` | why a run would have to wait |
//! | `history` | what happened on a board |

mod doctor;
mod health;
mod history;
mod list;
mod quarantine;
mod watch;
mod why;

use super::{is_json, say_json};
use crate::{cli::BoardsCommand, config::Config};
use boards::{
    definition::{Definition, Definitions},
    doctor::Bench,
};
use farm::suggest;
use miette::IntoDiagnostic as _;

/// Something is wrong with a board or its bench, or it was not well.
const NOT_WELL: u8 = 3;

/// Does what is asked of the boards.
pub async fn run(config: &Config, what: BoardsCommand) -> miette::Result<u8> {
    let bench = bench(config)?;
    match what {
        BoardsCommand::List(arguments) => list::run(config, &bench, arguments.format),
        BoardsCommand::Watch(arguments) => watch::run(&bench, arguments.format).await,
        BoardsCommand::Doctor(arguments) => doctor::run(config, &bench, &arguments).await,
        BoardsCommand::Health(arguments) => health::run(config, &bench, &arguments).await,
        BoardsCommand::Quarantine(arguments) => quarantine::quarantine(&bench, &arguments),
        BoardsCommand::Release { name } => quarantine::release(&bench, &name),
        BoardsCommand::WhyWaiting(arguments) => why::run(&bench, &arguments),
        BoardsCommand::History(arguments) => history::run(&bench, &arguments),
    }
}

/// Checks the boards of these names, and tells `tell` a line for each. The exit code is as of `tinyfarm boards health`.
pub async fn check(config: &Config, names: &[String], tell: impl Fn(&str) -> miette::Result<()>) -> miette::Result<u8> {
    health::check_all(config, &bench(config)?, names, |told| tell(&told.to_string())).await
}

fn bench(config: &Config) -> miette::Result<Bench> {
    Ok(Bench {
        definitions: Definitions::load(&config.boards.folders).into_diagnostic()?,
        folder: config.bench(),
        leases: config.leases(),
        state: config.state(),
        policy: config.policy(),
    })
}

/// The board of this name.
fn board<'a>(bench: &'a Bench, name: &str) -> miette::Result<&'a Definition> {
    let boards = &bench.definitions.boards;
    if let Some(found) = boards.iter().find(|board| board.name == name) {
        return Ok(found);
    }
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    if bench.definitions.kinds.iter().any(|kind| kind.name == name) {
        let help = format!("name it in a file of your own: kind = \"{name}\" and probe = \"…\"");
        miette::bail!(help = help, "`{name}` is a kind of board and not a board: it names no probe");
    }
    miette::bail!(help = suggest::mend(name, names.iter().copied()), "there is no board `{name}`");
}

/// The boards of these names, or all.
fn some<'a>(bench: &'a Bench, names: &[String]) -> miette::Result<Vec<&'a Definition>> {
    if names.is_empty() {
        return Ok(bench.definitions.boards.iter().collect());
    }
    names.iter().map(|name| board(bench, name)).collect()
}

/// Said where there is nothing to tell of.
fn say_no_boards(config: &Config) -> miette::Result<()> {
    let folders: Vec<String> = config.boards.folders.iter().map(|folder| folder.display().to_string()).collect();
    let place = if folders.is_empty() { "a folder `boards`".to_owned() } else { folders.join(", ") };
    super::say(format_args!("no boards are defined: write a file like boards/nucleo-1.toml into {place}"))
}
