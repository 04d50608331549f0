//! The runs that an earlier value stands among.

use crate::runs;
use farm::{
    Clock, Digest, FarmEvent, History as _, JobId, TargetId,
    history::{Series, Spread, Standing},
    metrics::Distribution,
};
use jiff::{SignedDuration, Timestamp};
use ledger::{AcceptNote, Choice, Ledger};
use std::{path::Path, sync::Arc};

const METRIC: &str = "instructions median";

fn series() -> Series {
    Series { model: "model 1".to_owned(), dataset: "sine".to_owned(), target: TargetId::from("qemu:mps2-an386") }
}

/// Records runs of these values, one after the other, made by these runners.
fn recorded(path: &Path, all: &[(u64, &str)]) -> Ledger {
    let ledger = Ledger::open(path).unwrap();
    for (index, (value, runner)) in all.iter().enumerate() {
        let name = format!("run-{index}");
        let mut recorder = ledger.record().unwrap();
        for mut event in [runs::event(&name, 0), runs::event(&name, 1), runs::end()] {
            event.at += SignedDuration::from_hours(index as i64);
            if let FarmEvent::JobFinished { report, summary: Some(summary) } = &mut event.event {
                Arc::make_mut(summary).ticks = Distribution::of([*value]);
                let report = Arc::make_mut(report);
                let mut evidence = (**report.evidence.as_ref().unwrap()).clone();
                evidence.provenance.runner = (*runner).to_owned();
                report.evidence = Some(Arc::new(evidence));
            }
            recorder.on(&event).unwrap();
        }
        recorder.finish().unwrap();
    }
    ledger
}

fn among(ledger: &Ledger, run: usize) -> Vec<f64> {
    let (model, dataset) = (Digest::of(b"model"), Digest::of(b"dataset"));
    let standing = Standing { run: format!("run-{run}"), model, dataset };
    ledger.among(&series(), METRIC, &standing).unwrap()
}

#[test]
fn what_stays_worse_does_not_become_usual() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec![(10, "a"), (11, "a"), (10, "a"), (12, "a"), (10, "a")];
    all.extend([(20, "b"); 40]);
    let ledger = recorded(&folder.path().join("ledger.sqlite"), &all);
    let before = [10.0, 11.0, 10.0, 12.0, 10.0];
    assert_eq!(among(&ledger, 4), before);
    // Too few before it: later ones of the same runner stand in, and none of another.
    for run in 0..4 {
        assert_eq!(among(&ledger, run), before, "{run}");
    }
    let later = among(&ledger, 44);
    assert_eq!((later.len(), later[0], later[29]), (Spread::MOST, 20.0, 20.0));
}

#[test]
fn a_regression_after_the_first_run_stays_undecided_and_one_that_recurs_is_found_by_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec![(10, "a")];
    all.extend([(20, "b"); 9]);
    all.push((10, "c"));
    let ledger = recorded(&folder.path().join("ledger.sqlite"), &all);
    assert_eq!(among(&ledger, 0), [10.0], "what came later is of other firmware");
    assert_eq!(among(&ledger, 10), [10.0], "its value is that of the first run, and it is another");
}

#[test]
fn what_is_not_known_and_what_another_runner_measured_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec![(20, "a"); 9];
    all.extend([(10, "b"), (20, "b")]);
    let ledger = recorded(&folder.path().join("ledger.sqlite"), &all);
    // An accepted gain must not be hidden by what was before it.
    assert_eq!(among(&ledger, 9), [10.0, 20.0]);
    assert!(among(&ledger, 77).is_empty(), "there is no such run");
}

/// A run whose job was measured again: first these ticks on a board, then those.
fn measured_again(ledger: &Ledger, name: &str, [first, again]: [u64; 2]) {
    let mut recorder = ledger.record().unwrap();
    let mut events = vec![runs::event(name, 0)];
    for (number, ticks) in [(1, first), (2, again)] {
        let mut event = runs::event(name, 1);
        let FarmEvent::JobFinished { report, summary: Some(summary) } = &mut event.event else { panic!() };
        let (report, summary) = (Arc::make_mut(report), Arc::make_mut(summary));
        (summary.ticks, summary.clock) = (Distribution::of([ticks]), Clock::BoardCycles { hz: 1_000_000 });
        (report.id, report.rerun) = (JobId(number), (number - 1) as u32);
        events.push(event);
    }
    events.push(runs::end());
    events.iter().for_each(|event| recorder.on(event).unwrap());
    recorder.finish().unwrap();
}

#[test]
fn a_time_that_was_measured_again_is_what_it_was_then_also_where_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
    measured_again(&ledger, "run-a", [2_000, 1_000]);
    let found = &ledger.figures("run-a").unwrap()[&series()];
    assert_eq!((found.figures["latency median"], found.confirmed, found.job), (0.001, true, 1));
    let note = AcceptNote { who: "qa".to_owned(), reason: "good".to_owned(), at: Timestamp::UNIX_EPOCH };
    ledger.accept("run-a", &Choice::default(), &note).unwrap();
    let baseline = ledger.baseline(&series()).unwrap().unwrap();
    assert_eq!(baseline.figures["latency median"].value, 0.001);
    assert_eq!(ledger.verify().unwrap(), []);
    // The spread is that of first measurements: those that are compared.
    assert_eq!(ledger.recent(&series(), "latency median", None, 9).unwrap(), [0.002]);
}

#[test]
fn what_a_run_does_not_measure_any_more_is_taken_out_where_all_of_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = recorded(&folder.path().join("ledger.sqlite"), &[(10, "a")]);
    measured_again(&ledger, "run-b", [1_000, 1_000]);
    let note =
        |at| AcceptNote { who: "qa".to_owned(), reason: "good".to_owned(), at: Timestamp::from_second(at).unwrap() };
    let metrics = || ledger.baseline(&series()).unwrap().unwrap().figures.into_keys().collect::<Vec<_>>();
    ledger.accept("run-0", &Choice::default(), &note(1)).unwrap();
    assert!(metrics().iter().any(|metric| metric == METRIC), "{:?}", metrics());
    ledger.accept("run-b", &Choice { metric: Some("arena used".to_owned()), ..Choice::default() }, &note(2)).unwrap();
    assert!(metrics().iter().any(|metric| metric == METRIC), "one figure says nothing of the others");
    ledger.accept("run-b", &Choice::default(), &note(3)).unwrap();
    assert!(!metrics().iter().any(|metric| metric == METRIC), "{:?}", metrics());
    assert_eq!(ledger.verify().unwrap(), []);
    let mut out = Vec::new();
    ledger.export(&mut out, None).unwrap();
    let other = Ledger::open(&folder.path().join("other")).unwrap();
    other.import(&mut out.as_slice()).unwrap();
    assert_eq!(other.baselines().unwrap(), ledger.baselines().unwrap());
}
