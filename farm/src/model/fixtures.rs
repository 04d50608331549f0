//! For tests: the four models that TFLM ships, and models of any shape, sound or not.
#![allow(clippy::unwrap_used)]

pub(crate) use super::schema::tflite::TensorType;
use super::{Model, schema::tflite::*};
use flatbuffers::FlatBufferBuilder;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The folder of the `tfmicro` package, which cargo fetches and never builds.
pub(crate) fn tfmicro() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let arguments = ["metadata", "--format-version", "1", "--locked", "--manifest-path", manifest];
        let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
        let metadata = String::from_utf8(output.stdout).unwrap();
        let end = metadata.find("/tfmicro-0.1.0/Cargo.toml").expect("tfmicro is in Cargo.lock, for firmware's sake");
        let start = metadata[..end].rfind('"').unwrap() + 1;
        PathBuf::from(&metadata[start..end]).join("tfmicro-0.1.0")
    })
}

/// The models that TFLM ships.
pub(crate) const SHIPPED: [&str; 4] = ["hello_world", "magic_wand", "micro_speech", "person_detection_grayscale"];

/// One of [`SHIPPED`].
pub(crate) fn shipped(name: &str) -> Model {
    Model::load(name, &tfmicro().join(format!("examples/models/{name}.tflite"))).unwrap()
}

/// A tensor as a test wants it.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub name: &'static str,
    pub shape: Vec<i32>,
    pub element: TensorType,
    pub buffer: u32,
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
    pub axis: i32,
    pub sparse: bool,
}

impl Tensor {
    pub fn of(element: TensorType, shape: &[i32]) -> Self {
        let (scales, zero_points) = Default::default();
        Self { name: "", shape: shape.to_vec(), element, buffer: 0, scales, zero_points, axis: 0, sparse: false }
    }

    pub fn quantized(element: TensorType, shape: &[i32], scale: f32, zero_point: i64) -> Self {
        Self { scales: vec![scale], zero_points: vec![zero_point], ..Self::of(element, shape) }
    }
}

/// An operator code: the byte it was once, the number it is, its custom name, its version.
pub(crate) type Code = (i8, i32, Option<&'static str>, i32);

/// A model as a test wants it; by default sound: float32 [1,2] in, RELU, float32 [1,3] out.
#[derive(Clone)]
pub(crate) struct Plan {
    pub version: u32,
    pub subgraphs: usize,
    pub tensors: Vec<Tensor>,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    pub operators: Vec<(u32, Vec<i32>, Vec<i32>)>,
    pub codes: Vec<Code>,
    /// Buffers after the first, which is empty.
    pub buffers: Vec<Vec<u8>>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            version: 3,
            subgraphs: 1,
            tensors: vec![Tensor::of(TensorType::FLOAT32, &[1, 2]), Tensor::of(TensorType::FLOAT32, &[1, 3])],
            inputs: vec![0],
            outputs: vec![1],
            operators: vec![(0, vec![0, -1], vec![1])],
            codes: vec![(19, 19, None, 1)],
            buffers: Vec::new(),
        }
    }
}

impl Plan {
    /// With these inputs and outputs.
    pub fn of(inputs: Vec<Tensor>, outputs: Vec<Tensor>) -> Self {
        let (first, last) = (inputs.len() as i32, (inputs.len() + outputs.len()) as i32);
        Self {
            tensors: inputs.into_iter().chain(outputs).collect(),
            inputs: (0..first).collect(),
            outputs: (first..last).collect(),
            operators: vec![(0, vec![0], vec![first])],
            ..Self::default()
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let b = &mut FlatBufferBuilder::new();
        let mut tensors = Vec::new();
        for tensor in &self.tensors {
            let quantization = (!tensor.scales.is_empty()).then(|| {
                let (scale, zero_point) = (b.create_vector(&tensor.scales), b.create_vector(&tensor.zero_points));
                let arguments = QuantizationParametersArgs {
                    scale: Some(scale),
                    zero_point: Some(zero_point),
                    quantized_dimension: tensor.axis,
                    ..Default::default()
                };
                QuantizationParameters::create(b, &arguments)
            });
            let sparsity = tensor.sparse.then(|| SparsityParameters::create(b, &Default::default()));
            let (shape, name) = (b.create_vector(&tensor.shape), b.create_string(tensor.name));
            let arguments = TensorArgs {
                shape: Some(shape),
                type_: tensor.element,
                buffer: tensor.buffer,
                name: Some(name),
                quantization,
                sparsity,
                ..Default::default()
            };
            tensors.push(super::schema::tflite::Tensor::create(b, &arguments));
        }
        let tensors = b.create_vector(&tensors);
        let mut operators = Vec::new();
        for (code, inputs, outputs) in &self.operators {
            let (inputs, outputs) = (b.create_vector(inputs), b.create_vector(outputs));
            let arguments = OperatorArgs {
                opcode_index: *code,
                inputs: Some(inputs),
                outputs: Some(outputs),
                ..Default::default()
            };
            operators.push(Operator::create(b, &arguments));
        }
        let operators = b.create_vector(&operators);
        let (inputs, outputs) = (b.create_vector(&self.inputs), b.create_vector(&self.outputs));
        let graph = SubGraphArgs {
            tensors: Some(tensors),
            inputs: Some(inputs),
            outputs: Some(outputs),
            operators: Some(operators),
            name: None,
        };
        let graphs: Vec<_> = (0..self.subgraphs).map(|_| SubGraph::create(b, &graph)).collect();
        let graphs = b.create_vector(&graphs);
        let mut codes = Vec::new();
        for (byte, number, name, version) in &self.codes {
            let custom_code = name.map(|name| b.create_string(name));
            let (deprecated_builtin_code, builtin_code) = (*byte, BuiltinOperator(*number));
            let arguments = OperatorCodeArgs { deprecated_builtin_code, custom_code, version: *version, builtin_code };
            codes.push(OperatorCode::create(b, &arguments));
        }
        let codes = b.create_vector(&codes);
        let mut buffers = vec![Buffer::create(b, &Default::default())];
        for data in &self.buffers {
            let data = b.create_vector(data);
            buffers.push(Buffer::create(b, &BufferArgs { data: Some(data) }));
        }
        let buffers = b.create_vector(&buffers);
        let arguments = ModelArgs {
            version: self.version,
            operator_codes: Some(codes),
            subgraphs: Some(graphs),
            buffers: Some(buffers),
            ..Default::default()
        };
        let model = super::schema::tflite::Model::create(b, &arguments);
        b.finish(model, Some("TFL3"));
        b.finished_data().to_vec()
    }

    /// The model, which must be sound.
    pub fn model(&self) -> Model {
        Model::from_bytes("tiny", Path::new("tiny.tflite"), self.bytes()).unwrap()
    }

    /// What is wrong with it.
    pub fn error(&self) -> String {
        Model::from_bytes("tiny", Path::new("tiny.tflite"), self.bytes()).unwrap_err().to_string()
    }
}
