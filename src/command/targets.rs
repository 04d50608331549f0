//! `tinyfarm targets`: what is there, what is not and why.

use super::say;
use crate::{config::Config, targets};
use farm::Availability;

/// Asks every target, and prints a line for each.
pub async fn run(config: &Config) -> miette::Result<u8> {
    let targets = targets::gather(config, "targets", |_| {})?;
    let width = targets.iter().map(|target| target.info().label().len()).max().unwrap_or_default();
    for target in &targets {
        let info = target.info();
        let state = match target.availability().await {
            Availability::Ready { tool } => format!("ready, by {tool}; timings: {}", info.clock),
            Availability::Absent { reason } => format!("not to be had: {reason}"),
        };
        say(format_args!("{:width$}  {:9}  {:12}  {state}", info.label(), info.stage, info.core))?;
    }
    Ok(0)
}
