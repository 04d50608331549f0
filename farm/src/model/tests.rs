//! What is believed of a model file, and what is not.
#![allow(clippy::unwrap_used)]

use super::{
    ElementType, MAX_MODEL_BYTES, Model, ModelError, Quantization,
    fixtures::{Plan, SHIPPED, Tensor, shipped, tfmicro},
    schema::tflite::{self, TensorType},
};
use insta::assert_snapshot;
use proptest::prelude::*;
use std::{fmt::Write as _, fs, path::Path};

fn error(bytes: &[u8]) -> String {
    Model::from_bytes("m", Path::new("m.tflite"), bytes.to_vec()).unwrap_err().to_string()
}

#[test]
fn the_shipped_models_are_sound_and_described() {
    let mut text = String::new();
    for name in SHIPPED {
        let model = shipped(name);
        writeln!(text, "{name}: schema {}, {} bytes", model.schema_version(), model.bytes().len()).unwrap();
        for (role, specs) in [("in", model.inputs()), ("out", model.outputs())] {
            for spec in specs {
                write!(text, "  {role} {spec} \"{}\"", spec.name).unwrap();
                if let Some(Quantization { scale, zero_point }) = spec.quantization {
                    write!(text, " scale {scale} zero {zero_point}").unwrap();
                }
                writeln!(text).unwrap();
            }
        }
        for operator in model.operators() {
            writeln!(text, "  {} v{}", operator.name, operator.version).unwrap();
        }
        assert_eq!(model.input_bytes(), model.inputs()[0].bytes());
        assert_eq!(model.output_elements(), model.outputs()[0].elements());
    }
    assert_snapshot!(text, @r#"
    hello_world: schema 3, 2512 bytes
      in float32 [1,1] "dense_2_input"
      out float32 [1,1] "Identity"
      DEQUANTIZE v2
      FULLY_CONNECTED v4
      QUANTIZE v1
    magic_wand: schema 3, 19616 bytes
      in float32 [1,128,3,1] "conv2d_input"
      out float32 [1,4] "Identity"
      CONV_2D v1
      DEPTHWISE_CONV_2D v1
      FULLY_CONNECTED v1
      MAX_POOL_2D v1
      SOFTMAX v1
    micro_speech: schema 3, 18288 bytes
      in uint8 [1,49,40,1] "Reshape_2" scale 0.101960704 zero 0
      out uint8 [1,4] "labels_softmax" scale 0.00390625 zero 0
      DEPTHWISE_CONV_2D v1
      FULLY_CONNECTED v1
      SOFTMAX v1
    person_detection_grayscale: schema 3, 236072 bytes
      in uint8 [1,96,96,1] "input" scale 0.007874016 zero 128
      out uint8 [1,1,1,3] "MobilenetV1/Logits/Conv2d_1c_1x1/act_quant/FakeQuantWithMinMaxVars" scale 0.016278923 zero 113
      AVERAGE_POOL_2D v1
      CONV_2D v1
      DEPTHWISE_CONV_2D v1
    "#);
}

#[test]
fn what_is_no_model_is_said_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &Path| Model::load("m", path).unwrap_err();
    assert!(matches!(at(&folder.path().join("none.tflite")), ModelError::NotFound { .. }));
    assert!(matches!(at(folder.path()), ModelError::Unreadable { .. }));
    let large = folder.path().join("large.tflite");
    fs::File::create(&large).unwrap().set_len(MAX_MODEL_BYTES + 1).unwrap();
    assert!(matches!(at(&large), ModelError::TooLarge { .. }));
    let display = |error: ModelError| error.to_string().replace(&folder.path().display().to_string(), "DIR");
    assert_snapshot!(display(at(&folder.path().join("none.tflite"))), @"DIR/none.tflite: there is no such model file; check the path");
    assert_snapshot!(display(at(folder.path())), @"DIR: cannot be read (Is a directory (os error 21)); check that it is a file and that you may read it");
    assert_snapshot!(display(at(&large)), @"DIR/large.tflite: is 67108865 bytes long, more than the 67108864 that a model may have; is it the right file?");

    assert_snapshot!(error(b""), @"m.tflite: is empty; export the model again");
    assert_snapshot!(error(b"abc"), @"m.tflite: is not a TensorFlow Lite model: it is only 3 bytes long; is it the right file?");
    assert_snapshot!(error(b"version https://git-lfs.github.com/spec/v1\noid sha256:0"), @"m.tflite: is not a TensorFlow Lite model: it is a Git LFS pointer; fetch the file itself with `git lfs pull`");
    assert_snapshot!(error(b"\n<!DOCTYPE html><html>"), @"m.tflite: is not a TensorFlow Lite model: it is an HTML page; download the file itself (the raw link)");
    assert_snapshot!(error(b"PK\x03\x04\0\0\0\0\0\0"), @"m.tflite: is not a TensorFlow Lite model: it is a zip archive (a .keras file?); convert or unpack it first");
    assert_snapshot!(error(b"\x89HDF\r\n\x1a\n"), @"m.tflite: is not a TensorFlow Lite model: it is an HDF5 file (a Keras model?); convert it with tf.lite.TFLiteConverter");
    assert_snapshot!(error(b"\x1f\x8b\x08\0\0\0\0\0"), @"m.tflite: is not a TensorFlow Lite model: it is compressed with gzip; unpack it first");
    assert_snapshot!(error(b"\x7fELF\x02\x01\x01\0"), @"m.tflite: is not a TensorFlow Lite model: it is an ELF program; give the .tflite file");
    assert_snapshot!(error(b"TFMI\x01\0\0\0"), @"m.tflite: is not a TensorFlow Lite model: it is a model image for a runner; give the .tflite file");
    assert_snapshot!(error(b"const unsigned char g_model[] = {"), @"m.tflite: is not a TensorFlow Lite model: it is C source; give the .tflite file that it was made from");
    assert_snapshot!(error(b"\x1c\0\0\0TFL2\0\0\0\0"), @"m.tflite: is not a TensorFlow Lite model: its bytes 4 to 7 are `TFL2`, not `TFL3`; is it the right file?");
}

#[test]
fn a_truncated_or_damaged_flatbuffer_is_not_believed() {
    let bytes = shipped("hello_world").bytes().to_vec();
    assert_snapshot!(error(&bytes[..bytes.len() / 2]), @"m.tflite: is truncated: it ends after 1256 bytes and refers to more (bytes 2436 to 2440 are wanted, while verifying table field `operator_codes` at position 36); copy or export it again");
    assert_snapshot!(error(&bytes[..8]), @"m.tflite: is truncated: it ends after 8 bytes and refers to more (bytes 28 to 32 are wanted); copy or export it again");
    let mut damaged = bytes.clone();
    damaged[0] = 0x19; // the root is no longer aligned
    assert_snapshot!(error(&damaged), @"m.tflite: is corrupt: type `i32` at position 25 is unaligned; export the model again");
    for length in 0..bytes.len() {
        assert!(Model::from_bytes("m", Path::new("m"), bytes[..length].to_vec()).is_err(), "{length} bytes pass");
    }
}

#[test]
fn the_schema_version_is_left_for_the_runner_to_judge() {
    let model = Plan { version: 2, ..Plan::default() }.model();
    assert_eq!(model.schema_version(), 2);
}

#[test]
fn what_tflm_takes_for_granted_is_checked() {
    let float = |shape: &[i32]| Tensor::of(TensorType::FLOAT32, shape);
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut plan = Plan::default();
        change(&mut plan);
        plan.error()
    };
    assert_eq!(Plan::default().model().input_bytes(), 8);

    assert_snapshot!(with(&|plan| plan.subgraphs = 0), @"tiny.tflite: is corrupt: it has no subgraph; export the model again");
    assert_snapshot!(with(&|plan| plan.subgraphs = 2), @"tiny.tflite: cannot be run: it has 2 subgraphs, and the runner takes exactly 1; convert it without control flow (IF, WHILE, CALL_ONCE)");
    assert_snapshot!(with(&|plan| plan.inputs.clear()), @"tiny.tflite: is corrupt: it has no input; export the model again");
    assert_snapshot!(with(&|plan| plan.outputs = vec![2]), @"tiny.tflite: is corrupt: output 0 refers to tensor 2 of 2; export the model again");
    assert_snapshot!(with(&|plan| plan.inputs = vec![-1]), @"tiny.tflite: is corrupt: input 0 refers to tensor -1 of 2; export the model again");
    assert_snapshot!(with(&|plan| plan.operators[0].0 = 1), @"tiny.tflite: is corrupt: operator 0 refers to operator code 1 of 1; export the model again");
    assert_snapshot!(with(&|plan| plan.operators[0].1 = vec![7]), @"tiny.tflite: is corrupt: operator 0 refers to tensor 7 of 2; export the model again");
    assert_snapshot!(with(&|plan| plan.operators[0].1 = vec![-2]), @"tiny.tflite: is corrupt: operator 0 refers to tensor -2 of 2; export the model again");
    assert_snapshot!(with(&|plan| plan.operators[0].2 = vec![-1]), @"tiny.tflite: is corrupt: operator 0 refers to tensor -1 of 2; export the model again");
    assert_snapshot!(with(&|plan| plan.codes[0] = (32, 32, None, 1)), @"tiny.tflite: is corrupt: operator code 0 is a custom operator without a name; export the model again");
    assert_snapshot!(with(&|plan| plan.codes[0].3 = -1), @"tiny.tflite: is corrupt: operator code 0 has the version -1; export the model again");
    assert_snapshot!(with(&|plan| plan.tensors[0].buffer = 1), @"tiny.tflite: is corrupt: tensor 0 refers to buffer 1 of 1; export the model again");
    assert_snapshot!(with(&|plan| plan.tensors[0] = float(&[1, -2])), @"tiny.tflite: is corrupt: tensor 0 has the dimension -2; export the model again");
    assert_snapshot!(with(&|plan| plan.tensors[0] = float(&[1, 0])), @"tiny.tflite: is corrupt: input 0 has a dimension of 0; export the model again");
    assert_snapshot!(with(&|plan| plan.tensors[0] = float(&[i32::MAX; 9])), @"tiny.tflite: cannot be run: tensor 0 takes 2305843009213693952 bytes by its shape, more than the 67108864 that a tensor may take");
    assert_snapshot!(with(&|plan| plan.tensors[0].element = TensorType(99)), @"tiny.tflite: is corrupt: tensor 0 has the unknown element type 99; export the model again");
    assert_snapshot!(with(&|plan| plan.tensors[0].element = TensorType::FLOAT16), @"tiny.tflite: cannot be run: input 0 is of type float16; convert it to float32, int8, uint8, int16, int32, int64 or bool");
    let constant = |bytes: usize| {
        move |plan: &mut Plan| {
            plan.buffers = vec![vec![1; bytes]];
            plan.tensors.push(Tensor { name: "weights", buffer: 1, ..float(&[2, 3]) });
            plan.operators[0].1 = vec![0, 2];
        }
    };
    let mut sound = Plan::default();
    constant(24)(&mut sound);
    sound.model();
    assert_snapshot!(with(&constant(23)), @r#"tiny.tflite: is corrupt: tensor 2 "weights" takes 24 bytes by its shape, and its constant has 23; export the model again"#);
    assert_snapshot!(with(&|plan| { constant(24)(plan); plan.operators[0].2 = vec![2]; }), @"tiny.tflite: is corrupt: operator 0 writes to tensor 2, which is a constant; export the model again");
    assert_snapshot!(with(&|plan| { constant(24)(plan); plan.inputs = vec![2]; }), @"tiny.tflite: is corrupt: input 0 is tensor 2, which is a constant; export the model again");
    assert_snapshot!(with(&|plan| { constant(24)(plan); plan.tensors[2].sparse = true; }), @r#"tiny.tflite: cannot be run: tensor 2 "weights" is sparse, and TFLM reads only dense constants; convert it without sparsity"#);
}

#[test]
fn quantisation_must_make_sense() {
    let with = |change: &dyn Fn(&mut Tensor)| {
        let mut plan = Plan::default();
        plan.tensors[0] = Tensor::quantized(TensorType::INT8, &[1, 2], 0.5, 3);
        change(&mut plan.tensors[0]);
        plan.error()
    };
    assert_snapshot!(with(&|tensor| tensor.zero_points = vec![1, 2]), @"tiny.tflite: is corrupt: tensor 0 has scales and zero points of unequal number: 1 and 2; export the model again");
    assert_snapshot!(with(&|tensor| tensor.scales = vec![f32::NAN]), @"tiny.tflite: is corrupt: tensor 0 has the scale NaN; export the model again");
    assert_snapshot!(with(&|tensor| tensor.scales = vec![-1.0]), @"tiny.tflite: is corrupt: tensor 0 has the scale -1; export the model again");
    assert_snapshot!(with(&|tensor| tensor.scales = vec![0.0]), @"tiny.tflite: is corrupt: input 0 has the scale 0; export the model again");
    assert_snapshot!(with(&|tensor| tensor.zero_points = vec![1 << 40]), @"tiny.tflite: is corrupt: tensor 0 has the zero point 1099511627776; export the model again");
    assert_snapshot!(with(&|tensor| tensor.zero_points = vec![200]), @"tiny.tflite: is corrupt: input 0 has the zero point 200, which int8 does not hold; export the model again");
    let two = |tensor: &mut Tensor, axis| {
        (tensor.scales, tensor.zero_points, tensor.axis) = (vec![1.0, 2.0], vec![0, 0], axis);
    };
    assert_snapshot!(with(&|tensor| two(tensor, 0)), @"tiny.tflite: is corrupt: tensor 0 has 2 scales, which its dimension 0 has not; export the model again");
    assert_snapshot!(with(&|tensor| two(tensor, 5)), @"tiny.tflite: is corrupt: tensor 0 has 2 scales, which its dimension 5 has not; export the model again");
    assert_snapshot!(with(&|tensor| two(tensor, 1)), @"tiny.tflite: cannot be run: input 0 is quantised with 2 scales; the farm knows tensors with one");
}

#[test]
fn operators_are_named_by_the_greater_of_both_codes() {
    let plan = Plan {
        codes: vec![(127, 150, None, 2), (32, 32, Some("MyOp"), 1), (3, 0, None, 1), (127, 9999, None, 1)],
        operators: (0..4).map(|code| (code, vec![0], vec![1])).collect(),
        ..Plan::default()
    };
    let names: Vec<String> = plan.model().operators().iter().map(|op| format!("{} v{}", op.name, op.version)).collect();
    assert_snapshot!(names.join(", "), @"BUILTIN_9999 v1, CONV_2D v1, GELU v2, MyOp v1");
}

#[test]
fn outputs_are_decoded_tensor_by_tensor() {
    let model = Plan::of(
        vec![Tensor::of(TensorType::FLOAT32, &[1])],
        vec![Tensor::quantized(TensorType::UINT8, &[1, 2], 0.5, 128), Tensor::of(TensorType::INT16, &[1])],
    )
    .model();
    let bytes = [128, 255, 0xfe, 0xff];
    assert_eq!(model.decode_output(&bytes), [0.0, 63.5, -2.0]);
    assert_eq!(model.raw_output(&bytes), [128.0, 255.0, -2.0]);
    assert_eq!(model.decode_output(&bytes[..1]), [0.0]);
    assert_eq!(model.decode_output(&[]), [0.0; 0]);
    assert_eq!((model.output_bytes(), model.output_elements()), (4, 3));
    assert_eq!(model.outputs()[1].element, ElementType::Int16);
}

#[test]
fn a_small_file_cannot_ask_for_endless_work() {
    // Many tensors that are all one table, whose shape is long: a small file, endless when written out.
    let mut b = flatbuffers::FlatBufferBuilder::new();
    let shape = b.create_vector(&vec![1_i32; 20_000]);
    let tensor = tflite::Tensor::create(&mut b, &tflite::TensorArgs { shape: Some(shape), ..Default::default() });
    let tensors = b.create_vector(&vec![tensor; 100_000]);
    let graph =
        tflite::SubGraph::create(&mut b, &tflite::SubGraphArgs { tensors: Some(tensors), ..Default::default() });
    let graphs = b.create_vector(&[graph]);
    let model = tflite::Model::create(&mut b, &tflite::ModelArgs { subgraphs: Some(graphs), ..Default::default() });
    b.finish(model, Some("TFL3"));
    assert_snapshot!(error(b.finished_data()), @"m.tflite: is corrupt: apparent size too large; export the model again");
}

/// Whatever comes out, it must come out: no panic, and what passes can be used.
fn survives(bytes: Vec<u8>) {
    if let Ok(model) = Model::from_bytes("m", Path::new("m"), bytes) {
        let zeros = vec![0; model.output_bytes()];
        assert_eq!(model.decode_output(&zeros).len(), model.output_elements());
        assert!(model.input_bytes() <= super::MAX_TENSOR_BYTES);
    }
}

#[test]
fn no_single_damaged_byte_of_a_small_model_is_too_much() {
    let bytes = shipped("hello_world").bytes().to_vec();
    for index in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[index] ^ 4] {
            let mut damaged = bytes.clone();
            damaged[index] = value;
            survives(damaged);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_damage_is_too_much(
        which in 0..4_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 0..3_u8), 1..12),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = fs::read(tfmicro().join(format!("examples/models/{}.tflite", SHIPPED[which]))).unwrap();
        for (place, value, kind) in damage {
            // Tables lie at the start or the end; constants, where damage goes unnoticed, between.
            let span = bytes.len().min(3000);
            let at = match kind {
                0 => place.index(span),
                1 => bytes.len() - 1 - place.index(span),
                _ => place.index(bytes.len()),
            };
            if kind == 0 && at + 4 <= bytes.len() && at % 4 == 0 {
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            } else {
                bytes[at] = value as u8;
            }
        }
        if let Some(cut) = cut {
            let length = cut.index(bytes.len());
            bytes.truncate(length);
        }
        survives(bytes);
    }

    #[test]
    fn no_noise_behind_the_identifier_is_too_much(mut bytes in proptest::collection::vec(any::<u8>(), 8..400)) {
        bytes[4..8].copy_from_slice(b"TFL3");
        survives(bytes);
    }
}
