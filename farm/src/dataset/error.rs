//! What can be wrong with a dataset, and the mend.

use std::path::PathBuf;

/// Why a dataset cannot be used. Each message names the place (file, line, column), what was expected, what was found
/// and the mend.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// There is no such file or folder.
    #[error("{}: there is no such {what}; check the path", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
        /// `dataset`, `folder`, `labels file`.
        what: &'static str,
    },
    /// It is there and cannot be read.
    #[error("{}: cannot be read ({error}); check that you may read it", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// More than the farm takes into memory.
    #[error(
        "{place}: takes {bytes} bytes, more than the {limit} allowed; take fewer with `samples = N`, or raise `max_bytes` in its manifest"
    )]
    TooLarge {
        /// The file.
        place: String,
        /// Bytes it takes, at least.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file of a kind that is not known.
    #[error("{}: cannot tell what it holds; a dataset is a .csv, .npy or .npz file, or a folder with a labels.csv", path.display())]
    UnknownFormat {
        /// The path.
        path: PathBuf,
    },
    /// A file that is not what its name says.
    #[error("{place}: {detail}")]
    Format {
        /// The file, with line or array where known.
        place: String,
        /// What is wrong, and the mend.
        detail: String,
    },
    /// No samples.
    #[error("{place}: has no {what}; a dataset needs at least one sample")]
    Empty {
        /// The file.
        place: String,
        /// `rows`, `samples`, `files`.
        what: &'static str,
    },
    /// Columns or arrays that are missing, unknown, or there twice.
    #[error("{place}: {detail}")]
    Columns {
        /// The file.
        place: String,
        /// What is wrong, and the mend.
        detail: String,
    },
    /// A row that is longer or shorter than the header.
    #[error(
        "{place}: {} where the header has {expected}; mend the row (is a comma missing, or one too many?)",
        super::gather::counted(*found, "field")
    )]
    Ragged {
        /// File and line.
        place: String,
        /// Columns of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
    },
    /// A value that cannot be.
    #[error("{place}: {detail}")]
    Value {
        /// File, line and column.
        place: String,
        /// The value, what is wrong with it, and the mend.
        detail: String,
    },
    /// A class that cannot be.
    #[error("{place}: {detail}")]
    Label {
        /// File, line and column.
        place: String,
        /// The label, what is wrong with it, and the mend.
        detail: String,
    },
    /// Not as many values as the model takes or gives.
    #[error("{place}: {detail}")]
    Shape {
        /// The file.
        place: String,
        /// What was expected, what was found, and the mend.
        detail: String,
    },
    /// Options that do not fit the data or each other.
    #[error("{place}: {detail}")]
    Options {
        /// The dataset.
        place: String,
        /// What does not fit, and the mend.
        detail: String,
    },
}
