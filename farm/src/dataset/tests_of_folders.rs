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
    for labels in ["a.bin, 3, 2\nb.bin, 3, 0\n", "file,classes,class\na.bin,3,2\nb.bin,3,0\n", "File,Class\na.bin,2\nb.bin,0\n"] {
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
    assert_snapshot!(folder.load(as_int8(None), &bytes()).unwrap_err(), @"");
    assert_eq!(folder.load(as_int8(Some(Encoding::Real)), &bytes()).unwrap().inputs(), [[12, 14]]);
    let nan = Folder::new("a.bin,3,0\n", &[("a.bin", &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f])]);
    assert_snapshot!(nan.load(Options::default(), &model).unwrap_err(), @"");
}

#[test]
fn what_does_not_fit_is_said_with_the_mend() {
    let says = |labels: &str| {
        Folder::new(labels, &[("a.bin", &[1, 2, 3])]).load(Options::default(), &bytes()).unwrap_err()
    };
    assert_snapshot!(says(""), @"");
    assert_snapshot!(says("file,classes,class\n"), @"");
    assert_snapshot!(says("a.bin,3,0\n"), @"");
    assert_snapshot!(says("b.bin,3,0\n"), @"");
    assert_snapshot!(says(",3,0\n"), @"");
    assert_snapshot!(says("a.bin\n"), @"");
    assert_snapshot!(says("a.bin,3,0,2,1,7\n"), @"");
    assert_snapshot!(says("file,class\na.bin,0,0\n"), @"");
    assert_snapshot!(says("file,classes\na.bin,3\n"), @"");
    assert_snapshot!(says("file,class,strid\na.bin,0,0\n"), @"");
    assert_snapshot!(says("file,class,class\na.bin,0,0\n"), @"");
    assert_snapshot!(says("a.bin,12,0\n"), @"");
    assert_snapshot!(says("a.bin,three,0\n"), @"");
    assert_snapshot!(says("a.bin,3,3\n"), @"");
    assert_snapshot!(says("a.bin,3,0,4,1\n"), @"");
    assert_snapshot!(says("a.bin,3,0,2,0\n"), @"");
    let options = Options { truth: Some(TruthKind::Expected), ..Options::default() };
    let folder = Folder::new("a.bin,3,0,2,1\n", &[("a.bin", &[1])]);
    assert_snapshot!(folder.load(options, &bytes()).unwrap_err(), @"");
    assert_snapshot!(folder.load(Options::default(), &bytes()).unwrap_err(), @"");
    let folder = Folder::new("a.bin,3,0,2,1\n", &[("a.bin", &[1; 1000])]);
    let options = Options { max_bytes: Some(1500), ..Options::default() };
    assert_snapshot!(folder.load(options, &bytes()).unwrap_err(), @"");
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
