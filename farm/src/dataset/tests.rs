//! What a dataset may be, and what is said of one that may not.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    ElementType, Model,
    model::fixtures::{Plan, Tensor, TensorType},
};
use insta::assert_snapshot;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// float32 [1,2] in, float32 [1,3] out.
fn floats() -> Model {
    Plan::default().model()
}

/// uint8 [1,2] with scale 0.5 and zero point 10 in, uint8 [1,3] with scale 0.25 and zero point 0 out.
pub(super) fn bytes() -> Model {
    Plan::of(
        vec![Tensor::quantized(TensorType::UINT8, &[1, 2], 0.5, 10)],
        vec![Tensor::quantized(TensorType::UINT8, &[1, 3], 0.25, 0)],
    )
    .model()
}

fn inline(text: &str, options: Options, model: &Model) -> Result<Dataset, DatasetError> {
    let source = DatasetSource { options, ..DatasetSource::inline_csv(text) };
    Dataset::load("d", &source, model)
}

fn csv(text: &str) -> Result<Dataset, DatasetError> {
    inline(text, Options::default(), &floats())
}

fn says(result: Result<Dataset, DatasetError>) -> String {
    result.unwrap_err().to_string()
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn floats_of(dataset: &Dataset) -> Vec<f64> {
    dataset.inputs().iter().flat_map(|input| ElementType::Float32.read(input, false)).collect()
}

#[test]
fn columns_mean_what_their_names_say() {
    let dataset = csv("x0,x1,y0,y1,y2\n1,2,0,0,1\n-3e-1, +4.5 ,1,0,0\n").unwrap();
    assert_eq!(floats_of(&dataset), [1.0, 2.0, f64::from(-0.3_f32), 4.5]);
    assert_eq!(dataset.truth(), &Truth::Expected(vec![vec![0.0, 0.0, 1.0], vec![1.0, 0.0, 0.0]]));
    assert_eq!(dataset.samples(), ["row 1", "row 2"]);
    let dataset = csv("\u{feff}name,Input_1,Input_2,Label\nfirst,1,2,2\n\n,3,4,0\n").unwrap();
    assert_eq!(dataset.samples(), ["first", "row 2"]);
    let classes = ["0", "1", "2"].map(str::to_owned).to_vec();
    assert_eq!(dataset.truth(), &Truth::Labels { labels: vec![2, 0], classes });
    assert_eq!(csv("x0,x1\n1,2\n").unwrap().truth(), &Truth::Unknown);
    assert_eq!(csv("\"x0\",\"x1\"\r\n\"1\",\"2\"\r\n").unwrap().len(), 1);
}

#[test]
fn a_manifest_may_name_columns_and_classes() {
    let options = Options {
        inputs: names(&["b", "a"]),
        label: Some("kind".to_owned()),
        classes: names(&["cat", "dog", "7"]),
        samples: Some(3),
        ..Options::default()
    };
    let dataset = inline("a,b,kind,note\n1,2,dog,?\n3,4,0,\n5,6,7,\n7,8,nonsense,\n", options, &floats()).unwrap();
    assert_eq!(floats_of(&dataset), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
    let classes = ["cat", "dog", "7"].map(str::to_owned).to_vec();
    assert_eq!(dataset.truth(), &Truth::Labels { labels: vec![1, 0, 2], classes });
    let options = Options { inputs: names(&["in*"]), ..Options::default() };
    assert_eq!(floats_of(&inline("in1,in2,z\n1,2,3\n", options, &floats()).unwrap()), [1.0, 2.0]);
}

#[test]
fn values_are_quantised_or_taken_as_stored() {
    let dataset = inline("x0,x1\n1,0.5\n1000,-1000\n", Options::default(), &bytes()).unwrap();
    assert_eq!(dataset.inputs(), [[12, 11], [255, 0]]);
    assert_snapshot!(dataset.warnings().join("\n"), @"");
    let stored = Options {
        encoding: Some(Encoding::Stored),
        expected_encoding: Some(Encoding::Stored),
        ..Options::default()
    };
    let text = "x0,x1,y0,y1,y2\n1,255,4,255,0\n";
    let dataset = inline(text, stored.clone(), &bytes()).unwrap();
    assert_eq!(dataset.inputs(), [[1, 255]]);
    assert_eq!(dataset.truth(), &Truth::Expected(vec![vec![1.0, 63.75, 0.0]]));
    assert!(dataset.warnings().is_empty());
    assert_snapshot!(says(inline("x0,x1\n1,256\n", stored.clone(), &bytes())), @"");
    assert_snapshot!(says(inline("x0,x1\n1,0.5\n", stored.clone(), &bytes())), @"");
    assert_snapshot!(says(inline("x0,x1,y0,y1,y2\n1,2,1,1,300\n", stored, &bytes())), @"");
}

#[test]
fn a_bad_header_is_refused_with_the_mend() {
    assert_snapshot!(says(csv("")), @"");
    assert_snapshot!(says(csv("x0,x1\n")), @"");
    assert_snapshot!(says(csv("1,2\n3,4\n")), @"");
    assert_snapshot!(says(csv("x0,y0,x0\n")), @"");
    assert_snapshot!(says(csv("x0,x1,temperature\n")), @"");
    assert_snapshot!(says(csv("y0,y1,y2\n")), @"");
    assert_snapshot!(says(csv("x0\n1\n")), @"");
    assert_snapshot!(says(csv("x0,x1,x2,x3,x4,x5\n")), @"");
    assert_snapshot!(says(csv("x0,x2\n1,2\n")), @"");
    assert_snapshot!(says(csv("x1,x0\n1,2\n")), @"");
    assert_snapshot!(says(csv("x0,x1,y\n1,2,3\n")), @"");
    assert_snapshot!(says(csv("x0,x1,label,class\n1,2,3,3\n")), @"");
    assert_snapshot!(says(csv("x0,x1,y0,y1,y2,class\n1,2,3,3,3,3\n")), @"");
    let options = Options { inputs: names(&["lenght", "x1"]), ..Options::default() };
    assert_snapshot!(says(inline("length,x1\n1,2\n", options, &floats())), @"");
    let options = |truth| Options { truth: Some(truth), ..Options::default() };
    assert_snapshot!(says(inline("x0,x1\n1,2\n", options(TruthKind::Label), &floats())), @"");
    assert_snapshot!(says(inline("x0,x1\n1,2\n", options(TruthKind::Expected), &floats())), @"");
    let both = "x0,x1,y0,y1,y2,class\n1,2,3,3,3,1\n";
    let truth = |kind| inline(both, options(kind), &floats()).unwrap().truth().clone();
    assert!(matches!(truth(TruthKind::Label), Truth::Labels { .. }));
    assert!(matches!(truth(TruthKind::Expected), Truth::Expected(_)));
    assert_eq!(truth(TruthKind::None), Truth::Unknown);
}

#[test]
fn a_bad_row_is_found_by_line_and_column() {
    assert_snapshot!(says(csv("x0,x1\n1,2\n3\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n1,2\n\n\n3,4,5\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n1,NaN\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n-inf,1\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n1,1e999\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n1,1e39\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n1,\n")), @"");
    assert_snapshot!(says(csv("x0,x1\n1,two\n")), @"");
    assert_snapshot!(says(csv("x0,x1,y0,y1,y2\n1,2,3,4,nan\n")), @"");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,3\n")), @"");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,-1\n")), @"");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,dog\n")), @"");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,\n")), @"");
    let classes = |classes: &[&str]| Options { classes: names(classes), ..Options::default() };
    let text = "x0,x1,label\n1,2,dgo\n";
    assert_snapshot!(says(inline(text, classes(&["cat", "dog", "cow"]), &floats())), @"");
    assert_snapshot!(says(inline(text, classes(&["cat", "dog"]), &floats())), @"");
    assert_snapshot!(says(inline(text, classes(&["cat", "dog", "cat"]), &floats())), @"");
    let samples = |samples| Options { samples: Some(samples), ..Options::default() };
    assert_snapshot!(says(inline("x0,x1\n1,2\n", samples(0), &floats())), @"");
    assert_snapshot!(says(inline("x0,x1\n1,2\n", samples(2), &floats())), @"");
}

#[test]
fn a_file_that_cannot_be_had_is_named() {
    let folder = TempDir::new().unwrap();
    let display =
        |error: DatasetError| error.to_string().replace(&folder.path().display().to_string(), "DIR");
    let load = |name: &str| {
        DatasetSource::from_path(&folder.path().join(name)).and_then(|source| Dataset::load("d", &source, &floats()))
    };
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    assert_snapshot!(display(load("none.csv").unwrap_err()), @"");
    write("data.parquet", b"");
    assert_snapshot!(display(load("data.parquet").unwrap_err()), @"");
    fs::create_dir(folder.path().join("pictures")).unwrap();
    assert_snapshot!(display(load("pictures").unwrap_err()), @"");
    write("latin.csv", b"x0,x1\n1,2\n\xff,2\n");
    assert_snapshot!(display(load("latin.csv").unwrap_err()), @"");
    write("fine.csv", b"x0,x1\n1,2\n");
    assert_eq!(load("fine.csv").unwrap().len(), 1);
    let path = folder.path().join("fine.csv");
    let mut source = DatasetSource::from_path(&path).unwrap();
    source.options.max_bytes = Some(9);
    assert_snapshot!(display(Dataset::load("d", &source, &floats()).unwrap_err()), @"");
    source.options.max_bytes = Some(10);
    assert_eq!(Dataset::load("d", &source, &floats()).unwrap().len(), 1);
    let gone = DatasetSource::from(Data::Csv(PathBuf::from("gone.csv")));
    assert_snapshot!(says(Dataset::load("d", &gone, &floats())), @"");
    assert!(DatasetSource::is_dataset_path(Path::new("a/b.NPZ")));
    assert!(!DatasetSource::is_dataset_path(Path::new("sine")));
}

#[test]
fn a_dataset_made_by_hand_is_checked_too() {
    let model = floats();
    let new = |samples: &[&str], inputs: Vec<Vec<u8>>, truth: Truth| {
        Dataset::new("d", samples.iter().map(|name| (*name).to_owned()).collect(), inputs, truth, &model)
    };
    let one = || vec![vec![0; 8]];
    let classes = || ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_snapshot!(says(new(&[], vec![], Truth::Unknown)), @"");
    assert_snapshot!(says(new(&["a", "b"], one(), Truth::Unknown)), @"");
    assert_snapshot!(says(new(&["a"], vec![vec![0; 7]], Truth::Unknown)), @"");
    assert_snapshot!(says(new(&["a"], one(), Truth::Expected(vec![]))), @"");
    assert_snapshot!(says(new(&["a"], one(), Truth::Expected(vec![vec![1.0]]))), @"");
    assert_snapshot!(says(new(&["a"], one(), Truth::Expected(vec![vec![1.0, 2.0, f64::NAN]]))), @"");
    assert_snapshot!(says(new(&["a"], one(), Truth::Labels { labels: vec![3], classes: classes() })), @"");
    assert_snapshot!(says(new(&["a"], one(), Truth::Labels { labels: vec![], classes: classes() })), @"");
    assert_snapshot!(says(new(&["a"], one(), Truth::Labels { labels: vec![0], classes: vec![] })), @"");
    let labels = |label| new(&["a"], one(), Truth::Labels { labels: vec![label], classes: classes() }).unwrap();
    assert_eq!(labels(1).digest(), labels(1).digest());
    assert_ne!(labels(1).digest(), labels(2).digest());
    assert_ne!(labels(1).digest(), new(&["a"], one(), Truth::Unknown).unwrap().digest());
}
