//! How far the builds of runners have come, told now and then: they are compiled at the same time, and so all of them are
//! done only at the end.

use crate::text;
use farm::TargetId;
use jiff::Timestamp;
use std::{collections::HashMap, time::Duration};

/// Nobody is left without a word for longer, as long as compilers come along.
const PAUSE: Duration = Duration::from_secs(10);

/// The runners that this run has compiled, or compiles.
#[derive(Default)]
pub(super) struct Builds {
    /// Of each its files: those done, and all.
    files: HashMap<TargetId, (usize, usize)>,
    built: usize,
    told: Option<Timestamp>,
}

impl Builds {
    /// Takes in how far the runner of `target` is; a line, if it is time for one.
    pub(super) fn on(&mut self, target: &TargetId, done: usize, total: usize, at: Timestamp) -> Option<String> {
        self.files.insert(target.clone(), (done, total));
        let since = at.duration_since(*self.told.get_or_insert(at));
        if since.unsigned_abs() < PAUSE {
            return None;
        }
        self.told = Some(at);
        let (done, total) = self.files.values().fold((0, 0), |sum, files| (sum.0 + files.0, sum.1 + files.1));
        let runners = text::count(self.files.len(), "runner");
        Some(format!(
            "built {} of {runners}, {} of {}",
            self.built,
            text::thousands(done as u64),
            text::count(total, "file")
        ))
    }

    /// The runner of `target` is there.
    pub(super) fn done(&mut self, target: &TargetId) {
        self.built += usize::from(self.files.contains_key(target));
    }
}
