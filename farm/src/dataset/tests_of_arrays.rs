//! NPY and NPZ, as numpy writes them and as nobody should.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Model,
    model::fixtures::{Plan, Tensor, TensorType},
};
use insta::assert_snapshot;
use npyz::{WriterBuilder, npz::NpzWriter, zip::write::FileOptions};
use proptest::prelude::*;
use std::{fs, path::Path};
use tempfile::TempDir;

/// uint8 [1,2,3] with scale 0.5 and zero point 10 in, float32 [1,2] out.
fn model() -> Model {
    Plan::of(
        vec![Tensor::quantized(TensorType::UINT8, &[1, 2, 3], 0.5, 10)],
        vec![Tensor::of(TensorType::FLOAT32, &[1, 2])],
    )
    .model()
}

fn npy<T: npyz::Serialize + npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A file as numpy would write it, with this header and these bytes behind it.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn load(bytes: &[u8], options: Options) -> Result<Dataset, String> {
    load_with(bytes, None, None, options)
}

fn load_with(
    inputs: &[u8],
    labels: Option<&[u8]>,
    expected: Option<&[u8]>,
    options: Options,
) -> Result<Dataset, String> {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let data = Data::Npy {
        inputs: write("x.npy", inputs),
        labels: labels.map(|bytes| write("labels.npy", bytes)),
        expected: expected.map(|bytes| write("expected.npy", bytes)),
    };
    Dataset::load("d", &DatasetSource { data, options }, &model()).map_err(|error| relative(&error, folder.path()))
}

fn relative(error: &DatasetError, folder: &Path) -> String {
    error.to_string().replace(&format!("{}/", folder.display()), "")
}

#[test]
fn floating_point_is_quantised_and_own_integers_are_stored() {
    let ramp: Vec<f32> = (0..12).map(|number| number as f32).collect();
    let dataset = load(&npy(&[2, 2, 3], &ramp), Options::default()).unwrap();
    assert_eq!(dataset.inputs(), [[10, 12, 14, 16, 18, 20], [22, 24, 26, 28, 30, 32]]);
    assert_eq!(dataset.samples(), ["sample 0", "sample 1"]);
    let wide: Vec<f64> = ramp.iter().map(|value| f64::from(*value)).collect();
    for shape in [&[2, 6][..], &[2, 1, 2, 3], &[2, 2, 3, 1]] {
        assert_eq!(load(&npy(shape, &wide), Options::default()).unwrap().inputs(), dataset.inputs(), "{shape:?}");
    }
    assert_eq!(
        load(&npy(&[1, 6], &[0_u8, 1, 2, 3, 4, 255]), Options::default()).unwrap().inputs(),
        [[0, 1, 2, 3, 4, 255]]
    );
    let integers = npy(&[1, 6], &[0_i16, 1, 2, 3, 4, 255]);
    let with = |encoding| Options { encoding: Some(encoding), ..Options::default() };
    assert_eq!(load(&integers, with(Encoding::Stored)).unwrap().inputs(), [[0, 1, 2, 3, 4, 255]]);
    assert_eq!(load(&integers, with(Encoding::Real)).unwrap().inputs(), [[10, 12, 14, 16, 18, 255]]);
    assert_eq!(load(&npy(&[3, 6], &[7_u8; 18]), Options { samples: Some(2), ..Options::default() }).unwrap().len(), 2);
}

#[test]
fn big_endian_and_every_width_are_read() {
    let header = |descr: &str| format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1, 6), }}\n");
    let stored = || Options { encoding: Some(Encoding::Stored), ..Options::default() };
    let values = [0_i64, 1, 2, 3, 4, 255];
    for (descr, size) in [(">i2", 2), (">i4", 4), (">i8", 8), (">u2", 2), (">u4", 4), (">u8", 8)] {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()[8 - size..].to_vec()).collect();
        assert_eq!(load(&raw(&header(descr), &data), stored()).unwrap().inputs(), [[0, 1, 2, 3, 4, 255]], "{descr}");
    }
    let data: Vec<u8> = values.iter().flat_map(|value| (*value as f64).to_be_bytes()).collect();
    assert_eq!(load(&raw(&header(">f8"), &data), stored()).unwrap().inputs(), [[0, 1, 2, 3, 4, 255]]);
    let negative = npy(&[1, 6], &[-1_i8; 6]);
    assert_snapshot!(load(&negative, stored()).unwrap_err(), @r#"x.npy[0,0]: -1 is outside of uint8: 0 to 255; mend the value, or say `encoding = "real"` if values are real ones"#);
    let flags = raw(&header("|b1"), &[0, 1, 0, 1, 0, 1]);
    assert_eq!(load(&flags, stored()).unwrap().inputs(), [[0, 1, 0, 1, 0, 1]]);
}

#[test]
fn labels_and_expected_outputs_come_from_files_of_their_own() {
    let inputs = npy(&[2, 6], &[1_u8; 12]);
    let labels = npy(&[2], &[1_i64, 0]);
    let dataset = load_with(&inputs, Some(&labels), None, Options::default()).unwrap();
    assert_eq!(dataset.truth(), &Truth::Labels { labels: vec![1, 0], classes: vec!["0".to_owned(), "1".to_owned()] });
    let expected = npy(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]);
    let dataset = load_with(&inputs, None, Some(&expected), Options::default()).unwrap();
    assert_eq!(dataset.truth(), &Truth::Expected(vec![vec![1.0, 2.0], vec![3.0, 4.0]]));

    let says = |labels: Option<&[u8]>, expected: Option<&[u8]>| {
        load_with(&inputs, labels, expected, Options::default()).unwrap_err()
    };
    assert_snapshot!(says(Some(&labels), Some(&expected)), @"x.npy: labels and expected outputs are both given; leave one");
    assert_snapshot!(says(Some(&npy(&[3], &[0_u8; 3])), None), @"labels.npy: has 3 samples where the inputs have 2; save them again together");
    assert_snapshot!(says(Some(&npy(&[2], &[0_u8, 2])), None), @"labels.npy[1]: class 2 is out of range: the model's outputs make the classes 0 to 1");
    assert_snapshot!(says(Some(&npy(&[2], &[0.0_f32, 0.5])), None), @"labels.npy[1]: 0.5 is not the index of a class; save labels as whole numbers");
    assert_snapshot!(says(Some(&npy(&[2, 2], &[0_u8; 4])), None), @"labels.npy: labels have the shape [2,2]; save the index of each sample's class (numpy.argmax)");
    assert_snapshot!(says(None, Some(&npy(&[2, 3], &[0.0_f32; 6]))), @"expected.npy: expected outputs have the shape [2,3] where model tiny gives 2 values for each sample: float32 [1,2]");
    assert_snapshot!(says(None, Some(&npy(&[2, 2], &[0.0_f32, 1.0, f32::NAN, 1.0]))), @"expected.npy[1,0]: NaN is not a finite number; mend the value, or leave the sample out");
}

#[test]
fn arrays_that_do_not_fit_are_refused() {
    let says = |bytes: &[u8]| load(bytes, Options::default()).unwrap_err();
    assert_snapshot!(says(&npy(&[2, 3, 2], &[0.0_f32; 12])), @"x.npy: has the shape [2,3,2] where model tiny takes uint8 [1,2,3]; save it as [samples,2,3]");
    assert_snapshot!(says(&npy(&[6], &[0.0_f32; 6])), @"x.npy: has the shape [6] where model tiny takes uint8 [1,2,3]; save it as [samples,2,3]");
    assert_snapshot!(says(&npy(&[0, 6], &[0.0_f32; 0])), @"x.npy: has no rows; a dataset needs at least one sample");
    assert_snapshot!(says(&npy(&[1, 6], &[0_i16; 6])), @r#"x.npy: holds int16 where the model takes uint8 [1,2,3]; say in its manifest whether they are real values (`encoding = "real"`) or stored ones (`encoding = "stored"`)"#);
    assert_snapshot!(says(&npy(&[1, 2, 3], &[0.0, 1.0, 2.0, 3.0, f32::INFINITY, 5.0])), @"x.npy[0,1,1]: inf is not a finite number; mend the value, or leave the sample out");
    let whole = npy(&[1, 6], &[0.0_f32; 6]);
    assert_snapshot!(says(&whole[..whole.len() - 1]), @"x.npy: is truncated or damaged: 23 bytes follow the header of <f4 [1,6]; save it again");
    assert_snapshot!(says(&whole[..40]), @"x.npy: has a broken NPY header (truncated); save it again with numpy.save");
    assert_snapshot!(says(b"x0,x1\n"), @"x.npy: is not an NPY array; save it with numpy.save");
    let header = |descr: &str, order: &str, shape: &str| {
        raw(&format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"), &[0; 24])
    };
    assert_snapshot!(says(&header("'<f4'", "True", "(1, 6)")), @"x.npy: is in Fortran order; save it with numpy.ascontiguousarray");
    assert_snapshot!(says(&header("'<f2'", "False", "(2, 6)")), @"x.npy: holds `<f2`, which is no array of numbers; save it as float32, or an integer type");
    assert_snapshot!(says(&header("'<U4'", "False", "(1, 6)")), @"x.npy: holds `<U4`, which is no array of numbers; save it as float32, or an integer type");
    assert_snapshot!(says(&header("'|O'", "False", "(1, 6)")), @"x.npy: holds `|O`, which is no array of numbers; save it as float32, or an integer type");
    assert_snapshot!(says(&header("[('a', '<f4')]", "False", "(6,)")), @"x.npy: has a broken NPY header (a structured type, not one kind of number); save it again with numpy.save");
    assert_snapshot!(says(&header("'<f4'", "False", "(18446744073709551615, 6)")), @"x.npy: is truncated or damaged: 24 bytes follow the header of <f4 [18446744073709551615,6]; save it again");
    assert_snapshot!(says(&header("'<f4'", "False", "(4294967296, 4294967296, 6)")), @"x.npy: is truncated or damaged: 24 bytes follow the header of <f4 [4294967296,4294967296,6]; save it again");
    assert_snapshot!(says(&header("'<f4'", "False", "(-1, 6)")), @"x.npy: has a broken NPY header (shape); save it again with numpy.save");
    assert_snapshot!(says(&header("'<f4'", "maybe", "(1, 6)")), @"x.npy: has a broken NPY header (fortran_order); save it again with numpy.save");
}

fn npz(arrays: &[(&str, Vec<u8>)], options: Options, model: &Model) -> Result<Dataset, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.npz");
    let mut archive = NpzWriter::create(&path).unwrap();
    for (name, bytes) in arrays {
        let zip = archive.zip_writer();
        zip.start_file(format!("{name}.npy"), FileOptions::default()).unwrap();
        std::io::Write::write_all(zip, bytes).unwrap();
    }
    drop(archive);
    let source = DatasetSource { options, ..DatasetSource::from_path(&path).unwrap() };
    Dataset::load("d", &source, model).map_err(|error| relative(&error, folder.path()))
}

#[test]
fn an_npz_file_holds_all() {
    let x = || npy(&[2, 6], &[1_u8; 12]);
    let labels = || npy(&[2], &[1_i64, 0]);
    let plain = |arrays: &[(&str, Vec<u8>)]| npz(arrays, Options::default(), &model());
    let is_labelled = |arrays: &[(&str, Vec<u8>)]| matches!(plain(arrays).unwrap().truth(), Truth::Labels { .. });
    assert!(is_labelled(&[("x", x()), ("y", labels())]));
    assert!(is_labelled(&[("labels", labels()), ("inputs", x())]));
    let expected = plain(&[("x", x()), ("y", npy(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]))]).unwrap();
    assert_eq!(expected.truth(), &Truth::Expected(vec![vec![1.0, 2.0], vec![3.0, 4.0]]));
    let options = Options { inputs: Some(vec!["train".to_owned()]), ..Options::default() };
    assert_eq!(npz(&[("train", x()), ("other", x())], options, &model()).unwrap().truth(), &Truth::Unknown);

    assert_snapshot!(plain(&[("x", x()), ("others", x())]).unwrap_err(), @"data.npz: the array `others` means nothing: by convention there are `x…` or `input…` for inputs, `y…` or `expected…` for expected outputs, `label` or `class`, `sample` or `name`; rename it, or name the arrays in a manifest");
    assert_snapshot!(plain(&[("labels", labels())]).unwrap_err(), @"data.npz: there is no input array; name it `x` or `input`, or say `inputs = [...]` in a manifest");
    assert_snapshot!(plain(&[("x0", x()), ("x1", x())]).unwrap_err(), @"data.npz: 2 arrays of inputs where model tiny takes 1: uint8 [1,2,3]; give one for each, in order");
    assert_snapshot!(plain(&[("x", x()), ("labels", npy(&[3], &[0_u8; 3]))]).unwrap_err(), @"data.npz, array `labels`: has 3 samples where the inputs have 2; save them again together");
    assert_snapshot!(plain(&[("x", x()[..100].to_vec())]).unwrap_err(), @"data.npz, array `x`: has a broken NPY header (truncated); save it again with numpy.save");
    assert_snapshot!(plain(&[]).unwrap_err(), @"data.npz: there is no input array; name it `x` or `input`, or say `inputs = [...]` in a manifest");
}

#[test]
fn a_model_with_several_inputs_takes_an_array_for_each() {
    let float = |size| Tensor::of(TensorType::FLOAT32, &[1, size]);
    let model = Plan::of(vec![float(1); 11], vec![float(1)]).model();
    let names: Vec<String> = (0..11).map(|index| format!("x{index}")).collect();
    let arrays: Vec<(&str, Vec<u8>)> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), npy(&[1, 1], &[index as f32]))).collect();
    let dataset = npz(&arrays, Options::default(), &model).unwrap();
    let expected: Vec<u8> = (0..11).flat_map(|index| (index as f32).to_le_bytes()).collect();
    assert_eq!(dataset.inputs(), [expected]);
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let options = Options { max_bytes: Some(100_000), ..Options::default() };
    assert_snapshot!(npz(&[("x", vec![0; 50_000_000])], options, &model()).unwrap_err(), @"data.npz, array `x`: takes 100001 bytes, more than the 100000 allowed; take fewer with `samples = N`, or raise `max_bytes` in its manifest");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("no.npz");
    fs::write(&path, b"not a zip archive").unwrap();
    let source = DatasetSource::from_path(&path).unwrap();
    assert_snapshot!(relative(&Dataset::load("d", &source, &model()).unwrap_err(), folder.path()), @"no.npz: is not an NPZ file (invalid Zip archive: Invalid zip header); save it again with numpy.savez");
}

proptest! {
    #[test]
    fn no_damage_to_an_array_is_too_much(
        place in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = npy(&[2, 6], &[1.0_f32; 12]);
        let at = place.index(bytes.len());
        bytes[at] = value;
        if let Ok(array) = npy_header::parse(&bytes, "x") {
            (0..array.samples().min(9)).for_each(|row| drop(array.sample(row)));
        }
        let _ = npy_header::parse(&bytes[..cut.index(bytes.len())], "x");
    }

    #[test]
    fn no_header_is_too_much(header in "\\{('(descr|shape|fortran_order)': ?('[<>|][fiubO]?[0-9]{0,3}'|\\([0-9, ]*\\)|True|False),? ?){0,4}\\}?") {
        let _ = npy_header::parse(&raw(&header, &[0; 8]), "x").map(|array| array.samples());
    }
}
