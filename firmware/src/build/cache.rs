//! Where objects lie, and digests of files that are not read again while they are unchanged.

use super::BuildError;
use farm::Digest;
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The cache's folder.
#[derive(Debug, Clone)]
pub struct Cache(PathBuf);

impl Cache {
    /// The cache in `folder`, which is made when first written to.
    pub fn new(folder: &Path) -> Self {
        // Compilers run in other folders, so the path must not depend on this one.
        Self(std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf()))
    }

    /// Where the object of this key lies, or will.
    pub fn object(&self, key: &Digest) -> PathBuf {
        let name = key.to_string();
        self.0.join("objects").join(&name[..2]).join(format!("{name}.o"))
    }

    /// Where the runner of this build digest lies, or will.
    pub fn firmware(&self, digest: &Digest, port: &str) -> PathBuf {
        self.0.join("firmware").join(digest.to_string()).join(format!("{port}.elf"))
    }

    /// Where the embedded sources of this digest are written out.
    pub fn sources(&self, digest: &Digest) -> PathBuf {
        self.0.join("runner").join(digest.to_string())
    }

    /// Where digests of files are remembered.
    pub fn stamps(&self) -> PathBuf {
        self.0.join("stamps")
    }

    /// A new folder for what is being written. It is removed when dropped, whatever happened.
    ///
    /// # Errors
    /// [`BuildError::DiskFull`], [`BuildError::Cache`].
    pub fn scratch(&self) -> Result<tempfile::TempDir, BuildError> {
        let folder = self.0.join("tmp");
        make_folder(&folder)?;
        tempfile::Builder::new().prefix("build-").tempdir_in(&folder).map_err(|error| BuildError::cache(folder, error))
    }

    /// Removes what builds that were killed left half-written: no compiler works for an hour on one file.
    pub fn sweep(&self) {
        const LONGEST: Duration = Duration::from_secs(3600);
        for entry in fs::read_dir(self.0.join("tmp")).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|meta| meta.modified());
            if modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > LONGEST)) {
                tracing::debug!(path = %entry.path().display(), "removing what a killed build left");
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Moves what was built to its place, with a seal beside it that says which bytes these are.
///
/// # Errors
/// [`BuildError::DiskFull`], [`BuildError::Cache`].
pub fn keep(from: &Path, to: &Path) -> Result<(), BuildError> {
    let digest = fs::read(from).map(|bytes| Digest::of(&bytes)).map_err(|error| BuildError::cache(from, error))?;
    let draft = seal_of(from);
    fs::write(&draft, format!("{digest}\n")).map_err(|error| BuildError::cache(&draft, error))?;
    put(from, to)?;
    put(&draft, &seal_of(to))
}

/// Whether what was kept at `path` is there, to the bit. A machine that lost its power leaves files empty or short, and
/// a runner linked from one of those would crash in the name of the model.
pub fn holds(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let seal = fs::read_to_string(seal_of(path)).ok().and_then(|seal| seal.trim().parse::<Digest>().ok());
    let whole = seal == Some(Digest::of(&bytes));
    if !whole {
        tracing::warn!(path = %path.display(), "damaged in the cache: it is built again");
    }
    whole
}

fn seal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// Moves a file that is whole to its place, over what another program may have put there in the meantime.
///
/// # Errors
/// [`BuildError::DiskFull`], [`BuildError::Cache`].
fn put(from: &Path, to: &Path) -> Result<(), BuildError> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    fs::rename(from, to).map_err(|error| BuildError::cache(to, error))
}

/// Writes a file by way of a scratch folder, so that nobody ever sees half of it.
///
/// # Errors
/// [`BuildError::DiskFull`], [`BuildError::Cache`].
pub fn write(cache: &Cache, path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let scratch = cache.scratch()?;
    let draft = scratch.path().join("draft");
    fs::File::create(&draft)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| BuildError::cache(path, error))?;
    put(&draft, path)
}

fn make_folder(folder: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(folder).map_err(|error| BuildError::cache(folder, error))
}

/// What a file's metadata says; while it says the same, so do the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: i128,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<(Self, SystemTime), BuildError> {
        let meta = fs::metadata(path).map_err(|error| BuildError::io(path, error))?;
        let modified = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        let time = meta.modified().unwrap_or(UNIX_EPOCH);
        Ok((Self { size: meta.len(), modified, inode: meta.ino() }, time))
    }
}

/// Digests of files by path, remembered from run to run.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    digests: BTreeMap<PathBuf, (Stamp, Digest)>,
    changed: bool,
}

impl Files {
    /// A file younger than this is read every time: it may be written again within one step of the file system's
    /// clock, and look unchanged.
    const SETTLED: Duration = Duration::from_secs(2);

    /// What was remembered in `cache`. A file of stamps that cannot be read means that nothing is known.
    pub fn load(cache: &Cache) -> Self {
        let path = cache.stamps();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let digests = text.lines().filter_map(read_line).collect();
        Self { path, known: Mutex::new(Known { digests, changed: false }) }
    }

    /// The digest of a file's bytes.
    ///
    /// # Errors
    /// [`BuildError::Io`].
    pub fn digest(&self, path: &Path) -> Result<Digest, BuildError> {
        let (stamp, modified) = Stamp::of(path)?;
        if let Some((known, digest)) = self.known().digests.get(path)
            && *known == stamp
        {
            return Ok(*digest);
        }
        let now = SystemTime::now();
        let bytes = fs::read(path).map_err(|error| BuildError::io(path, error))?;
        let digest = Digest::of(&bytes);
        if now.duration_since(modified).is_ok_and(|age| age >= Self::SETTLED) {
            let mut known = self.known();
            known.digests.insert(path.to_path_buf(), (stamp, digest));
            known.changed = true;
        }
        Ok(digest)
    }

    /// Remembers what was learnt.
    ///
    /// # Errors
    /// [`BuildError::DiskFull`], [`BuildError::Cache`].
    pub fn save(&self, cache: &Cache) -> Result<(), BuildError> {
        let text: String = {
            let mut known = self.known();
            if !std::mem::take(&mut known.changed) {
                return Ok(());
            }
            known.digests.iter().filter_map(|(path, (stamp, digest))| line(path, stamp, digest)).collect()
        };
        write(cache, &self.path, text.as_bytes())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path that a line cannot hold is not remembered.
fn line(path: &Path, stamp: &Stamp, digest: &Digest) -> Option<String> {
    let path = path.to_str().filter(|path| !path.contains('\n'))?;
    Some(format!("{digest} {} {} {} {path}\n", stamp.size, stamp.modified, stamp.inode))
}

fn read_line(line: &str) -> Option<(PathBuf, (Stamp, Digest))> {
    let mut words = line.splitn(5, ' ');
    let digest = words.next()?.parse().ok()?;
    let (size, modified, inode) =
        (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((PathBuf::from(words.next()?), (Stamp { size, modified, inode }, digest)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn age(path: &Path, seconds: u64) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn an_unchanged_file_is_not_read_again_and_a_changed_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(&folder.path().join("cache"));
        let path = folder.path().join("a file.h");
        fs::write(&path, "one").unwrap();
        age(&path, 100);
        let files = Files::load(&cache);
        assert_eq!(files.digest(&path).unwrap(), Digest::of(b"one"));
        files.save(&cache).unwrap();

        // Read again it would tell the other bytes: size, time and inode are the same.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "two").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let files = Files::load(&cache);
        assert_eq!(files.digest(&path).unwrap(), Digest::of(b"one"), "a file with the same stamp was read");
        age(&path, 50);
        assert_eq!(files.digest(&path).unwrap(), Digest::of(b"two"));
    }

    #[test]
    fn a_file_that_was_just_written_is_not_believed_to_stay() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(&folder.path().join("cache"));
        let path = folder.path().join("young.h");
        fs::write(&path, "one").unwrap();
        let files = Files::load(&cache);
        files.digest(&path).unwrap();
        files.save(&cache).unwrap();
        assert!(!cache.stamps().exists());
    }

    #[test]
    fn stamps_that_are_no_stamps_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        fs::write(cache.stamps(), "garbage\n\u{0} 1 2\n").unwrap();
        assert!(Files::load(&cache).known().digests.is_empty());
    }

    #[test]
    fn what_is_kept_is_there_until_a_byte_of_it_or_of_its_seal_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, place) = (folder.path().join("draft"), folder.path().join("a/b.o"));
        let keep = || {
            fs::write(&draft, "object").unwrap();
            super::keep(&draft, &place).unwrap();
            assert!(holds(&place));
        };
        assert!(!holds(&place));
        for damaged in ["", "objec", "objekt"] {
            keep();
            fs::write(&place, damaged).unwrap();
            assert!(!holds(&place), "`{damaged}` was taken for what was kept");
        }
        for seal in ["", "garbage"] {
            keep();
            fs::write(seal_of(&place), seal).unwrap();
            assert!(!holds(&place));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "drafts are left");
    }

    #[test]
    fn what_killed_builds_left_is_swept_and_what_is_being_built_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (left, at_work) = (cache.scratch().unwrap().keep(), cache.scratch().unwrap());
        fs::write(left.join("object.o"), "half").unwrap();
        let old = fs::File::open(&left).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(4000)).unwrap();
        cache.sweep();
        assert_eq!((left.exists(), at_work.path().exists()), (false, true));
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Cache::new(&file).scratch().unwrap_err().to_string();
        assert!(error.contains("file/tmp") && error.contains("`cache`"), "{error}");
    }
}
