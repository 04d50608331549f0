//! What keeps a board from harm, and the farm from taking one for another: nothing is written to a board that is not the
//! one that is meant, whoever writes; and nobody has a board while somebody is still at it.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use boards::{
    BoardOptions,
    board::Board,
    definition::{Definition, Definitions, Hook, Runner},
    health::{Event, Health, State},
    lease::{self, Holder, Leases},
    sockets,
};
use common::{Lab, board, board_of, job, lab, model, run, sine};
use farm::{Target, TargetError};
use simulated_board::{Events, Options, SimulatedBoard};
use std::{fs, os::unix::net::UnixListener, path::Path, sync::Arc, time::Duration};

const KIND: &str = "sim-netduinoplus2";

fn bench(error: TargetError) -> String {
    let TargetError::Bench(reason) = error else { panic!("it is the bench's fault: {error:?}") };
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_board_is_known_for_one_by_whichever_socket_it_is_reached() {
    let folder = sockets::folder("tinyfarm-lab-").unwrap();
    let (hear, events) = Events::channel();
    let bench_folder = folder.path().join("bench");
    let options =
        Options { tcp: Some(0), events: hear, ..Options::new("netduinoplus2", "SIM-1", "place-1", bench_folder) };
    let simulated = SimulatedBoard::start(options).unwrap();
    let selectors =
        [simulated.record().selector.clone(), format!("20b7:9db1:tcp:127.0.0.1:{}", simulated.tcp().unwrap())];
    let job = job(&model("hello_world"), sine(3));
    for selector in &selectors {
        let probe = format!("probe = \"{selector}\"");
        let liar = board_of(folder.path(), &format!("chip = \"STM32F405RGTx\"\n{probe}"), &Arc::default());
        assert!(!liar.info().simulated);
        let reason = bench(run(&*liar, &job).await.unwrap_err());
        assert!(reason.contains("it is a simulated board, and its definition does not say so"), "{reason}");
    }
    let written = |event: &simulated_board::Event| {
        matches!(event, simulated_board::Event::Erased { .. } | simulated_board::Event::Programmed { .. })
    };
    assert!(!events.try_iter().any(|event| written(&event)));
    for selector in &selectors {
        run(&*board(folder.path(), KIND, &format!("probe = \"{selector}\""), &Arc::default()), &job).await.unwrap();
    }
}

/// The lab's board with firmware of the user's own on it, which `command` flashes.
fn own(lab: &Lab, command: &[&str]) -> Board {
    let options = lab.board.options().clone();
    let flash = Hook {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        folder: lab.folder.path().to_owned(),
        timeout: Duration::from_secs(60),
    };
    let definition = Definition { firmware: Runner::Own, flash: Some(flash), ..lab.board.definition().clone() };
    Board::new(definition, options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_of_ones_own_is_flashed_to_the_board_that_is_meant_and_to_no_other() {
    let serial = "link = \"serial\"\nserial = { path = \"UART\", baud = 1000000 }";
    let lab = lab(KIND, serial, &["wrong-chip"]);
    let job = job(&model("hello_world"), sine(5));
    let (own, flashed) = (own(&lab, &["touch", "flashed"]), lab.folder.path().join("flashed"));
    let reason = bench(run(&own, &job).await.unwrap_err());
    assert!(reason.contains("is not one") && !flashed.exists(), "{reason}");
    // Now it is the right one. What the command would have written, the farm writes.
    let (_, wanted, _) = run(&*lab.board, &job).await.unwrap();
    let (_, found, _) = run(&own, &job).await.unwrap();
    assert!(flashed.exists());
    let outputs = |inferences: Vec<farm::Inference>| inferences.into_iter().map(|one| one.output).collect::<Vec<_>>();
    assert_eq!(outputs(found), outputs(wanted));
}

fn health(folder: &Path, board: &Board) -> Health {
    let identity = lease::identity(board.definition(), &folder.join("bench"));
    Health::open(&folder.join("state"), &identity).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_given_up_leaves_the_board_to_nobody_until_the_thread_at_its_probe_is_over() {
    let folder = sockets::folder("tinyfarm-lab-").unwrap();
    let socket = folder.path().join("silent");
    let silent = UnixListener::bind(&socket).unwrap();
    let board =
        board(folder.path(), KIND, &format!("probe = \"20b7:9db1:unix:{}\"", socket.display()), &Arc::default());
    for _ in 0..3 {
        health(folder.path(), &board).record(Event::Infra { reason: "a test".to_owned() }).unwrap();
    }
    // It is reset before it is given to anybody, by a probe that never answers.
    let reserving = tokio::spawn({
        let board = board.clone();
        async move { board.reserve().await.map(|_| ()) }
    });
    let (connection, silent) = tokio::task::spawn_blocking(move || (silent.accept().unwrap().0, silent)).await.unwrap();
    reserving.abort();
    assert!(reserving.await.unwrap_err().is_cancelled());
    let leases = Leases::new(folder.path().join("leases"));
    let identity = lease::identity(board.definition(), &folder.path().join("bench"));
    let holder = Holder::this_process(None);
    assert!(leases.try_take(&identity, &holder).unwrap().is_none(), "a thread is still at its probe");
    drop((connection, silent));
    tokio::time::timeout(Duration::from_secs(60), leases.take(&identity, &holder)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_is_not_there_is_neither_well_nor_ill() {
    let folder = tempfile::tempdir().unwrap();
    let absent = board(folder.path(), KIND, "probe = \"SIM-7\"", &Arc::default());
    let TargetError::Blocked(reason) = absent.check_now().await.unwrap_err() else { panic!("it could not be tried") };
    assert!(reason.contains("no probe \"SIM-7\" is attached"), "{reason}");
    let history = health(folder.path(), &absent).history().unwrap();
    assert_eq!((history.state(), history.records.len()), (State::Healthy, 0));
}

#[test]
fn one_probe_is_one_board_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (one, other) in
        [("066BFF31", "0483:374b:066BFF31"), ("0483:374B", "0483:374b:"), ("DC:DA:0C:D3", "303a:1001:DC:DA:0C:D3")]
    {
        for (name, probe) in [("one", one), ("other", other)] {
            let text = format!("kind = \"nucleo-l4r5zi\"\nprobe = \"{probe}\"\n");
            fs::write(folder.path().join(name).with_extension("toml"), text).unwrap();
        }
        let error = Definitions::load(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`other` has the same `probe` as `one`"), "{one} {other}: {error}");
    }
}

#[tokio::test]
async fn who_waits_for_the_board_that_this_run_looks_after_is_not_told_to_wait_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let own = board(folder.path(), KIND, "probe = \"SIM-1\"", &Arc::default());
    assert_eq!(own.held_by().await, None);
    let _held = own.hold().await.unwrap();
    assert_eq!(own.held_by().await.unwrap(), "this run, which looks after the board first");
    let other = BoardOptions { run: Some("another".to_owned()), ..own.options().as_ref().clone() };
    let other = Board::new(own.definition().clone(), Arc::new(other)).unwrap();
    assert!(other.held_by().await.unwrap().contains(&format!("process {}", std::process::id())));
}
