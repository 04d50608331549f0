//! `tinyfarm models`: the models and datasets that features may name.

use super::{NO_FILE, say};
use crate::{WRONG, config::Config, targets};
use farm::TensorSpec;
use std::path::Path;

/// Loads every model and dataset, and prints what it is, or what is wrong with it.
pub fn run(config: &Config) -> miette::Result<u8> {
    let library = targets::library(config)?;
    let mut sound = true;
    if config.file.is_none() && library.models().next().is_none() {
        say(format_args!("no models: {NO_FILE}"))?;
    }
    for entry in library.models() {
        say(format_args!("{}: {}", entry.name, entry.summary))?;
        let model = match library.model(&entry.name, Path::new(".")) {
            Ok(model) => model,
            Err(error) => {
                say(format_args!("    not usable: {error}"))?;
                sound = false;
                continue;
            }
        };
        say(format_args!("    {} bytes, sha256 {}", model.bytes().len(), model.digest()))?;
        say(format_args!("    takes {}", tensors(model.inputs())))?;
        say(format_args!("    gives {}", tensors(model.outputs())))?;
        let operators: Vec<String> =
            model.operators().iter().map(|op| format!("{} v{}", op.name, op.version)).collect();
        say(format_args!("    operators: {}", operators.join(", ")))?;
        for data in library.datasets().filter(|data| data.model.as_deref() == Some(&*entry.name)) {
            let state = match library.dataset(&data.name, Path::new("."), &model) {
                Ok(dataset) => format!("{} samples", dataset.len()),
                Err(error) => {
                    sound = false;
                    format!("not usable: {error}")
                }
            };
            say(format_args!("    dataset {}: {} ({state})", data.name, data.summary))?;
        }
    }
    for data in library.datasets().filter(|data| data.model.is_none()) {
        say(format_args!("dataset {}: {}", data.name, data.summary))?;
    }
    Ok(if sound { 0 } else { WRONG })
}

fn tensors(specs: &[TensorSpec]) -> String {
    let one = |spec: &TensorSpec| {
        let quantised = spec.quantization.map(|q| format!(" (scale {}, zero point {})", q.scale, q.zero_point));
        format!("{spec}{}", quantised.unwrap_or_default())
    };
    specs.iter().map(one).collect::<Vec<_>>().join(", ")
}
