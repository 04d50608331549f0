//! Small models, datasets and evidence for the tests of this crate.
#![allow(clippy::unwrap_used)]

use crate::{
    Clock, Dataset, Evidence, Handshake, Inference, Model, Provenance, Slots, Stage, TargetId, TargetInfo,
    dataset::Truth,
    model::fixtures::{Plan, Tensor, TensorType},
};
use std::sync::Arc;

/// A model of one float input element and `elements` float output elements.
pub(crate) fn model(elements: usize) -> Arc<Model> {
    let tensor = |size: usize| vec![Tensor::of(TensorType::FLOAT32, &[1, size as i32])];
    Arc::new(Plan::of(tensor(1), tensor(elements)).model())
}

/// A dataset of `samples` inputs for `model`.
pub(crate) fn dataset(model: &Model, samples: usize, truth: Truth) -> Arc<Dataset> {
    let names = (0..samples).map(|index| format!("row {}", index + 1)).collect();
    let inputs = (0..samples).map(|index| (index as f32).to_le_bytes().to_vec()).collect();
    Arc::new(Dataset::new("numbers", names, inputs, truth, model).unwrap())
}

/// A target.
pub(crate) fn target(id: &str, stage: Stage, clock: Clock, slots: Slots) -> TargetInfo {
    let (core, tags) = ("a core".to_owned(), Vec::new());
    TargetInfo { id: TargetId::from(id), stage, core, clock, slots, simulated: false, tags, kind: None, memory: None }
}

/// What a runner that holds `model` says.
pub(crate) fn handshake(model: &Model, clock: Clock) -> Handshake {
    Handshake {
        runner: "1".to_owned(),
        runner_digest: "abc".to_owned(),
        tflm: "2020".to_owned(),
        core: "a core".to_owned(),
        clock,
        model: model.digest(),
        arena_size: 4096,
        arena_used: 1536,
    }
}

/// Evidence with these outputs; inference `i` took `ticks[i]` ticks.
pub(crate) fn evidence(
    model: &Model,
    dataset: &Dataset,
    target: TargetInfo,
    outputs: &[&[f32]],
    ticks: &[u64],
) -> Evidence {
    let raw = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Evidence {
        clock: target.clock,
        handshake: handshake(model, target.clock),
        target,
        inferences: outputs
            .iter()
            .zip(ticks)
            .map(|(output, ticks)| Inference { output: raw(output), ticks: *ticks })
            .collect(),
        footprint: None,
        log: String::new(),
        provenance: Provenance {
            model: model.digest(),
            dataset: dataset.digest(),
            runner: "abc".to_owned(),
            tflm: "2020".to_owned(),
            tool: "mock".to_owned(),
        },
    }
}
