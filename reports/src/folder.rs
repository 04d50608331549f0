//! The report folder: created and proven writable before anything runs, and files in it that are whole at every moment.

use crate::ReportError;
use jiff::Timestamp;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A folder that one run writes its report into.
///
/// It is locked as long as this, or a file from it, lives: two runs into one folder would leave files of both.
#[derive(Debug, Clone)]
pub struct ReportFolder {
    path: PathBuf,
    _lock: Arc<Held>,
}

/// The locked file. Closing it would not always let go: a process that is being started has it open, too, until it has
/// become its program.
#[derive(Debug)]
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The file that is locked. Hidden, and left in place: removing it would let a third run slip between two others.
const LOCK: &str = ".lock";

impl ReportFolder {
    /// Makes the folder, with those above it, where it is not there yet, and writes and removes a small file in it.
    ///
    /// # Errors
    /// [`ReportError`] where it cannot be made or written, is full, or is in use by another run.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        fs::create_dir_all(path).map_err(|cause| ReportError::write(path, cause))?;
        let at = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&at);
        let lock = lock.map_err(|cause| ReportError::write(path, cause))?;
        match lock.try_lock() {
            // A file system without locks is no reason not to report.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(ReportError::InUse { path: path.to_owned() }),
        }
        let folder = Self { path: path.to_owned(), _lock: Arc::new(Held(lock)) };
        let probe = folder.file(".probe");
        // More than a block, so that a file system that keeps short files in the directory is asked as well.
        let probed = probe.write(true, |out| out.write_all(&[b'.'; 8192]));
        probed.and_then(|_| fs::remove_file(probe.path())).map_err(|cause| ReportError::write(path, cause))?;
        Ok(folder)
    }

    /// Where it is, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it. Nothing is written yet.
    pub fn file(&self, name: &str) -> ReportFile {
        ReportFile {
            path: self.path.join(name),
            partial: self.path.join(format!(".{name}.partial")),
            _folder: self.clone(),
        }
    }
}

/// A file of the report that is always replaced as a whole: whoever reads it, and whenever the run is killed, sees the
/// old or the new content and nothing between.
#[derive(Debug, Clone)]
pub struct ReportFile {
    path: PathBuf,
    partial: PathBuf,
    _folder: ReportFolder,
}

impl ReportFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes new content beside the old and puts it in its place; `last` also waits until the disk has it.
    /// Returns how many bytes were written.
    ///
    /// # Errors
    /// [`ReportError::Write`] with this file's name; the old content then stands.
    pub fn replace(
        &self,
        last: bool,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<u64, ReportError> {
        self.write(last, write).map_err(|cause| ReportError::write(&self.path, cause))
    }

    fn write(&self, last: bool, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<u64> {
        let written = self.write_partial(last, write);
        let placed = written.and_then(|bytes| fs::rename(&self.partial, &self.path).map(|()| bytes));
        if placed.is_err() {
            // What is half written helps no one and may be what fills the disk.
            let _ = fs::remove_file(&self.partial);
        }
        placed
    }

    fn write_partial(&self, last: bool, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<u64> {
        let mut out = Counted { inner: BufWriter::new(File::create(&self.partial)?), bytes: 0 };
        write(&mut out)?;
        let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        if last {
            file.sync_all()?;
        }
        Ok(out.bytes)
    }
}

struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// When a file that is rewritten as a whole may be rewritten again: every half second, and more rarely the longer it
/// gets, so that a run of 10,000 scenarios does not spend its time on writing the same scenarios again.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<(Timestamp, u64)>,
    pending: bool,
}

impl Throttle {
    const PAUSE: Duration = Duration::from_millis(500);
    /// So many bytes for each pause: 1 MiB a second at most.
    const BYTES: u64 = 1 << 19;

    /// There is something new to write.
    pub(crate) fn note(&mut self) {
        self.pending = true;
    }

    /// Whether something waits to be written and enough time has passed since the last time.
    pub(crate) fn due(&self, now: Timestamp) -> bool {
        self.pending
            && self.last.is_none_or(|(last, bytes)| {
                let pauses = 1 + u32::try_from(bytes / Self::BYTES).unwrap_or(u32::MAX - 1);
                now.duration_since(last).unsigned_abs() >= Self::PAUSE.saturating_mul(pauses)
            })
    }

    /// When it was last written, and how many bytes.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Option<(Timestamp, u64)> {
        self.last
    }

    /// It was written, or tried to be.
    pub(crate) fn written(&mut self, now: Timestamp, bytes: u64) {
        self.last = Some((now, bytes));
        self.pending = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_made_with_those_above_it_and_left_without_a_trace_of_the_probe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let folder = ReportFolder::create(&path).unwrap();
        assert_eq!(folder.path(), path);
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [LOCK]);
    }

    #[test]
    fn a_file_where_the_folder_should_be_is_said_with_the_mend() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        fs::write(&path, "").unwrap();
        let error = ReportFolder::create(&path).unwrap_err().to_string();
        assert!(error.contains("a file stands where the folder should be"), "{error}");
        let error = ReportFolder::create(&path.join("deeper")).unwrap_err().to_string();
        assert!(error.contains("a file stands where the folder should be"), "{error}");
    }

    #[test]
    fn a_disk_that_is_full_from_the_start_is_known_before_anything_runs() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("..probe.partial")).unwrap();
        let error = ReportFolder::create(dir.path()).unwrap_err().to_string();
        let start = format!("cannot write {}: No space left on device", dir.path().display());
        assert!(error.starts_with(&start), "{error}");
        assert!(!dir.path().join("..probe.partial").exists());
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = ReportFolder::create(dir.path()).unwrap();
        let file = first.file("junit.xml");
        drop(first);
        assert!(matches!(ReportFolder::create(dir.path()), Err(ReportError::InUse { .. })));
        drop(file);
        ReportFolder::create(dir.path()).unwrap();
    }

    #[test]
    fn a_full_disk_is_named_with_file_and_mend_and_leaves_the_old_content() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ReportFolder::create(dir.path()).unwrap();
        let file = folder.file("junit.xml");
        assert_eq!(file.replace(false, |out| out.write_all(b"old")).unwrap(), 3);
        std::os::unix::fs::symlink("/dev/full", dir.path().join(".junit.xml.partial")).unwrap();
        let error = file.replace(false, |out| out.write_all(b"new")).unwrap_err().to_string();
        let name = file.path().display();
        assert_eq!(
            error,
            format!(
                "cannot write {name}: No space left on device (os error 28); free some space, or choose another \
                 folder with `--report`"
            )
        );
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "old");
        // Space is there again.
        file.replace(true, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "new");
    }

    #[test]
    fn the_longer_the_file_the_rarer_it_is_written() {
        let at = |millis: i64| Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap();
        let mut throttle = Throttle::default();
        assert!(!throttle.due(at(0)), "nothing to write");
        throttle.note();
        assert!(throttle.due(at(0)));
        throttle.written(at(0), 100);
        throttle.note();
        assert!(!throttle.due(at(499)));
        assert!(throttle.due(at(500)));
        throttle.written(at(500), 10 << 20);
        throttle.note();
        assert!(!throttle.due(at(10_999)));
        assert!(throttle.due(at(11_000)));
    }
}
