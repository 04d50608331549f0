//! What features lead to, on mock targets.
#![allow(clippy::unwrap_used)]

use crate::testing::{Script, story, yard};
use farm::{FarmEvent, Fault, Stage, Verdict};

pub(super) const SUBJECT: &str = "Given the model \"line.tflite\" and the dataset \"line.csv\"\n";
const PAIR: &str = "Given the model \"pair.tflite\" and the dataset \"label.csv\"\n";

pub(super) fn too_large() -> Script {
    Script::Fault(Fault::DoesNotFit { what: "model".into(), needed: 2000, available: 1000 })
}

#[test]
fn a_scenario_runs_and_is_judged() {
    let steps = format!(
        "{SUBJECT}When it runs on every emulator\nThen the mean absolute error is at most 0.05\nAnd the outputs are bit-identical to the container's"
    );
    let yard = yard().steps(&steps);
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator => pass
            qemu:m3: mean absolute error <= 0.05, is 0 => pass
            qemu:m4: mean absolute error <= 0.05, is 0 => pass
          5: Then the mean absolute error is at most 0.05 => pass
            qemu:m3: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
            qemu:m4: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
          6: And the outputs are bit-identical to the container's => pass
        => pass
    "#);
    assert_eq!(yard.opened("container"), 1, "the container ran to be compared with");
}

#[test]
fn a_failed_stage_keeps_the_next_from_being_touched() {
    let steps = format!(
        "{SUBJECT}When it runs on every stage, accepted by\n| metric | container | emulator | board |\n| mean absolute error | <= 0.05 | <= 0.05 | |\n | latency p99 | | | <= 5 ms |\nThen the outputs are bit-identical to the container's"
    );
    let yard = yard().with("qemu:m4", Script::Offset(1.0)).with("board:x", Script::Offset(0.0)).steps(&steps);
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            container: mean absolute error <= 0.05, is 0 => pass
            qemu:m3: mean absolute error <= 0.05, is 0 => pass
            qemu:m4: mean absolute error <= 0.05, is 0.5 => fail: expected mean absolute error <= 0.05, found 0.5: 0.45 too much
          4: When it runs on every stage, accepted by => fail: qemu:m4: expected mean absolute error <= 0.05, found 0.5: 0.45 too much; board stage blocked: emulator stage failed
          8: Then the outputs are bit-identical to the container's => -
        => fail: qemu:m4: expected mean absolute error <= 0.05, found 0.5: 0.45 too much; board stage blocked: emulator stage failed
    "#);
    assert_eq!(yard.opened("board:x"), 0);
}

#[test]
fn every_stage_passes_up_to_the_boards_there_are() {
    let steps = format!(
        "{SUBJECT}When it runs on every stage, accepted by:\n| metric | container | emulator | qemu:m4 |\n| outputs | | = container | within 1e-6 of container |\n| instructions max | | <= 101 | <= 1,000 |"
    );
    insta::assert_snapshot!(yard().steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            qemu:m3: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
            qemu:m3: instructions max <= 101, is 101 => pass
            qemu:m4: outputs within 1e-6 of container, is largest difference 0 => pass
            qemu:m4: instructions max <= 1000, is 101 => pass
          4: When it runs on every stage, accepted by: => pass: this farm knows no board
        => pass: this farm knows no board
    "#);
}

#[test]
fn a_stage_with_bounds_and_no_target_is_blocked() {
    let steps =
        format!("{SUBJECT}When it runs on every stage, accepted by\n| metric | board |\n| latency p99 | <= 5 ms |");
    insta::assert_snapshot!(yard().steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every stage, accepted by => blocked: this farm knows no board
        => blocked: this farm knows no board
    "#);
}

#[test]
fn the_host_stands_in_for_the_container_where_it_may() {
    let steps = format!(
        "{SUBJECT}When it runs on every stage, accepted by\n| metric | container | emulator |\n| mean absolute error | <= 0.05 | |\n| outputs | | = container |"
    );
    let mut yard =
        yard().with("container", Script::Absent("no engine")).with("host", Script::Offset(0.0)).steps(&steps);
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every stage, accepted by => blocked: container: no engine; emulator stage blocked: container stage was blocked
        => blocked: container: no engine; emulator stage blocked: container stage was blocked
    "#);
    yard.options.stand_in_host = true;
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            host: mean absolute error <= 0.05, is 0 => pass
            qemu:m3: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
            qemu:m4: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
          4: When it runs on every stage, accepted by => pass: host stands in for the container: no engine; this farm knows no board
        => pass: host stands in for the container: no engine; this farm knows no board
    "#);
}

#[test]
fn the_host_is_not_compared_with_itself() {
    let steps = format!("{SUBJECT}When it runs on the host\nThen the outputs are bit-identical to the container's");
    let mut yard =
        yard().with("container", Script::Absent("no engine")).with("host", Script::Offset(0.0)).steps(&steps);
    yard.options.stand_in_host = true;
    insta::assert_snapshot!(yard.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on the host => pass
            host: outputs = container, is nothing to compare with => blocked: no evidence from container to compare with: host stands in for it, and would be compared with itself
          5: Then the outputs are bit-identical to the container's => blocked: host: no evidence from container to compare with: host stands in for it, and would be compared with itself
        => blocked: host: no evidence from container to compare with: host stands in for it, and would be compared with itself
    "#);
}

#[test]
fn a_comparison_leaves_out_the_target_it_is_with() {
    let steps = format!(
        "{SUBJECT}When it runs on every stage\nThen the outputs are bit-identical to the container's\nAnd the outputs are within 1e-6 of those on \"qemu:m3\""
    );
    insta::assert_snapshot!(yard().steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every stage => pass: this farm knows no board
            qemu:m3: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
            qemu:m4: outputs = container, is 2 of 2 samples with bit-identical outputs => pass
          5: Then the outputs are bit-identical to the container's => pass
            container: outputs within 1e-6 of qemu:m3, is largest difference 0 => pass
            qemu:m4: outputs within 1e-6 of qemu:m3, is largest difference 0 => pass
          6: And the outputs are within 1e-6 of those on "qemu:m3" => pass
        => pass: this farm knows no board
    "#);
}

#[test]
fn targets_that_the_model_does_not_fit_are_left_out_where_that_is_asked() {
    let fitting = format!("{SUBJECT}When it runs on every emulator that it fits\nThen the maximum error is exactly 0");
    insta::assert_snapshot!(yard().with("qemu:m4", too_large()).steps(&fitting).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator that it fits => pass: left out: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
            qemu:m3: maximum error = 0, is 0 => pass
          5: Then the maximum error is exactly 0 => pass
        => pass: left out: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
    "#);
    insta::assert_snapshot!(yard().with("qemu:m3", too_large()).with("qemu:m4", too_large()).steps(&fitting).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator that it fits => fail: it fits none of the emulator stage: qemu:m3: does not fit: the model needs 2000 bytes, the target has 1000; qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
          5: Then the maximum error is exactly 0 => -
        => fail: it fits none of the emulator stage: qemu:m3: does not fit: the model needs 2000 bytes, the target has 1000; qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
    "#);
    let all = format!("{SUBJECT}When it runs on every emulator");
    insta::assert_snapshot!(yard().with("qemu:m4", too_large()).steps(&all).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator => fail: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
        => fail: qemu:m4: does not fit: the model needs 2000 bytes, the target has 1000
    "#);
}

#[test]
fn a_fail_that_is_wanted_is_a_pass_and_any_other_is_not() {
    let wanted = format!(
        "{SUBJECT}When it is tried on the emulator \"qemu:m4\"\nThen it does not fit\nAnd it fails because \"needs 2000 bytes\""
    );
    insta::assert_snapshot!(yard().with("qemu:m4", too_large()).steps(&wanted).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it is tried on the emulator "qemu:m4" => pass
            qemu:m4: does not fit, is does not fit: the model needs 2000 bytes, the target has 1000 => pass
          5: Then it does not fit => pass
            qemu:m4: fails because "needs 2000 bytes", is does not fit: the model needs 2000 bytes, the target has 1000 => pass
          6: And it fails because "needs 2000 bytes" => pass
        => pass
    "#);
    insta::assert_snapshot!(yard().steps(&wanted).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it is tried on the emulator "qemu:m4" => pass
            qemu:m4: does not fit, is ran without a fault => fail: wanted: does not fit; it ran without a fault
          5: Then it does not fit => fail: qemu:m4: wanted: does not fit; it ran without a fault
          6: And it fails because "needs 2000 bytes" => -
        => fail: qemu:m4: wanted: does not fit; it ran without a fault
    "#);
    let other = Script::Fault(Fault::Crash { detail: "core locked up".to_owned() });
    insta::assert_snapshot!(yard().with("qemu:m4", other).steps(&wanted).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it is tried on the emulator "qemu:m4" => pass
            qemu:m4: does not fit, is crashed: core locked up => fail: wanted: does not fit; it failed otherwise: crashed: core locked up
          5: Then it does not fit => fail: qemu:m4: wanted: does not fit; it failed otherwise: crashed: core locked up
          6: And it fails because "needs 2000 bytes" => -
        => fail: qemu:m4: wanted: does not fit; it failed otherwise: crashed: core locked up
    "#);
    insta::assert_snapshot!(yard().with("qemu:m4", Script::Bench(9)).steps(&wanted).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it is tried on the emulator "qemu:m4" => infra: qemu:m4: probe lost
          5: Then it does not fit => -
          6: And it fails because "needs 2000 bytes" => -
        => infra: qemu:m4: probe lost
    "#);
}

#[test]
fn outputs_are_compared_with_a_table() {
    let steps = |table: &str| format!("{PAIR}When it runs on the container\nThen the outputs are\n{table}");
    insta::assert_snapshot!(yard().steps(&steps("| sample | outputs |\n| one | 1 2 |\n| two | 2 4 |")).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "pair.tflite" and the dataset "label.csv" => pass
          4: When it runs on the container => pass
            container: outputs of one = 1 2, is 1 2 => pass
            container: outputs of two = 2 4, is 2 4 => pass
          5: Then the outputs are => pass
        => pass
    "#);
    insta::assert_snapshot!(yard().steps(&steps("| sample | a | b |\n| two | 1.0 | 2.5 |")).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "pair.tflite" and the dataset "label.csv" => pass
          4: When it runs on the container => pass
            container: outputs of two = 1.0 2.5, is 1 2 => fail: wanted outputs of two = 1.0 2.5, found 1 2
          5: Then the outputs are => fail: container: wanted outputs of two = 1.0 2.5, found 1 2
        => fail: container: wanted outputs of two = 1.0 2.5, found 1 2
    "#);
}

#[test]
fn classes_are_judged() {
    let steps = format!(
        "{PAIR}When it runs on the container\nThen every sample is classified correctly\nAnd the recall of class \"1\" is at least 90 %\nAnd the argmax is the same as those on \"qemu:m3\"\nAnd the identical outputs against those on \"qemu:m3\" are at least 100 %\nAnd the top-1 accuracy is at least 90 %"
    );
    insta::assert_snapshot!(yard().steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "pair.tflite" and the dataset "label.csv" => pass
          4: When it runs on the container => pass
            container: misclassified samples = 0, is 0 => pass
          5: Then every sample is classified correctly => pass
            container: recall of class "1" >= 90 %, is 100 % => pass
          6: And the recall of class "1" is at least 90 % => pass
            container: argmax = qemu:m3, is 2 of 2 samples with the same argmax => pass
          7: And the argmax is the same as those on "qemu:m3" => pass
            container: identical outputs >= 100 % against qemu:m3, is 100 % (2 of 2) => pass
          8: And the identical outputs against those on "qemu:m3" are at least 100 % => pass
            container: top-1 accuracy >= 90 %, is 100 % (2 of 2, 95 % interval 34.2 % to 100 %) => inconclusive: 2 samples are too few to show top-1 accuracy >= 90 %: even a perfect score shows no more than 34.2 % (95 % Wilson interval); 35 samples would
          9: And the top-1 accuracy is at least 90 % => inconclusive: container: 2 samples are too few to show top-1 accuracy >= 90 %: even a perfect score shows no more than 34.2 % (95 % Wilson interval); 35 samples would
        => inconclusive: container: 2 samples are too few to show top-1 accuracy >= 90 %: even a perfect score shows no more than 34.2 % (95 % Wilson interval); 35 samples would
    "#);
}

#[test]
fn a_pass_after_infra_retries_says_so_and_infra_alone_is_infra() {
    let steps = format!("{SUBJECT}And 1 retry\nWhen it runs on the emulator \"qemu:m3\"");
    insta::assert_snapshot!(yard().with("qemu:m3", Script::Bench(1)).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: And 1 retry => pass
          5: When it runs on the emulator "qemu:m3" => pass: qemu:m3: after 1 infra retry: probe lost
        => pass: qemu:m3: after 1 infra retry: probe lost
    "#);
    insta::assert_snapshot!(yard().with("qemu:m3", Script::Bench(2)).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: And 1 retry => pass
          5: When it runs on the emulator "qemu:m3" => infra: qemu:m3: probe lost; after 1 infra retry, which ended alike
        => infra: qemu:m3: probe lost; after 1 infra retry, which ended alike
    "#);
    insta::assert_snapshot!(yard().with("qemu:m3", Script::Panic).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: And 1 retry => pass
          5: When it runs on the emulator "qemu:m3" => infra: qemu:m3: opening the target panicked: mock panicked; after 1 infra retry, which ended alike
        => infra: qemu:m3: opening the target panicked: mock panicked; after 1 infra retry, which ended alike
    "#);
}

#[test]
fn absent_targets_are_remarked_on_or_block() {
    let steps = format!("{SUBJECT}When it runs on every emulator\nThen the maximum error is exactly 0");
    insta::assert_snapshot!(yard().with("qemu:m3", Script::Absent("QEMU is too old")).steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator => pass: not there: qemu:m3: QEMU is too old
            qemu:m4: maximum error = 0, is 0 => pass
          5: Then the maximum error is exactly 0 => pass
        => pass: not there: qemu:m3: QEMU is too old
    "#);
    let none =
        yard().with("qemu:m3", Script::Absent("no QEMU")).with("qemu:m4", Script::Absent("no QEMU")).steps(&steps);
    insta::assert_snapshot!(none.story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every emulator => blocked: qemu:m3, qemu:m4: no QEMU
          5: Then the maximum error is exactly 0 => -
        => blocked: qemu:m3, qemu:m4: no QEMU
    "#);
}

#[test]
fn datasets_stand_in_the_feature_as_table_or_doc_string() {
    let table = "Given the model \"line.tflite\"\nAnd the dataset:\n| sample | x0 | y0 |\n| a, b | 1 | 1 |\nWhen it runs on the container\nThen the maximum error is exactly 0";
    insta::assert_snapshot!(yard().steps(table).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" => pass
          4: And the dataset: => pass
          7: When it runs on the container => pass
            container: maximum error = 0, is 0 => pass
          8: Then the maximum error is exactly 0 => pass
        => pass
    "#);
    let doc = "Given the dataset\n\"\"\"csv\nx0,y0\n1,1.5\n\"\"\"\n* the model \"line.tflite\"\n* it runs on the container\n* the maximum error is below 0.6";
    insta::assert_snapshot!(yard().steps(doc).story(), @r#"
        f.feature:2 f / s []
          3: Given the dataset => pass
          8: * the model "line.tflite" => pass
          9: * it runs on the container => pass
            container: maximum error < 0.6, is 0.5 => pass
          10: * the maximum error is below 0.6 => pass
        => pass
    "#);
}

#[test]
fn backgrounds_rules_outlines_tags_and_names_are_gherkins() {
    let feature = r#"@top
Feature: all of it

  Background:
    Given the model "line.tflite"

  Scenario: first
    Given the dataset "line.csv"
    When it runs on the container

  @rule
  Rule: one

    Background:
      Given the dataset "line.csv"

    @outline
    Scenario Outline: on <place>
      When it runs on <place>
      Then the <metric> is at most 0

      # a comment
      @a
      Examples: two
        A description

        | place            | metric        |
        # between the rows
        | the container    | maximum error |

        | every emulator   | maximum error |

    Scenario Outline: same name
      When it runs on the <place>

      Examples:
        | place     |
        | container |
"#;
    insta::assert_snapshot!(yard().file("f.feature", feature).story_in_order(), @r#"
        f.feature:7 all of it / first ["top"]
          5: Given the model "line.tflite" => pass
          8: Given the dataset "line.csv" => pass
          9: When it runs on the container => pass
        => pass
        f.feature:29 all of it / on the container ["top", "rule", "outline", "a"]
          5: Given the model "line.tflite" => pass
          15: Given the dataset "line.csv" => pass
          19: When it runs on the container => pass
            container: maximum error <= 0, is 0 => pass
          20: Then the maximum error is at most 0 => pass
        => pass
        f.feature:31 all of it / on every emulator ["top", "rule", "outline", "a"]
          5: Given the model "line.tflite" => pass
          15: Given the dataset "line.csv" => pass
          19: When it runs on every emulator => pass
            qemu:m3: maximum error <= 0, is 0 => pass
            qemu:m4: maximum error <= 0, is 0 => pass
          20: Then the maximum error is at most 0 => pass
        => pass
        f.feature:38 all of it / same name — container ["top", "rule"]
          5: Given the model "line.tflite" => pass
          15: Given the dataset "line.csv" => pass
          34: When it runs on the container => pass
        => pass
    "#);
}

#[test]
fn keywords_may_be_of_another_language() {
    let feature = "# language: fr\nFonctionnalité: f\n  Scénario: s\n    Soit the model \"line.tflite\" and the dataset \"line.csv\"\n    Quand it runs on the container\n    Alors the maximum error is at most 0\n    Et the root mean square error is at most 0\n";
    insta::assert_snapshot!(yard().file("f.feature", feature).story(), @r#"
        f.feature:3 f / s []
          4: Soit the model "line.tflite" and the dataset "line.csv" => pass
          5: Quand it runs on the container => pass
            container: maximum error <= 0, is 0 => pass
          6: Alors the maximum error is at most 0 => pass
            container: root mean square error <= 0, is 0 => pass
          7: Et the root mean square error is at most 0 => pass
        => pass
    "#);
}

#[test]
fn a_tag_restricts_every_stage_and_options_do() {
    let steps = format!("{SUBJECT}When it runs on every stage");
    let tagged = yard().file("f.feature", &format!("Feature: f\n@stage.emulator\nScenario: s\n{steps}\n"));
    tagged.story();
    assert_eq!((tagged.opened("container"), tagged.opened("qemu:m3"), tagged.opened("qemu:m4")), (0, 1, 1));
    let mut optional = yard().steps(&steps);
    optional.options.stages = vec![Stage::Container];
    optional.story();
    assert_eq!((optional.opened("container"), optional.opened("qemu:m3")), (1, 0));
    let mut one = yard().steps(&steps);
    one.options.targets = vec!["qemu:m4".to_owned()];
    one.story();
    assert_eq!((one.opened("container"), one.opened("qemu:m3"), one.opened("qemu:m4")), (0, 0, 1));
}

#[test]
fn an_interrupted_run_still_tells_of_every_scenario() {
    let cancel = tokio_util::sync::CancellationToken::new();
    let scenario = |name: &str, place: &str| {
        format!(
            "  Scenario: {name}\n{SUBJECT}When it runs on the emulator \"{place}\"\nThen the maximum error is exactly 0\n"
        )
    };
    let text: String = (0..300).map(|index| scenario(&format!("s{index}"), "qemu:m3")).collect();
    let mut yard =
        yard().with("qemu:m3", Script::Interrupt(cancel.clone())).file("f.feature", &format!("Feature: f\n{text}"));
    yard.cancel = cancel;
    let events = yard.run();
    let blocked = finished(&events, Verdict::Blocked);
    assert!(blocked > 0, "{blocked}");
    assert_eq!(finished(&events, Verdict::Pass) + blocked, 300);
    assert!(matches!(events.last(), Some(FarmEvent::RunFinished { interrupted: true, .. })));
    assert!(story(&events).contains("=> blocked: interrupted"));
}

#[test]
fn of_ten_thousand_scenarios_none_is_lost() {
    let rows: String = (0..10_000).map(|index| format!("| {index} |\n")).collect();
    let feature = format!(
        "Feature: f\nScenario Outline: s<n>\n{SUBJECT}When it runs on the container\nThen the maximum error is at most <n>\nExamples:\n| n |\n{rows}"
    );
    let yard = yard().file("f.feature", &feature);
    let events = yard.run();
    assert_eq!(finished(&events, Verdict::Pass), 10_000);
    assert_eq!(yard.opened("container"), 1, "equal jobs are one");
    let all = events.iter().filter(|event| matches!(event, FarmEvent::ScenarioFinished { .. })).count();
    assert_eq!(all, 10_000);
}

/// How many scenarios ended with `verdict`.
fn finished(events: &[FarmEvent], verdict: Verdict) -> usize {
    let ended = |event: &&FarmEvent| matches!(event, FarmEvent::ScenarioFinished { judgement, .. } if judgement.verdict == verdict);
    events.iter().filter(ended).count()
}

#[test]
fn one_scenario_at_a_time_comes_to_an_end_too() {
    let text: String =
        (0..100).map(|index| format!("Scenario: s{index}\n{SUBJECT}When it runs on the container\n")).collect();
    let mut yard = yard().file("f.feature", &format!("Feature: f\n{text}"));
    for concurrency in 1..4 {
        yard.concurrency = concurrency;
        assert_eq!(finished(&yard.run(), Verdict::Pass), 100);
    }
}
