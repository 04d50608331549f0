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
    assert_snapshot!(text, @"");
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
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| library.model("magic_wand", Path::new("")).unwrap())).collect();
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
    assert_snapshot!(says(library.model("other.tflite", &base).unwrap_err()), @"");
    assert_snapshot!(says(library.dataset("sub/data", &base, &model).unwrap_err()), @"");
    fs::write(base.join("bad.tflite"), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert_snapshot!(says(library.model("bad.tflite", &base).unwrap_err()), @"");
    fs::write(base.join("bad.csv"), "x0\n1\n").unwrap();
    assert_snapshot!(says(library.dataset("bad.csv", &base, &model).unwrap_err()), @"");
}

#[test]
fn a_name_that_nothing_has_gets_a_suggestion() {
    let library = shipped();
    let model = library.model("hello_world", Path::new("")).unwrap();
    assert_snapshot!(library.model("helo_world", Path::new("")).unwrap_err(), @"");
    assert_snapshot!(library.model("zzz", Path::new("")).unwrap_err(), @"");
    assert_snapshot!(library.model("", Path::new("")).unwrap_err(), @"");
    assert_snapshot!(library.dataset("sin", Path::new(""), &model).unwrap_err(), @"");
    assert_snapshot!(Library::default().model("hello_world", Path::new("")).unwrap_err(), @"");
}

#[test]
fn a_file_that_is_not_the_one_meant_is_refused() {
    let digest = "0".repeat(64);
    let manifest = format!("[model]\nname = \"m\"\nfile = \"m.tflite\"\nsha256 = \"{digest}\"\n");
    let folder = folder(&[("m.toml", &manifest)]);
    fs::write(folder.path().join("m.tflite"), Plan::default().bytes()).unwrap();
    let error = load(&folder).unwrap().model("m", Path::new("")).unwrap_err();
    let found = crate::Digest::of(&Plan::default().bytes()).to_string();
    assert_snapshot!(relative(&error, &folder).replace(&found, "FOUND"), @"");
}

#[test]
fn mistakes_in_manifests_are_found_by_line() {
    let one = |text: &str| says(&[("a.toml", text)]);
    assert_snapshot!(one("[model\n"), @"");
    assert_snapshot!(one("\n[modle]\nname = \"m\"\n"), @"");
    assert_snapshot!(one("[model]\nname = \"m\"\nfil = \"m.tflite\"\n"), @"");
    assert_snapshot!(one("[model]\nname = \"m\"\n"), @"");
    assert_snapshot!(one("[model]\nname = 3\nfile = \"m\"\n"), @"");
    assert_snapshot!(one("[model]\nname = \"a/b\"\nfile = \"m\"\n"), @"");
    assert_snapshot!(one("[model]\nname = \" \"\nfile = \"m\"\n"), @"");
    assert_snapshot!(one("[model]\nname = \"m\"\nfile = \"m\"\nsha256 = \"abc\"\n"), @"");
    assert_snapshot!(one("[[model]]\nname = \"m\"\nfile = \"m\"\n"), @"");
    assert_snapshot!(one("[dataset]\nname = \"d\"\nfile = \"d.csv\"\n"), @"");
    let dataset = |keys: &str| one(&format!("[[dataset]]\nname = \"d\"\n{keys}\n"));
    assert_snapshot!(dataset("file = \"d.csv\"\nclases = []"), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\nencoding = \"raw\""), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\nsamples = -1"), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\ninputs = 7"), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\nlabels = \"l.csv\""), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\nbyte_order = \"big\""), @"");
    assert_snapshot!(dataset("file = \"d.xls\""), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\nfolder = \"d\""), @"");
    assert_snapshot!(dataset("summary = \"nothing\""), @"");
    assert_snapshot!(dataset("folder = \"d\""), @"");
    assert_snapshot!(dataset("folder = \"d\"\nlabels = \"l.csv\"\nexpected_file = \"e.npy\""), @"");
    assert_snapshot!(dataset("file = \"d.csv\"\nmodel = \"nobody\""), @"");
    let sound = "[[dataset]]\nname = \"d\"\nfile = \"d.npy\"\nlabels = \"l.npy\"\ninputs = \"x\"\nclasses = [\"a\"]\n";
    assert_eq!(load(&folder(&[("a.toml", sound)])).unwrap().datasets().count(), 1);
}

#[test]
fn a_name_given_twice_is_refused() {
    let model = "[model]\nname = \"m\"\nfile = \"m.tflite\"\n";
    assert_snapshot!(says(&[("a.toml", model), ("deep/b.toml", model)]), @"");
    let dataset = "[[dataset]]\nname = \"d\"\nfile = \"d.csv\"\n";
    assert_snapshot!(says(&[("a.toml", &dataset.repeat(2))]), @"");
    let folder = folder(&[("a.toml", model), ("deep/notes.txt", "[model]")]);
    let twice = [folder.path().to_owned(), folder.path().join("deep").join("..")];
    assert_eq!(Library::load(&twice, &BTreeMap::new()).unwrap().models().count(), 1);
}

#[test]
fn a_folder_or_package_that_is_not_there_is_named() {
    let error = Library::load(&[PathBuf::from("nowhere")], &BTreeMap::new()).unwrap_err();
    assert_snapshot!(error, @"");
    let folder = folder(&[("a.toml", "[model]\nname = \"m\"\npackage = \"tfmicr\"\nfile = \"m.tflite\"\n")]);
    let dirs = [folder.path().to_owned()];
    let packages = BTreeMap::from([("tfmicro".to_owned(), PathBuf::from("p"))]);
    let error = Library::load(&dirs, &packages).unwrap().model("m", Path::new("")).unwrap_err();
    assert_snapshot!(relative(&error, &folder), @"");
    let error = Library::load(&dirs, &BTreeMap::new()).unwrap().model("m", Path::new("")).unwrap_err();
    assert_snapshot!(relative(&error, &folder), @"");
}
