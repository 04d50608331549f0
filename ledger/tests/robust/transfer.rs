//! What goes out and comes in again, and what is taken out.

use crate::runs;
use jiff::Timestamp;
use ledger::{AcceptNote, Choice, FlakyFilter, Imported, Ledger, LedgerError, PruneRule};
use std::path::Path;

fn filled(path: &Path) -> Ledger {
    let ledger = Ledger::open(path).unwrap();
    for name in ["run-a", "run-b", "run-c"] {
        let mut recorder = ledger.record().unwrap();
        runs::whole(name, 12).iter().for_each(|event| recorder.on(event).unwrap());
        recorder.finish().unwrap();
    }
    let note = AcceptNote { who: "qa".to_owned(), reason: "as it should be".to_owned(), at: Timestamp::UNIX_EPOCH };
    ledger.accept("run-b", &Choice::default(), &note).unwrap();
    ledger
}

fn exported(ledger: &Ledger) -> Vec<u8> {
    let mut out = Vec::new();
    ledger.export(&mut out, None).unwrap();
    out
}

#[test]
fn what_is_imported_is_exported_again_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (filled(&folder.path().join("one")), Ledger::open(&folder.path().join("two")).unwrap());
    let out = exported(&one);
    let done = two.import(&mut out.as_slice()).unwrap();
    assert_eq!((done.runs.len(), done.skipped.len()), (3, 0));
    assert_eq!(exported(&two), out);
    assert_eq!(two.baselines().unwrap(), one.baselines().unwrap());
    assert_eq!(two.verify().unwrap(), []);
    let again = two.import(&mut out.as_slice()).unwrap();
    assert_eq!(again, Imported { skipped: done.runs, ..Imported::default() });
    assert_eq!(exported(&two), out);
}

#[test]
fn half_an_export_is_refused_by_its_line_and_nothing_of_it_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let out = exported(&filled(&folder.path().join("one")));
    let two = Ledger::open(&folder.path().join("two")).unwrap();
    let error = two.import(&mut &out[..out.len() - 5]).unwrap_err();
    assert!(matches!(error, LedgerError::Import { line, .. } if line > 70), "{error}");
    let error = two.import(&mut &b"{}\n"[..]).unwrap_err();
    assert!(matches!(error, LedgerError::Import { line: 1, .. }), "{error}");
    assert!(two.runs(&ledger::RunFilter::default()).unwrap().is_empty());
}

#[test]
fn a_run_that_a_baseline_stands_on_is_not_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = filled(&folder.path().join("one"));
    let pruned = ledger.prune(&PruneRule { keep: Some(1), ..PruneRule::default() }).unwrap();
    assert_eq!((pruned.runs, pruned.kept), (vec!["run-a".to_owned()], vec!["run-b".to_owned()]));
    assert_eq!(ledger.verify().unwrap(), []);
    assert!(matches!(ledger.find("run-a"), Err(LedgerError::UnknownRun { .. })));
    assert!(matches!(ledger.find("run"), Err(LedgerError::Ambiguous { .. })));
    assert!(ledger.flaky(&FlakyFilter::default()).unwrap().jobs.is_empty());
}
