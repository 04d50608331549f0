//! `tinyfarm ledger`: the file that keeps the history, looked after.

use super::say;
use crate::{
    cli::{ExportArgs, LedgerCommand, PruneArgs},
    config::Config,
};
use ::ledger::{Exported, Ledger, LedgerError, PruneRule};
use jiff::{SignedDuration, Timestamp};
use miette::{Context as _, IntoDiagnostic as _};
use reports::text::{self, count, escape};
use std::{
    fs::File,
    io::{BufReader, BufWriter},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// Does what is asked of the ledger.
pub fn run(config: &Config, what: LedgerCommand) -> miette::Result<u8> {
    match what {
        LedgerCommand::Prune(arguments) => prune(&super::ledger(config)?, &arguments)?,
        LedgerCommand::Export(arguments) => return export(&super::ledger(config)?, &arguments),
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

fn export(ledger: &Ledger, arguments: &ExportArgs) -> miette::Result<u8> {
    let names = arguments.runs.iter().map(|selector| ledger.find(selector).map(|run| run.name));
    let names = names.collect::<Result<Vec<_>, _>>().into_diagnostic()?;
    let names = (!names.is_empty()).then_some(names);
    let exported = match &arguments.output {
        None => match ledger.export(&mut BufWriter::new(std::io::stdout().lock()), names.as_deref()) {
            // That no one reads on (`| head`) is no error.
            Err(LedgerError::Export(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(0),
            exported => exported.into_diagnostic()?,
        },
        Some(path) => {
            let exported = export_to(ledger, path, names.as_deref())?;
            say(format_args!("{} written to {}", count(exported.runs as usize, "run"), path.display()))?;
            exported
        }
    };
    for (run, why) in &exported.left_out {
        eprintln!("left out: {}", escape(&format!("run {run}: {why}")));
    }
    Ok(if exported.left_out.is_empty() { 0 } else { super::TROUBLE })
}

/// Exports into a file, which is replaced as a whole: an export that fails leaves the one from before.
fn export_to(ledger: &Ledger, path: &Path, names: Option<&[String]>) -> miette::Result<Exported> {
    let cannot = || format!("cannot write {}", path.display());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (to, own) = (real(path), real(ledger.path()));
    let rest = to.as_os_str().as_bytes().strip_prefix(own.as_os_str().as_bytes());
    if rest.is_some_and(|rest| matches!(rest, b"" | b"-wal" | b"-shm")) {
        miette::bail!(help = "name another file", "{} is the ledger itself, or a file of it", path.display());
    }
    let into = |file: File| {
        let exported = ledger.export(&mut BufWriter::new(&file), names).into_diagnostic()?;
        Ok::<_, miette::Report>((file, exported))
    };
    // A device or a pipe is not replaced.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let file = File::options().write(true).open(path).into_diagnostic().wrap_err_with(cannot)?;
        return into(file).map(|(_, exported)| exported);
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let file = File::create(partial).into_diagnostic().wrap_err_with(cannot)?;
    let written = into(file).and_then(|(file, exported)| {
        let kept = file.sync_all().and_then(|()| std::fs::rename(partial, path));
        kept.into_diagnostic().wrap_err_with(cannot).map(|()| exported)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(partial);
    }
    written
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
