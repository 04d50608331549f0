//! Runs listed and found.

use crate::{
    JobRow, Ledger, LedgerError, OutcomeRow, RunFilter, RunRow, RunState, Verdicts, error::Result, figures,
    open::RunLock,
};
use farm::Verdict;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::{collections::BTreeMap, time::Duration};

const COLUMNS: &str =
    "run.id, name, started, took_us, state, version, command, origin, planned, passed, inconclusive, blocked,
                       infra, failed, quarantined, jobs, EXISTS (SELECT 1 FROM news WHERE news.run = run.id)";

/// How many candidates an error names.
const CANDIDATES: usize = 4;

impl Ledger {
    /// Runs, the newest first.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        let limit = if filter.limit == 0 { i64::MAX } else { filter.limit as i64 };
        let rows = self.read(|connection| {
            let mut select = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM run WHERE (NOT ?1 OR nightly) AND (NOT ?2 OR state = 'finished')
                 AND (?3 IS NULL OR branch = ?3) ORDER BY started DESC, id DESC LIMIT ?4"
            ))?;
            select
                .query_map(params![filter.nightly, filter.finished, filter.branch, limit], row)?
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(rows.into_iter().map(|(_, run)| self.with_state(run)).collect())
    }

    /// The run that `selector` means: its name or the beginning of it, `latest`, `latest~2` (two before), or a commit of at
    /// least four digits (its newest finished run).
    ///
    /// # Errors
    /// None is meant, or several.
    pub fn find(&self, selector: &str) -> Result<RunRow> {
        let unknown = |mend: String| LedgerError::UnknownRun { selector: selector.to_owned(), mend };
        if let Some(back) = selector.strip_prefix("latest") {
            let back = match back.strip_prefix('~') {
                None if back.is_empty() => Some(0),
                Some(count) => count.parse::<usize>().ok(),
                None => None,
            };
            let back =
                back.ok_or_else(|| unknown("write `latest`, or `latest~2` for the one two before".to_owned()))?;
            let runs = self.runs(&RunFilter { limit: back.saturating_add(1), ..RunFilter::default() })?;
            let there = runs.len();
            let found = runs.into_iter().nth(back);
            return found.ok_or_else(|| match there {
                0 => unknown("it holds no run yet; `tinyfarm run` makes the first".to_owned()),
                1 => unknown("it holds one run".to_owned()),
                there => unknown(format!("it holds {there} runs")),
            });
        }
        if let Ok((_, run)) = self.find_exact(selector) {
            return Ok(run);
        }
        let beginning = |selector: &str, column: &str, more: &str| {
            // A range instead of LIKE: an index serves it, and nothing in the words has a meaning.
            let past = format!("{selector}\u{10ffff}");
            self.read(|connection| {
                let mut select = connection.prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM run WHERE {column} >= ?1 AND {column} < ?2 {more}
                     ORDER BY started DESC, id DESC LIMIT {}",
                    CANDIDATES + 1
                ))?;
                select.query_map([selector, past.as_str()], row)?.collect::<rusqlite::Result<Vec<_>>>()
            })
        };
        let named = if selector.is_empty() { Vec::new() } else { beginning(selector, "name", "")? };
        let is_commit = selector.len() >= 4 && selector.bytes().all(|digit| digit.is_ascii_hexdigit());
        match &named[..] {
            [] if is_commit => {
                let finished = beginning(&selector.to_lowercase(), "commit_id", "AND state = 'finished'")?;
                let first = finished.into_iter().next();
                first.map(|(_, run)| self.with_state(run)).ok_or_else(|| {
                    unknown("it is no run's name, and no run of a commit that begins so has finished".to_owned())
                })
            }
            [] => {
                let recent = self.runs(&RunFilter { limit: 1000, ..RunFilter::default() })?;
                let names: Vec<&str> = recent.iter().map(|run| run.name.as_str()).collect();
                Err(unknown(match farm::suggest::nearest(selector, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`tinyfarm history` lists the runs".to_owned(),
                }))
            }
            [(_, one)] => Ok(self.with_state(one.clone())),
            several => {
                let mut names: Vec<String> = several.iter().map(|(_, run)| run.name.clone()).collect();
                if names.len() > CANDIDATES {
                    names[CANDIDATES] = "…".to_owned();
                }
                Err(LedgerError::Ambiguous { selector: selector.to_owned(), candidates: names.join(", ") })
            }
        }
    }

    /// The run of exactly this name, and its number.
    pub(crate) fn find_exact(&self, name: &str) -> Result<(i64, RunRow)> {
        let found = self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE name = ?"))?
                .query_row([name], row)
                .optional()
        })?;
        let unknown = || LedgerError::UnknownRun {
            selector: name.to_owned(),
            mend: "`tinyfarm history` lists the runs".to_owned(),
        };
        found.map(|(id, run)| (id, self.with_state(run))).ok_or_else(unknown)
    }

    /// The newest nightly sweep, if it was cut short. One before a newer sweep is not worth going on with, and one that
    /// somebody interrupted was wanted to end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn unfinished_nightly(&self) -> Result<Option<RunRow>> {
        let newest = self.runs(&RunFilter { limit: 1, nightly: true, ..RunFilter::default() })?;
        Ok(newest.into_iter().find(|run| run.state == RunState::Cut))
    }

    /// The jobs of `run` (its whole name), in their order.
    ///
    /// # Errors
    /// There is no such run.
    pub fn jobs(&self, run: &str) -> Result<Vec<JobRow>> {
        let (id, _) = self.find_exact(run)?;
        self.read(|connection| {
            let figures = figures::of_jobs(connection, id)?;
            let mut select = connection.prepare_cached(
                "SELECT job.id, number, at, verdict, reason, attempts, rerun, series.model, series.dataset, series.target
                 FROM job JOIN series ON series.id = job.series WHERE run = ? ORDER BY number",
            )?;
            let rows = select.query_map([id], |row| {
                let verdict: String = row.get(3)?;
                let job: i64 = row.get(0)?;
                Ok(JobRow {
                    number: row.get::<_, i64>(1)? as u64,
                    at: timestamp(row.get(2)?),
                    verdict: verdict_of(&verdict),
                    reason: row.get(4)?,
                    attempts: row.get::<_, i64>(5)? as u64,
                    rerun: row.get::<_, i64>(6)? as u64,
                    series: figures::series(row, 7)?,
                    figures: figures.get(&job).cloned().unwrap_or_default(),
                })
            })?;
            rows.collect()
        })
    }

    /// The scenarios of `run` (its whole name) that have a verdict, by feature, name and line.
    ///
    /// # Errors
    /// There is no such run.
    pub fn outcomes(&self, run: &str) -> Result<Vec<OutcomeRow>> {
        let (id, _) = self.find_exact(run)?;
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT path, name, line, verdict, reason, quarantined FROM outcome
                 JOIN scenario ON scenario.id = outcome.scenario WHERE run = ? ORDER BY path, name, line",
            )?;
            let rows = select.query_map([id], |row| {
                let verdict: String = row.get(3)?;
                Ok(OutcomeRow {
                    path: row.get(0)?,
                    name: row.get(1)?,
                    line: row.get::<_, i64>(2)? as u64,
                    verdict: verdict_of(&verdict),
                    reason: row.get(4)?,
                    quarantined: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    fn with_state(&self, mut run: RunRow) -> RunRow {
        if run.state == RunState::Running && !RunLock::is_held(self.path(), &run.name) {
            run.state = RunState::Cut;
        }
        run
    }
}

/// A row of [`COLUMNS`]; a run that did not end is under way, as far as the row tells.
fn row(row: &Row<'_>) -> rusqlite::Result<(i64, RunRow)> {
    let count = |at| row.get::<_, i64>(at).map(|count| count as u64);
    let text = |at| row.get::<_, String>(at);
    let state = match text(4)?.as_str() {
        "finished" => RunState::Finished,
        "interrupted" => RunState::Interrupted,
        _ => RunState::Running,
    };
    let wrong = |at, error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    };
    let run = RunRow {
        name: text(1)?,
        started: timestamp(row.get(2)?),
        took: row.get::<_, Option<i64>>(3)?.map(|micros| Duration::from_micros(micros as u64)),
        state,
        version: text(5)?,
        command: serde_json::from_str(&text(6)?).map_err(|error| wrong(6, error))?,
        origin: serde_json::from_str(&text(7)?).map_err(|error| wrong(7, error))?,
        planned: count(8)?,
        verdicts: Verdicts {
            pass: count(9)?,
            inconclusive: count(10)?,
            blocked: count(11)?,
            infra: count(12)?,
            fail: count(13)?,
        },
        quarantined: count(14)?,
        jobs: count(15)?,
        has_events: row.get(16)?,
    };
    Ok((row.get(0)?, run))
}

/// When, from a column.
pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// A verdict, from its word; one that is not known weighs most.
pub(crate) fn verdict_of(word: &str) -> Verdict {
    let all = [Verdict::Pass, Verdict::Inconclusive, Verdict::Blocked, Verdict::Infra, Verdict::Fail];
    all.into_iter().find(|verdict| verdict.word() == word).unwrap_or(Verdict::Fail)
}

/// A map from the rows of `(key, name, value)`.
pub(crate) fn grouped(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<BTreeMap<i64, BTreeMap<String, f64>>> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(parameters)?;
    let mut all = BTreeMap::<i64, BTreeMap<String, f64>>::new();
    while let Some(row) = rows.next()? {
        all.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    Ok(all)
}
