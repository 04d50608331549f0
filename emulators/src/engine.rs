//! The QEMU program: where it is, which version, which machines it knows. Looked up once for as long as the file is the
//! same, however many targets ask.

use firmware::process::Group;
use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{process::Command, sync::Mutex, time::timeout};

/// The program's name where no path is configured.
const PROGRAM: &str = "qemu-system-arm";

/// The oldest version that the farm was tried with: Debian 12's. Older ones lack machines or count instructions
/// differently.
pub const MINIMUM: Version = Version { major: 7, minor: 2, micro: 0 };

/// How long QEMU may take to say its version; it takes 20 ms.
const PATIENCE: Duration = Duration::from_secs(20);

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub micro: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl Version {
    /// Reads `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)`.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.lines().next()?.strip_prefix("QEMU emulator version ")?.split([' ', '(']).next()?;
        let mut numbers = numbers.split('.').map(|number| {
            let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            number[..digits].parse().ok()
        });
        Some(Self { major: numbers.next()??, minor: numbers.next()??, micro: numbers.next().flatten().unwrap_or(0) })
    }
}

/// A QEMU that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The program, found.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// The machines it knows.
    pub machines: BTreeSet<String>,
}

/// Why QEMU cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It is not there.
    #[error("{program} is not on PATH; install it (Debian: apt-get install qemu-system-arm)")]
    NotOnPath {
        /// The name looked for.
        program: String,
    },
    /// The configured path leads nowhere.
    #[error("{} is not a program that can be run; correct the configured path of QEMU, or leave it out to use the one on PATH", path.display())]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// It does not say a version as QEMU does.
    #[error("{} does not answer `--version` as QEMU does: {said}", path.display())]
    NotQemu {
        /// The path.
        path: PathBuf,
        /// What it answers, or how it failed.
        said: String,
    },
    /// It is older than the farm can use.
    #[error("{} is QEMU {found}, and {MINIMUM} or newer is needed", path.display())]
    TooOld {
        /// The path.
        path: PathBuf,
        /// Its version.
        found: Version,
    },
    /// It does not know the machine.
    #[error("QEMU {version} ({}) does not know the machine {machine}; a build of QEMU with all Arm boards does", path.display())]
    UnknownMachine {
        /// The path.
        path: PathBuf,
        /// Its version.
        version: Version,
        /// The machine.
        machine: String,
    },
}

/// What is known of the file at a path that was last modified then.
type Known = (PathBuf, SystemTime, Result<Arc<Engine>, EngineError>);

/// Finds QEMU, and remembers what it found.
#[derive(Debug)]
pub struct Engines {
    configured: Option<PathBuf>,
    known: Mutex<Option<Known>>,
}

impl Engines {
    /// Finds QEMU at `configured`, or on PATH.
    pub fn new(configured: Option<PathBuf>) -> Self {
        Self { configured, known: Mutex::default() }
    }

    /// The QEMU to use.
    ///
    /// # Errors
    /// [`EngineError`], save an unknown machine.
    pub async fn find(&self) -> Result<Arc<Engine>, EngineError> {
        let (path, modified) = self.locate()?;
        let mut known = self.known.lock().await;
        match &*known {
            Some((at, when, result)) if *at == path && *when == modified => result.clone(),
            _ => {
                let result = ask(&path).await.map(Arc::new);
                *known = Some((path, modified, result.clone()));
                result
            }
        }
    }

    /// The same, if it knows `machine`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn find_for(&self, machine: &str) -> Result<Arc<Engine>, EngineError> {
        let engine = self.find().await?;
        if engine.machines.contains(machine) {
            return Ok(engine);
        }
        let Engine { path, version, .. } = (*engine).clone();
        Err(EngineError::UnknownMachine { path, version, machine: machine.to_owned() })
    }

    fn locate(&self) -> Result<(PathBuf, SystemTime), EngineError> {
        match &self.configured {
            Some(path) if path.components().count() > 1 => runnable(path)
                .map(|when| (path.clone(), when))
                .ok_or_else(|| EngineError::NotThere { path: path.clone() }),
            name => {
                let program = name.as_deref().unwrap_or(Path::new(PROGRAM));
                let folders = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&folders)
                    .map(|folder| folder.join(program))
                    .find_map(|path| runnable(&path).map(|when| (path, when)))
                    .ok_or_else(|| EngineError::NotOnPath { program: program.display().to_string() })
            }
        }
    }
}

/// When the program was last modified; `None` where there is none that can be run.
fn runnable(path: &Path) -> Option<SystemTime> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).ok()?;
    (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        .then(|| metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH))
}

async fn ask(path: &Path) -> Result<Engine, EngineError> {
    let not_qemu = |said: String| EngineError::NotQemu { path: path.to_owned(), said };
    let said = output(path, &["--version"]).await.map_err(|error| not_qemu(error.to_string()))?;
    let version = Version::parse(&said).ok_or_else(|| not_qemu(said.lines().next().unwrap_or("nothing").to_owned()))?;
    if version < MINIMUM {
        return Err(EngineError::TooOld { path: path.to_owned(), found: version });
    }
    let listed = output(path, &["-machine", "help"]).await.map_err(|error| not_qemu(error.to_string()))?;
    let machines =
        listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    Ok(Engine { path: path.to_owned(), version, machines })
}

async fn output(path: &Path, arguments: &[&str]) -> io::Result<String> {
    let child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()?;
    // It may be a script around QEMU.
    let group = Group::of(&child);
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}")))??;
    group.ended();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(format!("{}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A program that answers as QEMU would, and notes each time it is asked for its version.
    fn fake(folder: &Path, version: &str) -> PathBuf {
        let path = folder.join("qemu-system-arm");
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo asked >> {}/asked; echo '{version}'; else echo 'Supported machines are:'; echo 'microbit  BBC'; fi\n",
            folder.display()
        );
        firmware::testing::write_program(&path, &script).unwrap();
        path
    }

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        let read = |text| Version::parse(text).map(|version| version.to_string());
        assert_eq!(
            read("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright").as_deref(),
            Some("7.2.22")
        );
        assert_eq!(read("QEMU emulator version 10.0").as_deref(), Some("10.0.0"));
        assert_eq!(read("QEMU emulator version 9.1.0-rc2").as_deref(), Some("9.1.0"));
        assert_eq!(read("qemu-img version 7.2"), None);
    }

    #[tokio::test]
    async fn a_missing_qemu_an_old_one_a_stranger_and_an_unknown_machine_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let find = async |path: &Path| {
            Engines::new(Some(path.to_owned())).find_for("mps2-an386").await.unwrap_err().to_string()
        };

        let nowhere = find(&folder.path().join("nowhere")).await;
        assert!(nowhere.contains("nowhere is not a program that can be run"), "{nowhere}");
        let absent = find(Path::new("qemu-system-of-nobody")).await;
        assert!(absent.contains("qemu-system-of-nobody is not on PATH"), "{absent}");
        let old = find(&fake(folder.path(), "QEMU emulator version 5.2.0 (Debian 1:5.2)")).await;
        assert!(old.ends_with("is QEMU 5.2.0, and 7.2.0 or newer is needed"), "{old}");
        let stranger = find(&fake(folder.path(), "GNU bash, version 5.2")).await;
        assert!(stranger.ends_with("does not answer `--version` as QEMU does: GNU bash, version 5.2"), "{stranger}");
        let small = find(&fake(folder.path(), "QEMU emulator version 9.0.0")).await;
        assert!(small.contains("QEMU 9.0.0") && small.contains("does not know the machine mps2-an386"), "{small}");
    }

    #[tokio::test]
    async fn qemu_is_asked_once_until_its_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let engines = Engines::new(Some(fake(folder.path(), "QEMU emulator version 8.2.1")));
        for _ in 0..3 {
            assert_eq!(engines.find_for("microbit").await.unwrap().version.to_string(), "8.2.1");
        }
        let asked = || fs::read_to_string(folder.path().join("asked")).unwrap().lines().count();
        assert_eq!(asked(), 1);
        let file = fs::File::options().write(true).open(fake(folder.path(), "QEMU emulator version 8.2.2")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        drop(file);
        assert_eq!(engines.find().await.unwrap().version.to_string(), "8.2.2");
        assert_eq!(asked(), 2);
    }
}
