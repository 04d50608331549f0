//! `tinyfarm run`: plan, run, judge, report.

use crate::{cli::RunArgs, config::Config, targets};
use ::steps::{RunOptions, run as run_plan};
use farm::{EventSink, Scheduler, scheduler::SchedulerOptions};
use miette::IntoDiagnostic as _;
use reports::{ReportOptions, Screen, collect, reporters};
use std::{
    fmt::Display,
    io::{IsTerminal as _, Write as _},
    sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs what the command line selects. The exit code is that of the run, by its verdicts.
pub async fn run(mut config: Config, arguments: RunArgs, verbose: u8, screen: Screen) -> miette::Result<u8> {
    config.retries = arguments.retries.unwrap_or(config.retries);
    config.timeouts.infer = arguments.timeout.unwrap_or(config.timeouts.infer);
    config.jobs = arguments.jobs.unwrap_or(config.jobs);
    config.container.stand_in_host |= arguments.stand_in_host;

    let name = run_name();
    let (sink, events) = EventSink::channel();
    let news = sink.clone();
    let targets = targets::gather(&config, &name, move |event| news.send(event))?;
    let infos = targets::infos(&targets);
    let plan = match super::plan(&config, &arguments.selection, arguments.require_boards, &infos)? {
        Ok(plan) => plan,
        Err(code) => return Ok(code),
    };
    for remark in plan.remarks() {
        // Reports tell of the scenarios that run; this is of those that do not.
        tracing::warn!("{remark}");
    }
    let reporters = reporters(&ReportOptions {
        dir: arguments.report,
        format: arguments.format,
        is_terminal: std::io::stdout().is_terminal(),
        verbosity: verbose,
        screen: screen.clone(),
    })
    .into_diagnostic()?;

    let cancel = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        tokio::spawn(interrupts(kind, cancel.clone(), screen.clone()));
    }
    let reporting = tokio::spawn(collect(events, reporters));
    let wait_timeout = config.timeouts.wait.0;
    let options = SchedulerOptions { jobs: config.jobs(), wait_timeout, ..SchedulerOptions::default() };
    let scheduler = Arc::new(Scheduler::new(targets, options, sink.clone(), cancel.clone()));
    let options = RunOptions {
        run: name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // Arguments are any bytes.
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        ..RunOptions::default()
    };
    run_plan(plan, scheduler, sink, options, cancel).await;
    let outcome = reporting.await.into_diagnostic()?;
    for failure in outcome.failures.iter().filter(|failure| !failure.told) {
        tell(&screen, &failure.error);
    }
    Ok(outcome.exit_code())
}

/// The first Ctrl-C (or SIGTERM, or a terminal that is closed) ends the run cleanly, with its reports; a second one ends
/// the program at once.
async fn interrupts(kind: SignalKind, cancel: CancellationToken, screen: Screen) {
    // Whoever starts this under `nohup`, or in the background of a script, wants it left alone.
    if is_ignored(kind) {
        return;
    }
    let Ok(mut signals) = signal(kind) else { return };
    while signals.recv().await.is_some() {
        if !cancel.is_cancelled() {
            tell(&screen, "interrupted: giving the targets back; once more to stop at once");
            cancel.cancel();
        } else if kind != SignalKind::hangup() {
            // A terminal that is closed may say so twice: by its shell, and by itself.
            std::process::exit(130);
        }
    }
}

/// Whether this process was started with the signal ignored.
pub(super) fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let mask = mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

/// A line on standard error, above the progress bars; with no one there to read it, nothing.
fn tell(screen: &Screen, line: impl Display) {
    let _ = screen.clone().write_all(format!("{line}\n").as_bytes());
}

/// Names a run so that no two are alike: its start, and its process.
fn run_name() -> String {
    format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), std::process::id())
}
