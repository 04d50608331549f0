//! Opening a ledger: its settings, its migrations, and the locks that tell a run under way from one that was killed.

use crate::{
    LedgerError, Recorder,
    error::{PATIENCE, Result},
};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The SQL that makes version n of version n - 1; the first is version 1.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// "TFLG": tells a ledger from any other SQLite file.
const APPLICATION: i64 = 0x5446_4c47;

/// A ledger that is open. Clones share one connection, with which they read; each [`Recorder`] has its own.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Ledger {
    /// Opens the ledger at `path`; makes it, with the folders above it, where it is not there.
    ///
    /// # Errors
    /// [`LedgerError`]: it cannot be made or written, is no ledger, of a later version, locked or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| LedgerError::Io {
                what: "open",
                path: path.to_owned(),
                detail: format!("{}: {error}", folder.display()),
                mend: "name another file in `ledger.file` of tinyfarm.toml, or run with `--no-ledger`",
            })?;
        }
        let connection = connect(path, true)?;
        Ok(Self { path: path.to_owned(), connection: Arc::new(Mutex::new(connection)) })
    }

    /// Opens a ledger that is there.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] where there is none; else as [`Ledger::open`].
    pub fn open_existing(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        let connection = connect(path, false)?;
        Ok(Self { path: path.to_owned(), connection: Arc::new(Mutex::new(connection)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes in a new run, whose name comes with its first event.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn record(&self) -> Result<Recorder> {
        Ok(Recorder::new(self.path.clone(), connect(&self.path, false)?))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads with `read`.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        read(&self.lock()).map_err(|error| LedgerError::sqlite(&self.path, "read", &error))
    }

    /// Writes with `write`, all or nothing.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        in_transaction(&self.path, &mut self.lock(), write)
    }

    pub(crate) fn failed(&self, what: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError + '_ {
        move |error| LedgerError::sqlite(&self.path, what, &error)
    }
}

/// Does `write` in a transaction that is on disk when this returns.
pub(crate) fn in_transaction<T>(
    path: &Path,
    connection: &mut Connection,
    write: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, "write", &error);
    // Immediate: one that read first and then wants to write could not wait for another writer.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let written = write(&transaction)?;
    transaction.commit().map_err(failed)?;
    Ok(written)
}

fn connect(path: &Path, create: bool) -> Result<Connection> {
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, "open", &error);
    if path.is_dir() {
        let detail = "it is a folder".to_owned();
        return Err(LedgerError::NotALedger { path: path.to_owned(), detail });
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(PATIENCE)).map_err(failed)?;
    let version = |connection: &Connection| -> rusqlite::Result<(i64, i64, i64)> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    let known = MIGRATIONS.len() as i64;
    let sound = |(application, found, tables): (i64, i64, i64)| match () {
        () if application != APPLICATION && tables > 0 => {
            let detail = "it is another program's SQLite database".to_owned();
            Err(LedgerError::NotALedger { path: path.to_owned(), detail })
        }
        () if tables > 0 && found == 0 => {
            let detail = "it does not say of which version it is".to_owned();
            Err(LedgerError::Damaged { path: path.to_owned(), detail })
        }
        () if found > known => Err(LedgerError::Newer { path: path.to_owned(), found, known }),
        () => Ok(if tables == 0 { 0 } else { found }),
    };
    let found = sound(version(&connection).map_err(failed)?)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    // What is committed outlives a power cut.
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    if found < known {
        // Readers do not wait for a writer then. It is kept in the file; asked for once.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        in_transaction(path, &mut connection, |connection| {
            // Another process may have been quicker.
            let found = sound(version(connection).map_err(failed)?)?;
            for (at, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
                connection.execute_batch(migration).map_err(failed)?;
                connection.pragma_update(None, "user_version", at as i64 + 1).map_err(failed)?;
            }
            connection.pragma_update(None, "application_id", APPLICATION).map_err(failed)
        })?;
    }
    Ok(connection)
}

/// Held by whoever records a run. The kernel lets it go with the process, however that ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    path: PathBuf,
    file: File,
}

impl RunLock {
    /// Takes the lock of `run`; `None` where another process has it. A file system without locks has no say.
    pub(crate) fn take(ledger: &Path, run: &str) -> std::io::Result<Option<Self>> {
        let path = Self::file(ledger, run);
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(Self { path, file })),
                Err(TryLockError::WouldBlock) if is_locked(&file) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
            }
            // It was removed meanwhile, or somebody asked whose it is, which is no hold: once more.
        }
    }

    /// Whether some process has the lock of `run`.
    pub(crate) fn is_held(ledger: &Path, run: &str) -> bool {
        match File::open(Self::file(ledger, run)) {
            Ok(file) => is_locked(&file),
            // Somebody else's, of which nothing can be known.
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        }
    }

    fn file(ledger: &Path, run: &str) -> PathBuf {
        // A run's name is ours, or comes from an import.
        let plain: String = run.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let mut name = ledger.as_os_str().to_owned();
        name.push(format!(".run-{plain}"));
        PathBuf::from(name)
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // First gone, then free: who opened it in between sees that it is not there any more.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Whether another has the exclusive lock. Who asks has a shared one for a moment, and so may others who ask.
fn is_locked(file: &File) -> bool {
    let locked = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    // Not left to the close: a process that is being started has the file open, too, until it has become its program.
    let _ = file.unlock();
    locked
}

/// Whether `path` leads to this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let which = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().is_ok_and(|ours| std::fs::metadata(path).is_ok_and(|there| which(ours) == which(there)))
}

/// A ledger in memory, in which the rows of a run are derived anew; errors name the ledger at `path`.
pub(crate) fn in_memory(path: &Path) -> Result<Connection> {
    let failed = |error: rusqlite::Error| LedgerError::sqlite(path, "read", &error);
    let connection = Connection::open_in_memory().map_err(failed)?;
    for migration in MIGRATIONS {
        connection.execute_batch(migration).map_err(failed)?;
    }
    Ok(connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Ends the asking, also when an assertion fails.
    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_asks_whether_a_run_is_under_way_keeps_nobody_from_going_on_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.sqlite");
        let (run, done) = ("20261123T020000Z-1", AtomicBool::new(false));
        std::thread::scope(|scope| {
            let _done = Done(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    RunLock::is_held(&ledger, run);
                }
            });
            for _ in 0..500 {
                let lock = RunLock::take(&ledger, run).unwrap().expect("nobody else takes it");
                assert!(RunLock::is_held(&ledger, run));
                assert!(RunLock::take(&ledger, run).unwrap().is_none());
                drop(lock);
                assert!(!RunLock::is_held(&ledger, run));
            }
        });
    }
}
