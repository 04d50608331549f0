//! What a dataset may be, and what is said of one that may not.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    ElementType, Model,
    model::fixtures::{Plan, Tensor, TensorType},
};
use insta::assert_snapshot;
use proptest::prelude::*;
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
    assert_snapshot!(dataset.warnings().join("\n"), @"doc string: 2 of the input values lie beyond what the model's input can hold (uint8: -5 to 122.5) and were saturated; the first is 1000 at doc string:3, column `x0`");
    let stored =
        Options { encoding: Some(Encoding::Stored), expected_encoding: Some(Encoding::Stored), ..Options::default() };
    let text = "x0,x1,y0,y1,y2\n1,255,4,255,0\n";
    let dataset = inline(text, stored.clone(), &bytes()).unwrap();
    assert_eq!(dataset.inputs(), [[1, 255]]);
    assert_eq!(dataset.truth(), &Truth::Expected(vec![vec![1.0, 63.75, 0.0]]));
    assert!(dataset.warnings().is_empty());
    assert_snapshot!(says(inline("x0,x1\n1,256\n", stored.clone(), &bytes())), @r#"doc string:2, column `x1`: 256 is outside of uint8: 0 to 255; mend the value, or say `encoding = "real"` if values are real ones"#);
    assert_snapshot!(says(inline("x0,x1\n1,0.5\n", stored.clone(), &bytes())), @r#"doc string:2, column `x1`: 0.5 is not a whole number, which uint8 holds; mend the value, or say `encoding = "real"` if values are real ones"#);
    assert_snapshot!(says(inline("x0,x1,y0,y1,y2\n1,2,1,1,300\n", stored, &bytes())), @r#"doc string:2, column `y2`: 300 is outside of uint8: 0 to 255; mend the value, or say `encoding = "real"` if values are real ones"#);
}

#[test]
fn a_bad_header_is_refused_with_the_mend() {
    assert_snapshot!(says(csv("")), @"doc string: has no rows; a dataset needs at least one sample");
    assert_snapshot!(says(csv("x0,x1\n")), @"doc string: has no rows; a dataset needs at least one sample");
    assert_snapshot!(says(csv("1,2\n3,4\n")), @"doc string: the first row holds numbers; let it name the columns: `x…` or `input…` for inputs, `y…` or `expected…` for expected outputs, `label` or `class`, `sample` or `name`");
    assert_snapshot!(says(csv("x0,y0,x0\n")), @"doc string: the column `x0` is there twice (1 and 3); rename one or leave it out");
    assert_snapshot!(says(csv("x0,x1,temperature\n")), @"doc string: the column `temperature` means nothing: by convention there are `x…` or `input…` for inputs, `y…` or `expected…` for expected outputs, `label` or `class`, `sample` or `name`; rename it, or name the columns in a manifest");
    assert_snapshot!(says(csv("y0,y1,y2\n")), @"doc string: there is no input column; name it `x` or `input`, or say `inputs = [...]` in a manifest");
    assert_snapshot!(says(csv("x0\n1\n")), @"doc string: 1 input column (x0) where model tiny takes 2 values: float32 [1,2]; give one column for each value");
    assert_snapshot!(says(csv("x0,x1,x2,x3,x4,x5\n")), @"doc string: 6 input columns (x0 to x5) where model tiny takes 2 values: float32 [1,2]; give one column for each value");
    assert_snapshot!(says(csv("x0,x2\n1,2\n")), @"doc string: `x1` is missing: `x0` is followed by `x2`; add it, or name those that there are in a manifest");
    assert_snapshot!(says(csv("x1,x0\n1,2\n")), @"doc string: `x1` is followed by `x0`; put them in order, or name them in their order in a manifest");
    assert_snapshot!(says(csv("x0,x1,y\n1,2,3\n")), @"doc string: 1 column of expected outputs (y) where model tiny gives 3 values: float32 [1,3]; give one column for each value");
    assert_snapshot!(says(csv("x0,x1,label,class\n1,2,3,3\n")), @"doc string: there are several label columns: label, class; leave one, or name it in a manifest");
    assert_snapshot!(says(csv("x0,x1,y0,y1,y2,class\n1,2,3,3,3,3\n")), @r#"doc string: there are both expected outputs and labels; say in a manifest which are the truth (`truth = "label"` or `"expected"`)"#);
    let options = Options { inputs: names(&["lenght", "x1"]), ..Options::default() };
    assert_snapshot!(says(inline("length,x1\n1,2\n", options, &floats())), @"doc string: there is no column `lenght`, which its manifest names; did you mean `length`?");
    let options = |truth| Options { truth: Some(truth), ..Options::default() };
    assert_snapshot!(says(inline("x0,x1\n1,2\n", options(TruthKind::Label), &floats())), @r#"doc string: there is no label column, which `truth = "label"` asks for"#);
    assert_snapshot!(says(inline("x0,x1\n1,2\n", options(TruthKind::Expected), &floats())), @r#"doc string: there is no column of expected outputs, which `truth = "expected"` asks for"#);
    let both = "x0,x1,y0,y1,y2,class\n1,2,3,3,3,1\n";
    let truth = |kind| inline(both, options(kind), &floats()).unwrap().truth().clone();
    assert!(matches!(truth(TruthKind::Label), Truth::Labels { .. }));
    assert!(matches!(truth(TruthKind::Expected), Truth::Expected(_)));
    assert_eq!(truth(TruthKind::None), Truth::Unknown);
}

#[test]
fn a_bad_row_is_found_by_line_and_column() {
    assert_snapshot!(says(csv("x0,x1\n1,2\n3\n")), @"doc string:3: 1 field where the header has 2; mend the row (is a comma missing, or one too many?)");
    assert_snapshot!(says(csv("x0,x1\n1,2\n\n\n3,4,5\n")), @"doc string:5: 3 fields where the header has 2; mend the row (is a comma missing, or one too many?)");
    assert_snapshot!(says(csv("x0,x1\n1,NaN\n")), @"doc string:2, column `x1`: `NaN` is not a finite number; mend the value, or leave the row out");
    assert_snapshot!(says(csv("x0,x1\n-inf,1\n")), @"doc string:2, column `x0`: `-inf` is not a finite number; mend the value, or leave the row out");
    assert_snapshot!(says(csv("x0,x1\n1,1e999\n")), @"doc string:2, column `x1`: `1e999` is not a finite number; mend the value, or leave the row out");
    assert_snapshot!(says(csv("x0,x1\n1,1e39\n")), @"doc string:2, column `x1`: 1000000000000000000000000000000000000000 is beyond float32; mend the value");
    assert_snapshot!(says(csv("x0,x1\n1,\n")), @"doc string:2, column `x1`: the value is missing; fill it in, or leave the row out");
    assert_snapshot!(says(csv("x0,x1\n1,two\n")), @"doc string:2, column `x1`: `two` is not a number; write it like 0.25, -3 or 1e-3");
    assert_snapshot!(says(csv("x0,x1,y0,y1,y2\n1,2,3,4,nan\n")), @"doc string:2, column `y2`: `nan` is not a finite number; mend the value, or leave the row out");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,3\n")), @"doc string:2, column `label`: class 3 is out of range: the model's outputs make the classes 0 to 2");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,-1\n")), @"doc string:2, column `label`: class -1 is out of range: the model's outputs make the classes 0 to 2");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,dog\n")), @"doc string:2, column `label`: `dog` is no index of a class; name the classes in a manifest (`classes = [...]`)");
    assert_snapshot!(says(csv("x0,x1,label\n1,2,\n")), @"doc string:2, column `label`: the class is missing; give its name or its index");
    let classes = |classes: &[&str]| Options { classes: names(classes), ..Options::default() };
    let text = "x0,x1,label\n1,2,dgo\n";
    assert_snapshot!(says(inline(text, classes(&["cat", "dog", "cow"]), &floats())), @"doc string:2, column `label`: `dgo` is none of the classes; there is: cat, dog, cow");
    assert_snapshot!(says(inline(text, classes(&["cat", "dog"]), &floats())), @r#"doc string: 2 classes where model tiny gives 3 values (float32 [1,3]); name one class for each, in order, or say `truth = "none"`"#);
    assert_snapshot!(says(inline(text, classes(&["cat", "dog", "cat"]), &floats())), @"doc string: the class `cat` is named twice; name each class once");
    let samples = |samples| Options { samples: Some(samples), ..Options::default() };
    assert_snapshot!(says(inline("x0,x1\n1,2\n", samples(0), &floats())), @"doc string: `samples` is 0; take at least 1");
    assert_snapshot!(says(inline("x0,x1\n1,2\n", samples(2), &floats())), @"doc string: has 1 sample, and `samples = 2` asks for more");
}

#[test]
fn a_file_that_cannot_be_had_is_named() {
    let folder = TempDir::new().unwrap();
    let display = |error: DatasetError| error.to_string().replace(&folder.path().display().to_string(), "DIR");
    let load = |name: &str| {
        DatasetSource::from_path(&folder.path().join(name)).and_then(|source| Dataset::load("d", &source, &floats()))
    };
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    assert_snapshot!(display(load("none.csv").unwrap_err()), @"DIR/none.csv: there is no such dataset; check the path");
    write("data.parquet", b"");
    assert_snapshot!(display(load("data.parquet").unwrap_err()), @"DIR/data.parquet: cannot tell what it holds; a dataset is a .csv, .npy or .npz file, or a folder with a labels.csv");
    fs::create_dir(folder.path().join("pictures")).unwrap();
    assert_snapshot!(display(load("pictures").unwrap_err()), @"DIR/pictures/labels.csv: there is no such labels file; check the path");
    write("latin.csv", b"x0,x1\n1,2\n\xff,2\n");
    assert_snapshot!(display(load("latin.csv").unwrap_err()), @"DIR/latin.csv:3: is not text in UTF-8; save it as CSV in UTF-8");
    write("fine.csv", b"x0,x1\n1,2\n");
    assert_eq!(load("fine.csv").unwrap().len(), 1);
    let path = folder.path().join("fine.csv");
    let mut source = DatasetSource::from_path(&path).unwrap();
    source.options.max_bytes = Some(9);
    assert_snapshot!(display(Dataset::load("d", &source, &floats()).unwrap_err()), @"DIR/fine.csv: takes 10 bytes, more than the 9 allowed; take fewer with `samples = N`, or raise `max_bytes` in its manifest");
    source.options.max_bytes = Some(10);
    assert_eq!(Dataset::load("d", &source, &floats()).unwrap().len(), 1);
    let gone = DatasetSource::from(Data::Csv(PathBuf::from("gone.csv")));
    assert_snapshot!(says(Dataset::load("d", &gone, &floats())), @"gone.csv: there is no such dataset; check the path");
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
    assert_snapshot!(says(new(&[], vec![], Truth::Unknown)), @"dataset d: has no samples; a dataset needs at least one sample");
    assert_snapshot!(says(new(&["a", "b"], one(), Truth::Unknown)), @"dataset d: 2 names for 1 sample");
    assert_snapshot!(says(new(&["a"], vec![vec![0; 7]], Truth::Unknown)), @"dataset d: a has 7 bytes where model tiny takes 8");
    assert_snapshot!(says(new(&["a"], one(), Truth::Expected(vec![]))), @"dataset d: 0 rows of expected outputs for 1 sample");
    assert_snapshot!(says(new(&["a"], one(), Truth::Expected(vec![vec![1.0]]))), @"dataset d: a expects 1 value where model tiny gives 3");
    assert_snapshot!(says(new(&["a"], one(), Truth::Expected(vec![vec![1.0, 2.0, f64::NAN]]))), @"dataset d: a expects NaN, which is not a finite number");
    assert_snapshot!(says(new(&["a"], one(), Truth::Labels { labels: vec![3], classes: classes() })), @"dataset d: a has the label 3 of 3 classes");
    assert_snapshot!(says(new(&["a"], one(), Truth::Labels { labels: vec![], classes: classes() })), @"dataset d: 0 labels for 1 sample");
    assert_snapshot!(says(new(&["a"], one(), Truth::Labels { labels: vec![0], classes: vec![] })), @r#"dataset d: 0 classes where model tiny gives 3 values (float32 [1,3]); name one class for each, in order, or say `truth = "none"`"#);
    let labels = |label| new(&["a"], one(), Truth::Labels { labels: vec![label], classes: classes() }).unwrap();
    assert_eq!(labels(1).digest(), labels(1).digest());
    assert_ne!(labels(1).digest(), labels(2).digest());
    assert_ne!(labels(1).digest(), new(&["a"], one(), Truth::Unknown).unwrap().digest());
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "(x0,x1(,label|,y0|,name)?\n)?([-0-9.eE, \"\r\nnaif\u{feff}é]{0,40}\n?){0,4}") {
        if let Ok(dataset) = csv(&text) {
            prop_assert!(dataset.inputs().iter().all(|input| input.len() == 8));
        }
    }
}

#[test]
fn the_same_data_are_the_same_dataset_for_every_model() {
    let requantised = Plan::of(
        vec![Tensor::quantized(TensorType::UINT8, &[1, 2], 0.25, 3)],
        vec![Tensor::quantized(TensorType::UINT8, &[1, 3], 0.5, 1)],
    );
    let models = [floats(), bytes(), requantised.model()];
    let digests = |text: &str| models.each_ref().map(|model| inline(text, Options::default(), model).unwrap().digest());
    let text = "x0,x1,y0,y1,y2\n1,2.5,0,1,2\n0.1,3,1,2,3\n";
    let [one, two, three] = digests(text);
    assert!(one == two && two == three, "{one} {two} {three}");
    // Not even a difference that one model's input could not hold.
    for other in [text.replace("2.5", "2.51"), text.replace("0,1,2", "0,1,3"), text.replace("0.1,3", "3,0.1")] {
        assert_ne!(digests(&other)[1], two, "{other}");
    }
    assert_ne!(digests("x0,x1\n1,2\n3,4\n")[0], digests("x0,x1\n1,2\n")[0]);
}
