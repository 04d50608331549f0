//! Whether a ledger is sound: the file, its references, its events, and that its rows are what the events amount to.

use crate::{Ledger, RunState, baselines, error::Result, open, record};
use rusqlite::{Connection, types::Value};
use std::{collections::BTreeMap, fmt};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The run it is about; `None`: the file as a whole.
    pub run: Option<String>,
    /// What.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run {
            Some(run) => write!(f, "run {run}: {}", self.detail),
            None => write!(f, "{}", self.detail),
        }
    }
}

/// What a run's rows say, without their numbers, which another ledger gives otherwise.
const ROWS: &[(&str, &str)] = &[
    (
        "run",
        "SELECT name, started, took_us, state, version, command, origin, commit_id, branch, dirty, nightly, planned, passed,
                inconclusive, blocked, infra, failed, quarantined, jobs FROM run WHERE id = ?",
    ),
    (
        "jobs",
        "SELECT number, series.model, series.dataset, series.target, at, rerun, simulated, verdict, reason, fault, attempts,
                samples, clock, outputs, provenance.model, provenance.dataset, runner, runner_digest, tflm, core, tool
         FROM job JOIN series ON series.id = job.series LEFT JOIN provenance ON provenance.id = job.provenance
         WHERE run = ? ORDER BY number",
    ),
    (
        "attempts",
        "SELECT job.number, attempt.number, target, attempt.verdict, attempt.reason, took_us
         FROM job JOIN attempt ON attempt.job = job.id WHERE run = ? ORDER BY job.number, attempt.number",
    ),
    (
        "figures",
        "SELECT number, name, value FROM job JOIN figure ON figure.job = job.id JOIN metric ON metric.id = figure.metric
         WHERE run = ? ORDER BY number, name",
    ),
    ("histograms", "SELECT number, buckets FROM job JOIN histogram ON histogram.job = job.id WHERE run = ? ORDER BY number"),
    (
        "scenarios",
        "SELECT path, feature, name, line, verdict, reason, took_us, quarantined FROM outcome
         JOIN scenario ON scenario.id = outcome.scenario WHERE run = ? ORDER BY path, feature, name, line",
    ),
];

impl Ledger {
    /// What is wrong with it; nothing, where it is sound. Runs under way are passed over.
    ///
    /// # Errors
    /// It cannot be read at all.
    pub fn verify(&self) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let whole = |detail: String| Finding { run: None, detail };
        let checked = self.read(|connection| {
            let mut check = connection.prepare("PRAGMA integrity_check(20)")?;
            let lines = check.query_map((), |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut check = connection.prepare("PRAGMA foreign_key_check")?;
            let strays = check.query_map((), |row| {
                Ok(format!("a row of {} belongs to nothing in {}", row.get::<_, String>(0)?, row.get::<_, String>(2)?))
            })?;
            Ok((lines, strays.collect::<rusqlite::Result<Vec<_>>>()?))
        });
        match checked {
            Ok((lines, strays)) => {
                findings.extend(lines.into_iter().filter(|line| line != "ok").map(whole));
                findings.extend(strays.into_iter().map(whole));
            }
            Err(error) => findings.push(whole(error.to_string())),
        }
        match self.read(differs_in) {
            Ok(details) => findings.extend(details.into_iter().map(whole)),
            Err(error) => findings.push(whole(error.to_string())),
        }
        // One by one: a row that cannot be read must not hide the others.
        let names = self.read(|connection| {
            let mut select = connection.prepare("SELECT name, pruned FROM run ORDER BY started")?;
            select
                .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(String, bool)>>>()
        });
        let names = match names {
            Ok(names) => names,
            // What is damaged beyond reading was told above.
            Err(error) if findings.is_empty() => return Err(error),
            Err(error) => {
                findings.push(whole(error.to_string()));
                return Ok(findings);
            }
        };
        for (name, pruned) in names {
            let of_run = |detail| Finding { run: Some(name.clone()), detail };
            match self.find_exact(&name) {
                Ok((_, run)) if run.state == RunState::Running || (pruned && !run.has_events) => {}
                Ok((_, run)) if !run.has_events => findings.push(of_run("its events are gone".to_owned())),
                Ok(_) => match self.verify_run(&name) {
                    Ok(details) => findings.extend(details.into_iter().map(of_run)),
                    Err(error) => findings.push(of_run(error.to_string())),
                },
                Err(error) => findings.push(of_run(format!("its row cannot be read: {error}"))),
            }
        }
        match baselines::unsound(self) {
            Ok(all) => findings.extend(all.into_iter().map(|(run, detail)| Finding { run, detail })),
            Err(error) => findings.push(whole(error.to_string())),
        }
        Ok(findings)
    }

    fn verify_run(&self, run: &str) -> Result<Vec<String>> {
        let (number, _) = self.find_exact(run)?;
        let anew = open::in_memory(self.path())?;
        let mut derived = None;
        let mut chunk = Vec::new();
        for event in self.events(run)? {
            chunk.push(event?);
            if chunk.len() == 4096 {
                derived = record::write(&anew, derived, &chunk).map_err(self.failed("read"))?;
                chunk.clear();
            }
        }
        derived = record::write(&anew, derived, &chunk).map_err(self.failed("read"))?;
        let Some(derived) = derived else { return Ok(vec!["its events do not begin with `run-started`".to_owned()]) };
        let mut findings = Vec::new();
        for (what, sql) in ROWS {
            let kept = self.read(|connection| rows(connection, sql, number))?;
            let wanted = rows(&anew, sql, derived).map_err(self.failed("read"))?;
            if kept != wanted {
                findings.push(format!("its {what} are not what its events amount to"));
            }
        }
        Ok(findings)
    }
}

/// Tables and indexes that are not as this version makes them.
fn differs_in(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let all = |connection: &Connection| {
        let mut select =
            connection.prepare("SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        let rows = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<BTreeMap<String, String>>>()
    };
    let fresh = Connection::open_in_memory()?;
    open::MIGRATIONS.iter().try_for_each(|migration| fresh.execute_batch(migration))?;
    let (kept, wanted) = (all(connection)?, all(&fresh)?);
    let missing = wanted.iter().filter(|(name, sql)| kept.get(*name) != Some(sql));
    Ok(missing.map(|(name, _)| format!("the {name} is missing, or is another")).collect())
}

fn rows(connection: &Connection, sql: &str, run: i64) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut select = connection.prepare_cached(sql)?;
    let columns = select.column_count();
    let rows = select.query_map([run], |row| (0..columns).map(|at| row.get(at)).collect())?;
    rows.collect()
}
