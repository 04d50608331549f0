//! A dataset, ready for a model.

use super::{DatasetError, DatasetSource, gather::counted};
use crate::{Digest, Model};

/// What is known of the right answers. Every list has one entry for each sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// Nothing: only agreement, timings and sizes can be judged.
    Unknown,
    /// The values of all output elements, real (not quantised), in the model's order.
    Expected(Vec<Vec<f64>>),
    /// The right class of each sample, an index into `classes`.
    Labels {
        /// Class index of each sample.
        labels: Vec<usize>,
        /// Names of the classes, in the order of the model's output elements.
        classes: Vec<String>,
    },
}

/// Samples ready for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    name: String,
    digest: Digest,
    samples: Vec<String>,
    inputs: Vec<Vec<u8>>,
    truth: Truth,
    warnings: Vec<String>,
}

impl Dataset {
    /// Reads the dataset at `source`, to be known as `name`, checks it against `model` and encodes it for it.
    ///
    /// # Errors
    /// [`DatasetError`]: whatever keeps it from being run, with place and mend.
    pub fn load(name: &str, source: &DatasetSource, model: &Model) -> Result<Self, DatasetError> {
        super::gather::load(name, source, model)
    }

    /// A dataset of `inputs` that are encoded already: each the model's input tensors' raw bytes, concatenated.
    /// `samples` names them for reports.
    ///
    /// # Errors
    /// [`DatasetError`]: no samples, lists of different lengths, an input that is not as long as the model takes, truth
    /// that does not fit the model's outputs.
    pub fn new(
        name: &str,
        samples: Vec<String>,
        inputs: Vec<Vec<u8>>,
        truth: Truth,
        model: &Model,
    ) -> Result<Self, DatasetError> {
        let place = || format!("dataset {name}");
        let shape = |detail: String| DatasetError::Shape { place: place(), detail };
        if inputs.is_empty() {
            return Err(DatasetError::Empty { place: place(), what: "samples" });
        }
        let count = inputs.len();
        if samples.len() != count {
            return Err(shape(format!("{} for {}", counted(samples.len(), "name"), counted(count, "sample"))));
        }
        let wanted = model.input_bytes();
        if let Some((sample, input)) = samples.iter().zip(&inputs).find(|(_, input)| input.len() != wanted) {
            let found = input.len();
            return Err(shape(format!(
                "{sample} has {} where model {} takes {wanted}",
                counted(found, "byte"),
                model.name()
            )));
        }
        check_truth(&truth, count, &samples, model).map_err(shape)?;
        let digest = digest(inputs.iter().map(Vec::as_slice), &truth);
        Ok(Self { name: name.to_owned(), digest, samples, inputs, truth, warnings: Vec::new() })
    }

    /// With the digest of its values as they were given, in place of that of the bytes they became for one model.
    pub(super) fn given_as(self, given: Digest) -> Self {
        Self { digest: digest([given.0.as_slice()], &self.truth), ..self }
    }

    pub(super) fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// Its name in steps and reports.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Digest of inputs and truth. Real values count as they were given, and not as they are quantised for a model: the same
    /// data are the same dataset for every model.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// How people find each sample again: `row 17`, a file's name.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }
    /// For each sample the raw bytes of the model's input tensors, concatenated in order.
    pub fn inputs(&self) -> &[Vec<u8>] {
        &self.inputs
    }
    /// The right answers.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }
    /// How many samples there are; never 0.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }
    /// Never: a dataset without samples cannot be made.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }
    /// What is worth saying and no error: values that were saturated. One sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn check_truth(truth: &Truth, count: usize, samples: &[String], model: &Model) -> Result<(), String> {
    let elements = model.output_elements();
    match truth {
        Truth::Unknown => Ok(()),
        Truth::Expected(rows) => {
            if rows.len() != count {
                return Err(format!(
                    "{} for {}",
                    counted(rows.len(), "row of expected outputs"),
                    counted(count, "sample")
                ));
            }
            for (sample, row) in samples.iter().zip(rows) {
                if row.len() != elements {
                    let found = row.len();
                    return Err(format!(
                        "{sample} expects {} where model {} gives {elements}",
                        counted(found, "value"),
                        model.name()
                    ));
                }
                if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                    return Err(format!("{sample} expects {value}, which is not a finite number"));
                }
            }
            Ok(())
        }
        Truth::Labels { labels, classes } => {
            if labels.len() != count {
                return Err(format!("{} for {}", counted(labels.len(), "label"), counted(count, "sample")));
            }
            if classes.len() != elements {
                return Err(super::labels::wrong_class_count(classes.len(), model));
            }
            match samples.iter().zip(labels).find(|(_, label)| **label >= classes.len()) {
                Some((sample, label)) => Err(format!("{sample} has the label {label} of {} classes", classes.len())),
                None => Ok(()),
            }
        }
    }
}

fn digest<'a>(inputs: impl IntoIterator<Item = &'a [u8]>, truth: &Truth) -> Digest {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    match truth {
        Truth::Unknown => parts.push(b"unknown".to_vec()),
        Truth::Expected(rows) => {
            parts.push(b"expected".to_vec());
            parts.extend(rows.iter().map(|row| row.iter().flat_map(|value| value.to_le_bytes()).collect()));
        }
        Truth::Labels { labels, classes } => {
            parts.push(b"labels".to_vec());
            parts.push(labels.iter().flat_map(|label| (*label as u64).to_le_bytes()).collect());
            parts.extend(classes.iter().map(|class| class.as_bytes().to_vec()));
        }
    }
    let inputs: Vec<&[u8]> = inputs.into_iter().collect();
    Digest::of_parts(inputs.into_iter().chain(parts.iter().map(Vec::as_slice)))
}
