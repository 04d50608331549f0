//! From text to Gherkin's tree, with what Gherkin itself would pass over in silence found and refused: table rows that
//! are cut to their heading's length, a column of examples that stands twice, and steps that a misspelt keyword or
//! heading turns into description.

use crate::{action::Place, catalogue, plan::PlanError, source::SourceFile};
use gherkin::{Background, Examples, Feature, GherkinEnv, Scenario, Step, StepType, Table};
use std::ops::Range;

/// Keywords that begin a line of Gherkin, in English; other languages get no suggestion.
const KEYWORDS: &[&str] = &[
    "Feature:",
    "Background:",
    "Rule:",
    "Scenario:",
    "Scenario Outline:",
    "Examples:",
    "Given",
    "When",
    "Then",
    "And",
    "But",
];

/// Parses `file`.
///
/// # Errors
/// All that is wrong with it as Gherkin.
pub(crate) fn parse(file: &SourceFile) -> Result<Feature, Vec<PlanError>> {
    // The parser is another's, and the text is anyone's: a panic is told as an error of this file.
    let parsed = std::panic::catch_unwind(|| Feature::parse(&*file.text, GherkinEnv::default()));
    let feature = match parsed {
        Ok(Ok(feature)) => feature,
        Ok(Err(error)) => return Err(vec![syntax(file, &error.to_string())]),
        Err(_) => return Err(vec![PlanError::bare("the Gherkin parser panicked on this file").in_file(&file.path)]),
    };
    let mut errors = Vec::new();
    let last = file.line_count() + 1;
    let starts = |background: Option<&Background>, scenarios: &[Scenario]| {
        let background = background.map(|background| background.position.line);
        background.into_iter().chain(scenarios.first().map(|scenario| scenario.position.line)).min()
    };
    let first = starts(feature.background.as_ref(), &feature.scenarios);
    let first = first.into_iter().chain(feature.rules.first().map(|rule| rule.position.line)).min();
    prose(file, "feature", feature.position.line + 1..first.unwrap_or(last), &mut errors);
    for rule in &feature.rules {
        let first = starts(rule.background.as_ref(), &rule.scenarios);
        prose(file, "rule", rule.position.line + 1..first.unwrap_or(last), &mut errors);
    }
    for background in feature.background.iter().chain(feature.rules.iter().filter_map(|rule| rule.background.as_ref()))
    {
        description(
            file,
            background.span.start,
            background.steps.first(),
            background.description.as_deref(),
            &mut errors,
        );
        background.steps.iter().for_each(|step| step_tables(file, step, &mut errors));
    }
    for scenario in scenarios(&feature) {
        description(file, scenario.span.start, scenario.steps.first(), scenario.description.as_deref(), &mut errors);
        scenario.steps.iter().for_each(|step| step_tables(file, step, &mut errors));
        scenario.examples.iter().for_each(|examples| example_tables(file, examples, &mut errors));
    }
    if errors.is_empty() { Ok(feature) } else { Err(errors) }
}

/// Every scenario of a feature, those of its rules included.
pub(crate) fn scenarios(feature: &Feature) -> impl Iterator<Item = &Scenario> {
    feature.scenarios.iter().chain(feature.rules.iter().flat_map(|rule| &rule.scenarios))
}

/// Gherkin says where it stopped (`Error at 3:5: {…}`) and a set of characters it hoped for, which helps nobody.
fn syntax(file: &SourceFile, told: &str) -> PlanError {
    let line = told
        .strip_prefix("Error at ")
        .and_then(|rest| rest.split(':').next())
        .and_then(|line| line.parse::<usize>().ok())
        .unwrap_or(1)
        .clamp(1, file.line_count());
    if file.text.trim().is_empty() {
        return PlanError::bare("the feature file is empty").in_file(&file.path).helped("begin it with `Feature: …`");
    }
    if let Some(error) = language(file).or_else(|| ragged(file, line)) {
        return error;
    }
    let begins = |line: &usize| {
        let text = file.slice(file.line(*line));
        !text.is_empty() && !text.starts_with(['#', '@'])
    };
    let english = !file.text.contains("language:");
    if english
        && !file.text.lines().any(|line| {
            ["Feature:", "Ability:", "Business Need:"].iter().any(|word| line.trim_start().starts_with(word))
        })
    {
        let first = (1..=file.line_count()).find(begins).unwrap_or(1);
        return PlanError::bare(format!("not Gherkin: `{}`", file.slice(file.line(first))))
            .at(file, file.line(first))
            .helped("a feature file begins with `Feature: …`");
    }
    // It stops at the end of what it could read: what it could not is the next line that says anything.
    let bad = (line..=file.line_count()).find(|line| {
        let text = file.slice(file.line(*line));
        !text.is_empty() && !text.starts_with('#')
    });
    let Some(bad) = bad else {
        let last = (1..=file.line_count()).rev().find(|line| !file.line(*line).is_empty()).unwrap_or(1);
        let open = file.text.matches("\"\"\"").count() % 2 == 1;
        let help = if open {
            "a doc string is opened with `\"\"\"` and never closed"
        } else {
            "something is missing after this line"
        };
        return PlanError::bare("the feature file ends too early").at(file, file.line(last)).helped(help);
    };
    let text = file.slice(file.line(bad));
    let first = text.split([' ', ':']).next().unwrap_or_default();
    let help = if text.starts_with('|') {
        "a table row is written `| a | b |`, and ends with a bar; write `\\|` for a bar in a cell".to_owned()
    } else {
        let near = farm::suggest::nearest(first, KEYWORDS.iter().copied());
        near.map_or_else(
            || "a step begins with Given, When, Then, And, But or *".to_owned(),
            |near| {
                if near.trim_end_matches(':') == first {
                    "this keyword may not stand here".to_owned()
                } else {
                    format!("did you mean `{near}`?")
                }
            },
        )
    };
    PlanError::bare(format!("not Gherkin: `{text}`")).at(file, file.line(bad)).helped(help)
}

/// `# language:` with a language that Gherkin does not have.
fn language(file: &SourceFile) -> Option<PlanError> {
    (1..=file.line_count()).find_map(|line| {
        let range = file.line(line);
        let language = file
            .slice(range.clone())
            .strip_prefix('#')?
            .trim()
            .strip_prefix("language")?
            .trim()
            .strip_prefix(':')?
            .trim();
        (!gherkin::is_language_supported(language)).then(|| {
            PlanError::bare(format!("Gherkin has no language `{language}`"))
                .at(file, range)
                .helped("write a language code that Gherkin knows, such as `en`, `de`, `fi` or `fr`")
        })
    })
}

/// The table around `line` whose rows differ in length.
fn ragged(file: &SourceFile, line: usize) -> Option<PlanError> {
    let is_row = |line: &usize| file.slice(file.line(*line)).starts_with('|');
    let near = (line.saturating_sub(2).max(1)..=line).rev().find(is_row)?;
    let first = (1..=near).rev().take_while(is_row).last()?;
    let last = (near..=file.line_count()).take_while(is_row).last()?;
    let lines: Vec<usize> = (first..=last).collect();
    uneven(file, &lines)
}

fn uneven(file: &SourceFile, lines: &[usize]) -> Option<PlanError> {
    let (heading, rows) = lines.split_first()?;
    let wanted = file.cells(*heading).len();
    rows.iter().find_map(|line| {
        let found = file.cells(*line).len();
        (found != wanted).then(|| {
            PlanError::bare(format!("this row has {found} cell(s), and its table's heading has {wanted}"))
                .at(file, file.line(*line))
                .helped("give every row as many cells as the heading; write `\\|` for a bar in a cell")
        })
    })
}

fn step_tables(file: &SourceFile, step: &Step, errors: &mut Vec<PlanError>) {
    errors.extend(step.table.as_ref().and_then(|table| cut(file, table)));
}

fn example_tables(file: &SourceFile, examples: &Examples, errors: &mut Vec<PlanError>) {
    errors.extend(examples.table.as_ref().and_then(|table| cut(file, table).or_else(|| twice(file, table))));
}

/// Gherkin cuts a row that is longer than its heading; nothing that was written may be lost.
fn cut(file: &SourceFile, table: &Table) -> Option<PlanError> {
    uneven(file, &file.table_rows(table.span.start, table.rows.len()))
}

/// The keyword of a step, if `text` is surely one and no prose: that something runs on something is soon written.
fn step(text: &str) -> Option<StepType> {
    let place = text.strip_prefix("it runs on ").or_else(|| text.strip_prefix("it is tried on "));
    let place = place.map(|words| words.split(", accepted by").next().unwrap_or(words));
    catalogue::keyword_of(text).filter(|_| place.is_none_or(|words| Place::parse(words).is_some()))
}

/// Two columns of one name: only the first could ever be meant.
fn twice(file: &SourceFile, table: &Table) -> Option<PlanError> {
    let heading = table.rows.first()?;
    let (at, name) = heading.iter().enumerate().find(|(at, name)| heading[..*at].contains(name))?;
    let line = file.position(table.span.start).0;
    Some(
        PlanError::bare(format!("there are two columns `{name}`"))
            .at(file, file.cells(line).get(at).cloned().unwrap_or_else(|| file.line(line)))
            .helped("rename one of them, or take it out"),
    )
}

/// Steps in the description of a feature or a rule, in `lines`: the heading above them is misspelt or missing, and
/// nothing would run them.
fn prose(file: &SourceFile, what: &str, lines: Range<usize>, errors: &mut Vec<PlanError>) {
    let is_step = |line: &usize| {
        let words = file.slice(file.line(*line));
        let after_keyword = words.split_once(' ').map_or("", |(_, rest)| rest.trim());
        step(words).or_else(|| step(after_keyword)).is_some()
    };
    let Some(step) = lines.clone().find(is_step) else { return };
    let heading = (lines.start..step).rev().find_map(|line| {
        let (word, _) = file.slice(file.line(line)).split_once(':')?;
        let near = farm::suggest::nearest(word, KEYWORDS.iter().filter_map(|known| known.strip_suffix(':')))?;
        let english = !file.text.contains("language:");
        Some((line, if english { format!("did you mean `{near}:`?") } else { "mend the heading".to_owned() }))
    });
    let (line, help) =
        heading.unwrap_or((step, "put a heading before it, such as `Background:` or `Scenario: …`".to_owned()));
    errors.push(
        PlanError::bare(format!(
            "`{}` would be read as description of the {what}, and not be run",
            file.slice(file.line(step))
        ))
        .at(file, file.line(line))
        .helped(help),
    );
}

/// A line of description that reads like a step, but for its first word.
fn description(
    file: &SourceFile,
    offset: usize,
    first_step: Option<&Step>,
    text: Option<&str>,
    errors: &mut Vec<PlanError>,
) {
    if text.is_none() {
        return;
    }
    let (start, _) = file.position(offset);
    let end = first_step.map_or(file.line_count() + 1, |step| file.position(step.span.start).0);
    for line in start + 1..end {
        let words = file.slice(file.line(line));
        if words.starts_with('#') {
            continue;
        }
        if words.starts_with(['@', '|']) {
            break;
        }
        if let Some(wanted) = step(words) {
            errors.push(
                PlanError::bare("this line has no keyword and would be read as a description, not as a step")
                    .at(file, file.line(line))
                    .helped(format!("begin it with `{}`", catalogue::word(wanted))),
            );
        }
        let Some((keyword, rest)) = words.split_once(' ') else { continue };
        if let Some(wanted) = step(rest.trim()) {
            errors.push(
                PlanError::bare(format!(
                    "`{keyword}` is no keyword, so this line would be read as a description, not as a step"
                ))
                .at(file, file.line(line))
                .helped(format!("did you mean `{}`?", catalogue::word(wanted))),
            );
        }
        if words.ends_with(':') && first_step.is_none() {
            break;
        }
    }
}
