//! Small models, datasets and evidence for the tests of this crate.
#![allow(clippy::unwrap_used)]

use crate::{
    Clock, Dataset, Evidence, Handshake, Inference, Model, Provenance, Slots, Stage, TargetId, TargetInfo,
    dataset::Truth,
};
use flatbuffers::{FlatBufferBuilder, TableFinishedWIPOffset, TableUnfinishedWIPOffset, WIPOffset};
use std::{path::Path, sync::Arc};

/// A model of one float input element and `elements` float output elements. It has no operators: it only describes.
pub(crate) fn model(elements: usize) -> Arc<Model> {
    let mut b = FlatBufferBuilder::new();
    let tensor = |b: &mut FlatBufferBuilder<'_>, size: usize| {
        let shape = b.create_vector(&[1_i32, size as i32]);
        let start = b.start_table();
        b.push_slot_always(4, shape);
        table(b, start)
    };
    let tensors = [tensor(&mut b, 1), tensor(&mut b, elements)];
    let tensors = b.create_vector(&tensors);
    let (inputs, outputs) = (b.create_vector(&[0_i32]), b.create_vector(&[1_i32]));
    let none: [WIPOffset<TableFinishedWIPOffset>; 0] = [];
    let (operators, codes) = (b.create_vector(&none), b.create_vector(&none));
    let start = b.start_table();
    b.push_slot_always(4, tensors);
    b.push_slot_always(6, inputs);
    b.push_slot_always(8, outputs);
    b.push_slot_always(10, operators);
    let graph = table(&mut b, start);
    let graphs = b.create_vector(&[graph]);
    let start = b.start_table();
    let buffer = table(&mut b, start);
    let buffers = b.create_vector(&[buffer]);
    let start = b.start_table();
    b.push_slot_always(4, 3_u32);
    b.push_slot_always(6, codes);
    b.push_slot_always(8, graphs);
    b.push_slot_always(12, buffers);
    let model = table(&mut b, start);
    b.finish(model, Some("TFL3"));
    Arc::new(Model::from_bytes("tiny", Path::new("tiny.tflite"), b.finished_data().to_vec()).unwrap())
}

fn table(
    b: &mut FlatBufferBuilder<'_>,
    start: WIPOffset<TableUnfinishedWIPOffset>,
) -> WIPOffset<TableFinishedWIPOffset> {
    b.end_table(start)
}

/// A dataset of `samples` inputs for `model`.
pub(crate) fn dataset(model: &Model, samples: usize, truth: Truth) -> Arc<Dataset> {
    let names = (0..samples).map(|index| format!("row {}", index + 1)).collect();
    let inputs = (0..samples).map(|index| (index as f32).to_le_bytes().to_vec()).collect();
    Arc::new(Dataset::new("numbers", names, inputs, truth, model).unwrap())
}

/// A target.
pub(crate) fn target(id: &str, stage: Stage, clock: Clock, slots: Slots) -> TargetInfo {
    TargetInfo { id: TargetId::from(id), stage, core: "a core".to_owned(), clock, slots, simulated: false }
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
