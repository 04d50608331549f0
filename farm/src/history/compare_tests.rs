//! Laws and examples of comparisons.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const NONE: fn(&str) -> Vec<f64> = |_| Vec::new();

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn measured(figures: &[(&str, f64)]) -> Measured {
    Measured::kept(figures.iter().copied(), digest("outputs"), digest("model"), digest("data"))
}

/// One line for each figure that is not the same.
fn told(before: &Measured, after: &Measured, tolerance: f64, recent: &[f64]) -> String {
    let all = compare(before, after, tolerance, &|_| recent.to_vec());
    let changed = all.iter().filter(|one| one.change != Change::Same || one.words.contains("within"));
    changed.map(|one| format!("{:?}: {} {}", one.change, one.metric, one.words)).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_exact_is_worse_by_a_trace_and_says_by_how_much() {
    let before = measured(&[
        ("instructions p99", 11_873.0),
        ("mean absolute error", 0.1 + 0.2),
        ("top-1 accuracy", 0.9),
        ("misclassified samples", 0.0),
        ("arena used", 1536.0),
        ("flash", 2048.0),
    ]);
    let after = measured(&[
        ("instructions p99", 12_100.0),
        ("mean absolute error", 0.300_000_000_000_000_1),
        ("top-1 accuracy", 0.88),
        ("misclassified samples", 3.0),
        ("arena used", 1024.0),
        ("flash", 2048.0),
    ]);
    insta::assert_snapshot!(told(&before, &after, 0.0, &[]), @r#"
        Worse: top-1 accuracy 90 % -> 88 % (-2 percentage points)
        Worse: misclassified samples 0 -> 3
        Worse: mean absolute error 0.30000000000000004 -> 0.3000000000000001 (+1.85e-14 %)
        Worse: instructions p99 11,873 -> 12,100 (+1.91 %)
        Better: arena used 1,536 B -> 1,024 B (-33.3 %)
    "#);
    insta::assert_snapshot!(told(&before, &after, 0.02, &[]), @r#"
        Worse: top-1 accuracy 90 % -> 88 % (-2 percentage points)
        Worse: misclassified samples 0 -> 3
        Same: mean absolute error 0.30000000000000004 -> 0.3000000000000001 (+1.85e-14 %), within 2 %
        Same: instructions p99 11,873 -> 12,100 (+1.91 %), within 2 %
        Better: arena used 1,536 B -> 1,024 B (-33.3 %)
    "#);
}

#[test]
fn a_tolerance_is_meant_as_it_is_written() {
    let at = |value: f64| measured(&[("instructions p99", value)]);
    let change = |before, after, tolerance| compare(&at(before), &at(after), tolerance, &NONE)[1].change;
    assert_eq!(change(100.0, 129.0, 0.29), Change::Same);
    assert_eq!(change(100.0, 130.0, 0.29), Change::Worse);
    assert_eq!(change(100.0, 107.0, 0.07), Change::Same);
    assert_eq!(change(0.0, 1.0, 0.5), Change::Worse);
}

#[test]
fn outputs_differ_or_not_whatever_the_tolerance() {
    let before = measured(&[("arena used", 1.0)]);
    let other = Measured { outputs: digest("others"), ..before.clone() };
    let retrained = Measured { model: digest("retrained"), ..other.clone() };
    let enlarged = Measured { dataset: digest("more"), ..retrained.clone() };
    insta::assert_snapshot!(told(&before, &other, 0.5, &[]), @"Different: outputs not the same to the bit, though model and dataset are");
    insta::assert_snapshot!(told(&before, &retrained, 0.5, &[]), @"Informational: outputs of another model, and not compared");
    insta::assert_snapshot!(told(&before, &enlarged, 0.5, &[]), @r#"
        Incomparable: outputs measured with another dataset: it must be accepted anew
        Incomparable: arena used 1 B, measured with another dataset: it must be accepted anew
    "#);
}

#[test]
fn a_figure_comes_and_goes_and_an_error_that_is_undefined_is_worse() {
    let before = measured(&[("maximum error", 0.2), ("latency p99", 0.005), ("host time p99", 0.001)]);
    let after = measured(&[("instructions p99", 8000.0)]);
    insta::assert_snapshot!(told(&before, &after, 0.0, &[]), @r#"
        Worse: maximum error 0.2 -> undefined: an output is not a number
        New: instructions p99 8,000, not known before
        Gone: latency p99 5 ms, and not measured any more
    "#);
    let unknown = Baseline { figures: [("energy".to_owned(), accepted(1.0))].into(), outputs: None };
    let words: Vec<_> = compare(&unknown, &after, 0.0, &NONE).into_iter().map(|one| (one.metric, one.change)).collect();
    let wanted = [("outputs", Change::New), ("instructions p99", Change::New), ("energy", Change::Gone)];
    assert_eq!(words, wanted.map(|(metric, change)| (metric.to_owned(), change)));
}

fn accepted<T>(value: T) -> Accepted<T> {
    let at = Timestamp::UNIX_EPOCH;
    Accepted { value, run: "run".to_owned(), commit: None, at, model: digest("model"), dataset: digest("data") }
}

#[test]
fn a_noisy_figure_is_worse_only_beyond_its_spread() {
    let at = |value: f64| measured(&[("latency p99", value), ("host time p99", value)]);
    let before = at(0.005);
    let usual = [0.005, 0.005_1, 0.004_9, 0.005, 0.005_05];
    let mut lines = Vec::new();
    for after in [0.006, 0.005_1, 0.004] {
        lines.push(told(&before, &at(after), 0.0, &usual));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
        Worse: latency p99 5 ms -> 6 ms (+20 %), beyond 3 deviations of 5 runs (median 5 ms, deviation 74.13 µs)
        Informational: host time p99 5 ms -> 6 ms (+20 %), on a clock that nothing rests on
        Same: latency p99 5 ms -> 5.1 ms (+2 %), within the spread of 5 runs (median 5 ms, deviation 74.13 µs)
        Informational: host time p99 5 ms -> 5.1 ms (+2 %), on a clock that nothing rests on
        Better: latency p99 5 ms -> 4 ms (-20 %), beyond 3 deviations of 5 runs (median 5 ms, deviation 74.13 µs)
        Informational: host time p99 5 ms -> 4 ms (-20 %), on a clock that nothing rests on
    "#);
    assert!(told(&before, &at(0.006), 0.5, &usual).contains("within 50 %"));
}

#[test]
fn too_few_runs_leave_open_only_what_may_be_worse() {
    let at = |value: f64| measured(&[("latency p99", value)]);
    let few = |count: usize| vec![0.005; count];
    insta::assert_snapshot!(told(&at(0.005), &at(0.006), 0.0, &few(3)), @"Undecided: latency p99 5 ms -> 6 ms (+20 %), and 3 earlier runs cannot tell whether that is noise: 2 more of the model and the runner that it is compared with would");
    insta::assert_snapshot!(told(&at(0.005), &at(0.006), 0.0, &few(4)), @"Undecided: latency p99 5 ms -> 6 ms (+20 %), and 4 earlier runs cannot tell whether that is noise: 1 more of the model and the runner that it is compared with would");
    insta::assert_snapshot!(told(&at(0.005), &at(0.006), 0.2, &few(4)), @"Same: latency p99 5 ms -> 6 ms (+20 %), within 20 %");
    insta::assert_snapshot!(told(&at(0.005), &at(0.004), 0.0, &few(0)), @"");
    insta::assert_snapshot!(told(&at(0.005), &at(0.005), 0.0, &few(0)), @"");
}

#[test]
fn a_baseline_by_luck_is_not_what_all_others_are_worse_than() {
    let at = |value: f64| measured(&[("latency p99", value)]);
    let mut values = vec![0.005; 8];
    values.push(0.004);
    assert_eq!(compare(&at(0.004), &at(0.005), 0.0, &|_| values.clone())[1].change, Change::Same);
    assert_eq!(compare(&at(0.004), &at(0.006), 0.0, &|_| values.clone())[1].change, Change::Worse);
}

#[test]
fn a_job_with_the_models_own_firmware_is_of_a_series_of_its_own() {
    let report = |own_firmware| crate::JobReport {
        id: crate::JobId(1),
        model: "hello_world".to_owned(),
        dataset: "sine".to_owned(),
        target: TargetId::from("qemu:m3"),
        simulated: false,
        judgement: crate::Judgement::new(crate::Verdict::Pass, ""),
        fault: None,
        attempts: Vec::new(),
        evidence: None,
        log: String::new(),
        own_firmware,
        rerun: 0,
    };
    let model = |own_firmware| Series::of(&report(own_firmware)).model;
    assert_eq!((model(false).as_str(), model(true).as_str()), ("hello_world", "hello_world (own firmware)"));
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![(0..2000_u32).prop_map(f64::from), 0.0..1e3_f64]
}

fn any_figures() -> impl Strategy<Value = Vec<(usize, f64)>> {
    prop::collection::vec((0..all_followed().len(), any_value()), 0..12)
}

fn of_any(figures: &[(usize, f64)]) -> Measured {
    let named: std::collections::BTreeMap<&str, f64> =
        figures.iter().map(|(index, value)| (all_followed()[*index].metric, *value)).collect();
    Measured::kept(named, digest("outputs"), digest("model"), digest("data"))
}

proptest! {
    #[test]
    fn nothing_is_worse_than_itself(figures in any_figures(), tolerance in 0.0..1.0_f64, recent in prop::collection::vec(any_value(), 0..9)) {
        let one = of_any(&figures);
        for compared in compare(&one, &one, tolerance, &|_| recent.clone()) {
            prop_assert!(matches!(compared.change, Change::Same | Change::Informational), "{compared:?}");
        }
    }

    #[test]
    fn every_figure_of_either_is_told_once_in_the_order_of_reports(before in any_figures(), after in any_figures()) {
        let (before, after) = (of_any(&before), of_any(&after));
        let all = compare(&before, &after, 0.0, &NONE);
        let names: Vec<&str> = all.iter().map(|one| one.metric.as_str()).collect();
        let has = |measured: &Measured, metric| measured.figures.iter().any(|figure| figure.metric == metric);
        let gone_host = |info: &&FollowedInfo| info.comparison == Comparison::Informational && !has(&after, info.metric);
        let wanted = all_followed().iter().filter(|info| has(&before, info.metric) || has(&after, info.metric));
        let wanted: Vec<&str> = wanted.filter(|info| !gone_host(info)).map(|info| info.metric).collect();
        prop_assert_eq!(names, [vec![OUTPUTS], wanted].concat());
    }

    #[test]
    fn of_two_exact_values_that_differ_each_is_worse_than_the_other_or_better(
        index in 0..all_followed().len(), a in any_value(), b in any_value(), tolerance in 0.0..1.0_f64
    ) {
        let info = &all_followed()[index];
        prop_assume!(info.comparison == Comparison::Exact && a != b);
        let (a, b) = (of_any(&[(index, a)]), of_any(&[(index, b)]));
        let there = compare(&a, &b, 0.0, &NONE)[1].change;
        let back = compare(&b, &a, 0.0, &NONE)[1].change;
        prop_assert!(matches!((there, back), (Change::Worse, Change::Better) | (Change::Better, Change::Worse)));
        // A tolerance makes nothing worse that was not.
        if compare(&a, &b, tolerance, &NONE)[1].change == Change::Worse {
            prop_assert_eq!(there, Change::Worse);
        }
    }

    #[test]
    fn what_is_worse_stays_worse_when_it_gets_worse_still(
        index in 0..all_followed().len(), before in 1.0..1e3_f64, after in any_value(), more in 0.0..1e3_f64,
        tolerance in 0.0..1.0_f64, recent in prop::collection::vec(1.0..1e3_f64, 0..20)
    ) {
        let info = &all_followed()[index];
        prop_assume!(info.better == Better::Lower);
        let change = |after: f64| {
            compare(&of_any(&[(index, before)]), &of_any(&[(index, after)]), tolerance, &|_| recent.clone())[1].change
        };
        if change(after) == Change::Worse {
            prop_assert_eq!(change(after + more), Change::Worse);
        }
        if matches!(change(after + more), Change::Better) {
            prop_assert_eq!(change(after), Change::Better);
        }
    }

    #[test]
    fn with_another_dataset_nothing_is_compared(before in any_figures(), after in any_figures()) {
        let before = of_any(&before);
        let after = Measured { dataset: digest("other"), ..of_any(&after) };
        for compared in compare(&before, &after, 0.0, &NONE) {
            let told = matches!(compared.change, Change::Incomparable | Change::New | Change::Informational);
            prop_assert!(told, "{compared:?}");
        }
    }
}
