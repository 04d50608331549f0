//! When: where it runs.

use super::{Below, Definition};
use crate::{
    acceptance::Acceptance,
    action::{Action, Place, Run},
    phrase::{Phrase, PhraseError},
};
use farm::suggest;
use gherkin::StepType;

pub(super) fn definitions() -> Vec<Definition> {
    let when = |pattern, summary, example, below, parse| Definition {
        keyword: StepType::When,
        pattern,
        summary,
        example,
        below,
        parse,
    };
    vec![
        when(
            "it runs on {place}",
            "Runs the model over the dataset there. A job that brings back no evidence ends the scenario with its verdict.",
            "it runs on the emulator \"qemu:mps2-an386\"",
            Below::Nothing,
            |phrase| run(phrase, None, false),
        ),
        when(
            "it runs on {place}, accepted by(:)",
            "Runs it there, and judges the evidence by the acceptance table below; on `every stage`, a stage is judged before the next one starts.",
            "it runs on every stage, accepted by\n  | metric              | container | emulator    |\n  | mean absolute error | <= 0.05   | <= 0.05     |\n  | outputs             |           | = container |",
            Below::Table,
            |phrase| run(phrase, Some(Acceptance::parse(phrase.table()?)?), false),
        ),
        when(
            "it is tried on {place}",
            "Runs it there although it should fail. `it fails because …` or `it does not fit` must follow and say which fail is wanted.",
            "it is tried on the emulator \"qemu:microbit\"",
            Below::Nothing,
            |phrase| run(phrase, None, true),
        ),
    ]
}

fn run(phrase: &Phrase<'_>, accepted_by: Option<Acceptance>, tried: bool) -> Result<Action, PhraseError> {
    let words = phrase.capture(0).split_whitespace().collect::<Vec<_>>().join(" ");
    let place = Place::parse(&words).ok_or_else(|| {
        let bare = |text: &str| text.split('"').step_by(2).collect::<Vec<_>>().join("\"…\"");
        let known: Vec<String> = Place::PHRASES.iter().map(|(phrase, _)| bare(phrase)).collect();
        PhraseError::new(format!("`{words}` is no place to run"))
            .help(suggest::mend(&bare(&words), known.iter().map(String::as_str).collect::<Vec<_>>()))
    })?;
    Ok(Action::Run(Run { place, accepted_by, tried }))
}
