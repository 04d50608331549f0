//! The log on standard error: `tracing`, as text for people or as JSON lines.

use crate::cli::LogFormat;
use reports::Screen;
use std::io::IsTerminal as _;
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

/// Starts the log. `TINYFARM_LOG` (in the syntax of `tracing`'s `EnvFilter`) overrides `verbose`.
pub fn start(verbose: u8, format: LogFormat, screen: &Screen) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let ours =
        ["tinyfarm", "farm", "steps", "reports", "firmware", "containers", "emulators", "boards", "simulated_board"];
    // What probe-rs warns of (a probe that left cannot be said goodbye to) is told by the error that follows.
    let default = ours.map(|name| format!("{name}={level}")).join(",") + ",probe_rs=error,warn";
    let filter = EnvFilter::try_from_env("TINYFARM_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // They tell the whole address of a webhook, and what stands behind its host may be a secret.
    let quiet = ["ureq=off", "ureq_proto=off"].map(|directive| directive.parse().ok());
    let filter = quiet.into_iter().flatten().fold(filter, EnvFilter::add_directive);
    let screen = screen.clone();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Through the live console, so that progress and log do not write into each other.
        .with_writer(move || screen.clone())
        .with_span_events(if verbose > 1 { FmtSpan::CLOSE } else { FmtSpan::NONE });
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal() && reports::colour_wanted()).init(),
        LogFormat::Json => log.json().with_current_span(true).init(),
    }
}
