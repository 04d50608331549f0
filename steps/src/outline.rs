//! Scenario outlines: one scenario for each row of examples, which knows the line of its row.
//!
//! Cucumber's own expansion copies all examples into every row's scenario (quadratic in rows) and guesses the row's
//! line; this one does neither.

use crate::source::SourceFile;
use gherkin::{LineCol, Scenario};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// A scenario ready to run: no examples, no placeholders.
#[derive(Debug, Clone)]
pub(crate) struct Expanded {
    /// The scenario; its position's line is that of the row it was made from.
    pub scenario: Scenario,
    /// Tags of the examples that the row stands in.
    pub example_tags: Vec<String>,
    /// The row's values; empty where the scenario is no outline.
    pub row: Vec<String>,
}

/// A placeholder that no column of the examples fills.
#[derive(Debug)]
pub(crate) struct Unfilled {
    /// Its name.
    pub name: String,
    /// Offset of the step, or of the scenario where it stands in the name.
    pub offset: usize,
    /// Columns there are.
    pub columns: Vec<String>,
}

/// No `<` within: that of `<= <bound>` belongs to the bound.
#[expect(clippy::unwrap_used, reason = "the pattern is constant, and tested")]
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<([^<>\s](?:[^<>\t\n\r]*[^<>\s])?)>").unwrap());

/// Whether `text` holds a placeholder.
pub(crate) fn has_placeholder(text: &str) -> bool {
    PLACEHOLDER.is_match(text)
}

/// The scenarios that `scenario` stands for: itself, or one for each row of its examples.
pub(crate) fn expand(file: &SourceFile, scenario: &Scenario) -> Result<Vec<Expanded>, Vec<Unfilled>> {
    if scenario.examples.is_empty() {
        return Ok(vec![Expanded { scenario: scenario.clone(), example_tags: Vec::new(), row: Vec::new() }]);
    }
    let template = clone_without_examples(scenario);
    let (mut all, mut unfilled) = (Vec::new(), Vec::new());
    for examples in &scenario.examples {
        let Some((heading, rows)) = examples.table.as_ref().and_then(|table| table.rows.split_first()) else {
            continue;
        };
        let offset = examples.table.as_ref().map_or(0, |table| table.span.start);
        let lines = file.table_rows(offset, rows.len() + 1);
        for (index, row) in rows.iter().enumerate() {
            let mut fill = Fill { heading, row, unfilled: Vec::new() };
            let mut filled = template.clone();
            filled.position = LineCol { line: lines.get(index + 1).copied().unwrap_or(scenario.position.line), col: 1 };
            filled.tags.extend(examples.tags.iter().cloned());
            fill.text(&mut filled.name, scenario.span.start);
            for step in &mut filled.steps {
                let offset = step.span.start;
                fill.text(&mut step.value, offset);
                step.docstring.iter_mut().for_each(|text| fill.text(text, offset));
                let cells = step.table.iter_mut().flat_map(|table| table.rows.iter_mut().flatten());
                cells.for_each(|text| fill.text(text, offset));
            }
            if !fill.unfilled.is_empty() {
                // Every row has the same columns: one row's complaints are all there are.
                unfilled.append(&mut fill.unfilled);
                break;
            }
            all.push(Expanded { scenario: filled, example_tags: examples.tags.clone(), row: row.clone() });
        }
    }
    if unfilled.is_empty() { Ok(all) } else { Err(unfilled) }
}

fn clone_without_examples(scenario: &Scenario) -> Scenario {
    Scenario {
        keyword: scenario.keyword.clone(),
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        steps: scenario.steps.clone(),
        examples: Vec::new(),
        tags: scenario.tags.clone(),
        span: scenario.span,
        position: scenario.position,
    }
}

struct Fill<'a> {
    heading: &'a [String],
    row: &'a [String],
    unfilled: Vec<Unfilled>,
}

impl Fill<'_> {
    fn text(&mut self, text: &mut String, offset: usize) {
        if !text.contains('<') {
            return;
        }
        let filled = PLACEHOLDER.replace_all(text, |captures: &Captures<'_>| {
            let name = &captures[1];
            match self.heading.iter().position(|column| column == name).and_then(|index| self.row.get(index)) {
                Some(value) => value.clone(),
                None => {
                    self.unfilled.push(Unfilled { name: name.to_owned(), offset, columns: self.heading.to_vec() });
                    String::new()
                }
            }
        });
        *text = filled.into_owned();
    }
}
