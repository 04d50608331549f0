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

/// `tinyfarm sim-board` at work, with boards that are ready. It ends with this, whatever becomes of the test.
pub struct SimBoards {
    running: Option<Running>,
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
        Self { running: Some(running), ready }
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
        self.running.as_mut().expect("it runs").await_event(kind)
    }

    /// Waits for an event of the board with this serial number.
    #[track_caller]
    pub fn await_event_of(&mut self, serial: &str, kind: &str) -> Value {
        loop {
            let event = self.await_event(kind);
            if event["board"] == serial {
                return event;
            }
        }
    }

    /// The process numbers of its emulators.
    pub fn emulators(&self) -> Vec<u32> {
        self.running.as_ref().expect("it runs").children("qemu-system-arm")
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: &str) {
        self.running.as_ref().expect("it runs").signal(signal);
    }

    /// Waits for its end, which somebody has caused.
    pub fn ended(mut self, project: &Project) -> Ended {
        self.running.take().expect("it runs").ended(project)
    }

    /// Ends it as Ctrl-C does.
    pub fn stop(self, project: &Project) -> Ended {
        self.signal("INT");
        self.ended(project)
    }
}

impl Drop for SimBoards {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.signal("KILL");
        }
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

/// What the boards of an ended program told, in order.
pub fn happened(ended: &Ended) -> Vec<Value> {
    ended.out.lines().map(|line| serde_json::from_str(line).expect("an event a line")).collect()
}

/// The attempts of the one job of a run: where, and how each ended.
pub fn attempts(ended: &Ended) -> Vec<(String, String)> {
    let jobs = ended.report["jobs"].as_array().expect("a report");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let attempts = jobs[0]["attempts"].as_array().expect("attempts");
    attempts.iter().map(|attempt| (text(&attempt["target"]), text(&attempt["verdict"]))).collect()
}

/// All that the first job of a run brought back.
pub fn evidence(ended: &Ended) -> Value {
    let text = std::fs::read_to_string(&ended.evidence).expect("evidence");
    serde_json::from_str(text.lines().next().expect("a line of evidence")).expect("JSON")
}

/// Asserts what `tinyfarm boards history` knows of a board, a word for each event.
#[track_caller]
pub fn expect_history(project: &Project, board: &str, wanted: &[&str]) {
    let ended = project.tinyfarm(&["boards", "history", board, "--format", "json"]);
    ended.expect(0, &[]);
    let history: Value = serde_json::from_str(&ended.out).expect("JSON");
    let events = history["events"].as_array().expect("events");
    let words: Vec<&str> = events.iter().map(|event| event["event"].as_str().expect("a word")).collect();
    assert_eq!(words, wanted, "{history:#}");
}
