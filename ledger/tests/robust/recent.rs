//! What is read of the past for a comparison.

use crate::runs;
use farm::{
    Digest, History as _, TargetId,
    history::{RECENT, Series, around},
};
use ledger::Ledger;

#[test]
fn the_part_of_the_past_that_a_comparison_reads_is_enough_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.sqlite")).unwrap();
    for index in 0..50_u64 {
        let mut recorder = ledger.record().unwrap();
        // The job's number makes its ticks: each run has another.
        let name = format!("run-{index}");
        let events = [runs::event(&name, 0), runs::event(&name, 7 * (2 * index + 1)), runs::end()];
        events.iter().for_each(|event| recorder.on(event).unwrap());
        recorder.finish().unwrap();
    }
    let (dataset, target) = ("sine".to_owned(), TargetId::from("qemu:mps2-an386"));
    let made_of @ [model, data] = [Digest::of(b"model"), Digest::of(b"dataset")];
    let mut seen = 0;
    for number in 0..7 {
        let series = Series { model: format!("model {number}"), dataset: dataset.clone(), target: target.clone() };
        let metric = "instructions median";
        let all = ledger.recent(&series, metric, Some(model), Some(data), RECENT).unwrap();
        seen += all.len();
        for accepted in all.iter().copied().chain([0.5]) {
            let part = ledger.recent_around(&series, metric, made_of, accepted).unwrap();
            assert_eq!(around(&part, accepted), around(&all, accepted));
        }
    }
    assert_eq!(seen, 50);
}
