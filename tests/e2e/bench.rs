//! Simulated boards for tests: a program of its own that plays them, as a user would start it.

use crate::support::{Ended, Project, Running};
use serde_json::Value;
use std::path::PathBuf;

/// A project whose bench, histories and leases are its own.
pub fn project() -> Project {
    configured("")
}

/// The same, with `more` after the configuration of `[boards]`.
pub fn configured(more: &str) -> Project {
    let project =
        Project::configured(&format!("[boards]\nbench = \"bench\"\nstate = \"state\"\nleases = \"leases\"\n{more}\n"));
    project.file("boards/README", "");
    project
}

/// `tinyfarm sim-board` at work, with boards that are ready.
pub struct SimBoards {
    running: Running,
    ready: Vec<Value>,
}

impl SimBoards {
    /// Starts the program with these arguments, and waits until its boards are ready.
    #[track_caller]
    pub fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut running = Running::start(project, &[&["sim-board", "--format", "json"], arguments].concat());
        let wanted = arguments.iter().position(|word| *word == "--count").map_or("1", |at| arguments[at + 1]);
        let wanted: usize = wanted.parse().expect("--count has a number");
        let mut ready: Vec<Value> = (0..wanted).map(|_| running.await_event("ready")).collect();
        ready.sort_by_key(|board| board["board"].to_string());
        Self { running, ready }
    }

    /// What was told when a board was ready: `board`, `place`, `selector`, `uart`, `definition`. In the order of their
    /// serial numbers.
    pub fn ready(&self) -> &[Value] {
        &self.ready
    }

    /// Writes `boards/NAME.toml` as it was told for the `number`-th board, with `more` keys after it.
    pub fn define(&self, project: &Project, number: usize, name: &str, more: &str) -> &Self {
        let definition = self.ready[number]["definition"].as_str().expect("a definition is told");
        project.file(&format!("boards/{name}.toml"), format!("{definition}\n{more}\n"));
        self
    }

    /// Waits for an event.
    #[track_caller]
    pub fn await_event(&mut self, kind: &str) -> Value {
        self.running.await_event(kind)
    }

    /// Waits for an event of the board with this serial number.
    #[track_caller]
    pub fn await_event_of(&mut self, serial: &str, kind: &str) -> Value {
        loop {
            let event = self.running.await_event(kind);
            if event["board"] == serial {
                return event;
            }
        }
    }

    /// The process numbers of its emulators.
    pub fn emulators(&self) -> Vec<u32> {
        self.running.children("qemu-system-arm")
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: &str) {
        self.running.signal(signal);
    }

    /// Waits for its end, which somebody has caused.
    pub fn ended(self, project: &Project) -> Ended {
        self.running.ended(project)
    }

    /// Ends it as Ctrl-C does.
    pub fn stop(self, project: &Project) -> Ended {
        self.signal("INT");
        self.ended(project)
    }
}

/// Tells the board at a place what to do.
#[track_caller]
pub fn control(project: &Project, place: &str, words: &[&str]) -> Value {
    let ended = project.tinyfarm(&[&["sim-board", "control", place, "--format", "json"], words].concat());
    ended.expect(0, &[]);
    serde_json::from_str(&ended.out).expect("the board's state, a line")
}

/// The names of the files on the bench.
pub fn files(project: &Project) -> Vec<String> {
    let entries = std::fs::read_dir(folder(project)).expect("there is a bench");
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The bench's folder.
pub fn folder(project: &Project) -> PathBuf {
    project.path().join("bench")
}

/// What a program that looks finds at a place.
pub fn record(project: &Project, place: &str) -> Option<simulated_board::bench::Record> {
    simulated_board::Bench::open(&folder(project)).expect("there is a bench").record(place)
}
