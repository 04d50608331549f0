//! What was accepted, by whom, and why. Nothing of it is ever changed: the newest acceptance of a figure is its baseline.

use crate::{
    Ledger, LedgerError, RunState, SeriesFilter,
    derive::{metric_id, series_id},
    error::Result,
    figures::{column, digest, series},
    runs::timestamp,
};
use farm::{
    Digest,
    history::{Accepted, Baseline, Comparison, OUTPUTS, Series, followed},
};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What of a run is accepted.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Which series.
    pub series: SeriesFilter,
    /// Only this metric, or [`OUTPUTS`]; `None`: everything that is compared.
    pub metric: Option<String>,
    /// None of these series.
    pub except: BTreeSet<Series>,
}

impl Choice {
    fn wants(&self, series: &Series) -> bool {
        self.series.wants(series) && !self.except.contains(series)
    }
}

/// Who accepts, when and why.
#[derive(Debug, Clone)]
pub struct AcceptNote {
    /// Who.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What was accepted of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedSeries {
    /// Which.
    pub series: Series,
    /// The names of its metrics; [`OUTPUTS`] among them.
    pub metrics: Vec<String>,
}

/// A figure, or the outputs, as accepted at some time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Acceptance {
    /// Of which series.
    pub series: Series,
    /// Metric, or [`OUTPUTS`].
    pub metric: String,
    /// The figure; `None` for the outputs. With neither it was taken out: the run did not measure it any more.
    pub value: Option<f64>,
    /// The outputs' digest; `None` for a figure.
    pub outputs: Option<Digest>,
    /// The run that measured it.
    pub run: String,
    /// Its commit.
    pub commit: Option<String>,
    /// Digest of the model it was measured with.
    pub model: Digest,
    /// Digest of the dataset it was measured with.
    pub dataset: Digest,
    /// When it was accepted.
    pub at: Timestamp,
    /// By whom.
    pub who: String,
    /// Why.
    pub reason: String,
}

const COLUMNS: &str = "series.model, series.dataset, series.target, metric.name, value, outputs, run, commit_id,
                       acceptance.model, acceptance.dataset, at, who, reason";
const TABLES: &str =
    "acceptance JOIN series ON series.id = acceptance.series JOIN metric ON metric.id = acceptance.metric";

impl Ledger {
    /// Accepts what `run` (its whole name) measured: of each series that is chosen, every figure that is compared.
    ///
    /// # Errors
    /// There is no such run, it is under way, or it measured nothing of what is chosen.
    pub fn accept(&self, run: &str, choice: &Choice, note: &AcceptNote) -> Result<Vec<AcceptedSeries>> {
        let (_, row) = self.find_exact(run)?;
        if row.state == RunState::Running {
            return Err(LedgerError::UnderWay { run: run.to_owned() });
        }
        let nothing = |why: String| LedgerError::NothingToAccept { run: run.to_owned(), why };
        let measured = self.figures(run)?;
        if measured.is_empty() {
            return Err(nothing("no job of it brought evidence back".to_owned()));
        }
        let commit = row.origin.commit.as_deref();
        let before = self.baselines()?;
        let mut all = Vec::new();
        let mut acceptances = Vec::new();
        for (series, found) in measured.into_iter().filter(|(series, _)| choice.wants(series)) {
            let compared = |metric: &str| {
                let informational = followed(metric).is_some_and(|info| info.comparison == Comparison::Informational);
                !informational && choice.metric.as_ref().is_none_or(|wanted| wanted == metric)
            };
            let of = |metric: &str, value, outputs| Acceptance {
                series: series.clone(),
                metric: metric.to_owned(),
                value,
                outputs,
                run: run.to_owned(),
                commit: commit.map(str::to_owned),
                model: found.model,
                dataset: found.dataset,
                at: note.at,
                who: note.who.clone(),
                reason: note.reason.clone(),
            };
            let outputs = compared(OUTPUTS).then(|| of(OUTPUTS, None, Some(found.outputs)));
            let figures = found.figures.iter().filter(|(metric, _)| compared(metric));
            let mut accepted: Vec<Acceptance> = outputs.into_iter().collect();
            accepted.extend(figures.map(|(metric, value)| of(metric, Some(*value), None)));
            let metrics: Vec<String> = accepted.iter().map(|it| it.metric.clone()).collect();
            if metrics.is_empty() {
                continue;
            }
            // What is not measured any more is not wanted any more, where all of a series is accepted.
            let known = before.get(&series).filter(|_| choice.metric.is_none()).into_iter();
            let gone = known.flat_map(|known| known.figures.keys()).filter(|metric| !metrics.contains(metric));
            accepted.extend(gone.map(|metric| of(metric, None, None)));
            acceptances.append(&mut accepted);
            all.push(AcceptedSeries { series, metrics });
        }
        if all.is_empty() {
            return Err(nothing("it measured nothing of what is chosen".to_owned()));
        }
        self.write(|connection| {
            acceptances.iter().try_for_each(|it| insert(connection, it)).map_err(self.failed("write"))
        })?;
        Ok(all)
    }

    /// The baseline of every series that has one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn baselines(&self) -> Result<BTreeMap<Series, Baseline>> {
        self.baselines_of(None)
    }

    pub(crate) fn baselines_of(&self, of: Option<&Series>) -> Result<BTreeMap<Series, Baseline>> {
        let newest = self.read(|connection| {
            let (model, dataset, target) = match of {
                Some(of) => (Some(&of.model), Some(&of.dataset), Some(&of.target.0)),
                None => (None, None, None),
            };
            let wanted = match of {
                Some(_) => "WHERE series = (SELECT id FROM series WHERE model = ?1 AND dataset = ?2 AND target = ?3)",
                None => "WHERE ?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL",
            };
            let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE acceptance.id IN ({})", in_force(wanted));
            connection
                .prepare_cached(&sql)?
                .query_map(params![model, dataset, target], acceptance)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let mut all = BTreeMap::<Series, Baseline>::new();
        for it in newest {
            let Acceptance { run, commit, at, model, dataset, .. } = it;
            let baseline = all.entry(it.series).or_default();
            if let Some(value) = it.value {
                baseline.figures.insert(it.metric, Accepted { value, run, commit, at, model, dataset });
            } else if let Some(value) = it.outputs {
                baseline.outputs = Some(Accepted { value, run, commit, at, model, dataset });
            }
        }
        Ok(all)
    }

    /// Everything that was ever accepted of the series that `filter` wants, the newest first.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn acceptances(&self, filter: &SeriesFilter) -> Result<Vec<Acceptance>> {
        let all = self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM {TABLES} ORDER BY at DESC, acceptance.id DESC");
            connection.prepare_cached(&sql)?.query_map((), acceptance)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(all.into_iter().filter(|it| filter.wants(&it.series)).collect())
    }
}

/// Adds `it`.
pub(crate) fn insert(connection: &Connection, it: &Acceptance) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO acceptance (series, metric, value, outputs, run, commit_id, model, dataset, at, who, reason)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            series_id(connection, &it.series)?,
            metric_id(connection, &it.metric)?,
            it.value,
            it.outputs.map(|digest| digest.to_string()),
            it.run,
            it.commit,
            it.model.to_string(),
            it.dataset.to_string(),
            column(it.at),
            it.who,
            it.reason,
        ])?;
    Ok(())
}

fn acceptance(row: &Row<'_>) -> rusqlite::Result<Acceptance> {
    let has_outputs = row.get::<_, Option<String>>(5)?.is_some();
    Ok(Acceptance {
        series: series(row, 0)?,
        metric: row.get(3)?,
        value: row.get(4)?,
        outputs: has_outputs.then(|| digest(row, 5)).transpose()?,
        run: row.get(6)?,
        commit: row.get(7)?,
        model: digest(row, 8)?,
        dataset: digest(row, 9)?,
        at: timestamp(row.get(10)?),
        who: row.get(11)?,
        reason: row.get(12)?,
    })
}

/// The statement that finds the newest acceptance of each series and metric, of those that `wanted` says.
pub(crate) fn in_force(wanted: &str) -> String {
    format!(
        "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY series, metric ORDER BY at DESC, id DESC) AS place
                         FROM acceptance {wanted}) WHERE place = 1"
    )
}

/// The acceptances that stand on what `runs` measured, or all, the oldest first.
pub(crate) fn of_runs(connection: &Connection, runs: Option<&[String]>) -> rusqlite::Result<Vec<Acceptance>> {
    let of = |wanted: &str| format!("SELECT {COLUMNS} FROM {TABLES} {wanted} ORDER BY at, acceptance.id");
    let Some(runs) = runs else {
        return connection.prepare_cached(&of(""))?.query_map((), acceptance)?.collect();
    };
    let mut all = Vec::new();
    for run in runs {
        let mut select = connection.prepare_cached(&of("WHERE run = ?"))?;
        for it in select.query_map([run], acceptance)? {
            all.push(it?);
        }
    }
    all.sort_by_key(|it| it.at);
    Ok(all)
}

/// Whether exactly this is there.
pub(crate) fn is_there(connection: &Connection, it: &Acceptance) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM acceptance WHERE series = ? AND metric = ? AND at = ? AND value IS ?
             AND outputs IS ? AND run = ? AND who = ? AND reason = ?)",
        )?
        .query_row(
            params![
                series_id(connection, &it.series)?,
                metric_id(connection, &it.metric)?,
                column(it.at),
                it.value,
                it.outputs.map(|digest| digest.to_string()),
                it.run,
                it.who,
                it.reason,
            ],
            |row| row.get(0),
        )
}

/// What is wrong with acceptances: rows that cannot be read, and figures that their run, where it is there, did not measure.
pub(crate) fn unsound(ledger: &Ledger) -> Result<Vec<(Option<String>, String)>> {
    let rows = ledger.read(|connection| {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} ORDER BY acceptance.id");
        let mut select = connection.prepare_cached(&sql)?;
        select.query_map((), |row| Ok(acceptance(row)))?.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let (mut measured, mut wrong) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let it = match row {
            Ok(it) => it,
            Err(error) => {
                wrong.push((None, format!("an accepted figure cannot be read: {error}")));
                continue;
            }
        };
        let figures = measured.entry(it.run.clone()).or_insert_with(|| ledger.figures(&it.run).ok());
        // A run may have been pruned since.
        let Some(figures) = figures else { continue };
        let found = figures.get(&it.series);
        if it.value.is_none() && it.outputs.is_none() {
            continue;
        }
        let same = match it.value {
            Some(value) => found.and_then(|found| found.figures.get(&it.metric)) == Some(&value),
            None => found.map(|found| found.outputs) == it.outputs,
        };
        if !same {
            let Series { model, dataset, target } = &it.series;
            let what = format!("the accepted {} of {model} over {dataset} on {target}", it.metric);
            wrong.push((Some(it.run), format!("{what} is not what it measured")));
        }
    }
    Ok(wrong)
}
