//! Folders for Unix sockets. A socket's path is no longer than 107 bytes, and some systems keep what is temporary deep down.

use std::{env, fs::Permissions, io, os::unix::fs::PermissionsExt as _, path::PathBuf};
use tempfile::TempDir;

/// The longest path of a Unix socket, bytes (unix(7)).
const LONGEST: usize = 107;
/// What a folder's own name and the longest names of sockets in it may take of that.
const NAMES: usize = 60;

/// A new folder, which only this user may enter and in which sockets have room; gone when it is dropped. It lies where
/// this user keeps what is temporary, and where that is too long in `/tmp`.
///
/// # Errors
/// When it cannot be made.
pub fn folder(prefix: &str) -> io::Result<TempDir> {
    let own = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix(prefix).permissions(own).tempdir_in(short(env::temp_dir()))
}

fn short(temporary: PathBuf) -> PathBuf {
    if temporary.as_os_str().len() + NAMES <= LONGEST { temporary } else { "/tmp".into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sockets_have_room_wherever_what_is_temporary_lies() {
        assert_eq!(short("/home/ann/tmp".into()), PathBuf::from("/home/ann/tmp"));
        assert_eq!(short(format!("/{}", "d".repeat(47)).into()), PathBuf::from("/tmp"));
        let folder = folder("tinyfarm-test-").unwrap();
        assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
