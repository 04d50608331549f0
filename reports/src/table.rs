//! `metrics.csv`: a row for each job and metric, for spreadsheets and scripts.

use crate::{account::Account, account::JobAccount, documents::Document};
use farm::{Clock, Verdict, quantity::Unit};
use std::io;

/// The file's name in the report folder.
pub(crate) const FILE: &str = "metrics.csv";

/// The columns. `value` and `baseline` are in the base unit of the metric, which `unit` names.
const HEAD: [&str; 16] = [
    "job",
    "model",
    "dataset",
    "target",
    "stage",
    "simulated",
    "clock",
    "metric",
    "value",
    "unit",
    "baseline",
    "verdict",
    "judged",
    "attempts",
    "own_firmware",
    "rerun",
];

/// Writes [`FILE`].
pub(crate) struct Metrics;

impl Document for Metrics {
    fn file(&self) -> &'static str {
        FILE
    }

    fn name(&self) -> &'static str {
        "CSV"
    }

    fn write(&self, account: &Account, out: &mut dyn io::Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(HEAD)?;
        for job in account.jobs.values() {
            if job.followed.is_empty() {
                // A job that brought nothing back is there all the same, with its verdict.
                row(&mut rows, account, job, ["", "", "", ""])?;
            }
            for figure in &job.followed {
                let baseline = job.known(figure.metric).and_then(|known| known.baseline);
                let (value, baseline) = (number(figure.value), baseline.map(number).unwrap_or_default());
                row(&mut rows, account, job, [figure.metric, &value, unit(figure.unit), &baseline])?;
            }
        }
        rows.flush()
    }
}

fn row(
    rows: &mut csv::Writer<&mut dyn io::Write>,
    account: &Account,
    job: &JobAccount,
    [metric, value, unit, baseline]: [&str; 4],
) -> io::Result<()> {
    let target = account.targets.iter().find(|target| target.info.id == job.target);
    let stage = target.map_or("", |target| target.info.stage.word());
    let clock = job.summary.as_ref().map_or("", |summary| clock(&summary.clock));
    let word = |verdict: Option<Verdict>| verdict.map_or("not finished", |verdict| verdict.word());
    let own = job.judgement.as_ref().map(|judgement| judgement.verdict);
    let yes = |is: bool| if is { "yes" } else { "no" };
    rows.write_record([
        &job.id.0.to_string(),
        &cell(&job.model),
        &cell(&job.dataset),
        &cell(&job.target.0),
        stage,
        yes(job.simulated),
        clock,
        metric,
        value,
        unit,
        baseline,
        word(own),
        word(job.verdict),
        &job.attempts.len().to_string(),
        yes(job.own_firmware),
        &job.rerun.to_string(),
    ])?;
    Ok(())
}

fn clock(clock: &Clock) -> &'static str {
    match clock {
        Clock::QemuInstructions => "qemu-instructions",
        Clock::RenodeVirtual => "renode-virtual",
        Clock::BoardCycles { .. } => "board-cycles",
        Clock::BoardTimer { .. } => "board-timer",
        Clock::Host => "host",
    }
}

/// The base unit, in which values are told.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Number => "",
        Unit::Share => "share",
        Unit::Seconds => "s",
        Unit::Bytes => "B",
        Unit::Instructions => "instructions",
        Unit::Samples => "samples",
    }
}

/// A number that reads back to the same one.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { String::new() }
}

/// Text that a spreadsheet takes for text. One that starts with a sign of a formula would be run: a quotation mark before
/// it keeps it what it is (OWASP, CSV injection).
fn cell(text: &str) -> String {
    let text = crate::text::escape(text);
    let starts = |sign: char| text.trim_start().starts_with(sign);
    // Full-width forms of the signs are taken for them by some spreadsheets.
    if ['=', '+', '-', '@', '|', '＝', '＋', '－', '＠'].into_iter().any(starts) {
        format!("'{text}")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{documents::tests::written, script};

    #[test]
    fn every_job_has_a_row_for_each_metric() {
        let text = written(&Metrics, &script::rich());
        let shown: Vec<&str> = text.lines().take(8).chain(text.lines().filter(|line| !line.contains(",,"))).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn a_formula_is_text() {
        assert_eq!(
            ["=1+1", " @x", "-2", "a=b", "+\u{7}", "＝1"].map(cell),
            ["'=1+1", "' @x", "'-2", "a=b", "'+\\u{7}", "'＝1"]
        );
        assert_eq!([0.1, 1e21, 6_812.0].map(number), ["0.1", "1000000000000000000000", "6812"]);
    }
}
