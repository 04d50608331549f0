//! `tinyfarm sim-board`: what it says, that everything goes with it, and what a kill leaves.

use crate::{
    bench::{self, SimBoards, control, files, record},
    interrupted::alive,
    support::kill,
};
use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    process::Stdio,
};

#[test]
fn a_simulated_board_is_on_its_bench_until_ctrl_c_and_takes_everything_with_it() {
    for signal in ["INT", "TERM", "HUP"] {
        let project = bench::project();
        let boards = SimBoards::start(&project, &[]);
        assert_eq!(files(&project), ["SIM-1.flash", "port-1.control", "port-1.json", "port-1.probe", "port-1.uart"]);
        let emulators = boards.emulators();
        assert_eq!(emulators.len(), 1);
        // With a debugger on the line.
        let mut probe = UnixStream::connect(bench::folder(&project).join("port-1.probe")).unwrap();
        boards.signal(signal);
        let ended = boards.ended(&project);
        ended.expect(0, &[r#"{"board":"SIM-1","event":"stopped"}"#]);
        assert!(!matches!(probe.read(&mut [0]), Ok(1..)), "the debugger was not hung up on");
        assert!(emulators.into_iter().all(|process| !alive(process)), "an emulator outlived its board");
        assert_eq!(files(&project), ["SIM-1.flash"], "{signal}");
    }
}

#[test]
fn what_a_killed_board_leaves_is_seen_as_stale_and_its_place_is_free() {
    let project = bench::project();
    let boards = SimBoards::start(&project, &[]);
    let emulators = boards.emulators();
    assert_eq!(record(&project, "port-1").map(|record| record.serial).as_deref(), Some("SIM-1"));
    boards.signal("KILL");
    boards.ended(&project).expect(-1, &[]);
    // The kernel ends them when their parent dies; that it has done so is seen when they are no more.
    for process in emulators {
        while alive(process) {
            std::thread::yield_now();
        }
    }
    assert!(files(&project).contains(&"port-1.json".to_owned()), "{:?}", files(&project));
    assert_eq!(record(&project, "port-1"), None);
    let gone = project.tinyfarm(&["sim-board", "control", "port-1", "status"]);
    gone.expect(2, &["no simulated board stands at port-1", "`tinyfarm sim-board --place port-1` starts one"]);
    // Its serial number, its flash and its place are to be had again.
    let boards = SimBoards::start(&project, &[]);
    assert_eq!(record(&project, "port-1").map(|record| record.serial).as_deref(), Some("SIM-1"));
    boards.stop(&project).expect(0, &[]);
    assert_eq!(files(&project), ["SIM-1.flash"]);
}

#[test]
fn boards_of_two_programs_exchange_places() {
    let project = bench::project();
    let mut one = SimBoards::start(&project, &["--serial", "SIM-1", "--place", "port-1"]);
    let mut two = SimBoards::start(&project, &["--serial", "SIM-2", "--place", "port-2"]);
    let status = control(&project, "port-2", &["swap", "port-1"]);
    assert_eq!((&status["serial"], &status["place"]), (&"SIM-2".into(), &"port-1".into()));
    assert_eq!(one.await_event("moved")["place"], "port-2");
    assert_eq!(two.await_event("moved")["place"], "port-1");
    let serial = |place| record(&project, place).unwrap().serial;
    assert_eq!((serial("port-1"), serial("port-2")), ("SIM-2".into(), "SIM-1".into()));
    one.stop(&project).expect(0, &[]);
    assert_eq!(serial("port-1"), "SIM-2", "the one that goes takes only its own files");
    two.stop(&project).expect(0, &[]);
    assert_eq!(files(&project), ["SIM-1.flash", "SIM-2.flash"]);
}

#[test]
fn several_boards_count_up_and_take_commands_each() {
    let project = bench::project();
    let mut boards = SimBoards::start(&project, &["--count", "2", "--tcp", "0", "--fault", "hang=3"]);
    let told: Vec<_> = boards.ready().iter().map(|board| (board["board"].clone(), board["place"].clone())).collect();
    assert_eq!(told, [("SIM-1".into(), "port-1".into()), ("SIM-2".into(), "port-2".into())]);
    let tcp = boards.ready()[1]["tcp"].as_str().unwrap().strip_prefix("20b7:9db1:tcp:").unwrap().to_owned();
    let probe = TcpStream::connect(tcp).unwrap();
    boards.await_event_of("SIM-2", "connected");
    assert_eq!(control(&project, "port-2", &["status"])["in_use"], true);
    assert_eq!(control(&project, "port-1", &["status"])["in_use"], false);
    drop(probe);
    boards.await_event_of("SIM-2", "disconnected");
    let faults = &control(&project, "port-1", &["fault", "uart-garbage=2"])["faults"];
    assert_eq!(faults, &serde_json::json!({"hang": 3, "uart-garbage": 2}));
    assert_eq!(control(&project, "port-2", &["status"])["faults"], serde_json::json!({"hang": 3}));
    let before = boards.emulators();
    control(&project, "port-1", &["power-cycle"]);
    boards.await_event_of("SIM-1", "power-cycled");
    let after = boards.emulators();
    assert_eq!((before.len(), after.len()), (2, 2));
    assert!(before.iter().filter(|process| after.contains(process)).count() == 1, "{before:?} {after:?}");
    boards.stop(&project).expect(0, &[]);
}

#[test]
fn the_definition_that_is_told_can_be_pasted() {
    let project = bench::project();
    for machine in ["netduinoplus2", "mps2-an385"] {
        let boards = SimBoards::start(&project, &["--machine", machine]);
        boards.define(&project, 0, "pasted", "");
        project.tinyfarm(&["boards", "list"]).expect(0, &["pasted"]);
        // The power hook is told as it works, whatever folder it is started in.
        let definition = boards.ready()[0]["definition"].as_str().unwrap();
        let definition: toml::Table = definition.parse().unwrap();
        let hook = definition["power"]["cycle"].as_array().unwrap();
        let hook: Vec<&str> = hook.iter().map(|word| word.as_str().unwrap()).collect();
        let cycled = std::process::Command::new(hook[0]).args(&hook[1..]).current_dir("/").output().unwrap();
        assert!(cycled.status.success(), "{}", String::from_utf8_lossy(&cycled.stderr));
        let ended = boards.stop(&project);
        ended.expect(0, &["power-cycled"]);
        std::fs::remove_file(bench::folder(&project).join("SIM-1.flash")).unwrap();
    }
}

#[test]
fn for_people_it_says_how_to_get_to_the_board() {
    let project = bench::project();
    let mut child = project.command(&["sim-board"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<String> = lines.by_ref().take_while(|line| !line.contains("power.cycle")).collect();
    kill("INT", child.id());
    assert_eq!(lines.last().as_deref(), Some("SIM-1: stopped"));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let bench = bench::folder(&project).canonicalize().unwrap();
    for words in [
        "SIM-1: started".to_owned(),
        "SIM-1 (netduinoplus2, simulated) is ready at port-1".to_owned(),
        format!("  probe: 20b7:9db1:unix:{}", bench.join("port-1.probe").display()),
        format!("  serial port: {}", bench.join("port-1.uart").display()),
        "To have it as the board `sim-1`, write boards/sim-1.toml:".to_owned(),
        "  kind = \"sim-netduinoplus2\"".to_owned(),
        "  probe = \"SIM-1\"".to_owned(),
    ] {
        assert!(told.contains(&words), "`{words}` is not in {told:#?}");
    }
}

#[test]
fn what_cannot_be_is_told_with_the_mend() {
    let project = bench::project();
    let refused = |arguments: &[&str], words: &[&str]| {
        project.tinyfarm(&[&["sim-board"], arguments].concat()).expect(2, words);
    };
    refused(&["--machine", "netduino"], &["netduino", "possible values: netduinoplus2"]);
    refused(&["--fault", "hung"], &["there is no fault `hung`", "needs-power-cycle"]);
    refused(&["--fault", "hang=0"], &["write `hang=3`"]);
    refused(&["--baud", "0"], &["0 baud is no rate of a serial port"]);
    refused(&["--count", "0"], &["0 is not in 1..=100"]);
    refused(&["--serial", "a/b"], &["`a/b` is no name for a serial number"]);
    refused(&["--place", ".."], &["`..` is no name for a place"]);
    refused(&["--bench", &"x/".repeat(60)], &["a Unix socket's 107 at most", "--bench"]);
    project.file("file", "");
    refused(&["--bench", "file"], &["the bench folder", "file", "--bench"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(&["--tcp", &port], &[&port, "--tcp"]);
    refused(&["control", "port-1", "jump"], &["there is no command `jump`", "power-cycle"]);
    refused(&["control", "port-1", "swap"], &["write it like `swap PLACE`"]);
    refused(&["control", "port-1"], &["COMMAND"]);
    let boards = SimBoards::start(&project, &[]);
    refused(&["--serial", "SIM-2"], &["the place port-1", "taken by the board SIM-1 (process", "--place"]);
    refused(&["--place", "port-2"], &["SIM-1.flash belongs to another simulated board", "--serial"]);
    refused(&["control", "port-1", "swap", "port-9"], &["no simulated board stands at port-9"]);
    boards.stop(&project).expect(0, &[]);
}
