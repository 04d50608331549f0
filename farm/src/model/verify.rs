//! What must hold of a flatbuffer before TFLM, which checks none of this, may see it: a sound flatbuffer of the
//! TensorFlow Lite schema, every index in range, every constant as long as its shape says, nothing that would have TFLM
//! read or write where it must not.
//!
//! The schema version is not judged here: the runner refuses one that it does not know, with a fault of its own.

use super::{
    schema::tflite,
    tensor::{ElementType, Quantization, TensorSpec},
};
use flatbuffers::{InvalidFlatbuffer, VerifierOptions};
use serde::{Deserialize, Serialize};

/// The most bytes that one tensor of a model may take: 64 MiB. Far beyond any microcontroller, and far below what
/// would overflow TFLM's 32-bit sizes.
pub const MAX_TENSOR_BYTES: usize = 64 << 20;

/// An operator the model uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Operator {
    /// `CONV_2D`; a custom operator's own name.
    pub name: String,
    /// Version, from 1.
    pub version: u32,
}

/// What a sound model says of itself.
#[derive(Debug, PartialEq)]
pub(super) struct Anatomy {
    pub schema_version: u32,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    pub operators: Vec<Operator>,
}

/// What is wrong with the bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Flaw {
    Truncated(String),
    Corrupt(String),
    Unsupported(String),
}

type Checked<T> = Result<T, Flaw>;

fn corrupt<T>(what: impl Into<String>) -> Checked<T> {
    Err(Flaw::Corrupt(what.into()))
}

/// Reads `bytes`, which begin with the identifier of a TensorFlow Lite model, believing nothing.
pub(super) fn inspect(bytes: &[u8]) -> Checked<Anatomy> {
    let options = VerifierOptions {
        max_tables: 200_000,
        // Offsets may share what they point to; without this bound a small file could ask for endless work.
        max_apparent_size: bytes.len().saturating_mul(8).max(1 << 20),
        ..VerifierOptions::default()
    };
    let model = tflite::root_as_model_with_opts(&options, bytes).map_err(|error| unsound(&error, bytes.len()))?;

    let Some(subgraphs) = model.subgraphs() else { return corrupt("it has no subgraph") };
    let graph = match subgraphs.len() {
        0 => return corrupt("it has no subgraph"),
        1 => subgraphs.get(0),
        several => {
            return Err(Flaw::Unsupported(format!(
                "it has {several} subgraphs, and the runner takes exactly 1; convert it without control flow (IF, WHILE, CALL_ONCE)"
            )));
        }
    };
    let tensors = check_tensors(&model, &graph)?;
    let operators = check_operators(&model, &graph, &tensors)?;
    let inputs = outer_tensors("input", graph.inputs(), &graph, &tensors)?;
    let outputs = outer_tensors("output", graph.outputs(), &graph, &tensors)?;
    Ok(Anatomy { schema_version: model.version(), inputs, outputs, operators })
}

/// The verifier's finding in one line.
fn unsound(error: &InvalidFlatbuffer, length: usize) -> Flaw {
    let text = error.to_string();
    let mut lines = text.lines().map(|line| line.trim().trim_end_matches('.'));
    let what = lines.next().unwrap_or_default().to_owned();
    // The trace goes from the inside out; the innermost place is the one to look at.
    let place = lines.next().filter(|place| !place.is_empty()).map(|place| format!(", {place}")).unwrap_or_default();
    match error {
        InvalidFlatbuffer::RangeOutOfBounds { range, .. } if range.end > length => {
            Flaw::Truncated(format!("bytes {} to {} are wanted{place}", range.start, range.end))
        }
        _ => Flaw::Corrupt(format!("{}{place}", uncapitalise(&what))),
    }
}

fn uncapitalise(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// What later checks want to know of a tensor that has passed.
struct Seen {
    constant: bool,
}

/// `tensor 3 "conv1/bias"`, fit for a terminal whatever the name holds.
fn called(index: usize, tensor: &tflite::Tensor<'_>) -> String {
    match tensor.name() {
        Some(name) if !name.is_empty() => {
            let name: String = name.chars().take(80).flat_map(char::escape_debug).collect();
            format!("tensor {index} \"{name}\"")
        }
        _ => format!("tensor {index}"),
    }
}

fn check_tensors(model: &tflite::Model<'_>, graph: &tflite::SubGraph<'_>) -> Checked<Vec<Seen>> {
    let Some(tensors) = graph.tensors() else { return corrupt("it has no tensors") };
    let Some(buffers) = model.buffers() else { return corrupt("it has no buffers") };
    let mut seen = Vec::with_capacity(tensors.len());
    for (index, tensor) in tensors.iter().enumerate() {
        let name = called(index, &tensor);
        let bytes = tensor_bytes(&name, &tensor)?;
        check_quantization(&name, &tensor)?;
        let buffer = tensor.buffer() as usize;
        if buffer >= buffers.len() {
            return corrupt(format!("{name} refers to buffer {buffer} of {}", buffers.len()));
        }
        let data = buffers.get(buffer).data().map(|data| data.bytes()).unwrap_or_default();
        if !data.is_empty() {
            if tensor.sparsity().is_some() {
                return Err(Flaw::Unsupported(format!(
                    "{name} is sparse, and TFLM reads only dense constants; convert it without sparsity"
                )));
            }
            if let Some(bytes) = bytes
                && data.len() != bytes
            {
                return corrupt(format!(
                    "{name} takes {bytes} bytes by its shape, and its constant has {}",
                    data.len()
                ));
            }
        }
        seen.push(Seen { constant: !data.is_empty() });
    }
    Ok(seen)
}

/// How many bytes a tensor takes; `None` where its type does not tell (strings, resources).
fn tensor_bytes(name: &str, tensor: &tflite::Tensor<'_>) -> Checked<Option<usize>> {
    let bits = match tensor.type_() {
        tflite::TensorType::INT4 => 4,
        tflite::TensorType::INT8 | tflite::TensorType::UINT8 | tflite::TensorType::BOOL => 8,
        tflite::TensorType::INT16 | tflite::TensorType::UINT16 | tflite::TensorType::FLOAT16 => 16,
        tflite::TensorType::INT32 | tflite::TensorType::UINT32 | tflite::TensorType::FLOAT32 => 32,
        tflite::TensorType::INT64
        | tflite::TensorType::UINT64
        | tflite::TensorType::FLOAT64
        | tflite::TensorType::COMPLEX64 => 64,
        tflite::TensorType::COMPLEX128 => 128,
        tflite::TensorType::STRING | tflite::TensorType::RESOURCE | tflite::TensorType::VARIANT => 0,
        unknown => return corrupt(format!("{name} has the unknown element type {}", unknown.0)),
    };
    let mut elements = 1_u64;
    for dimension in tensor.shape().iter().flatten() {
        let Ok(dimension) = u64::try_from(dimension) else {
            return corrupt(format!("{name} has the dimension {dimension}"));
        };
        elements = elements.saturating_mul(dimension);
    }
    let bytes = elements.saturating_mul(bits).div_ceil(8);
    if bytes > MAX_TENSOR_BYTES as u64 {
        return Err(Flaw::Unsupported(format!(
            "{name} takes {bytes} bytes by its shape, more than the {MAX_TENSOR_BYTES} that a tensor may take"
        )));
    }
    Ok((bits > 0).then_some(bytes as usize))
}

fn check_quantization(name: &str, tensor: &tflite::Tensor<'_>) -> Checked<()> {
    let Some(quantization) = tensor.quantization() else { return Ok(()) };
    let scales = quantization.scale().map(|scales| scales.len()).unwrap_or_default();
    let zero_points = quantization.zero_point().map(|points| points.len()).unwrap_or_default();
    if scales == 0 {
        return Ok(());
    }
    if scales != zero_points {
        return corrupt(format!("{name} has scales and zero points of unequal number: {scales} and {zero_points}"));
    }
    for scale in quantization.scale().iter().flatten() {
        if !scale.is_finite() || scale < 0.0 {
            return corrupt(format!("{name} has the scale {scale}"));
        }
    }
    for zero_point in quantization.zero_point().iter().flatten() {
        if i32::try_from(zero_point).is_err() {
            return corrupt(format!("{name} has the zero point {zero_point}"));
        }
    }
    if scales > 1 {
        let axis = quantization.quantized_dimension();
        let length = usize::try_from(axis).ok().and_then(|axis| tensor.shape()?.iter().nth(axis));
        if length.and_then(|length| usize::try_from(length).ok()) != Some(scales) {
            return corrupt(format!("{name} has {scales} scales, which its dimension {axis} has not"));
        }
    }
    Ok(())
}

fn check_operators(
    model: &tflite::Model<'_>,
    graph: &tflite::SubGraph<'_>,
    tensors: &[Seen],
) -> Checked<Vec<Operator>> {
    let (Some(operators), Some(codes)) = (graph.operators(), model.operator_codes()) else {
        return corrupt("it has no operators");
    };
    let mut used = Vec::new();
    for (index, operator) in operators.iter().enumerate() {
        let code = operator.opcode_index() as usize;
        if code >= codes.len() {
            return corrupt(format!("operator {index} refers to operator code {code} of {}", codes.len()));
        }
        used.push(code);
        let what = format!("operator {index}");
        let (Some(inputs), Some(outputs)) = (operator.inputs(), operator.outputs()) else {
            return corrupt(format!("{what} has no list of inputs or of outputs"));
        };
        // -1 stands for an optional input that is left out.
        for tensor in inputs.iter().chain(operator.intermediates().iter().flatten()).filter(|&tensor| tensor != -1) {
            in_range(&what, tensor, tensors)?;
        }
        for tensor in outputs.iter() {
            if in_range(&what, tensor, tensors)?.constant {
                return corrupt(format!("{what} writes to tensor {tensor}, which is a constant"));
            }
        }
    }
    used.sort_unstable();
    used.dedup();
    let mut named = used.into_iter().map(|code| name_operator(code, &codes.get(code))).collect::<Checked<Vec<_>>>()?;
    named.sort();
    named.dedup();
    Ok(named)
}

fn name_operator(index: usize, code: &tflite::OperatorCode<'_>) -> Checked<Operator> {
    // The code was a byte once; the greater of both fields is what is meant.
    let builtin = tflite::BuiltinOperator(i32::from(code.deprecated_builtin_code()).max(code.builtin_code().0));
    let Ok(version) = u32::try_from(code.version()) else {
        return corrupt(format!("operator code {index} has the version {}", code.version()));
    };
    let name = match builtin.variant_name() {
        Some("CUSTOM") => match code.custom_code() {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => return corrupt(format!("operator code {index} is a custom operator without a name")),
        },
        Some(name) => name.to_owned(),
        None => format!("BUILTIN_{}", builtin.0),
    };
    Ok(Operator { name, version })
}

fn in_range<'a>(what: &str, index: i32, tensors: &'a [Seen]) -> Checked<&'a Seen> {
    match usize::try_from(index).ok().and_then(|index| tensors.get(index)) {
        Some(seen) => Ok(seen),
        None => corrupt(format!("{what} refers to tensor {index} of {}", tensors.len())),
    }
}

/// The model's input or output tensors, as the farm describes them.
fn outer_tensors(
    role: &str,
    indices: Option<flatbuffers::Vector<'_, i32>>,
    graph: &tflite::SubGraph<'_>,
    seen: &[Seen],
) -> Checked<Vec<TensorSpec>> {
    let mut specs = Vec::new();
    let mut total = 0;
    for (position, index) in indices.iter().flatten().enumerate() {
        let what = format!("{role} {position}");
        let constant = in_range(&what, index, seen)?.constant;
        if constant && role == "input" {
            return corrupt(format!("{what} is tensor {index}, which is a constant"));
        }
        let Some(tensors) = graph.tensors() else { return corrupt("it has no tensors") };
        let spec = describe(&what, &tensors.get(index as usize))?;
        total += spec.bytes();
        if total > MAX_TENSOR_BYTES {
            return Err(Flaw::Unsupported(format!(
                "its {role} tensors together take more than the {MAX_TENSOR_BYTES} bytes that they may"
            )));
        }
        specs.push(spec);
    }
    if specs.is_empty() { corrupt(format!("it has no {role}")) } else { Ok(specs) }
}

fn describe(what: &str, tensor: &tflite::Tensor<'_>) -> Checked<TensorSpec> {
    let element = match tensor.type_() {
        tflite::TensorType::FLOAT32 => ElementType::Float32,
        tflite::TensorType::INT8 => ElementType::Int8,
        tflite::TensorType::UINT8 => ElementType::UInt8,
        tflite::TensorType::INT16 => ElementType::Int16,
        tflite::TensorType::INT32 => ElementType::Int32,
        tflite::TensorType::INT64 => ElementType::Int64,
        tflite::TensorType::BOOL => ElementType::Bool,
        other => {
            let found = other.variant_name().unwrap_or("unknown").to_lowercase();
            return Err(Flaw::Unsupported(format!(
                "{what} is of type {found}; convert it to float32, int8, uint8, int16, int32, int64 or bool"
            )));
        }
    };
    let shape: Vec<usize> = tensor.shape().iter().flatten().map(|dimension| dimension.max(0) as usize).collect();
    if shape.contains(&0) {
        return corrupt(format!("{what} has a dimension of 0"));
    }
    let quantization = match quantization(tensor) {
        _ if element == ElementType::Float32 => None,
        Found::None => None,
        Found::PerChannel(scales) => {
            return Err(Flaw::Unsupported(format!(
                "{what} is quantised with {scales} scales; the farm knows tensors with one"
            )));
        }
        Found::One(quantization) => {
            let (least, greatest) = element.range().unwrap_or_default();
            if quantization.scale <= 0.0 {
                return corrupt(format!("{what} has the scale {}", quantization.scale));
            }
            if !(least..=greatest).contains(&(quantization.zero_point as f64)) {
                let point = quantization.zero_point;
                return corrupt(format!("{what} has the zero point {point}, which {element} does not hold"));
            }
            Some(quantization)
        }
    };
    Ok(TensorSpec { name: tensor.name().unwrap_or_default().to_owned(), shape, element, quantization })
}

enum Found {
    None,
    One(Quantization),
    PerChannel(usize),
}

fn quantization(tensor: &tflite::Tensor<'_>) -> Found {
    let Some((scales, zero_points)) =
        tensor.quantization().and_then(|quantization| Some((quantization.scale()?, quantization.zero_point()?)))
    else {
        return Found::None;
    };
    match scales.len() {
        0 => Found::None,
        1 => Found::One(Quantization { scale: scales.get(0), zero_point: zero_points.get(0) }),
        several => Found::PerChannel(several),
    }
}
