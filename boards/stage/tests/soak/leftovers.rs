//! What a process has besides its memory: children, threads, open files, files in the folder for temporary ones.

use super::yard::Result;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process, thread,
    time::{Duration, Instant},
};

/// Between two looks.
const BREATH: Duration = Duration::from_millis(50);

/// How much there is of each, by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers(BTreeMap<String, usize>);

impl Leftovers {
    /// What there is now.
    pub fn look() -> Result<Self> {
        let mut found = BTreeMap::new();
        let mut add = |what: String| *found.entry(what).or_default() += 1;
        for thread in fs::read_dir("/proc/self/task")? {
            let name = fs::read_to_string(thread?.path().join("comm")).unwrap_or_default();
            add(format!("thread {}", name.trim()));
        }
        for file in fs::read_dir("/proc/self/fd")? {
            // That which is read for this list is gone by now. Numbers of sockets and pipes tell nothing.
            let Ok(leads_to) = fs::read_link(file?.path()) else { continue };
            let leads_to = leads_to.to_string_lossy().into_owned();
            if leads_to != format!("/proc/{}/fd", process::id()) {
                add(format!("open {}", leads_to.split(":[").next().unwrap_or_default()));
            }
        }
        for child in fs::read_dir("/proc")? {
            if let Some(name) = child_of(process::id(), &child?.path()) {
                add(format!("process {name}"));
            }
        }
        for file in fs::read_dir(std::env::temp_dir())? {
            let name = file?.file_name().to_string_lossy().into_owned();
            if name.starts_with(&format!("tinyfarm-probe-{}-", process::id())) {
                add(format!("file {name}"));
            }
        }
        Ok(Self(found))
    }

    /// Waits until there is no more of anything than there was `before`.
    ///
    /// # Errors
    /// What is left after `limit`.
    pub fn wait_for(before: &Self, limit: Duration) -> Result {
        let began = Instant::now();
        loop {
            let now = Self::look()?;
            let more = |(what, count): (&String, &usize)| {
                let left = count.saturating_sub(before.0.get(what).copied().unwrap_or_default());
                (left > 0).then(|| format!("{left} × {what}"))
            };
            let left: Vec<String> = now.0.iter().filter_map(more).collect();
            if left.is_empty() {
                return Ok(());
            }
            if began.elapsed() > limit {
                return Err(format!("left over after {limit:?}: {}", left.join(", ")).into());
            }
            // Threads that end by themselves, and processes that are killed, tell nobody.
            thread::sleep(BREATH);
        }
    }
}

/// The name of the process that this folder of `/proc` is about, if it is a child of `parent`.
fn child_of(parent: u32, folder: &Path) -> Option<String> {
    let status = fs::read_to_string(folder.join("stat")).ok()?;
    let (name, rest) = status.split_once('(')?.1.rsplit_once(')')?;
    let found = rest.split_whitespace().nth(1)?;
    (found == parent.to_string()).then(|| name.to_owned())
}
