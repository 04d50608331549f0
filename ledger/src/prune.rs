//! What is old taken out. A run that a baseline stands on stays, and so does one that is under way.

use crate::{Ledger, RunFilter, RunRow, RunState, baselines::in_force, error::Result, open::RunLock};
use jiff::Timestamp;
use rusqlite::params;
use std::collections::BTreeSet;

/// What is taken out. A run must meet all that is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneRule {
    /// Only what started before then.
    pub before: Option<Timestamp>,
    /// The latest so many runs stay.
    pub keep: Option<usize>,
    /// Only the events, which take most of the room: figures and verdicts stay, and the run cannot be shown again.
    pub events_only: bool,
    /// Take out nothing, only tell.
    pub dry_run: bool,
}

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs, by name.
    pub runs: Vec<String>,
    /// Runs that would have been, and stay because a baseline stands on them.
    pub kept: Vec<String>,
    /// Bytes that the file is smaller.
    pub freed: u64,
}

impl Ledger {
    /// Takes out what `rule` says. What rows were freed is given back to the disk.
    ///
    /// # Errors
    /// It cannot be written; nothing is taken out then.
    pub fn prune(&self, rule: &PruneRule) -> Result<Pruned> {
        let accepted: BTreeSet<String> = self.read(|connection| {
            let sql = format!("SELECT DISTINCT run FROM acceptance WHERE id IN ({})", in_force(""));
            connection.prepare_cached(&sql)?.query_map((), |row| row.get(0))?.collect()
        })?;
        let runs = self.runs(&RunFilter::default())?;
        let old =
            |run: &RunRow| rule.before.is_none_or(|before| run.started < before) && run.state != RunState::Running;
        let chosen = runs.into_iter().skip(rule.keep.unwrap_or(0)).filter(old);
        let chosen = chosen.filter(|run| !rule.events_only || run.has_events);
        let (kept, chosen): (Vec<RunRow>, Vec<RunRow>) =
            chosen.partition(|run| !rule.events_only && accepted.contains(&run.name));
        // One that was cut may be gone on with. Letting go of its lock removes the file that the kill left.
        let mut locks = Vec::new();
        let mut free = |run: &RunRow| match RunLock::take(self.path(), &run.name) {
            Ok(Some(lock)) => {
                locks.push(lock);
                true
            }
            Ok(None) => false,
            // Nobody can write here: neither can the ledger be, which says so itself.
            Err(_) => true,
        };
        let chosen = chosen.into_iter().filter(|run| rule.dry_run || run.state != RunState::Cut || free(run)).collect();
        let names = |runs: Vec<RunRow>| runs.into_iter().map(|run| run.name).collect::<Vec<_>>();
        let mut pruned = Pruned { runs: names(chosen), kept: names(kept), freed: 0 };
        if rule.dry_run || pruned.runs.is_empty() {
            return Ok(pruned);
        }
        let size = || std::fs::metadata(self.path()).map_or(0, |file| file.len());
        let before = size();
        self.write(|connection| {
            let sql = match rule.events_only {
                true => "DELETE FROM news WHERE run = (SELECT id FROM run WHERE name = ?)",
                false => "DELETE FROM run WHERE name = ?",
            };
            let mut delete = connection.prepare(sql).map_err(self.failed("write"))?;
            let mut mark =
                connection.prepare("UPDATE run SET pruned = 1 WHERE name = ?").map_err(self.failed("write"))?;
            for name in &pruned.runs {
                mark.execute(params![name]).map_err(self.failed("write"))?;
                delete.execute(params![name]).map_err(self.failed("write"))?;
            }
            Ok(())
        })?;
        // Others may be reading: then the room is used again instead of given back.
        let shrunk = self.lock().execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
        if let Err(error) = shrunk {
            tracing::debug!(%error, "the ledger was not made smaller");
        }
        pruned.freed = before.saturating_sub(size());
        Ok(pruned)
    }
}
