//! The folder of a simulated bench. Each simulated board keeps `<place>.json` there, locked for as long as it lives, so
//! that what a killed one left behind is told from what is alive.

use super::{Attached, BusError};
use serde::Deserialize;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// No board says more of itself than this, bytes.
const MOST: u64 = 64 << 10;

/// What a simulated board says of itself.
#[derive(Debug, Deserialize)]
struct Place {
    serial: String,
    machine: String,
    selector: String,
    #[serde(default)]
    uart: Option<PathBuf>,
}

/// The boards that live on the bench, in the order of their places; what dead ones left behind is removed.
pub(super) fn attached(bench: &Path) -> Result<Vec<Attached>, BusError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BusError::Read { path, source }
    };
    let entries = match fs::read_dir(bench) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(bench)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed(bench))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    let mut all = Vec::new();
    for path in files {
        match look(&path) {
            Ok(Some(attached)) => all.push(attached),
            Ok(None) => {}
            // Unplugged meanwhile.
            Err(BusError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// The board behind `path`, if it lives.
fn look(path: &Path) -> Result<Option<Attached>, BusError> {
    let failed = |source| BusError::Read { path: path.to_owned(), source };
    loop {
        let file = File::open(path).map_err(failed)?;
        let alive = is_locked(&file).map_err(failed)?;
        let mut text = String::new();
        let read = (&file).take(MOST).read_to_string(&mut text).map_err(|error| error.to_string());
        let place = read.and_then(|_| serde_json::from_str::<Place>(&text).map_err(|error| error.to_string()));
        match (alive, place) {
            (true, Ok(place)) => return Ok(Some(place.attached(path))),
            (true, Err(why)) => return Err(BusError::Foreign { path: path.to_owned(), why }),
            // A living board has put a new one in its place, and let go of this one.
            (false, _) if !is_at(&file, path) => {}
            (false, Ok(_)) => {
                tidy(path, &file);
                return Ok(None);
            }
            // Whatever it is, it is not ours to remove.
            (false, Err(_)) => return Ok(None),
        }
    }
}

/// Whether a board has locked this file of its.
fn is_locked(file: &File) -> io::Result<bool> {
    // Shared: another process that looks at the same time must not be taken for the board.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether `path` leads to this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let which = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().is_ok_and(|ours| fs::metadata(path).is_ok_and(|there| which(ours) == which(there)))
}

/// Removes what a dead board left behind, of which `file` at `path` is the file. Who takes a place on the bench holds the
/// folder's lock meanwhile; whoever has it now tidies up himself.
fn tidy(path: &Path, file: &File) {
    let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) else { return };
    if folder.try_lock().is_err() || !is_at(file, path) {
        return;
    }
    for extension in ["probe", "uart", "control", "json"] {
        let path = path.with_extension(extension);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::debug!("cannot remove {}, left behind by a dead board: {error}", path.display()),
        }
    }
    // Not left to the close: a child that is being started has the folder open as well, until it becomes its program.
    let _ = folder.unlock();
}

impl Place {
    fn attached(self, path: &Path) -> Attached {
        Attached {
            serial: Some(self.serial),
            selector: self.selector,
            name: format!("simulated {}", self.machine),
            place: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            simulated: true,
            uart: self.uart.map(|_| path.with_extension("uart")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A board of a made-up bench. It lives as long as this does.
    #[derive(Debug)]
    pub(crate) struct Board(File);

    impl Drop for Board {
        fn drop(&mut self) {
            // Not left to the close: a process that another test is starting has the file open, too.
            let _ = self.0.unlock();
        }
    }

    /// Puts one onto the bench, as a simulated board does.
    pub(crate) fn put(bench: &Path, place: &str, serial: &str) -> Board {
        let probe = bench.join(place).with_extension("probe");
        fs::write(&probe, "").unwrap();
        let text = serde_json::json!({
            "serial": serial, "machine": "netduinoplus2", "chip": "sim-stm32f405",
            "selector": format!("20b7:9db1:unix:{}", probe.display()),
            "uart": "/dev/pts/7", "control": "/nowhere", "pid": 1, "unique_id": "00",
        });
        let new = bench.join(format!("{place}.json.new"));
        fs::write(&new, text.to_string()).unwrap();
        let file = File::options().write(true).open(&new).unwrap();
        file.lock().unwrap();
        fs::rename(&new, bench.join(format!("{place}.json"))).unwrap();
        Board(file)
    }

    fn places(bench: &Path) -> Vec<String> {
        attached(bench).unwrap().into_iter().map(|attached| attached.place).collect()
    }

    #[test]
    fn a_bench_that_is_not_there_is_empty_and_a_file_in_its_place_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(attached(&folder.path().join("none")).unwrap().is_empty());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = attached(&file).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the simulated bench at ") && error.contains("[boards]"), "{error}");
    }

    #[test]
    fn a_living_board_is_there_and_what_a_dead_one_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let bench = folder.path();
        let _one = put(bench, "place-2", "SIM-2");
        let other = put(bench, "place-1", "SIM-1");
        assert_eq!(places(bench), ["place-1", "place-2"]);
        let first = attached(bench).unwrap().remove(0);
        assert_eq!(first.uart, Some(bench.join("place-1.uart")));
        assert_eq!((first.serial.as_deref(), first.simulated), (Some("SIM-1"), true));
        drop(other);
        assert_eq!(places(bench), ["place-2"]);
        assert!(!bench.join("place-1.json").exists() && !bench.join("place-1.probe").exists());
        assert!(bench.join("place-2.probe").exists());
    }

    #[test]
    fn a_board_that_tells_of_itself_anew_is_never_missing() {
        let folder = tempfile::tempdir().unwrap();
        let bench = folder.path().to_owned();
        let path = bench.join("place.json");
        let mut board = put(&bench, "place", "SIM-1");
        let other = std::thread::spawn(move || {
            for _ in 0..200 {
                board = put(&bench, "place", "SIM-1");
            }
            board
        });
        while !other.is_finished() {
            assert!(look(&path).unwrap().is_some());
        }
        other.join().unwrap();
    }

    #[test]
    fn while_somebody_takes_a_place_nobody_tidies() {
        let folder = tempfile::tempdir().unwrap();
        drop(put(folder.path(), "place", "SIM-1"));
        let lock = File::open(folder.path()).unwrap();
        lock.lock().unwrap();
        assert!(places(folder.path()).is_empty() && folder.path().join("place.json").exists());
        lock.unlock().unwrap();
        assert!(places(folder.path()).is_empty() && !folder.path().join("place.json").exists());
    }

    #[test]
    fn somebody_elses_files_are_left_alone_unless_they_are_held_like_a_boards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("package.json");
        fs::write(&path, "{\"name\": \"mine\"}").unwrap();
        assert!(attached(folder.path()).unwrap().is_empty());
        assert!(path.exists());
        let file = File::open(&path).unwrap();
        file.lock().unwrap();
        let error = attached(folder.path()).unwrap_err().to_string();
        assert!(error.contains("package.json") && error.contains("missing field `serial`"), "{error}");
    }

    #[test]
    fn what_a_simulated_board_writes_is_understood() {
        use simulated_board::bench::{Bench, Record};
        let folder = crate::sockets::folder("tinyfarm-test-").unwrap();
        let bench = Bench::open(folder.path()).unwrap();
        let spot = bench.take("port-1").unwrap();
        assert!(attached(bench.folder()).unwrap().is_empty());
        let record = Record {
            serial: "SIM-1".to_owned(),
            machine: "mps2-an386".to_owned(),
            chip: "sim-mps2-an386".to_owned(),
            selector: spot.selector(),
            uart: "/dev/pts/7".into(),
            control: spot.control_path().to_owned(),
            pid: std::process::id(),
            unique_id: "00".repeat(12),
        };
        let plugged = spot.plug(&record).unwrap();
        let expected = Attached {
            serial: Some("SIM-1".to_owned()),
            selector: spot.selector(),
            name: "simulated mps2-an386".to_owned(),
            place: "port-1".to_owned(),
            simulated: true,
            uart: Some(bench.folder().join("port-1.uart")),
        };
        assert_eq!(attached(bench.folder()).unwrap(), [expected]);
        drop(plugged);
        assert!(attached(bench.folder()).unwrap().is_empty());
        // It keeps its place while it is unplugged.
        assert!(spot.control_path().exists());
    }
}
