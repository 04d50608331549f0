//! A run that was cut short, and goes on.

use crate::plan::PlannedScenario;
use farm::{EventSink, FarmEvent, Stamped, events::ScenarioId};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A run that was cut short: what it told before.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// Its events, in their order, `RunStarted` first.
    pub events: Vec<Stamped>,
}

impl Resume {
    /// The number of the next job, for [`farm::scheduler::SchedulerOptions::first_job`].
    pub fn first_job(&self) -> u64 {
        let last = self.events.iter().filter_map(|stamped| match &stamped.event {
            FarmEvent::JobQueued { job, .. } => Some(job.0),
            FarmEvent::JobFinished { report, .. } => Some(report.id.0),
            _ => None,
        });
        last.max().unwrap_or(0) + 1
    }

    /// The texts of feature files that were told.
    pub(super) fn features(&self) -> HashMap<String, Arc<str>> {
        let texts = self.events.iter().filter_map(|stamped| match &stamped.event {
            FarmEvent::FeatureRead { path, text } => Some((path.clone(), text.as_str().into())),
            _ => None,
        });
        texts.collect()
    }

    /// Tells again what was told, and leaves of `scenarios` those that have no verdict yet.
    pub(super) fn replay(self, scenarios: &mut Vec<Arc<PlannedScenario>>, sink: &EventSink) {
        let finished = self.finished();
        scenarios.retain(|scenario| !finished.contains(&scenario.id));
        drop(finished);
        // The end, if it was reached at all, is to come anew.
        let told = self.events.into_iter().filter(|stamped| !matches!(stamped.event, FarmEvent::RunFinished { .. }));
        told.for_each(|stamped| sink.replay(stamped));
        sink.send(FarmEvent::RunResumed { scenarios: scenarios.len() });
    }

    /// The scenarios that have their verdict.
    pub fn finished(&self) -> HashSet<&ScenarioId> {
        let finished = self.events.iter().filter_map(|stamped| match &stamped.event {
            FarmEvent::ScenarioFinished { scenario, .. } => Some(scenario),
            _ => None,
        });
        finished.collect()
    }
}
