//! Which sample a miss is owed to: what to look at first.

use super::{judge::Subject, metric::Kind, show};
use crate::{
    dataset::Truth,
    metrics::{Agreement, argmax},
};

/// Digits of a number in a message.
const SHORT: usize = 6;

/// `sample 16 (row 17)`.
fn sample(subject: &Subject<'_>, index: usize) -> String {
    match subject.dataset.samples().get(index) {
        Some(known) => format!("sample {index} ({known})"),
        None => format!("sample {index}"),
    }
}

/// The first sample that differs (for a largest difference: where it is), with both values.
pub(super) fn first_that_differs(
    agreement: &Agreement,
    kind: Kind,
    subject: &Subject<'_>,
    name: &str,
) -> Option<String> {
    let sample = |index| sample(subject, index);
    if matches!(kind, Kind::Argmax | Kind::SameArgmax) {
        let first = agreement.first_other_argmax?;
        let element = |index: Option<usize>| index.map_or("none (a NaN)".to_owned(), |index| index.to_string());
        let (found, wanted) = (element(first.found), element(first.reference));
        return Some(format!("the first is {}: argmax {found}, on {name} {wanted}", sample(first.sample)));
    }
    let (at, what) = match kind {
        Kind::LargestDifference => (agreement.largest_at?, "it is at"),
        _ => (agreement.first_difference?, "the first is"),
    };
    let mut text =
        format!("{what} {}, element {}: {}, on {name} {}", sample(at.sample), at.element, at.found, at.reference);
    if kind != Kind::LargestDifference && agreement.largest_difference != 0.0 {
        text += &format!("; the largest difference is {}", show::significant(agreement.largest_difference, SHORT));
    }
    Some(text)
}

/// The first sample whose class is not its label.
pub(super) fn first_misclassified(subject: &Subject<'_>) -> Option<String> {
    let Truth::Labels { labels, classes } = subject.dataset.truth() else { return None };
    let inferences = subject.evidence.inferences.iter().enumerate();
    inferences.zip(labels).find_map(|((index, inference), label)| {
        let answer = argmax(&subject.model.decode_output(&inference.output));
        let class = |index: usize| classes.get(index).map_or("no class", String::as_str);
        (answer != Some(*label)).then(|| {
            let answer = answer.map_or("nothing (a NaN)", class);
            format!("the first is {}: {} taken for {answer}", sample(subject, index), class(*label))
        })
    })
}

/// The element that is furthest from what was expected; the first NaN, if there is one.
pub(super) fn largest_error(subject: &Subject<'_>) -> Option<String> {
    let Truth::Expected(expected) = subject.dataset.truth() else { return None };
    let mut worst = None;
    for (index, (inference, expected)) in subject.evidence.inferences.iter().zip(expected).enumerate() {
        let found = subject.model.decode_output(&inference.output);
        for (element, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (found - expected).abs();
            if worst
                .is_none_or(|(largest, ..): (f64, _, _, _, _)| !largest.is_nan() && (error.is_nan() || error > largest))
            {
                worst = Some((error, index, element, *found, *expected));
            }
        }
    }
    let (_, index, element, found, expected) = worst?;
    Some(format!("it is at {}, element {element}: {found}, not {expected}", sample(subject, index)))
}
