//! What can be wrong with a library, and the mend.

use crate::{Digest, dataset::DatasetError, model::ModelError};
use std::{io, path::PathBuf};

/// Why a library cannot be loaded, or has not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A folder of manifests that is not there.
    #[error("{}: there is no such folder of models; make it, or mend `models` in the configuration", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A folder or manifest that cannot be read.
    #[error("{}: cannot be read ({error}); check that you may read it", path.display())]
    Unreadable {
        /// The folder or manifest.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A mistake in a manifest.
    #[error("{}:{line}: {detail}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and the mend.
        detail: String,
    },
    /// Two of one name.
    #[error("{second}: the {kind} `{name}` is there already, in {first}; rename one")]
    Duplicate {
        /// `model` or `dataset`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Manifest and line of the first.
        first: String,
        /// Manifest and line of the second.
        second: String,
    },
    /// A name that nothing has.
    #[error("there is no {kind} `{name}`; {mend}")]
    Unknown {
        /// `model` or `dataset`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What was likely meant, or what there is.
        mend: String,
    },
    /// A path at which nothing is.
    #[error("there is no {kind} file `{name}`: looked for {}; check the path", .tried.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and "))]
    NoFile {
        /// `model` or `dataset`.
        kind: &'static str,
        /// The path as given.
        name: String,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// A manifest names a package that is not at hand.
    #[error("{place}: the package `{package}` is not at hand; {mend}")]
    NoPackage {
        /// Manifest and line.
        place: String,
        /// Its name.
        package: String,
        /// What was likely meant, or what there is.
        mend: String,
    },
    /// A file that is not the one its manifest means.
    #[error("{}: has the SHA-256 {found}, and {place} wants {expected}; fetch the right file, or mend the manifest", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Manifest and line.
        place: String,
        /// What the manifest says.
        expected: Digest,
        /// What the file has.
        found: Digest,
    },
    /// The file is no model that can be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The dataset cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}
