//! Who has a board: one process at a time, over all users of this machine.
//!
//! A lease is an exclusive `flock` on `<folder>/<identity>.lock`. The kernel frees it when the process that holds it
//! ends, however it ends, so that no lease outlives its holder. The file says who holds it, for people; it is never
//! removed, for then two processes could each lock a file of that name.
//!
//! | file | what lives there |
//! |---|---|
//! | `identity` | what a board is known by |
//! | `holder` | who holds a lease: process, user, command, run, since when |
//! | `folder` | where leases lie, and their files, made so that every user may open them |
//! | `wait` | waking up when a lease is freed |
//! | `error` | why a lease cannot be taken, and the mend |

mod error;
mod folder;
mod holder;
mod identity;
#[cfg(test)]
mod tests;
mod wait;

pub use error::LeaseError;
pub use folder::default_folder;
pub(crate) use folder::stem;
pub use holder::Holder;
pub(crate) use holder::user;
pub use identity::{identity, is_shared};

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

/// The leases of this machine.
#[derive(Debug, Clone)]
pub struct Leases {
    folder: PathBuf,
}

/// A board that is held. Dropping it, or the end of the process, frees the board.
#[derive(Debug)]
pub struct Lease {
    file: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // For people who look into the folder; what counts is the lock.
        let _ = self.file.set_len(0);
        // Not left to the close of the file: a child that is being started has it open as well, until it becomes its
        // program. And who waits is woken by the close, when the lock is gone already.
        let _ = self.file.unlock();
    }
}

impl Leases {
    /// Leases in `folder`, which is made when the first is taken. Processes that shall not hold one board at once must
    /// name the same folder: [`default_folder`].
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder if it is missing, and looks whether leases can be taken in it.
    ///
    /// # Errors
    /// [`LeaseError`], with the mend.
    pub fn check(&self) -> Result<(), LeaseError> {
        folder::ensure(&self.folder)?;
        folder::check_writable(&self.folder)
    }

    /// Waits until `identity` is free and takes it for `holder`. Dropping the future gives up waiting. Nobody is served
    /// in order: whoever looks first after it was freed has it.
    ///
    /// # Errors
    /// [`LeaseError`] where the folder or file cannot be used.
    pub async fn take(&self, identity: &str, holder: &Holder) -> Result<Lease, LeaseError> {
        loop {
            folder::ensure(&self.folder)?;
            let path = self.path(identity);
            let file = folder::open(&path)?;
            let lost = |source| LeaseError::Lock { path: path.clone(), source };
            if !try_lock(&file).map_err(lost)? {
                let mut freed = wait::Freed::of(&path);
                while !try_lock(&file).map_err(lost)? {
                    freed.wait().await;
                }
            }
            if let Some(lease) = settle(file, &path, holder) {
                return Ok(lease);
            }
        }
    }

    /// Takes `identity` if it is free now; `None` where somebody has it.
    ///
    /// # Errors
    /// [`LeaseError`] where the folder or file cannot be used.
    pub fn try_take(&self, identity: &str, holder: &Holder) -> Result<Option<Lease>, LeaseError> {
        loop {
            folder::ensure(&self.folder)?;
            let path = self.path(identity);
            let file = folder::open(&path)?;
            let lost = |source| LeaseError::Lock { path: path.clone(), source };
            if try_lock(&file).map_err(lost)? {
                if let Some(lease) = settle(file, &path, holder) {
                    return Ok(Some(lease));
                }
            } else if is_held(&file).map_err(lost)? {
                return Ok(None);
            }
            // Cleaned away meanwhile, or somebody was asking who holds it, which is no hold: once more.
        }
    }

    /// Who holds `identity` now; `None` where nobody does, or where that cannot be told.
    pub fn held_by(&self, identity: &str) -> Option<Holder> {
        let file = File::open(self.path(identity)).ok()?;
        is_held(&file).ok()?.then(|| Holder::read(&file))
    }

    fn path(&self, identity: &str) -> PathBuf {
        self.folder.join(folder::file_name(identity))
    }
}

/// Whether the exclusive lock is ours now.
fn try_lock(file: &File) -> std::io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether somebody has the exclusive lock. Who asks has a shared one for a moment, and so may others who ask.
fn is_held(file: &File) -> std::io::Result<bool> {
    match file.try_lock_shared() {
        // At once, and not by the close: see [`Lease`].
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The lease, if the file that we locked is still the one of that name: somebody may have cleaned up meanwhile.
fn settle(file: File, path: &Path, holder: &Holder) -> Option<Lease> {
    if !folder::is_at(&file, path) {
        return None;
    }
    // A full disk keeps nobody from having the board; others then see that it is held, and not by whom.
    if let Err(error) = holder.write(&file) {
        tracing::warn!("cannot write to {} who holds it: {error}", path.display());
    }
    Some(Lease { file })
}
