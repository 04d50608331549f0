//! The rows that a run's events amount to. Recording, import and verification all come here, so that none of them can
//! see a run in another way.

use crate::runs::verdict_of;
use farm::{
    Evidence, FarmEvent, Inference, JobReport, Stamped, Verdict,
    history::{self, Series},
    metrics::Summary,
};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer as _, V2Serializer},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use std::time::Duration;

/// Significant digits of the histograms.
const DIGITS: u8 = 3;

/// Takes in `stamped`, an event of the run with the number `run`; returns that of the run that it begins.
pub(crate) fn apply(connection: &Connection, run: Option<i64>, stamped: &Stamped) -> rusqlite::Result<Option<i64>> {
    let Some(run) = run else {
        return match &stamped.event {
            FarmEvent::RunStarted { .. } => begin(connection, stamped).map(Some),
            // Nothing belongs to a run that has not begun.
            _ => Ok(None),
        };
    };
    match &stamped.event {
        FarmEvent::RunResumed { .. } => {
            connection
                .prepare_cached("UPDATE run SET state = 'running', took_us = NULL WHERE id = ?")?
                .execute([run])?;
        }
        FarmEvent::JobFinished { report, summary } => job(connection, run, stamped, report, summary.as_deref())?,
        FarmEvent::ScenarioFinished { scenario, judgement, took, quarantine } => {
            let id = scenario_id(connection, [&scenario.path, &scenario.feature, &scenario.name])?;
            let quarantined = quarantine.as_ref().is_some_and(|quarantine| !quarantine.gates());
            let (verdict, line) = (judgement.verdict.word(), scenario.line as i64);
            // A run that was interrupted and goes on judges once more what was only interrupted.
            let before: Option<(String, bool)> = connection
                .prepare_cached("SELECT verdict, quarantined FROM outcome WHERE run = ? AND scenario = ? AND line = ?")?
                .query_row(params![run, id, line], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            if let Some((verdict, quarantined)) = before {
                count(connection, run, verdict_of(&verdict), -1, quarantined)?;
            }
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO outcome (run, scenario, line, verdict, reason, took_us, quarantined)
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![run, id, line, verdict, judgement.reason, micros(*took), quarantined])?;
            count(connection, run, judgement.verdict, 1, quarantined)?;
        }
        FarmEvent::RunFinished { interrupted, took } => {
            let state = if *interrupted { "interrupted" } else { "finished" };
            connection.prepare_cached("UPDATE run SET state = ?, took_us = ? WHERE id = ?")?.execute(params![
                state,
                micros(*took),
                run
            ])?;
        }
        _ => {}
    }
    Ok(Some(run))
}

/// Counts one scenario more (or less) of `verdict`.
fn count(connection: &Connection, run: i64, verdict: Verdict, by: i64, quarantined: bool) -> rusqlite::Result<()> {
    let column = match verdict {
        Verdict::Pass => "passed",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Blocked => "blocked",
        Verdict::Infra => "infra",
        Verdict::Fail => "failed",
    };
    let sql = format!("UPDATE run SET {column} = {column} + ?1, quarantined = quarantined + ?1 * ?2 WHERE id = ?3");
    connection.prepare_cached(&sql)?.execute(params![by, quarantined, run])?;
    Ok(())
}

fn begin(connection: &Connection, stamped: &Stamped) -> rusqlite::Result<i64> {
    let FarmEvent::RunStarted { run, version, command, scenarios, origin } = &stamped.event else {
        return Err(rusqlite::Error::InvalidQuery);
    };
    connection
        .prepare_cached(
            "INSERT INTO run (name, started, state, version, command, origin, commit_id, branch, dirty, nightly, planned)
             VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            run,
            stamped.at.as_microsecond(),
            version,
            json(command)?,
            json(origin)?,
            origin.commit,
            origin.branch,
            origin.dirty,
            origin.nightly,
            *scenarios as i64,
        ])?;
    Ok(connection.last_insert_rowid())
}

fn job(
    connection: &Connection,
    run: i64,
    stamped: &Stamped,
    report: &JobReport,
    summary: Option<&Summary>,
) -> rusqlite::Result<()> {
    let series = series_id(connection, &Series::of(report))?;
    let evidence = report.evidence.as_deref();
    let provenance = evidence.map(|evidence| provenance_id(connection, evidence)).transpose()?;
    let outputs = evidence.map(|evidence| history::outputs_digest(evidence).to_string());
    connection
        .prepare_cached(
            "INSERT INTO job (run, number, series, at, rerun, simulated, verdict, reason, fault, attempts, samples, clock,
                              outputs, provenance)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            run,
            report.id.0 as i64,
            series,
            stamped.at.as_microsecond(),
            report.rerun,
            report.simulated,
            report.judgement.verdict.word(),
            report.judgement.reason,
            report.fault.as_ref().map(json).transpose()?,
            report.attempts.len() as i64,
            summary.map(|summary| summary.samples as i64),
            summary.map(|summary| json(&summary.clock)).transpose()?,
            outputs,
            provenance,
        ])?;
    let id = connection.last_insert_rowid();
    let mut attempt = connection.prepare_cached(
        "INSERT INTO attempt (job, number, target, verdict, reason, took_us) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for it in &report.attempts {
        attempt.execute(params![id, it.number, it.target.0, it.verdict.word(), it.reason, micros(it.took)])?;
    }
    if let Some(summary) = summary {
        let mut figure = connection.prepare_cached("INSERT INTO figure (job, metric, value) VALUES (?, ?, ?)")?;
        for followed in history::figures(summary, report.simulated) {
            figure.execute(params![id, metric_id(connection, followed.metric)?, followed.value])?;
        }
    }
    if let Some(buckets) = evidence.and_then(|evidence| histogram(&evidence.inferences)) {
        connection
            .prepare_cached("INSERT INTO histogram (job, buckets) VALUES (?, ?)")?
            .execute(params![id, buckets])?;
    }
    connection.prepare_cached("UPDATE run SET jobs = jobs + 1 WHERE id = ?")?.execute([run])?;
    Ok(())
}

/// How the ticks of all inferences are distributed; `None` of none.
fn histogram(inferences: &[Inference]) -> Option<Vec<u8>> {
    let most = inferences.iter().map(|inference| inference.ticks).max()?;
    let mut histogram = Histogram::<u64>::new_with_bounds(1, most.max(2), DIGITS).ok()?;
    inferences.iter().try_for_each(|inference| histogram.record(inference.ticks)).ok()?;
    let mut bytes = Vec::new();
    (!histogram.is_empty()).then(|| V2Serializer::new().serialize(&histogram, &mut bytes).ok())??;
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut out, &bytes).ok()?;
    out.finish().ok()
}

pub(crate) fn series_id(connection: &Connection, series: &Series) -> rusqlite::Result<i64> {
    let key = params![series.model, series.dataset, series.target.0];
    let known = connection
        .prepare_cached("SELECT id FROM series WHERE model = ? AND dataset = ? AND target = ?")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO series (model, dataset, target) VALUES (?, ?, ?)")?.execute(key)?;
    Ok(connection.last_insert_rowid())
}

pub(crate) fn metric_id(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let known = connection
        .prepare_cached("SELECT id FROM metric WHERE name = ?")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO metric (name) VALUES (?)")?.execute([name])?;
    Ok(connection.last_insert_rowid())
}

fn scenario_id(connection: &Connection, [path, feature, name]: [&str; 3]) -> rusqlite::Result<i64> {
    let key = params![path, feature, name];
    let known = connection
        .prepare_cached("SELECT id FROM scenario WHERE path = ? AND feature = ? AND name = ?")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO scenario (path, feature, name) VALUES (?, ?, ?)")?.execute(key)?;
    Ok(connection.last_insert_rowid())
}

fn provenance_id(connection: &Connection, evidence: &Evidence) -> rusqlite::Result<i64> {
    let made = &evidence.provenance;
    let (model, dataset, hands) = (made.model.to_string(), made.dataset.to_string(), &evidence.handshake);
    let key = params![model, dataset, hands.runner, made.runner, made.tflm, hands.core, made.tool];
    let known = connection
        .prepare_cached(
            "SELECT id FROM provenance WHERE model = ? AND dataset = ? AND runner = ? AND runner_digest = ? AND tflm = ?
             AND core = ? AND tool = ?",
        )?
        .query_row(key, |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection
        .prepare_cached(
            "INSERT INTO provenance (model, dataset, runner, runner_digest, tflm, core, tool) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(key)?;
    Ok(connection.last_insert_rowid())
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_histogram_reads_back_to_three_digits_however_long_inferences_take() {
        let ticks = [0, 3, 2_000, 89_452_418, u64::MAX / 4];
        let inferences = ticks.map(|ticks| Inference { output: Vec::new(), ticks });
        let bytes = histogram(&inferences).unwrap();
        let mut plain = flate2::read::ZlibDecoder::new(bytes.as_slice());
        let back: Histogram<u64> = hdrhistogram::serialization::Deserializer::new().deserialize(&mut plain).unwrap();
        assert_eq!(back.len(), 5);
        for (place, ticks) in ticks.iter().enumerate() {
            let found = back.value_at_quantile((place as f64 + 1.0) / 5.0);
            assert!(found.abs_diff(*ticks) as f64 <= *ticks as f64 / 1_000.0, "{found} for {ticks}");
        }
    }
}
