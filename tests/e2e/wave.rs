//! A project with a model of its own that can be made worse, and a ledger of its own.

use crate::support::{Project, REPOSITORY, example};
use serde_json::Value;
use std::{fs, process::Command};

/// One job on the host, done in milliseconds, compared with its baseline.
pub const COMPARED: &str = r#"Given the model "wave" and the dataset "points"
                              When it runs on the host
                              Then nothing is worse than the baseline"#;

/// The same job, compared with nothing.
pub const MEASURED: &str = r#"Given the model "wave" and the dataset "points"
                              When it runs on the host"#;

/// A project with the model `wave`, which is hello_world under another name, and the dataset `points`, which is the sine.
pub fn project(more: &str) -> Project {
    let project = Project::configured(more);
    let points = fs::read_to_string(format!("{REPOSITORY}/models/hello_world/sine_100.csv")).unwrap();
    project.file("models/wave/wave.tflite", model()).file("models/wave/points.csv", points).file(
        "models/wave/wave.toml",
        "[model]\nname = \"wave\"\nfile = \"wave.tflite\"\n\n[[dataset]]\nname = \"points\"\nmodel = \"wave\"\nfile = \"points.csv\"\n",
    );
    project
}

/// The model as it is shipped.
pub fn model() -> Vec<u8> {
    fs::read(example("hello_world.tflite")).unwrap()
}

/// The model with the weights of its widest layer, 16 by 16, all zero: it still runs, and answers nonsense.
pub fn worse_model() -> Vec<u8> {
    let mut bytes = model();
    let length = 256_u32.to_le_bytes();
    let at = (0..bytes.len() - 4).step_by(4).find(|at| bytes[*at..*at + 4] == length).expect("256 weights") + 4;
    bytes[at..at + 256].fill(0);
    bytes
}

/// What the program says to `arguments`, which must be JSON, and its exit code.
#[track_caller]
pub fn json(project: &Project, arguments: &[&str]) -> (i32, Value) {
    let ended = project.tinyfarm(arguments);
    let value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}", ended.said()));
    (ended.code, value)
}

/// The runs in the ledger, the newest first.
#[track_caller]
pub fn runs(project: &Project) -> Vec<Value> {
    let (code, runs) = json(project, &["history", "--limit", "1000", "--format", "json"]);
    assert_eq!(code, 0);
    runs.as_array().unwrap().clone()
}

/// The name of the newest run.
#[track_caller]
pub fn latest(project: &Project) -> String {
    runs(project)[0]["name"].as_str().unwrap().to_owned()
}

/// Accepts the newest run.
#[track_caller]
pub fn accept(project: &Project) {
    project.tinyfarm(&["baseline", "accept", "--reason", "it is as it should be"]).expect(0, &["accepted 5 figures"]);
}

/// Runs Git in the project, as somebody who may commit, whatever this machine's own settings are.
#[track_caller]
pub fn git(project: &Project, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(project.path()).args(["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.args(arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
