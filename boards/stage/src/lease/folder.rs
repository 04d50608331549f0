//! Where leases lie, and their files, made so that every user of the machine may open them.

use super::LeaseError;
use farm::Digest;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// The system's folder for locks.
const SYSTEM: &str = "/var/lock";
/// Its part for boards.
const PART: &str = "/var/lock/tinyfarm";
/// Where there is none that everybody may write.
const TEMPORARY: &str = "/tmp/tinyfarm-leases";
/// Everybody may make files, and remove only their own.
const SHARED: u32 = 0o1777;

/// The folder for the leases of this machine. Every user must come to the same answer, or two of them could hold one
/// board: so it depends on nothing of the user's, neither on what they may write nor on `TMPDIR`. It is a folder that
/// an administrator has made, or one below the system's folder for locks where everybody may write, else `/tmp`.
pub fn default_folder() -> PathBuf {
    if for_everybody(Path::new(PART)) || (!Path::new(PART).exists() && for_everybody(Path::new(SYSTEM))) {
        PART.into()
    } else {
        TEMPORARY.into()
    }
}

/// Whether everybody may write into this folder.
fn for_everybody(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| found.is_dir() && found.mode() & 0o002 != 0)
}

/// Makes the folder if it is missing.
pub(super) fn ensure(folder: &Path) -> Result<(), LeaseError> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => return Ok(()),
        // In a folder where everybody may write, a link may lead anywhere.
        Ok(_) => return Err(LeaseError::NoFolder { path: folder.to_owned() }),
        Err(_) => (),
    }
    let make = || {
        fs::create_dir_all(folder.parent().unwrap_or(folder))?;
        let new = beside(folder);
        DirBuilder::new().mode(SHARED).create(&new)?;
        // The umask has had its part. Nobody sees the folder before everybody may use it: see [`default_folder`].
        let shared = fs::set_permissions(&new, Permissions::from_mode(SHARED));
        match shared.and_then(|()| fs::rename(&new, folder)) {
            Err(error) => {
                let _ = fs::remove_dir(&new);
                // Another process was quicker.
                if folder.is_dir() { Ok(()) } else { Err(error) }
            }
            done => done,
        }
    };
    make().map_err(|source| LeaseError::Make { path: folder.to_owned(), source })
}

/// A name beside `path` that nobody else takes.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{}-{number}.new", std::process::id()))
}

/// Whether this user may make files in it.
pub(super) fn check_writable(folder: &Path) -> Result<(), LeaseError> {
    let access = rustix::fs::accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    access.map_err(|error| open_error(folder, error.into()))
}

/// The lock file at `path`, made if it is missing.
pub(super) fn open(path: &Path) -> Result<File, LeaseError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        // Not with O_CREAT: in a sticky folder the kernel refuses it for a file of another user (fs.protected_regular).
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => return Ok(file.into()),
            Err(rustix::io::Errno::NOENT) => (),
            Err(error) => return Err(open_error(path, error.into())),
        }
        match make(path) {
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
            Err(error) => return Err(open_error(path, error)),
            Ok(file) => return Ok(file),
        }
    }
}

/// A new lock file at `path`, which nobody sees before everybody may open it.
fn make(path: &Path) -> io::Result<File> {
    let new = beside(path);
    let file = File::options().read(true).write(true).create_new(true).open(&new)?;
    // Against the umask; if it fails, others are told by their own `open`.
    let _ = file.set_permissions(Permissions::from_mode(0o666));
    let linked = fs::hard_link(&new, path);
    let _ = fs::remove_file(&new);
    linked.map(|()| file)
}

fn open_error(path: &Path, source: io::Error) -> LeaseError {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    LeaseError::Open { path: path.to_owned(), folder: folder.to_owned(), source }
}

/// Whether `path` still leads to `file`.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let inode = |found: io::Result<fs::Metadata>| found.ok().map(|found| (found.dev(), found.ino()));
    let (ours, there) = (inode(file.metadata()), inode(fs::symlink_metadata(path)));
    ours.is_some() && ours == there
}

/// A file name for `identity`, another for each: what is not a letter, digit, `.`, `-` or `_` is written as `%2F`. One
/// too long for a file system ends with its digest.
pub(super) fn file_name(identity: &str) -> String {
    format!("{}.lock", stem(identity))
}

/// The file name of `identity` without what says which kind of file it is.
pub(crate) fn stem(identity: &str) -> String {
    const MOST: usize = 150;
    // `%` followed by no digits is in no other name.
    let mut name = if identity.is_empty() { "%".to_owned() } else { String::new() };
    for (at, byte) in identity.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if at > 0 => name.push('.'),
            _ => name += &format!("%{byte:02X}"),
        }
    }
    if name.len() <= MOST {
        return name;
    }
    let head: String = name.chars().take(MOST - 80).collect();
    format!("{head}%-{}", Digest::of(identity.as_bytes()))
}
