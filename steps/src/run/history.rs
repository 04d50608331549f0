//! What is told of the past: the feature's text, and what a job's figures were before.

use super::Shared;
use farm::{
    FarmEvent,
    history::{HistoryError, MetricHistory, Series, figures},
    scheduler::JobResult,
};
use std::sync::{Arc, PoisonError};

/// How many earlier values are told of each figure.
const POINTS: usize = 30;

impl Shared {
    /// Tells the text of a feature file, the first time that it is needed.
    pub(super) fn tell_feature(&self, path: &str, text: &Arc<str>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Most often it is the very same text: it is compared by its bytes only where another run told it.
        let known = read.get(path).is_some_and(|known| Arc::ptr_eq(known, text) || known == text);
        read.insert(path.to_owned(), Arc::clone(text));
        if known {
            return;
        }
        self.sink.send(FarmEvent::FeatureRead { path: path.to_owned(), text: text.to_string() });
    }

    /// Tells what the figures of a job were before, the first time that it is used.
    pub(super) async fn tell_history(&self, result: &JobResult) {
        let report = &result.report;
        let (Some(history), Some(summary), Some(evidence)) = (&self.history, &result.summary, &report.evidence) else {
            return;
        };
        let first = self.historied.lock().unwrap_or_else(PoisonError::into_inner).insert(report.id);
        if !first || report.rerun > 0 {
            return;
        }
        let (history, series, dataset) = (Arc::clone(history), Series::of(report), evidence.provenance.dataset);
        let metrics: Vec<&str> = figures(summary, report.simulated).iter().map(|figure| figure.metric).collect();
        let asked = tokio::task::spawn_blocking(move || {
            let baseline = history.baseline(&series)?.unwrap_or_default();
            let known = metrics.into_iter().map(|metric| {
                Ok(MetricHistory {
                    metric: metric.to_owned(),
                    baseline: baseline.figures.get(metric).map(|accepted| accepted.value),
                    points: history.recent(&series, metric, Some(dataset), POINTS)?,
                })
            });
            known.collect::<Result<Vec<_>, HistoryError>>()
        });
        let mut metrics = match asked.await {
            Ok(Ok(metrics)) => metrics,
            Ok(Err(error)) => return tracing::warn!(job = %report.id, "{error}"),
            Err(panic) => return tracing::error!(job = %report.id, "reading the ledger: {panic}"),
        };
        metrics.retain(|metric| metric.baseline.is_some() || !metric.points.is_empty());
        if !metrics.is_empty() {
            self.sink.send(FarmEvent::JobHistory { job: report.id, metrics });
        }
    }
}
