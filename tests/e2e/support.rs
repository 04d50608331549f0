//! A project in a temporary folder, and the real program run in it.

use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    rc::Rc,
    sync::Once,
};
use tempfile::TempDir;

/// The repository, where the shipped models are.
pub const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// What is built once and used by all tests, and by the demo.
pub const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.tinyfarm");

/// A folder with a `tinyfarm.toml`, as a user has one.
pub struct Project {
    folder: Rc<TempDir>,
}

/// Builds all runners before the first test needs one: programs that start at the same time with an empty cache would
/// each compile them. What cannot be built is told by the test that needs it.
fn build_once() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO_BIN_EXE_tinyfarm"));
        let _ = build.current_dir(REPOSITORY).arg("build").output();
    });
}

/// How a run of the program ended.
pub struct Ended {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// `report.json`, where one was asked for and written.
    pub report: Value,
    /// `junit.xml`, likewise.
    pub junit: String,
    /// Where `evidence.jsonl` is, if one was written.
    pub evidence: PathBuf,
    /// Keeps the project's folder as long as what is read from it.
    _folder: Rc<TempDir>,
}

impl Project {
    /// A project that uses the shipped models and the shared cache.
    pub fn new() -> Self {
        Self::configured("")
    }

    /// The same, with `more` after the configuration.
    pub fn configured(more: &str) -> Self {
        build_once();
        let folder = boards::sockets::folder("tinyfarm-e2e-").expect("a temporary folder");
        let project = Self { folder: Rc::new(folder) };
        let config = format!("models = [\"{REPOSITORY}/models\", \"models\"]\ncache = \"{CACHE}\"\n{more}");
        project.file("models/README", "").file("tinyfarm.toml", config);
        project
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and the folders above it.
    pub fn file(&self, path: &str, contents: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder for the file");
        fs::write(path, contents).expect("a file in the project");
        self
    }

    /// Writes `features/test.feature` with one scenario of these steps, one a line, as they are.
    pub fn scenario(&self, steps: &str) -> &Self {
        let steps = steps.trim().lines().map(|line| format!("    {}\n", line.trim())).collect::<String>();
        self.file("features/test.feature", format!("Feature: test\n  Scenario: the one\n{steps}"))
    }

    /// Writes `runner`: a runner that misbehaves as told, for `[runner] program`.
    pub fn runner(&self, behaviour: &str) -> &Self {
        let real = Path::new(env!("CARGO_BIN_EXE_tinyfarm")).with_file_name("examples/misbehaving-runner");
        assert!(real.is_file(), "{} is not built: cargo build --example misbehaving-runner", real.display());
        let script = format!("#!/bin/sh\nexec '{}' {behaviour} \"$@\"\n", real.display());
        firmware::testing::write_program(&self.path().join("runner"), &script).expect("a program in the project");
        self
    }

    /// The program, not started yet, in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        // Signals that are ignored here (in the background of a script, under nohup) would stay ignored in the program.
        let mut command = Command::new("env");
        command.arg("--default-signal").arg(env!("CARGO_BIN_EXE_tinyfarm"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("TINYFARM_LOG").env("NO_COLOR", "1");
        // Tests that want a Renode say so: what others see does not depend on whether this machine has one.
        command.env("RENODE", "/no/such/renode");
        command
    }

    /// Runs the program to its end.
    pub fn tinyfarm(&self, arguments: &[&str]) -> Ended {
        self.ended(self.command(arguments).output().expect("the program runs"))
    }

    /// `tinyfarm run --report report`.
    pub fn run(&self) -> Ended {
        self.tinyfarm(&["run", "--report", "report"])
    }

    /// What a finished program left.
    pub fn ended(&self, output: Output) -> Ended {
        let read = |name: &str| fs::read_to_string(self.path().join("report").join(name)).unwrap_or_default();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            report: serde_json::from_str(&read("report.json")).unwrap_or(Value::Null),
            junit: read("junit.xml"),
            evidence: self.path().join("report/evidence.jsonl"),
            _folder: self.folder.clone(),
        }
    }
}

/// The program at work, telling its events as lines of JSON.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
}

impl Running {
    /// Starts the program in a project. The arguments must ask for `--format json`.
    pub fn start(project: &Project, arguments: &[&str]) -> Self {
        Self::spawn(project.command(arguments))
    }

    /// Starts this command. It dies with the test's thread, also where the whole test program is killed.
    pub fn spawn(mut command: Command) -> Self {
        // SAFETY: between fork and exec this makes one system call, and allocates nothing.
        unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        Self { child, lines, said: String::new() }
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads events until one is of this kind, and returns it.
    #[track_caller]
    pub fn await_event(&mut self, kind: &str) -> Value {
        for line in self.lines.by_ref() {
            let line = line.expect("its output can be read");
            let event: Value = serde_json::from_str(&line).expect("an event a line");
            self.said += &(line + "\n");
            if event["event"] == kind {
                return event;
            }
        }
        panic!("it ended without {kind}; it said:\n{}", self.said)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        kill(signal, self.id());
    }

    /// The process numbers of its children with this name.
    pub fn children(&self, name: &str) -> Vec<u32> {
        children(self.id(), name)
    }

    /// Kills the one child that has this name.
    #[track_caller]
    pub fn kill_child(&self, name: &str) {
        let children = self.children(name);
        assert_eq!(children.len(), 1, "one child {name}");
        kill("KILL", children[0]);
    }

    /// Waits for its end.
    pub fn ended(mut self, project: &Project) -> Ended {
        for line in self.lines.by_ref().map_while(Result::ok) {
            self.said += &(line + "\n");
        }
        let mut output = self.child.wait_with_output().expect("the program ends");
        output.stdout = self.said.into_bytes();
        project.ended(output)
    }
}

/// Sends a process a signal.
pub fn kill(signal: &str, process: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status().expect("sh runs");
    assert!(status.success(), "kill -{signal} {process}");
}

/// The process numbers of the children of `parent` with this name.
pub fn children(parent: u32, name: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("processes can be listed");
    let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|number| is_child(*number, parent, name)).collect()
}

/// Whether a process with this name is a child of `parent`: `/proc/N/stat` is `N (name) state parent …`.
fn is_child(process: u32, parent: u32, name: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let Some((head, tail)) = stat.rsplit_once(") ") else { return false };
    let found = head.split_once(" (").is_some_and(|(_, found)| name.starts_with(found));
    found && tail.split_whitespace().nth(1) == Some(&parent.to_string())
}

impl Ended {
    /// All that was printed.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    /// Asserts the exit code, and that what was printed holds each of `words`. Line breaks and the frame of a
    /// diagnostic are not looked at: they depend on the width of the terminal.
    #[track_caller]
    pub fn expect(&self, code: i32, words: &[&str]) -> &Self {
        let said = self.said();
        assert_eq!(self.code, code, "exit code; it said:\n{said}");
        let flat = flatten(&said);
        for word in words {
            assert!(flat.contains(&flatten(word)), "`{word}` is not in what it said:\n{said}");
        }
        self
    }

    /// The verdict word of the one scenario in `report.json`, and its reason.
    #[track_caller]
    pub fn verdict(&self) -> (String, String) {
        let scenarios = self.report["scenarios"].as_array().unwrap_or_else(|| panic!("no report; {}", self.said()));
        assert_eq!(scenarios.len(), 1, "{scenarios:?}");
        let text = |key: &str| scenarios[0][key].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("reason"))
    }

    /// Asserts the one scenario's verdict, its element in JUnit, the program's exit code for it, and that the reason, in
    /// the report as well as in what was printed, holds `words`.
    #[track_caller]
    pub fn judged(&self, verdict: &str, words: &[&str]) -> &Self {
        let (found, reason) = self.verdict();
        assert_eq!(found, verdict, "{reason}\n{}", self.said());
        for word in words {
            assert!(reason.contains(word), "`{word}` is not in the reason: {reason}");
        }
        let (code, element) = match verdict {
            "pass" => (0, None),
            "fail" => (1, Some("<failure")),
            "blocked" => (3, Some("<skipped")),
            _ => (3, Some("<error")),
        };
        let elements = ["<failure", "<error", "<skipped"].into_iter().filter(|found| self.junit.contains(found));
        assert_eq!(elements.collect::<Vec<_>>(), Vec::from_iter(element), "{}", self.junit);
        self.expect(code, words)
    }
}

/// Runs of white space, line breaks and the bars of a diagnostic's frame as one blank.
fn flatten(text: &str) -> String {
    let bars = ['│', '╰', '─', '▶', '×', '·', '┬', '╭'];
    text.replace(bars, " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A shipped example's file in the package that holds TFLM.
pub fn example(name: &str) -> PathBuf {
    let folder = firmware::tfmicro_dir().expect("the package with the example models");
    folder.join("examples/models").join(name)
}
