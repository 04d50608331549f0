//! `tinyfarm ledger`: the file that keeps the history, looked after.

use super::say;
use crate::{
    cli::{ExportArgs, LedgerCommand, PruneArgs},
    config::Config,
};
use ::ledger::{Ledger, PruneRule};
use jiff::{SignedDuration, Timestamp};
use miette::{Context as _, IntoDiagnostic as _};
use reports::text::{self, count, escape};
use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::Path,
};

/// Does what is asked of the ledger.
pub fn run(config: &Config, what: LedgerCommand) -> miette::Result<u8> {
    match what {
        LedgerCommand::Prune(arguments) => prune(&super::ledger(config)?, &arguments)?,
        LedgerCommand::Export(arguments) => export(&super::ledger(config)?, &arguments)?,
        LedgerCommand::Import { file } => import(config, &file)?,
        LedgerCommand::Verify => return verify(&super::ledger(config)?),
    }
    Ok(0)
}

fn prune(ledger: &Ledger, arguments: &PruneArgs) -> miette::Result<()> {
    let before = arguments.older_than.map(|days| {
        let age = SignedDuration::from_hours(24 * i64::from(days));
        Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN)
    });
    let PruneArgs { keep, events_only, dry_run, .. } = *arguments;
    let pruned = ledger.prune(&PruneRule { before, keep, events_only, dry_run }).into_diagnostic()?;
    for run in &pruned.kept {
        say(format_args!("{}: kept, for a baseline stands on it", escape(run)))?;
    }
    let what = if events_only { "events of " } else { "" };
    let runs = count(pruned.runs.len(), "run");
    if dry_run {
        pruned.runs.iter().try_for_each(|run| say(escape(run)))?;
        say(format_args!("{what}{runs} would be taken out"))
    } else {
        say(format_args!("{what}{runs} taken out; the file is {} smaller", text::bytes(pruned.freed)))
    }
}

fn export(ledger: &Ledger, arguments: &ExportArgs) -> miette::Result<()> {
    let names = arguments.runs.iter().map(|selector| ledger.find(selector).map(|run| run.name));
    let names = names.collect::<Result<Vec<_>, _>>().into_diagnostic()?;
    let names = (!names.is_empty()).then_some(names);
    let Some(path) = &arguments.output else {
        let written = ledger.export(&mut BufWriter::new(std::io::stdout().lock()), names.as_deref());
        return match written {
            // That no one reads on (`| head`) is no error.
            Err(::ledger::LedgerError::Export(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map(drop).into_diagnostic(),
        };
    };
    let file = File::create(path).into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))?;
    let runs = ledger.export(&mut BufWriter::new(&file), names.as_deref()).into_diagnostic()?;
    file.sync_all().into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))?;
    say(format_args!("{} written to {}", count(runs as usize, "run"), path.display()))
}

fn import(config: &Config, path: &Path) -> miette::Result<()> {
    let open = || Ledger::open(&config.ledger.file).into_diagnostic();
    let imported = if path == Path::new("-") {
        open()?.import(&mut std::io::stdin().lock())
    } else {
        let file = File::open(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))?;
        // Not before: what cannot be read makes no ledger.
        open()?.import(&mut BufReader::new(file))
    };
    let imported = imported.into_diagnostic().wrap_err_with(|| format!("cannot import {}", path.display()))?;
    let there = match imported.skipped.len() {
        0 => String::new(),
        skipped => format!("; {} there already, left as they are", count(skipped, "run")),
    };
    let figures = count(imported.acceptances as usize, "accepted figure");
    say(format_args!("{} and {figures} taken in{there}", count(imported.runs.len(), "run")))
}

fn verify(ledger: &Ledger) -> miette::Result<u8> {
    let findings = ledger.verify().into_diagnostic()?;
    for finding in &findings {
        say(escape(&finding.to_string()))?;
    }
    if findings.is_empty() {
        say(format_args!("{} is sound", ledger.path().display()))?;
        return Ok(0);
    }
    say(format_args!("{} in {}", count(findings.len(), "finding"), ledger.path().display()))?;
    Ok(super::TROUBLE)
}
