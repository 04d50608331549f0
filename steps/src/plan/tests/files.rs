//! What is wrong with feature files around their steps: Gherkin itself, outlines, tags, filters.
#![allow(clippy::unwrap_used)]

use super::{RUN, SUBJECT, feature};
use crate::testing::{Yard, yard};
use farm::Stage;

#[test]
fn tags_that_contradict_are_refused() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n  @stage.container @stage.board\n  Scenario: s\n{SUBJECT}When it runs on every stage\n")), @r#"
         × contradictory tags: `@stage.board`, and the same place says `@stage.container`
          ╭─[f.feature:2:20]
        1 │ Feature: f
        2 │   @stage.container @stage.board
          ·                    ──────┬─────
          ·                          ╰── here
        3 │   Scenario: s
          ╰────
         help: keep one of them
    "#);
    insta::assert_snapshot!(feature(&format!("@stage.emulator\nFeature: f\n  Scenario: s\n{RUN}")), @r#"
         × tag `@stage.emulator` says emulator only, and this step runs on the container stage
          ╭─[f.feature:5:1]
        4 │ Given the model "line.tflite" and the dataset "line.csv"
        5 │ When it runs on the container
          · ──────────────┬──────────────
          ·               ╰── here
          ╰────
         help: take the tag away, or say `every stage`
    "#);
    insta::assert_snapshot!(feature(&format!("@slow @stage.emulators\nFeature: f\n  @timeout.abc\n  Scenario: s\n{SUBJECT}When it runs on every stage\n")), @r#"
         × tag `@stage.emulators` names no stage
          ╭─[f.feature:1:7]
        1 │ @slow @stage.emulators
          ·       ────────┬───────
          ·               ╰── here
        2 │ Feature: f
          ╰────
         help: did you mean `@stage.emulator`?
         × tag `@timeout.abc` tells no time: `abc` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`
          ╭─[f.feature:3:3]
        2 │ Feature: f
        3 │   @timeout.abc
          ·   ──────┬─────
          ·         ╰── here
        4 │   Scenario: s
          ╰────
         help: write it like `@timeout.30s` or `@timeout.500ms`
    "#);
}

#[test]
fn an_error_in_a_background_is_told_once_and_one_in_an_outline_names_the_row() {
    insta::assert_snapshot!(feature("Feature: f\n Background:\n  Given the model \"x.tflite\" and the dataset \"line.csv\"\n Scenario: a\n  When it runs on the container\n Scenario: b\n  When it runs on the container\n"), @r#"
         × there is no model file `x.tflite`: looked for x.tflite and x.tflite; check the path
          ╭─[f.feature:3:3]
        2 │  Background:
        3 │   Given the model "x.tflite" and the dataset "line.csv"
          ·   ──────────────────────────┬──────────────────────────
          ·                             ╰── here
        4 │  Scenario: a
          ╰────
    "#);
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <where>\n Examples:\n  | where |\n  | the container |\n  | the moon |\n")), @r#"
         × `the moon` is no place to run
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ When it runs on <where>
          · ───────────┬───────────
          ·            ╰── with the example in line 8
        5 │  Examples:
          ╰────
         help: did you mean `the host`?
    "#);
}

#[test]
fn outlines_need_examples_rows_and_columns() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <where>\n")), @r#"
         × this scenario has placeholders and no examples
          ╭─[f.feature:2:2]
        1 │ Feature: f
        2 │  Scenario Outline: a
          ·  ─────────┬─────────
          ·           ╰── here
        3 │ Given the model "line.tflite" and the dataset "line.csv"
          ╰────
         help: add `Examples:` with a column for each placeholder
    "#);
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <where>\n Examples:\n  | where |\n")), @r#"
         × the examples of this outline have no rows
          ╭─[f.feature:2:2]
        1 │ Feature: f
        2 │  Scenario Outline: a
          ·  ─────────┬─────────
          ·           ╰── here
        3 │ Given the model "line.tflite" and the dataset "line.csv"
          ╰────
         help: add at least one row below the heading
    "#);
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario Outline: a\n{SUBJECT}When it runs on <were>\n Examples:\n  | where |\n  | the container |\n")), @r#"
         × no column of the examples fills `<were>`
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ When it runs on <were>
          · ───────────┬──────────
          ·            ╰── here
        5 │  Examples:
          ╰────
         help: did you mean `where`?
    "#);
}

#[test]
fn what_is_not_gherkin_is_shown() {
    insta::assert_snapshot!(feature(&format!("Feature: f\n Scenario: a\n{SUBJECT}Whenn it runs on the container\n")), @r#"
         × not Gherkin: `Whenn it runs on the container`
          ╭─[f.feature:4:1]
        3 │ Given the model "line.tflite" and the dataset "line.csv"
        4 │ Whenn it runs on the container
          · ───────────────┬──────────────
          ·                ╰── here
          ╰────
         help: did you mean `When`?
    "#);
    insta::assert_snapshot!(feature("Featur: f\n Scenario: a\n  Given x\n"), @r#"
         × not Gherkin: `Featur: f`
          ╭─[f.feature:1:1]
        1 │ Featur: f
          · ────┬────
          ·     ╰── here
        2 │  Scenario: a
          ╰────
         help: a feature file begins with `Feature: …`
    "#);
    insta::assert_snapshot!(feature(""), @r#"
        × the feature file is empty
        help: begin it with `Feature: …`
    "#);
    insta::assert_snapshot!(feature("# language: klingon\nFeature: f\n"), @r#"
         × Gherkin has no language `klingon`
          ╭─[f.feature:1:1]
        1 │ # language: klingon
          · ─────────┬─────────
          ·          ╰── here
        2 │ Feature: f
          ╰────
         help: write a language code that Gherkin knows, such as `en`, `de`, `fi` or `fr`
    "#);
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Given the dataset:\n  | x0 | y0 |\n  | 1 |\n"), @r#"
         × this row has 1 cell(s), and its table's heading has 2
          ╭─[f.feature:5:3]
        4 │   | x0 | y0 |
        5 │   | 1 |
          ·   ──┬──
          ·     ╰── here
          ╰────
         help: give every row as many cells as the heading; write `\|` for a bar in a cell
    "#);
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Given the dataset:\n  | x0 | y0 |\n  | 1 | 2 | 3 |\n"), @r#"
         × this row has 3 cell(s), and its table's heading has 2
          ╭─[f.feature:5:3]
        4 │   | x0 | y0 |
        5 │   | 1 | 2 | 3 |
          ·   ──────┬──────
          ·         ╰── here
          ╰────
         help: give every row as many cells as the heading; write `\|` for a bar in a cell
    "#);
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Given the dataset:\n  \"\"\"\n  x0\n"), @r#"
         × the feature file ends too early
          ╭─[f.feature:5:3]
        4 │   """
        5 │   x0
          ·   ─┬
          ·    ╰── here
          ╰────
         help: a doc string is opened with `"""` and never closed
    "#);
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n  Givne the model \"line.tflite\"\n  When it runs on the container\n"), @r#"
         × `Givne` is no keyword, so this line would be read as a description, not as a step
          ╭─[f.feature:3:3]
        2 │  Scenario: a
        3 │   Givne the model "line.tflite"
          ·   ──────────────┬──────────────
          ·                 ╰── here
        4 │   When it runs on the container
          ╰────
         help: did you mean `Given`?
    "#);
    insta::assert_snapshot!(feature("Feature: f\n Scenario: a\n"), @r#"
         × this scenario has no steps
          ╭─[f.feature:2:2]
        1 │ Feature: f
        2 │  Scenario: a
          ·  ─────┬─────
          ·       ╰── here
          ╰────
         help: no output is never a pass: write steps, or take it out
    "#);
    insta::assert_snapshot!(feature("Feature: f\n"), @r#"
         × this feature has no scenario
          ╭─[f.feature:1:1]
        1 │ Feature: f
          · ─────┬────
          ·      ╰── here
          ╰────
    "#);
}

#[test]
fn files_that_are_not_there_or_not_text_are_told() {
    insta::assert_snapshot!(yard().errors(), @r#"
        × no feature found: `FOLDER` holds no `.feature` file
        help: name a `.feature` file, or a folder that has some at any depth
    "#);
    let yard = yard().steps(RUN);
    let missing = yard.plan_of(&[yard.path().join("g.feature")]).unwrap_err().to_string();
    insta::assert_snapshot!(missing.replace(&yard.path().display().to_string(), ""), @r#"
        /g.feature: cannot read `/g.feature`: No such file or directory (os error 2)
    "#);
    std::fs::write(yard.path().join("f.feature"), b"Feature: \xff\n").unwrap();
    insta::assert_snapshot!(yard.errors(), @r#"
        × `f.feature` is not UTF-8: bad byte in line 1
        help: save the file as UTF-8
    "#);
}

#[test]
fn filters_say_what_they_left_out() {
    let text =
        format!("Feature: f\n @a\n Scenario: one\n{RUN} @b\n Scenario: two\n{SUBJECT}When it runs on every emulator\n");
    let with = |change: fn(&mut Yard)| {
        let mut yard = yard().file("f.feature", &text);
        change(&mut yard);
        match yard.plan() {
            Ok(plan) => {
                let names: Vec<&str> = plan.scenarios().iter().map(|scenario| scenario.id.name.as_str()).collect();
                format!("{names:?} {:?}", plan.remarks())
            }
            Err(_) => yard.errors().lines().map(str::trim).collect::<Vec<_>>().join(" / "),
        }
    };
    insta::assert_snapshot!(with(|yard| yard.options.tags = Some("@a and not @b".to_owned())), @r#"
        ["one"] ["1 scenario(s) do not match --tags `@a and not @b`"]
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.name = Some("^t".to_owned())), @r#"
        ["two"] ["1 scenario(s) do not match --name `^t`"]
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.stages = vec![Stage::Emulator]), @r#"
        ["two"] ["1 scenario(s) left out: it runs on a stage that was not asked for"]
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.targets = vec!["qemu:m3".to_owned()]), @r#"
        ["two"] ["1 scenario(s) left out: it runs on targets that were not asked for"]
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.tags = Some("@c".to_owned())), @r#"
          × no scenario to run: 2 scenario(s) do not match --tags `@c`
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.tags = Some("@a and".to_owned())), @r#"
        × `@a and` is no tag expression / help: write it like `@smoke and not (@slow or @board)`
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.name = Some("(".to_owned())), @r#"
        × `(` is no regular expression / help: regex parse error: / ( / ^ / error: unclosed group
    "#);
    insta::assert_snapshot!(with(|yard| yard.options.targets = vec!["qemu:m5".to_owned()]), @r#"
        × unknown target `qemu:m5` / help: did you mean `qemu:m4`?
    "#);
}

#[test]
fn the_same_file_twice_is_one_and_equal_names_are_told_apart() {
    let yard = yard().file("a.feature", &format!("Feature: f\n Scenario: s\n{RUN} Scenario: s\n{RUN}"));
    let path = yard.path().join("a.feature");
    let plan = yard.plan_of(&[path.clone(), path, yard.path().to_owned()]).unwrap();
    let names: Vec<String> = plan
        .scenarios()
        .iter()
        .map(|scenario| scenario.id.name.replace(&yard.path().display().to_string(), ""))
        .collect();
    insta::assert_debug_snapshot!(names, @r#"
        [
            "s (/a.feature:2)",
            "s (/a.feature:5)",
        ]
    "#);
}

#[test]
fn a_thousand_files_are_planned() {
    let mut yard = yard();
    for index in 0..1000 {
        let subject = SUBJECT.replace("line.", "../line.");
        let text = format!(
            "Feature: f{index}\n Scenario: s\n{subject}When it runs on the container\nThen the maximum error is at most 1\n"
        );
        yard = yard.file(&format!("{}/{index}.feature", index % 10), &text);
    }
    let plan = yard.plan().unwrap();
    assert_eq!((plan.files(), plan.scenarios().len()), (1000, 1000));
    assert!(plan.targets().iter().all(|target| target.0 == "container"));
}

/// Lines that feature files are made of, sound and broken.
const LINES: &[&str] = &[
    "Feature: f",
    "Background:",
    "Rule: r",
    "Scenario: s",
    "Scenario Outline: o <n>",
    "Examples:",
    "@a @stage.board",
    "@timeout.x",
    "# language: fr",
    "# a comment",
    "Given the model \"line.tflite\" and the dataset \"line.csv\"",
    "Given the dataset:",
    "| x0 | y0 |",
    "| 1 | 1 |",
    "| n |",
    "|",
    "||",
    "| a \\| b |",
    "| é |",
    "\"\"\"",
    "```",
    "When it runs on every stage, accepted by",
    "| metric | bound |",
    "| maximum error | <= 1 |",
    "Then the outputs are",
    "| sample | outputs |",
    "| one | 1 |",
    "* it does not fit",
    "And <n>",
    "Et",
    "",
    " text",
    "When it is tried on the target \"qemu:m3\"",
    "Then it fails because \"\"",
    "Then the maximum error is at most <n>",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn no_feature_file_however_broken_ends_in_a_panic(
        lines in proptest::collection::vec(proptest::sample::select(LINES), 0..24),
    ) {
        let yard = yard().file("f.feature", &format!("Feature: f\n{}", lines.join("\n")));
        if let Err(errors) = yard.plan() {
            proptest::prop_assert!(!errors.0.is_empty());
            proptest::prop_assert!(!errors.render(100, false).contains("panicked"));
        }
    }
}
