//! Quarantines: which scenarios they mean, and those that mean none.
#![allow(clippy::unwrap_used)]

use super::RUN;
use crate::{
    plan::QuarantineRule,
    testing::{Yard, yard},
};
use jiff::civil::{Date, date};

const TODAY: Date = date(2026, 3, 1);

/// A feature with a scenario, an outline of two examples, and a second file.
fn yard_with(rules: &[(&str, Option<&str>, &str, Date)]) -> Yard {
    let outline = format!(
        "Scenario Outline: many\n{}Examples:\n| target |\n| container |\n| qemu:m3 |\n",
        RUN.replace("the container", "the target \"<target>\"")
    );
    let mut yard = yard()
        .file("f.feature", &format!("Feature: f\nScenario: one\n{RUN}@slow\nScenario: two\n{RUN}{outline}"))
        .file("sub/g.feature", &format!("Feature: g\nScenario: one\n{}", RUN.replace("line", "../line")));
    yard.options.today = TODAY;
    yard.options.quarantines = rules
        .iter()
        .map(|(feature, scenario, owner, until)| QuarantineRule {
            feature: yard.path().join(feature),
            scenario: scenario.map(str::to_owned),
            owner: (*owner).to_owned(),
            reason: "it is flaky".to_owned(),
            until: *until,
            generated: false,
        })
        .collect();
    yard
}

/// Each scenario that is in quarantine, whose it is, and whether it gates.
fn told(yard: &Yard) -> String {
    let plan = yard.plan().unwrap();
    let quarantined = plan.scenarios().iter().filter_map(|scenario| {
        let quarantine = scenario.quarantine.as_ref()?;
        let gates = if quarantine.gates() { ", gates" } else { "" };
        Some(format!("{} / {}: {}{gates}", scenario.id.feature, scenario.id.name, quarantine.owner))
    });
    quarantined.chain(plan.remarks().iter().map(|remark| format!("({remark})"))).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_quarantine_is_of_a_scenario_an_outline_an_example_or_a_whole_file() {
    insta::assert_snapshot!(told(&yard_with(&[("f.feature", Some("one"), "ada", TODAY)])), @"f / one: ada");
    insta::assert_snapshot!(told(&yard_with(&[("f.feature", Some("many"), "ada", TODAY)])), @r#"
        f / many — container: ada
        f / many — qemu:m3: ada
    "#);
    insta::assert_snapshot!(told(&yard_with(&[("f.feature", Some("many — qemu:m3"), "ada", TODAY)])), @"f / many — qemu:m3: ada");
    insta::assert_snapshot!(told(&yard_with(&[("sub/../sub/g.feature", None, "ada", TODAY)])), @"g / one: ada");
    let both = [("f.feature", None, "ada", TODAY), ("f.feature", Some("two"), "bob", TODAY)];
    insta::assert_snapshot!(told(&yard_with(&both)), @r#"
        f / one: ada
        f / two: bob
        f / many — container: ada
        f / many — qemu:m3: ada
    "#);
}

#[test]
fn a_quarantine_holds_on_its_last_day_and_gates_the_day_after() {
    let yesterday = TODAY.yesterday().unwrap();
    insta::assert_snapshot!(told(&yard_with(&[("f.feature", Some("two"), "ada", yesterday)])), @r#"
        f / two: ada, gates
        (the quarantine of `two` ended on 2026-02-28 (ada: it is flaky): it gates again)
    "#);
    insta::assert_snapshot!(told(&yard_with(&[("f.feature", Some("two"), "ada", TODAY)])), @"f / two: ada");
}

#[test]
fn a_quarantine_that_means_nothing_is_an_error() {
    insta::assert_snapshot!(yard_with(&[("f.feature", Some("tow"), "ada", TODAY)]).errors(), @r#"
        × a quarantine names the scenario `tow`, which `f.feature` does not have
        help: there is: one, two, many
    "#);
    let gone = yard_with(&[("h.feature", Some("two"), "ada", TODAY)]);
    insta::assert_snapshot!(gone.errors().replace(&format!("{}/", gone.path().display()), ""), @r#"
        × a quarantine names the feature `h.feature`, which is not there
        help: mend its path, or take the quarantine out
    "#);
}

#[test]
fn a_quarantine_of_what_is_not_asked_for_is_no_error() {
    let mut yard = yard_with(&[("f.feature", Some("two"), "ada", TODAY)]);
    yard.options.tags = Some("not @slow".to_owned());
    insta::assert_snapshot!(told(&yard), @"(1 scenario(s) do not match --tags `not @slow`)");
    let yard = yard_with(&[("f.feature", Some("no such"), "ada", TODAY)]);
    assert!(yard.plan_of(&[yard.path().join("sub")]).is_ok(), "a file that is not read");
}

#[test]
fn a_rule_for_what_the_nightly_writes_may_find_nothing() {
    let rules = [("gone.feature", None, "ada", TODAY), ("f.feature", Some("three"), "ada", TODAY)];
    let mut yard = yard_with(&rules);
    assert_eq!(yard.plan().unwrap_err().0.len(), 2);
    yard.options.quarantines.iter_mut().for_each(|rule| rule.generated = true);
    assert_eq!(told(&yard), "");
}
