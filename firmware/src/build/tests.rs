//! Keys and errors of builds, over a TFLM of a few files.

#![allow(clippy::unwrap_used)]

use super::{
    BuildError, Builder,
    cache::{Cache, Files},
    recipe::{Recipe, Tree},
};
use crate::{port, tflm::TflmSource};
use farm::Digest;
use std::{collections::BTreeMap, fs, path::Path};

const FILES: [(&str, &str); 10] = [
    ("tensorflow/lite/c/common.c", "this is no C"),
    ("tensorflow/lite/c/common.h", ""),
    ("tensorflow/lite/micro/micro_interpreter.h", ""),
    ("tensorflow/lite/micro/micro_interpreter_test.cc", ""),
    ("tensorflow/lite/micro/kernels/conv.cc", ""),
    ("tensorflow/lite/kernels/internal/common.h", ""),
    ("tensorflow/lite/schema/schema_generated.h", ""),
    ("tensorflow/lite/micro/tools/make/downloads/flatbuffers/include/flatbuffers/flatbuffers.h", ""),
    ("tensorflow/lite/micro/tools/make/downloads/gemmlowp/fixedpoint/fixedpoint.h", ""),
    ("tensorflow/lite/micro/tools/make/downloads/ruy/ruy.h", ""),
];

fn small_tflm(root: &Path) -> TflmSource {
    for (path, text) in FILES {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    TflmSource::new(root, "small").unwrap()
}

/// Keys of all units by source, for a port, as the files are now.
fn keys(tflm: &TflmSource, port_name: &str) -> BTreeMap<String, Digest> {
    let files = Files::load(&Cache::new(&tflm.root().join("no-cache")));
    let tree = Tree::look(tflm, &files).unwrap();
    let recipe = Recipe::of(port(port_name).unwrap(), tflm, &tree);
    recipe.units.iter().map(|unit| (unit.source.clone(), unit.key(&Digest([0; 32])))).collect()
}

#[test]
fn an_unchanged_file_keeps_its_key_and_a_changed_header_changes_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let tflm = small_tflm(folder.path());
    let before = keys(&tflm, "mps2-an386");
    assert_eq!(before, keys(&tflm, "mps2-an386"));

    fs::write(folder.path().join("tensorflow/lite/micro/kernels/conv.cc"), "// changed").unwrap();
    let after = keys(&tflm, "mps2-an386");
    let changed: Vec<&String> = before.keys().filter(|source| before[*source] != after[*source]).collect();
    assert_eq!(changed, ["tensorflow/lite/micro/kernels/conv.cc"]);

    fs::write(folder.path().join("tensorflow/lite/c/common.h"), "// changed").unwrap();
    let last = keys(&tflm, "mps2-an386");
    assert!(after.keys().all(|source| after[source] != last[source]));
}

#[test]
fn headers_behind_a_linked_folder_count_too() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tflm = small_tflm(folder.path());
    fs::write(elsewhere.path().join("linked.h"), "// one").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("tensorflow/lite/kernels/linked")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("tensorflow/lite/kernels/dangling.h")).unwrap();
    let before = keys(&tflm, "host");
    fs::write(elsewhere.path().join("linked.h"), "// two").unwrap();
    assert!(keys(&tflm, "host").iter().all(|(source, key)| before[source] != *key));
}

#[test]
fn ports_with_equal_flags_share_tflms_objects_and_not_the_runners() {
    let folder = tempfile::tempdir().unwrap();
    let tflm = small_tflm(folder.path());
    let (one, other) = (keys(&tflm, "mps2-an386"), keys(&tflm, "netduinoplus2"));
    assert_eq!(one["tensorflow/lite/c/common.c"], other["tensorflow/lite/c/common.c"]);
    assert_ne!(one["service.cc"], other["service.cc"]);
    assert_ne!(one["tensorflow/lite/c/common.c"], keys(&tflm, "mps2-an500")["tensorflow/lite/c/common.c"]);
}

#[test]
fn keys_do_not_depend_on_where_tflm_lies() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(keys(&small_tflm(here.path()), "host"), keys(&small_tflm(there.path()), "host"));
}

#[test]
fn tests_of_tflm_are_no_part_of_a_runner_and_each_runner_has_its_own_half() {
    let folder = tempfile::tempdir().unwrap();
    let tflm = small_tflm(folder.path());
    let (host, mcu) = (keys(&tflm, "host"), keys(&tflm, "mps2-an386"));
    assert!(!host.contains_key("tensorflow/lite/micro/micro_interpreter_test.cc"));
    assert!(host.contains_key("host/main.cc") && !host.contains_key("cortexm/main.cc"));
    assert!(mcu.contains_key("cortexm/main.cc") && !mcu.contains_key("host/main.cc"));
}

#[tokio::test]
async fn a_build_error_shows_the_compilers_own_words_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let tflm = small_tflm(&folder.path().join("tflm"));
    let cache = folder.path().join("cache");
    // With one compiler at a time the first source is the first to fail.
    match Builder::new(&cache, tflm, 1).host().await {
        Err(BuildError::Compile { file, port, message, command }) => {
            assert_eq!((file.as_str(), port.as_str()), ("tensorflow/lite/c/common.c", "host"));
            assert!(
                message.contains("error: unknown type name ‘this’")
                    || message.contains("error: unknown type name 'this'"),
                "{message}"
            );
            assert!(command.contains("gcc") && command.contains("-c tensorflow/lite/c/common.c"), "{command}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(cache.join("tmp")).unwrap().count(), 0, "scratch folders are left");
    assert!(!cache.join("firmware").exists());
}

#[tokio::test]
async fn a_cache_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let tflm = small_tflm(&folder.path().join("tflm"));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Builder::new(&file, tflm, 1).host().await.unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn a_full_disk_is_told_from_other_errors() {
    let full = BuildError::cache("/cache", std::io::Error::from(std::io::ErrorKind::StorageFull));
    insta::assert_snapshot!(full, @"no space left to build the runner in /cache: free some, or choose another cache folder");
}
