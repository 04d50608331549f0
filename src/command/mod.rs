//! The subcommands: one file each.

pub mod baseline;
pub mod boards;
pub mod build;
pub mod check;
pub mod compare;
pub mod flaky;
pub mod history;
pub mod ledger;
pub mod models;
pub mod nightly;
pub mod report;
pub mod run;
pub mod sim_board;
pub mod steps;
pub mod targets;

use crate::{
    WRONG,
    cli::{Selection, Show},
    config::Config,
};
use ::ledger::Ledger;
use ::steps::{Plan, PlanErrors, PlanOptions};
use jiff::{Timestamp, tz::TimeZone};
use miette::IntoDiagnostic as _;
use reports::{
    Format, Table,
    refused::{self, Wrong},
};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

/// Nothing failed, and not everything can be called well.
const TROUBLE: u8 = 3;

/// Somebody stopped it.
const INTERRUPTED: u8 = 130;

/// Said where something is missing that a configuration would have named.
const NO_FILE: &str = "there is no tinyfarm.toml here or above, so that features and manifests are looked for in the \
                       folders `features` and `models` of this one";

/// What to plan, from the configuration and the command line, which has the last word.
fn plan_options(config: &Config, selection: &Selection, require_boards: bool) -> PlanOptions {
    PlanOptions {
        tags: selection.tags.clone(),
        name: selection.name.clone(),
        stages: selection.stages.clone(),
        targets: selection.target.clone(),
        require_boards,
        stand_in_host: config.container.stand_in_host,
        timeouts: (&config.timeouts).into(),
        retries: config.retries,
        quarantines: config.quarantines(),
        today: Timestamp::now().to_zoned(TimeZone::UTC).date(),
    }
}

/// Plans the selection. `Err` is the exit code: everything that is wrong has been told on standard error.
fn plan(
    config: &Config,
    selection: &Selection,
    require_boards: bool,
    targets: &[farm::TargetInfo],
) -> miette::Result<Result<Plan, u8>> {
    let library = crate::targets::library(config)?;
    let planned = plan_with(config, selection, require_boards, targets, &library);
    Ok(planned.map_err(|errors| {
        tell(&errors, config);
        WRONG
    }))
}

/// The same, with a library that is loaded; nothing is told.
fn plan_with(
    config: &Config,
    selection: &Selection,
    require_boards: bool,
    targets: &[farm::TargetInfo],
    library: &farm::Library,
) -> Result<Plan, PlanErrors> {
    let paths = if selection.paths.is_empty() { seen_from_here(&config.features) } else { selection.paths.clone() };
    let options = plan_options(config, selection, require_boards);
    Plan::new(&paths, &options, library, targets)
}

/// Tells what is wrong with the features of a run that is not begun for it, also where CI looks for its report. Returns the
/// exit code.
fn refuse(errors: &PlanErrors, config: &Config, report: Option<&Path>, format: Format) -> u8 {
    tell(errors, config);
    let here = std::env::current_dir().unwrap_or_default();
    let folder = crate::origin::origin(&here).folder;
    let wrong: Vec<Wrong> = (errors.0.iter())
        .map(|error| {
            let path = match error.path.as_str() {
                path if path.is_empty() || path.starts_with('/') => path.to_owned(),
                path => format!("{folder}{path}"),
            };
            Wrong { path, line: error.line, message: error.message.clone(), help: error.help.clone() }
        })
        .collect();
    if format == Format::GitHub {
        let _ = std::io::stdout().write_all(refused::annotations(&wrong).as_bytes());
    }
    if let Some(Err(error)) = report.map(|folder| refused::refused(folder, &wrong)) {
        eprintln!("{error}");
    }
    WRONG
}

/// Paths as one who stands here would write them, which is how the reports name features.
fn seen_from_here(paths: &[PathBuf]) -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let seen = |path: &PathBuf| match path.strip_prefix(&here) {
        Ok(rest) if rest != Path::new("") => rest.to_owned(),
        _ => path.clone(),
    };
    paths.iter().map(seen).collect()
}

/// Prints a line. That no one reads it any more (`| head`) is no error.
fn say(line: impl Display) -> miette::Result<()> {
    say_if_heard(line).map(|_| ())
}

/// The same for those who would go on for ever: whether somebody reads it.
fn say_if_heard(line: impl Display) -> miette::Result<bool> {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).into_diagnostic(),
    }
}

/// Prints a value for programs.
fn say_json(value: &impl Serialize) -> miette::Result<()> {
    say(serde_json::to_string(value).into_diagnostic()?)
}

/// Whether it is for programs.
fn is_json(show: Show) -> bool {
    show == Show::Json
}

/// A table, its head first.
fn lines(table: &Table) -> String {
    let (head, rows) = table.lines(|_, _, cell| cell.to_owned());
    std::iter::once(head).chain(rows).map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The ledger that the configuration names, which must be there.
fn ledger(config: &Config) -> miette::Result<Ledger> {
    Ledger::open_existing(&config.ledger.file).into_diagnostic()
}

fn tell(errors: &PlanErrors, config: &Config) {
    let colour = std::io::stderr().is_terminal() && reports::colour_wanted();
    eprint!("{}", errors.render(110, colour));
    let count = errors.0.len();
    eprintln!("\n{count} {} wrong; nothing was run.", if count == 1 { "thing is" } else { "things are" });
    if config.file.is_none() {
        eprintln!("note: {NO_FILE}");
    }
}
