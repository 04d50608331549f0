//! From a file, or bytes, to a model that may be believed.

use super::{
    error::ModelError,
    tensor::TensorSpec,
    verify::{Anatomy, Flaw, Operator, inspect},
};
use crate::Digest;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The longest file that is taken for a model: 64 MiB.
pub const MAX_MODEL_BYTES: u64 = 64 << 20;

/// A model: bytes that are a sound flatbuffer of the TensorFlow Lite schema, and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    name: String,
    path: PathBuf,
    bytes: Vec<u8>,
    digest: Digest,
    schema_version: u32,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    operators: Vec<Operator>,
}

impl Model {
    /// Reads and verifies the model in the file `path`, to be known as `name`.
    ///
    /// # Errors
    /// [`ModelError`]: not there, not readable, empty, too large, not TensorFlow Lite, truncated, corrupt.
    pub fn load(name: &str, path: &Path) -> Result<Self, ModelError> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => ModelError::NotFound { path: path.to_owned() },
            _ => ModelError::Unreadable { path: path.to_owned(), error },
        };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length > MAX_MODEL_BYTES {
            return Err(ModelError::TooLarge { path: path.to_owned(), bytes: length, limit: MAX_MODEL_BYTES });
        }
        let mut bytes = Vec::with_capacity(length as usize);
        // One more than allowed, so that a file without a true length (a pipe, a device) cannot fill the memory.
        file.take(MAX_MODEL_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_bytes(name, path, bytes)
    }

    /// Verifies the model in `bytes`, to be known as `name`; `path` is only for messages.
    ///
    /// # Errors
    /// [`ModelError`]: empty, too large, not TensorFlow Lite, truncated, corrupt.
    pub fn from_bytes(name: &str, path: &Path, bytes: Vec<u8>) -> Result<Self, ModelError> {
        let path = path.to_owned();
        let length = bytes.len() as u64;
        if bytes.is_empty() {
            return Err(ModelError::Empty { path });
        }
        if length > MAX_MODEL_BYTES {
            return Err(ModelError::TooLarge { path, bytes: length, limit: MAX_MODEL_BYTES });
        }
        if bytes.get(4..8) != Some(b"TFL3") {
            return Err(ModelError::NotTflite { path, found: guess(&bytes) });
        }
        let Anatomy { schema_version, inputs, outputs, operators } = match inspect(&bytes) {
            Ok(anatomy) => anatomy,
            Err(Flaw::Truncated(detail)) => return Err(ModelError::Truncated { path, bytes: length, detail }),
            Err(Flaw::Corrupt(detail)) => return Err(ModelError::Corrupt { path, detail }),
            Err(Flaw::Unsupported(detail)) => return Err(ModelError::Unsupported { path, detail }),
        };
        let digest = Digest::of(&bytes);
        Ok(Self { name: name.to_owned(), path, bytes, digest, schema_version, inputs, outputs, operators })
    }

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
    /// The version of the schema it says it follows. It is 3 in all that TFLM runs; whether it runs is the runner's to
    /// say.
    pub fn schema_version(&self) -> u32 {
        self.schema_version
    }
    /// Its input tensors, in order; never none.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }
    /// Its output tensors, in order; never none.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }
    /// The operators it uses, each once, sorted.
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }
    /// Bytes of all input tensors together: what one sample is encoded to.
    pub fn input_bytes(&self) -> usize {
        self.inputs.iter().map(TensorSpec::bytes).sum()
    }
    /// Bytes of all output tensors together: what one inference brings back.
    pub fn output_bytes(&self) -> usize {
        self.outputs.iter().map(TensorSpec::bytes).sum()
    }
    /// Elements of all input tensors together.
    pub fn input_elements(&self) -> usize {
        self.inputs.iter().map(TensorSpec::elements).sum()
    }
    /// Elements of all output tensors together.
    pub fn output_elements(&self) -> usize {
        self.outputs.iter().map(TensorSpec::elements).sum()
    }
    /// The real values of all output tensors, concatenated in order, from the bytes of one inference. Of fewer bytes
    /// than [`Model::output_bytes`] come fewer values.
    pub fn decode_output(&self, bytes: &[u8]) -> Vec<f64> {
        split(&self.outputs, bytes).flat_map(|(spec, bytes)| spec.decode(bytes)).collect()
    }
    /// The stored values (not dequantised) of all output tensors, concatenated in order.
    pub fn raw_output(&self, bytes: &[u8]) -> Vec<f64> {
        split(&self.outputs, bytes).flat_map(|(spec, bytes)| spec.stored(bytes)).collect()
    }
}

/// Each tensor with its part of `bytes`.
fn split<'a>(specs: &'a [TensorSpec], mut bytes: &'a [u8]) -> impl Iterator<Item = (&'a TensorSpec, &'a [u8])> {
    specs.iter().map(move |spec| {
        let (part, rest) = bytes.split_at(spec.bytes().min(bytes.len()));
        bytes = rest;
        (spec, part)
    })
}

/// What the bytes look like, where they are no model, and the mend.
fn guess(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(512)];
    let text = String::from_utf8_lossy(head).trim_start().to_lowercase();
    let known: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "it is a zip archive (a .keras file?); convert or unpack it first"),
        (b"\x89HDF", "it is an HDF5 file (a Keras model?); convert it with tf.lite.TFLiteConverter"),
        (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
        (b"\x7fELF", "it is an ELF program; give the .tflite file"),
        (b"TFMI", "it is a model image for a runner; give the .tflite file"),
    ];
    if text.starts_with("version https://git-lfs") {
        "it is a Git LFS pointer; fetch the file itself with `git lfs pull`".to_owned()
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "it is an HTML page; download the file itself (the raw link)".to_owned()
    } else if let Some((_, found)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        (*found).to_owned()
    } else if text.contains("unsigned char") {
        "it is C source; give the .tflite file that it was made from".to_owned()
    } else if let Some(identifier) = head.get(4..8) {
        format!("its bytes 4 to 7 are `{}`, not `TFL3`; is it the right file?", identifier.escape_ascii())
    } else {
        format!("it is only {} bytes long; is it the right file?", bytes.len())
    }
}
