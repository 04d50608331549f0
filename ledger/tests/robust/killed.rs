//! A process that is killed while it writes.

use crate::{child, runs};
use farm::{FarmEvent, Stamped};
use ledger::{Ledger, LedgerError, RunFilter, RunState};

#[test]
fn what_was_written_outlives_a_kill_at_any_moment_and_the_run_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    for round in 0..12_u64 {
        let name = format!("run-{round}");
        let mut writer = child::writer(&path, &name, u64::MAX).spawn().unwrap();
        let mut lines = child::lines(&mut writer);
        // It goes on writing while the kill is on its way.
        let last = 1 + round * 7;
        lines.find(|line| *line == format!("written {last}")).unwrap();
        if round == 0 {
            let ledger = Ledger::open(&path).unwrap();
            assert_eq!(ledger.find(&name).unwrap().state, RunState::Running);
            assert!(matches!(ledger.resume(&name), Err(LedgerError::UnderWay { .. })));
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let acknowledged = lines.filter_map(|line| line.strip_prefix("written ")?.parse().ok()).last().unwrap_or(last);

        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.find("latest").unwrap().state, RunState::Cut);
        let kept: Vec<Stamped> = ledger.events(&name).unwrap().map(Result::unwrap).collect();
        assert!(kept.len() as u64 > acknowledged, "{} of {acknowledged}", kept.len());
        let sent: Vec<Stamped> = (0..kept.len() as u64).map(|index| runs::event(&name, index)).collect();
        assert_eq!(kept, sent);
        assert_eq!(ledger.find(&name).unwrap().jobs, kept.len() as u64 / 2);
        let findings = ledger.verify().unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
    assert_eq!(Ledger::open(&path).unwrap().runs(&RunFilter::default()).unwrap().len(), 12);
    goes_on(&Ledger::open(&path).unwrap(), "run-5");
}

fn goes_on(ledger: &Ledger, name: &str) {
    let kept: Vec<Stamped> = ledger.events(name).unwrap().map(Result::unwrap).collect();
    let mut recorder = ledger.resume(name).unwrap();
    kept.iter().for_each(|again| recorder.on(again).unwrap());
    let resumed = Stamped { event: FarmEvent::RunResumed { scenarios: 2 }, at: runs::end().at };
    let next = kept.len() as u64 + 2;
    let rest = [resumed, runs::event(name, next), runs::event(name, next + 1), runs::end()];
    rest.iter().for_each(|event| recorder.on(event).unwrap());
    recorder.finish().unwrap();
    let run = ledger.find(name).unwrap();
    assert_eq!(run.state, RunState::Finished);
    let all: Vec<Stamped> = ledger.events(name).unwrap().map(Result::unwrap).collect();
    assert_eq!(all, [kept, rest.to_vec()].concat());
    assert!(ledger.verify().unwrap().is_empty());
}
