//! Surveys and findings of made-up boards, none of which is attached; and of a serial port that is a pseudo-terminal.
#![allow(clippy::unwrap_used)]

use super::{Bench, Finding, Obstacle, Presence, Seen, Severity};
use crate::{
    bus::{
        Environment,
        environment::{Problem, ProblemKind},
    },
    definition::Definitions,
    health::{Event, Policy},
    lease::{Holder, Leases},
};
use firmware::protocol::{Frame, Kind};
use jiff::{SignedDuration, Timestamp};
use std::{fs, io::Write as _, path::Path};
use tempfile::TempDir;

const BOARDS: [(&str, &str); 4] = [
    ("absent", "kind = \"nucleo-l4r5zi\"\nprobe = \"no-such-serial\"\n[power]\ncycle = [\"no-such-program-anywhere\"]"),
    ("other", "kind = \"nucleo-l4r5zi\"\nprobe = \"no-such-serial-either\""),
    ("played", "kind = \"sim-netduinoplus2\""),
    ("simulated", "kind = \"sim-netduinoplus2\"\nprobe = \"SIM-1\""),
];

fn bench() -> (TempDir, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let boards = folder.path().join("boards");
    fs::create_dir(&boards).unwrap();
    for (name, text) in BOARDS {
        fs::write(boards.join(format!("{name}.toml")), text).unwrap();
    }
    let bench = bench_of(folder.path(), &boards);
    (folder, bench)
}

fn bench_of(folder: &Path, boards: &Path) -> Bench {
    Bench {
        definitions: Definitions::load(&[boards.to_owned()]).unwrap(),
        folder: folder.join("bench"),
        leases: Leases::new(folder.join("leases")),
        state: folder.join("state"),
        policy: Policy::default(),
    }
}

fn look_at(bench: &Bench, name: &str) -> Seen {
    bench.look_at(bench.definitions.board(name).unwrap())
}

fn record(bench: &Bench, name: &str, event: Event) {
    bench.health(bench.definitions.board(name).unwrap()).unwrap().unwrap().record(event).unwrap();
}

fn wrong(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter(|finding| finding.severity == Severity::Wrong).map(|finding| &*finding.what).collect()
}

#[test]
fn a_board_that_is_not_attached_is_missing_and_one_that_the_farm_plays_is_not() {
    let (_folder, bench) = bench();
    let survey = bench.survey().unwrap();
    let there = |name: &str| survey.boards.iter().find(|board| board.definition.name == name).unwrap();
    assert!(matches!(&there("absent").presence, Presence::Missing { reason } if reason.contains("no-such-serial")));
    assert_eq!(there("played").presence, Presence::Startable);
    assert!(there("played").presence.is_there() && !there("simulated").presence.is_there());
    // A simulated serial number means nothing beyond its bench.
    assert_eq!(there("simulated").identity, format!("{}/SIM-1", bench.folder.display()));
    assert_eq!(there("absent").identity, "no-such-serial");
}

#[tokio::test]
async fn what_keeps_a_run_from_a_board_is_told_the_weightiest_first() {
    let (_folder, bench) = bench();
    let now = Timestamp::now();
    let obstacles = |name: &str, now| look_at(&bench, name).obstacles(&bench.policy, now);
    assert_eq!(obstacles("played", now), []);
    assert!(matches!(&obstacles("absent", now)[..], [Obstacle::Missing { .. }]));

    record(&bench, "absent", Event::Quarantined { reason: "the cable is loose".to_owned() });
    let holder = Holder::this_process(Some("run-1"));
    let lease = bench.leases.take("no-such-serial", &holder).await.unwrap();
    let found = obstacles("absent", now);
    let [Obstacle::Missing { .. }, Obstacle::Quarantined { reason, until: None }, Obstacle::Held { by }] = &found[..]
    else {
        panic!("{found:?}")
    };
    assert!(reason.contains("the cable is loose") && by.run.as_deref() == Some("run-1"));
    assert!(found[1].to_string().ends_with("; `tinyfarm boards release` gives it back"), "{}", found[1]);
    drop(lease);
    assert_eq!(obstacles("absent", now).len(), 2);

    record(&bench, "other", Event::CheckFailed { reason: "no answer".to_owned() });
    let now = Timestamp::now();
    assert!(matches!(obstacles("other", now)[1], Obstacle::Quarantined { until: Some(_), .. }));
    let later = now + SignedDuration::from_hours(1);
    assert_eq!(obstacles("other", later).len(), 1, "a run would check it, and may have it then");

    fs::remove_dir_all(&bench.state).unwrap();
    fs::write(&bench.state, "").unwrap();
    assert!(matches!(obstacles("other", now)[1], Obstacle::Unknown { .. }));
}

#[test]
fn hooks_and_histories_are_looked_at() {
    let (_folder, bench) = bench();
    let findings = bench.examine(&look_at(&bench, "absent"));
    let hook = findings.iter().find(|finding| finding.what.contains("no-such-program-anywhere")).unwrap();
    assert_eq!((hook.severity, hook.board.as_deref()), (Severity::Wrong, Some("absent")));
    assert_eq!(wrong(&findings).len(), 2, "the probe and the hook: {findings:?}");

    let health = bench.health(bench.definitions.board("other").unwrap()).unwrap().unwrap();
    health.record(Event::Infra { reason: "SWD fault".to_owned() }).unwrap();
    fs::write(health.path(), [fs::read(health.path()).unwrap(), b"{\"torn".to_vec()].concat()).unwrap();
    let findings = bench.examine(&look_at(&bench, "other"));
    let notes = findings.iter().filter(|finding| finding.severity == Severity::Note);
    let notes: Vec<String> = notes.map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    note   other: suspect after an infra fault: SWD fault
           mend: look at its cable and power; `tinyfarm boards health other` checks it now
    note   other: 1 line of its history cannot be read, after a power cut or a full disk
           mend: nothing is to be done; `tinyfarm boards history other` shows the rest
    ");

    health.record(Event::CheckFailed { reason: "no answer".to_owned() }).unwrap();
    let findings = bench.examine(&look_at(&bench, "other"));
    assert!(wrong(&findings)[1].contains("its health check did not pass: no answer"), "{findings:?}");
}

#[test]
fn a_problem_of_this_machine_is_wrong_where_a_board_suffers_from_it() {
    let (folder, bench) = bench();
    let problem = |kind| Problem { kind, what: "what".to_owned(), mend: "mend".to_owned() };
    let environment =
        |kind| Environment { usb: false, probes: Vec::new(), ports: Vec::new(), problems: vec![problem(kind)] };
    let severity = |bench: &Bench, kind| bench.examine_host(&environment(kind)).pop().unwrap().severity;
    assert_eq!(severity(&bench, ProblemKind::NoUsb), Severity::Wrong);
    assert_eq!(severity(&bench, ProblemKind::PortHeld), Severity::Note, "no board has a serial port");
    let none = folder.path().join("none");
    fs::create_dir(&none).unwrap();
    let none = bench_of(folder.path(), &none);
    assert_eq!(severity(&none, ProblemKind::NoUsb), Severity::Note, "what is simulated needs none");
    assert_eq!(severity(&none, ProblemKind::ProbeDenied), Severity::Wrong);
}

#[test]
fn folders_that_cannot_be_used_are_wrong() {
    let (folder, bench) = bench();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let nothing = Environment { usb: true, probes: Vec::new(), ports: Vec::new(), problems: Vec::new() };
    assert_eq!(wrong(&bench.examine_host(&nothing)), [""; 0]);
    let bench = Bench { leases: Leases::new(&file), state: file.join("state"), ..bench };
    let findings = bench.examine_host(&nothing);
    let wrong = wrong(&findings);
    assert!(wrong.len() == 2 && wrong[0].contains("lease folder") && wrong[1].contains("state"), "{wrong:?}");
}

/// A board without a probe whose serial port is a pseudo-terminal; the board's end comes first.
fn with_port() -> (TempDir, Bench, fs::File) {
    let folder = tempfile::tempdir().unwrap();
    let controller = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&controller).unwrap();
    rustix::pty::unlockpt(&controller).unwrap();
    let name = rustix::pty::ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let link = folder.path().join("port");
    std::os::unix::fs::symlink(name, &link).unwrap();
    let boards = folder.path().join("boards");
    fs::create_dir(&boards).unwrap();
    let text = format!(
        "chip = \"STM32L4R5ZITx\"\nfirmware = \"own\"\nlink = \"serial\"\nserial = {{ path = \"{}\", baud = 9600 }}",
        link.display()
    );
    fs::write(boards.join("wired.toml"), text).unwrap();
    let bench = bench_of(folder.path(), &boards);
    (folder, bench, fs::File::from(controller))
}

async fn heard(said: &[u8]) -> Finding {
    let (_folder, bench, mut board) = with_port();
    let seen = look_at(&bench, "wired");
    assert!(matches!(seen.presence, Presence::Port { .. }), "{:?}", seen.presence);
    let said = said.to_vec();
    // Once it was asked: what came before the port was opened is thrown away.
    let speaks = tokio::task::spawn_blocking(move || {
        std::io::Read::read(&mut board, &mut [0; 64]).unwrap();
        board.write_all(&said).unwrap();
        board
    });
    let findings = bench.touch(&seen).await;
    drop(speaks.await.unwrap());
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_runner_behind_a_serial_port_is_heard() {
    let finding = heard(&Frame::new(Kind::Log, 0, *b"hello").encode()).await;
    assert_eq!(finding.severity, Severity::Fine, "{finding}");
}

#[tokio::test]
async fn what_makes_no_sense_points_at_the_baud_rate() {
    let finding = heard(b"\x00\xf8\x80\x00\xfe").await;
    assert_eq!(finding.severity, Severity::Wrong, "{finding}");
    assert!(finding.what.contains("at 9600 baud came 5 bytes that make no sense"), "{finding}");
    assert!(finding.mend.unwrap().contains("correct `baud`"));
}

#[tokio::test]
async fn silence_is_worth_a_note() {
    let finding = heard(b"").await;
    assert_eq!(finding.severity, Severity::Note, "{finding}");
}

#[tokio::test]
async fn a_board_that_another_process_has_is_not_touched() {
    let (_folder, bench, _board) = with_port();
    let seen = look_at(&bench, "wired");
    let _lease = bench.leases.take(&seen.identity, &Holder::this_process(None)).await.unwrap();
    let findings = bench.touch(&seen).await;
    assert!(matches!(&findings[..], [one] if one.severity == Severity::Note), "{findings:?}");
}
