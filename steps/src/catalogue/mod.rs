//! The vocabulary: every step there is, once. The plan, the execution, `tinyfarm steps` and `docs/writing-features.md`
//! all read this one list, so none of them can know a step that the others do not.

mod docs;
mod given;
mod then;
mod when;

use crate::{
    action::Action,
    expression,
    phrase::{Phrase, PhraseError},
};
pub use docs::{markdown, text};
use gherkin::StepType;
use regex::Regex;
use std::sync::LazyLock;

/// One step of the vocabulary.
#[derive(Debug)]
pub struct Definition {
    /// Given, When or Then.
    pub keyword: StepType,
    /// Its words, with parameters in braces.
    pub pattern: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The step as someone would write it, table and doc string included.
    pub example: &'static str,
    /// What it takes below it.
    pub(crate) below: Below,
    /// What it means.
    pub(crate) parse: fn(&Phrase<'_>) -> Result<Action, PhraseError>,
}

/// What may stand below a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// Nothing.
    Nothing,
    /// A table, and it must be there.
    Table,
    /// A table or a doc string, one of them.
    TableOrDocString,
}

struct Entry {
    definition: Definition,
    regex: Regex,
}

#[expect(clippy::unwrap_used, reason = "the patterns are constants, and a test compiles them all")]
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let all = given::definitions().into_iter().chain(when::definitions()).chain(then::definitions());
    all.map(|definition| Entry {
        regex: Regex::new(&expression::regex_source(definition.pattern)).unwrap(),
        definition,
    })
    .collect()
});

/// Every step, in the order of the documentation.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    ENTRIES.iter().map(|entry| &entry.definition)
}

/// Every step with its regular expression, to be registered with cucumber.
pub(crate) fn patterns() -> impl Iterator<Item = (StepType, Regex)> {
    ENTRIES.iter().map(|entry| (entry.definition.keyword, entry.regex.clone()))
}

/// The word of a keyword.
pub(crate) fn word(keyword: StepType) -> &'static str {
    match keyword {
        StepType::Given => "Given",
        StepType::When => "When",
        StepType::Then => "Then",
    }
}

/// Which keyword a step with these words would have to have, if they are a step's words at all.
pub(crate) fn keyword_of(text: &str) -> Option<StepType> {
    ENTRIES.iter().find(|entry| entry.regex.is_match(text)).map(|entry| entry.definition.keyword)
}

/// What `step` means.
///
/// # Errors
/// It is not in the vocabulary, is written under another keyword, or its parameters, table or doc string are wrong.
pub fn parse(step: &gherkin::Step) -> Result<Action, PhraseError> {
    let text = step.value.as_str();
    let Some(entry) = ENTRIES.iter().find(|entry| entry.definition.keyword == step.ty && entry.regex.is_match(text))
    else {
        return Err(undefined(step));
    };
    let captures: Vec<&str> = entry
        .regex
        .captures(text)
        .map(|captures| captures.iter().skip(1).map(|group| group.map_or("", |group| group.as_str())).collect())
        .unwrap_or_default();
    let (table, docstring) = (step.table.as_ref(), step.docstring.as_deref());
    let below = entry.definition.below;
    if table.is_some() && below == Below::Nothing {
        return Err(PhraseError::new("this step takes no table").at((0, 0)));
    }
    if docstring.is_some() && below != Below::TableOrDocString {
        return Err(PhraseError::new("this step takes no doc string"));
    }
    let phrase = Phrase {
        captures: &captures,
        docstring: docstring.map(doc_text),
        table: table.map(|table| table.rows.as_slice()),
    };
    (entry.definition.parse)(&phrase)
}

/// A doc string without the rest of its opening line, which may name a media type.
fn doc_text(docstring: &str) -> &str {
    docstring.split_once('\n').map_or(docstring, |(_, text)| text)
}

fn undefined(step: &gherkin::Step) -> PhraseError {
    if let Some(keyword) = keyword_of(&step.value) {
        let (wanted, found) = (word(keyword), word(step.ty));
        return PhraseError::new(format!("this is a `{wanted}` step, and it stands as a `{found}`"))
            .help(format!("begin it with `{wanted}`; `And` and `But` continue the step before"));
    }
    let nearest = definitions()
        .map(|definition| (likeness(&step.value, headline(definition), definition.keyword == step.ty), definition))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let help = match nearest {
        Some((likeness, definition)) if likeness > 0.5 => {
            format!(
                "the nearest step is `{} {}`; `tinyfarm steps` lists them all",
                word(definition.keyword),
                headline(definition)
            )
        }
        _ => "`tinyfarm steps` lists all steps there are".to_owned(),
    };
    PhraseError::new(format!("undefined step `{}`", step.value)).help(help)
}

/// The first line of a definition's example.
fn headline(definition: &Definition) -> &'static str {
    definition.example.lines().next().unwrap_or_default()
}

/// How like a step is to an example, what stands in quotes aside; a step of the same keyword is liker.
fn likeness(step: &str, example: &str, same_keyword: bool) -> f64 {
    let bare = |text: &str| text.split('"').step_by(2).collect::<Vec<_>>().join("\"\"").to_lowercase();
    strsim::normalized_levenshtein(&bare(step), &bare(example)) + if same_keyword { 0.05 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn example_step(definition: &Definition) -> gherkin::Step {
        let feature = format!("Feature: f\n Scenario: s\n  {} {}\n", word(definition.keyword), definition.example);
        let feature = gherkin::Feature::parse(&feature, gherkin::GherkinEnv::default()).unwrap();
        feature.scenarios[0].steps[0].clone()
    }

    #[test]
    fn every_example_is_a_step_that_means_something() {
        for definition in definitions() {
            let step = example_step(definition);
            assert_eq!(step.value, headline(definition));
            parse(&step).unwrap_or_else(|error| panic!("{}: {error} {:?}", definition.example, error.help));
        }
    }

    #[test]
    fn no_step_has_two_definitions() {
        for definition in definitions() {
            let step = example_step(definition);
            let matching = ENTRIES.iter().filter(|entry| entry.regex.is_match(&step.value)).count();
            assert_eq!(matching, 1, "{}", step.value);
        }
    }

    #[test]
    fn documentation_for_writers_of_features_is_what_the_catalogue_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/writing-features.md");
        if std::env::var_os("TINYFARM_UPDATE_DOCS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == markdown(), "docs/writing-features.md is stale: run the tests with TINYFARM_UPDATE_DOCS=1");
    }
}
