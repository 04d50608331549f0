//! What is wrong with steps.
#![allow(clippy::unwrap_used)]

use super::{RUN, SUBJECT, wrong};
use crate::testing::{Script, yard};

#[test]
fn an_undefined_step_gets_the_nearest_one_and_all_are_told_at_once() {
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\" and dataset \"line.csv\"\nWhen it run on the container\nThen frobnicate"), @r#"
         × undefined step `the model "line.tflite" and dataset "line.csv"`
          ╭─[f.feature:3:1]
        2 │   Scenario: s
        3 │ Given the model "line.tflite" and dataset "line.csv"
          · ──────────────────────────┬─────────────────────────
          ·                           ╰── here
        4 │ When it run on the container
          ╰────
         help: the nearest step is `Given the model "hello_world" and the dataset "sine"`; `tinyfarm steps` lists them all
         × undefined step `it run on the container`
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and dataset "line.csv"
        4 │ When it run on the container
          · ──────────────┬─────────────
          ·               ╰── here
        5 │ Then frobnicate
          ╰────
         help: the nearest step is `When it runs on the emulator "qemu:mps2-an386"`; `tinyfarm steps` lists them all
         × undefined step `frobnicate`
          ╭─[f.feature:5:1]
        4 │ When it run on the container
        5 │ Then frobnicate
          · ───────┬───────
          ·        ╰── here
          ╰────
         help: `tinyfarm steps` lists all steps there are
    "#);
}

#[test]
fn a_step_under_another_keyword_is_told_its_own() {
    insta::assert_snapshot!(wrong(&format!("{RUN}Then it runs on the container")), @r#"
         × this is a `When` step, and it stands as a `Then`
          ╭─[f.feature:5:1]
        4 │ When it runs on the container
        5 │ Then it runs on the container
          · ──────────────┬──────────────
          ·               ╰── here
          ╰────
         help: begin it with `When`; `And` and `But` continue the step before
    "#);
}

#[test]
fn unknown_names_get_a_suggestion() {
    insta::assert_snapshot!(wrong("Given the model \"lin.tflite\" and the dataset \"line.csv\"\nWhen it runs on the emulator \"qemu:m33\"\nThen the mean absolut error is at most 1"), @r#"
         × there is no model file `lin.tflite`: looked for lin.tflite and lin.tflite; check the path
          ╭─[f.feature:3:1]
        2 │   Scenario: s
        3 │ Given the model "lin.tflite" and the dataset "line.csv"
          · ───────────────────────────┬───────────────────────────
          ·                            ╰── here
        4 │ When it runs on the emulator "qemu:m33"
          ╰────
         × unknown emulator `qemu:m33`
          ╭─[f.feature:4:1]
        3 │ Given the model "lin.tflite" and the dataset "line.csv"
        4 │ When it runs on the emulator "qemu:m33"
          · ───────────────────┬───────────────────
          ·                    ╰── here
        5 │ Then the mean absolut error is at most 1
          ╰────
         help: did you mean `qemu:m3`?
         × unknown metric `mean absolut error`: did you mean `mean absolute error`?
          ╭─[f.feature:5:1]
        4 │ When it runs on the emulator "qemu:m33"
        5 │ Then the mean absolut error is at most 1
          · ────────────────────┬───────────────────
          ·                     ╰── here
          ╰────
    "#);
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on every emulater\nThen the outputs are bit-identical to those on \"qemu:m5\"")), @r#"
         × `every emulater` is no place to run
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ When it runs on every emulater
          · ───────────────┬──────────────
          ·                ╰── here
        5 │ Then the outputs are bit-identical to those on "qemu:m5"
          ╰────
         help: did you mean `every emulator`?
    "#);
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on the emulator \"container\"")), @r#"
         × `container` is no emulator, it is of the container stage
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ When it runs on the emulator "container"
          · ────────────────────┬───────────────────
          ·                     ╰── here
          ╰────
         help: write `the target "container"`
    "#);
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\" and the dataset \"lines.csv\"\nWhen it runs on the container"), @r#"
         × there is no dataset file `lines.csv`: looked for lines.csv and lines.csv; check the path
          ╭─[f.feature:3:1]
        2 │   Scenario: s
        3 │ Given the model "line.tflite" and the dataset "lines.csv"
          · ────────────────────────────┬────────────────────────────
          ·                             ╰── here
        4 │ When it runs on the container
          ╰────
    "#);
}

#[test]
fn a_dataset_that_does_not_go_with_the_model_is_refused_where_it_is_named() {
    // How is the farm's to say; where is said here.
    for (name, text) in [("two.csv", "x0,x1,y0\n1,2,3\n"), ("nan.csv", "x0,y0\nNaN,1\n"), ("empty.csv", "x0,y0\n")] {
        let steps =
            format!("Given the model \"line.tflite\"\nAnd the dataset \"{name}\"\nWhen it runs on the container");
        let errors = yard().file(name, text).steps(&steps).plan().unwrap_err();
        let [error] = errors.0.as_slice() else { panic!("{errors}") };
        assert!(error.message.contains(name), "{error}");
        assert_eq!((error.line, error.column), (4, 1));
    }
}

#[test]
fn a_criterion_must_go_with_clock_and_truth() {
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on every emulator\nThen the latency p99 is at most 5 ms\nAnd the top-1 accuracy is at least 90 %")), @r#"
         × latency p99 cannot be judged on qemu:m3: its clock is the QEMU instruction count; it counts instructions and tells no real time: use `instructions p99`
          ╭─[f.feature:5:1]
        4 │ When it runs on every emulator
        5 │ Then the latency p99 is at most 5 ms
          · ──────────────────┬─────────────────
          ·                   ╰── here
        6 │ And the top-1 accuracy is at least 90 %
          ╰────
         × top-1 accuracy needs a dataset with labels, and `line.csv` has expected values
          ╭─[f.feature:6:1]
        5 │ Then the latency p99 is at most 5 ms
        6 │ And the top-1 accuracy is at least 90 %
          · ───────────────────┬───────────────────
          ·                    ╰── here
          ╰────
    "#);
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the instructions p99 is at most 5\nAnd the outputs are bit-identical to the container's\nAnd the mean absolute error is at most 5 ms")), @r#"
         × instructions p99 cannot be judged on container: its clock is the host clock; a host's time is informational only: ask it of an emulator (instructions) or a board (latency)
          ╭─[f.feature:5:1]
        4 │ When it runs on the container
        5 │ Then the instructions p99 is at most 5
          · ───────────────────┬──────────────────
          ·                    ╰── here
        6 │ And the outputs are bit-identical to the container's
          ╰────
         × `outputs = container` on container compares it with itself and could never fail: leave it out there
          ╭─[f.feature:6:1]
        5 │ Then the instructions p99 is at most 5
        6 │ And the outputs are bit-identical to the container's
          · ──────────────────────────┬─────────────────────────
          ·                           ╰── here
        7 │ And the mean absolute error is at most 5 ms
          ╰────
         × `5 ms` does not go with mean absolute error: it is a number, like `0.05`
          ╭─[f.feature:7:1]
        6 │ And the outputs are bit-identical to the container's
        7 │ And the mean absolute error is at most 5 ms
          · ─────────────────────┬─────────────────────
          ·                      ╰── here
          ╰────
    "#);
}

#[test]
fn an_acceptance_table_is_checked_cell_by_cell() {
    let table = |place: &str, table: &str| wrong(&format!("{SUBJECT}When it runs on {place}, accepted by\n{table}"));
    insta::assert_snapshot!(table("every stage", "| metric | container | emulator |\n| latency p99 | | <= 5 ms |\n| outputs | = container | |"), @r#"
         × `outputs = container` on container compares it with itself and could never fail: leave it out there
          ╭─[f.feature:7:13]
        6 │ | latency p99 | | <= 5 ms |
        7 │ | outputs | = container | |
          ·             ─────┬─────
          ·                  ╰── here
          ╰────
         × latency p99 cannot be judged on qemu:m3: its clock is the QEMU instruction count; it counts instructions and tells no real time: use `instructions p99`
          ╭─[f.feature:6:19]
        5 │ | metric | container | emulator |
        6 │ | latency p99 | | <= 5 ms |
          ·                   ───┬───
          ·                      ╰── here
        7 │ | outputs | = container | |
          ╰────
    "#);
    insta::assert_snapshot!(table("every stage", "| metric | contaner |\n| outputs | = container |"), @r#"
         × column `contaner` is no stage and no target
          ╭─[f.feature:5:12]
        4 │ When it runs on every stage, accepted by
        5 │ | metric | contaner |
          ·            ────┬───
          ·                ╰── here
        6 │ | outputs | = container |
          ╰────
         help: did you mean `container`?
    "#);
    insta::assert_snapshot!(table("the container", "| metric | emulator |\n| outputs | = container |"), @r#"
         × column `emulator` says nothing here: this step does not run there
          ╭─[f.feature:5:12]
        4 │ When it runs on the container, accepted by
        5 │ | metric | emulator |
          ·            ────┬───
          ·                ╰── here
        6 │ | outputs | = container |
          ╰────
         help: take the column out, or run on `every stage`
    "#);
    insta::assert_snapshot!(table("the container", "| metric | bound |\n| mean absolute error | about 5 |"), @r#"
         × `about 5` is not a bound of mean absolute error: write it like `<= 0.05`
          ╭─[f.feature:6:25]
        5 │ | metric | bound |
        6 │ | mean absolute error | about 5 |
          ·                         ───┬───
          ·                            ╰── here
          ╰────
    "#);
    insta::assert_snapshot!(table("the container", "| metric | bound |\n| mean absolute error | |"), @r#"
         × the row of `mean absolute error` holds no bound
          ╭─[f.feature:6:3]
        5 │ | metric | bound |
        6 │ | mean absolute error | |
          ·   ─────────┬─────────
          ·            ╰── here
          ╰────
         help: give a bound in at least one column, or take the row out
    "#);
    insta::assert_snapshot!(table("the container", "| bound |\n| 5 |"), @r#"
         × an acceptance table's first column is `metric`
          ╭─[f.feature:5:3]
        4 │ When it runs on the container, accepted by
        5 │ | bound |
          ·   ──┬──
          ·     ╰── here
        6 │ | 5 |
          ╰────
         help: write `| metric | bound |`, or `| metric | container | emulator | board |`
    "#);
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on the container, accepted by")), @r#"
         × a table is wanted below this step
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ When it runs on the container, accepted by
          · ─────────────────────┬────────────────────
          ·                      ╰── here
          ╰────
    "#);
}

#[test]
fn order_matters() {
    insta::assert_snapshot!(wrong("Then the maximum error is at most 1\nWhen it runs on the container"), @r#"
         × nothing has run before this step
          ╭─[f.feature:3:1]
        2 │   Scenario: s
        3 │ Then the maximum error is at most 1
          · ─────────────────┬─────────────────
          ·                  ╰── here
        4 │ When it runs on the container
          ╰────
         help: before it, add a step like `When it runs on the container`
         × there is no model and no dataset to run yet
          ╭─[f.feature:4:1]
        3 │ Then the maximum error is at most 1
        4 │ When it runs on the container
          · ──────────────┬──────────────
          ·               ╰── here
          ╰────
         help: before this step, say `Given the model "…" and the dataset "…"`
    "#);
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\"\nWhen it runs on the container"), @r#"
         × there is no dataset to run yet
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite"
        4 │ When it runs on the container
          · ──────────────┬──────────────
          ·               ╰── here
          ╰────
         help: before this step, say `Given the model "…" and the dataset "…"`
    "#);
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\""), @r#"
         × nothing runs in this scenario
          ╭─[f.feature:3:1]
        2 │   Scenario: s
        3 │ Given the model "line.tflite"
          · ──────────────┬──────────────
          ·               ╰── here
          ╰────
         help: add a step like `When it runs on the container`
    "#);
    insta::assert_snapshot!(wrong(&format!("{RUN}Then it does not fit")), @r#"
         × a fail is wanted, and `it runs on` ends the scenario with the job's fail
          ╭─[f.feature:5:1]
        4 │ When it runs on the container
        5 │ Then it does not fit
          · ──────────┬─────────
          ·           ╰── here
          ╰────
         help: write `it is tried on` instead of `it runs on`
    "#);
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it is tried on the container")), @r#"
         × it is tried here, and no step says which fail is wanted
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ When it is tried on the container
          · ────────────────┬────────────────
          ·                 ╰── here
          ╰────
         help: let `Then it fails because "…"` or `Then it does not fit` follow
    "#);
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it is tried on the container\nThen the maximum error is at most 1")), @r#"
         × what was only tried is expected to fail, and leaves no evidence to judge
          ╭─[f.feature:5:1]
        4 │ When it is tried on the container
        5 │ Then the maximum error is at most 1
          · ─────────────────┬─────────────────
          ·                  ╰── here
          ╰────
         help: write `it runs on`, or say `it fails because "…"`
    "#);
}

#[test]
fn outputs_in_a_table_must_be_of_samples_there_are() {
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the outputs are\n| sample | outputs |\n| tow | 1 |")), @r#"
         × dataset `line.csv` has no sample `tow`
          ╭─[f.feature:7:3]
        6 │ | sample | outputs |
        7 │ | tow | 1 |
          ·   ─┬─
          ·    ╰── here
          ╰────
         help: there is: one, two
    "#);
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the outputs are\n| sample | outputs |\n| two | 1 2 |")), @r#"
         × 2 value(s) for sample `two`, and `line.tflite` has 1 output value(s)
          ╭─[f.feature:7:9]
        6 │ | sample | outputs |
        7 │ | two | 1 2 |
          ·         ─┬─
          ·          ╰── here
          ╰────
    "#);
}

#[test]
fn what_is_wrong_is_told_without_what_a_terminal_or_a_log_obeys() {
    let text = "Feature: f\n  Scenario: s\u{1b}]0;t\u{7}\n    Given the \u{1b}[2Jmodel \u{202e}x\n";
    let errors = yard().file("f\n::warning::g.feature", text).plan().unwrap_err();
    for told in [errors.render(110, false), errors.to_string()] {
        assert!(told.chars().all(|c| c == '\n' || farm::text::is_plain(c)), "{told:?}");
        assert!(!told.lines().any(|line| line.trim_start().starts_with("::")), "{told}");
    }
    assert!(errors.render(110, false).contains("the ?[2Jmodel ???x"), "{}", errors.render(110, false));
}

#[test]
fn a_board_that_is_only_compared_with_is_wanted_too() {
    let board = yard().with_board("nucleo-1", &["m4"], Script::Offset(0.0));
    let infos: Vec<_> = board.targets.iter().map(|target| farm::Target::info(target).clone()).collect();
    let wants = |yard: crate::testing::Yard| yard.plan().unwrap().scenarios()[0].wants_boards(&infos);
    let compared = format!("{RUN}Then the outputs are bit-identical to those on \"nucleo-1\"");
    assert!(wants(board.steps(&compared)));
    let alone = yard().with_board("nucleo-1", &["m4"], Script::Offset(0.0));
    assert!(!wants(alone.steps(RUN)));
}
