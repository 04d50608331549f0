//! `tinyfarm flaky`: who needed another attempt, and whose verdict changed though the commit did not.

use super::{history::short, is_json, say, say_json};
use crate::{cli::FlakyArgs, config::Config};
use jiff::{SignedDuration, Timestamp};
use ledger::FlakyFilter;
use miette::IntoDiagnostic as _;
use reports::{
    Table,
    text::{self, escape},
};

/// Prints who is flaky, the worst first.
pub fn run(config: &Config, arguments: &FlakyArgs) -> miette::Result<u8> {
    let ledger = super::ledger(config)?;
    let since = arguments.days.map(|days| Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days)));
    let flaky = ledger.flaky(&FlakyFilter { since }).into_diagnostic()?;
    if is_json(arguments.format) {
        say_json(&flaky)?;
        return Ok(0);
    }
    if flaky.jobs.is_empty() {
        say("no job needed another attempt")?;
    } else {
        let heads = ["MODEL", "DATASET", "TARGET", "RETRIED", "OF JOBS", "LATEST RUN", "WHY, THE LATEST TIME"];
        let mut table = Table::new(&heads.map(|head| (head, matches!(head, "RETRIED" | "OF JOBS"))));
        for job in &flaky.jobs {
            let reason = match job.target == job.series.target.0 {
                true => job.reason.clone(),
                false => format!("on {}: {}", job.target, job.reason),
            };
            table.row(vec![
                escape(&job.series.model).into_owned(),
                escape(&job.series.dataset).into_owned(),
                escape(&job.series.target.0).into_owned(),
                text::thousands(job.retried),
                text::thousands(job.jobs),
                escape(&job.run).into_owned(),
                text::short(reason.lines().next().unwrap_or_default()),
            ]);
        }
        say(format_args!("jobs that needed another attempt\n{}", super::lines(&table)))?;
    }
    if flaky.scenarios.is_empty() {
        say("no scenario changed its verdict between runs of one commit")?;
    } else {
        let heads = ["FEATURE", "SCENARIO", "COMMIT", "PASSED", "DID NOT", "WHY"];
        let mut table = Table::new(&heads.map(|head| (head, matches!(head, "PASSED" | "DID NOT"))));
        for scenario in &flaky.scenarios {
            table.row(vec![
                escape(&scenario.path).into_owned(),
                escape(&scenario.name).into_owned(),
                escape(short(&scenario.commit)).into_owned(),
                text::thousands(scenario.passed),
                text::thousands(scenario.others),
                text::short(scenario.reason.lines().next().unwrap_or_default()),
            ]);
        }
        say(format_args!("\nscenarios whose verdict changed between runs of one commit\n{}", super::lines(&table)))?;
    }
    Ok(0)
}
