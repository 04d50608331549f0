//! `tinyfarm report`: a past run told again, by the same reporters and from the same events.

use crate::{cli::ReportArgs, config::Config};
use farm::EventSink;
use miette::IntoDiagnostic as _;
use reports::{ReportOptions, Screen, collect, reporters};
use std::io::IsTerminal as _;

/// Writes the reports of the run that is asked for. How the run ended is in them: the exit code is 0.
pub async fn run(config: &Config, arguments: ReportArgs, verbose: u8, screen: Screen) -> miette::Result<u8> {
    let ledger = super::ledger(config)?;
    let run = ledger.find(&arguments.run).into_diagnostic()?;
    let events = ledger.events(&run.name).into_diagnostic()?;
    let reporters = reporters(&ReportOptions {
        dir: arguments.report,
        format: arguments.format,
        is_terminal: std::io::stdout().is_terminal(),
        verbosity: verbose,
        screen,
    })
    .into_diagnostic()?;
    let (sink, receiver) = EventSink::channel();
    let reporting = tokio::spawn(collect(receiver, reporters));
    let reading = tokio::task::spawn_blocking(move || {
        events.into_iter().try_for_each(|event| event.map(|event| sink.replay(event)))
    });
    // The reporters come to their end first: what could be read is told.
    let read = reading.await.into_diagnostic()?;
    let outcome = reporting.await.into_diagnostic()?;
    read.into_diagnostic()?;
    for failure in outcome.failures.iter().filter(|failure| !failure.told) {
        eprintln!("{}", failure.error);
    }
    Ok(if outcome.failures.is_empty() { 0 } else { super::TROUBLE })
}
