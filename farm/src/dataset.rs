//! Inputs with labels or expected outputs where known, encoded for one model and checked against it.

use crate::Digest;

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
}

impl Dataset {
    /// Its name in steps and reports.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Digest of encoded inputs and truth.
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
}
