//! Then: how the evidence of the latest run is judged.

use super::{Below, Definition};
use crate::{acceptance::criterion, action::Action, baseline::NotWorse, outputs::ExpectedOutputs, phrase::PhraseError};
use gherkin::StepType;

pub(super) fn definitions() -> Vec<Definition> {
    let then = |pattern, summary, example, below, parse| Definition {
        keyword: StepType::Then,
        pattern,
        summary,
        example,
        below,
        parse,
    };
    vec![
        then(
            "the {metric} is/are {comparison} {quantity}",
            "Judges a metric by a bound: `at most`, `at least`, `below`, `above` or `exactly`.",
            "the top-1 accuracy is at least 90 %",
            Below::Nothing,
            |phrase| {
                let bound = format!("{} {}", operator(phrase.capture(1)), phrase.capture(2));
                Ok(Action::Judge(vec![criterion(phrase.capture(0), &bound)?]))
            },
        ),
        then(
            "the {metric} of class {string} is/are {comparison} {quantity}",
            "Judges a metric of one class: precision, recall or F1.",
            "the recall of class \"yes\" is at least 0.9",
            Below::Nothing,
            |phrase| {
                let bound = format!(
                    "{} {} for class \"{}\"",
                    operator(phrase.capture(2)),
                    phrase.capture(3),
                    phrase.capture(1)
                );
                Ok(Action::Judge(vec![criterion(phrase.capture(0), &bound)?]))
            },
        ),
        then(
            "the {metric} is/are between {quantity} and {quantity}",
            "Judges a metric by two bounds, both of which still hold.",
            "the instructions p99 is between 1,000 and 8,000",
            Below::Nothing,
            |phrase| {
                let metric = phrase.capture(0);
                let least = criterion(metric, &format!(">= {}", phrase.capture(1)))?;
                let most = criterion(metric, &format!("<= {}", phrase.capture(2)))?;
                Ok(Action::Judge(vec![least, most]))
            },
        ),
        then(
            "the {metric} against {reference} is/are {comparison} {quantity}",
            "Judges a metric that compares with another target: `identical outputs`, `same argmax` or `largest difference`.",
            "the largest difference against the container's is at most 1e-6",
            Below::Nothing,
            |phrase| {
                let (operator, quantity) = (operator(phrase.capture(2)), phrase.capture(3));
                let bound = format!("{operator} {quantity} against {}", reference(phrase.capture(1))?);
                Ok(Action::Judge(vec![criterion(phrase.capture(0), &bound)?]))
            },
        ),
        then(
            "the outputs are bit-identical to {reference}",
            "Compares every output byte with another target's, which is run first if this scenario has not run it yet.",
            "the outputs are bit-identical to the container's",
            Below::Nothing,
            |phrase| Ok(Action::Judge(vec![criterion("outputs", &format!("= {}", reference(phrase.capture(0))?))?])),
        ),
        then(
            "the outputs are within {quantity} of {reference}",
            "Compares every real output value with another target's.",
            "the outputs are within 1e-6 of those on \"qemu:mps2-an386\"",
            Below::Nothing,
            |phrase| {
                let bound = format!("within {} of {}", phrase.capture(0), reference(phrase.capture(1))?);
                Ok(Action::Judge(vec![criterion("outputs", &bound)?]))
            },
        ),
        then(
            "the argmax is the same as {reference}",
            "Compares the class with the largest output value, sample by sample, with another target's.",
            "the argmax is the same as the container's",
            Below::Nothing,
            |phrase| Ok(Action::Judge(vec![criterion("argmax", &format!("= {}", reference(phrase.capture(0))?))?])),
        ),
        then(
            "every sample is classified correctly",
            "Counts the samples whose largest output value is not that of their label: there must be none.",
            "every sample is classified correctly",
            Below::Nothing,
            |_| Ok(Action::Judge(vec![criterion("misclassified samples", "= 0")?])),
        ),
        then(
            "the outputs are(:)",
            "Compares the outputs of some samples with given values: whole numbers with the stored values of a quantised model, exactly; others with real values, to the digits written.",
            "the outputs are\n  | sample    | outputs    |\n  | person    | 43 250 44  |\n  | no_person | 14 107 215 |",
            Below::Table,
            |phrase| ExpectedOutputs::parse(phrase.table()?).map(Action::Outputs),
        ),
        then(
            "nothing is worse than the baseline",
            "Compares each job with the accepted figures of the same model, dataset and target: every metric and the outputs. \
             See Baselines, below.",
            "nothing is worse than the baseline",
            Below::Nothing,
            |_| NotWorse::parse(None, None).map(Action::NotWorse),
        ),
        then(
            "nothing is worse than the baseline by more than {quantity}",
            "The same, but a metric may be worse by this share of its accepted value. Outputs may not.",
            "nothing is worse than the baseline by more than 2 %",
            Below::Nothing,
            |phrase| NotWorse::parse(None, Some(phrase.capture(0))).map(Action::NotWorse),
        ),
        then(
            "the {metric} is/are not worse than the baseline",
            "Compares one metric, or the outputs, with what was accepted.",
            "the instructions p99 is not worse than the baseline",
            Below::Nothing,
            |phrase| NotWorse::parse(Some(phrase.capture(0)), None).map(Action::NotWorse),
        ),
        then(
            "the {metric} is/are not worse than the baseline by more than {quantity}",
            "Compares one metric with what was accepted; it may be worse by this share of it.",
            "the latency p99 is not worse than the baseline by more than 2 %",
            Below::Nothing,
            |phrase| NotWorse::parse(Some(phrase.capture(0)), Some(phrase.capture(1))).map(Action::NotWorse),
        ),
        then(
            "it fails because {string}",
            "After `it is tried on`: every job must have failed, for a reason that contains these words, letter case aside.",
            "it fails because \"unsupported operator\"",
            Below::Nothing,
            |phrase| match phrase.capture(0).trim() {
                "" => Err(PhraseError::new("the reason between the quotes is empty: any fail would do")),
                reason => Ok(Action::FailsBecause(reason.to_owned())),
            },
        ),
        then(
            "it does not fit",
            "After `it is tried on`: every job must have failed because model or arena are too large for the target.",
            "it does not fit",
            Below::Nothing,
            |_| Ok(Action::DoesNotFit),
        ),
    ]
}

/// The sign of a comparison in words; the pattern lets no other through.
fn operator(words: &str) -> &'static str {
    match words {
        "at most" => "<=",
        "at least" => ">=",
        "below" | "under" => "<",
        "above" | "over" => ">",
        _ => "=",
    }
}

/// The target that a comparison is with.
fn reference(words: &str) -> Result<&str, PhraseError> {
    match words {
        "the container's" => Ok("container"),
        "the host's" => Ok("host"),
        other => match other.split('"').nth(1).map(str::trim) {
            Some(name) if !name.is_empty() => Ok(name),
            _ => Err(PhraseError::new("the target to compare with has no name")),
        },
    }
}
