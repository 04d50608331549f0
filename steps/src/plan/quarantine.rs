//! Scenarios in quarantine: they run and are reported, and do not gate until the quarantine expires.

use super::{PlanError, PlannedScenario};
use farm::{Quarantine, text};
use jiff::civil::Date;
use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
};

/// Which scenarios are in quarantine, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRule {
    /// The feature file: an absolute path, or one from the working directory.
    pub feature: PathBuf,
    /// The scenario's name as it is written, which for an outline means all its examples, or that of one example as reports
    /// have it; `None`: every scenario of the file.
    pub scenario: Option<String>,
    /// Who sees to it that it is mended.
    pub owner: String,
    /// Why it does not gate.
    pub reason: String,
    /// The last day on which it does not gate, in UTC.
    pub until: Date,
    /// Whether the feature is one that `tinyfarm nightly` writes: it may not be there, or be without the scenario this time.
    pub generated: bool,
}

impl QuarantineRule {
    /// What it says of a scenario in a run on `today`.
    pub(super) fn quarantine(&self, today: Date) -> Quarantine {
        Quarantine {
            owner: self.owner.clone(),
            reason: self.reason.clone(),
            until: self.until,
            expired: today > self.until,
        }
    }
}

/// An error for each rule that names a file which is not there.
pub(super) fn absent(rules: &[QuarantineRule]) -> impl Iterator<Item = PlanError> {
    rules.iter().filter(|rule| !rule.generated && !rule.feature.is_file()).map(|rule| {
        let feature = text::path(&rule.feature);
        PlanError::bare(format!("a quarantine names the feature `{feature}`, which is not there"))
            .helped("mend its path, or take the quarantine out")
    })
}

/// That a scenario's quarantine is over, if it is.
pub(super) fn expired(scenario: &PlannedScenario) -> Option<String> {
    let Quarantine { owner, reason, until, expired } = scenario.quarantine.as_ref()?;
    let name = text::escape(&scenario.id.name);
    expired.then(|| format!("the quarantine of `{name}` ended on {until} ({owner}: {reason}): it gates again"))
}

/// The rules that name one file, and whether each was of use.
pub(super) struct InForce<'a> {
    path: &'a Path,
    rules: Vec<(&'a QuarantineRule, Cell<bool>)>,
    /// Every scenario of the file, for suggestions.
    names: RefCell<Vec<String>>,
}

impl<'a> InForce<'a> {
    /// Those of `rules` that name the file at `path`.
    pub fn of(path: &'a Path, rules: &'a [QuarantineRule]) -> Self {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let rules = match rules {
            [] => Vec::new(),
            rules => {
                let file = real(path);
                rules.iter().filter(|rule| real(&rule.feature) == file).map(|rule| (rule, Cell::new(false))).collect()
            }
        };
        Self { path, rules, names: RefCell::default() }
    }

    /// The rule for the scenario of these names; one that names it comes before one for the whole file.
    pub fn find(&self, names: [&str; 2]) -> Option<&'a QuarantineRule> {
        if self.rules.is_empty() {
            return None;
        }
        let mut known = self.names.borrow_mut();
        if !known.iter().any(|known| known == names[0]) {
            known.push(names[0].to_owned());
        }
        let mut found: Option<&QuarantineRule> = None;
        for (rule, used) in &self.rules {
            let (fits, named) = match rule.scenario.as_deref().map(str::trim) {
                None => (true, false),
                Some(name) => (names.contains(&name), true),
            };
            if fits {
                used.set(true);
                if found.is_none_or(|found| named && found.scenario.is_none()) {
                    found = Some(rule);
                }
            }
        }
        found
    }

    /// An error for each rule that no scenario of the file is meant by.
    pub fn idle(&self) -> Vec<PlanError> {
        let (names, file) = (self.names.borrow(), text::path(self.path));
        let idle = self.rules.iter().filter(|(rule, used)| !used.get() && !rule.generated);
        idle.map(|(rule, _)| {
            let name = rule.scenario.as_deref().unwrap_or("any scenario");
            PlanError::bare(format!("a quarantine names the scenario `{name}`, which `{file}` does not have"))
                .in_file(self.path)
                .helped(farm::suggest::mend(name, names.iter().map(String::as_str).collect::<Vec<_>>()))
        })
        .collect()
    }
}
