//! A small soak: jobs on simulated boards with random faults. `make bench` does a large one with the same code. The only
//! test of its program, for it looks at all that the process has.
//!
//! | module | what lives there |
//! |---|---|
//! | `campaign` | the jobs, the faults, and what came of them |
//! | `explain` | whether the farm's tale agrees with the boards' |
//! | `leftovers` | threads, processes and files |
//! | `yard` | boards side by side |
#![allow(clippy::unwrap_used, missing_docs)]

mod campaign;
mod explain;
mod leftovers;
mod yard;

use campaign::{Campaign, FAULTS, SEEDS, Subject};
use farm::Model;
use firmware::{Builder, tflm};
use std::{env, path::PathBuf, sync::Arc};

#[test]
fn every_verdict_has_its_cause_and_nothing_is_left_over() {
    let folder = firmware::tfmicro_dir().unwrap().join("examples/models");
    let subject = |name: &str, inputs: fn(usize) -> Vec<u8>, count, samples| {
        let model = Arc::new(Model::load(name, &folder.join(format!("{name}.tflite"))).unwrap());
        let bytes = model.input_bytes();
        Subject { model, inputs: (0..count).map(|index| pad(inputs(index), bytes)).collect(), samples }
    };
    let sine = |index: usize| (index as f32 * 0.1).to_le_bytes().to_vec();
    let wand = |index: usize| (0..96).flat_map(|at| ((at + index) as f32 * 0.01).to_le_bytes()).collect();
    let cache = env::var_os("TINYFARM_CACHE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tinyfarm")), PathBuf::from);
    let campaign = Campaign {
        seed: SEEDS[0],
        jobs: 40,
        boards: 3,
        jobs_per_fault: 2,
        faults: &FAULTS,
        subjects: &[subject("hello_world", sine, 60, 40), subject("magic_wand", wand, 8, 4)],
        builder: &Arc::new(Builder::new(&cache, tflm::locate().unwrap(), 4)),
        power: &|_, _| None,
    };
    match campaign.run() {
        Ok(came) => println!("seed {:#x}: {came}", campaign.seed),
        Err(error) => panic!("seed {:#x}: {error}", campaign.seed),
    }
}

/// As many bytes as the model wants.
fn pad(mut bytes: Vec<u8>, wanted: usize) -> Vec<u8> {
    bytes.resize(wanted, 0);
    bytes
}
