//! Renode as a target, with a stand-in that answers on the wire as Renode does and runs the firmware on QEMU: what goes
//! right, everything that can go wrong with the program, and that nothing of it is left over.

use crate::{
    interrupted::alive,
    support::{Ended, Project, REPOSITORY, Running, children, kill},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

const TARGET: &str = "renode:stm32f4_discovery";

/// A scenario each, whose jobs are not equal: equal ones would be shared.
const ONE: &str = "Given the model \"hello_world\" and the dataset \"sine_100\"";
const TWO: &str = "Given the model \"hello_world\"\nAnd the dataset:\n|sample|x|y|\n|a|0|0|\n|b|1|0.84|";
const THREE: &str = "Given the model \"micro_speech\" and the dataset \"yes_no\"";

/// A project that asks for Renode.
struct Renodes {
    project: Project,
    fault: String,
    times: String,
}

impl Renodes {
    fn new(subjects: &[&str]) -> Self {
        Self::configured(subjects, "")
    }

    fn configured(subjects: &[&str], more: &str) -> Self {
        let project = Project::configured(more);
        let scenario = |(number, subject): (usize, &&str)| {
            format!("  Scenario: {number}\n    {subject}\n    When it runs on the emulator \"{TARGET}\"\n")
        };
        let scenarios = subjects.iter().enumerate().map(scenario).collect::<String>();
        project.file("features/test.feature", format!("Feature: test\n{scenarios}")).file("stand-in/README", "");
        fs::create_dir(project.path().join("tmp")).unwrap();
        Self { project, fault: String::new(), times: String::new() }
    }

    /// Something that goes wrong with the stand-in (see `tests/renode/orders.rs`), each time.
    fn fault(self, fault: &str) -> Self {
        Self { fault: fault.to_owned(), ..self }
    }

    /// Only the first time.
    fn once(self) -> Self {
        Self { times: "1".to_owned(), ..self }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command(arguments);
        command.env("RENODE", stand_in()).env("STAND_IN_FOLDER", self.folder());
        // What a killed run leaves goes with the project.
        command.env("TMPDIR", self.project.path().join("tmp"));
        command.env("STAND_IN_FAULT", &self.fault).env("STAND_IN_TIMES", &self.times);
        command
    }

    /// Runs it to its end, a job at a time. Nothing may be left over.
    fn run(&self) -> Ended {
        let mut command = self.command(&["run", "--report", "report", "--jobs", "1"]);
        let ended = self.project.ended(command.output().unwrap());
        self.expect_nothing_left();
        ended
    }

    fn folder(&self) -> PathBuf {
        self.project.path().join("stand-in")
    }

    /// What was told to stand-ins: the process, and `started`, a command, or `ended`.
    fn journal(&self) -> Vec<(u32, String)> {
        let journal = fs::read_to_string(self.folder().join("journal")).unwrap_or_default();
        let line = |line: &str| line.split_once(' ').map(|(process, told)| (process.parse().unwrap(), told.to_owned()));
        journal.lines().filter_map(line).collect()
    }

    /// How many stand-ins were started.
    fn started(&self) -> usize {
        self.journal().iter().filter(|(_, told)| told == "started").count()
    }

    /// How often a command was given.
    fn given(&self, start: &str) -> usize {
        self.journal().iter().filter(|(_, told)| told.starts_with(start)).count()
    }

    /// Waits until so many commands like this were given.
    fn await_given(&self, start: &str, count: usize) {
        while self.given(start) < count {
            thread::yield_now();
        }
    }

    #[track_caller]
    fn expect_nothing_left(&self) {
        let processes: BTreeSet<u32> = self.journal().into_iter().map(|(process, _)| process).collect();
        assert!(!processes.iter().any(|process| alive(*process)), "a Renode outlived the run");
        let left: Vec<_> = fs::read_dir(self.project.path().join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn stand_in() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_tinyfarm")).with_file_name("examples/stand-in-renode");
    assert!(program.is_file(), "{} is not built: cargo build --example stand-in-renode", program.display());
    program
}

/// The verdicts of the scenarios, in their order.
fn verdicts(ended: &Ended) -> Vec<&str> {
    let scenarios = ended.report["scenarios"].as_array().unwrap_or_else(|| panic!("no report; {}", ended.said()));
    scenarios.iter().filter_map(|scenario| scenario["verdict"].as_str()).collect()
}

/// The attempts of a job, as verdict and reason.
fn attempts(ended: &Ended, job: usize) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attempts = ended.report["jobs"][job]["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| (text(&attempt["verdict"]), text(&attempt["reason"]))).collect()
}

#[test]
fn the_shipped_feature_passes() {
    let renodes = Renodes::new(&[]);
    // The stand-in plays one of the platforms.
    let feature = format!("{REPOSITORY}/features/renode.feature");
    let target = ["--target", "container", "--target", "qemu:netduinoplus2", "--target", TARGET];
    let mut command = renodes.command(&[&["run", &feature, "--report", "report"][..], &target].concat());
    let ended = renodes.project.ended(command.output().unwrap());
    assert_eq!(verdicts(&ended), ["pass", "pass"], "{}", ended.said());
    renodes.expect_nothing_left();
}

#[test]
fn bits_and_instructions_are_those_of_qemu_and_every_timing_names_its_clock() {
    let renodes = Renodes::new(&[]);
    renodes.project.scenario(&format!(
        "{ONE}\nWhen it runs on the container\nAnd it runs on the emulator \"qemu:netduinoplus2\"\n\
         And it runs on the emulator \"{TARGET}\"\nThen the outputs are bit-identical to the container's\n\
         And the outputs are bit-identical to those on \"qemu:netduinoplus2\""
    ));
    let ended = renodes.run();
    ended.judged("pass", &[]).expect(0, &["instructions (Renode)"]);
    let job = |target: &str| {
        let jobs = ended.report["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["target"] == target).unwrap()
    };
    let (qemu, renode) = (job("qemu:netduinoplus2"), job(TARGET));
    assert_eq!(renode["figures"]["clock"]["kind"], "renode-virtual");
    assert_eq!(renode["figures"]["ticks"], qemu["figures"]["ticks"]);
    assert_eq!(renode["provenance"]["runner_digest"], qemu["provenance"]["runner_digest"], "it is the same ELF");
    assert_eq!(renode["provenance"]["tool"], "Renode 1.16.1");
}

#[test]
fn one_renode_serves_one_job_after_the_other_each_on_a_new_machine() {
    let renodes = Renodes::new(&[ONE, TWO, THREE]);
    let ended = renodes.run();
    ended.expect(0, &["3 pass"]);
    assert_eq!((renodes.started(), renodes.given("mach create")), (1, 3));
    let journal = renodes.journal();
    let told: Vec<&str> = journal.iter().map(|(_, told)| told.as_str()).collect();
    for job in told.split(|told| told.starts_with("mach create")).skip(1) {
        let at = |start: &str| job.iter().position(|told| told.starts_with(start)).unwrap_or_else(|| panic!("{job:?}"));
        // In the order in which Renode takes them, and with what makes a tick an instruction.
        let order = [
            "machine LoadPlatformDescription",
            "cpu PerformanceInMips 100",
            "sysbus LoadELF",
            "sysbus LoadBinary",
            "emulation CreateServerSocketTerminal",
            "connector Connect sysbus.usart1",
            "start",
            "pause",
            "Clear",
        ];
        assert!(order.map(at).is_sorted(), "{job:?}");
        for setting in
            ["SetGlobalQuantum \"0.001\"", "SetGlobalAdvanceImmediately true", "SetGlobalSerialExecution true"]
        {
            assert!(at(&format!("emulation {setting}")) < at("start"), "{job:?}");
        }
    }
    assert_eq!(told.last(), Some(&"ended"), "it was not asked to end");
}

#[test]
fn two_jobs_at_once_have_a_renode_each() {
    let renodes = Renodes::new(&[ONE, THREE]).fault("late=mach create");
    let go = renodes.folder().join("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    let command = renodes.command(&["run", "--report", "report", "--jobs", "2", "--format", "json"]);
    let running = Running::spawn(command);
    // Each waits for its machine; neither gets one before the other has come that far.
    renodes.await_given("mach create", 2);
    let mut gate = OpenOptions::new().write(true).open(go).unwrap();
    gate.write_all(b"..").unwrap();
    let ended = running.ended(&renodes.project);
    assert_eq!(verdicts(&ended), ["pass", "pass"], "{}", ended.said());
    assert_eq!(renodes.started(), 2);
    renodes.expect_nothing_left();
}

#[test]
fn a_renode_that_dies_in_mid_job_costs_one_attempt_and_the_next_has_another() {
    let renodes = Renodes::new(&[ONE, TWO]).fault("dies-after=1000").once();
    let ended = renodes.run();
    assert_eq!(verdicts(&ended), ["pass", "pass"], "{}", ended.said());
    // Whichever came first.
    let tried = (0..2).map(|job| attempts(&ended, job)).max_by_key(Vec::len).unwrap();
    assert_eq!(tried.len(), 2, "{tried:?}");
    let (verdict, reason) = &tried[0];
    assert_eq!(verdict, "infra");
    // How it ended, and the last that it wrote.
    for words in ["signal 6", "it dies, as it was told to"] {
        assert!(reason.contains(words), "{words} is not in {reason}");
    }
    assert_eq!(renodes.started(), 2);
}

#[test]
fn a_renode_that_dies_at_its_start_is_infra_with_its_last_words() {
    let ended = Renodes::configured(&[ONE], "retries = 0").fault("dies-at-start").run();
    ended.judged("infra", &["Renode", "exit code 1", "it dies at its start, as it was told to"]);
    let renodes = Renodes::new(&[ONE]).fault("dies-at-start").once();
    renodes.run().judged("pass", &[]);
    assert_eq!(renodes.started(), 2);
}

#[test]
fn a_renode_that_is_never_ready_is_infra_when_the_time_is_up() {
    let renodes = Renodes::configured(&[ONE], "retries = 0\n[timeouts]\nopen = \"4 s\"").fault("never-ready");
    renodes.run().judged("infra", &["did not open within 4s"]);
}

#[test]
fn a_command_that_fails_is_infra_with_what_renode_says() {
    for command in ["machine LoadPlatformDescription", "sysbus LoadELF", "connector Connect", "start"] {
        let renodes = Renodes::configured(&[ONE], "retries = 0").fault(&format!("fails={command}"));
        renodes.run().judged("infra", &["it fails, as it was told to"]);
    }
}

#[test]
fn a_renode_that_does_not_answer_is_infra_and_the_next_job_has_another() {
    let renodes = Renodes::configured(&[ONE, TWO], "retries = 0\n[timeouts]\nopen = \"6 s\"");
    let renodes = renodes.fault("late=sysbus LoadELF").once();
    let ended = renodes.run();
    assert_eq!(verdicts(&ended), ["infra", "pass"], "{}", ended.said());
    assert_eq!(renodes.started(), 2);
}

#[test]
fn a_uart_that_hangs_up_is_infra() {
    let renodes = Renodes::configured(&[ONE], "retries = 0").fault("closes-uart-after=1000");
    renodes.run().judged("infra", &[]);
}

#[test]
fn a_renode_that_cannot_be_cleared_serves_no_other_job() {
    for fault in ["fails=Clear", "fails=pause", "late=Clear"] {
        let renodes = Renodes::configured(&[ONE, TWO], "[timeouts]\nclose = \"3 s\"").fault(fault).once();
        let ended = renodes.run();
        assert_eq!(verdicts(&ended), ["pass", "pass"], "{}", ended.said());
        assert_eq!(renodes.started(), 2, "{fault}");
    }
}

#[test]
fn where_renode_is_absent_it_is_blocked_and_the_mend_is_told() {
    let mend = ["Renode is not installed", "`make renode` installs it"];
    let renodes = Renodes::new(&[ONE]);
    // With a cache of its own: somebody may have installed it into the shared one.
    let config = format!("models = [\"{REPOSITORY}/models\"]");
    renodes.project.file("tinyfarm.toml", config).file("bin/README", "");
    let without = |arguments: &[&str]| {
        let mut command = renodes.command(arguments);
        // `env`, by which it is started, must be found.
        command.env_remove("RENODE").env("PATH", path_without_renode());
        renodes.project.ended(command.output().unwrap())
    };
    without(&["targets"]).expect(0, &[TARGET, "not to be had", mend[0], mend[1]]);
    without(&["run", "--report", "report"]).judged("blocked", &mend);

    // What is named and is not there is no reason to take another.
    let mut command = renodes.command(&["targets"]);
    command.env("RENODE", "/no/such/renode");
    renodes.project.ended(command.output().unwrap()).expect(0, &["not to be had", "no renode at /no/such/renode"]);
}

/// The folders of PATH that have no Renode.
fn path_without_renode() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path).filter(|folder| !folder.join("renode").exists());
    std::env::join_paths(folders).unwrap()
}

#[test]
fn the_configuration_names_a_program_or_a_portable_folder() {
    let folder = stand_in().with_file_name("");
    let renodes = Renodes::configured(&[ONE], "[renode]\nprogram = \"./portable\"");
    renodes.project.file("portable/README", "");
    std::os::unix::fs::symlink(folder.join("stand-in-renode"), renodes.project.path().join("portable/renode")).unwrap();
    let mut command = renodes.command(&["run", "--report", "report"]);
    command.env("RENODE", "/no/such/renode");
    renodes.project.ended(command.output().unwrap()).judged("pass", &[]);
    renodes.project.tinyfarm(&["targets"]).expect(0, &["ready, by Renode 1.16.1; timings: Renode virtual time"]);
}

#[test]
fn what_is_not_the_release_is_not_installed() {
    let project = Project::new();
    project.file("archive.tar.gz", "another").file("scripts/README", "");
    let script = project.path().join("scripts/renode");
    fs::copy(format!("{REPOSITORY}/scripts/renode"), &script).unwrap();
    let ended = project
        .ended(Command::new("bash").arg(script).arg("archive.tar.gz").current_dir(project.path()).output().unwrap());
    ended.expect(1, &["archive.tar.gz is not Renode 1.16.1 as it was released", "it should be"]);
    let left = fs::read_dir(project.path().join(".tinyfarm/renode")).unwrap();
    assert_eq!(left.count(), 0);
}

/// A job of many seconds, at work; and the processes behind it.
fn at_work(renodes: &Renodes) -> (Running, Vec<u32>) {
    let bytes = 49 * 40;
    renodes
        .project
        .file("features/silence/silence.bin", vec![0; bytes * 300])
        .file("features/silence/labels.csv", format!("silence.bin,4,0,{bytes},{bytes}\n"));
    renodes.project.scenario(&format!(
        "Given the model \"micro_speech\" and the dataset \"silence\"\nWhen it runs on the emulator \"{TARGET}\""
    ));
    let command = renodes.command(&["run", "--report", "report", "--format", "json"]);
    let mut running = Running::spawn(command);
    running.await_event("job-progress");
    let (process, _) = renodes.journal()[0];
    let emulators = children(process, "qemu-system-arm");
    assert_eq!(emulators.len(), 1, "the stand-in runs the firmware");
    (running, [&[process][..], &emulators].concat())
}

#[test]
fn a_killed_run_leaves_no_renode() {
    let renodes = Renodes::new(&[]);
    let (running, processes) = at_work(&renodes);
    running.signal("KILL");
    let _ = running.ended(&renodes.project);
    // They end when the kernel has closed what the run held; that it has done so is seen when they are no more.
    for process in processes {
        while alive(process) {
            thread::yield_now();
        }
    }
}

#[test]
fn ctrl_c_ends_renode_with_the_run() {
    let renodes = Renodes::new(&[]);
    let (running, processes) = at_work(&renodes);
    running.signal("INT");
    let ended = running.ended(&renodes.project);
    assert_eq!(ended.code, 130, "{}", ended.said());
    assert!(!processes.into_iter().any(alive), "a Renode outlived the run");
}

#[test]
fn a_renode_that_somebody_kills_is_infra_and_what_it_started_ends_with_it() {
    let renodes = Renodes::configured(&[], "retries = 0");
    let (running, processes) = at_work(&renodes);
    kill("KILL", processes[0]);
    let ended = running.ended(&renodes.project);
    ended.judged("infra", &["signal 9"]);
    assert!(!processes.into_iter().any(alive), "a Renode outlived the run");
}
