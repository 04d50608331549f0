//! `tinyfarm run`: plan, run, judge, report.

use crate::{cli::RunArgs, config::Config, targets};
use ::steps::{RunOptions, run as run_plan};
use farm::{EventSink, Scheduler, scheduler::SchedulerOptions};
use miette::IntoDiagnostic as _;
use reports::{ReportOptions, Screen, collect, reporters};
use std::{io::IsTerminal as _, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Runs what the command line selects. The exit code is that of the run, by its verdicts.
pub async fn run(mut config: Config, arguments: RunArgs, verbose: u8, screen: Screen) -> miette::Result<u8> {
    config.retries = arguments.retries.unwrap_or(config.retries);
    config.timeouts.infer = arguments.timeout.unwrap_or(config.timeouts.infer);
    config.jobs = arguments.jobs.unwrap_or(config.jobs);
    config.container.stand_in_host |= arguments.stand_in_host;

    let name = run_name();
    let targets = targets::gather(&config, &name, |_| {})?;
    let plan = match super::plan(&config, &arguments.selection, &targets::infos(&targets))? {
        Ok(plan) => plan,
        Err(code) => return Ok(code),
    };
    let reporters = reporters(&ReportOptions {
        dir: arguments.report,
        format: arguments.format,
        is_terminal: std::io::stdout().is_terminal(),
        verbosity: verbose,
        screen,
    })
    .into_diagnostic()?;

    let cancel = CancellationToken::new();
    tokio::spawn(interrupts(cancel.clone()));
    let (sink, events) = EventSink::channel();
    let reporting = tokio::spawn(collect(events, reporters));
    let options = SchedulerOptions { jobs: config.jobs(), ..SchedulerOptions::default() };
    let scheduler = Arc::new(Scheduler::new(targets, options, sink.clone(), cancel.clone()));
    let options = RunOptions {
        run: name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().collect(),
        ..RunOptions::default()
    };
    run_plan(plan, scheduler.clone(), sink, options, cancel).await;
    scheduler.shutdown().await;
    let outcome = reporting.await.into_diagnostic()?;
    for failure in outcome.failures.iter().filter(|failure| !failure.told) {
        eprintln!("{}", failure.error);
    }
    Ok(outcome.exit_code())
}

/// The first Ctrl-C (or SIGTERM) ends the run cleanly, with its reports; a second one ends the program at once.
async fn interrupts(cancel: CancellationToken) {
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        return;
    };
    for first in [true, false] {
        tokio::select! {
            caught = tokio::signal::ctrl_c() => if caught.is_err() { return },
            _ = terminate.recv() => {}
        }
        if first {
            eprintln!("interrupted: giving the targets back; once more to stop at once");
            cancel.cancel();
        } else {
            std::process::exit(130);
        }
    }
}

/// Names a run so that no two are alike: its start, and its process.
fn run_name() -> String {
    format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), std::process::id())
}
