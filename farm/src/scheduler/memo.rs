//! Finished jobs that may serve again, within a bound on memory.

use super::JobResult;
use crate::job::JobKey;
use futures::future::{BoxFuture, Shared};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
};

/// A job under way that several may wait for.
pub(super) type Pending = Shared<BoxFuture<'static, Arc<JobResult>>>;

/// What is known of a job that was asked for before.
pub(super) enum Known {
    /// It is under way.
    Pending(Pending),
    /// It ended.
    Done(Arc<JobResult>),
}

enum Entry {
    Pending(Pending),
    /// Weak: a result that fell out of `kept` still serves while someone holds it.
    Done(Weak<JobResult>),
}

/// Jobs by key; holds the newest results, up to a bound on their bytes.
pub(super) struct Memo {
    entries: HashMap<JobKey, Entry>,
    kept: VecDeque<(Arc<JobResult>, usize)>,
    bytes: usize,
    limit: usize,
    sweep_at: usize,
}

impl Memo {
    /// An empty memo that holds at most `limit` bytes of evidence by itself.
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), kept: VecDeque::new(), bytes: 0, limit, sweep_at: 1024 }
    }

    pub(super) fn get(&self, key: &JobKey) -> Option<Known> {
        match self.entries.get(key)? {
            Entry::Pending(pending) => Some(Known::Pending(pending.clone())),
            Entry::Done(result) => result.upgrade().map(Known::Done),
        }
    }

    pub(super) fn start(&mut self, key: JobKey, pending: Pending) {
        self.entries.insert(key, Entry::Pending(pending));
    }

    pub(super) fn finish(&mut self, key: JobKey, result: &Arc<JobResult>) {
        let bytes = weight(result);
        self.entries.insert(key, Entry::Done(Arc::downgrade(result)));
        self.kept.push_back((result.clone(), bytes));
        self.bytes += bytes;
        while self.bytes > self.limit {
            let Some((_, freed)) = self.kept.pop_front() else { break };
            self.bytes -= freed;
        }
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| !matches!(entry, Entry::Done(result) if result.strong_count() == 0));
            self.sweep_at = 2 * self.entries.len().max(512);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// About how many bytes a result takes.
fn weight(result: &JobResult) -> usize {
    let evidence = result.report.evidence.as_ref().map_or(0, |evidence| {
        evidence.log.len() + evidence.inferences.iter().map(|inference| inference.output.len() + 64).sum::<usize>()
    });
    2048 + result.report.log.len() + evidence
}
