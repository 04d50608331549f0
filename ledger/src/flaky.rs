//! Who is flaky: jobs that needed another attempt, scenarios whose verdict changed though the commit did not.

use crate::{Ledger, error::Result, figures::series, runs::timestamp};
use farm::history::Series;
use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;

/// What is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct FlakyFilter {
    /// Only what happened since then.
    pub since: Option<Timestamp>,
}

/// Who is flaky.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Flaky {
    /// Series whose jobs needed more than one attempt, the worst first.
    pub jobs: Vec<FlakyJob>,
    /// Scenarios that both passed and did not, in runs of one commit; the worst first.
    pub scenarios: Vec<FlakyScenario>,
}

/// A series whose jobs needed more than one attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlakyJob {
    /// Which.
    pub series: Series,
    /// Jobs that needed another attempt.
    pub retried: u64,
    /// Of so many jobs.
    pub jobs: u64,
    /// Why the latest of them did.
    pub reason: String,
    /// Where the attempt was that failed.
    pub target: String,
    /// The latest run in which it happened.
    pub run: String,
    /// When.
    pub at: Timestamp,
}

/// A scenario that both passed and did not, in runs of one commit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlakyScenario {
    /// Its feature file.
    pub path: String,
    /// Its name.
    pub name: String,
    /// The commit; the one where it differed most, where there are several.
    pub commit: String,
    /// Runs of that commit in which it passed.
    pub passed: u64,
    /// Runs of that commit in which it did not: a fail, or infra.
    pub others: u64,
    /// The reason of one that did not.
    pub reason: String,
}

impl Ledger {
    /// Who is flaky.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn flaky(&self, filter: &FlakyFilter) -> Result<Flaky> {
        let since = filter.since.map_or(i64::MIN, |since| since.as_microsecond());
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "WITH retried AS (
                     SELECT series, count(*) AS count,
                            (SELECT id FROM job AS other WHERE other.series = job.series AND attempts > 1
                             ORDER BY at DESC, id DESC LIMIT 1) AS latest
                     FROM job WHERE attempts > 1 AND at >= ?1 GROUP BY series)
                 SELECT series.model, series.dataset, series.target, retried.count,
                        (SELECT count(*) FROM job WHERE job.series = retried.series AND at >= ?1),
                        attempt.reason, attempt.target, run.name, job.at
                 FROM retried JOIN series ON series.id = retried.series
                 JOIN job ON job.id = retried.latest JOIN run ON run.id = job.run
                 JOIN attempt ON attempt.job = job.id AND attempt.number = 1
                 ORDER BY retried.count DESC, series.model, series.dataset, series.target",
            )?;
            let jobs = select.query_map(params![since], |row| {
                Ok(FlakyJob {
                    series: series(row, 0)?,
                    retried: row.get::<_, i64>(3)? as u64,
                    jobs: row.get::<_, i64>(4)? as u64,
                    reason: row.get(5)?,
                    target: row.get(6)?,
                    run: row.get(7)?,
                    at: timestamp(row.get(8)?),
                })
            })?;
            let jobs = jobs.collect::<rusqlite::Result<_>>()?;
            // Where files differed from the commit, nobody knows what ran. Blocked and inconclusive say something of the
            // farm and of the features, not of luck.
            // The names of the sums must not be those of columns, which would go before them.
            let mut select = connection.prepare_cached(
                "SELECT path, scenario.name, commit_id, sum(verdict = 'pass') AS good, sum(verdict <> 'pass') AS bad,
                        max(CASE WHEN verdict <> 'pass' THEN outcome.reason END)
                 FROM outcome JOIN run ON run.id = outcome.run JOIN scenario ON scenario.id = outcome.scenario
                 WHERE commit_id IS NOT NULL AND NOT dirty AND started >= ?1 AND verdict IN ('pass', 'fail', 'infra')
                 GROUP BY scenario.id, commit_id HAVING good > 0 AND bad > 0
                 ORDER BY min(good, bad) DESC, path, scenario.name, commit_id",
            )?;
            let rows = select.query_map(params![since], |row| {
                Ok(FlakyScenario {
                    path: row.get(0)?,
                    name: row.get(1)?,
                    commit: row.get(2)?,
                    passed: row.get::<_, i64>(3)? as u64,
                    others: row.get::<_, i64>(4)? as u64,
                    reason: row.get(5)?,
                })
            })?;
            let mut scenarios: Vec<FlakyScenario> = Vec::new();
            for row in rows {
                let row = row?;
                if !scenarios.iter().any(|known| (&known.path, &known.name) == (&row.path, &row.name)) {
                    scenarios.push(row);
                }
            }
            Ok(Flaky { jobs, scenarios })
        })
    }
}
