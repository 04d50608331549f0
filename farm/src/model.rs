//! A `.tflite` file: verified before anything believes it, and described by its tensors and operators.

use crate::Digest;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 32-bit IEEE 754, little-endian.
    Float32,
    /// Signed byte.
    Int8,
    /// Unsigned byte.
    UInt8,
    /// Signed 16-bit, little-endian.
    Int16,
    /// Signed 32-bit, little-endian.
    Int32,
    /// Signed 64-bit, little-endian.
    Int64,
    /// One byte, 0 or 1.
    Bool,
}

/// Affine quantisation of a whole tensor: real = scale × (stored − zero point).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantization {
    /// Step between neighbours.
    pub scale: f32,
    /// The stored value that stands for 0.
    pub zero_point: i64,
}

/// What goes into or comes out of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// As the model names it; may be empty.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Type of each element.
    pub element: ElementType,
    /// How stored values stand for real ones; `None` where they are the real ones.
    pub quantization: Option<Quantization>,
}

/// An operator the model uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operator {
    /// `CONV_2D`; a custom operator's own name.
    pub name: String,
    /// Version, from 1.
    pub version: u32,
}

/// A model: bytes that are a sound flatbuffer of the TensorFlow Lite schema, and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    name: String,
    path: PathBuf,
    bytes: Vec<u8>,
    digest: Digest,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    operators: Vec<Operator>,
}

impl Model {
    /// Its name in steps and reports.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// SHA-256 of the whole file.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// Its input tensors, in order.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }
    /// Its output tensors, in order.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }
    /// The operators it uses, each once, sorted.
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }
}
