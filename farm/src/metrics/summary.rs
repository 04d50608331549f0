//! All figures of one job's evidence.

use super::{Classification, Distribution, Errors, Latency, classification::argmax};
use crate::{Clock, Dataset, Evidence, Footprint, Model, dataset::Truth};
use serde::{Deserialize, Serialize};

/// All figures of one job's evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Samples with evidence.
    pub samples: usize,
    /// Errors against the expected values; `None` where the dataset has none.
    pub errors: Option<Errors>,
    /// How well the labels were met; `None` where the dataset has none.
    pub classification: Option<Classification>,
    /// Ticks of each inference, on `clock`.
    pub ticks: Distribution,
    /// What a tick is.
    pub clock: Clock,
    /// Tensor arena the model uses, bytes.
    pub arena_used: u64,
    /// Tensor arena there is, bytes.
    pub arena_size: u64,
    /// The firmware's sizes; `None` on container and host.
    pub footprint: Option<Footprint>,
    /// Bytes of the model file, which lies beside the firmware, or in it where that is its own.
    pub model_bytes: u64,
}

impl Summary {
    /// Draws all figures from `evidence`, which is of `model` and `dataset`.
    pub fn of(model: &Model, dataset: &Dataset, evidence: &Evidence) -> Self {
        let outputs = || evidence.inferences.iter().map(|inference| model.decode_output(&inference.output));
        let (mut errors, mut classification) = (None, None);
        match dataset.truth() {
            Truth::Unknown => (),
            Truth::Expected(expected) => {
                errors = Some(Errors::of(outputs().zip(expected).flat_map(|(found, expected)| {
                    // A missing element is as wrong as a NaN.
                    (0..found.len().max(expected.len())).map(move |element| {
                        let value = |values: &[f64]| values.get(element).copied().unwrap_or(f64::NAN);
                        (value(&found), value(expected))
                    })
                })));
            }
            Truth::Labels { labels, classes } => {
                let answers = outputs().map(|values| argmax(&values));
                classification = Some(Classification::of(classes, labels.iter().copied().zip(answers)));
            }
        }
        Self {
            samples: evidence.inferences.len(),
            errors,
            classification,
            ticks: Distribution::of(evidence.inferences.iter().map(|inference| inference.ticks)),
            clock: evidence.clock,
            arena_used: evidence.handshake.arena_used,
            arena_size: evidence.handshake.arena_size,
            footprint: evidence.footprint,
            model_bytes: model.bytes().len() as u64,
        }
    }

    /// Ticks as time, where the clock tells time; on the host clock informational.
    pub fn latency(&self) -> Option<Latency> {
        self.ticks.latency(&self.clock)
    }

    /// Flash in all: code, constants, initialised data and the model beside them, bytes.
    pub fn flash(&self) -> Option<u64> {
        self.footprint.map(|size| size.text + size.data + self.model_bytes)
    }

    /// RAM in all: initialised data, zeroed data and the arena the model uses, bytes. The stack is in `bss` where the
    /// port sets it aside.
    pub fn ram(&self) -> Option<u64> {
        self.footprint.map(|size| size.data + size.bss + self.arena_used)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Slots, Stage, testing};

    fn summary(truth: Truth, clock: Clock, outputs: &[&[f32]], footprint: Option<Footprint>) -> Summary {
        let model = testing::model(outputs[0].len());
        let dataset = testing::dataset(&model, outputs.len(), truth);
        let target = testing::target("t", Stage::Emulator, clock, Slots::Shared);
        let ticks: Vec<u64> = (1..=outputs.len() as u64).map(|index| 64_000 * index).collect();
        let mut evidence = testing::evidence(&model, &dataset, target, outputs, &ticks);
        evidence.footprint = footprint;
        Summary::of(&model, &dataset, &evidence)
    }

    #[test]
    fn expected_values_give_errors_over_all_elements() {
        let truth = Truth::Expected(vec![vec![1.0, 2.0], vec![3.0, 4.0]]);
        let summary = summary(truth, Clock::QemuInstructions, &[&[1.0, 2.5], &[3.0, 2.5]], None);
        let errors = summary.errors.unwrap();
        assert_eq!((errors.mean_absolute, errors.maximum), (0.5, 1.5));
        assert_eq!(errors.root_mean_square, (2.5_f64 / 4.0).sqrt());
        assert_eq!((&summary.classification, summary.latency()), (&None, None));
    }

    #[test]
    fn labels_give_a_classification_and_a_nan_is_misclassified() {
        let truth = Truth::Labels {
            labels: vec![0, 1, 0],
            classes: vec!["no".to_owned(), "yes".to_owned(), "none".to_owned()],
        };
        let outputs: [&[f32]; 3] = [&[0.5, 0.5, 0.1], &[0.0, 1.0, 0.0], &[1.0, f32::NAN, 0.0]];
        let figures = summary(truth, Clock::QemuInstructions, &outputs, None).classification.unwrap();
        assert_eq!((figures.correct, figures.total), (2, 3));
        assert_eq!(figures.confusion, [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]);
    }

    #[test]
    fn without_truth_there_are_timings_and_sizes() {
        let footprint = Footprint { text: 1000, data: 200, bss: 30 };
        let clock = Clock::BoardCycles { hz: 64_000_000 };
        let summary = summary(Truth::Unknown, clock, &[&[0.0], &[0.0], &[0.0]], Some(footprint));
        assert_eq!((&summary.errors, &summary.classification), (&None, &None));
        assert_eq!(summary.latency().unwrap().median, std::time::Duration::from_millis(2));
        assert_eq!(summary.flash(), Some(1200 + summary.model_bytes));
        assert_eq!(summary.ram(), Some(230 + 1536));
    }
}
