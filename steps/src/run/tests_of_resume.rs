//! A run that goes on, the texts of features, and quarantine, on mock targets.
#![allow(clippy::unwrap_used)]

use super::tests::SUBJECT;
use crate::{
    plan::QuarantineRule,
    run::Resume,
    testing::{Script, Yard, yard},
};
use farm::{FarmEvent, Quarantine, Stamped};
use jiff::civil::date;

/// Three scenarios, each with a job of its own.
fn three() -> Yard {
    let scenario =
        |name: &str, target: &str| format!("  Scenario: {name}\n{SUBJECT}When it runs on the target \"{target}\"\n");
    let two = scenario("one", "container") + &scenario("two", "qemu:m3");
    yard()
        .file("a.feature", &format!("Feature: a\n{two}"))
        .file("b.feature", &format!("Feature: b\n{}", scenario("three", "qemu:m4")))
}

fn names(events: &[Stamped], wanted: fn(&FarmEvent) -> Option<String>) -> Vec<String> {
    let mut names: Vec<String> = events.iter().filter_map(|stamped| wanted(&stamped.event)).collect();
    names.sort();
    names
}

fn started(event: &FarmEvent) -> Option<String> {
    if let FarmEvent::ScenarioStarted { scenario, .. } = event { Some(scenario.name.clone()) } else { None }
}

fn finished(event: &FarmEvent) -> Option<String> {
    if let FarmEvent::ScenarioFinished { scenario, .. } = event { Some(scenario.name.clone()) } else { None }
}

fn job(event: &FarmEvent) -> Option<String> {
    if let FarmEvent::JobQueued { job, .. } = event { Some(job.to_string()) } else { None }
}

fn read(event: &FarmEvent) -> Option<String> {
    let FarmEvent::FeatureRead { path, text } = event else { return None };
    let name = path.rsplit('/').next().unwrap_or_default();
    Some(format!("{name}: {}", text.lines().next().unwrap_or_default()))
}

#[test]
fn a_run_that_was_cut_short_goes_on_with_what_has_no_verdict() {
    let mut yard = three();
    yard.concurrency = 1;
    let whole = yard.run_stamped();
    let ends =
        |count: usize| whole.iter().filter(|told| finished(&told.event).is_some()).nth(count).map(|told| told.at);
    for cut in 0..whole.len() {
        // Cut anywhere: by a kill, a power cut.
        let before = whole[..cut].to_vec();
        if before.is_empty() {
            continue;
        }
        let done = names(&before, finished);
        let last_job = names(&before, job).len();
        yard.resume = Some(Resume { events: before.clone() });
        let told = yard.run_stamped();
        let kept = before.iter().filter(|told| !matches!(told.event, FarmEvent::RunFinished { .. })).count();
        assert_eq!(told[..kept], before[..kept], "what was told is told again, as it was");
        let FarmEvent::RunResumed { scenarios } = told[kept].event else { panic!("{:?}", told[kept]) };
        assert_eq!(scenarios, 3 - done.len());
        assert_eq!(names(&told, finished), ["one", "three", "two"], "each has one verdict");
        let again = names(&told[kept..], started);
        assert!(again.iter().all(|name| !done.contains(name)), "{again:?} {done:?}");
        let numbers = names(&told, job);
        let mut once = numbers.clone();
        once.dedup();
        assert_eq!(numbers, once, "no number stands for two jobs");
        assert!(names(&told[kept..], job).iter().all(|job| !names(&before, self::job).contains(job)), "{last_job}");
        assert_eq!(names(&told, read).len(), 2, "each file once: {:?}", names(&told, read));
        assert!(matches!(told.last().unwrap().event, FarmEvent::RunFinished { .. }));
        let starts = told.iter().filter(|told| matches!(told.event, FarmEvent::RunStarted { .. })).count();
        assert_eq!(starts, 1);
    }
    assert!(ends(2).is_some());
}

#[test]
fn the_text_of_a_feature_comes_before_its_first_scenario() {
    let told = three().run_stamped();
    assert_eq!(names(&told, read), ["a.feature: Feature: a", "b.feature: Feature: b"]);
    for (path, feature) in [("a.feature", "a"), ("b.feature", "b")] {
        let text = told
            .iter()
            .position(|told| matches!(&told.event, FarmEvent::FeatureRead { path: of, .. } if of.ends_with(path)));
        let first = told.iter().position(
            |told| matches!(&told.event, FarmEvent::ScenarioStarted { scenario, .. } if scenario.feature == feature),
        );
        assert!(text < first);
    }
}

#[test]
fn a_scenario_in_quarantine_runs_and_says_whose_it_is() {
    let mut yard = three().with("qemu:m3", Script::Bench(9));
    yard.options.today = date(2026, 3, 2);
    let feature = yard.path().join("a.feature");
    yard.options.quarantines = vec![QuarantineRule {
        feature,
        scenario: Some("two".to_owned()),
        owner: "ada".to_owned(),
        reason: "probe is flaky".to_owned(),
        until: date(2026, 3, 1),
        generated: false,
    }];
    let quarantines = |yard: &Yard| {
        let ends = yard.run().into_iter().filter_map(|event| match event {
            FarmEvent::ScenarioFinished { scenario, quarantine, judgement, .. } => {
                let gates = quarantine.as_ref().is_none_or(Quarantine::gates);
                let owner = quarantine.map(|quarantine| quarantine.owner).unwrap_or_default();
                Some(format!("{} {} {owner} {gates}", scenario.name, judgement.verdict))
            }
            _ => None,
        });
        let mut ends: Vec<String> = ends.collect();
        ends.sort();
        ends.join("; ")
    };
    assert_eq!(quarantines(&yard), "one pass  true; three pass  true; two infra ada true");
    yard.options.today = date(2026, 3, 1);
    assert_eq!(quarantines(&yard), "one pass  true; three pass  true; two infra ada false");
}
