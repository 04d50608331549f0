//! Models and datasets by name: the shipped ones, and manifests with mistakes in them.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    dataset::Truth,
    model::fixtures::{Plan, tfmicro},
};
use insta::assert_snapshot;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};
use tempfile::TempDir;

fn shipped() -> Library {
    let models = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
    Library::load(&[models], &BTreeMap::from([("tfmicro".to_owned(), tfmicro().to_owned())])).unwrap()
}

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &TempDir) -> Result<Library, LibraryError> {
    Library::load(&[folder.path().to_owned()], &BTreeMap::new())
}

fn relative(error: &LibraryError, folder: &TempDir) -> String {
    error.to_string().replace(&folder.path().display().to_string(), "DIR")
}

/// What is said of a library with these manifests.
fn says(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    relative(&load(&folder).unwrap_err(), &folder)
}

#[test]
fn every_shipped_dataset_fits_its_model() {
    let library = shipped();
    let mut text = String::new();
    for entry in library.datasets() {
        let model = library.model(entry.model.as_ref().unwrap(), Path::new("")).unwrap();
        let dataset = library.dataset(&entry.name, Path::new(""), &model).unwrap();
        let truth = match dataset.truth() {
            Truth::Unknown => "nothing".to_owned(),
            Truth::Expected(rows) => format!("expected outputs from {:?} to {:?}", rows[0], rows[rows.len() - 1]),
            Truth::Labels { labels, classes } => format!("{labels:?} of {}", classes.join(", ")),
        };
        writeln!(text, "{} on {}: {} samples; {truth}", dataset.name(), model.name(), dataset.len()).unwrap();
        assert_eq!(dataset.warnings(), [""; 0]);
    }
    let models: Vec<&str> = library.models().map(|entry| entry.name.as_str()).collect();
    writeln!(text, "{}", models.join(" ")).unwrap();
    assert_snapshot!(text, @r#"
    gestures on magic_wand: 2 samples; [1, 2] of wing, ring, slope, negative
    people on person_detection: 2 samples; [1, 2] of unused, person, notperson
    sine on hello_world: 1001 samples; expected outputs from [0.0] to [1.93e-7]
    sine_100 on hello_world: 100 samples; expected outputs from [0.0] to [1.93e-7]
    yes_no on micro_speech: 2 samples; [2, 3] of silence, unknown, yes, no
    hello_world magic_wand micro_speech person_detection
    "#);
}

#[test]
fn the_shipped_points_are_a_sine() {
    let library = shipped();
    let model = library.model("hello_world", Path::new("")).unwrap();
    for name in ["sine", "sine_100"] {
        let dataset = library.dataset(name, Path::new(""), &model).unwrap();
        let Truth::Expected(expected) = dataset.truth() else { panic!("a sine has expected outputs") };
        for (input, expected) in dataset.inputs().iter().zip(expected) {
            let x = model.inputs()[0].decode(input)[0];
            assert!((x.sin() - expected[0]).abs() < 1e-6, "sin({x}) is not {}", expected[0]);
        }
    }
}

#[test]
fn what_was_loaded_once_is_kept() {
    let library = shipped();
    let models: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| library.model("magic_wand", Path::new("")).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(models.iter().all(|model| Arc::ptr_eq(model, &models[0])));
    let dataset = || library.dataset("gestures", Path::new(""), &models[0]).unwrap();
    assert!(Arc::ptr_eq(&dataset(), &dataset()));
}

#[test]
fn paths_are_relative_to_the_feature() {
    let folder = folder(&[("features/data.csv", "x0,x1\n1,2\n")]);
    fs::write(folder.path().join("features/my.tflite"), Plan::default().bytes()).unwrap();
    let library = Library::default();
    let base = folder.path().join("features");
    let model = library.model("my.tflite", &base).unwrap();
    assert_eq!(model.name(), "my.tflite");
    assert_eq!(library.dataset("data.csv", &base, &model).unwrap().len(), 1);
    assert_eq!(library.dataset("../features/data.csv", &base, &model).unwrap().len(), 1);
    let whole = base.join("my.tflite").display().to_string();
    assert_eq!(library.model(&whole, Path::new("elsewhere")).unwrap().digest(), model.digest());
    let says = |error: LibraryError| relative(&error, &folder);
    assert_snapshot!(says(library.model("other.tflite", &base).unwrap_err()), @"there is no model file `other.tflite`: looked for DIR/features/other.tflite and other.tflite; check the path");
    assert_snapshot!(says(library.dataset("sub/data", &base, &model).unwrap_err()), @"there is no dataset file `sub/data`: looked for DIR/features/sub/data and sub/data; check the path");
    fs::write(base.join("bad.tflite"), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert_snapshot!(says(library.model("bad.tflite", &base).unwrap_err()), @"DIR/features/bad.tflite: is not a TensorFlow Lite model: it is a Git LFS pointer; fetch the file itself with `git lfs pull`");
    fs::write(base.join("bad.csv"), "x0\n1\n").unwrap();
    assert_snapshot!(says(library.dataset("bad.csv", &base, &model).unwrap_err()), @"DIR/features/bad.csv: 1 input column (x0) where model my.tflite takes 2 values: float32 [1,2]; give one column for each value");
}

#[test]
fn a_name_that_nothing_has_gets_a_suggestion() {
    let library = shipped();
    let model = library.model("hello_world", Path::new("")).unwrap();
    assert_snapshot!(library.model("helo_world", Path::new("")).unwrap_err(), @"there is no model `helo_world`; did you mean `hello_world`?");
    assert_snapshot!(library.model("zzz", Path::new("")).unwrap_err(), @"there is no model `zzz`; there is: hello_world, magic_wand, micro_speech, person_detection");
    assert_snapshot!(library.model("", Path::new("")).unwrap_err(), @"there is no model ``; there is: hello_world, magic_wand, micro_speech, person_detection");
    assert_snapshot!(library.dataset("sin", Path::new(""), &model).unwrap_err(), @"there is no dataset `sin`; did you mean `sine`?");
    assert_snapshot!(Library::default().model("hello_world", Path::new("")).unwrap_err(), @"there is no model `hello_world`; there is none");
}

#[test]
fn a_file_that_is_not_the_one_meant_is_refused() {
    let digest = "0".repeat(64);
    let manifest = format!("[model]\nname = \"m\"\nfile = \"m.tflite\"\nsha256 = \"{digest}\"\n");
    let folder = folder(&[("m.toml", &manifest)]);
    fs::write(folder.path().join("m.tflite"), Plan::default().bytes()).unwrap();
    let error = load(&folder).unwrap().model("m", Path::new("")).unwrap_err();
    let found = crate::Digest::of(&Plan::default().bytes()).to_string();
    assert_snapshot!(relative(&error, &folder).replace(&found, "FOUND"), @"DIR/m.tflite: has the SHA-256 FOUND, and DIR/m.toml:2 wants 0000000000000000000000000000000000000000000000000000000000000000; fetch the right file, or mend the manifest");
}

#[test]
fn mistakes_in_manifests_are_found_by_line() {
    let one = |text: &str| says(&[("a.toml", text)]);
    assert_snapshot!(one("[model\n"), @"DIR/a.toml:1: unclosed table, expected `]`");
    assert_snapshot!(one("\n[modle]\nname = \"m\"\n"), @"DIR/a.toml:2: a manifest has no key `modle`; did you mean `model`?");
    assert_snapshot!(one("[model]\nname = \"m\"\nfil = \"m.tflite\"\n"), @"DIR/a.toml:3: a model has no key `fil`; did you mean `file`?");
    assert_snapshot!(one("[model]\nname = \"m\"\n"), @"DIR/a.toml:1: missing field `file`");
    assert_snapshot!(one("[model]\nname = 3\nfile = \"m\"\n"), @"DIR/a.toml:2: invalid type: integer `3`, expected a string");
    assert_snapshot!(one("[model]\nname = \"a/b\"\nfile = \"m\"\n"), @"DIR/a.toml:2: `a/b` cannot be a name; take letters, digits, `_`, `-`, `.` and spaces within");
    assert_snapshot!(one("[model]\nname = \" \"\nfile = \"m\"\n"), @"DIR/a.toml:2: ` ` cannot be a name; take letters, digits, `_`, `-`, `.` and spaces within");
    assert_snapshot!(one("[model]\nname = \"m\"\nfile = \"m\"\nsha256 = \"abc\"\n"), @"DIR/a.toml:4: `abc` is not a SHA-256 digest: 64 hexadecimal digits are wanted");
    assert_snapshot!(one("[[model]]\nname = \"m\"\nfile = \"m\"\n"), @"DIR/a.toml:1: write `[model]`: a manifest has one model");
    assert_snapshot!(one("[dataset]\nname = \"d\"\nfile = \"d.csv\"\n"), @"DIR/a.toml:1: write `[[dataset]]`: a manifest may have several datasets");
    let dataset = |keys: &str| one(&format!("[[dataset]]\nname = \"d\"\n{keys}\n"));
    assert_snapshot!(dataset("file = \"d.csv\"\nclases = []"), @"DIR/a.toml:4: a dataset has no key `clases`; did you mean `classes`?");
    assert_snapshot!(dataset("file = \"d.csv\"\nencoding = \"raw\""), @"DIR/a.toml:4: unknown variant `raw`, expected `real` or `stored`");
    assert_snapshot!(dataset("file = \"d.csv\"\nsamples = -1"), @"DIR/a.toml:4: invalid value: integer `-1`, expected a whole number");
    assert_snapshot!(dataset("file = \"d.csv\"\ninputs = 7"), @"DIR/a.toml:4: a name or a list of names is wanted");
    assert_snapshot!(dataset("file = \"d.csv\"\nlabels = \"l.csv\""), @"DIR/a.toml:2: dataset `d` has `labels` or `expected_file`, which belong to .npy files and folders");
    assert_snapshot!(dataset("file = \"d.csv\"\nbyte_order = \"big\""), @"DIR/a.toml:2: dataset `d` has `element` or `byte_order`, which belong to folders of raw binaries");
    assert_snapshot!(dataset("file = \"d.xls\""), @"DIR/a.toml:2: dataset `d`: d.xls: cannot tell what it holds; a dataset is a .csv, .npy or .npz file, or a folder with a labels.csv");
    assert_snapshot!(dataset("file = \"d.csv\"\nfolder = \"d\""), @"DIR/a.toml:2: dataset `d` has both `file` and `folder`; leave one");
    assert_snapshot!(dataset("summary = \"nothing\""), @"DIR/a.toml:2: dataset `d` has neither `file` nor `folder`; say where it is");
    assert_snapshot!(dataset("folder = \"d\""), @"DIR/a.toml:2: dataset `d` has a `folder` without `labels`: the CSV that lists its files");
    assert_snapshot!(dataset("folder = \"d\"\nlabels = \"l.csv\"\nexpected_file = \"e.npy\""), @"DIR/a.toml:2: dataset `d` has `expected_file`, which belongs to .npy files");
    assert_snapshot!(dataset("file = \"d.csv\"\nmodel = \"nobody\""), @"DIR/a.toml:2: dataset `d` is for the model `nobody`, which there is not; there is none");
    let sound = "[[dataset]]\nname = \"d\"\nfile = \"d.npy\"\nlabels = \"l.npy\"\ninputs = \"x\"\nclasses = [\"a\"]\n";
    assert_eq!(load(&folder(&[("a.toml", sound)])).unwrap().datasets().count(), 1);
}

#[test]
fn a_name_given_twice_is_refused() {
    let model = "[model]\nname = \"m\"\nfile = \"m.tflite\"\n";
    assert_snapshot!(says(&[("a.toml", model), ("deep/b.toml", model)]), @"DIR/deep/b.toml:2: the model `m` is there already, in DIR/a.toml:2; rename one");
    let dataset = "[[dataset]]\nname = \"d\"\nfile = \"d.csv\"\n";
    assert_snapshot!(says(&[("a.toml", &dataset.repeat(2))]), @"DIR/a.toml:5: the dataset `d` is there already, in DIR/a.toml:2; rename one");
    let folder = folder(&[("a.toml", model), ("deep/notes.txt", "[model]")]);
    let twice = [folder.path().to_owned(), folder.path().join("deep").join("..")];
    assert_eq!(Library::load(&twice, &BTreeMap::new()).unwrap().models().count(), 1);
}

#[test]
fn a_folder_or_package_that_is_not_there_is_named() {
    let error = Library::load(&[PathBuf::from("nowhere")], &BTreeMap::new()).unwrap_err();
    assert_snapshot!(error, @"nowhere: there is no such folder of models; make it, or mend `models` in the configuration");
    let folder = folder(&[("a.toml", "[model]\nname = \"m\"\npackage = \"tfmicr\"\nfile = \"m.tflite\"\n")]);
    let dirs = [folder.path().to_owned()];
    let packages = BTreeMap::from([("tfmicro".to_owned(), PathBuf::from("p"))]);
    let error = Library::load(&dirs, &packages).unwrap().model("m", Path::new("")).unwrap_err();
    assert_snapshot!(relative(&error, &folder), @"DIR/a.toml:2: the package `tfmicr` is not at hand; did you mean `tfmicro`?");
    let error = Library::load(&dirs, &BTreeMap::new()).unwrap().model("m", Path::new("")).unwrap_err();
    assert_snapshot!(relative(&error, &folder), @"DIR/a.toml:2: the package `tfmicr` is not at hand; fetch it with `cargo fetch`, and build again");
}
