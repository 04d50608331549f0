//! Tests of judging evidence, and of what is said before there is any.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Clock, Dataset, Evidence, Footprint, Model, Slots, Stage, TargetInfo, Verdict, dataset::Truth, metrics::Summary,
    testing,
};
use std::sync::Arc;

const QEMU: Clock = Clock::QemuInstructions;
const BOARD: Clock = Clock::BoardCycles { hz: 64_000_000 };

struct Bench {
    model: Arc<Model>,
    dataset: Arc<Dataset>,
    evidence: Evidence,
}

impl Bench {
    fn new(truth: Truth, clock: Clock, outputs: &[&[f32]], ticks: &[u64]) -> Self {
        let model = testing::model(outputs[0].len());
        let dataset = testing::dataset(&model, outputs.len(), truth);
        let evidence = testing::evidence(&model, &dataset, place("qemu:m", Stage::Emulator, clock), outputs, ticks);
        Self { model, dataset, evidence }
    }

    /// One output element for each sample, with the value expected.
    fn errors(pairs: &[(f32, f64)]) -> Self {
        let outputs: Vec<[f32; 1]> = pairs.iter().map(|(found, _)| [*found]).collect();
        let outputs: Vec<&[f32]> = outputs.iter().map(|output| &output[..]).collect();
        let expected = pairs.iter().map(|(_, expected)| vec![*expected]).collect();
        Self::new(Truth::Expected(expected), QEMU, &outputs, &vec![1; pairs.len()])
    }

    /// Two classes `no` and `yes`; `hits` samples of each class are right, `misses` of each are wrong.
    fn classes(hits: usize, misses: usize) -> Self {
        let (mut labels, mut outputs): (Vec<usize>, Vec<&[f32]>) = (Vec::new(), Vec::new());
        for label in 0..2 {
            for index in 0..hits + misses {
                labels.push(label);
                outputs.push(if (label == 0) == (index < hits) { &[1.0, 0.0] } else { &[0.0, 1.0] });
            }
        }
        let ticks = vec![1; labels.len()];
        Self::new(labelled(labels), QEMU, &outputs, &ticks)
    }

    fn judge(&self, metric: &str, bound: &str) -> CriterionOutcome {
        self.judge_against(metric, bound, None)
    }

    fn judge_against(&self, metric: &str, bound: &str, reference: Option<&Evidence>) -> CriterionOutcome {
        let summary = Summary::of(&self.model, &self.dataset, &self.evidence);
        let subject =
            Subject { summary: &summary, evidence: &self.evidence, model: &self.model, dataset: &self.dataset };
        Criterion::parse(metric, bound).unwrap().judge(&subject, reference)
    }

    fn verdict(&self, metric: &str, bound: &str) -> Verdict {
        self.judge(metric, bound).judgement.verdict
    }

    fn reason(&self, metric: &str, bound: &str) -> String {
        let outcome = self.judge(metric, bound);
        assert_ne!(outcome.judgement.verdict, Verdict::Pass, "{outcome:?}");
        outcome.judgement.to_string()
    }

    fn check(&self, metric: &str, bound: &str, target: &TargetInfo) -> String {
        match Criterion::parse(metric, bound).unwrap().check(target, &self.model, &self.dataset) {
            Ok(()) => "sound".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

fn place(id: &str, stage: Stage, clock: Clock) -> TargetInfo {
    testing::target(id, stage, clock, Slots::Shared)
}

fn labelled(labels: Vec<usize>) -> Truth {
    Truth::Labels { labels, classes: vec!["no".to_owned(), "yes".to_owned()] }
}

#[test]
fn one_unit_in_the_last_place_beyond_the_bound_is_a_miss() {
    let bench = Bench::errors(&[(0.1, 0.0), (0.2, 0.0), (0.3, 0.0)]);
    let found = bench.judge("mean absolute error", "<= 1").value.unwrap();
    assert_eq!(bench.verdict("mean absolute error", &format!("<= {found:?}")), Verdict::Pass);
    assert_eq!(bench.verdict("mean absolute error", &format!("= {found:?}")), Verdict::Pass);
    let less = found.next_down();
    assert_eq!(bench.verdict("mean absolute error", &format!("<= {less:?}")), Verdict::Fail);
    assert_eq!(bench.verdict("mean absolute error", &format!("< {found:?}")), Verdict::Fail);
    // The message tells the two apart, although six digits would not.
    insta::assert_snapshot!(bench.reason("mean absolute error", &format!("<= {less:?}")), @"fail: expected mean absolute error <= 0.20000000546375907, found 0.2000000054637591: 2.78e-17 too much");
}

#[test]
fn a_miss_says_what_was_expected_what_was_found_and_by_how_much() {
    let errors = Bench::errors(&[(0.5, 0.25), (1.0, 1.0), (2.0, 1.0)]);
    let classes = Bench::classes(9, 1);
    let mut timed = Bench::new(Truth::Unknown, BOARD, &[&[0.0], &[0.0]], &[64_000, 640_000]);
    timed.evidence.footprint = Some(Footprint { text: 180_000, data: 400, bss: 12_000 });
    let counted = Bench::new(Truth::Unknown, QEMU, &[&[0.0], &[0.0]], &[6_800, 8_123]);
    let reasons = [
        errors.reason("maximum error", "<= 0.2"),
        errors.reason("RMSE", "<= 1e-3"),
        errors.reason("mean absolute error", "between 0.5 and 1"),
        classes.reason("accuracy", ">= 95 %"),
        classes.reason("misclassified samples", "= 0"),
        classes.reason("recall of class \"yes\"", "> 90 %"),
        classes.reason("macro F1", "= 1"),
        timed.reason("latency max", "<= 5 ms"),
        timed.reason("latency median", "< 1 ms"),
        timed.reason("arena used", "<= 1 KiB"),
        timed.reason("flash", "<= 100 KiB"),
        timed.reason("RAM", "<= 8 KiB"),
        counted.reason("instructions p99", "<= 8,000"),
    ];
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    fail: expected maximum error <= 0.2, found 1: 0.8 too much; it is at sample 2 (row 3), element 0: 2, not 1
    fail: expected root mean square error <= 0.001, found 0.595119: 0.594 too much
    fail: expected mean absolute error between 0.5 and 1, found 0.416667: 0.0833 too little
    fail: expected top-1 accuracy >= 95 %, found 90 % (18 of 20, 95 % interval 69.9 % to 97.2 %): 5 percentage points too little
    fail: expected misclassified samples = 0, found 2: 2 too many; the first is sample 9 (row 10): no taken for yes
    fail: expected recall of class "yes" > 90 %, found 90 %: it must be more
    fail: expected F1 = 1, found 90 %: 10 percentage points too little
    fail: expected latency max <= 5 ms, found 10 ms: 5 ms too much
    fail: expected latency median < 1 ms, found 1 ms: it must be less
    fail: expected arena used <= 1 KiB, found 1,536 B: 512 B too much
    fail: expected flash <= 100 KiB, found 180,684 B: 78,284 B too much
    fail: expected RAM <= 8 KiB, found 13,936 B: 5,744 B too much
    fail: expected instructions p99 <= 8000, found 8,123: 123 too many
    "#);
}

#[test]
fn what_was_measured_is_always_shown() {
    let errors = Bench::errors(&[(0.5, 0.25), (1.0, 1.0), (2.0, 1.0)]);
    let classes = Bench::classes(45, 5);
    let timed = Bench::new(Truth::Unknown, BOARD, &[&[0.0], &[0.0]], &[64_000, 640_000]);
    let shown = [
        errors.judge("mean absolute error", "<= 1"),
        classes.judge("accuracy", ">= 90 %"),
        classes.judge("precision", ">= 50 %"),
        classes.judge("misclassified", "<= 10"),
        timed.judge("latency p99", "<= 10 ms"),
        timed.judge("arena", "<= 1.5 KiB"),
    ]
    .map(|outcome| {
        format!("{}: {} {:?} {}", outcome.criterion, outcome.measured, outcome.value, outcome.judgement.verdict)
    });
    insta::assert_snapshot!(shown.join("\n"), @r#"
    mean absolute error <= 1: 0.416667 Some(0.4166666666666667) pass
    top-1 accuracy >= 90 %: 90 % (90 of 100, 95 % interval 82.6 % to 94.5 %) Some(0.9) pass
    precision >= 50 %: 90 % Some(0.9) pass
    misclassified samples <= 10: 10 Some(10.0) pass
    latency p99 <= 10 ms: 10 ms Some(0.01) pass
    arena used <= 1.5 KiB: 1,536 B Some(1536.0) pass
    "#);
}

#[test]
fn a_share_on_the_bound_is_a_pass_and_a_trace_below_is_not() {
    // 90 of 100: as floats 0.9 * 100 and the like may round to either side.
    assert_eq!(Bench::classes(45, 5).verdict("accuracy", ">= 90 %"), Verdict::Pass);
    assert_eq!(Bench::classes(45, 5).verdict("accuracy", "> 90 %"), Verdict::Fail);
    assert_eq!(Bench::classes(45, 5).verdict("accuracy", ">= 90.00000000000000000001 %"), Verdict::Fail);
    assert_eq!(Bench::classes(29, 71).verdict("accuracy", ">= 29 %"), Verdict::Pass);
    for hits in 1..50 {
        let bench = Bench::classes(hits, 50 - hits);
        assert_eq!(bench.verdict("recall of class yes", &format!(">= {} %", 2 * hits)), Verdict::Pass);
        assert_eq!(bench.verdict("recall", &format!("= {} %", 2 * hits)), Verdict::Pass);
    }
}

#[test]
fn too_few_samples_to_show_an_accuracy_are_inconclusive() {
    assert_eq!(Bench::classes(17, 0).verdict("accuracy", ">= 90 %"), Verdict::Inconclusive);
    assert_eq!(Bench::classes(18, 0).verdict("accuracy", ">= 90 %"), Verdict::Pass);
    // A miss is a miss, however few they are.
    assert_eq!(Bench::classes(1, 1).verdict("accuracy", ">= 90 %"), Verdict::Fail);
    let few = Bench::classes(1, 0);
    // The count claims nothing of other samples.
    assert_eq!(few.verdict("misclassified samples", "= 0"), Verdict::Pass);
    insta::assert_snapshot!(few.reason("accuracy", ">= 90 %"), @"inconclusive: 2 samples are too few to show top-1 accuracy >= 90 %: even a perfect score shows no more than 34.2 % (95 % Wilson interval); 35 samples would");
    insta::assert_snapshot!(few.reason("accuracy", ">= 100 %"), @"inconclusive: 2 samples are too few to show top-1 accuracy >= 100 %: even a perfect score shows no more than 34.2 % (95 % Wilson interval); no number of samples would; count with the metric `misclassified samples`");
    let one = Bench::new(labelled(vec![1]), QEMU, &[&[0.0, 1.0]], &[1]);
    assert!(one.reason("accuracy", ">= 90 %").starts_with("inconclusive: 1 sample is too few to show"));
    insta::assert_snapshot!(few.judge("accuracy", ">= 90 %").measured, @"100 % (2 of 2, 95 % interval 34.2 % to 100 %)");
}

#[test]
fn nan_is_never_a_pass() {
    let bench = Bench::errors(&[(0.5, 0.5), (f32::NAN, 0.5)]);
    for metric in ["mean absolute error", "RMSE", "maximum error"] {
        for bound in ["<= 1", ">= 0", "< 1", "> 0", "= 0", "between 0 and 1"] {
            assert_eq!(bench.verdict(metric, bound), Verdict::Fail, "{metric} {bound}");
        }
    }
    insta::assert_snapshot!(bench.reason("mean absolute error", "<= 1"), @"fail: expected mean absolute error <= 1, found NaN: NaN meets no bound");
    let nan = [f32::NAN, 0.0];
    let classes = Bench::new(labelled(vec![0, 0]), QEMU, &[&[1.0, 0.0], &nan], &[1, 1]);
    assert_eq!(classes.verdict("misclassified samples", "= 0"), Verdict::Fail);
    let mut other = classes.evidence.clone();
    other.inferences[1].output[0] ^= 1;
    assert_eq!(classes.judge_against("outputs", "within 1e9 of r", Some(&other)).judgement.verdict, Verdict::Fail);
    // Bit-identical NaNs agree in their bits, and in no class.
    let same = &classes.evidence;
    assert_eq!(classes.judge_against("outputs", "= r", Some(same)).judgement.verdict, Verdict::Pass);
    assert_eq!(classes.judge_against("argmax", "= r", Some(same)).judgement.verdict, Verdict::Fail);
}

#[test]
fn a_difference_from_the_reference_names_the_first_sample_and_both_values() {
    let ours: [&[f32]; 4] = [&[0.0, 1.0], &[0.5, 0.25], &[0.5, 0.5], &[1.0, 0.0]];
    let theirs: [&[f32]; 4] = [&[0.0, 1.0], &[0.5, 0.125], &[0.5, 0.75], &[1.0, 0.0]];
    let bench = Bench::new(Truth::Unknown, QEMU, &ours, &[1; 4]);
    let other = Bench::new(Truth::Unknown, Clock::Host, &theirs, &[1; 4]).evidence;
    let judge = |metric, bound| {
        let outcome = bench.judge_against(metric, bound, Some(&other));
        format!("{} | {}", outcome.measured, outcome.judgement)
    };
    let judged = [
        judge("outputs", "= container"),
        judge("outputs", "within 0.1 of container"),
        judge("outputs", "within 0.25 of container"),
        judge("argmax", "= container"),
        judge("identical outputs", ">= 95 % against container"),
        judge("identical outputs", ">= 50 % against container"),
        judge("same argmax", ">= 99 % against container"),
        judge("largest difference", "< 0.25 against container"),
    ];
    insta::assert_snapshot!(judged.join("\n"), @r#"
    2 of 4 samples with bit-identical outputs | fail: expected outputs = container, found 2 of 4 samples that differ: the first is sample 1 (row 2), element 1: 0.25, on container 0.125; the largest difference is 0.25
    largest difference 0.25 | fail: expected outputs within 0.1 of container, found 0.25: 0.15 too much; it is at sample 2 (row 3), element 1: 0.5, on container 0.75
    largest difference 0.25 | pass
    3 of 4 samples with the same argmax | fail: expected argmax = container, found 1 of 4 samples that differ: the first is sample 2 (row 3): argmax 0, on container 1
    50 % (2 of 4) | fail: expected identical outputs >= 95 % against container, found 50 % (2 of 4): 45 percentage points too little; the first is sample 1 (row 2), element 1: 0.25, on container 0.125; the largest difference is 0.25
    50 % (2 of 4) | pass
    75 % (3 of 4) | fail: expected same argmax >= 99 % against container, found 75 % (3 of 4): 24 percentage points too little; the first is sample 2 (row 3): argmax 0, on container 1
    0.25 | fail: expected largest difference < 0.25 against container, found 0.25: it must be less; it is at sample 2 (row 3), element 1: 0.5, on container 0.75
    "#);
}

#[test]
fn without_evidence_to_compare_with_nothing_passes() {
    let bench = Bench::errors(&[(0.5, 0.5)]);
    let blocked = bench.judge("outputs", "= container").judgement;
    assert_eq!(blocked.to_string(), "blocked: there is no evidence from container to compare with");
    let other = Bench::errors(&[(0.5, 0.5), (0.5, 0.5)]).evidence;
    assert_eq!(bench.judge_against("outputs", "= container", Some(&other)).judgement.verdict, Verdict::Infra);
    let mut empty = Bench::errors(&[(0.5, 0.5)]);
    empty.evidence.inferences.clear();
    assert_eq!(empty.verdict("mean absolute error", "<= 1"), Verdict::Blocked);
    assert_eq!(
        empty.judge_against("outputs", "= container", Some(&empty.evidence)).judgement.verdict,
        Verdict::Blocked
    );
    assert_eq!(bench.verdict("accuracy", ">= 1 %"), Verdict::Blocked);
    assert_eq!(bench.verdict("flash", "<= 1 MiB"), Verdict::Blocked);
}

#[test]
fn a_figure_of_a_class_that_was_never_seen_is_inconclusive() {
    let bench = Bench::new(labelled(vec![0]), QEMU, &[&[1.0, 0.0]], &[1]);
    insta::assert_snapshot!(bench.reason("precision", ">= 50 % for class yes"), @r#"inconclusive: precision of class "yes" is undefined: no sample was taken for this class"#);
}

#[test]
fn a_clock_that_turns_out_to_be_another_is_not_trusted() {
    let bench = Bench::new(Truth::Unknown, Clock::Host, &[&[0.0]], &[5]);
    insta::assert_snapshot!(bench.reason("latency p99", "<= 5 ms"), @"inconclusive: latency p99 cannot be judged: the host clock tells no time to rely on");
    insta::assert_snapshot!(bench.reason("instructions p99", "<= 5"), @"inconclusive: instructions p99 cannot be judged: the host clock counts no instructions");
    let stopped = Bench::new(Truth::Unknown, Clock::BoardTimer { hz: 0 }, &[&[0.0]], &[5]);
    assert_eq!(stopped.verdict("latency p99", "<= 5 ms"), Verdict::Inconclusive);
}

#[test]
fn a_simulated_board_counts_instructions_and_tells_no_time() {
    let mut bench = Bench::new(Truth::Unknown, QEMU, &[&[0.0]], &[5_000]);
    bench.evidence.target = TargetInfo { simulated: true, ..place("sim-1", Stage::Board, QEMU) };
    assert_eq!(bench.check("latency p99", "<= 5 ms", &bench.evidence.target), "sound");
    assert_eq!(bench.reason("latency p99", "<= 5 ms"), "inconclusive: sim-1 is simulated and tells no time");
    assert_eq!(bench.check("instructions p99", "<= 5,000", &bench.evidence.target), "sound");
    assert_eq!(bench.verdict("instructions p99", "<= 5,000"), Verdict::Pass);
    // Whatever clock it says it has.
    bench.evidence.target.clock = BOARD;
    bench.evidence.clock = BOARD;
    assert_eq!(bench.verdict("latency p99", "<= 5 ms"), Verdict::Inconclusive);
}

#[test]
fn what_cannot_be_judged_is_told_before_anything_runs() {
    let (qemu, board) = (place("qemu:m", Stage::Emulator, QEMU), place("nucleo", Stage::Board, BOARD));
    let container = place("container", Stage::Container, Clock::Host);
    let (unknown, errors) = (Bench::new(Truth::Unknown, QEMU, &[&[0.0]], &[1]), Bench::errors(&[(0.0, 0.0)]));
    let classes = Bench::classes(1, 1);
    let said = [
        unknown.check("mean absolute error", "<= 1", &qemu),
        classes.check("mean absolute error", "<= 1", &qemu),
        errors.check("mean absolute error", "<= 1", &qemu),
        unknown.check("accuracy", ">= 1 %", &qemu),
        errors.check("misclassified", "= 0", &qemu),
        classes.check("recall", ">= 1 % for class \"yes\"", &qemu),
        classes.check("recall", ">= 1 % for class \"yess\"", &qemu),
        unknown.check("latency p99", "<= 5 ms", &board),
        unknown.check("latency p99", "<= 5 ms", &qemu),
        unknown.check("latency p99", "<= 5 ms", &container),
        unknown.check("instructions median", "<= 5", &qemu),
        unknown.check("instructions median", "<= 5", &board),
        unknown.check("instructions median", "<= 5", &container),
        unknown.check("flash", "<= 5 KiB", &qemu),
        unknown.check("flash", "<= 5 KiB", &container),
        unknown.check("outputs", "= container", &qemu),
        unknown.check("outputs", "= container", &container),
        unknown.check("argmax", "= container", &qemu),
        classes.check("argmax", "= container", &qemu),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    mean absolute error needs a dataset with expected values, and `numbers` has neither labels nor expected values
    mean absolute error needs a dataset with expected values, and `numbers` has labels
    sound
    top-1 accuracy needs a dataset with labels, and `numbers` has neither labels nor expected values
    misclassified samples needs a dataset with labels, and `numbers` has expected values
    sound
    dataset `numbers` has no class `yess`: did you mean `yes`?
    sound
    latency p99 cannot be judged on qemu:m: its clock is the QEMU instruction count; it counts instructions and tells no real time: use `instructions p99`
    latency p99 cannot be judged on container: its clock is the host clock; a host's time is informational only: ask it of an emulator (instructions) or a board (latency)
    sound
    instructions median cannot be judged on nucleo: its clock is the board cycle counter at 64.000 MHz; it counts no instructions: use `latency median`
    instructions median cannot be judged on container: its clock is the host clock; a host's time is informational only: ask it of an emulator (instructions) or a board (latency)
    sound
    flash cannot be judged on container: the container stage has no firmware; ask it of an emulator or a board
    sound
    `outputs = container` on container compares it with itself and could never fail: leave it out there
    argmax of `tiny` could never differ: its output has a single element; use `outputs`
    sound
    "#);
}
