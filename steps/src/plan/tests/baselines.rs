//! What is wrong with steps about baselines.
#![allow(clippy::unwrap_used)]

use super::{RUN, SUBJECT, wrong};
use crate::testing::{Script, yard};

/// The message and the help, without the place.
fn told(then: &str) -> String {
    told_of(&wrong(&format!("{RUN}Then {then}")))
}

fn told_of(errors: &str) -> String {
    let lines = errors.lines().map(str::trim).filter(|line| line.starts_with(['×', 'h', 'n']));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_metric_that_no_baseline_holds_is_told_beforehand() {
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the instructoins p99 is not worse than the baseline")), @r#"
         × unknown metric `instructoins p99`: did you mean `instructions p99`?
          ╭─[f.feature:5:1]
        4 │ When it runs on the container
        5 │ Then the instructoins p99 is not worse than the baseline
          · ────────────────────────────┬───────────────────────────
          ·                             ╰── here
          ╰────
    "#);
    insta::assert_snapshot!(told("the latency is not worse than the baseline"), @"× unknown metric `latency`: say which: `latency min`, `latency median`, `latency p90`, `latency p99`, `latency max`");
    insta::assert_snapshot!(told("the host time p99 is not worse than the baseline"), @"× unknown metric `host time p99`: there is: mean absolute error, root mean square error, maximum error, top-1 accuracy, misclassified samples, precision, recall, F1, outputs, argmax, identical");
    insta::assert_snapshot!(told("the argmax is not worse than the baseline"), @r#"
        × a baseline does not hold argmax, which compares two targets
        help: say `the outputs are not worse than the baseline`
    "#);
    insta::assert_snapshot!(told("the precision of class yes is not worse than the baseline"), @r#"
        × a baseline holds no metric of one class, like "yes"
        help: write `the precision is not worse than the baseline`
    "#);
}

#[test]
fn a_tolerance_that_is_no_share_is_told_beforehand() {
    insta::assert_snapshot!(wrong(&format!("{RUN}Then nothing is worse than the baseline by more than 2 ms")), @r#"
         × `2 ms` is a time, and a share is wanted
          ╭─[f.feature:5:1]
        4 │ When it runs on the container
        5 │ Then nothing is worse than the baseline by more than 2 ms
          · ────────────────────────────┬────────────────────────────
          ·                             ╰── here
          ╰────
         help: write it like `2 %`: it is taken of each metric's accepted value
    "#);
    insta::assert_snapshot!(told("nothing is worse than the baseline by more than 2"), @r#"
        × `2` is a number, and a share is wanted
        help: write it like `2 %`: it is taken of each metric's accepted value
    "#);
    insta::assert_snapshot!(told("nothing is worse than the baseline by more than much"), @"× `much` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`");
    insta::assert_snapshot!(told("nothing is worse than the baseline by more than -2 %"), @"× `-2 %` is not from 0 % to less than 100 %");
    insta::assert_snapshot!(told("nothing is worse than the baseline by more than 100 %"), @"× `100 %` is not from 0 % to less than 100 %");
    insta::assert_snapshot!(told("the outputs are not worse than the baseline by more than 2 %"), @r#"
        × outputs are the same or not, and by no share
        help: write `the outputs are not worse than the baseline`
    "#);
    insta::assert_snapshot!(told("nothing is worse than the baseline by more than 0 %"), @"nothing is wrong");
}

#[test]
fn a_metric_that_the_target_or_the_dataset_does_not_have_is_told_beforehand() {
    insta::assert_snapshot!(told("the latency p99 is not worse than the baseline"), @"× latency p99 cannot be judged on container: its clock is the host clock; a host's time is informational only: ask it of an emulator (instructions) or a board (latency)");
    insta::assert_snapshot!(told("the flash is not worse than the baseline"), @"× flash cannot be judged on container: the container stage has no firmware; ask it of an emulator or a board");
    insta::assert_snapshot!(told("the top-1 accuracy is not worse than the baseline"), @"× top-1 accuracy needs a dataset with labels, and `line.csv` has expected values");
    insta::assert_snapshot!(told("the recall is not worse than the baseline"), @"× recall needs a dataset with labels, and `line.csv` has expected values");
    assert_eq!(told("the outputs are not worse than the baseline"), "nothing is wrong");
    let everywhere =
        format!("{SUBJECT}When it runs on every stage\nThen the instructions p99 is not worse than the baseline");
    insta::assert_snapshot!(told_of(&wrong(&everywhere)), @"× instructions p99 cannot be judged on container: its clock is the host clock; a host's time is informational only: ask it of an emulator (instructions) or a board (latency)");
    let simulated =
        format!("{SUBJECT}When it runs on the board \"sim-1\"\nThen the latency p99 is not worse than the baseline");
    assert_eq!(yard().with("sim-1", Script::Offset(0.0)).steps(&simulated).errors(), "nothing is wrong");
}

#[test]
fn a_baseline_is_compared_with_what_ran() {
    insta::assert_snapshot!(told_of(&wrong(&format!("{SUBJECT}Then nothing is worse than the baseline"))), @r#"
        × nothing has run before this step
        help: before it, add a step like `When it runs on the container`
    "#);
    let tried = format!("{SUBJECT}When it is tried on the container\nThen nothing is worse than the baseline");
    insta::assert_snapshot!(told_of(&wrong(&tried)), @r#"
        × what was only tried is expected to fail, and leaves no evidence to judge
        help: write `it runs on`, or say `it fails because "…"`
    "#);
    insta::assert_snapshot!(told("nothing is worse than the base line"), @r#"
        × undefined step `nothing is worse than the base line`
        help: the nearest step is `Then nothing is worse than the baseline`; `tinyfarm steps` lists them all
    "#);
}
