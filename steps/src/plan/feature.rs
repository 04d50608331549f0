//! One feature file: parsed, expanded, filtered, and each of its scenarios checked.

use super::{PlanError, PlanOptions, PlannedScenario, PlannedStep, check, check::Context, quarantine::InForce};
use crate::{
    catalogue, gherkin_text,
    outline::{self, Expanded},
    source::SourceFile,
    tags::Settings,
};
use cucumber::tag::Ext as _;
use farm::events::ScenarioId;
use gherkin::{Background, Feature, Rule, Scenario, Step, tagexpr::TagOperation};
use regex::Regex;
use std::{ops::Range, path::Path, sync::Arc};

/// What came of one file.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub scenarios: Vec<PlannedScenario>,
    pub errors: Vec<PlanError>,
    /// How many scenarios the filters did not match.
    pub filtered: usize,
    /// Why each scenario was left out that the run's stages or targets do not reach.
    pub left_out: Vec<String>,
    /// What to know of the data that its scenarios use.
    pub remarks: Vec<String>,
}

/// Which scenarios were asked for.
#[derive(Debug)]
pub(super) struct Filters {
    tags: Option<(String, TagOperation)>,
    name: Option<Regex>,
}

impl Filters {
    pub fn new(options: &PlanOptions) -> Result<Self, Box<PlanError>> {
        let tags = match &options.tags {
            None => None,
            Some(text) => {
                let parsed = text.parse().map_err(|_| {
                    PlanError::bare(format!("`{text}` is no tag expression"))
                        .helped("write it like `@smoke and not (@slow or @board)`")
                })?;
                Some((text.clone(), parsed))
            }
        };
        let name = match &options.name {
            None => None,
            Some(text) => Some(Regex::new(text).map_err(|error| {
                PlanError::bare(format!("`{text}` is no regular expression")).helped(error.to_string())
            })?),
        };
        Ok(Self { tags, name })
    }

    /// The filters in the command line's words.
    pub fn asked(&self) -> String {
        let tags = self.tags.as_ref().map(|(text, _)| format!("--tags `{text}`"));
        let name = self.name.as_ref().map(|name| format!("--name `{name}`"));
        tags.into_iter().chain(name).collect::<Vec<_>>().join(" and ")
    }

    fn match_(&self, tags: &[String], name: &str) -> bool {
        self.tags.as_ref().is_none_or(|(_, wanted)| wanted.eval(tags))
            && self.name.as_ref().is_none_or(|wanted| wanted.is_match(name))
    }
}

/// What the scenarios of one file have in common.
struct InFile<'a> {
    context: &'a Context<'a>,
    filters: &'a Filters,
    file: &'a SourceFile,
    /// Without scenarios and rules.
    feature: Arc<Feature>,
    /// The quarantines that name this file.
    quarantines: InForce<'a>,
}

/// Plans the file at `path`.
pub(super) fn plan(path: &Path, context: &Context<'_>, filters: &Filters) -> Outcome {
    let mut outcome = Outcome::default();
    let file = match SourceFile::read(path) {
        Ok(file) => file,
        Err(error) => {
            outcome.errors.push(*error);
            return outcome;
        }
    };
    let mut feature = match gherkin_text::parse(&file) {
        Ok(feature) => feature,
        Err(errors) => {
            outcome.errors = errors;
            return outcome;
        }
    };
    bullets(feature.background.as_mut().map_or(&mut [], |background| &mut background.steps));
    let (scenarios, rules) = (std::mem::take(&mut feature.scenarios), std::mem::take(&mut feature.rules));
    if scenarios.is_empty() && rules.iter().all(|rule| rule.scenarios.is_empty()) {
        outcome
            .errors
            .push(PlanError::bare("this feature has no scenario").at(&file, file.line(feature.position.line)));
    }
    feature.path = Some(path.to_owned());
    let quarantines = InForce::of(path, &context.options.quarantines);
    let in_file = InFile { context, filters, file: &file, feature: Arc::new(feature), quarantines };
    for scenario in scenarios {
        in_file.outline(scenario, None, &mut outcome);
    }
    for mut rule in rules {
        bullets(rule.background.as_mut().map_or(&mut [], |background| &mut background.steps));
        let scenarios = std::mem::take(&mut rule.scenarios);
        let rule = Arc::new(rule);
        for scenario in scenarios {
            in_file.outline(scenario, Some(&rule), &mut outcome);
        }
    }
    // A scenario that is wrong may be the one that is meant.
    if outcome.errors.is_empty() {
        outcome.errors = in_file.quarantines.idle();
    }
    outcome
}

/// A step that begins with `*` has no keyword of its own, and Gherkin takes it for a Given: it is what its words are.
fn bullets(steps: &mut [Step]) {
    for step in steps.iter_mut().filter(|step| step.keyword.trim() == "*") {
        step.ty = catalogue::keyword_of(&step.value).unwrap_or(step.ty);
    }
}

impl InFile<'_> {
    /// Plans a scenario, or each row of an outline.
    fn outline(&self, mut scenario: Scenario, rule: Option<&Arc<Rule>>, outcome: &mut Outcome) {
        bullets(&mut scenario.steps);
        let heading = self.file.line(scenario.position.line);
        let wrong = |message: &str, help: &str| PlanError::bare(message).at(self.file, heading.clone()).helped(help);
        if scenario.steps.is_empty() {
            outcome
                .errors
                .push(wrong("this scenario has no steps", "no output is never a pass: write steps, or take it out"));
            return;
        }
        let is_outline = !scenario.examples.is_empty();
        if !is_outline && scenario.steps.iter().any(|step| outline::has_placeholder(&step.value)) {
            outcome.errors.push(wrong(
                "this scenario has placeholders and no examples",
                "add `Examples:` with a column for each placeholder",
            ));
            return;
        }
        match outline::expand(self.file, &scenario) {
            Ok(rows) if rows.is_empty() => {
                outcome
                    .errors
                    .push(wrong("the examples of this outline have no rows", "add at least one row below the heading"));
            }
            Ok(rows) => rows.into_iter().for_each(|row| self.scenario(row, &scenario, rule, outcome)),
            Err(unfilled) => outcome.errors.extend(unfilled.into_iter().map(|unfilled| {
                let columns: Vec<&str> = unfilled.columns.iter().map(String::as_str).collect();
                let (line, _) = self.file.position(unfilled.offset);
                PlanError::bare(format!("no column of the examples fills `<{}>`", unfilled.name))
                    .at(self.file, self.file.line(line))
                    .helped(farm::suggest::mend(&unfilled.name, columns.iter().copied()))
            })),
        }
    }

    fn scenario(&self, expanded: Expanded, template: &Scenario, rule: Option<&Arc<Rule>>, outcome: &mut Outcome) {
        let Expanded { scenario, example_tags, row } = expanded;
        let rule_tags: &[String] = rule.map_or(&[], |rule| &rule.tags);
        let mut tags: Vec<String> = Vec::new();
        for tag in self.feature.tags.iter().chain(rule_tags).chain(&scenario.tags) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let mut name =
            if scenario.name.is_empty() { format!("line {}", scenario.position.line) } else { scenario.name.clone() };
        if !row.is_empty() && !outline::has_placeholder(&template.name) {
            name = format!("{name} — {}", row.join(", "));
        }
        let quarantine = self.quarantines.find([template.name.as_str(), name.as_str()]);
        if !self.filters.match_(&tags, &name) {
            outcome.filtered += 1;
            return;
        }
        let levels = [self.feature.tags.as_slice(), rule_tags, &template.tags, &example_tags];
        let (settings, wrong) = Settings::read(&levels);
        outcome.errors.extend(
            wrong
                .into_iter()
                .map(|(tag, error)| PlanError::phrase(error).at(self.file, self.tag(&tag, scenario.position.line))),
        );
        let background =
            |background: &Option<Background>| background.iter().flat_map(|b| b.steps.clone()).collect::<Vec<_>>();
        let mut steps = background(&self.feature.background);
        steps.extend(rule.map(|rule| background(&rule.background)).unwrap_or_default());
        steps.extend(scenario.steps.iter().cloned());

        let example = (!row.is_empty()).then_some(scenario.position.line);
        let checked = check::walk(self.context, self.file, &steps, settings, example);
        outcome.errors.extend(checked.errors);
        if let Some(reason) = checked.left_out {
            outcome.left_out.push(reason);
            return;
        }
        for remark in checked.remarks {
            if !outcome.remarks.contains(&remark) {
                outcome.remarks.push(remark);
            }
        }
        let references = checked.references;
        let planned = steps.iter().zip(checked.runs).map(|(step, run)| PlannedStep {
            keyword: step.keyword.trim().to_owned(),
            text: step.value.clone(),
            line: self.file.position(step.span.start).0,
            run,
        });
        let options = self.context.options;
        let mut timeouts = options.timeouts;
        timeouts.infer = settings.timeout.unwrap_or(timeouts.infer);
        outcome.scenarios.push(PlannedScenario {
            id: ScenarioId {
                path: self.file.path.display().to_string(),
                line: scenario.position.line,
                feature: self.feature.name.clone(),
                name,
            },
            tags,
            steps: planned.collect(),
            references,
            timeouts,
            retries: settings.retries.unwrap_or(options.retries),
            quarantine: quarantine.map(|rule| rule.quarantine(options.today)),
            text: Arc::clone(&self.file.text),
            feature: Arc::clone(&self.feature),
            rule: rule.cloned(),
            scenario,
        });
    }

    /// Where `tag` stands: the last place before `line` that has it.
    fn tag(&self, tag: &str, line: usize) -> Range<usize> {
        let written = format!("@{tag}");
        (1..=line)
            .rev()
            .find_map(|line| {
                let range = self.file.line(line);
                let text = self.file.slice(range.clone());
                if !text.starts_with('@') {
                    return None;
                }
                let mut words = text.match_indices(&written);
                let (at, _) = words.find(|(at, _)| {
                    text[at + written.len()..].chars().next().is_none_or(|c| c.is_whitespace() || c == '@')
                })?;
                Some(range.start + at..range.start + at + written.len())
            })
            .unwrap_or_else(|| self.file.line(line))
    }
}
