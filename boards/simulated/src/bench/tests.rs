//! A bench in a temporary folder.

#![allow(clippy::unwrap_used)]
use super::*;

fn record(spot: &Spot, uart: &str) -> Record {
    Record {
        serial: "SIM-1".into(),
        machine: "netduinoplus2".into(),
        chip: "sim-stm32f405".into(),
        selector: spot.selector(),
        uart: uart.into(),
        control: spot.control_path().to_owned(),
        pid: std::process::id(),
        unique_id: "00".repeat(12),
    }
}

fn files(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.folder()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn bench() -> (tempfile::TempDir, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(&folder.path().join("deep/bench")).unwrap();
    (folder, bench)
}

#[test]
fn a_board_is_there_while_it_is_plugged_and_leaves_no_file() {
    let (_folder, bench) = bench();
    let spot = bench.take("port-1").unwrap();
    assert_eq!(files(&bench), ["port-1.control"]);
    assert_eq!(bench.record("port-1"), None);
    let mut plugged = spot.plug(&record(&spot, "/dev/pts/7")).unwrap();
    assert_eq!(files(&bench), ["port-1.control", "port-1.json", "port-1.probe", "port-1.uart"]);
    assert_eq!(bench.record("port-1"), Some(record(&spot, "/dev/pts/7")));
    assert_eq!(fs::read_link(bench.file("port-1", "uart")).unwrap(), Path::new("/dev/pts/7"));
    UnixStream::connect(bench.file("port-1", "probe")).unwrap();
    plugged.update(&record(&spot, "/dev/pts/8")).unwrap();
    assert_eq!(bench.record("port-1"), Some(record(&spot, "/dev/pts/8")));
    assert_eq!(fs::read_link(bench.file("port-1", "uart")).unwrap(), Path::new("/dev/pts/8"));
    drop(plugged);
    assert_eq!(files(&bench), ["port-1.control"]);
    drop(spot);
    assert_eq!(files(&bench), [""; 0]);
}

#[test]
fn a_place_is_taken_once_whether_its_board_is_plugged_or_not() {
    let (_folder, bench) = bench();
    let spot = bench.take("port-1").unwrap();
    let refused = || bench.take("port-1").unwrap_err().to_string();
    assert!(refused().contains("port-1") && refused().contains("not plugged in"), "{}", refused());
    let _plugged = spot.plug(&record(&spot, "/dev/pts/7")).unwrap();
    assert!(refused().contains(&format!("the board SIM-1 (process {})", std::process::id())), "{}", refused());
    assert!(refused().contains("--place"), "{}", refused());
    bench.take("port-2").unwrap();
}

#[test]
fn what_a_killed_process_left_is_seen_as_stale_and_swept() {
    let (_folder, bench) = bench();
    // What a kill leaves: all files, no listener, no lock.
    let spot = bench.take("port-1").unwrap();
    let plugged = spot.plug(&record(&spot, "/dev/pts/7")).unwrap();
    let copies: Vec<_> = files(&bench).into_iter().map(|name| bench.folder().join(name)).collect();
    for path in &copies {
        fs::rename(path, format!("{}.kept", path.display())).unwrap();
    }
    drop((plugged, spot));
    for path in &copies {
        fs::rename(format!("{}.kept", path.display()), path).unwrap();
    }
    assert_eq!(files(&bench).len(), 4);
    assert_eq!(bench.record("port-1"), None, "a file that nobody has locked tells of nothing");
    let spot = bench.take("port-1").unwrap();
    assert_eq!(files(&bench), ["port-1.control"]);
    let plugged = spot.plug(&record(&spot, "/dev/pts/9")).unwrap();
    assert_eq!(bench.record("port-1"), Some(record(&spot, "/dev/pts/9")));
    drop(plugged);
}

#[test]
fn names_and_paths_that_cannot_be_are_refused_with_the_mend() {
    let (_folder, bench) = bench();
    for name in ["", "a/b", ".hidden", "..", "a b", "ä", &"x".repeat(64)] {
        let error = bench.take(name).unwrap_err();
        assert!(matches!(error, BenchError::Name(..)), "{name}: {error}");
    }
    let deep = Bench::open(&bench.folder().join("x".repeat(80))).unwrap();
    let error = deep.take("port-1").unwrap_err().to_string();
    assert!(error.contains("107") && error.contains("--bench"), "{error}");
    let file = bench.folder().join("file");
    fs::write(&file, "").unwrap();
    let error = Bench::open(&file.join("bench")).unwrap_err().to_string();
    assert!(error.contains("file/bench") && error.contains("--bench"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_lock_is_held_by_one_at_a_time_and_waited_for_a_bounded_time() {
    let (_folder, bench) = bench();
    let held = bench.lock().await.unwrap();
    assert!(bench.try_lock().unwrap().is_none());
    let error = bench.lock().await.unwrap_err();
    assert!(matches!(error, BenchError::Locked(_)), "{error}");
    let (waited, ()) = tokio::join!(bench.lock(), async { drop(held) });
    waited.unwrap();
}
