//! What features that want boards lead to: by name, by tag, simulated, required.
#![allow(clippy::unwrap_used)]

use super::tests::SUBJECT;
use crate::testing::{Script, Yard, yard};
use farm::{FarmEvent, Verdict, job::JobReport};
use std::sync::Arc;

const OK: Script = Script::Offset(0.0);

/// Two equal boards, another, and a simulated one.
fn bench() -> Yard {
    yard()
        .with_board("nucleo-1", &["m4", "rtt"], OK)
        .with_board("nucleo-2", &["m4", "rtt"], OK)
        .with_board("disco-1", &["m7"], OK)
        .with_board("sim-1", &["m4", "sim"], OK)
}

fn on(place: &str) -> String {
    format!("{SUBJECT}When it runs on {place}\nThen the mean absolute error is at most 0.05")
}

fn jobs(yard: &Yard) -> Vec<Arc<JobReport>> {
    let told = yard.run().into_iter();
    told.filter_map(|event| if let FarmEvent::JobFinished { report, .. } = event { Some(report) } else { None })
        .collect()
}

/// The scenario's verdict and why.
fn verdict(yard: &Yard) -> (Verdict, String) {
    let told = yard.run().into_iter();
    let mut ends = told.filter_map(|event| match event {
        FarmEvent::ScenarioFinished { judgement, .. } => Some((judgement.verdict, judgement.reason)),
        _ => None,
    });
    ends.next().unwrap()
}

fn blocked(reason: &str) -> (Verdict, String) {
    (Verdict::Blocked, reason.to_owned())
}

#[test]
fn any_board_is_one_job_and_every_board_is_one_on_each() {
    insta::assert_snapshot!(bench().steps(&on("any board tagged \"m4\" and \"rtt\"")).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on any board tagged "m4" and "rtt" => pass
            nucleo-1: mean absolute error <= 0.05, is 0 => pass
          5: Then the mean absolute error is at most 0.05 => pass
        => pass
    "#);
    insta::assert_snapshot!(bench().steps(&on("every board tagged \"m4\"")).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
          4: When it runs on every board tagged "m4" => pass
            nucleo-1: mean absolute error <= 0.05, is 0 => pass
            nucleo-2: mean absolute error <= 0.05, is 0 => pass
            sim-1: mean absolute error <= 0.05, is 0 => pass
          5: Then the mean absolute error is at most 0.05 => pass
        => pass
    "#);
    assert_eq!(jobs(&bench().steps(&on("every board"))).len(), 4);
    let yard = bench().steps(&on("the board \"disco-1\""));
    assert_eq!(jobs(&yard).len(), 1);
    assert_eq!(yard.opened("disco-1"), 1);
}

#[test]
fn infra_moves_on_to_an_equal_board_where_the_step_lets_it() {
    let lost = |yard: Yard| yard.with_board("disco-1", &["m7"], Script::Bench(9)).with_board("disco-2", &["m7"], OK);
    let mut yard = lost(bench()).steps(&on("any board tagged \"m7\""));
    yard.options.retries = 2;
    let report = &jobs(&yard)[0];
    let ran: Vec<&str> = report.attempts.iter().map(|attempt| attempt.target.0.as_str()).collect();
    assert_eq!(ran, ["disco-1", "disco-2"]);
    assert_eq!(verdict(&yard), (Verdict::Pass, "disco-2: after 1 infra retry: on disco-1: probe lost".to_owned()));

    let mut yard = lost(bench()).steps(&on("the board \"disco-1\""));
    yard.options.retries = 2;
    assert_eq!(verdict(&yard).0, Verdict::Infra);
    assert_eq!((yard.opened("disco-1"), yard.opened("disco-2")), (3, 0), "a board that is named is kept to");
}

#[test]
fn no_such_board_is_blocked_and_says_what_was_looked_for_and_what_there_is() {
    let known =
        "nucleo-1 (\"m4\", \"rtt\"), nucleo-2 (\"m4\", \"rtt\"), disco-1 (\"m7\"), sim-1 (simulated, \"m4\", \"sim\")";
    for (place, reason) in [
        (
            "the board \"nucleo-3\"",
            format!("this farm knows no board `nucleo-3` (did you mean `nucleo-2`?); there is: {known}"),
        ),
        (
            "any board tagged \"m7\" and \"rttt\"",
            format!("this farm knows no board tagged \"m7\" and \"rttt\" (did you mean \"rtt\"?); there is: {known}"),
        ),
        (
            "every board tagged \"m7\" and \"rtt\"",
            format!("this farm knows no board tagged \"m7\" and \"rtt\"; there is: {known}"),
        ),
    ] {
        let yard = bench().steps(&on(place));
        assert_eq!(verdict(&yard), blocked(&reason));
        assert_eq!(yard.plan().unwrap().remarks(), [format!("scenarios will be blocked: {reason}")]);
    }
    for place in ["any board", "every board", "the board \"x\"", "any board tagged \"m4\""] {
        let (verdict, reason) = verdict(&yard().steps(&on(place)));
        assert_eq!(verdict, Verdict::Blocked);
        assert!(reason.starts_with("this farm knows no board"), "{reason}");
    }
}

#[test]
fn a_board_that_a_step_names_may_be_spoken_of_where_it_is_not_known() {
    let steps = format!(
        "{SUBJECT}When it runs on the board \"nucleo-9\", accepted by\n| metric | nucleo-9 |\n| latency p99 | <= 5 ms |\nThen the outputs are within 1e-6 of those on \"nucleo-9\""
    );
    let yard = bench().steps(&steps);
    assert_eq!(yard.errors(), "nothing is wrong");
    assert_eq!(verdict(&yard).0, Verdict::Blocked);
    let steps = format!("{SUBJECT}When it runs on the container\nThen the argmax is the same as those on \"nucleo-9\"");
    assert!(bench().steps(&steps).errors().contains("unknown target `nucleo-9`"));
}

#[test]
fn absent_boards_are_passed_over_and_with_none_left_each_is_named() {
    let gone = |yard: Yard, id: &str| yard.with_board(id, &["m4", "rtt"], Script::Absent("unplugged"));
    let yard =
        gone(yard().with_board("nucleo-2", &["m4", "rtt"], OK), "nucleo-1").steps(&on("any board tagged \"m4\""));
    assert_eq!(verdict(&yard).0, Verdict::Pass);
    let yard = gone(gone(yard, "nucleo-2"), "nucleo-1");
    let reason =
        "none of its 2 targets can be used: nucleo-2 is not there: unplugged; nucleo-1 is not there: unplugged";
    assert_eq!(verdict(&yard), blocked(reason));
}

#[test]
fn a_simulated_board_is_judged_on_instructions_and_never_on_time() {
    let table =
        "\n| metric | board |\n| instructions p99 | <= 1,000 |\n| latency p99 | <= 5 ms |\n| outputs | = qemu:m4 |";
    let steps = format!("{SUBJECT}When it runs on any board tagged \"sim\", accepted by{table}");
    insta::assert_snapshot!(bench().steps(&steps).story(), @r#"
        f.feature:2 f / s []
          3: Given the model "line.tflite" and the dataset "line.csv" => pass
            sim-1: instructions p99 <= 1000, is 101 => pass
            sim-1: latency p99 <= 5 ms, is nothing => inconclusive: sim-1 is simulated and tells no time
            sim-1: outputs = qemu:m4, is 2 of 2 samples with bit-identical outputs => pass
          4: When it runs on any board tagged "sim", accepted by => inconclusive: sim-1 is simulated and tells no time
        => inconclusive: sim-1 is simulated and tells no time
    "#);
}

#[test]
fn a_simulated_board_is_called_so_in_reasons() {
    let yard = bench().with_board("sim-1", &["sim"], Script::Offset(1.0)).steps(&on("any board tagged \"sim\""));
    let wanted = "sim-1 (simulated): expected mean absolute error <= 0.05, found 0.5: 0.45 too much";
    assert_eq!(verdict(&yard), (Verdict::Fail, wanted.to_owned()));
}

fn required(yard: Yard, steps: &str) -> Yard {
    let mut yard = yard.steps(steps);
    yard.options.require_boards = true;
    yard
}

#[test]
fn simulated_boards_satisfy_no_gate_that_requires_real_ones() {
    for place in
        ["the board \"sim-1\"", "the target \"sim-1\"", "any board tagged \"sim\"", "every board tagged \"sim\""]
    {
        let yard = required(bench(), &on(place));
        let reason = "a real board is required, and there are only simulated ones: sim-1";
        assert_eq!(verdict(&yard), blocked(reason), "{place}");
        assert_eq!(yard.opened("sim-1"), 0);
    }
    let yard = required(bench(), &on("any board tagged \"m4\""));
    assert_eq!((verdict(&yard).0, yard.opened("nucleo-1"), yard.opened("sim-1")), (Verdict::Pass, 1, 0));
    let yard = required(bench(), &on("every board"));
    let remark = "left out: sim-1 (simulated): real boards are required";
    assert_eq!((verdict(&yard), yard.opened("sim-1")), ((Verdict::Pass, remark.to_owned()), 0));
    let compared = "\nThen the outputs are within 1e-6 of those on \"sim-1\"";
    let (verdict, reason) = verdict(&required(bench(), &(on("the board \"disco-1\"") + compared)));
    assert_eq!(verdict, Verdict::Blocked);
    assert!(reason.contains("it is only simulated, and real boards are required"), "{reason}");
}

#[test]
fn where_boards_are_required_every_stage_wants_one_and_none_may_be_absent() {
    let yard = required(yard().with_board("sim-1", &[], OK), &on("every stage"));
    assert_eq!(verdict(&yard), blocked("a real board is required, and there are only simulated ones: sim-1"));
    assert_eq!((yard.opened("qemu:m4"), yard.opened("sim-1")), (1, 0));
    let yard = required(crate::testing::yard(), &on("every stage"));
    assert_eq!(verdict(&yard), blocked("this farm knows no board"));

    let gone = |id: &str| bench().with_board(id, &["m7"], Script::Absent("unplugged"));
    let yard = required(gone("disco-1"), &on("every board"));
    let reason = "disco-1 is not there: unplugged; left out: sim-1 (simulated): real boards are required";
    assert_eq!(verdict(&yard), blocked(reason));
    let mut lax = yard;
    lax.options.require_boards = false;
    assert_eq!(verdict(&lax), (Verdict::Pass, "not there: disco-1: unplugged".to_owned()));
}

#[test]
fn a_gate_is_not_narrowed_to_nothing_by_asking_for_a_simulated_board() {
    let table = "\n| metric | sim-1 |\n| mean absolute error | <= 0.05 |";
    let steps = format!("{SUBJECT}When it runs on every board, accepted by{table}");
    let mut yard = required(bench(), &steps);
    yard.options.targets = vec!["sim-1".to_owned()];
    let (verdict, reason) = verdict(&yard);
    assert_eq!(verdict, Verdict::Blocked, "{reason}");
}
