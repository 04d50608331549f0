//! The `tinyfarm` program: reads the command line and the configuration, and hands over to one file of [`command`] for
//! each subcommand.

mod cli;
mod command;
mod config;

mod logging;
mod origin;
mod recorder;
mod simulator;
mod since;
mod targets;
mod webhook;

use clap::Parser as _;
use cli::{Cli, Command};
use config::Config;
use miette::IntoDiagnostic as _;
use std::process::ExitCode;

/// The features, the configuration or the command line are wrong; nothing was run. The other exit codes are
/// [`reports::ReportOutcome::exit_code`]'s.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = reports::Screen::default();
    logging::start(cli.verbose, cli.log_format, &screen);
    match act(cli, screen) {
        Ok(code) => ExitCode::from(code),
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::from(WRONG)
        }
    }
}

fn act(cli: Cli, screen: reports::Screen) -> miette::Result<u8> {
    let here = std::env::current_dir().into_diagnostic()?;
    let config = Config::find(cli.config.as_deref(), &here)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().into_diagnostic()?;
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(arguments) => command::run::run(config, arguments, cli.verbose, screen).await,
            Command::Check(arguments) => command::check::run(&config, &arguments),
            Command::Steps(arguments) => command::steps::run(&arguments),
            Command::Targets => command::targets::run(&config).await,
            Command::Models => command::models::run(&config),
            Command::Boards(what) => command::boards::run(&config, what).await,
            Command::SimBoard(arguments) => command::sim_board::run(&config, arguments).await,
            Command::Nightly(arguments) => command::nightly::run(config, arguments, cli.verbose, screen).await,
            Command::Report(arguments) => command::report::run(&config, arguments, cli.verbose, screen).await,
            Command::History(arguments) => command::history::run(&config, &arguments),
            Command::Compare(arguments) => command::compare::run(&config, &arguments),
            Command::Baseline(what) => command::baseline::run(&config, what),
            Command::Flaky(arguments) => command::flaky::run(&config, &arguments),
            Command::Ledger(what) => command::ledger::run(&config, what),
            Command::Build(arguments) => command::build::run(&config, &arguments).await,
        }
    });
    // What a job left behind in a blocking call must not hold up the exit.
    runtime.shutdown_background();
    code
}
