//! What can be wrong with a model file, and the mend.

use std::path::PathBuf;

/// Why a file is not a model that the farm can run. Each message names the file and the mend.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no such file.
    #[error("{}: there is no such model file; check the path", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// It is there and cannot be read.
    #[error("{}: cannot be read ({error}); check that it is a file and that you may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Nothing in it.
    #[error("{}: is empty; export the model again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// More than a model for a microcontroller can be.
    #[error("{}: is {bytes} bytes long, more than the {limit} that a model may have; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The greatest length allowed.
        limit: u64,
    },
    /// Something else altogether.
    #[error("{}: is not a TensorFlow Lite model: {found}", path.display())]
    NotTflite {
        /// The file.
        path: PathBuf,
        /// What it looks like instead, and the mend.
        found: String,
    },
    /// The file says it is longer than it is.
    #[error("{}: is truncated: it ends after {bytes} bytes and refers to more ({detail}); copy or export it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// Where it refers to more.
        detail: String,
    },
    /// A flatbuffer that is not sound, or says what cannot be.
    #[error("{}: is corrupt: {detail}; export the model again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Sound, and nothing that the farm's runners can be given.
    #[error("{}: cannot be run: {detail}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it has, and the mend.
        detail: String,
    },
}
