//! Samples one by one into a dataset, within bounds; what all formats share.

use super::{
    DEFAULT_MAX_BYTES, Data, Dataset, DatasetError, DatasetSource, Encoding, Options, Truth, folder, npy, table,
};
use crate::{Digest, ElementType, Model, TensorSpec, model::EncodeError};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

pub(super) fn load(name: &str, source: &DatasetSource, model: &Model) -> Result<Dataset, DatasetError> {
    let limit = source.options.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
    let place = match &source.data {
        Data::Csv(path) | Data::Npz(path) | Data::Npy { inputs: path, .. } => path.display().to_string(),
        Data::Folder { labels, .. } => labels.display().to_string(),
        Data::InlineCsv(_) => "doc string".to_owned(),
    };
    let mut gather = Gather::new(place, model, &source.options, limit)?;
    let truth = match &source.data {
        Data::Csv(path) => table::gather(&read(path, "dataset", limit)?, &mut gather)?,
        Data::InlineCsv(text) => table::gather(text.as_bytes(), &mut gather)?,
        Data::Npy { inputs, labels, expected } => {
            npy::gather_npy(inputs, labels.as_deref(), expected.as_deref(), &mut gather)?
        }
        Data::Npz(path) => npy::gather_npz(path, &mut gather)?,
        Data::Folder { folder, labels } => folder::gather(folder, labels, &mut gather)?,
    };
    gather.finish(name, truth)
}

/// The whole file, unless it is longer than `limit` bytes.
pub(super) fn read(path: &Path, what: &'static str, limit: u64) -> Result<Vec<u8>, DatasetError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => DatasetError::NotFound { path: path.to_owned(), what },
        _ => DatasetError::Unreadable { path: path.to_owned(), error },
    };
    let too_large = |bytes| DatasetError::TooLarge { place: path.display().to_string(), bytes, limit };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length > limit {
        return Err(too_large(length));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Samples that have been read so far.
pub(super) struct Gather<'a> {
    /// The file, for messages.
    pub place: String,
    pub model: &'a Model,
    pub options: &'a Options,
    /// How many bytes files, and encoded inputs, may take.
    pub limit: u64,
    samples: Vec<String>,
    inputs: Vec<Vec<u8>>,
    taken: u64,
    saturated: usize,
    first_saturated: Option<String>,
    /// Digest of all values so far, as they were given.
    given: Digest,
}

impl<'a> Gather<'a> {
    fn new(place: String, model: &'a Model, options: &'a Options, limit: u64) -> Result<Self, DatasetError> {
        if options.samples == Some(0) {
            return Err(DatasetError::Options { place, detail: "`samples` is 0; take at least 1".to_owned() });
        }
        let (samples, inputs) = Default::default();
        let given = Digest::of(&[]);
        Ok(Self { place, model, options, limit, samples, inputs, taken: 0, saturated: 0, first_saturated: None, given })
    }

    /// Whether as many samples as the options ask for are there.
    pub fn is_full(&self) -> bool {
        self.options.samples.is_some_and(|samples| self.samples.len() >= samples)
    }

    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Takes one sample, encoded.
    pub fn push(&mut self, sample: String, input: Vec<u8>) -> Result<(), DatasetError> {
        self.taken += input.len() as u64;
        if self.taken > self.limit {
            return Err(DatasetError::TooLarge { place: self.place.clone(), bytes: self.taken, limit: self.limit });
        }
        self.samples.push(sample);
        self.inputs.push(input);
        Ok(())
    }

    /// The bytes of `values`, which are those of all input tensors in order. `locate` says where a value is to be found.
    pub fn encode(
        &mut self,
        encoding: Encoding,
        values: &[f64],
        locate: impl Fn(usize) -> String,
    ) -> Result<Vec<u8>, DatasetError> {
        let mut bytes = Vec::with_capacity(self.model.input_bytes());
        for (spec, range) in ranges(self.model.inputs()) {
            bytes.extend(self.encode_tensor(
                spec,
                encoding,
                values.get(range.clone()).unwrap_or_default(),
                |index| locate(range.start + index),
            )?);
        }
        Ok(bytes)
    }

    /// The bytes of `values`, which are those of one input tensor.
    pub fn encode_tensor(
        &mut self,
        spec: &TensorSpec,
        encoding: Encoding,
        values: &[f64],
        locate: impl Fn(usize) -> String,
    ) -> Result<Vec<u8>, DatasetError> {
        let (width, given) = compact(values);
        self.note(encoding, width, &given);
        let encoded = match encoding {
            Encoding::Real => spec.encode_counting(values),
            Encoding::Stored => spec.encode_stored(values).map(|bytes| (bytes, Vec::new())),
        };
        let (bytes, saturated) = encoded.map_err(|error| self.misfit(error, encoding, &locate))?;
        self.saturated += saturated.len();
        if let (Some(&index), None) = (saturated.first(), &self.first_saturated) {
            self.first_saturated = Some(format!("{} at {}", values[index], locate(index)));
        }
        Ok(bytes)
    }

    /// Counts `bytes`, which stand for values of one tensor, into the dataset's digest.
    pub fn note(&mut self, encoding: Encoding, width: u8, bytes: &[u8]) {
        let kind = [u8::from(encoding == Encoding::Stored), width];
        self.given = Digest::of_parts([self.given.0.as_slice(), &kind, bytes]);
    }

    /// The real values of expected outputs, checked.
    pub fn expect(&self, values: Vec<f64>, locate: impl Fn(usize) -> String) -> Result<Vec<f64>, DatasetError> {
        let wanted = self.model.output_elements();
        if values.len() != wanted {
            let (found, name) = (values.len(), self.model.name());
            let outputs = tensors(self.model.outputs());
            let detail = format!(
                "{} for each sample where model {name} gives {wanted}: {outputs}",
                counted(found, "expected output")
            );
            return Err(DatasetError::Shape { place: self.place.clone(), detail });
        }
        let encoding = self.options.expected_encoding.unwrap_or(Encoding::Real);
        if encoding == Encoding::Real {
            return match values.iter().position(|value| !value.is_finite()) {
                Some(index) => Err(self.misfit(not_finite(index, values[index]), encoding, &locate)),
                None => Ok(values),
            };
        }
        let mut real = Vec::with_capacity(wanted);
        for (spec, range) in ranges(self.model.outputs()) {
            let bytes = spec
                .encode_stored(values.get(range.clone()).unwrap_or_default())
                .map_err(|error| self.misfit(error, encoding, &|index| locate(range.start + index)))?;
            real.extend(spec.decode(&bytes));
        }
        Ok(real)
    }

    fn misfit(&self, error: EncodeError, encoding: Encoding, locate: &dyn Fn(usize) -> String) -> DatasetError {
        match error {
            EncodeError::Value { index, value, why } => {
                let mend = match encoding {
                    _ if !value.is_finite() => "mend the value, or leave the sample out",
                    Encoding::Stored => "mend the value, or say `encoding = \"real\"` if values are real ones",
                    Encoding::Real => "mend the value",
                };
                DatasetError::Value { place: locate(index), detail: format!("{value} {why}; {mend}") }
            }
            count @ EncodeError::Count { .. } => {
                DatasetError::Shape { place: self.place.clone(), detail: count.to_string() }
            }
        }
    }

    fn finish(self, name: &str, truth: Truth) -> Result<Dataset, DatasetError> {
        if self.samples.is_empty() {
            return Err(DatasetError::Empty { place: self.place, what: "rows" });
        }
        if let Some(wanted) = self.options.samples
            && self.samples.len() < wanted
        {
            let found = self.samples.len();
            let detail = format!("has {}, and `samples = {wanted}` asks for more", counted(found, "sample"));
            return Err(DatasetError::Options { place: self.place, detail });
        }
        let mut warnings = Vec::new();
        if let Some(first) = &self.first_saturated {
            warnings.push(format!(
                "{}: {} of the input values lie beyond what the model's input can hold ({}) and were saturated; the first is {first}",
                self.place, self.saturated, tensor_ranges(self.model.inputs()),
            ));
        }
        let given = self.given;
        Dataset::new(name, self.samples, self.inputs, truth, self.model)
            .map(|dataset| dataset.given_as(given).with_warnings(warnings))
    }
}

/// `values` in as few bytes each as hold all of them, and how many that is: most are pixels, or were single precision, and
/// what is digested is eight times as long otherwise.
fn compact(values: &[f64]) -> (u8, Vec<u8>) {
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
    if values.iter().all(|value| same(f64::from(*value as u8), *value)) {
        (1, values.iter().map(|value| *value as u8).collect())
    } else if values.iter().all(|value| same(f64::from(*value as f32), *value)) {
        (4, values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect())
    } else {
        (8, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

fn not_finite(index: usize, value: f64) -> EncodeError {
    EncodeError::Value { index, value, why: "is not a finite number".to_owned() }
}

/// Each tensor with its place among the elements of all.
pub(super) fn ranges(specs: &[TensorSpec]) -> impl Iterator<Item = (&TensorSpec, std::ops::Range<usize>)> {
    let mut start = 0;
    specs.iter().map(move |spec| {
        let range = start..start + spec.elements();
        start = range.end;
        (spec, range)
    })
}

/// `1 column`, `2 columns`, `3 columns of expected outputs`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let (noun, rest) =
        what.split_once(" of ").map_or((what, String::new()), |(noun, rest)| (noun, format!(" of {rest}")));
    format!(
        "{count} {noun}{}{rest}",
        if count == 1 {
            ""
        } else if noun.ends_with("ss") {
            "es"
        } else {
            "s"
        }
    )
}

/// `float32 [1,1]`, or several with commas.
pub(super) fn tensors(specs: &[TensorSpec]) -> String {
    specs.iter().map(TensorSpec::to_string).collect::<Vec<_>>().join(", ")
}

/// `uint8, real values from 0 to 26`.
fn tensor_ranges(specs: &[TensorSpec]) -> String {
    let range = |spec: &TensorSpec| {
        let (least, greatest) = spec.element.range().unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        format!("{}: {} to {}", spec.element, spec.dequantize(least) as f32, spec.dequantize(greatest) as f32)
    };
    specs.iter().map(range).collect::<Vec<_>>().join(", ")
}

/// What numbers of type `found` (`None`: floating point, or integers no tensor has) are for `spec`, unless said.
pub(super) fn encoding_of(
    given: Option<Encoding>,
    found: Option<ElementType>,
    word: &str,
    spec: &TensorSpec,
    place: &str,
) -> Result<Encoding, DatasetError> {
    let is_float = word.starts_with("float");
    match given {
        Some(encoding) => Ok(encoding),
        None if is_float || spec.element == ElementType::Float32 => Ok(Encoding::Real),
        None if found == Some(spec.element) || spec.quantization.is_none() => Ok(Encoding::Stored),
        None => {
            let detail = format!(
                "holds {word} where the model takes {spec}; say in its manifest whether they are real values (`encoding = \"real\"`) or stored ones (`encoding = \"stored\"`)"
            );
            Err(DatasetError::Options { place: place.to_owned(), detail })
        }
    }
}
