//! From a feature's text to Gherkin's tree as Cucumber Messages have it, and what each scenario in it is made of. Locations
//! are lines; comments are left out, for the source has them.

use super::Ids;
use crate::text::escape;
use farm::events::{ScenarioId, StepReport};
use gherkin::{Background, Examples, Feature, GherkinEnv, LineCol, Rule, Scenario, Step, StepType, Table};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A feature file.
#[derive(Debug)]
pub(super) struct Document {
    pub text: String,
    /// The message; nothing once it is told.
    pub envelope: Value,
    /// Scenarios, and rows of outlines, by line.
    pub scenarios: BTreeMap<usize, Blueprint>,
}

/// What a scenario is made of; the background's steps come first.
#[derive(Debug, Clone)]
pub(super) struct Blueprint {
    pub language: String,
    /// The scenario in the tree, and the row of an outline.
    pub nodes: Vec<String>,
    /// Name with `@`, and the tag in the tree.
    pub tags: Vec<(String, String)>,
    pub steps: Vec<BlueprintStep>,
}

#[derive(Debug, Clone)]
pub(super) struct BlueprintStep {
    pub nodes: Vec<String>,
    pub text: String,
    pub kind: &'static str,
    pub argument: Option<Value>,
}

impl Blueprint {
    /// Whether these steps are its first ones.
    pub fn is_of<'a>(&self, reports: impl Iterator<Item = &'a StepReport>) -> bool {
        let mut steps = self.steps.iter();
        reports.into_iter().all(|report| steps.next().is_some_and(|step| step.text == escape(&report.text)))
    }
}

impl Document {
    /// Reads `text`; `None` where the parser cannot. What runs was parsed before, by the same parser.
    pub fn parse(path: &str, text: &str, ids: &mut Ids) -> Option<Self> {
        // The parser is another's, and the text is anyone's.
        let feature = std::panic::catch_unwind(|| Feature::parse(text, GherkinEnv::default())).ok()?.ok()?;
        let lines: Vec<&str> = text.lines().collect();
        Some(Tree { ids, lines, language: language(text), scenarios: BTreeMap::new() }.document(path, text, &feature))
    }

    /// A document of one scenario, made from what was told of its steps.
    pub fn of_reports<'a>(
        id: &ScenarioId,
        reports: impl Iterator<Item = &'a StepReport>,
        ids: &mut Ids,
    ) -> (Value, Blueprint) {
        let step = |report: &StepReport| {
            let ty = match report.keyword.trim() {
                "When" => StepType::When,
                "Then" => StepType::Then,
                _ => StepType::Given,
            };
            let (keyword, value) = (report.keyword.clone(), report.text.clone());
            let position = LineCol { line: report.line, col: 1 };
            Step::builder().keyword(keyword).ty(ty).value(value).position(position).build()
        };
        let position = LineCol { line: id.line, col: 1 };
        let scenario = Scenario::builder().keyword("Scenario".to_owned()).name(id.name.clone()).position(position);
        let scenario = scenario.steps(reports.map(step).collect()).build();
        let feature = Feature::builder().keyword("Feature".to_owned()).name(id.feature.clone());
        let feature = feature.scenarios(vec![scenario]).position(LineCol { line: 1, col: 1 }).build();
        let tree = Tree { ids, lines: Vec::new(), language: "en".to_owned(), scenarios: BTreeMap::new() };
        let mut document = tree.document(&id.path, "", &feature);
        let none = || Blueprint { language: "en".to_owned(), nodes: Vec::new(), tags: Vec::new(), steps: Vec::new() };
        (document.envelope, document.scenarios.remove(&id.line).unwrap_or_else(none))
    }
}

/// The language that a file says in its first lines, as Gherkin has it.
fn language(text: &str) -> String {
    let comments = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with('#'));
    let named = comments.filter_map(|line| {
        line.trim_start_matches('#').trim().strip_prefix("language")?.trim().strip_prefix(':').map(str::trim)
    });
    named.last().unwrap_or("en").to_owned()
}

struct Tree<'a> {
    ids: &'a mut Ids,
    lines: Vec<&'a str>,
    language: String,
    scenarios: BTreeMap<usize, Blueprint>,
}

/// Tags and steps that a scenario inherits.
#[derive(Clone, Default)]
struct Inherited {
    tags: Vec<(String, String)>,
    steps: Vec<(String, Step)>,
}

impl Tree<'_> {
    fn document(mut self, path: &str, text: &str, feature: &Feature) -> Document {
        let mut inherited = Inherited::default();
        let (tags, all) = self.tags(&feature.tags, feature.position.line);
        inherited.tags = all;
        let children = self.children(feature.background.as_ref(), &feature.scenarios, &mut inherited);
        let rules: Vec<Value> = feature.rules.iter().map(|rule| self.rule(rule, inherited.clone())).collect();
        let feature = json!({
            "location": { "line": feature.position.line },
            "tags": tags,
            "language": self.language,
            "keyword": feature.keyword.trim(),
            "name": escape(&feature.name),
            "description": description(feature.description.as_deref()),
            "children": children.into_iter().chain(rules).collect::<Vec<_>>(),
        });
        let envelope = json!({ "gherkinDocument": { "uri": path, "feature": feature, "comments": [] } });
        Document { text: text.to_owned(), envelope, scenarios: self.scenarios }
    }

    fn rule(&mut self, rule: &Rule, mut inherited: Inherited) -> Value {
        let (tags, all) = self.tags(&rule.tags, rule.position.line);
        inherited.tags.extend(all);
        let children = self.children(rule.background.as_ref(), &rule.scenarios, &mut inherited);
        json!({ "rule": {
            "id": self.ids.next(),
            "location": { "line": rule.position.line },
            "tags": tags,
            "keyword": rule.keyword.trim(),
            "name": escape(&rule.name),
            "description": description(rule.description.as_deref()),
            "children": children,
        } })
    }

    /// Background and scenarios of a feature or a rule; the background's steps are inherited from then on.
    fn children(
        &mut self,
        background: Option<&Background>,
        scenarios: &[Scenario],
        inherited: &mut Inherited,
    ) -> Vec<Value> {
        let mut children = Vec::new();
        if let Some(background) = background {
            let (steps, nodes) = self.steps(&background.steps);
            inherited.steps.extend(nodes);
            children.push(json!({ "background": {
                "id": self.ids.next(),
                "location": { "line": background.position.line },
                "keyword": background.keyword.trim(),
                "name": escape(&background.name),
                "description": description(background.description.as_deref()),
                "steps": steps,
            } }));
        }
        children.extend(scenarios.iter().map(|scenario| self.scenario(scenario, inherited.clone())));
        children
    }

    fn scenario(&mut self, scenario: &Scenario, mut inherited: Inherited) -> Value {
        let (tags, all) = self.tags(&scenario.tags, scenario.position.line);
        inherited.tags.extend(all);
        let (steps, nodes) = self.steps(&scenario.steps);
        inherited.steps.extend(nodes);
        let id = self.ids.next();
        if scenario.examples.is_empty() {
            let blueprint = self.blueprint(vec![id.clone()], &inherited, &inherited.tags, None);
            self.scenarios.insert(scenario.position.line, blueprint);
        }
        let examples: Vec<Value> =
            scenario.examples.iter().map(|examples| self.examples(examples, &id, &inherited)).collect();
        json!({ "scenario": {
            "id": id,
            "location": { "line": scenario.position.line },
            "tags": tags,
            "keyword": scenario.keyword.trim(),
            "name": escape(&scenario.name),
            "description": description(scenario.description.as_deref()),
            "steps": steps,
            "examples": examples,
        } })
    }

    fn examples(&mut self, examples: &Examples, scenario: &str, inherited: &Inherited) -> Value {
        let (tags, own) = self.tags(&examples.tags, examples.position.line);
        let tags_of_row: Vec<_> = inherited.tags.iter().cloned().chain(own).collect();
        let mut told = json!({
            "id": self.ids.next(),
            "location": { "line": examples.position.line },
            "tags": tags,
            "keyword": examples.keyword.trim(),
            "name": escape(examples.name.as_deref().unwrap_or_default()),
            "description": description(examples.description.as_deref()),
            "tableBody": [],
        });
        let Some(table) = &examples.table else { return told };
        let Some((heading, rows)) = table.rows.split_first() else { return told };
        let mut lines = self.table_lines(table).into_iter();
        let mut next = || lines.next().unwrap_or(table.position.line);
        told["tableHeader"] = row(next(), self.ids.next(), heading);
        let mut body = Vec::new();
        for values in rows {
            let (line, id) = (next(), self.ids.next());
            body.push(row(line, id.clone(), values));
            let fill = Fill { heading, values };
            let blueprint = self.blueprint(vec![scenario.to_owned(), id], inherited, &tags_of_row, Some(&fill));
            self.scenarios.insert(line, blueprint);
        }
        told["tableBody"] = body.into();
        told
    }

    fn blueprint(
        &self,
        nodes: Vec<String>,
        inherited: &Inherited,
        tags: &[(String, String)],
        fill: Option<&Fill<'_>>,
    ) -> Blueprint {
        let mut unique: Vec<(String, String)> = Vec::new();
        for tag in tags {
            if !unique.iter().any(|(name, _)| *name == tag.0) {
                unique.push(tag.clone());
            }
        }
        let filled = |text: &str| fill.map_or_else(|| text.to_owned(), |fill| fill.text(text));
        let step = |(id, step): &(String, Step)| {
            let cell = |value: &String| json!({ "value": escape(&filled(value)) });
            let row = |cells: &Vec<String>| json!({ "cells": cells.iter().map(cell).collect::<Vec<_>>() });
            let table = step
                .table
                .as_ref()
                .map(|table| json!({ "dataTable": { "rows": table.rows.iter().map(row).collect::<Vec<_>>() } }));
            let text = step.docstring.as_ref();
            let argument =
                table.or_else(|| text.map(|text| json!({ "docString": { "content": doc_string(&filled(text)) } })));
            BlueprintStep {
                nodes: std::iter::once(id).chain(&nodes[1..]).cloned().collect(),
                text: escape(&filled(&step.value)).into_owned(),
                kind: if step.keyword.trim() == "*" { "Unknown" } else { kind(step.ty) },
                argument,
            }
        };
        let steps = inherited.steps.iter().map(step).collect();
        Blueprint { language: self.language.clone(), nodes: nodes.clone(), tags: unique, steps }
    }

    /// Steps as they stand in the tree, and with the identifiers that they have there.
    fn steps(&mut self, steps: &[Step]) -> (Vec<Value>, Vec<(String, Step)>) {
        steps.iter().map(|step| self.step(step)).unzip()
    }

    fn step(&mut self, step: &Step) -> (Value, (String, Step)) {
        let id = self.ids.next();
        let keyword = step.keyword.trim();
        let mut told = json!({
            "id": id,
            "location": { "line": step.position.line },
            "keyword": format!("{keyword} "),
            "text": escape(&step.value),
        });
        // Other languages' words for And and But are the parser's secret.
        if self.language == "en" {
            told["keywordType"] = match keyword {
                "*" => "Unknown",
                "And" | "But" => "Conjunction",
                _ => kind(step.ty),
            }
            .into();
        }
        if let Some(table) = &step.table {
            let mut lines = self.table_lines(table).into_iter();
            let rows: Vec<Value> = table
                .rows
                .iter()
                .map(|cells| row(lines.next().unwrap_or(table.position.line), self.ids.next(), cells))
                .collect();
            told["dataTable"] = json!({ "location": rows.first().map(|row| row["location"].clone()), "rows": rows });
        }
        if let Some(text) = &step.docstring {
            let (line, delimiter) = self.doc_string(step.position.line);
            told["docString"] =
                json!({ "location": { "line": line }, "content": doc_string(text), "delimiter": delimiter });
        }
        (told, (id, step.clone()))
    }

    /// Where the doc string of the step in `line` begins, and with what.
    fn doc_string(&self, line: usize) -> (usize, &'static str) {
        let found = self.lines.iter().enumerate().skip(line).find_map(|(at, text)| {
            let opens = |mark: &&&str| text.trim_start().starts_with(**mark);
            ["\"\"\"", "```"].iter().find(opens).map(|mark| (at + 1, *mark))
        });
        found.unwrap_or((line, "\"\"\""))
    }

    /// Lines of a table's rows: comments and blank lines may stand between them.
    fn table_lines(&self, table: &Table) -> Vec<usize> {
        let lines = self.lines.iter().enumerate().skip(table.position.line.saturating_sub(1));
        let rows = lines.filter(|(_, line)| line.trim_start().starts_with('|'));
        rows.take(table.rows.len()).map(|(at, _)| at + 1).collect()
    }

    /// Tags in the tree, and with the identifiers that they have there.
    fn tags(&mut self, tags: &[String], heading: usize) -> (Vec<Value>, Vec<(String, String)>) {
        let tag = |tag: &String| {
            let name = format!("@{tag}");
            let above = (1..heading).rev().map_while(|line| {
                let text = self.lines.get(line - 1)?.trim();
                (text.is_empty() || text.starts_with(['@', '#'])).then_some((line, text))
            });
            let line = above.filter(|(_, text)| text.split_whitespace().any(|word| word == name)).last();
            let (id, line) = (self.ids.next(), line.map_or(heading, |(line, _)| line));
            let name = escape(&name).into_owned();
            (json!({ "id": id, "location": { "line": line }, "name": name }), (name, id))
        };
        tags.iter().map(tag).unzip()
    }
}

fn row(line: usize, id: String, cells: &[String]) -> Value {
    let cell = |value: &String| json!({ "location": { "line": line }, "value": escape(value) });
    json!({ "id": id, "location": { "line": line }, "cells": cells.iter().map(cell).collect::<Vec<_>>() })
}

fn kind(ty: StepType) -> &'static str {
    match ty {
        StepType::Given => "Context",
        StepType::When => "Action",
        StepType::Then => "Outcome",
    }
}

fn description(text: Option<&str>) -> String {
    block(text.unwrap_or_default())
}

/// A doc string's content: the parser leaves it what stands behind the opening delimiter, which is no part of it.
fn doc_string(text: &str) -> String {
    block(text.split_once('\n').map_or(text, |(_, content)| content))
}

/// Text of several lines, each escaped.
fn block(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// A row of examples.
struct Fill<'a> {
    heading: &'a [String],
    values: &'a [String],
}

impl Fill<'_> {
    /// `text` with its placeholders filled; what is filled in is not looked at again.
    fn text(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(at) = rest.find('<') {
            let (before, from) = rest.split_at(at);
            filled += before;
            let value = from[1..].split_once('>').and_then(|(name, after)| {
                let column = self.heading.iter().position(|column| column == name)?;
                Some((self.values.get(column)?, after))
            });
            match value {
                Some((value, after)) => (filled, rest) = (filled + value, after),
                None => (filled, rest) = (filled + "<", &from[1..]),
            }
        }
        filled + rest
    }
}
