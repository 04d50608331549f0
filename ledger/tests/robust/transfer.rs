//! What goes out and comes in again, and what is taken out.

use crate::runs;
use jiff::Timestamp;
use ledger::{AcceptNote, Choice, FlakyFilter, Imported, Ledger, LedgerError, PruneRule, SeriesFilter, Trend};
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

fn note(at: i64) -> AcceptNote {
    let at = Timestamp::from_second(at).unwrap();
    AcceptNote { who: "qa".to_owned(), reason: "as it should be".to_owned(), at }
}

fn open(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// What is wrong with `lines` after a header, and in which line.
fn refused(lines: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
    let text = lines.join("\n") + "\n";
    let error = ledger.import(&mut text.as_bytes()).unwrap_err();
    assert!(matches!(error, LedgerError::Import { .. }), "{error:?}");
    assert!(ledger.runs(&ledger::RunFilter::default()).unwrap().is_empty());
    error.to_string()
}

#[test]
fn the_newest_acceptance_counts_in_whatever_order_they_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let one = filled(&folder.path().join("one"));
    one.accept("run-c", &Choice::default(), &note(1_800_000_000)).unwrap();
    one.accept("run-a", &Choice::default(), &note(1_800_000_001)).unwrap();
    let out = exported(&one);
    let two = Ledger::open(&folder.path().join("two")).unwrap();
    two.import(&mut out.as_slice()).unwrap();
    let of = |ledger: &Ledger| {
        let all = ledger.baselines().unwrap().into_values().flat_map(|it| it.figures.into_values());
        all.map(|accepted| accepted.run).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(of(&two), ["run-a".to_owned()].into());
    // An export from before does not bring back what has been replaced since.
    two.accept("run-b", &Choice::default(), &note(1_900_000_000)).unwrap();
    two.import(&mut out.as_slice()).unwrap();
    assert_eq!(of(&two), ["run-b".to_owned()].into());
    assert_eq!(two.prune(&PruneRule { keep: Some(0), ..PruneRule::default() }).unwrap().kept, ["run-b"]);
}

#[test]
fn what_was_accepted_outlives_the_events_and_damage_to_one_run_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one");
    let one = filled(&path);
    one.prune(&PruneRule { keep: Some(1), events_only: true, ..PruneRule::default() }).unwrap();
    let mut out = Vec::new();
    let done = one.export(&mut out, None).unwrap();
    assert_eq!((done.runs, done.left_out.len()), (1, 2), "{done:?}");
    let two = Ledger::open(&folder.path().join("two")).unwrap();
    two.import(&mut out.as_slice()).unwrap();
    assert_eq!(two.baselines().unwrap(), one.baselines().unwrap());
    assert_eq!((one.verify().unwrap(), two.verify().unwrap()), (vec![], vec![]));

    let three = filled(&folder.path().join("three"));
    open(&folder.path().join("three"))
        .execute("UPDATE news SET events = x'00' WHERE run = (SELECT id FROM run WHERE name = 'run-a')", ())
        .unwrap();
    let mut out = Vec::new();
    let done = three.export(&mut out, None).unwrap();
    let [(run, why)] = &done.left_out[..] else { panic!("{done:?}") };
    assert_eq!((done.runs, run.as_str()), (2, "run-a"));
    assert!(why.contains("events of run run-a"), "{why}");
    assert!(three.export(&mut Vec::new(), Some(&["run-a".to_owned()])).is_err());
    Ledger::open(&folder.path().join("four")).unwrap().import(&mut out.as_slice()).unwrap();
}

#[test]
fn what_contradicts_itself_is_refused_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let out = String::from_utf8(exported(&filled(&folder.path().join("one")))).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    let (header, run, start, job) = (lines[0], lines[1], lines[2], lines[3]);
    let with = |name: &str| [run, start].map(|line| line.replace("run-a", name));
    let later = header.replace("/1", "/2");
    assert!(refused(&[&later]).contains("later format tinyfarm-ledger/2; use a newer tinyfarm"));
    assert!(refused(&[header, run]).contains("line 2"), "{}", refused(&[header, run]));
    assert!(refused(&[header, run]).contains("run run-a, which ends before it, has no events"));
    let twice = refused(&[header, run, start, job, job]);
    assert!(twice.contains("line 5") && twice.contains("an event of run run-a"), "{twice}");
    for name in ["latest-1", "", "a b"] {
        let [run, start] = with(name);
        assert!(refused(&[header, &run, &start]).contains("cannot be selected"), "{name}");
    }
    let future = start.replacen("2023-", "9999-", 1);
    assert_ne!(future, start);
    assert!(refused(&[header, run, &future]).contains("begins in the future"));
    let odd = "{\"line\":\"event\",\"at\":\"2023-11-14T22:13:20Z\",\"event\":\"what-is-new\"}";
    let error = refused(&[header, run, start, odd]);
    assert!(error.contains("line 4") && error.contains("a newer tinyfarm may know it"), "{error}");
    // What an editor leaves is no fault.
    let ledger = Ledger::open(&folder.path().join("two")).unwrap();
    let edited = format!("\u{feff}{}\r\n\r\n", lines.join("\r\n"));
    assert_eq!(ledger.import(&mut edited.as_bytes()).unwrap().runs.len(), 3);
}

#[test]
fn whatever_is_not_as_it_was_is_found_and_nothing_hides_behind_it() {
    for (change, found) in [
        ("DELETE FROM news WHERE run = 1", "run run-a: its events are gone"),
        ("DROP INDEX job_by_series", "the index job_by_series is missing"),
        ("UPDATE run SET origin = 'x' WHERE id = 1", "run run-a: its row cannot be read"),
        ("UPDATE acceptance SET model = 'zz' WHERE id = 1", "an accepted figure cannot be read"),
        ("UPDATE acceptance SET value = value + 1 WHERE value IS NOT NULL", "is not what it measured"),
        ("UPDATE histogram SET buckets = x'00' WHERE job = 1", "its histograms are not what its events amount to"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let ledger = filled(&path);
        assert_eq!(open(&path).execute_batch(change), Ok(()), "{change}");
        // Something else as well, that must be found all the same.
        open(&path).execute("UPDATE job SET reason = 'x' WHERE run = 3", ()).unwrap();
        let findings = ledger.verify().unwrap().iter().map(|it| it.to_string()).collect::<Vec<_>>().join("\n");
        assert!(findings.contains(found), "{change}: {findings}");
        assert!(findings.contains("run run-c: its jobs are not what"), "{change}: {findings}");
    }
}

#[test]
fn of_runs_that_overlap_each_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("one")).unwrap();
    let (mut a, mut b) = (ledger.record().unwrap(), ledger.record().unwrap());
    // The first job and the eighth are of one series.
    for index in 0..=16 {
        a.on(&runs::event("run-a", index)).unwrap();
        b.on(&runs::event("run-b", index)).unwrap();
    }
    for recorder in [&mut a, &mut b] {
        recorder.on(&runs::end()).unwrap();
        recorder.finish().unwrap();
    }
    let trends = ledger.trend(&SeriesFilter::default(), "arena used", 100).unwrap();
    let runs = |trend: &Trend| trend.points.iter().map(|point| point.run.clone()).collect::<Vec<_>>();
    assert_eq!(trends.len(), 7);
    assert!(trends.iter().all(|trend| runs(trend).len() == 2 && runs(trend)[0] != runs(trend)[1]), "{trends:?}");
    let series = &trends[0].series;
    assert_eq!(farm::History::recent(&ledger, series, "arena used", None, 100).unwrap().len(), 2);
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
