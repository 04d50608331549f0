//! `tinyfarm boards`: each subcommand, on boards that are made up and on simulated ones.

use crate::support::{Project, Running};
use boards::lease::{Holder, Leases};
use serde_json::Value;
use std::fs;

/// A project with a bench, leases and histories of its own, and these definitions.
fn project(boards: &[(&str, &str)]) -> Project {
    let project = Project::configured("[boards]\nbench = \"bench\"\nstate = \"state\"\nleases = \"leases\"\n");
    fs::create_dir(project.path().join("boards")).unwrap();
    for (name, text) in boards {
        project.file(&format!("boards/{name}.toml"), text);
    }
    project
}

const NUCLEO: (&str, &str) = ("nucleo-1", "kind = \"nucleo-l4r5zi\"\nprobe = \"066BFF-NOT-THERE\"\ntags = [\"m4\"]\n");
const SIM: (&str, &str) = ("sim-1", "kind = \"sim-netduinoplus2\"\nprobe = \"SIM-1\"\ntags = [\"m4\"]\n");

/// The only line of what was printed, as JSON.
#[track_caller]
fn json(out: &str) -> Value {
    serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let boards = list["boards"].as_array().unwrap();
    boards.iter().find(|board| board["name"] == name).unwrap_or_else(|| panic!("{name} is not in {list:#}"))
}

/// `tinyfarm sim-board` at work on a project's bench.
struct SimBoard(Option<Running>);

impl SimBoard {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let all = [&["sim-board", "--format", "json"], arguments].concat();
        let mut running = Running::start(project, &all);
        running.await_event("ready");
        Self(Some(running))
    }

    fn await_event(&mut self, kind: &str) -> Value {
        self.0.as_mut().unwrap().await_event(kind)
    }

    fn end(mut self, project: &Project) {
        if let Some(running) = self.0.take() {
            running.signal("TERM");
            assert_eq!(running.ended(project).code, 0);
        }
    }
}

impl Drop for SimBoard {
    /// Where a test has failed: nothing is to outlive it.
    fn drop(&mut self) {
        if let Some(running) = self.0.take() {
            running.signal("TERM");
        }
    }
}

#[test]
fn list_tells_of_boards_that_are_not_there() {
    let project = project(&[NUCLEO, SIM]);
    project.tinyfarm(&["boards", "list"]).expect(0, &["nucleo-1", "066BFF-NOT-THERE", "no", "healthy", "(simulated)"]);
    let list = json(&project.tinyfarm(&["boards", "list", "--format", "json"]).out);
    let nucleo = named(&list, "nucleo-1");
    assert_eq!((&nucleo["there"]["is"], &nucleo["simulated"]), (&"missing".into(), &false.into()), "{list:#}");
    assert_eq!(nucleo["health"]["state"], "healthy");
    assert!(nucleo["there"]["reason"].as_str().unwrap().contains("066BFF-NOT-THERE"));
    // The shipped one, which the farm plays itself.
    assert_eq!(named(&list, "sim-netduinoplus2")["there"]["is"], "startable");
    assert_eq!(list["strangers"], Value::Array(Vec::new()));
}

#[test]
fn a_board_that_is_none_is_told_with_the_nearest() {
    let project = project(&[NUCLEO]);
    for command in [&["health"][..], &["release"], &["history"], &["why-waiting"], &["doctor"]] {
        let arguments = [&["boards"], command, &["nucelo-1"]].concat();
        project.tinyfarm(&arguments).expect(2, &["there is no board `nucelo-1`", "did you mean `nucleo-1`?"]);
    }
    let ended = project.tinyfarm(&["boards", "quarantine", "nucleo-l4r5zi", "--reason", "x"]);
    ended.expect(2, &["is a kind of board", "probe ="]);
    let ended = project.tinyfarm(&["boards", "quarantine", "sim-netduinoplus2", "--reason", "x"]);
    ended.expect(2, &["started anew for each run", "tinyfarm sim-board"]);
    project.tinyfarm(&["boards", "quarantine", "nucleo-1"]).expect(2, &["--reason"]);
    project.tinyfarm(&["boards", "quarantine", "nucleo-1", "--reason", ""]).expect(2, &["--reason"]);
}

#[test]
fn a_definition_that_is_wrong_is_told_with_its_line() {
    let project = project(&[("nucleo-1", "kind = \"nucleo-l4r5zi\"\nprob = \"x\"\n")]);
    project.tinyfarm(&["boards", "list"]).expect(2, &["boards/nucleo-1.toml:2", "prob"]);
}

#[test]
fn a_quarantine_outlasts_the_program_and_a_release_ends_it() {
    let project = project(&[NUCLEO]);
    let reason = "the cable is loose";
    let ended = project.tinyfarm(&["boards", "quarantine", "nucleo-1", "--reason", reason]);
    ended.expect(0, &["nucleo-1: quarantined by", reason]);
    project.tinyfarm(&["boards", "list"]).expect(0, &[reason]);
    project.tinyfarm(&["boards", "why-waiting", "nucleo-1"]).expect(0, &["not there", reason, "boards release"]);
    let why = json(&project.tinyfarm(&["boards", "why-waiting", "nucleo-1", "--format", "json"]).out);
    let words: Vec<_> = why["obstacles"].as_array().unwrap().iter().map(|one| one["obstacle"].clone()).collect();
    assert_eq!(words, ["missing", "quarantined"], "{why:#}");
    project.tinyfarm(&["boards", "release", "nucleo-1"]).expect(0, &["nucleo-1: released; it was quarantined"]);
    project.tinyfarm(&["boards", "release", "nucleo-1"]).expect(0, &["healthy, there is nothing to release it from"]);
    project.tinyfarm(&["boards", "list"]).expect(0, &["healthy"]);
    let ended = project.tinyfarm(&["boards", "history", "nucleo-1"]);
    ended.expect(0, &["quarantined by hand: the cable is loose", "released by hand", "nucleo-1: healthy"]);
    let history = json(&project.tinyfarm(&["boards", "history", "nucleo-1", "--format", "json"]).out);
    assert_eq!(history["events"][0]["event"], "quarantined");
    assert_eq!(history["counts"]["released"], 1);
}

#[test]
fn a_history_torn_by_a_power_cut_is_told_and_goes_on() {
    let project = project(&[NUCLEO]);
    project.tinyfarm(&["boards", "quarantine", "nucleo-1", "--reason", "the cable is loose"]).expect(0, &[]);
    let path = project.path().join("state/066BFF-NOT-THERE.jsonl");
    let mut torn = fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"at\":\"2026-0");
    fs::write(&path, torn).unwrap();
    project.tinyfarm(&["boards", "history", "nucleo-1"]).expect(0, &["jsonl:2 cannot be read", "the cable is loose"]);
    project.tinyfarm(&["boards", "release", "nucleo-1"]).expect(0, &["released"]);
    project.tinyfarm(&["boards", "history", "nucleo-1"]).expect(0, &["nucleo-1: healthy", "unreadable 1"]);
}

#[test]
fn who_holds_a_board_is_told_by_list_and_why_waiting() {
    let project = project(&[NUCLEO]);
    let leases = Leases::new(project.path().join("leases"));
    let holder = Holder::this_process(Some("run-of-the-test"));
    let lease = leases.try_take("066BFF-NOT-THERE", &holder).unwrap().unwrap();
    let me = format!("process {}", std::process::id());
    project.tinyfarm(&["boards", "list"]).expect(0, &[&me]);
    project.tinyfarm(&["boards", "why-waiting"]).expect(0, &["nucleo-1: held by", &me]);
    let list = json(&project.tinyfarm(&["boards", "list", "--format", "json"]).out);
    assert_eq!(named(&list, "nucleo-1")["held_by"]["run"], "run-of-the-test");
    drop(lease);
    assert!(!project.tinyfarm(&["boards", "why-waiting"]).said().contains("held by"));
}

#[test]
fn doctor_tells_what_is_wrong_with_the_mend() {
    let hook = "[power]\ncycle = [\"no-such-uhubctl\", \"-a\", \"cycle\"]\n";
    let project = project(&[("nucleo-1", &format!("{}{hook}", NUCLEO.1))]);
    let ended = project.tinyfarm(&["boards", "doctor"]);
    ended.expect(
        3,
        &["WRONG nucleo-1: no probe \"066BFF-NOT-THERE\" is attached", "`no-such-uhubctl`", "mend: install it"],
    );
    ended.expect(3, &["leases are taken in", "things wrong"]);
    let ended = project.tinyfarm(&["boards", "doctor", "--format", "json"]);
    let found: Vec<Value> = ended.out.lines().map(json).collect();
    assert!(found.iter().any(|one| one["board"] == "nucleo-1" && one["severity"] == "wrong"), "{found:?}");
}

#[test]
fn doctor_tells_of_folders_that_cannot_be_used() {
    let project = project(&[]);
    fs::write(project.path().join("leases"), "").unwrap();
    fs::write(project.path().join("state"), "").unwrap();
    let ended = project.tinyfarm(&["boards", "doctor"]);
    ended.expect(3, &["the lease folder", "is no folder", "`leases` under [boards]", "`state` under [boards]"]);
}

#[test]
fn health_of_a_board_that_is_not_there_says_so() {
    let project = project(&[NUCLEO]);
    let ended = project.tinyfarm(&["boards", "health", "nucleo-1"]);
    ended.expect(3, &["nucleo-1: health check", "066BFF-NOT-THERE"]);
}

#[test]
fn a_bench_that_fails_again_and_again_takes_itself_out_of_use_until_a_health_check_passes() {
    let project = project(&[SIM]);
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the board "sim-1""#,
    );
    let bench = SimBoard::start(&project, &["--fault", "wrong-chip=1000"]);
    project.run().judged("infra", &["is not sim-1"]);
    let history = json(&project.tinyfarm(&["boards", "history", "sim-1", "--format", "json"]).out);
    let events: Vec<_> = history["events"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(events, ["infra", "infra", "infra", "recovered", "check-failed"], "{history:#}");
    project
        .tinyfarm(&["boards", "doctor"])
        .expect(3, &["its health check did not pass", "tinyfarm boards health sim-1"]);
    project.run().judged("blocked", &["its health check did not pass", "is not sim-1"]);
    bench.end(&project);

    let bench = SimBoard::start(&project, &[]);
    project.tinyfarm(&["boards", "health", "sim-1"]).expect(0, &["sim-1: health check passed; healthy"]);
    project.run().judged("pass", &[]);
    bench.end(&project);
}

#[test]
fn a_board_is_had_by_one_process_at_a_time_and_a_killed_one_frees_it_at_once() {
    let project = project(&[SIM]);
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the board "sim-1""#,
    );
    let mut bench = SimBoard::start(&project, &["--fault", "hang"]);
    let mut first = Running::start(&project, &["run", "--format", "json"]);
    first.await_event("attempt-started");
    bench.await_event("fault-shown");
    // It hangs with the board in its hands.
    let mut second = Running::start(&project, &["run", "--format", "json"]);
    let waiting = second.await_event("waiting");
    assert!(waiting["why"].as_str().unwrap().contains(&format!("process {}", first.id())), "{waiting:#}");
    project.tinyfarm(&["boards", "why-waiting"]).expect(0, &[&format!("process {}", first.id())]);
    first.signal("KILL");
    assert_eq!(first.ended(&project).code, -1);
    second.ended(&project).expect(0, &[]);
    bench.end(&project);
}

#[test]
fn without_boards_of_ones_own_the_shipped_ones_are_told_of() {
    let project = Project::new();
    project.tinyfarm(&["boards", "list"]).expect(0, &["sim-netduinoplus2", "starts when wanted"]);
    project
        .tinyfarm(&["targets"])
        .expect(0, &["sim-netduinoplus2 (simulated)  board      Cortex-M4F    ready, by QEMU"]);
    project.tinyfarm(&["build", "sim-netduinoplus2"]).expect(0, &["sim-netduinoplus2 (simulated)  ready after "]);
    project.tinyfarm(&["boards", "health"]).expect(0, &["sim-netduinoplus2: health check passed"]);
}

#[test]
fn a_simulated_board_is_listed_as_one_and_what_is_in_no_definition_is_invited() {
    let project = project(&[SIM]);
    let mut bench = SimBoard::start(&project, &["--count", "2"]);
    bench.await_event("ready");
    let ended = project.tinyfarm(&["boards", "list"]);
    ended.expect(0, &["(simulated)", "port-1", "SIM-2 at place port-2 is in no definition", "probe = \"SIM-2\""]);
    let list = json(&project.tinyfarm(&["boards", "list", "--format", "json"]).out);
    let sim = named(&list, "sim-1");
    assert_eq!((&sim["there"]["is"], &sim["simulated"]), (&"attached".into(), &true.into()), "{list:#}");
    assert_eq!(list["strangers"][0]["serial"], "SIM-2");
    // Its lines make it a board.
    project.file("boards/sim-2.toml", "kind = \"sim-netduinoplus2\"\nprobe = \"SIM-2\"\ntags = []\n");
    let list = json(&project.tinyfarm(&["boards", "list", "--format", "json"]).out);
    assert_eq!(named(&list, "sim-2")["there"]["is"], "attached");
    assert_eq!(list["strangers"], Value::Array(Vec::new()));
    bench.end(&project);
    let list = json(&project.tinyfarm(&["boards", "list", "--format", "json"]).out);
    assert_eq!(named(&list, "sim-2")["there"]["is"], "missing");
}

#[test]
fn watch_tells_what_is_plugged_and_unplugged() {
    let project = project(&[SIM]);
    let bench = SimBoard::start(&project, &[]);
    let mut watch = Running::start(&project, &["boards", "watch", "--format", "json"]);
    let event = watch.await_event("plugged");
    assert_eq!((&event["board"], &event["attached"]["place"]), (&"sim-1".into(), &"port-1".into()), "{event:#}");
    project.tinyfarm(&["sim-board", "control", "port-1", "unplug"]).expect(0, &["unplugged"]);
    assert_eq!(watch.await_event("unplugged")["board"], "sim-1");
    project.tinyfarm(&["sim-board", "control", "port-1", "plug"]).expect(0, &["plugged in"]);
    watch.await_event("plugged");
    bench.end(&project);
    watch.await_event("unplugged");
    watch.signal("INT");
    assert_eq!(watch.ended(&project).code, 0);
}

#[test]
fn doctor_finds_that_the_chip_is_another_one() {
    let project = project(&[SIM]);
    let bench = SimBoard::start(&project, &[]);
    let ended = project.tinyfarm(&["boards", "doctor", "sim-1"]);
    ended.expect(0, &["fine sim-1: the chip is sim-stm32f405, as it should be"]);
    project.tinyfarm(&["sim-board", "control", "port-1", "fault", "wrong-chip"]).expect(0, &[]);
    let ended = project.tinyfarm(&["boards", "doctor", "sim-1"]);
    ended.expect(3, &["WRONG sim-1", "is not sim-1", "nothing was written", "boards/sim-1.toml"]);
    bench.end(&project);
}

#[test]
fn health_checks_a_board_and_remembers_how_it_ended() {
    let project = project(&[SIM]);
    let bench = SimBoard::start(&project, &[]);
    project.tinyfarm(&["boards", "health", "sim-1"]).expect(0, &["sim-1: health check passed; healthy"]);
    project.tinyfarm(&["sim-board", "control", "port-1", "fault", "wrong-chip"]).expect(0, &[]);
    let ended = project.tinyfarm(&["boards", "health", "--format", "json", "sim-1"]);
    let told = json(&ended.out);
    assert_eq!((ended.code, &told["check"]), (3, &"failed".into()), "{}", ended.said());
    assert_eq!(told["health"]["state"], "quarantined", "{told:#}");
    // The next one passes, and lets it back.
    project.tinyfarm(&["boards", "health", "sim-1"]).expect(0, &["sim-1: health check passed; healthy"]);
    let ended = project.tinyfarm(&["boards", "history", "sim-1"]);
    ended.expect(0, &["health check failed", "sim-1: healthy; checks passed 2, checks failed 1"]);
    bench.end(&project);
}

#[test]
fn a_quarantine_blocks_a_run_with_its_reason_and_a_release_lets_it_go_on() {
    let project = project(&[SIM]);
    project.scenario(
        r#"Given the model "hello_world" and the dataset "sine_100"
           When it runs on the board "sim-1""#,
    );
    let bench = SimBoard::start(&project, &[]);
    project.tinyfarm(&["boards", "quarantine", "sim-1", "--reason", "the cable is loose"]).expect(0, &[]);
    project.run().judged("blocked", &["quarantined by", "the cable is loose", "tinyfarm boards release sim-1"]);
    project.tinyfarm(&["boards", "release", "sim-1"]).expect(0, &[]);
    project.run().judged("pass", &[]);
    project.tinyfarm(&["boards", "history", "sim-1"]).expect(0, &["served a job"]);
    bench.end(&project);
}
