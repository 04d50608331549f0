//! Jobs compared with baselines: an emulator's figures are exact, a board's times are not.
#![allow(clippy::unwrap_used)]

use super::tests::{SUBJECT, too_large};
use crate::testing::{Script, Yard, yard};
use farm::{
    Digest, FarmEvent, TargetError, Verdict,
    history::{Accepted, Baseline, History, HistoryError, Measured, Series, Spread, Standing},
};
use std::{collections::BTreeMap, sync::Arc};

/// What was before, and was accepted.
#[derive(Debug, Default, Clone)]
struct Past {
    baselines: BTreeMap<Series, Baseline>,
    /// What every metric was in the runs before.
    recent: Vec<f64>,
    broken: bool,
}

impl History for Past {
    fn baseline(&self, series: &Series) -> Result<Option<Baseline>, HistoryError> {
        match self.broken {
            true => Err(HistoryError("`ledger.sqlite` is locked".to_owned())),
            false => Ok(self.baselines.get(series).cloned()),
        }
    }
    fn recent(
        &self,
        series: &Series,
        _: &str,
        dataset: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<f64>, HistoryError> {
        let known = self.baselines.get(series).and_then(|baseline| baseline.figures.values().next());
        let same = known.is_some_and(|known| dataset.is_none_or(|dataset| dataset == known.dataset));
        Ok(if same { self.recent[self.recent.len().saturating_sub(limit)..].to_vec() } else { Vec::new() })
    }
    fn among(&self, series: &Series, metric: &str, standing: &Standing) -> Result<Vec<f64>, HistoryError> {
        self.recent(series, metric, Some(standing.dataset), Spread::MOST)
    }
}

impl Past {
    /// Everything that `yard` measures, accepted.
    fn of(yard: &Yard) -> Self {
        let mut past = Self::default();
        for event in yard.run() {
            let FarmEvent::JobFinished { report, summary: Some(summary) } = event else { continue };
            let evidence = report.evidence.as_ref().unwrap();
            let measured = Measured::of(&summary, evidence);
            let figures =
                measured.figures.iter().map(|figure| (figure.metric.to_owned(), accepted(figure.value, &measured)));
            let baseline =
                Baseline { figures: figures.collect(), outputs: Some(accepted(measured.outputs, &measured)) };
            past.baselines.insert(Series::of(&report), baseline);
        }
        past
    }

    fn each(mut self, change: impl Fn(&mut Baseline)) -> Self {
        self.baselines.values_mut().for_each(change);
        self
    }

    /// As if a metric had been something else.
    fn figure(self, metric: &str, value: f64) -> Self {
        self.each(|baseline| baseline.figures.get_mut(metric).unwrap().value = value)
    }

    /// As if it had been measured with something else.
    fn measured_with(self, change: impl Fn(&mut Digest, &mut Digest)) -> Self {
        self.each(|baseline| {
            baseline.figures.values_mut().for_each(|accepted| change(&mut accepted.model, &mut accepted.dataset));
            baseline.outputs.iter_mut().for_each(|accepted| change(&mut accepted.model, &mut accepted.dataset));
        })
    }

    fn recent(mut self, recent: &[f64]) -> Self {
        self.recent = recent.to_vec();
        self
    }
}

fn accepted<T>(value: T, measured: &Measured) -> Accepted<T> {
    Accepted {
        value,
        run: "2026-01-01-aa".to_owned(),
        commit: Some("0123456789abcdef".to_owned()),
        at: jiff::Timestamp::UNIX_EPOCH,
        model: measured.model,
        dataset: measured.dataset,
    }
}

const NOTHING: &str = "nothing is worse than the baseline";

fn on(target: &str, then: &str) -> String {
    format!("{SUBJECT}When it runs on the target \"{target}\"\nThen {then}")
}

fn emulator(then: &str) -> Yard {
    yard().steps(&on("qemu:m4", then))
}

/// A board whose clock is a megahertz: a tick is a microsecond.
fn board(script: Script, then: &str) -> Yard {
    yard().with("nucleo-1", script).steps(&on("nucleo-1", then))
}

/// What the criteria and the scenario came to.
fn told(yard: &Yard) -> String {
    let story = yard.story();
    let lines = story.lines().filter(|line| line.starts_with("    ") || line.starts_with("=>"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

fn with(mut yard: Yard, past: Past) -> Yard {
    yard.history = Some(Arc::new(past));
    yard
}

#[test]
fn what_is_the_same_passes() {
    let yard = emulator(NOTHING);
    let past = Past::of(&yard);
    insta::assert_snapshot!(with(yard, past).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on the target "qemu:m4" => pass
            qemu:m4: nothing is worse than the baseline, is 15 compared, none worse => pass
          5: Then nothing is worse than the baseline => pass
        => pass
    "#);
}

#[test]
fn what_is_worse_is_named_before_and_after() {
    let past = Past::of(&emulator(NOTHING)).figure("instructions p99", 90.0).figure("arena used", 1024.0);
    insta::assert_snapshot!(told(&with(emulator(NOTHING), past.clone())), @r#"
        qemu:m4: nothing is worse than the baseline, is 15 compared, 2 worse => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): instructions p99 90 -> 101 (+12.2 %); arena used 1,024 B -> 1,536 B (+50 %)
        => fail: qemu:m4: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): instructions p99 90 -> 101 (+12.2 %); arena used 1,024 B -> 1,536 B (+50 %)
    "#);
    let by = format!("{NOTHING} by more than 20 %");
    insta::assert_snapshot!(told(&with(emulator(&by), past.clone())), @r#"
        qemu:m4: nothing is worse than the baseline by more than 20 %, is 15 compared, 1 worse => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): arena used 1,024 B -> 1,536 B (+50 %)
        => fail: qemu:m4: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): arena used 1,024 B -> 1,536 B (+50 %)
    "#);
    insta::assert_snapshot!(told(&with(emulator("the instructions p99 is not worse than the baseline"), past.clone())), @r#"
        qemu:m4: instructions p99 not worse than the baseline, is 101 => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): instructions p99 90 -> 101 (+12.2 %)
        => fail: qemu:m4: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): instructions p99 90 -> 101 (+12.2 %)
    "#);
    let by = "the instructions p99 is not worse than the baseline by more than 20 %";
    insta::assert_snapshot!(told(&with(emulator(by), past)), @r#"
        qemu:m4: instructions p99 not worse than the baseline by more than 20 %, is 101 => pass
        => pass
    "#);
}

#[test]
fn what_is_better_passes() {
    let past = Past::of(&emulator(NOTHING)).figure("instructions p99", 120.0);
    insta::assert_snapshot!(told(&with(emulator(NOTHING), past)), @r#"
        qemu:m4: nothing is worse than the baseline, is 15 compared, none worse => pass
        => pass
    "#);
}

#[test]
fn outputs_that_differ_are_as_bad_as_worse() {
    let past = Past::of(&yard().with("qemu:m4", Script::Offset(0.0)).steps(&on("qemu:m4", NOTHING)))
        .each(|baseline| baseline.outputs.as_mut().unwrap().value = Digest::of(b"others"));
    insta::assert_snapshot!(told(&with(emulator(NOTHING), past.clone())), @r#"
        qemu:m4: nothing is worse than the baseline, is 15 compared, 1 worse => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): the outputs are not the same to the bit, though model and dataset are
        => fail: qemu:m4: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): the outputs are not the same to the bit, though model and dataset are
    "#);
    insta::assert_snapshot!(told(&with(emulator("the outputs are not worse than the baseline"), past)), @r#"
        qemu:m4: outputs not worse than the baseline, is not the same to the bit, though model and dataset are => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): the outputs are not the same to the bit, though model and dataset are
        => fail: qemu:m4: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): the outputs are not the same to the bit, though model and dataset are
    "#);
}

#[test]
fn without_a_baseline_it_is_inconclusive_and_without_a_ledger_blocked() {
    insta::assert_snapshot!(told(&with(emulator(NOTHING), Past::default())), @r#"
        qemu:m4: nothing is worse than the baseline, is no baseline => inconclusive: there is no baseline for `line.tflite` over `line.csv` here: accept one with `tinyfarm baseline accept --reason TEXT`
        => inconclusive: qemu:m4: there is no baseline for `line.tflite` over `line.csv` here: accept one with `tinyfarm baseline accept --reason TEXT`
    "#);
    insta::assert_snapshot!(told(&emulator(NOTHING)), @r#"
        qemu:m4: nothing is worse than the baseline, is nothing => blocked: there is no ledger to look the baseline up in: run without `--no-ledger`
        => blocked: qemu:m4: there is no ledger to look the baseline up in: run without `--no-ledger`
    "#);
    let broken = Past { broken: true, ..Past::default() };
    insta::assert_snapshot!(told(&with(emulator(NOTHING), broken)), @r#"
        qemu:m4: nothing is worse than the baseline, is nothing => blocked: cannot read the ledger: `ledger.sqlite` is locked
        => blocked: qemu:m4: cannot read the ledger: `ledger.sqlite` is locked
    "#);
}

#[test]
fn what_was_not_accepted_is_said_and_alone_it_is_no_pass() {
    let past = Past::of(&emulator(NOTHING));
    let some = past.clone().each(|baseline| baseline.figures.retain(|name, _| name.starts_with("instr")));
    insta::assert_snapshot!(told(&with(emulator(NOTHING), some.clone())), @r#"
        qemu:m4: nothing is worse than the baseline, is 6 compared, none worse => pass: not in the baseline: mean absolute error, root mean square error, maximum error, arena used, firmware text, firmware data, firmware bss, flash, RAM
        => pass: qemu:m4: not in the baseline: mean absolute error, root mean square error, maximum error, arena used, firmware text, firmware data, firmware bss, flash, RAM
    "#);
    insta::assert_snapshot!(told(&with(emulator("the arena used is not worse than the baseline"), some)), @r#"
        qemu:m4: arena used not worse than the baseline, is 1,536 B => inconclusive: there is no baseline of arena used for `line.tflite` over `line.csv` here: accept one with `tinyfarm baseline accept --reason TEXT`
        => inconclusive: qemu:m4: there is no baseline of arena used for `line.tflite` over `line.csv` here: accept one with `tinyfarm baseline accept --reason TEXT`
    "#);
    let none = past.each(|baseline| *baseline = Baseline::default());
    insta::assert_snapshot!(told(&with(emulator(NOTHING), none)), @r#"
        qemu:m4: nothing is worse than the baseline, is nothing that can be compared => inconclusive: there is no baseline of anything that was measured for `line.tflite` over `line.csv` here: accept one with `tinyfarm baseline accept --reason TEXT`
        => inconclusive: qemu:m4: there is no baseline of anything that was measured for `line.tflite` over `line.csv` here: accept one with `tinyfarm baseline accept --reason TEXT`
    "#);
}

#[test]
fn another_model_is_compared_but_for_its_outputs_and_another_dataset_is_not() {
    let past = Past::of(&emulator(NOTHING));
    let model = past.clone().measured_with(|model, _| *model = Digest::of(b"another"));
    insta::assert_snapshot!(told(&with(emulator(NOTHING), model.clone().figure("instructions p99", 90.0))), @r#"
        qemu:m4: nothing is worse than the baseline, is 14 compared, 1 worse => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): instructions p99 90 -> 101 (+12.2 %)
        => fail: qemu:m4: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): instructions p99 90 -> 101 (+12.2 %)
    "#);
    insta::assert_snapshot!(told(&with(emulator(NOTHING), model.clone())), @r#"
        qemu:m4: nothing is worse than the baseline, is 14 compared, none worse => pass: the outputs are of another model, and not compared
        => pass: qemu:m4: the outputs are of another model, and not compared
    "#);
    insta::assert_snapshot!(told(&with(emulator("the outputs are not worse than the baseline"), model)), @r#"
        qemu:m4: outputs not worse than the baseline, is of another model, and not compared => inconclusive: the outputs are of another model, and not compared
        => inconclusive: qemu:m4: the outputs are of another model, and not compared
    "#);
    let dataset = past.measured_with(|_, dataset| *dataset = Digest::of(b"another"));
    insta::assert_snapshot!(told(&with(emulator(NOTHING), dataset)), @r#"
        qemu:m4: nothing is worse than the baseline, is nothing that can be compared => inconclusive: the baseline was measured with other data than `line.csv` holds now: accept a run with these with `tinyfarm baseline accept --reason TEXT`
        => inconclusive: qemu:m4: the baseline was measured with other data than `line.csv` holds now: accept a run with these with `tinyfarm baseline accept --reason TEXT`
    "#);
}

/// A board that takes 100 us at first, and was accepted at that; then it takes other times.
fn slower(first: u64, again: u64, runs: usize) -> Yard {
    let past = Past::of(&board(Script::Takes(100, 100), NOTHING));
    let recent: Vec<f64> = [1.01e-4, 1.02e-4, 1.0e-4, 1.01e-4, 1.0e-4, 1.02e-4][..runs].to_vec();
    with(board(Script::Takes(first, again), "the latency max is not worse than the baseline"), past.recent(&recent))
}

#[test]
fn a_time_that_is_worse_twice_fails_with_both_values() {
    let yard = slower(150, 151, 6);
    insta::assert_snapshot!(told(&yard), @r#"
    nucleo-1: latency max not worse than the baseline, is 151 µs => fail: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): latency max 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs), and 152 µs when measured again
    => fail: nucleo-1: worse than the baseline (run 2026-01-01-aa, commit 0123456789ab): latency max 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs), and 152 µs when measured again
    "#);
    assert_eq!(yard.opened("nucleo-1"), 2);
}

#[test]
fn a_time_that_is_worse_once_and_not_again_passes_and_says_so() {
    let yard = slower(150, 100, 6);
    insta::assert_snapshot!(told(&yard), @r#"
    nucleo-1: latency max not worse than the baseline, is 151 µs => pass: latency max seemed worse than the baseline, 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs), and was not when measured again: 101 µs
    => pass: nucleo-1: latency max seemed worse than the baseline, 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs), and was not when measured again: 101 µs
    "#);
    assert_eq!(yard.opened("nucleo-1"), 2);
}

#[test]
fn a_time_within_its_spread_is_not_measured_again() {
    let yard = slower(103, 500, 6);
    insta::assert_snapshot!(told(&yard), @r#"
        nucleo-1: latency max not worse than the baseline, is 104 µs => pass
        => pass
    "#);
    assert_eq!(yard.opened("nucleo-1"), 1);
}

#[test]
fn too_few_runs_to_know_the_spread_are_inconclusive_unless_it_is_no_worse() {
    insta::assert_snapshot!(told(&slower(150, 150, 3)), @r#"
    nucleo-1: latency max not worse than the baseline, is 151 µs => inconclusive: latency max 101 µs -> 151 µs (+49.5 %), and 3 earlier runs cannot tell whether that is noise: 2 more of the model and the runner that it is compared with would
    => inconclusive: nucleo-1: latency max 101 µs -> 151 µs (+49.5 %), and 3 earlier runs cannot tell whether that is noise: 2 more of the model and the runner that it is compared with would
    "#);
    insta::assert_snapshot!(told(&slower(99, 99, 0)), @r#"
        nucleo-1: latency max not worse than the baseline, is 100 µs => pass
        => pass
    "#);
}

#[test]
fn a_second_measurement_that_brings_nothing_decides_nothing() {
    let again = |error| {
        let yard = slower(150, 150, 6);
        yard.with("nucleo-1", Script::TakesOnce(150, error))
    };
    insta::assert_snapshot!(told(&again(TargetError::Bench("probe lost".to_owned()))), @r#"
    nucleo-1: latency max not worse than the baseline, is 151 µs => infra: latency max 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs); measured again to be sure, it brought no evidence: probe lost
    => infra: nucleo-1: latency max 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs); measured again to be sure, it brought no evidence: probe lost
    "#);
    let crash = farm::Fault::Crash { detail: "core locked up".to_owned() };
    insta::assert_snapshot!(told(&again(TargetError::Fault(crash))), @r#"
    nucleo-1: latency max not worse than the baseline, is 151 µs => fail: latency max 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs); measured again to be sure, it brought no evidence: crashed: core locked up
    => fail: nucleo-1: latency max 101 µs -> 151 µs (+49.5 %), beyond 3 deviations of 6 runs (median 101 µs, deviation 1.4826 µs); measured again to be sure, it brought no evidence: crashed: core locked up
    "#);
}

#[test]
fn two_scenarios_share_the_second_measurement() {
    let yard = slower(150, 150, 6);
    let steps = on("nucleo-1", NOTHING);
    let yard = yard.file("f.feature", &format!("Feature: f\n  Scenario: s\n{steps}\n  Scenario: t\n{steps}\n"));
    let ends = yard.run().into_iter().filter_map(|event| match event {
        FarmEvent::ScenarioFinished { judgement, .. } => Some(judgement.verdict),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [Verdict::Fail, Verdict::Fail]);
    assert_eq!(yard.opened("nucleo-1"), 2);
}

#[test]
fn a_target_where_the_model_no_longer_fits_is_a_fail_and_where_it_never_did_is_left_out() {
    let steps = format!("{SUBJECT}When it runs on the target \"qemu:m4\" where it fits\nThen {NOTHING}");
    let small = || yard().with("qemu:m4", too_large()).steps(&steps);
    insta::assert_snapshot!(with(small(), Past::default()).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on the target "qemu:m4" where it fits => pass: left out: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
          5: Then nothing is worse than the baseline => pass
        => pass: left out: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
    "#);
    insta::assert_snapshot!(told(&with(small(), Past::of(&emulator(NOTHING)))), @r#"
        qemu:m4: nothing is worse than the baseline, is no evidence => fail: it ran when the baseline was accepted (run 2026-01-01-aa, commit 0123456789ab), and now: does not fit: the model needs 2000 bytes, the target has 1000
        => fail: qemu:m4: it ran when the baseline was accepted (run 2026-01-01-aa, commit 0123456789ab), and now: does not fit: the model needs 2000 bytes, the target has 1000
    "#);
    let judged =
        format!("{SUBJECT}When it runs on the target \"qemu:m4\" where it fits\nThen the maximum error is exactly 0");
    insta::assert_snapshot!(yard().with("qemu:m4", too_large()).steps(&judged).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on the target "qemu:m4" where it fits => pass: left out: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
          5: Then the maximum error is exactly 0 => inconclusive: there is nothing to judge: the model does not fit where it was to run
        => inconclusive: there is nothing to judge: the model does not fit where it was to run
    "#);
    insta::assert_snapshot!(yard().steps(&judged).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on the target "qemu:m4" where it fits => pass
            qemu:m4: maximum error = 0, is 0 => pass
          5: Then the maximum error is exactly 0 => pass
        => pass
    "#);
}

#[test]
fn a_jobs_history_is_told_once_after_its_first_use() {
    let steps = on("qemu:m4", NOTHING);
    let two = format!("Feature: f\n  Scenario: s\n{steps}\n  Scenario: t\n{steps}\n");
    let past = Past::of(&emulator(NOTHING)).recent(&(0..40).map(f64::from).collect::<Vec<_>>());
    let events = with(yard().file("f.feature", &two), past).run();
    let at = |wanted: fn(&FarmEvent) -> bool| -> Vec<usize> {
        events.iter().enumerate().filter(|(_, event)| wanted(event)).map(|(at, _)| at).collect()
    };
    let told = at(|event| matches!(event, FarmEvent::JobHistory { .. }));
    let used = at(|event| matches!(event, FarmEvent::JobUsed { .. }));
    assert_eq!((told.len(), used.len()), (1, 2));
    assert!(used[0] < told[0]);
    let FarmEvent::JobHistory { metrics, .. } = &events[told[0]] else { unreachable!() };
    let p99 = metrics.iter().find(|metric| metric.metric == "instructions p99").unwrap();
    assert_eq!((p99.baseline, p99.points.len(), p99.points[29]), (Some(101.0), 30, 39.0));
    let none = with(emulator(NOTHING), Past::default()).run();
    assert!(none.iter().all(|event| !matches!(event, FarmEvent::JobHistory { .. })), "nothing was known before");
}
