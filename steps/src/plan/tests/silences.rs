//! What would be passed over in silence, and is refused or told instead: text that Gherkin takes for prose, values that
//! nothing uses, bounds that judge nothing.
#![allow(clippy::unwrap_used)]

use super::{RUN, SUBJECT, feature, wrong};
use crate::testing::{Yard, yard};
use farm::Stage;

#[test]
fn steps_below_a_misspelt_heading_are_not_taken_for_prose() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n  Scenaro: lost\n{RUN}\n  Scenario: s\n{RUN}")), @r#"
         × `Given the model "line.tflite" and the dataset "line.csv"` would be read as description of the feature, and not be run
          ╭─[f.feature:2:3]
        1 │ Feature: f
        2 │   Scenaro: lost
          ·   ──────┬──────
          ·         ╰── here
        3 │ Given the model "line.tflite" and the dataset "line.csv"
          ╰────
         help: did you mean `Scenario:`?
    "#);
    insta::assert_snapshot!(feature(&format!("Feature: f\n  Rule: r\n  Scenaro: lost\n{RUN}\n  Scenario: s\n{RUN}")), @r#"
         × `Given the model "line.tflite" and the dataset "line.csv"` would be read as description of the rule, and not be run
          ╭─[f.feature:3:3]
        2 │   Rule: r
        3 │   Scenaro: lost
          ·   ──────┬──────
          ·         ╰── here
        4 │ Given the model "line.tflite" and the dataset "line.csv"
          ╰────
         help: did you mean `Scenario:`?
    "#);
    insta::assert_snapshot!(feature(&format!("# language: de\nFunktion: f\n  Szenaro: lost\nWenn it runs on the container\n  Szenario: s\n{}", RUN.replace("Given", "Angenommen").replace("When", "Wenn"))), @r#"
         × `Wenn it runs on the container` would be read as description of the feature, and not be run
          ╭─[f.feature:3:3]
        2 │ Funktion: f
        3 │   Szenaro: lost
          ·   ──────┬──────
          ·         ╰── here
        4 │ Wenn it runs on the container
          ╰────
         help: mend the heading
    "#);
}

#[test]
fn a_step_without_a_keyword_is_not_taken_for_prose() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario: a\n  # a comment\n  it runs on the host\n{RUN}")), @r#"
         × this line has no keyword and would be read as a description, not as a step
          ╭─[f.feature:4:3]
        3 │   # a comment
        4 │   it runs on the host
          ·   ─────────┬─────────
          ·            ╰── here
        5 │ Given the model "line.tflite" and the dataset "line.csv"
          ╰────
         help: begin it with `When`
    "#);
}

#[test]
fn a_description_that_is_none_of_the_steps_is_left_alone() {
    let prose = "  Given enough time, the model learns.\n  In order: first the container, then the rest.\n";
    let yard = yard().file(
        "f.feature",
        &format!("Feature: f\n{prose}\n Rule: r\n{prose}\n  Scenario: s\n  Note: it runs on what there is.\n{RUN}"),
    );
    assert_eq!(yard.errors(), "nothing is wrong");
}

#[test]
fn a_placeholder_may_follow_a_sign() {
    let table = |cell: &str| {
        yard().file("f.feature", &format!("Feature: f\n Scenario Outline: <bound>\n{SUBJECT}When it runs on the container, accepted by\n  | metric | bound |\n  | maximum error | {cell} |\n Examples:\n  | bound |\n  | 0.5 |\n"))
    };
    for cell in ["<=<bound>", "<= <bound>", "<<bound>", "< <bound>", ">=<bound>", "between 0 and <bound>"] {
        assert_eq!(table(cell).errors(), "nothing is wrong", "{cell}");
    }
}

#[test]
fn examples_with_two_columns_of_one_name_are_refused() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{RUN}Then the maximum error is at most <b>\n Examples:\n  | b | b |\n  | 1 | 0 |\n")), @r#"
         × there are two columns `b`
          ╭─[f.feature:7:9]
        6 │  Examples:
        7 │   | b | b |
          ·         ┬
          ·         ╰── here
        8 │   | 1 | 0 |
          ╰────
         help: rename one of them, or take it out
    "#);
}

#[test]
fn a_sample_that_the_dataset_has_twice_cannot_be_meant() {
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\"\nAnd the dataset:\n| sample | x0 |\n| a | 1 |\n| a | 2 |\nWhen it runs on the container\nThen the outputs are\n| sample | outputs |\n| a | 1.0 |"), @r#"
     × dataset `inline 70b25403` has 2 samples `a`: which is meant?
       ╭─[f.feature:11:3]
    10 │ | sample | outputs |
    11 │ | a | 1.0 |
       ·   ┬
       ·   ╰── here
       ╰────
     help: give each sample a name of its own, or rename the column of names: then samples are `row 1`, `row 2`, …
    "#);
}

#[test]
fn labels_say_nothing_of_a_model_with_one_output() {
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\"\nAnd the dataset:\n| x0 | label |\n| 1 | 0 |\nWhen it runs on the container\nThen every sample is classified correctly"), @r#"
         × misclassified samples says nothing of `line.tflite`: its output has a single element, so that there is one class; give expected values (`y`) and bound an error
          ╭─[f.feature:8:1]
        7 │ When it runs on the container
        8 │ Then every sample is classified correctly
          · ────────────────────┬────────────────────
          ·                     ╰── here
          ╰────
    "#);
}

#[test]
fn an_unknown_metric_is_shown_in_its_own_cell() {
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on the container, accepted by\n| metric | container |\n| maximum eror | <= 1 |")), @r#"
         × unknown metric `maximum eror`: did you mean `maximum error`?
          ╭─[f.feature:6:3]
        5 │ | metric | container |
        6 │ | maximum eror | <= 1 |
          ·   ──────┬─────
          ·         ╰── here
          ╰────
    "#);
}

#[test]
fn a_tag_with_a_meaning_and_another_sign_is_refused() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n  @timeout:5s @stage=board\n  Scenario: s\n{RUN}")), @r#"
         × tag `@timeout:5s` is close to one with a meaning, and is not it
          ╭─[f.feature:2:3]
        1 │ Feature: f
        2 │   @timeout:5s @stage=board
          ·   ─────┬─────
          ·        ╰── here
        3 │   Scenario: s
          ╰────
         help: did you mean `@timeout.5s`?
         × tag `@stage=board` is close to one with a meaning, and is not it
          ╭─[f.feature:2:15]
        1 │ Feature: f
        2 │   @timeout:5s @stage=board
          ·               ──────┬─────
          ·                     ╰── here
        3 │   Scenario: s
          ╰────
         help: did you mean `@stage.board`?
    "#);
}

#[test]
fn a_table_without_a_bound_for_what_is_left_of_the_stages_is_refused() {
    let table = "When it runs on every stage, accepted by\n| metric | emulator |\n| maximum error | <= 1 |\n";
    insta::assert_snapshot!(feature(&format!("Feature: f\n  @stage.container\n  Scenario: s\n{SUBJECT}{table}")), @r#"
         × no bound of this table is for what this step runs on
          ╭─[f.feature:5:1]
        4 │ Given the model "line.tflite" and the dataset "line.csv"
        5 │ When it runs on every stage, accepted by
          · ────────────────────┬───────────────────
          ·                     ╰── here
        6 │ | metric | emulator |
          ╰────
         help: give one, or take the tag away that restricts the stages
    "#);
}

/// Names and remarks of what is planned of a scenario that wants nothing but the emulators judged, and of a plain one.
fn planned(judged: &str, change: fn(&mut Yard)) -> String {
    let text = format!(
        "Feature: f\n Scenario: judged\n{SUBJECT}{judged}\n Scenario: plain\n{SUBJECT}When it runs on every stage\n"
    );
    let mut yard = yard().file("f.feature", &text);
    change(&mut yard);
    let plan = yard.plan().unwrap_or_else(|_| panic!("{}", yard.errors()));
    let names: Vec<&str> = plan.scenarios().iter().map(|scenario| scenario.id.name.as_str()).collect();
    format!("{names:?} {:?}", plan.remarks())
}

#[test]
fn what_options_leave_nothing_to_judge_of_is_left_out_and_told() {
    let table = "When it runs on every stage, accepted by\n| metric | emulator |\n| maximum error | <= 1 |";
    insta::assert_snapshot!(planned(table, |yard| yard.options.stages = vec![Stage::Container]), @r#"
        ["plain"] ["1 scenario(s) left out: no bound of its table is for what was asked for"]
    "#);
    insta::assert_snapshot!(planned(table, |yard| yard.options.stages = vec![Stage::Emulator]), @r#"
        ["judged", "plain"] []
    "#);
    let then = "When it runs on every stage\nThen the outputs are bit-identical to the container's";
    insta::assert_snapshot!(planned(then, |yard| yard.options.stages = vec![Stage::Container]), @r#"
        ["plain"] ["1 scenario(s) left out: it compares targets that were not asked for with one that was"]
    "#);
    insta::assert_snapshot!(planned(then, |yard| yard.options.targets = vec!["container".to_owned()]), @r#"
        ["plain"] ["1 scenario(s) left out: it compares targets that were not asked for with one that was"]
    "#);
    insta::assert_snapshot!(planned(then, |yard| yard.options.targets = vec!["qemu:m3".to_owned()]), @r#"
        ["judged", "plain"] []
    "#);
}
