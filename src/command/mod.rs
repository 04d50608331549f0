//! The subcommands: one file each.

pub mod build;
pub mod check;
pub mod models;
pub mod run;
pub mod steps;
pub mod targets;

use crate::{WRONG, cli::Selection, config::Config};
use ::steps::{Plan, PlanErrors, PlanOptions};
use std::{io::IsTerminal as _, path::PathBuf};

/// What to plan, from the configuration and the command line, which has the last word.
fn plan_options(config: &Config, selection: &Selection) -> PlanOptions {
    PlanOptions {
        tags: selection.tags.clone(),
        name: selection.name.clone(),
        stages: selection.stages.clone(),
        targets: selection.target.clone(),
        stand_in_host: config.container.stand_in_host,
        timeouts: (&config.timeouts).into(),
        retries: config.retries,
    }
}

/// Plans the selection. `Err` is the exit code: everything that is wrong has been told on standard error.
fn plan(config: &Config, selection: &Selection, targets: &[farm::TargetInfo]) -> miette::Result<Result<Plan, u8>> {
    let library = crate::targets::library(config)?;
    let paths: &[PathBuf] = if selection.paths.is_empty() { &config.features } else { &selection.paths };
    Ok(Plan::new(paths, &plan_options(config, selection), &library, targets).map_err(|errors| {
        tell(&errors);
        WRONG
    }))
}

fn tell(errors: &PlanErrors) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", errors.render(110, colour));
    let count = errors.0.len();
    eprintln!("\n{count} {} wrong; nothing was run.", if count == 1 { "thing is" } else { "things are" });
}
