//! This program as another process: it records a run and says after each event that it is on disk.

use crate::runs;
use ledger::Ledger;
use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

const LEDGER: &str = "TINYFARM_TEST_LEDGER";
const RUN: &str = "TINYFARM_TEST_RUN";
const EVENTS: &str = "TINYFARM_TEST_EVENTS";

/// The test by whose name the process is started; of a test run it is no part.
const ENTRY: &str = "child::writes_as_another_process";

#[test]
fn writes_as_another_process() {
    let Some(path) = env::var_os(LEDGER) else { return };
    let (run, events) = (env::var(RUN).unwrap(), env::var(EVENTS).unwrap().parse::<u64>().unwrap());
    let mut recorder = Ledger::open(Path::new(&path)).unwrap().record().unwrap();
    for index in 0..events {
        if let Err(error) = recorder.on(&runs::event(&run, index)).and_then(|()| recorder.idle()) {
            say(&format!("failed after {index}: {error}"));
            // What cannot be written goes on not to be, and the process lives.
            assert!(recorder.on(&runs::event(&run, index + 1)).and_then(|()| recorder.finish()).is_err());
            return;
        }
        say(&format!("written {index}"));
    }
    recorder.on(&runs::end()).unwrap();
    recorder.finish().unwrap();
    say("ended");
}

fn say(line: &str) {
    println!("\n> {line}");
}

/// What starts a process that records `events` events of `run` in `ledger`; its words are [`lines`].
pub fn writer(ledger: &Path, run: &str, events: u64) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    as_writer(&mut command, ledger, run, events);
    command
}

/// The same, with the shell's `script` before it.
pub fn writer_after(script: &str, ledger: &Path, run: &str, events: u64) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]).arg(env::current_exe().unwrap());
    as_writer(&mut command, ledger, run, events);
    command
}

fn as_writer(command: &mut Command, ledger: &Path, run: &str, events: u64) {
    command.args([ENTRY, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(LEDGER, ledger).env(RUN, run).env(EVENTS, events.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
}

/// What the process says, line by line.
pub fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let out: ChildStdout = child.stdout.take().unwrap();
    BufReader::new(out).lines().map_while(Result::ok).filter_map(|line| Some(line.strip_prefix("> ")?.to_owned()))
}
