//! Bits that rot.

use crate::runs;
use ledger::Ledger;
use rusqlite::Connection;
use std::fs;

const PAGE: usize = 4096;

/// Each page in turn is overwritten. Whatever it held: nothing panics, and either the damage is told or nothing is lost.
#[test]
fn a_damaged_page_is_found_or_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.sqlite");
    let ledger = Ledger::open(&sound).unwrap();
    for name in ["a", "b"] {
        let mut recorder = ledger.record().unwrap();
        runs::whole(name, 30).iter().for_each(|event| recorder.on(event).unwrap());
        recorder.finish().unwrap();
    }
    let mut whole = Vec::new();
    ledger.export(&mut whole, None).unwrap();
    drop(ledger);
    // All into the one file.
    Connection::open(&sound).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let bytes = fs::read(&sound).unwrap();
    let mut told = 0;
    for page in 0..bytes.len() / PAGE {
        let mut damaged = bytes.clone();
        damaged[page * PAGE..][..PAGE].fill(0xa5);
        let path = folder.path().join(format!("{page}.sqlite"));
        fs::write(&path, damaged).unwrap();
        let Ok(ledger) = Ledger::open(&path) else {
            told += 1;
            continue;
        };
        if ledger.verify().map_or(true, |findings| !findings.is_empty()) {
            told += 1;
        } else {
            let mut read = Vec::new();
            ledger.export(&mut read, None).unwrap();
            assert_eq!(read, whole, "page {page} is damaged, and nobody says so");
        }
    }
    assert!(told > 10, "{told} of {}", bytes.len() / PAGE);
}
