//! The history of one board in its file, which several processes read and write.

use super::{Event, History, Record, State, history};
use crate::lease;
use jiff::Timestamp;
use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The history of one board. Every call looks at the file anew, for other processes write it too.
#[derive(Debug, Clone)]
pub struct Health {
    path: PathBuf,
    /// Damaged lines that have been told of.
    told: Arc<AtomicUsize>,
}

/// A history cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {what} {}: {source}; the state folder must be writable to you: let `state` under [boards] of tinyfarm.toml \
     name one that is",
    path.display()
)]
pub struct HealthError {
    /// `make the state folder`, `read the history`, `write the history`.
    pub what: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Where histories lie if the configuration names no folder: `$XDG_STATE_HOME/tinyfarm/boards`, else
/// `~/.local/state/tinyfarm/boards`; for users without a home below `/var/tmp`.
pub fn default_folder() -> PathBuf {
    let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    let folder = state.map(|state| state.join("tinyfarm/boards"));
    folder.unwrap_or_else(|| format!("/var/tmp/tinyfarm-boards-{}", lease::user()).into())
}

impl Health {
    /// The health of the board `identity`, whose history lies in `state_folder`, which is made if it is missing.
    ///
    /// # Errors
    /// [`HealthError`] where the folder cannot be made.
    pub fn open(state_folder: &Path, identity: &str) -> Result<Self, HealthError> {
        let failed = |source| HealthError { what: "make the state folder", path: state_folder.to_owned(), source };
        fs::create_dir_all(state_folder).map_err(failed)?;
        Ok(Self { path: state_folder.join(format!("{}.jsonl", lease::stem(identity))), told: Arc::default() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state now.
    ///
    /// # Errors
    /// [`HealthError`] where the history cannot be read.
    pub fn state(&self) -> Result<State, HealthError> {
        Ok(self.history()?.state())
    }

    /// What happened so far; nothing where there is no file yet.
    ///
    /// # Errors
    /// [`HealthError`] where the history cannot be read.
    pub fn history(&self) -> Result<History, HealthError> {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let history = History::read(&bytes);
                let told = self.told.swap(history.damaged.len(), Ordering::Relaxed);
                for damaged in history.damaged.iter().skip(told) {
                    let (path, line) = (self.path.display(), damaged.line);
                    tracing::warn!("{path}: line {line} cannot be read and is passed over: {}", damaged.why);
                }
                Ok(history)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(History::default()),
            Err(source) => Err(self.error("read the history", source)),
        }
    }

    /// Adds what has happened now, and returns the state it leads to. It is on the disk when this returns, except for
    /// jobs served, of which a power cut may take the last.
    ///
    /// # Errors
    /// [`HealthError`] where the history cannot be read or written.
    pub fn record(&self, event: Event) -> Result<State, HealthError> {
        let durable = !matches!(event, Event::Served | Event::ModelFailed);
        let record = Record { at: Timestamp::now(), user: lease::user(), event };
        self.append(&record, durable).map_err(|source| self.error("write the history", source))
    }

    fn append(&self, record: &Record, durable: bool) -> io::Result<State> {
        let mut file = self.locked()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut line = history::line(record)?;
        if bytes.last().is_some_and(|byte| *byte != b'\n') {
            // The last writer did not come to its end. What it left stays a line of its own.
            line.insert(0, '\n');
        }
        // One write, at the end: who reads without the lock sees all of it or, at worst, a torn last line.
        file.write_all(line.as_bytes())?;
        if durable {
            file.sync_data()?;
        }
        bytes.extend_from_slice(line.as_bytes());
        let history = History::read(&bytes);
        let state = history.state();
        if history.is_long() {
            self.replace(&history.shortened(record.at, &record.user))?;
        }
        Ok(state)
    }

    /// The file, locked against other writers until it is closed.
    fn locked(&self) -> io::Result<File> {
        loop {
            let file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
            file.lock()?;
            // Whoever had it may have put a shortened one in its place.
            let (ours, there) = (file.metadata()?, fs::metadata(&self.path));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(file);
            }
        }
    }

    /// Puts another history in place of this, all or nothing. The caller holds the lock.
    fn replace(&self, history: &History) -> io::Result<()> {
        let new = self.path.with_extension("jsonl.new");
        let mut file = File::create(&new)?;
        file.write_all(history.write()?.as_bytes())?;
        file.sync_all()?;
        if let Ok(old) = fs::metadata(&self.path) {
            file.set_permissions(old.permissions())?;
        }
        fs::rename(&new, &self.path)
    }

    fn error(&self, what: &'static str, source: io::Error) -> HealthError {
        HealthError { what, path: self.path.clone(), source }
    }
}
