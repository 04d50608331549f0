//! Programs that behave like Renode, or do not.

use renode_rs::{Installation, StartOptions};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::unix::pipe, time::timeout};

/// A program in a folder of its own.
pub struct StandIn {
    folder: TempDir,
    behaviour: Value,
}

impl StandIn {
    /// One that behaves as `behaviour` says; see `stand-in/renode`.
    pub fn new(behaviour: Value) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("parent")).unwrap();
        let mut stand_in = Self { folder, behaviour: json!({}) };
        // Links, for a program that was just written may be busy: other threads start processes that have it open.
        stand_in.link("renode", "renode");
        stand_in.behave(behaviour);
        stand_in
    }

    /// One that is a script around the program.
    pub fn wrapped(behaviour: Value) -> Self {
        let stand_in = Self::new(behaviour);
        fs::remove_file(stand_in.path("renode")).unwrap();
        stand_in.link("wrapper", "renode");
        stand_in.link("renode", "renode-itself");
        stand_in
    }

    fn link(&self, program: &str, name: &str) {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/stand-in").join(program);
        symlink(program, self.path(name)).unwrap();
    }

    fn behave(&mut self, behaviour: Value) {
        self.behaviour.as_object_mut().unwrap().extend(behaviour.as_object().unwrap().clone());
        fs::write(self.path("behaviour.json"), self.behaviour.to_string()).unwrap();
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn installation(&self) -> Installation {
        Installation::at(&self.path("renode")).unwrap()
    }

    /// Options that keep private folders in this one.
    pub fn options(&self) -> StartOptions {
        StartOptions { temp_parent: Some(self.path("parent")), ..StartOptions::default() }
    }

    /// How many private folders there are.
    pub fn folders(&self) -> usize {
        self.path("parent").read_dir().unwrap().count()
    }

    /// Its arguments and environment.
    pub fn seen(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("seen.json")).unwrap()).unwrap()
    }

    /// How often it came to a point that it counts.
    pub fn count(&self, name: &str) -> u64 {
        self.path(name).metadata().unwrap().len()
    }

    /// Tells of the life of the program, which must be started after this, and of all that it starts.
    pub fn life(&mut self) -> Life {
        let fifo = self.path("alive");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        self.behave(json!({ "alive": fifo }));
        Life(pipe::OpenOptions::new().open_receiver(fifo).unwrap())
    }
}

/// The life of processes: they have the other end of the pipe open.
pub struct Life(pipe::Receiver);

impl Life {
    /// Waits until the first one runs.
    pub async fn begun(&mut self) {
        self.0.readable().await.unwrap();
    }

    /// Waits until none is left.
    pub async fn over(mut self) {
        let mut said = Vec::new();
        let over = self.0.read_to_end(&mut said);
        timeout(Duration::from_secs(30), over).await.expect("processes are left over").unwrap();
    }
}
