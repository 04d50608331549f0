//! Files that are no ledger, or one that this version cannot use; disks and folders that take nothing.

use crate::{child, runs};
use ledger::{Ledger, LedgerError};
use rusqlite::Connection;
use std::{fs, path::Path};

fn refused(path: &Path) -> LedgerError {
    let error = Ledger::open(path).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(error.to_string().contains("; "), "no mend: {error}");
    error
}

#[test]
fn a_file_that_is_something_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "what I did today\n".repeat(100)).unwrap();
    assert!(matches!(refused(&text), LedgerError::NotALedger { .. }));
    assert_eq!(fs::read_to_string(&text).unwrap(), "what I did today\n".repeat(100));

    let other = folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE song (title TEXT)").unwrap();
    let before = fs::read(&other).unwrap();
    assert!(matches!(refused(&other), LedgerError::NotALedger { .. }));
    assert_eq!(fs::read(&other).unwrap(), before);

    assert!(matches!(refused(folder.path()), LedgerError::NotALedger { .. }));
    assert!(matches!(refused(&text.join("below.sqlite")), LedgerError::Io { .. }));
}

#[test]
fn one_of_a_later_version_is_refused_and_one_that_is_not_there_is_not_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    assert!(matches!(Ledger::open_existing(&path), Err(LedgerError::Missing { .. })));
    assert!(!path.exists());
    drop(Ledger::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    assert!(matches!(refused(&path), LedgerError::Newer { found: 1000, .. }));
}

#[test]
fn an_empty_file_becomes_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    fs::write(&path, "").unwrap();
    let mut recorder = Ledger::open(&path).unwrap().record().unwrap();
    runs::whole("a", 1).iter().for_each(|event| recorder.on(event).unwrap());
    assert_eq!(Ledger::open_existing(&path).unwrap().find("a").unwrap().jobs, 1);
}

#[test]
fn where_nothing_can_be_made_the_error_says_what_to_do() {
    // Not even root can make a file there.
    let error = refused(Path::new("/proc/ledger.sqlite"));
    assert!(error.to_string().contains("--no-ledger"), "{error}");
    let error = refused(Path::new("/proc/there/is/none/ledger.sqlite"));
    assert!(error.to_string().contains("--no-ledger"), "{error}");
}

#[test]
fn a_file_that_may_not_grow_fails_by_name_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    // No file may be larger than 1 MiB, which is as good as a full disk; the signal that says so is left aside.
    let mut writer = child::writer_after("trap '' XFSZ; ulimit -f 2048", &path, "a", u64::MAX).spawn().unwrap();
    let lines: Vec<String> = child::lines(&mut writer).collect();
    assert!(writer.wait().unwrap().success(), "{lines:?}");
    let failed = lines.last().unwrap();
    assert!(failed.starts_with("failed after ") && failed.contains(&path.display().to_string()), "{failed}");
    assert!(failed.contains("space"), "no mend: {failed}");
    let ledger = Ledger::open_existing(&path).unwrap();
    let kept = ledger.events("a").unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(kept.len(), lines.len() - 1);
    let findings = ledger.verify().unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}
