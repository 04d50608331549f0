//! Why a runner could not be built.

use std::{io, path::PathBuf};

/// Why a runner could not be built. None of them is the model's fault: a target answers *blocked*.
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
    /// A port was asked for what it is not.
    #[error("{0}")]
    WrongPort(String),
}

impl BuildError {
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
