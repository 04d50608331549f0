//! Models that cannot be used: files that are none, and models that a target rejects.

use crate::support::{Project, example};
use std::fs;

/// Runs the file `model.tflite` with these bytes over one sample on the host.
fn project(bytes: &[u8]) -> Project {
    let project = Project::new();
    project.file("features/model.tflite", bytes).scenario(
        r#"Given the model "model.tflite"
           And the dataset:
           | x   |
           | 0.5 |
           When it runs on the host"#,
    );
    project
}

fn hello_world() -> Vec<u8> {
    fs::read(example("hello_world.tflite")).unwrap()
}

#[test]
fn a_sound_model_by_path_runs_so_that_the_others_are_refused_for_their_own_reason() {
    project(&hello_world()).run().judged("pass", &[]);
}

#[test]
fn an_empty_file_is_refused_before_anything_runs() {
    project(b"").run().expect(2, &["model.tflite", "empty", "nothing was run"]);
}

#[test]
fn a_truncated_model_is_refused_before_anything_runs() {
    let whole = hello_world();
    for length in [100, whole.len() / 2, whole.len() - 1] {
        let ended = project(&whole[..length]).run();
        ended.expect(2, &["model.tflite", &format!("is truncated: it ends after {length} bytes"), "nothing was run"]);
    }
    project(&whole[..7]).run().expect(2, &["model.tflite", "only 7 bytes long", "nothing was run"]);
}

#[test]
fn a_corrupt_model_is_refused_before_anything_runs() {
    let mut bytes = hello_world();
    // The root table's offset to its vtable.
    let root = u32::from_le_bytes(bytes[0..4].try_into().unwrap()) as usize;
    bytes[root..root + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    project(&bytes).run().expect(2, &["model.tflite", "corrupt"]);
}

#[test]
fn a_file_that_is_no_tflite_model_is_refused_with_what_it_is() {
    project(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 2512\n")
        .run()
        .expect(2, &["model.tflite", "Git LFS"]);
    project(b"\x89PNG\r\n\x1a\n0123456789").run().expect(2, &["model.tflite", "TFL3"]);
}

#[test]
fn a_model_that_is_not_there_is_named_with_the_nearest_one_that_is() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "helo_world" and the dataset "sine"
           When it runs on the host"#,
    );
    project.run().expect(2, &["helo_world", "did you mean `hello_world`?", "features/test.feature:3"]);
}

#[test]
fn an_operator_that_the_runner_has_not_is_a_fail_that_names_it() {
    let mut bytes = hello_world();
    // QUANTIZE (114) becomes RANGE (96), which TFLM never had: one byte in the table of operator codes.
    let at = bytes.iter().rposition(|byte| *byte == 114).unwrap();
    bytes[at] = 96;
    project(&bytes).run().judged("fail", &["unsupported operator", "RANGE"]);
}

#[test]
fn an_arena_that_is_too_small_is_a_fail_that_states_its_size() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           And an arena of at most 1 KiB
           When it runs on the emulator "qemu:mps2-an386""#,
    );
    project.run().judged("fail", &["arena too small", "1024"]);
}

#[test]
fn a_model_that_does_not_fit_is_a_fail_that_states_both_sizes() {
    let project = Project::new();
    project.scenario(
        r#"Given the model "person_detection" and the dataset "people"
           When it runs on the emulator "qemu:stm32vldiscovery""#,
    );
    project.run().judged("fail", &["does not fit", "236136"]);
}
