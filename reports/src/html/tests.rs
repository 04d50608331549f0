//! The page as a whole, of runs that were never run.

use super::page;
use crate::{
    account::Account,
    script::{self, Found, Script, scenario},
};
use farm::Stamped;

fn html(events: &[Stamped]) -> String {
    let mut account = Account::default();
    events.iter().for_each(|event| account.on(event));
    page(&account).into_string()
}

/// The anchors of the sections, in their order.
fn sections(page: &str) -> Vec<&str> {
    page.split("<h2 id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_run_with_all_there_is_has_every_section_and_what_failed_comes_first() {
    let page = html(&script::rich());
    let all = [
        "troubles",
        "quarantine",
        "retried",
        "matrix",
        "trends",
        "timings",
        "confusion",
        "agreement",
        "memory",
        "bubbles",
        "schedule",
        "bench",
        "scenarios",
        "provenance",
    ];
    assert_eq!(sections(&page), all);
    insta::assert_snapshot!(page);
}

#[test]
fn a_run_without_scenarios_is_no_pass() {
    let mut events = script::rich();
    events.truncate(1);
    let page = html(&events);
    assert!(page.contains("<title>tinyfarm: incomplete"), "{page}");
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_nothing_runs() {
    let page = html(&script::rich());
    for wrong in ["<script", "src=", "@import", "url(", "http://", "javascript:", "<iframe", "<link"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
}

#[test]
fn the_same_events_give_the_same_page() {
    assert_eq!(html(&script::rich()), html(&script::rich()));
}

#[test]
fn of_jobs_of_one_series_the_one_that_brought_figures_is_shown() {
    let mut script = Script::new(1);
    let id = scenario(1, "Limits");
    let names = ["hello_world", "sine", "qemu:mps2-an386"];
    script.ready(names[2], "QEMU 7.2");
    script.job(&id, 1, names, Found::Sine(0.03), 0);
    script.faulty(&id, 2, names, farm::Fault::ArenaTooSmall { available: 1_024, missing: 400, detail: "x".to_owned() });
    script.faulty(
        &id,
        3,
        ["other", "sine", names[2]],
        farm::Fault::ArenaTooSmall { available: 1, missing: 4, detail: "x".to_owned() },
    );
    script.end(&id, farm::Verdict::Pass, "");
    script.finish(false);
    let page = html(&script.events);
    let (_, timings) = page.split_once("<h2 id=\"timings\"").expect("figures are shown");
    let (timings, _) = timings.split_once("<h2").expect("more follows");
    assert!(timings.contains("hello_world over sine") && !timings.contains("other over sine"), "{timings}");
}
