//! The private folder of a Renode: what it writes, what it would read of its user's, and what is put there for it.

use std::{
    env, fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Not `renode-`: a Renode whose `TMPDIR` is the folder around this one removes those at its start.
const PREFIX: &str = "rust-renode-";

/// Name of the file with the port of the robot server, in a folder of Renode's own in its `TMPDIR`: `renode-<pid>` in stock
/// releases, but others may call it otherwise.
const PORT_FILE: &str = "robot_port";

/// A folder that only its user may read (0700); removed when it is dropped.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn make(parent: Option<&Path>) -> io::Result<Self> {
        // Absolute: it is passed on to others.
        let parent = std::path::absolute(parent.map_or_else(env::temp_dir, Path::to_path_buf))?;
        let private = fs::Permissions::from_mode(0o700);
        let folder = Self(tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(parent)?);
        for (_, path) in folder.environment() {
            // .NET and Mono take the working folder in place of one that is missing.
            fs::create_dir_all(path)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Its `TMPDIR`: Renode removes `renode-*` in there that are not named after a live process, so nothing else is in it.
    fn temp(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// Its `HOME`.
    fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Where Renode writes the number of its process.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.path().join("pid")
    }

    /// What Renode finds in its environment: folders, all of them.
    pub(super) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let (temp, home) = (self.temp(), self.home());
        vec![
            ("TMPDIR", temp.clone()),
            ("TMP", temp.clone()),
            ("TEMP", temp),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("XDG_CACHE_HOME", home.join(".cache")),
            ("HOME", home),
        ]
    }

    /// Has a program live in this folder.
    pub(super) fn settle(&self, command: &mut Command) {
        // Portable .NET programs unpack themselves below HOME at their first start: they need not do so each time.
        const UNPACKED: &str = "DOTNET_BUNDLE_EXTRACT_BASE_DIR";
        if let (None, Some(home)) = (env::var_os(UNPACKED), env::home_dir().filter(|home| is_mine(home))) {
            command.env(UNPACKED, home.join(".net"));
        }
        command.envs(self.environment());
    }

    /// The robot server's port, once Renode has written it.
    pub(super) fn robot_port(&self) -> Option<u16> {
        let folders = fs::read_dir(self.temp()).ok()?;
        folders.flatten().find_map(|folder| {
            let port = fs::read_to_string(folder.path().join(PORT_FILE)).ok()?;
            // Where a byte order mark is written, it comes before the number.
            port.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().ok().filter(|port| *port != 0)
        })
    }

    /// The number of Renode's process, once it has written it.
    pub(super) fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
    }
}

/// Whether it is a folder that this process's user may write to.
fn is_mine(path: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    path.metadata().is_ok_and(|about| about.is_dir() && about.uid() == me && about.mode() & 0o200 != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_with_what_is_in_it() {
        let folder = Folder::make(None).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(path.join("platform.repl"), "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn the_robot_port_is_found_in_any_folder_once_it_is_written() {
        let folder = Folder::make(None).unwrap();
        assert_eq!(folder.robot_port(), None);
        let theirs = folder.temp().join("rndtmp-240");
        fs::create_dir(&theirs).unwrap();
        fs::create_dir(folder.temp().join("clr-debug")).unwrap();
        for (written, port) in [
            ("", None),
            ("0", None),
            ("port", None),
            ("70000", None),
            ("49152", Some(49152)),
            ("\u{feff}49153\n", Some(49153)),
        ] {
            fs::write(theirs.join(PORT_FILE), written).unwrap();
            assert_eq!(folder.robot_port(), port, "{written:?}");
        }
    }
}
