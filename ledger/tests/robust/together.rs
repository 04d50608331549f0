//! Several that write and read at once.

use crate::{child, runs};
use farm::Stamped;
use ledger::{Ledger, RunFilter, RunState};
use std::thread;

const JOBS: u64 = 40;

#[test]
fn processes_write_at_once_and_each_keeps_all_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    // Not there before: whoever comes first makes it.
    let path = folder.path().join("not/there/ledger.sqlite");
    let names: Vec<String> = (0..6).map(|index| format!("run-{index}")).collect();
    let mut writers: Vec<_> =
        names.iter().map(|name| child::writer(&path, name, 2 * JOBS + 1).spawn().unwrap()).collect();
    for writer in &mut writers {
        assert_eq!(child::lines(writer).last().unwrap(), "ended");
        assert!(writer.wait().unwrap().success());
    }
    all_are_there(&Ledger::open_existing(&path).unwrap(), &names);
}

#[test]
fn threads_write_while_others_read() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
    let names: Vec<String> = (0..4).map(|index| format!("run-{index}")).collect();
    thread::scope(|scope| {
        let writers: Vec<_> = names
            .iter()
            .map(|name| {
                let mut recorder = ledger.record().unwrap();
                scope.spawn(move || {
                    for event in runs::whole(name, JOBS) {
                        recorder.on(&event).unwrap();
                        recorder.idle().unwrap();
                    }
                    recorder.finish().unwrap();
                })
            })
            .collect();
        while !writers.iter().all(|writer| writer.is_finished()) {
            for run in ledger.runs(&RunFilter::default()).unwrap() {
                // What is seen of a run is whole: its count of jobs is that of its rows.
                assert!(ledger.jobs(&run.name).unwrap().len() as u64 >= run.jobs);
            }
        }
    });
    all_are_there(&ledger, &names);
}

fn all_are_there(ledger: &Ledger, names: &[String]) {
    assert_eq!(ledger.runs(&RunFilter::default()).unwrap().len(), names.len());
    for name in names {
        let run = ledger.find(name).unwrap();
        assert_eq!((run.state, run.jobs, run.verdicts.pass), (RunState::Finished, JOBS, JOBS));
        let kept: Vec<Stamped> = ledger.events(name).unwrap().map(Result::unwrap).collect();
        assert_eq!(kept, runs::whole(name, JOBS));
    }
    let findings = ledger.verify().unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}
