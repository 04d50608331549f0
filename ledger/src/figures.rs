//! What jobs measured: of a run, and over runs.

use crate::{Ledger, SeriesFigures, SeriesFilter, Trend, TrendPoint, error::Result, runs};
use farm::{
    Digest, History, TargetId,
    history::{Baseline, HistoryError, RECENT, Series, Spread},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::{BTreeMap, HashSet};

impl Ledger {
    /// What `run` (its whole name) measured: of each series the last job that brought evidence, first measurements only.
    ///
    /// # Errors
    /// There is no such run.
    pub fn figures(&self, run: &str) -> Result<BTreeMap<Series, SeriesFigures>> {
        let (id, _) = self.find_exact(run)?;
        self.read(|connection| {
            let mut figures = of_jobs(connection, id)?;
            let mut select = connection.prepare_cached(
                "SELECT job.id, number, outputs, provenance.model, provenance.dataset, simulated,
                        series.model, series.dataset, series.target
                 FROM job JOIN series ON series.id = job.series JOIN provenance ON provenance.id = job.provenance
                 WHERE run = ? AND rerun = 0 AND outputs IS NOT NULL ORDER BY number",
            )?;
            let rows = select.query_map([id], |row| {
                let job: i64 = row.get(0)?;
                let measured = SeriesFigures {
                    job: row.get::<_, i64>(1)? as u64,
                    figures: figures.remove(&job).unwrap_or_default(),
                    outputs: digest(row, 2)?,
                    model: digest(row, 3)?,
                    dataset: digest(row, 4)?,
                    simulated: row.get(5)?,
                };
                Ok((series(row, 6)?, measured))
            })?;
            // A later job of the same series takes the place of an earlier one.
            rows.collect()
        })
    }

    /// What `metric` was over the latest `limit` runs that came to an end, of every series that `filter` wants and that was
    /// ever measured by it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn trend(&self, filter: &SeriesFilter, metric: &str, limit: usize) -> Result<Vec<Trend>> {
        let baselines = self.baselines()?;
        self.read(|connection| {
            let all = all_series(connection)?;
            let mut trends = Vec::new();
            for (id, series) in all.into_iter().filter(|(_, series)| filter.wants(series)) {
                let points = points(connection, id, metric, limit)?;
                if !points.is_empty() {
                    let accepted = baselines.get(&series).and_then(|baseline| baseline.figures.get(metric));
                    trends.push(Trend { baseline: accepted.map(|accepted| accepted.value), series, points });
                }
            }
            Ok(trends)
        })
    }

    /// As much of [`History::recent`] as [`farm::history::around`] wants for the value `accepted`, and no more: most often that
    /// is a small part, and a comparison asks for thousands.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn recent_around(
        &self,
        series: &Series,
        metric: &str,
        [model, dataset]: [Digest; 2],
        accepted: f64,
    ) -> Result<Vec<f64>> {
        self.read(|connection| {
            let Some(id) = series_number(connection, series)? else { return Ok(Vec::new()) };
            values(connection, id, metric, [Some(model), Some(dataset)], RECENT, Some(accepted))
        })
    }
}

impl History for Ledger {
    fn baseline(&self, series: &Series) -> std::result::Result<Option<Baseline>, HistoryError> {
        let found = self.baselines_of(Some(series)).map_err(|error| HistoryError(error.to_string()))?;
        Ok(found.into_values().next())
    }

    fn recent(
        &self,
        series: &Series,
        metric: &str,
        model: Option<Digest>,
        dataset: Option<Digest>,
        limit: usize,
    ) -> std::result::Result<Vec<f64>, HistoryError> {
        let found = self.read(|connection| {
            let Some(id) = series_number(connection, series)? else { return Ok(Vec::new()) };
            values(connection, id, metric, [model, dataset], limit, None)
        });
        found.map_err(|error| HistoryError(error.to_string()))
    }
}

/// As [`points`], only the values, and quicker: of a comparison there are thousands.
fn values(
    connection: &Connection,
    series: i64,
    metric: &str,
    [model, dataset]: [Option<Digest>; 2],
    mut limit: usize,
    mut until: Option<f64>,
) -> rusqlite::Result<Vec<f64>> {
    let made_of = match (model, dataset) {
        (None, None) => "?3 IS NULL AND ?4 IS NULL",
        (Some(_), None) => "?4 IS NULL AND job.provenance IN (SELECT id FROM provenance WHERE model = ?3)",
        (None, Some(_)) => "?3 IS NULL AND job.provenance IN (SELECT id FROM provenance WHERE dataset = ?4)",
        (Some(_), Some(_)) => "job.provenance IN (SELECT id FROM provenance WHERE model = ?3 AND dataset = ?4)",
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT job.run, figure.value
         FROM job JOIN figure ON figure.job = job.id AND figure.metric = (SELECT id FROM metric WHERE name = ?2)
         WHERE job.series = ?1 AND job.rerun = 0 AND job.run NOT IN (SELECT id FROM run WHERE state = 'running')
           AND {made_of}
         ORDER BY job.at DESC, job.id DESC"
    ))?;
    let [model, dataset] = [model, dataset].map(|digest| digest.map(|digest| digest.to_string()));
    let mut rows = select.query(params![series, metric, model, dataset])?;
    let (mut values, mut seen) = (Vec::new(), HashSet::new());
    while let Some(row) = rows.next()? {
        let run: i64 = row.get(0)?;
        // Of several jobs of a run the last one counts, which comes first here. Those of two runs may alternate.
        if !seen.insert(run) {
            continue;
        }
        if values.len() == limit {
            break;
        }
        let value: f64 = row.get(1)?;
        values.push(value);
        if until.is_some_and(|until| until.to_bits() == value.to_bits()) {
            limit = limit.min(values.len() + Spread::MOST);
            until = None;
        }
    }
    values.reverse();
    Ok(values)
}

/// What `metric` of a series was in the latest `limit` runs that came to an end, oldest first.
fn points(connection: &Connection, series: i64, metric: &str, limit: usize) -> rusqlite::Result<Vec<TrendPoint>> {
    let mut select = connection.prepare_cached(
        "SELECT run.name, run.commit_id, job.at, figure.value
         FROM job
         JOIN figure ON figure.job = job.id AND figure.metric = (SELECT id FROM metric WHERE name = ?2)
         JOIN run ON run.id = job.run
         WHERE job.series = ?1 AND job.rerun = 0 AND run.state <> 'running'
         ORDER BY job.at DESC, job.id DESC",
    )?;
    let mut rows = select.query(params![series, metric])?;
    let (mut points, mut seen): (Vec<TrendPoint>, _) = (Vec::new(), HashSet::new());
    while let Some(row) = rows.next()? {
        let point =
            TrendPoint { run: row.get(0)?, commit: row.get(1)?, at: runs::timestamp(row.get(2)?), value: row.get(3)? };
        // As above.
        if !seen.insert(point.run.clone()) {
            continue;
        }
        if points.len() == limit {
            break;
        }
        points.push(point);
    }
    points.reverse();
    Ok(points)
}

/// The figures of every job of a run, by the job's row.
pub(crate) fn of_jobs(connection: &Connection, run: i64) -> rusqlite::Result<BTreeMap<i64, BTreeMap<String, f64>>> {
    let sql = "SELECT figure.job, metric.name, figure.value FROM job JOIN figure ON figure.job = job.id
               JOIN metric ON metric.id = figure.metric WHERE job.run = ?";
    runs::grouped(connection, sql, [run])
}

/// Every series, with its number.
pub(crate) fn all_series(connection: &Connection) -> rusqlite::Result<Vec<(i64, Series)>> {
    let sql = "SELECT id, model, dataset, target FROM series ORDER BY model, dataset, target";
    let mut select = connection.prepare_cached(sql)?;
    select.query_map((), |row| Ok((row.get(0)?, series(row, 1)?)))?.collect()
}

pub(crate) fn series_number(connection: &Connection, series: &Series) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM series WHERE model = ? AND dataset = ? AND target = ?")?
        .query_row(params![series.model, series.dataset, series.target.0], |row| row.get(0))
        .optional()
}

/// A series from three columns, the first at `at`.
pub(crate) fn series(row: &Row<'_>, at: usize) -> rusqlite::Result<Series> {
    Ok(Series { model: row.get(at)?, dataset: row.get(at + 1)?, target: TargetId(row.get(at + 2)?) })
}

/// A digest from the column at `at`.
pub(crate) fn digest(row: &Row<'_>, at: usize) -> rusqlite::Result<Digest> {
    let text: String = row.get(at)?;
    text.parse().map_err(|error: farm::digest::NotADigest| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })
}

/// When, for a column.
pub(crate) fn column(at: Timestamp) -> i64 {
    at.as_microsecond()
}
