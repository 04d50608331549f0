//! Why a ledger cannot be used: which file, what is wrong, and the mend.

use std::{io, path::PathBuf};

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is none.
    #[error("there is no ledger at {}; the first `tinyfarm run` makes one, and `ledger.file` in tinyfarm.toml says where", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is no ledger of tinyfarm: {detail}; move it away, or name another file in `ledger.file` of tinyfarm.toml", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// A later version wrote it.
    #[error("the ledger {} is of version {found}, and this tinyfarm knows versions up to {known}; use a newer tinyfarm", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// Another process keeps writing.
    #[error("the ledger {} is locked by another process that has been writing for {waited} s; try again when it is done", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long it was waited for, seconds.
        waited: u64,
    },
    /// It cannot be written or read.
    #[error("cannot {what} the ledger {}: {detail}; {mend}", path.display())]
    Io {
        /// `open`, `write`, `read`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system or SQLite said.
        detail: String,
        /// What to do about it.
        mend: &'static str,
    },
    /// What is in it is damaged.
    #[error("the ledger {} is damaged: {detail}; `tinyfarm ledger verify` says where, and what can be read can be kept with `tinyfarm ledger export`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What.
        detail: String,
    },
    /// No run is meant by these words.
    #[error("no run `{selector}` in the ledger: {mend}")]
    UnknownRun {
        /// What was asked for.
        selector: String,
        /// What there is.
        mend: String,
    },
    /// Several runs are meant.
    #[error("`{selector}` is the beginning of several runs: {candidates}; write more of it")]
    Ambiguous {
        /// What was asked for.
        selector: String,
        /// Some of them.
        candidates: String,
    },
    /// Events were pruned.
    #[error("the events of run {run} were pruned, so that it cannot be shown again")]
    NoEvents {
        /// Which run.
        run: String,
    },
    /// A run that is under way cannot be changed.
    #[error("run {run} is under way in another process; try again when it has ended")]
    UnderWay {
        /// Which run.
        run: String,
    },
    /// A run that ended is not gone on with.
    #[error("run {run} has come to its end meanwhile; begin another")]
    Ended {
        /// Which run.
        run: String,
    },
    /// Nothing was there to accept.
    #[error("nothing to accept in run {run}: {why}")]
    NothingToAccept {
        /// Which run.
        run: String,
        /// Why.
        why: String,
    },
    /// A line of what is imported.
    #[error("line {line} of what is imported is wrong: {detail}; nothing was imported")]
    Import {
        /// From 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// What is exported cannot be written.
    #[error("cannot write the export: {0}")]
    Export(#[source] io::Error),
}

/// A result, or why there is none.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// How long a writer waits for another, seconds.
pub(crate) const PATIENCE: u64 = 30;

impl LedgerError {
    /// What SQLite said of the ledger at `path` while it was to `what` it.
    pub(crate) fn sqlite(path: &std::path::Path, what: &'static str, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        let detail = match error {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        let io = |mend| Self::Io { what, path: path.clone(), detail: detail.clone(), mend };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path, waited: PATIENCE },
            Some(ErrorCode::NotADatabase) => Self::NotALedger { path, detail },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, detail },
            Some(ErrorCode::DiskFull) => io("free some space on its disk"),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => io(
                "make it and its folder writable, name another file in `ledger.file` of tinyfarm.toml, or run with `--no-ledger`",
            ),
            // A quota, or a limit on the size of files.
            Some(ErrorCode::SystemIoFailure) => io("see whether its disk has space left and is sound"),
            _ => io("`tinyfarm ledger verify` may tell more"),
        }
    }
}
