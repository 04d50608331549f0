//! The contract of a reporter, and how one fails.

use crate::Account;
use farm::Stamped;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Consumes the events of one run. What it is given with them, and need not keep itself, is the account of all that the
/// run told so far, this event included.
pub trait Reporter: Send {
    /// What people call it: `JUnit`, `console`.
    fn name(&self) -> &str;

    /// Takes in one event.
    ///
    /// # Errors
    /// [`ReportError`] where it could not be written down; the reporter is given the events that follow all the same.
    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError>;

    /// Called when no event has come for a while: a time to write what was put off.
    ///
    /// # Errors
    /// As [`Reporter::on`].
    fn idle(&mut self, _account: &Account) -> Result<(), ReportError> {
        Ok(())
    }

    /// Called once, after the last event.
    ///
    /// # Errors
    /// As [`Reporter::on`].
    fn finish(&mut self, account: &Account) -> Result<(), ReportError>;

    /// Passes on that another reporter failed. Says whether someone has been told.
    fn tell(&mut self, _error: &ReportError) -> bool {
        false
    }
}

/// Why something could not be reported: where, the cause and the mend.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder of the report could not be written.
    #[error("cannot write {}: {cause}; {mend}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
        /// What to do about it.
        mend: &'static str,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}; `--report` keeps the results in files as well")]
    Output(#[source] io::Error),
    /// Another run writes into the same folder.
    #[error("the report folder {} is in use by another run; choose another with `--report`", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A reporter of another crate failed, in its own words.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// A reporter panicked; it gets no more events.
    #[error("the {reporter} reporter panicked: {message}; please report this as a defect of tinyfarm")]
    Panicked {
        /// Its name.
        reporter: String,
        /// What it said.
        message: String,
    },
}

impl ReportError {
    /// That `path` could not be written because of `cause`, with the mend that fits it.
    pub fn write(path: &Path, cause: impl Into<io::Error>) -> Self {
        let cause = cause.into();
        let mend = match cause.kind() {
            io::ErrorKind::StorageFull => "free some space, or choose another folder with `--report`",
            io::ErrorKind::QuotaExceeded => "free some of the quota, or choose another folder with `--report`",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "make it writable, or choose another folder with `--report`"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                "a file stands where the folder should be: move it, or choose another folder with `--report`"
            }
            _ => "choose another folder with `--report`",
        };
        Self::Write { path: path.to_owned(), cause, mend }
    }
}
