//! Why definitions cannot be used.

use std::path::PathBuf;

/// Why definitions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// A folder or file cannot be read.
    #[error("{}: cannot be read: {error}; mend that, or take it away", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A folder that was named is not there.
    #[error("{}: there is no such folder of boards; make it, or mend `folders` of `[boards]` in the configuration", path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
    },
    /// A file says something that cannot be.
    #[error("{file}:{line}: {what}; {mend}")]
    Wrong {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// The mend.
        mend: String,
    },
}
