//! Given: what is to be run, and within which limits.

use super::{Below, Definition};
use crate::{
    action::{Action, DatasetRef},
    numbers,
    phrase::{Phrase, PhraseError},
};
use gherkin::StepType;

pub(super) fn definitions() -> Vec<Definition> {
    let given = |pattern, summary, example, below, parse| Definition {
        keyword: StepType::Given,
        pattern,
        summary,
        example,
        below,
        parse,
    };
    vec![
        given(
            "the model {string}",
            "Names the model: one that `tinyfarm models` lists, or the path of a `.tflite` file, relative to the feature file.",
            "the model \"hello_world\"",
            Below::Nothing,
            |phrase| subject(phrase, false, false),
        ),
        given(
            "the model {string} and the dataset {string}",
            "Names model and dataset at once.",
            "the model \"hello_world\" and the dataset \"sine\"",
            Below::Nothing,
            |phrase| subject(phrase, true, false),
        ),
        given(
            "the model {string} linked into its own firmware",
            "The same, but on emulators and boards the model runs in firmware with just the operators that it uses and the model inside. `flash` and `RAM` are then of what would ship: start-up code, TFLM with those operators, the model and a small main, without tinyfarm's protocol and links. Container and host run it as always.",
            "the model \"hello_world\" linked into its own firmware",
            Below::Nothing,
            |phrase| subject(phrase, false, true),
        ),
        given(
            "the model {string} linked into its own firmware and the dataset {string}",
            "The same, with the dataset.",
            "the model \"hello_world\" linked into its own firmware and the dataset \"sine\"",
            Below::Nothing,
            |phrase| subject(phrase, true, true),
        ),
        given(
            "the dataset {string}",
            "Names the dataset: one that `tinyfarm models` lists, or the path of a `.csv`, `.npy` or `.npz` file or of a folder with a `labels.csv`, relative to the feature file.",
            "the dataset \"sine\"",
            Below::Nothing,
            |phrase| {
                Ok(Action::Subject {
                    model: None,
                    dataset: Some(DatasetRef::Named(name(phrase, 0)?)),
                    own_firmware: false,
                })
            },
        ),
        given(
            "the dataset(:)",
            "Gives a small dataset in the feature file itself, as CSV in a doc string or as a table; the heading is that of a CSV file.",
            "the dataset:\n  | x0  | y0     |\n  | 0.0 | 0.0    |\n  | 1.0 | 0.8415 |",
            Below::TableOrDocString,
            inline,
        ),
        given(
            "an arena of at most {quantity}",
            "Lets a job use no more of the target's tensor arena than this.",
            "an arena of at most 2 KiB",
            Below::Nothing,
            |phrase| numbers::bytes(phrase.capture(0)).map(Action::ArenaLimit),
        ),
        given(
            "a time limit of {quantity}",
            "Gives all inferences of one attempt of a job this much time; a runner that takes longer has hung. Overrides `@timeout`.",
            "a time limit of 30 s",
            Below::Nothing,
            |phrase| numbers::duration(phrase.capture(0)).map(Action::TimeLimit),
        ),
        given(
            "{count} retry/retries",
            "Lets the bench fail so many times more before a job is *infra*. A fail of the model is never retried. Overrides `@retries`.",
            "2 retries",
            Below::Nothing,
            |phrase| numbers::count(phrase.capture(0)).map(Action::Retries),
        ),
    ]
}

fn name(phrase: &Phrase<'_>, index: usize) -> Result<String, PhraseError> {
    match phrase.capture(index).trim() {
        "" => Err(PhraseError::new("the name between the quotes is empty")),
        name => Ok(name.to_owned()),
    }
}

fn subject(phrase: &Phrase<'_>, with_dataset: bool, own_firmware: bool) -> Result<Action, PhraseError> {
    let model = Some(name(phrase, 0)?);
    let dataset = with_dataset.then(|| name(phrase, 1).map(DatasetRef::Named)).transpose()?;
    Ok(Action::Subject { model, dataset, own_firmware })
}

fn inline(phrase: &Phrase<'_>) -> Result<Action, PhraseError> {
    let csv = match (phrase.docstring, phrase.table) {
        (Some(text), None) => text.to_owned(),
        (None, Some(rows)) => rows.iter().map(|row| line(row)).collect(),
        _ => {
            return Err(PhraseError::new("either a table or a doc string with CSV is wanted below this step")
                .help("or name a dataset: `Given the dataset \"sine\"`"));
        }
    };
    if csv.trim().is_empty() {
        return Err(PhraseError::new("the dataset is empty"));
    }
    Ok(Action::Subject { model: None, dataset: Some(DatasetRef::Inline(csv)), own_firmware: false })
}

/// One row as a line of CSV.
fn line(row: &[String]) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
    };
    row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}
