//! The process: against programs that stand in for Renode, and where `RENODE` is set against Renode.
#![allow(clippy::unwrap_used)]

#[path = "support/real.rs"]
mod real;
#[path = "support/stand_in.rs"]
mod stand_in;

use real::real;
use renode_rs::{
    Installation, StartOptions, Version,
    process::{Ended, EndedBy, Exit, MonitorPort, StartError},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use stand_in::StandIn;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tokio::time::timeout;

const SECOND: Duration = Duration::from_secs(1);

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).unwrap()
}

/// Waits until a process has ended, though it may not have been waited for.
async fn gone(number: u32) {
    let stat = format!("/proc/{number}/stat");
    let gone = async {
        while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(SECOND / 50).await;
        }
    };
    timeout(30 * SECOND, gone).await.expect("it lives on");
}

/// What must hold for a stand-in as for the real one.
async fn starts_and_ends(installation: &Installation, options: &StartOptions) -> Version {
    let renode = installation.start(options).await.unwrap();
    let version = renode.version().clone();
    assert!(version.is_known(), "{version}");
    let folder = renode.temp_folder().to_owned();
    assert!(folder.is_absolute() && folder.is_dir());
    if let Some(number) = renode.pid() {
        test_kill_process(pid(number)).unwrap();
    }
    assert!(renode.robot().execute("version").await.unwrap().contains(&version.to_string()));
    let mut monitor = renode.monitor().await.unwrap();
    assert!(monitor.command("version").await.unwrap().contains(&version.to_string()));
    assert_eq!(renode.end().await, Ended { exit: Exit::Code(0), by: EndedBy::Request });
    assert!(!folder.exists());
    version
}

#[tokio::test]
async fn it_starts_and_ends_when_asked_to() {
    let mut stand_in = StandIn::new(json!({ "children": 1 }));
    let life = stand_in.life();
    assert_eq!(starts_and_ends(&stand_in.installation(), &stand_in.options()).await, Version::new(1, 16, 1));
    life.over().await;
    assert_eq!(stand_in.folders(), 0);
}

#[tokio::test]
async fn the_real_one_starts_and_ends_when_asked_to() {
    let Some(installation) = real() else { return };
    let version = starts_and_ends(&installation, &StartOptions::default()).await;
    assert_eq!(installation.version().await.unwrap(), version);
}

#[tokio::test]
async fn it_gets_a_monitor_a_robot_server_and_no_configuration_of_its_users() {
    let stand_in = StandIn::new(json!({}));
    let options = StartOptions { arguments: vec!["-e".into(), "echo \"x\"".into()], ..stand_in.options() };
    let renode = stand_in.installation().start(&options).await.unwrap();
    let (seen, folder) = (stand_in.seen(), renode.temp_folder().display().to_string());
    let monitor = renode.monitor_address().port().to_string();
    let pid_file = format!("{folder}/pid");
    let expected = [
        "--disable-xwt",
        "--plain",
        "--hide-log",
        "-P",
        &monitor,
        "--robot-server-port",
        "0",
        "--pid-file",
        &pid_file,
        "-e",
        "echo \"x\"",
    ];
    assert_eq!(seen["arguments"], json!(expected));
    for name in ["TMPDIR", "TMP", "TEMP", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        assert!(seen["environment"][name].as_str().unwrap().starts_with(&folder), "{name}");
    }
    assert!(seen["environment"]["PATH"].is_string());
}

#[tokio::test]
async fn a_monitor_port_and_the_log_can_be_asked_for() {
    let stand_in = StandIn::new(json!({}));
    // Below those that the system gives to others.
    let port = u16::try_from(20_000 + std::process::id() % 10_000).unwrap();
    let options = StartOptions { monitor: MonitorPort::Fixed(port), show_log: true, ..stand_in.options() };
    let renode = stand_in.installation().start(&options).await.unwrap();
    assert_eq!(renode.monitor_address().port(), port);
    assert_eq!(stand_in.seen()["arguments"][2], "-P");
}

#[tokio::test]
async fn it_may_start_late_and_have_a_folder_of_another_name() {
    let stand_in = StandIn::new(json!({ "late": 0.5, "prefix": "rndtmp-" }));
    starts_and_ends(&stand_in.installation(), &stand_in.options()).await;
}

#[tokio::test]
async fn it_may_be_a_script_around_the_program() {
    let mut stand_in = StandIn::wrapped(json!({ "children": 2 }));
    let life = stand_in.life();
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    let command = fs::read_to_string(format!("/proc/{}/cmdline", renode.pid().unwrap())).unwrap();
    assert!(command.contains("renode-itself"), "{command}");
    assert_eq!(renode.end().await, Ended { exit: Exit::Code(0), by: EndedBy::Request });
    life.over().await;
}

#[tokio::test]
async fn many_start_at_once() {
    let stand_in = StandIn::new(json!({}));
    let starts = (0..6).map(|_| {
        let (installation, options) = (stand_in.installation(), stand_in.options());
        tokio::spawn(async move { starts_and_ends(&installation, &options).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap();
    }
    assert_eq!(stand_in.folders(), 0);
}

#[tokio::test]
async fn what_dies_at_its_start_says_why() {
    let why = "Unhandled exception. System.TypeInitializationException: no ICU\n   at Renode.Main()";
    let stand_in = StandIn::new(json!({ "dies": why }));
    let error = stand_in.installation().start(&stand_in.options()).await.unwrap_err();
    assert!(matches!(error, StartError::Ended { exit: Exit::Code(1), .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "renode ended at its start (exit code 1): Unhandled exception. System.TypeInitializationException: no ICU"
    );
    assert_eq!(stand_in.folders(), 0);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("renode");
    std::os::unix::fs::symlink("/dev/null", &program).unwrap();
    assert!(Installation::at(&program).is_err());
    let gone = Installation::at(Path::new("/bin/sh")).unwrap();
    let missing = StartOptions { temp_parent: Some(folder.path().join("nowhere")), ..StartOptions::default() };
    assert!(matches!(gone.start(&missing).await.unwrap_err(), StartError::Folder(_)));

    let stand_in = StandIn::new(json!({}));
    let installation = stand_in.installation();
    fs::remove_file(stand_in.path("renode")).unwrap();
    let error = installation.start(&stand_in.options()).await.unwrap_err();
    assert!(matches!(error, StartError::Spawn { .. }), "{error:?}");
    assert_eq!(stand_in.folders(), 0);
}

async fn never_answers(behaviour: Value, what: &str) {
    let mut stand_in = StandIn::new(behaviour);
    let life = stand_in.life();
    let options = StartOptions { patience: 4 * SECOND, ..stand_in.options() };
    let error = stand_in.installation().start(&options).await.unwrap_err();
    let expected =
        format!("renode was not ready after 4s (StartOptions::patience), waiting for {what}: it wrote nothing");
    assert_eq!(error.to_string(), expected);
    life.over().await;
    assert_eq!(stand_in.folders(), 0);
}

#[tokio::test]
async fn what_never_answers_is_killed_when_patience_ends() {
    let (file, server) = ("the file `robot_port` in its TMPDIR", "its robot server's answer");
    tokio::join!(
        never_answers(json!({ "silent": true, "deaf": true, "children": 1 }), file),
        never_answers(json!({ "port": "no port" }), file),
        never_answers(json!({ "port": "1" }), server),
        never_answers(json!({ "mute": true }), server),
    );
}

#[tokio::test]
async fn a_robot_server_that_is_none_is_an_error() {
    let mut stand_in = StandIn::new(json!({ "garbage": true }));
    let life = stand_in.life();
    let error = stand_in.installation().start(&stand_in.options()).await.unwrap_err();
    assert!(matches!(error, StartError::Robot(_) | StartError::Version(_)), "{error:?}");
    life.over().await;
}

#[tokio::test]
async fn another_version_is_started_all_the_same_and_another_program_is_not() {
    let stand_in = StandIn::new(json!({ "version": "Renode, version 1.17.0 (x)" }));
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    assert_eq!((renode.version().to_string().as_str(), renode.version().is_known()), ("1.17.0", false));
    let stand_in = StandIn::new(json!({ "version": "Emulator" }));
    let error = stand_in.installation().start(&stand_in.options()).await.unwrap_err();
    assert_eq!(error.to_string(), "this is no renode: no version of Renode in \"Emulator\"");
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_tried_again() {
    let stand_in = StandIn::new(json!({ "ports_taken": 2 }));
    starts_and_ends(&stand_in.installation(), &stand_in.options()).await;
    assert_eq!(stand_in.count("ports_taken"), 3);

    let stand_in = StandIn::new(json!({ "ports_taken": 9 }));
    let error = stand_in.installation().start(&stand_in.options()).await.unwrap_err();
    assert!(error.to_string().ends_with("Address already in use"), "{error}");
    assert_eq!(stand_in.count("ports_taken"), 3);
    assert_eq!(stand_in.folders(), 0);
}

#[tokio::test]
async fn what_is_not_waited_for_any_more_is_killed() {
    let mut stand_in = StandIn::new(json!({ "silent": true, "children": 1 }));
    let mut life = stand_in.life();
    let (installation, options) = (stand_in.installation(), stand_in.options());
    tokio::select! {
        _ = installation.start(&options) => panic!("it started"),
        () = life.begun() => {}
    }
    life.over().await;
    assert_eq!(stand_in.folders(), 0);
}

#[tokio::test]
async fn what_does_not_want_to_end_is_terminated_or_killed() {
    for (behaviour, ended) in [
        (json!({ "stays": true, "children": 1 }), Ended { exit: Exit::Signal(15), by: EndedBy::Termination }),
        (json!({ "stays": true, "deaf": true, "children": 1 }), Ended { exit: Exit::Signal(9), by: EndedBy::Kill }),
    ] {
        let mut stand_in = StandIn::new(behaviour);
        let life = stand_in.life();
        let options = StartOptions { grace: SECOND / 2, ..stand_in.options() };
        let renode = stand_in.installation().start(&options).await.unwrap();
        assert_eq!(renode.end().await, ended);
        life.over().await;
        assert_eq!(stand_in.folders(), 0);
    }
}

#[tokio::test]
async fn dropped_it_is_killed_with_its_children_and_its_folder_is_removed() {
    let mut stand_in = StandIn::wrapped(json!({ "deaf": true, "children": 2 }));
    let life = stand_in.life();
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    fs::write(renode.temp_folder().join("platform.repl"), "").unwrap();
    drop(renode);
    assert_eq!(stand_in.folders(), 0);
    life.over().await;
}

#[tokio::test]
async fn of_the_real_one_nothing_is_left_when_it_is_dropped() {
    let Some(installation) = real() else { return };
    let parent = tempfile::tempdir().unwrap();
    let options = StartOptions { temp_parent: Some(parent.path().to_owned()), ..StartOptions::default() };
    let renode = installation.start(&options).await.unwrap();
    let number = renode.pid();
    drop(renode);
    assert_eq!(parent.path().read_dir().unwrap().count(), 0);
    if let Some(number) = number {
        gone(number).await;
    }
}

/// Ended from outside: everybody who waits hears of it.
async fn its_end_is_told(installation: &Installation, options: &StartOptions) {
    let renode = installation.start(options).await.unwrap();
    timeout(Duration::from_millis(50), renode.ended()).await.unwrap_err();
    let Some(number) = renode.pid() else { return };
    kill_process(pid(number), Signal::KILL).unwrap();
    // A script around it shows the signal in its exit code.
    let ended = tokio::join!(renode.ended(), renode.ended());
    assert!(matches!(ended.0, Exit::Signal(9) | Exit::Code(137)), "{}", ended.0);
    assert_eq!(ended.0, ended.1);
    assert_eq!(renode.pid(), None);
    assert!(renode.temp_folder().exists(), "for those who want to know why");
    assert_eq!(renode.end().await, Ended { exit: ended.0, by: EndedBy::Itself });
}

#[tokio::test]
async fn its_end_is_told_to_all_who_wait() {
    for mut stand_in in [StandIn::new(json!({ "children": 1 })), StandIn::wrapped(json!({ "children": 1 }))] {
        let life = stand_in.life();
        its_end_is_told(&stand_in.installation(), &stand_in.options()).await;
        life.over().await;
    }
}

#[tokio::test]
async fn the_end_of_the_real_one_is_told_to_all_who_wait() {
    let Some(installation) = real() else { return };
    its_end_is_told(&installation, &StartOptions::default()).await;
}

#[tokio::test]
async fn what_it_writes_is_read_and_the_last_of_it_kept() {
    let stand_in = StandIn::new(json!({ "chatter": 3 << 20 }));
    let renode = stand_in.installation().start(&stand_in.options()).await.unwrap();
    let log = renode.log();
    assert!(log.len() == 256 << 10 && log.ends_with("xxx\n"), "{}", log.len());
}

#[tokio::test]
async fn its_version_is_asked_for_without_starting_it() {
    let stand_in = StandIn::wrapped(json!({}));
    assert_eq!(stand_in.installation().version().await.unwrap(), Version::new(1, 16, 1));
    assert!(!stand_in.path("seen.json").exists());
    let stand_in = StandIn::new(json!({ "long_version": "command line options" }));
    let error = stand_in.installation().version().await.unwrap_err();
    assert!(matches!(error, StartError::Version(_)), "{error:?}");
}

/// The variable by which [`parent_that_is_killed`] knows that it is one.
const PARENT: &str = "RENODE_RS_TEST_PARENT";

/// Not a test but the process that the next ones kill: it starts the Renode named, tells its folder and goes on for ever.
#[tokio::test]
async fn parent_that_is_killed() {
    let Some(program) = std::env::var_os(PARENT) else { return };
    let renode = Installation::at(Path::new(&program)).unwrap().start(&StartOptions::default()).await.unwrap();
    println!("\nready {} {}", renode.pid().unwrap(), renode.temp_folder().display());
    std::future::pending::<()>().await;
}

/// Starts a parent and kills it; the number of the Renode that it had.
fn kill_a_parent(program: &str) -> u32 {
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.args(["parent_that_is_killed", "--exact", "--nocapture"]).env(PARENT, program).stdout(Stdio::piped());
    let mut parent = parent.spawn().unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let ready = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("ready ").map(str::to_owned)).unwrap();
    let (number, folder) = ready.split_once(' ').unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Nobody was left to remove it.
    fs::remove_dir_all(folder).unwrap();
    number.parse().unwrap()
}

#[tokio::test]
async fn it_dies_with_its_parent_whatever_kills_that() {
    let mut stand_in = StandIn::wrapped(json!({ "deaf": true, "children": 2 }));
    let life = stand_in.life();
    let program = stand_in.installation().describe();
    tokio::task::spawn_blocking(move || kill_a_parent(&program)).await.unwrap();
    life.over().await;
}

#[tokio::test]
async fn the_real_one_dies_with_its_parent() {
    let Some(installation) = real() else { return };
    // A container does not.
    if !Path::new(&installation.describe()).is_absolute() {
        return;
    }
    let program = installation.describe();
    let number = tokio::task::spawn_blocking(move || kill_a_parent(&program)).await.unwrap();
    gone(number).await;
}
