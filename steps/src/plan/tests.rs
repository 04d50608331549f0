//! What is wrong with features, as people see it.
#![allow(clippy::unwrap_used)]

use crate::testing::{Yard, yard};
use farm::Stage;

const SUBJECT: &str = "Given the model \"line.tflite\" and the dataset \"line.csv\"\n";
const RUN: &str = "Given the model \"line.tflite\" and the dataset \"line.csv\"\nWhen it runs on the container\n";

fn wrong(steps: &str) -> String {
    yard().steps(steps).errors()
}

fn feature(text: &str) -> String {
    yard().file("f.feature", text).errors()
}

#[test]
fn an_undefined_step_gets_the_nearest_one_and_all_are_told_at_once() {
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\" and dataset \"line.csv\"\nWhen it run on the container\nThen frobnicate"), @"");
}

#[test]
fn a_step_under_another_keyword_is_told_its_own() {
    insta::assert_snapshot!(wrong(&format!("{RUN}Then it runs on the container")), @"");
}

#[test]
fn unknown_names_get_a_suggestion() {
    insta::assert_snapshot!(wrong("Given the model \"lin.tflite\" and the dataset \"line.csv\"\nWhen it runs on the emulator \"qemu:m33\"\nThen the mean absolut error is at most 1"), @"");
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on every emulater\nThen the outputs are bit-identical to those on \"qemu:m5\"")), @"");
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on the emulator \"container\"")), @"");
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\" and the dataset \"lines.csv\"\nWhen it runs on the container"), @"");
}

#[test]
fn a_dataset_that_does_not_go_with_the_model_is_refused_where_it_is_named() {
    let yard = yard().file("two.csv", "x0,x1,y0\n1,2,3\n").file("nan.csv", "x0,y0\nNaN,1\n").file("empty.csv", "x0,y0\n");
    let steps = |name: &str| format!("Given the model \"line.tflite\" and the dataset \"{name}\"\nWhen it runs on the container");
    let yard = yard.steps(&steps("two.csv"));
    insta::assert_snapshot!(yard.errors(), @"");
    let yard = yard.steps(&steps("nan.csv"));
    insta::assert_snapshot!(yard.errors(), @"");
    let yard = yard.steps(&steps("empty.csv"));
    insta::assert_snapshot!(yard.errors(), @"");
}

#[test]
fn a_criterion_must_go_with_clock_and_truth() {
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on every emulator\nThen the latency p99 is at most 5 ms\nAnd the top-1 accuracy is at least 90 %")), @"");
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the instructions p99 is at most 5\nAnd the outputs are bit-identical to the container's\nAnd the mean absolute error is at most 5 ms")), @"");
}

#[test]
fn an_acceptance_table_is_checked_cell_by_cell() {
    let table = |place: &str, table: &str| wrong(&format!("{SUBJECT}When it runs on {place}, accepted by\n{table}"));
    insta::assert_snapshot!(table("every stage", "| metric | container | emulator |\n| latency p99 | | <= 5 ms |\n| outputs | = container | |"), @"");
    insta::assert_snapshot!(table("every stage", "| metric | contaner |\n| outputs | = container |"), @"");
    insta::assert_snapshot!(table("the container", "| metric | emulator |\n| outputs | = container |"), @"");
    insta::assert_snapshot!(table("the container", "| metric | bound |\n| mean absolute error | about 5 |"), @"");
    insta::assert_snapshot!(table("the container", "| metric | bound |\n| mean absolute error | |"), @"");
    insta::assert_snapshot!(table("the container", "| bound |\n| 5 |"), @"");
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it runs on the container, accepted by")), @"");
}

#[test]
fn order_matters() {
    insta::assert_snapshot!(wrong("Then the maximum error is at most 1\nWhen it runs on the container"), @"");
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\"\nWhen it runs on the container"), @"");
    insta::assert_snapshot!(wrong("Given the model \"line.tflite\""), @"");
    insta::assert_snapshot!(wrong(&format!("{RUN}Then it does not fit")), @"");
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it is tried on the container")), @"");
    insta::assert_snapshot!(wrong(&format!("{SUBJECT}When it is tried on the container\nThen the maximum error is at most 1")), @"");
}

#[test]
fn outputs_in_a_table_must_be_of_samples_there_are() {
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the outputs are\n| sample | outputs |\n| tow | 1 |")), @"");
    insta::assert_snapshot!(wrong(&format!("{RUN}Then the outputs are\n| sample | outputs |\n| two | 1 2 |")), @"");
}

#[test]
fn tags_that_contradict_are_refused() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n  @stage.container @stage.board\n  Scenario: s\n{SUBJECT}When it runs on every stage\n")), @"");
    insta::assert_snapshot!(feature(&format!("@stage.emulator\nFeature: f\n  Scenario: s\n{RUN}")), @"");
    insta::assert_snapshot!(feature(&format!("@slow @stage.emulators\nFeature: f\n  @timeout.abc\n  Scenario: s\n{SUBJECT}When it runs on every stage\n")), @"");
}

#[test]
fn an_error_in_a_background_is_told_once_and_one_in_an_outline_names_the_row() {
    insta::assert_snapshot!(feature("Feature: f\n Background:\n  Given the model \"x.tflite\" and the dataset \"line.csv\"\n Scenario: a\n  When it runs on the container\n Scenario: b\n  When it runs on the container\n"), @"");
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <where>\n Examples:\n  | where |\n  | the container |\n  | the moon |\n")), @"");
}

#[test]
fn outlines_need_examples_rows_and_columns() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <where>\n")), @"");
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <where>\n Examples:\n  | where |\n")), @"");
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <were>\n Examples:\n  | where |\n  | the container |\n")), @"");
}

#[test]
fn what_is_not_gherkin_is_shown() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario: a\n{SUBJECT}Whenn it runs on the container\n")), @"");
    insta::assert_snapshot!(feature("Featur: f\n Scenario: a\n  Given x\n"), @"");
    insta::assert_snapshot!(feature(""), @"");
    insta::assert_snapshot!(feature("# language: klingon\nFeature: f\n"), @"");
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Given the dataset:\n  | x0 | y0 |\n  | 1 |\n"), @"");
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Given the dataset:\n  | x0 | y0 |\n  | 1 | 2 | 3 |\n"), @"");
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Given the dataset:\n  \"\"\"\n  x0\n"), @"");
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Givne the model \"line.tflite\"\n  When it runs on the container\n"), @"");
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n"), @"");
    insta::assert_snapshot!(feature("Feature: f\n"), @"");
}

#[test]
fn files_that_are_not_there_or_not_text_are_told() {
    insta::assert_snapshot!(yard().errors(), @"");
    let yard = yard().steps(RUN);
    let missing = yard.plan_of(&[yard.path().join("g.feature")]).unwrap_err().to_string();
    insta::assert_snapshot!(missing.replace(&yard.path().display().to_string(), ""), @"");
    std::fs::write(yard.path().join("f.feature"), b"Feature: \xff\n").unwrap();
    insta::assert_snapshot!(yard.errors(), @"");
}

#[test]
fn filters_say_what_they_left_out() {
    let text = format!("Feature: f\n @a\n Scenario: one\n{RUN} @b\n Scenario: two\n{SUBJECT}When it runs on every emulator\n");
    let with = |change: fn(&mut Yard)| {
        let mut yard = yard().file("f.feature", &text);
        change(&mut yard);
        match yard.plan() {
            Ok(plan) => {
                let names: Vec<&str> = plan.scenarios().iter().map(|scenario| scenario.id.name.as_str()).collect();
                format!("{names:?} {:?}", plan.remarks())
            }
            Err(_) => yard.errors(),
        }
    };
    insta::assert_snapshot!(with(|yard| yard.options.tags = Some("@a and not @b".to_owned())), @"");
    insta::assert_snapshot!(with(|yard| yard.options.name = Some("^t".to_owned())), @"");
    insta::assert_snapshot!(with(|yard| yard.options.stages = vec![Stage::Emulator]), @"");
    insta::assert_snapshot!(with(|yard| yard.options.targets = vec!["qemu:m3".to_owned()]), @"");
    insta::assert_snapshot!(with(|yard| yard.options.tags = Some("@c".to_owned())), @"");
    insta::assert_snapshot!(with(|yard| yard.options.tags = Some("@a and".to_owned())), @"");
    insta::assert_snapshot!(with(|yard| yard.options.name = Some("(".to_owned())), @"");
    insta::assert_snapshot!(with(|yard| yard.options.targets = vec!["qemu:m5".to_owned()]), @"");
}

#[test]
fn the_same_file_twice_is_one_and_equal_names_are_told_apart() {
    let yard = yard().file("a.feature", &format!("Feature: f\n Scenario: s\n{RUN} Scenario: s\n{RUN}"));
    let path = yard.path().join("a.feature");
    let plan = yard.plan_of(&[path.clone(), path, yard.path().to_owned()]).unwrap();
    let names: Vec<String> = plan.scenarios().iter().map(|scenario| scenario.id.name.replace(&yard.path().display().to_string(), "")).collect();
    insta::assert_debug_snapshot!(names, @"");
}

#[test]
fn a_thousand_files_are_planned() {
    let mut yard = yard();
    for index in 0..1000 {
        let subject = SUBJECT.replace("line.", "../line.");
        let text = format!("Feature: f{index}\n Scenario: s\n{subject}When it runs on the container\nThen the maximum error is at most 1\n");
        yard = yard.file(&format!("{}/{index}.feature", index % 10), &text);
    }
    let plan = yard.plan().unwrap();
    assert_eq!((plan.files(), plan.scenarios().len()), (1000, 1000));
    assert!(plan.targets().iter().all(|target| target.0 == "container"));
}
