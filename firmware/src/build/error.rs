//! Why a runner could not be built.

use farm::{Fault, TargetError};
use std::{io, path::PathBuf};

/// Why a runner could not be built. None is the model's fault, and a target answers *blocked*, save
/// the two of a model's own firmware that [`BuildError::verdict`] names.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The compiler is not on `PATH`.
    #[error("{program} is not on PATH; install it with scripts/setup (Debian packages: {packages})")]
    NoCompiler {
        /// What was looked for.
        program: String,
        /// Where it comes from.
        packages: &'static str,
    },
    /// The compiler could not be started, or says nothing of itself.
    #[error("{program} does not run: {reason}")]
    Compiler {
        /// Its name.
        program: String,
        /// What happened.
        reason: String,
    },
    /// A source does not compile.
    #[error("{file} does not compile for {port}:\n{message}\ncommand: {command}")]
    Compile {
        /// The source, below TFLM or the runner.
        file: String,
        /// The port.
        port: String,
        /// The compiler's own words.
        message: String,
        /// As it was run, to be pasted into a shell.
        command: String,
    },
    /// The runner does not link.
    #[error("the runner does not link for {port}:\n{message}\ncommand: {command}")]
    Link {
        /// The port.
        port: String,
        /// The linker's own words.
        message: String,
        /// As it was run.
        command: String,
    },
    /// The disk is full.
    #[error("no space left to build the runner in {}: free some, or choose another cache folder", .0.display())]
    DiskFull(PathBuf),
    /// A file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The cache cannot be written.
    #[error("the cache cannot be written: {}: {error}; let `cache` in tinyfarm.toml name a folder that can be", path.display())]
    Cache {
        /// Which file or folder of it.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What was linked is not what a runner must be.
    #[error("{}: {what}", path.display())]
    BadElf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The model's own firmware is larger than the target's memory.
    #[error("the model's own firmware needs {needed} bytes of {region}, {port} has {available}")]
    NoRoom {
        /// The port.
        port: String,
        /// `flash` or `RAM`.
        region: &'static str,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// TFLM has no kernel to register for an operator of the model.
    #[error("{0}: this TFLM has nothing to register for it")]
    UnsupportedOp(String),
    /// A port was asked for what it is not.
    #[error("{0}")]
    WrongPort(String),
}

impl BuildError {
    /// What a target answers: a fault of the model that does not fit or has an unknown operator, else *blocked*.
    pub fn verdict(&self) -> TargetError {
        match self {
            Self::NoRoom { region, needed, available, .. } => TargetError::Fault(Fault::DoesNotFit {
                what: format!("model in its own firmware ({region})").into(),
                needed: *needed,
                available: *available,
            }),
            Self::UnsupportedOp(_) => TargetError::Fault(Fault::UnsupportedOp { detail: self.to_string() }),
            _ => TargetError::Blocked(self.to_string()),
        }
    }

    /// An error of reading at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::Io { path: path.into(), error }
    }

    /// An error of writing at `path` in the cache, a full disk told from the rest.
    pub(crate) fn cache(path: impl Into<PathBuf>, error: io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::Cache { path, error },
        }
    }
}
