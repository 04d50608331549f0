//! The simulated bench: a folder that stands for the USB bus. What is attached to it keeps its files there.
//!
//! | file | what it is | while |
//! |---|---|---|
//! | `<place>.control` | Unix socket: commands for the board | the board has the place |
//! | `<place>.json` | [`Record`]: what is attached, locked (flock) by its process | it is plugged |
//! | `<place>.probe` | Unix socket: its debug probe | it is plugged |
//! | `<place>.uart` | symlink to its serial port | it is plugged |
//!
//! A place is taken while its control socket is listened to, which the kernel ends with the process, however that ends;
//! files that a killed process left are swept by the next one that takes the place. Whoever takes or leaves a place holds
//! the folder's own lock meanwhile.

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    net::{Shutdown, shutdown},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::{
        fs::symlink,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A probe that probe-rs drives over a socket: a Glasgow Interface Explorer.
pub const PROBE_ID: &str = "20b7:9db1";

/// How long a Unix socket's path may be, in bytes (unix(7), `sun_path`, with its final NUL).
const PATH_MAX: usize = 107;

/// How long the folder's lock is waited for. It is held for moments only, unless its holder is stopped (SIGSTOP).
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// What is told of an attached board, in `<place>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The probe's serial number.
    pub serial: String,
    /// The machine it simulates.
    pub machine: String,
    /// Its chip, as probe-rs is to call it.
    pub chip: String,
    /// Its probe, as probe-rs selects it.
    pub selector: String,
    /// The device that is its serial port now; `<place>.uart` leads there.
    pub uart: PathBuf,
    /// The socket that takes commands.
    pub control: PathBuf,
    /// The process that simulates it.
    pub pid: u32,
    /// The chip's own id, in hexadecimal.
    pub unique_id: String,
}

/// Why a bench or a place on it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The folder cannot be made, read or written.
    #[error("the bench folder {} cannot be used: {source}; name another with --bench", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that can be no file's.
    #[error("`{0}` is no name for a {1}: use letters, digits, `-`, `_` and `.`, the first of them no `.`")]
    Name(String, &'static str),
    /// Its sockets could not be connected to.
    #[error(
        "the path {} has {} bytes, and a Unix socket's {PATH_MAX} at most: name a shorter folder with --bench",
        .0.display(), .0.as_os_str().len()
    )]
    TooLong(PathBuf),
    /// Another board is there.
    #[error("the place {place} of the bench {} is taken by {by}; name another with --place", bench.display())]
    Taken {
        /// The place.
        place: String,
        /// The bench.
        bench: PathBuf,
        /// Who is there.
        by: String,
    },
    /// Somebody holds the folder's lock and does not let go.
    #[error("the bench folder {} is locked by a process that does not let go; is one stopped?", .0.display())]
    Locked(PathBuf),
    /// The system has no more pseudo-terminals.
    #[error("no serial port can be made: {0}")]
    Uart(io::Error),
    /// A socket cannot be listened to.
    #[error("a socket cannot be listened to: {0}")]
    Listen(io::Error),
    /// It was lost in a swap that failed.
    #[error("the board has no place: start it anew")]
    NoPlace,
    /// A file cannot be made.
    #[error("{} cannot be made: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A simulated bench.
#[derive(Debug, Clone)]
pub struct Bench {
    folder: PathBuf,
}

/// The folder's lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _folder: Held,
}

/// A file that is locked until it is dropped. Closing it would not always end that: a process that this one starts at the
/// same moment has the file open, too, until it has become another program.
#[derive(Debug)]
pub(crate) struct Held(File);

impl Held {
    /// Locks the file against all others, at once or not at all.
    pub(crate) fn lock(file: File) -> Result<Self, Errno> {
        flock(&file, FlockOperation::NonBlockingLockExclusive).map(|()| Self(file))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // At the latest the kernel ends it, with that process's start.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Checks what becomes part of a file's name.
///
/// # Errors
/// [`BenchError::Name`].
pub fn check_name(name: &str, what: &'static str) -> Result<(), BenchError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match name.bytes().all(fine) && !name.is_empty() && !name.starts_with('.') && name.len() < 64 {
        true => Ok(()),
        false => Err(BenchError::Name(name.to_owned(), what)),
    }
}

impl Bench {
    /// The bench in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// [`BenchError::Folder`].
    pub fn open(folder: &Path) -> Result<Self, BenchError> {
        let wrong = |source| BenchError::Folder { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(wrong)?;
        Ok(Self { folder: folder.canonicalize().map_err(wrong)? })
    }

    /// Its folder; absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the folder's lock, without which no place is taken; `None` where somebody has it.
    ///
    /// # Errors
    /// [`BenchError::Folder`] where the folder is gone.
    pub fn try_lock(&self) -> Result<Option<Lock>, BenchError> {
        let wrong = |source| BenchError::Folder { path: self.folder.clone(), source };
        let folder = File::open(&self.folder).map_err(wrong)?;
        match Held::lock(folder) {
            Ok(held) => Ok(Some(Lock { _folder: held })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(wrong(error.into())),
        }
    }

    /// Waits for the folder's lock, ten seconds at most: there is nothing by which to hear that it is free but asking
    /// again, and a wait in the kernel could not be given up.
    ///
    /// # Errors
    /// [`BenchError::Locked`], or [`BenchError::Folder`] where the folder is gone.
    pub async fn lock(&self) -> Result<Lock, BenchError> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        while Instant::now() < deadline {
            match self.try_lock()? {
                Some(lock) => return Ok(lock),
                None => sleep(Duration::from_millis(5)).await,
            }
        }
        Err(BenchError::Locked(self.folder.clone()))
    }

    /// A file of a place.
    fn file(&self, place: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{place}.{kind}"))
    }

    /// Where a place's commands go.
    pub fn control(&self, place: &str) -> PathBuf {
        self.file(place, "control")
    }

    /// What is plugged in at a place; `None` where nothing is, or only what a killed process left.
    pub fn record(&self, place: &str) -> Option<Record> {
        let path = self.file(place, "json");
        let file = File::open(&path).ok()?;
        // Whoever is alive keeps it locked.
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        serde_json::from_reader(file).ok()
    }

    /// Takes a place for a board that is not plugged in yet. The folder's lock has to be held meanwhile.
    ///
    /// # Errors
    /// [`BenchError`] where the place is taken or its files cannot be made.
    pub fn take(&self, place: &str) -> Result<Spot, BenchError> {
        check_name(place, "place")?;
        let path = self.control(place);
        if path.as_os_str().len() > PATH_MAX {
            return Err(BenchError::TooLong(path));
        }
        match UnixStream::connect(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {}
            _ => {
                let record = self.record(place);
                let by = record.map(|Record { serial, pid, .. }| format!("the board {serial} (process {pid})"));
                let by = by.unwrap_or_else(|| "a board that is not plugged in".to_owned());
                return Err(BenchError::Taken { place: place.to_owned(), bench: self.folder.clone(), by });
            }
        }
        for kind in ["json", "probe", "uart", "control"] {
            remove(&self.file(place, kind));
        }
        let control = UnixListener::bind(&path).map_err(|source| BenchError::File { path: path.clone(), source })?;
        Ok(Spot { bench: self.clone(), place: place.to_owned(), control, path })
    }
}

/// Removes a file that may not be there. Where it cannot be removed, making it anew says why.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Makes a file beside `path`, and puts it in that one's place.
fn replace<T>(path: &Path, make: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, BenchError> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    remove(&fresh);
    let made = make(&fresh).and_then(|made| fs::rename(&fresh, path).map(|()| made));
    made.map_err(|source| BenchError::File { path: path.to_owned(), source })
}

/// A place that is held; dropping it leaves the place, and removes its control socket.
#[derive(Debug)]
pub struct Spot {
    bench: Bench,
    place: String,
    control: UnixListener,
    path: PathBuf,
}

impl Spot {
    /// The place's name.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Where commands arrive.
    pub fn control(&self) -> &UnixListener {
        &self.control
    }

    /// That socket's path.
    pub fn control_path(&self) -> &Path {
        &self.path
    }

    /// How probe-rs selects the probe of this place.
    pub fn selector(&self) -> String {
        format!("{PROBE_ID}:unix:{}", self.bench.file(&self.place, "probe").display())
    }

    /// Plugs a board in: from now on it can be found here.
    ///
    /// # Errors
    /// [`BenchError::File`] where its files cannot be made.
    pub fn plug(&self, record: &Record) -> Result<Plugged, BenchError> {
        let path = self.bench.file(&self.place, "probe");
        let probe = UnixListener::bind(&path).map_err(|source| BenchError::File { path: path.clone(), source })?;
        let uart = self.bench.file(&self.place, "uart");
        let json = self.bench.file(&self.place, "json");
        let mut plugged = Plugged { probe, files: [json, uart, path], _locked: None };
        // Last of all, for with it the board is there.
        plugged.update(record)?;
        Ok(plugged)
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        remove(&self.path);
        // As with [`Held`]: nobody listens any more, whoever else still has the socket open.
        let _ = shutdown(&self.control, Shutdown::Both);
    }
}

/// A board that is plugged in; dropping it unplugs it, and removes its files.
#[derive(Debug)]
pub struct Plugged {
    probe: UnixListener,
    files: [PathBuf; 3],
    /// `<place>.json`, for its lock.
    _locked: Option<Held>,
}

impl Plugged {
    /// Where debuggers arrive.
    pub fn probe(&self) -> &UnixListener {
        &self.probe
    }

    /// Tells anew what is here, and where its serial port is. Whoever looks finds the one or the other, never a part.
    ///
    /// # Errors
    /// [`BenchError::File`].
    pub fn update(&mut self, record: &Record) -> Result<(), BenchError> {
        let [json, uart, _] = &self.files;
        replace(uart, |fresh| symlink(&record.uart, fresh))?;
        let file = replace(json, |fresh| {
            let file = Held::lock(File::create_new(fresh)?)?;
            serde_json::to_writer(&file.0, record)?;
            Ok(file)
        })?;
        self._locked = Some(file);
        Ok(())
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.files.iter().for_each(|file| remove(file));
        let _ = shutdown(&self.probe, Shutdown::Both);
    }
}

#[cfg(test)]
mod tests;
