//! `results.txt`: each job's figures in the style in which the EEMBC runner tells those of MLPerf Tiny.
//!
//! In the style, and no more: the official ones are measured by its own protocol, in windows of ten seconds at least, on a
//! board that was not changed for it. So each block says on which clock its timing rests, and no throughput is told where
//! that clock tells no time.

use crate::{
    account::{Account, JobAccount},
    describe,
    documents::Document,
    text,
};
use farm::{Clock, metrics::Summary};
use std::io;

/// The file's name in the report folder.
pub(crate) const FILE: &str = "results.txt";

const RULE: &str = "---------------------------------------------------------";

/// Writes [`FILE`].
pub(crate) struct Results;

impl Document for Results {
    fn file(&self) -> &'static str {
        FILE
    }

    fn name(&self) -> &'static str {
        "results text"
    }

    fn write(&self, account: &Account, out: &mut dyn io::Write) -> io::Result<()> {
        let run = &account.run;
        writeln!(out, "tinyfarm {}, run {}", text::escape(&run.version), text::escape(&run.id))?;
        writeln!(
            out,
            "NOT an official MLPerf Tiny or EEMBC result: neither measured by their rules nor reviewed by them."
        )?;
        writeln!(out, "Each figure names its clock. Only those on a board's own clock are times of a device.")?;
        writeln!(out, "Run: {}. {}.", account.outcome(), crate::console::counts(&account.tally))?;
        if let Some(missing) = account.shortfall() {
            writeln!(out, "INCOMPLETE: {missing}.")?;
        }
        for job in account.jobs.values() {
            writeln!(out, "\n{RULE}")?;
            block(account, job, out)?;
        }
        writeln!(out, "{RULE}")
    }
}

fn block(account: &Account, job: &JobAccount, out: &mut dyn io::Write) -> io::Result<()> {
    let mut field = |name: &str, value: &str| writeln!(out, "{name:<19}: {value}");
    field("Model", &text::short(&job.series().model))?;
    field("Dataset", &text::short(&job.dataset))?;
    let core = job.core.as_ref().map_or(String::new(), |core| format!(", {}", text::short(core)));
    let name = text::short(&farm::target::label(&job.target, job.simulated));
    field("Target", &format!("{name}{core}"))?;
    if let Some(provenance) = &job.provenance {
        field("Model SHA-256", &provenance.model.to_string())?;
        field("Dataset SHA-256", &provenance.dataset.to_string())?;
        field("Runner", &format!("TFLM {}, {}", text::short(&provenance.tflm), text::short(&provenance.tool)))?;
    }
    field("Verdict", job.word())?;
    if job.rerun > 0 {
        field("Measured again", "yes, to confirm an earlier measurement")?;
    }
    if let Some(needed) = job.needed().and_then(describe::needed) {
        field("Attempts", &needed)?;
    }
    match &job.summary {
        Some(summary) => figures(account, job, summary, out),
        None => {
            let judgement = job.judgement.as_ref().map_or("not finished".to_owned(), |judgement| judgement.to_string());
            writeln!(out, "No results         : {}", text::short(&judgement))
        }
    }
}

fn figures(account: &Account, job: &JobAccount, summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
    let median = summary.clock.duration(summary.ticks.median).filter(|time| !time.is_zero());
    writeln!(out, "Clock              : {}", clock(&summary.clock, job.simulated))?;
    writeln!(out, "Performance results for all inputs:")?;
    writeln!(out, "     # Inferences  : {:>12}", summary.samples)?;
    let ticks = [("Fastest", summary.ticks.min), ("Median", summary.ticks.median), ("99 %", summary.ticks.p99)];
    for (name, ticks) in ticks.into_iter().chain([("Slowest", summary.ticks.max)]) {
        match summary.clock.duration(ticks) {
            Some(time) => writeln!(out, "     {name:<14}: {:>12.9} sec.", time.as_secs_f64())?,
            None => writeln!(out, "     {name:<14}: {ticks:>12} instructions")?,
        }
    }
    match median {
        _ if summary.clock == Clock::Host => writeln!(out, "Median throughput is not told: the clock is the host's.")?,
        Some(median) => writeln!(out, "Median throughput is {:>12.3} inf./sec.", 1.0 / median.as_secs_f64())?,
        None => writeln!(out, "Median throughput is not told: instructions are no time.")?,
    }
    if let Some(seen) = &summary.classification {
        writeln!(out, "Accuracy results:")?;
        let share = text::percent(seen.accuracy);
        writeln!(out, "     Top-1         : {share:>12} ({} of {})", seen.correct, seen.total)?;
    }
    if let Some(errors) = &summary.errors {
        writeln!(out, "Error results:")?;
        writeln!(out, "     Mean absolute : {:>12}", text::real(errors.mean_absolute))?;
    }
    writeln!(out, "Memory results:")?;
    writeln!(out, "     Arena used    : {:>12} of {} bytes", summary.arena_used, summary.arena_size)?;
    let seen = account.targets.iter().find(|target| target.info.id == job.target);
    let memory = seen.and_then(|target| target.info.memory);
    let limits = memory.map_or((None, None), |memory| (Some(memory.flash), Some(memory.ram)));
    for (name, bytes, limit) in [("Flash", summary.flash(), limits.0), ("RAM", summary.ram(), limits.1)] {
        if let Some(bytes) = bytes {
            let limit = limit.map_or(String::new(), |limit| format!(" of {limit}"));
            writeln!(out, "     {name:<14}: {bytes:>12}{limit} bytes")?;
        }
    }
    Ok(())
}

/// What the timing rests on, in full.
fn clock(clock: &Clock, simulated: bool) -> String {
    let what = match clock {
        Clock::QemuInstructions => "instructions counted by QEMU; not the time of any device".to_owned(),
        Clock::RenodeVirtual => "instructions counted by Renode; not the time of any device".to_owned(),
        Clock::BoardCycles { hz } => format!("the board's cycle counter at {} Hz", text::thousands(*hz)),
        Clock::BoardTimer { hz } => format!("a timer of the board at {} Hz", text::thousands(*hz)),
        Clock::Host => "the host's clock; informational, and not the time of any device".to_owned(),
    };
    if simulated { format!("{what}; the board is simulated") } else { what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{documents::tests::written, script};

    #[test]
    fn each_job_is_a_block_that_says_what_it_rests_on() {
        insta::assert_snapshot!(written(&Results, &script::rich()));
    }

    #[test]
    fn a_job_without_evidence_says_why() {
        let text = written(&Results, &script::every_verdict());
        assert!(text.contains("No results         : infra: QEMU was killed by signal 9\n"));
        assert_eq!(text.matches("throughput is ").count(), text.matches("# Inferences").count());
    }
}
