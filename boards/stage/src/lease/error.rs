//! Why a lease cannot be taken, and the mend.

use std::{io, path::PathBuf};

/// A lease cannot be taken, whoever holds it.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The folder is not there and cannot be made.
    #[error(
        "cannot make the lease folder {path}: {source}; make it for every user of this machine with `sudo install -d -m \
         1777 {path}`, or let `leases` under [boards] of tinyfarm.toml name another",
        path = path.display()
    )]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else is in its place.
    #[error(
        "the lease folder {path} is no folder, or a symbolic link to one: remove it, or let `leases` under [boards] of \
         tinyfarm.toml name another",
        path = path.display()
    )]
    NoFolder {
        /// Where it should be.
        path: PathBuf,
    },
    /// A lock file cannot be made or opened.
    #[error(
        "cannot open the lease {path}: {source}; every user of this machine must be able to write there: `sudo chmod 1777 \
         {folder}` and `sudo chmod 666 {folder}/*.lock`, or let `leases` under [boards] of tinyfarm.toml name another folder",
        path = path.display(),
        folder = folder.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file system does not do locks.
    #[error(
        "cannot lock the lease {path}: {source}; let `leases` under [boards] of tinyfarm.toml name a folder on a local disk",
        path = path.display()
    )]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
