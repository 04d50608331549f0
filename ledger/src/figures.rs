//! What jobs measured: of a run, and over runs.

use crate::{Ledger, SeriesFigures, SeriesFilter, Trend, TrendPoint, error::Result, runs};
use farm::{
    Digest, History, TargetId,
    history::{Baseline, HistoryError, Series, Spread, Standing},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::{BTreeMap, HashSet, btree_map::Entry};

impl Ledger {
    /// What `run` (its whole name) measured: of each series the last job that brought evidence. A figure on a real clock that
    /// was measured again is what it was then: it was, because the first was in doubt.
    ///
    /// # Errors
    /// There is no such run.
    pub fn figures(&self, run: &str) -> Result<BTreeMap<Series, SeriesFigures>> {
        let (id, _) = self.find_exact(run)?;
        self.read(|connection| {
            let mut figures = of_jobs(connection, id)?;
            let mut select = connection.prepare_cached(
                "SELECT job.id, number, outputs, provenance.model, provenance.dataset, simulated,
                        series.model, series.dataset, series.target, rerun > 0
                 FROM job JOIN series ON series.id = job.series JOIN provenance ON provenance.id = job.provenance
                 WHERE run = ? AND outputs IS NOT NULL ORDER BY rerun > 0, at, job.id",
            )?;
            let mut all = BTreeMap::<Series, SeriesFigures>::new();
            let mut rows = select.query([id])?;
            while let Some(row) = rows.next()? {
                let (job, again): (i64, bool) = (row.get(0)?, row.get(9)?);
                let measured = SeriesFigures {
                    job: row.get::<_, i64>(1)? as u64,
                    figures: figures.remove(&job).unwrap_or_default(),
                    outputs: digest(row, 2)?,
                    model: digest(row, 3)?,
                    dataset: digest(row, 4)?,
                    simulated: row.get(5)?,
                    confirmed: again,
                };
                match all.entry(series(row, 6)?) {
                    Entry::Occupied(mut known) if again => known.get_mut().measured_again(measured),
                    // A later job of the same series takes the place of an earlier one.
                    Entry::Occupied(mut known) => drop(known.insert(measured)),
                    Entry::Vacant(vacant) => drop(vacant.insert(measured)),
                }
            }
            Ok(all)
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
        dataset: Option<Digest>,
        limit: usize,
    ) -> std::result::Result<Vec<f64>, HistoryError> {
        let found = self.read(|connection| {
            let Some(id) = series_number(connection, series)? else { return Ok(Vec::new()) };
            let dataset = dataset.map(|digest| digest.to_string());
            let made = "?3 IS NULL OR job.provenance IN (SELECT id FROM provenance WHERE dataset = ?3)";
            let mut values = values(connection, made, LATEST_FIRST, params![id, metric, dataset], limit)?;
            values.reverse();
            Ok(values)
        });
        found.map_err(|error| HistoryError(error.to_string()))
    }

    fn among(&self, series: &Series, metric: &str, standing: &Standing) -> std::result::Result<Vec<f64>, HistoryError> {
        let found = self.read(|connection| {
            let Some(id) = series_number(connection, series)? else { return Ok(Vec::new()) };
            among(connection, id, metric, standing)
        });
        found.map_err(|error| HistoryError(error.to_string()))
    }
}

const LATEST_FIRST: &str = "job.at DESC, job.id DESC";

/// See [`History::among`].
fn among(connection: &Connection, series: i64, metric: &str, standing: &Standing) -> rusqlite::Result<Vec<f64>> {
    let [model, dataset] = [standing.model, standing.dataset].map(|digest| digest.to_string());
    let own: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT job.at, job.provenance FROM job JOIN provenance ON provenance.id = job.provenance
             WHERE job.series = ?1 AND job.rerun = 0 AND job.run = (SELECT id FROM run WHERE name = ?2)
               AND provenance.model = ?3 AND provenance.dataset = ?4
             ORDER BY job.at DESC, job.id DESC LIMIT 1",
        )?
        .query_row(params![series, standing.run, model, dataset], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Of a run that is not there nobody knows what it was made with.
    let Some((at, provenance)) = own else { return Ok(Vec::new()) };
    let of = params![series, metric, at, provenance];
    let until = "job.at <= ?3 AND job.provenance = ?4";
    let mut all = values(connection, until, LATEST_FIRST, of, Spread::MOST)?;
    all.reverse();
    if all.len() < Spread::LEAST {
        let after = "job.at > ?3 AND job.provenance = ?4";
        all.extend(values(connection, after, "job.at, job.id", of, Spread::LEAST - all.len())?);
    }
    Ok(all)
}

/// The values of a metric (`?2`) of a series (`?1`) in `limit` runs, in this `order`, where `made` holds of the job.
fn values(
    connection: &Connection,
    made: &str,
    order: &str,
    parameters: impl rusqlite::Params,
    limit: usize,
) -> rusqlite::Result<Vec<f64>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT job.run, figure.value
         FROM job JOIN figure ON figure.job = job.id AND figure.metric = (SELECT id FROM metric WHERE name = ?2)
         WHERE job.series = ?1 AND job.rerun = 0 AND job.run NOT IN (SELECT id FROM run WHERE state = 'running')
           AND ({made})
         ORDER BY {order}"
    ))?;
    let mut rows = select.query(parameters)?;
    let (mut values, mut seen) = (Vec::new(), HashSet::new());
    while let Some(row) = rows.next()? {
        let run: i64 = row.get(0)?;
        // Of several jobs of a run one counts, the last of them where the latest comes first. Those of two runs may alternate.
        if !seen.insert(run) {
            continue;
        }
        if values.len() == limit {
            break;
        }
        values.push(row.get(1)?);
    }
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
