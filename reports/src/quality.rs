//! `codequality.json`: what did not pass, at the line of the feature, in GitLab's Code Quality format.
//!
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>: an array of issues, each with description,
//! check name, fingerprint, severity and location. GitLab tells new ones from old ones by the fingerprint alone.

use crate::{
    account::{Account, ScenarioAccount},
    describe,
    documents::Document,
    text,
};
use farm::{Digest, Verdict};
use serde::Serialize;
use std::{collections::HashMap, io};

/// The file's name in the report folder.
pub(crate) const FILE: &str = "codequality.json";

/// Writes [`FILE`].
pub(crate) struct CodeQuality;

/// One issue. GitLab knows the severities info, minor, major, critical and blocker.
#[derive(Debug, Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: usize,
}

impl Document for CodeQuality {
    fn file(&self) -> &'static str {
        FILE
    }

    fn name(&self) -> &'static str {
        "Code Quality"
    }

    fn write(&self, account: &Account, out: &mut dyn io::Write) -> io::Result<()> {
        let mut seen = HashMap::new();
        let mut issues: Vec<Issue> = account
            .worst_first()
            .into_iter()
            .filter(|scenario| scenario.judgement.verdict != Verdict::Pass)
            .map(|scenario| issue(scenario, account, &mut seen))
            .collect();
        issues.extend(account.shortfall().map(|missing| Issue {
            description: missing,
            check_name: "tinyfarm/not-run".to_owned(),
            fingerprint: Digest::of(b"tinyfarm/not-run").to_string(),
            severity: "critical",
            location: Location { path: account.file("tinyfarm.toml"), lines: Lines { begin: 1 } },
        }));
        serde_json::to_writer_pretty(&mut *out, &issues)?;
        out.write_all(b"\n")
    }
}

fn issue(scenario: &ScenarioAccount, account: &Account, seen: &mut HashMap<String, usize>) -> Issue {
    let verdict = scenario.judgement.verdict;
    let reason = text::short(scenario.judgement.reason.lines().next().unwrap_or_default());
    let mut description = format!("{}: {verdict}: {reason}", text::short(&scenario.id.name));
    if let Some(quarantine) = &scenario.quarantine {
        description = format!("{description} [{}]", describe::quarantine(quarantine));
    }
    // Neither line nor measured value: an edit above, or another run, would make a new issue of it. The nth of the same
    // name keeps its place.
    let key = format!("{}\0{}\0{}\0{verdict}", scenario.id.path, scenario.id.feature, scenario.id.name);
    let nth = seen.entry(key.clone()).or_default();
    *nth += 1;
    let fingerprint = Digest::of(format!("{key}\0{nth}").as_bytes()).to_string();
    let severity = match verdict {
        _ if !scenario.gates() => "info",
        Verdict::Fail => "blocker",
        Verdict::Infra | Verdict::Blocked => "major",
        Verdict::Inconclusive => "minor",
        Verdict::Pass => "info",
    };
    let path = text::escape(&account.file(&scenario.id.path)).into_owned();
    let location = Location { path, lines: Lines { begin: scenario.line() } };
    Issue { description, check_name: format!("tinyfarm/{verdict}"), fingerprint, severity, location }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{documents::tests::written, script};
    use serde_json::Value;

    #[test]
    fn what_did_not_pass_is_an_issue_at_its_step() {
        insta::assert_snapshot!(written(&CodeQuality, &script::rich()));
    }

    #[test]
    fn fingerprints_are_all_different_and_outlive_an_edit_above() {
        let prints = |lines: usize| -> Vec<String> {
            let mut events = script::every_verdict();
            for event in &mut events {
                if let farm::FarmEvent::ScenarioFinished { scenario, judgement, .. } = &mut event.event {
                    scenario.line += lines;
                    judgement.reason.push_str(&format!(", found {lines}"));
                }
            }
            let issues: Vec<Value> = serde_json::from_str(&written(&CodeQuality, &events)).unwrap();
            issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap().to_owned()).collect()
        };
        let first = prints(0);
        assert_eq!(first, prints(3));
        let mut distinct = first.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!((first.len(), distinct.len()), (6, 6));
    }

    #[test]
    fn a_run_that_was_cut_short_is_no_clean_report() {
        let mut events = script::every_verdict();
        events.truncate(30);
        assert!(written(&CodeQuality, &events).contains("tinyfarm/not-run"));
    }
}
