//! Acceptance tables on mock targets: which bound holds where, and that none is dropped in silence.
#![allow(clippy::unwrap_used)]

use super::tests::{SUBJECT, too_large};
use crate::testing::{Script, yard};

fn table(place: &str, rows: &str) -> String {
    format!("{SUBJECT}When it runs on {place}, accepted by\n{rows}")
}

#[test]
fn an_empty_cell_in_a_targets_own_column_leaves_its_stages_bound_in_force() {
    let rows = "| metric | emulator | qemu:m4 |\n| maximum error | <= 0.1 | |\n| instructions p99 | <= 1 | <= 200 |";
    let yard = yard().with("qemu:m4", Script::Offset(0.5)).steps(&table("the emulator \"qemu:m4\"", rows));
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            qemu:m4: maximum error <= 0.1, is 0.5 => fail: expected maximum error <= 0.1, found 0.5: 0.4 too much; it is at sample 1 (two), element 0: 2.5, not 2
            qemu:m4: instructions p99 <= 200, is 101 => pass
          4: When it runs on the emulator "qemu:m4", accepted by => fail: qemu:m4: expected maximum error <= 0.1, found 0.5: 0.4 too much; it is at sample 1 (two), element 0: 2.5, not 2
        => fail: qemu:m4: expected maximum error <= 0.1, found 0.5: 0.4 too much; it is at sample 1 (two), element 0: 2.5, not 2
    "#);
}

#[test]
fn a_target_with_a_column_of_its_own_is_not_left_out_because_it_is_too_small() {
    let rows = "| metric | qemu:m4 |\n| maximum error | <= 0.1 |";
    let steps = table("every emulator that it fits", rows);
    insta::assert_snapshot!(yard().with("qemu:m4", too_large()).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator that it fits, accepted by => fail: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
        => fail: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
    "#);
}

#[test]
fn a_target_with_a_column_of_its_own_is_not_passed_over_because_it_is_absent() {
    let rows = "| metric | emulator | qemu:m4 |\n| maximum error | <= 0.1 | <= 0.2 |";
    let steps = table("every emulator", rows);
    insta::assert_snapshot!(yard().with("qemu:m4", Script::Absent("QEMU is too old")).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            qemu:m3: maximum error <= 0.1, is 0 => pass
          4: When it runs on every emulator, accepted by => blocked: qemu:m4 is not there: QEMU is too old
        => blocked: qemu:m4 is not there: QEMU is too old
    "#);
}

#[test]
fn a_table_that_judged_nothing_is_no_pass() {
    let steps = table("the container", "| metric | host |\n| maximum error | <= 0.1 |");
    insta::assert_snapshot!(yard().with("host", Script::Offset(0.0)).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on the container, accepted by => inconclusive: no bound of the table is for what ran
        => inconclusive: no bound of the table is for what ran
    "#);
}

#[test]
fn a_job_that_was_only_tried_is_not_what_others_are_compared_with() {
    let yard = yard().with("container", Script::ArenaBelow(1000)).steps(&format!(
        "{SUBJECT}And an arena of at most 10 B\nWhen it is tried on the container\nThen it does not fit\nGiven an arena of at most 2000 B\nWhen it runs on the emulator \"qemu:m3\"\nThen the outputs are bit-identical to the container's"
    ));
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: And an arena of at most 10 B => pass
          5: When it is tried on the container => pass
            container: does not fit, is does not fit: the tensor arena needs 1000 bytes, the target has 10 => pass
          6: Then it does not fit => pass
          7: Given an arena of at most 2000 B => pass
          8: When it runs on the emulator "qemu:m3" => pass
            qemu:m3: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
          9: Then the outputs are bit-identical to the container's => pass
        => pass
    "#);
}

#[test]
fn a_bound_for_several_targets_leaves_out_the_one_it_compares_with() {
    let rows = "| metric | bound | emulator |\n| outputs | = container | = qemu:m3 |";
    insta::assert_snapshot!(yard().steps(&table("every stage", rows)).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            qemu:m3: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
            qemu:m4: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
            qemu:m4: outputs = qemu:m3, is 2 of 2 samples with bit-identical outputs => pass
          4: When it runs on every stage, accepted by => pass: this farm knows no board
        => pass: this farm knows no board
    "#);
    let alone = "| metric | bound |\n| outputs | = container |\n| maximum error | <= 1 |";
    insta::assert_snapshot!(yard().steps(&table("the container", alone)).errors(), @r#"
         × `outputs = container` on container compares it with itself and could never fail: leave it out there
          ╭─[f.feature:6:13]
        5 │ | metric | bound |
        6 │ | outputs | = container |
          ·             ─────┬─────
          ·                  ╰── here
        7 │ | maximum error | <= 1 |
          ╰────
    "#);
}
