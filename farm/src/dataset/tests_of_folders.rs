//! Folders of raw binaries, as MLPerf Tiny has them.
#![allow(clippy::unwrap_used)]

use super::{tests::bytes, *};
use crate::{
    ElementType, Model,
    model::fixtures::{Plan, shipped, tfmicro},
};
use insta::assert_snapshot;
use std::fs;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new(labels: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("labels.csv"), labels).unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn load(&self, options: Options, model: &Model) -> Result<Dataset, String> {
        let source = DatasetSource { options, ..DatasetSource::from_path(self.0.path()).unwrap() };
        let folder = format!("{}/", self.0.path().display());
        Dataset::load("d", &source, model).map_err(|error| error.to_string().replace(&folder, ""))
    }
}

#[test]
fn files_are_taken_as_they_are() {
    let files: [(&str, &[u8]); 2] = [("a.bin", &[1, 2]), ("b.bin", &[3, 4])];
    for labels in
        ["a.bin, 3, 2\nb.bin, 3, 0\n", "file,classes,class\na.bin,3,2\nb.bin,3,0\n", "File,Class\na.bin,2\nb.bin,0\n"]
    {
        let dataset = Folder::new(labels, &files).load(Options::default(), &bytes()).unwrap();
        assert_eq!(dataset.inputs(), [[1, 2], [3, 4]]);
        assert_eq!(dataset.samples(), ["a.bin", "b.bin"]);
        assert!(matches!(dataset.truth(), Truth::Labels { labels, .. } if labels == &[2, 0]));
    }
    let folder = Folder::new("a.bin,2,1\nb.bin,2,0\n", &files);
    let options = Options { truth: Some(TruthKind::None), samples: Some(1), ..Options::default() };
    let dataset = folder.load(options, &bytes()).unwrap();
    assert_eq!((dataset.len(), dataset.truth()), (1, &Truth::Unknown));
}

#[test]
fn a_file_may_hold_windows() {
    let folder = Folder::new("a.bin,3,1,2,1\nb.bin,3,2\n", &[("a.bin", &[1, 2, 3, 4]), ("b.bin", &[9, 9])]);
    let dataset = folder.load(Options::default(), &bytes()).unwrap();
    assert_eq!(dataset.inputs(), [[1, 2], [2, 3], [3, 4], [9, 9]]);
    assert_eq!(dataset.samples(), ["a.bin window 1", "a.bin window 2", "a.bin window 3", "b.bin"]);
    assert!(matches!(dataset.truth(), Truth::Labels { labels, .. } if labels == &[1, 1, 1, 2]));
    let first = folder.load(Options { samples: Some(2), ..Options::default() }, &bytes()).unwrap();
    assert_eq!(first.inputs(), [[1, 2], [2, 3]]);
    let folder = Folder::new("a.bin,3,1,2,\n", &[("a.bin", &[1, 2, 3, 4, 5])]);
    assert_eq!(folder.load(Options::default(), &bytes()).unwrap().inputs(), [[1, 2], [3, 4]]);
}

#[test]
fn other_elements_and_byte_orders_are_turned_into_the_tensors_own() {
    let floats: Vec<u8> = [0.5_f32, -1.0].iter().flat_map(|value| value.to_be_bytes()).collect();
    let folder = Folder::new("a.bin,3,0\n", &[("a.bin", &floats)]);
    let big = || Options { byte_order: ByteOrder::Big, ..Options::default() };
    let model = Plan::default().model();
    let values = |dataset: Dataset| ElementType::Float32.read(&dataset.inputs()[0], false);
    assert_eq!(values(folder.load(big(), &model).unwrap()), [0.5, -1.0]);
    let as_float = Options { element: Some(ElementType::Float32), ..big() };
    assert_eq!(folder.load(as_float, &bytes()).unwrap().inputs(), [[11, 8]]);
    let folder = Folder::new("a.bin,3,0\n", &[("a.bin", &[1, 2])]);
    let as_int8 = |encoding| Options { element: Some(ElementType::Int8), encoding, ..Options::default() };
    assert_snapshot!(folder.load(as_int8(None), &bytes()).unwrap_err(), @r#"a.bin: holds int8 where the model takes uint8 [1,2]; say in its manifest whether they are real values (`encoding = "real"`) or stored ones (`encoding = "stored"`)"#);
    assert_eq!(folder.load(as_int8(Some(Encoding::Real)), &bytes()).unwrap().inputs(), [[12, 14]]);
    let nan = Folder::new("a.bin,3,0\n", &[("a.bin", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f])]);
    assert_snapshot!(nan.load(Options::default(), &model).unwrap_err(), @"a.bin, byte 4: NaN is not a finite number; mend the value, or leave the sample out");
}

#[test]
fn what_does_not_fit_is_said_with_the_mend() {
    let says =
        |labels: &str| Folder::new(labels, &[("a.bin", &[1, 2, 3])]).load(Options::default(), &bytes()).unwrap_err();
    assert_snapshot!(says(""), @"labels.csv: has no rows; a dataset needs at least one sample");
    assert_snapshot!(says("file,classes,class\n"), @"labels.csv: has no rows; a dataset needs at least one sample");
    assert_snapshot!(says("a.bin,3,0\n"), @"a.bin: has 3 bytes where model tiny takes 2: uint8 [1,2]; a file with several samples needs `bytes` and `stride`");
    assert_snapshot!(says("b.bin,3,0\n"), @"b.bin: there is no such file, which the labels file names; check the path");
    assert_snapshot!(says(",3,0\n"), @"labels.csv:1, column `file`: the file's name is missing");
    assert_snapshot!(says("a.bin\n"), @"labels.csv:1: 1 field where file,classes,class[,bytes,stride] are wanted");
    assert_snapshot!(says("a.bin,3,0,2,1,7\n"), @"labels.csv:1: 6 fields where file,classes,class[,bytes,stride] are wanted");
    assert_snapshot!(says("file,class\na.bin,0,0\n"), @"labels.csv:2: 3 fields where the header has 2; mend the row (is a comma missing, or one too many?)");
    assert_snapshot!(says("file,classes\na.bin,3\n"), @"labels.csv: the column `class` is missing; a labels file has file,classes,class[,bytes,stride]");
    assert_snapshot!(says("file,class,strid\na.bin,0,0\n"), @"labels.csv: the column `strid` means nothing in a labels file; did you mean `stride`?");
    assert_snapshot!(says("file,class,class\na.bin,0,0\n"), @"labels.csv: the column `class` is there twice; leave one out");
    assert_snapshot!(says("a.bin,12,0\n"), @r#"labels.csv:1, column `classes`: 12 classes where the model gives 3 values; is it the right model? (`truth = "none"` in a manifest leaves the labels out)"#);
    assert_snapshot!(says("a.bin,three,0\n"), @"labels.csv:1, column `classes`: `three` is not a whole number");
    assert_snapshot!(says("a.bin,3,3\n"), @"labels.csv:1, column `class`: class 3 is out of range: the model's outputs make the classes 0 to 2");
    assert_snapshot!(says("a.bin,3,0,4,1\n"), @"labels.csv:1, column `bytes`: windows of 4 bytes where model tiny takes 2: uint8 [1,2]");
    assert_snapshot!(says("a.bin,3,0,2,0\n"), @"labels.csv:1, column `stride`: the stride is 0; it is how many bytes one window starts after another");
    let options = Options { truth: Some(TruthKind::Expected), ..Options::default() };
    let folder = Folder::new("a.bin,3,0,2,1\n", &[("a.bin", &[1])]);
    assert_snapshot!(folder.load(options, &bytes()).unwrap_err(), @r#"labels.csv: a labels file has no expected outputs; say `truth = "label"` or `"none"`"#);
    assert_snapshot!(folder.load(Options::default(), &bytes()).unwrap_err(), @"a.bin: has 1 byte, less than one window of 2");
    let folder = Folder::new("a.bin,3,0,2,1\n", &[("a.bin", &[1; 1000])]);
    let options = Options { max_bytes: Some(1500), ..Options::default() };
    assert_snapshot!(folder.load(options, &bytes()).unwrap_err(), @"a.bin: takes 1998 bytes, more than the 1500 allowed; take fewer with `samples = N`, or raise `max_bytes` in its manifest");
}

#[test]
fn the_recorded_gestures_are_big_endian_floating_point() {
    let labels = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/magic_wand/gestures.csv");
    let data = Data::Folder { folder: tfmicro().join("examples/models"), labels: labels.into() };
    let load = |byte_order| {
        let classes = ["wing", "ring", "slope", "negative"].map(str::to_owned).to_vec();
        let options = Options { byte_order, classes: Some(classes), ..Options::default() };
        Dataset::load("gestures", &DatasetSource { data: data.clone(), options }, &shipped("magic_wand"))
    };
    let readings = |dataset: &Dataset| ElementType::Float32.read(&dataset.inputs()[0], false);
    let right = readings(&load(ByteOrder::Big).unwrap());
    assert!(right.iter().all(|value| value.abs() < 4000.0), "readings in thousandths of g");
    assert!(right.iter().any(|value| value.abs() > 100.0));
}
