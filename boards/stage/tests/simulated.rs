//! Jobs on simulated boards, over unmodified probe-rs: the emulator's evidence to the bit, and everything that goes wrong
//! on a bench with its right name.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use boards::{BoardOptions, Definition, Simulator, board::Board};
use common::{Lab, board, job, lab, lab_of, model, run, sine};
use emulators::{EmulatorOptions, machines};
use farm::{Availability, Clock, FarmEvent, Fault, Target, TargetError, TargetId};
use simulated_board::Command;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const KIND: &str = "sim-netduinoplus2";

fn bench(error: TargetError) -> String {
    let TargetError::Bench(reason) = error else { panic!("it is the bench's fault: {error:?}") };
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_world_brings_the_emulators_evidence_to_the_bit_and_the_instruction() {
    let options = EmulatorOptions::new(common::BUILDER.clone());
    let emulated = machines(&options).into_iter().find(|one| one.info().id.0 == "qemu:netduinoplus2").unwrap();
    let lab = lab(KIND, "", &[]);
    let model = model("hello_world");
    let job = job(&model, sine(40));
    let (expected, wanted, _) = run(&*emulated, &job).await.unwrap();

    assert!(matches!(lab.board.availability().await, Availability::Ready { .. }));
    let info = lab.board.info();
    assert!(info.simulated && info.clock == Clock::QemuInstructions, "{info:?}");
    let (handshake, found, log) = run(&*lab.board, &job).await.unwrap();
    assert_eq!(handshake, expected);
    assert_eq!(found, wanted);
    assert!(log.contains("runner and model were flashed"), "{log}");

    let news = lab.news.lock().unwrap().clone();
    let flashing: Vec<(u64, u64)> = news
        .iter()
        .filter_map(|event| match event {
            FarmEvent::Flashing { target, done, total } if *target == TargetId::from("one") => Some((*done, *total)),
            _ => None,
        })
        .collect();
    assert!(flashing.is_sorted() && flashing.len() > 2, "{flashing:?}");
    assert!(flashing.last().is_some_and(|(done, total)| done == total && *total > 100_000), "{flashing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_differs_is_flashed() {
    let lab = lab(KIND, "", &[]);
    let (hello, person) = (model("hello_world"), model("magic_wand"));
    run(&*lab.board, &job(&hello, sine(3))).await.unwrap();
    let (erased, programmed) = lab.written();
    assert!(erased >= programmed && programmed > 100_000, "{erased} {programmed}");

    let first = run(&*lab.board, &job(&hello, sine(3))).await.unwrap();
    assert_eq!(lab.written(), (0, 0), "{}", first.2);

    let inputs = vec![vec![0; person.input_bytes()]];
    run(&*lab.board, &job(&person, inputs)).await.unwrap();
    let (erased, programmed) = lab.written();
    let size = person.bytes().len() as u32;
    assert!(erased == 0x2_0000 && (size..size + 0x2000).contains(&programmed), "{erased} {programmed} of {size}");

    // Another process, another day: what lies there is found.
    let again = board(lab.folder.path(), KIND, "probe = \"SIM-1\"", &lab.news);
    let second = run(&*again, &job(&hello, sine(3))).await.unwrap();
    assert_eq!((first.0, first.1), (second.0, second.1));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chip_than_the_definitions_is_refused_before_the_first_write() {
    let lab = lab(KIND, "", &["wrong-chip"]);
    let reason = bench(run(&*lab.board, &job(&model("hello_world"), sine(3))).await.unwrap_err());
    assert!(reason.contains("is not one") && reason.contains("nothing was written"), "{reason}");
    assert_eq!(lab.written(), (0, 0));
    // Its number is no less its own.
    let other =
        board(lab.folder.path(), KIND, "probe = \"SIM-1\"\nunique_id.value = \"000000000000000000000000\"", &lab.news);
    let reason = bench(run(&*other, &job(&model("hello_world"), sine(3))).await.unwrap_err());
    assert!(reason.contains("its unique id is"), "{reason}");
    assert_eq!(lab.written(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockup_is_the_firmwares_fault_with_its_place() {
    let lab = lab(KIND, "", &["lockup"]);
    let error = run(&*lab.board, &job(&model("hello_world"), sine(300))).await.unwrap_err();
    assert_eq!(lab.shown(), ["lockup"]);
    let TargetError::Fault(Fault::HardFault { name, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(name, "lockup", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_fault_is_told_with_the_function() {
    let lab = lab(KIND, "", &["hardfault"]);
    let error = run(&*lab.board, &job(&model("hello_world"), sine(300))).await.unwrap_err();
    assert_eq!(lab.shown(), ["hardfault"]);
    let TargetError::Fault(Fault::HardFault { symbol, detail, .. }) = &error else { panic!("{error:?}") };
    assert!(symbol.is_some() || detail.contains("called from"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_is_told_with_the_place_where_the_core_was() {
    let lab = lab(KIND, "", &["hang"]);
    let mut job = job(&model("hello_world"), sine(300));
    job.timeouts.infer = Duration::from_secs(5);
    let error = run(&*lab.board, &job).await.unwrap_err();
    assert_eq!(lab.shown(), ["hang"]);
    let TargetError::Blocked(standing) = error else { panic!("{error:?}") };
    assert!(standing.contains("when no answer came the core was at pc 0x"), "{standing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_leaves_is_the_benchs_fault_and_the_next_job_is_served() {
    for fault in ["probe-leaves-running", "probe-leaves-flashing"] {
        let lab = lab(KIND, "", &[fault]);
        let job = job(&model("hello_world"), sine(300));
        let reason = bench(run(&*lab.board, &job).await.unwrap_err());
        assert!(reason.contains("the probe has left"), "{fault}: {reason}");
        assert_eq!(lab.shown(), [fault]);
        lab.simulated.command(Command::Plug).await.unwrap();
        served(&lab, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flash_that_reads_back_differently_is_the_benchs_fault_and_is_not_taken_for_whole() {
    let lab = lab(KIND, "", &["flash-verify"]);
    let job = job(&model("hello_world"), sine(3));
    let reason = bench(run(&*lab.board, &job).await.unwrap_err());
    assert!(reason.contains("verify"), "{reason}");
    served(&lab, "flash-verify").await;
}

/// The board does its work again, once the fault is over and the probe is back.
async fn served(lab: &Lab, after: &str) {
    let job = job(&model("hello_world"), sine(3));
    let mut outcome = Err(TargetError::Blocked("not tried".to_owned()));
    for _ in 0..50 {
        outcome = run(&*lab.board, &job).await;
        if outcome.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("after {after}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_is_not_attached_is_told_with_what_is() {
    let lab = lab(KIND, "", &[]);
    let absent = board(lab.folder.path(), KIND, "probe = \"SIM-7\"", &lab.news);
    let Availability::Absent { reason } = absent.availability().await else { panic!("it is not there") };
    assert!(reason.contains("SIM-7") && reason.contains("SIM-1"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_dropped_lets_go_of_the_probe() {
    let lab = lab(KIND, "", &[]);
    let job = job(&model("hello_world"), sine(3));
    lab.board.prepare().await.unwrap();
    let session = lab.board.open(&job).await.unwrap();
    drop(session);
    served(&lab, "a dropped session").await;
    // In the middle of opening, too.
    let opening = tokio::time::timeout(Duration::from_millis(30), lab.board.open(&job)).await;
    drop(opening);
    served(&lab, "a dropped opening").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_serial_port_the_evidence_is_the_same() {
    let lab = lab(KIND, "link = \"serial\"\nserial = { path = \"UART\", baud = 1000000 }", &[]);
    let job = job(&model("hello_world"), sine(20));
    let by_rtt = board(lab.folder.path(), KIND, "probe = \"SIM-1\"", &lab.news);
    let (_, wanted, _) = run(&*by_rtt, &job).await.unwrap();
    let (_, found, log) = run(&*lab.board, &job).await.unwrap();
    assert_eq!(found, wanted);
    assert!(log.contains("nothing was flashed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_disturbed_for_a_moment_costs_no_job_or_is_the_benchs_fault() {
    for fault in ["swd-fault", "swd-wait"] {
        let lab = lab(KIND, "", &[fault]);
        let job = job(&model("hello_world"), sine(3));
        if let Err(error) = run(&*lab.board, &job).await {
            bench(error);
        }
        assert_eq!(lab.shown(), [fault]);
        served(&lab, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_hangs_until_its_power_is_cycled_is_cycled_and_serves_again() {
    let lab = lab(KIND, "", &["needs-power-cycle"]);
    let job = job(&model("hello_world"), sine(3));
    // As the hook would do it.
    let reason = bench(run(&*lab.board, &job).await.unwrap_err());
    assert!(reason.contains("could not") || reason.contains("did not answer"), "{reason}");
    lab.simulated.command(Command::PowerCycle).await.unwrap();
    served(&lab, "a power cycle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_in_ram_brings_the_same_outputs_and_writes_no_flash() {
    let lab = lab_of(
        "mps2-an386",
        "chip = \"sim-mps2-an386\"\nsimulated = \"mps2-an386\"\nrun_from = \"ram\"\nclock_hz = 25_000_000\ncore = \"Cortex-M4F\"",
        &[],
    );
    let job = job(&model("hello_world"), sine(20));
    let flashed = common::lab(KIND, "", &[]);
    let (_, wanted, _) = run(&*flashed.board, &job).await.unwrap();
    let outputs = |inferences: Vec<farm::Inference>| inferences.into_iter().map(|one| one.output).collect::<Vec<_>>();
    let wanted = outputs(wanted);
    for _ in 0..2 {
        let (_, found, log) = run(&*lab.board, &job).await.unwrap();
        assert_eq!(outputs(found), wanted, "{log}");
    }
    assert_eq!(lab.written(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_of_ones_own_is_asked_over_its_port_and_must_hold_the_model() {
    let serial = "serial = { path = \"UART\", baud = 1000000 }";
    let lab = lab(KIND, &format!("link = \"serial\"\n{serial}"), &[]);
    let job = job(&model("hello_world"), sine(5));
    // Somebody else has flashed and started it.
    let (_, wanted, _) = run(&*lab.board, &job).await.unwrap();
    let own = "chip = \"STM32F405RGTx\"\nfirmware = \"own\"\nlink = \"serial\"\nreset = { command = [\"true\"] }";
    let own = common::board_of(lab.folder.path(), &lab.with_uart(&format!("{own}\n{serial}")), &lab.news);
    assert!(matches!(own.availability().await, Availability::Ready { .. }));
    let (handshake, found, _) = run(&*own, &job).await.unwrap();
    assert!(matches!(handshake.clock, Clock::BoardTimer { hz } if hz > 0), "{:?}", handshake.clock);
    let outputs = |inferences: Vec<farm::Inference>| inferences.into_iter().map(|one| one.output).collect::<Vec<_>>();
    assert_eq!(outputs(found), outputs(wanted));

    let other = model("magic_wand");
    let other = common::job(&other, vec![vec![0; other.input_bytes()]]);
    let TargetError::Blocked(reason) = run(&*own, &other).await.unwrap_err() else { panic!("it cannot be tried") };
    assert!(reason.contains("the firmware holds another model and takes none: build it with magic_wand"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_fails_again_and_again_is_reset_checked_and_goes_on() {
    let lab = lab(KIND, "", &[]);
    let job = job(&model("hello_world"), sine(3));
    for _ in 0..3 {
        let fault = Command::Fault { fault: simulated_board::Fault::FlashVerify, times: 1 };
        lab.simulated.command(fault).await.unwrap();
        bench(run(&*lab.board, &job).await.unwrap_err());
    }
    let told = || {
        let health = |event: &FarmEvent| match event {
            FarmEvent::BenchHealth { state, .. } => Some(state.clone()),
            _ => None,
        };
        lab.news.lock().unwrap().iter().filter_map(health).collect::<Vec<_>>()
    };
    assert_eq!(told(), ["suspect", "suspect", "suspect", "recovering", "healthy"]);
    run(&*lab.board, &job).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_on_the_board_and_is_not_what_its_mark_says_is_flashed_again() {
    let Lab { board, simulated, folder, .. } = lab(KIND, "", &[]);
    let job = job(&model("hello_world"), sine(3));
    let first = run(&*board, &job).await.unwrap();
    drop(simulated);
    let flash = folder.path().join("bench/SIM-1.flash");
    // The runner has the word among its constants, too.
    let model_at = |bytes: &[u8]| bytes.windows(4).rposition(|word| word == b"TFMI").unwrap();
    for what in ["weights", "code"] {
        let mut bytes = std::fs::read(&flash).unwrap();
        let model = model_at(&bytes);
        if what == "weights" {
            bytes[model + 64 + 1000] ^= 0xFF;
        } else {
            // From its first instructions on, but for its digest.
            let digest = first.0.runner_digest.as_bytes();
            let digest = bytes.windows(64).position(|text| text == digest).unwrap();
            let code = (0x200..model.min(0x1_0000)).filter(|at| !(digest..digest + 64).contains(at));
            code.for_each(|at| bytes[at] = 0);
        }
        std::fs::write(&flash, bytes).unwrap();
        let (simulated, _events) = common::play("netduinoplus2", &folder.path().join("bench"), &[]);
        let again = run(&*board, &job).await.unwrap();
        assert_eq!((&again.0, &again.1), (&first.0, &first.1));
        assert!(again.2.contains("runner and model were flashed"), "{}", again.2);
        drop(simulated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_on_a_serial_port_is_the_benchs_fault_and_the_next_job_is_served() {
    for fault in ["uart-garbage", "uart-stops", "uart-renamed"] {
        let lab = lab(KIND, "link = \"serial\"\nserial = { path = \"UART\", baud = 1000000 }", &[fault]);
        let mut job = job(&model("hello_world"), sine(100));
        (job.timeouts.open, job.timeouts.infer) = (Duration::from_secs(20), Duration::from_secs(10));
        if let Err(error) = run(&*lab.board, &job).await {
            bench(error);
        }
        assert_eq!(lab.shown(), [fault]);
        served(&lab, fault).await;
    }
}

/// Plays boards as the program does; the first that it starts is out of order.
struct Plays {
    bench: PathBuf,
    started: AtomicUsize,
}

#[async_trait::async_trait]
impl Simulator for Plays {
    async fn availability(&self, _: &Definition) -> Availability {
        Availability::Ready { tool: "a test".to_owned() }
    }

    async fn start(&self, _: &Definition) -> Result<boards::SimulatedBoard, TargetError> {
        let first = self.started.fetch_add(1, Ordering::SeqCst) == 0;
        let (board, events) =
            common::play("netduinoplus2", &self.bench, if first { &["needs-power-cycle"] } else { &[] });
        let selector = board.record().selector.clone();
        // An `mpsc::Receiver` is not `Sync`.
        Ok(boards::SimulatedBoard { selector, uart: None, guard: Box::new((board, std::sync::Mutex::new(events))) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_the_farm_plays_itself_is_started_anew_after_the_bench_has_failed() {
    let folder = boards::sockets::folder("tinyfarm-lab-").unwrap();
    let plays = Arc::new(Plays { bench: folder.path().join("bench"), started: AtomicUsize::new(0) });
    let shared = board(folder.path(), KIND, "", &Arc::default());
    let options = BoardOptions { simulator: Some(plays.clone()), ..shared.options().as_ref().clone() };
    let played = Board::new(shared.definition().clone(), Arc::new(options)).unwrap();
    let job = job(&model("hello_world"), sine(3));
    bench(run(&played, &job).await.unwrap_err());
    for _ in 0..2 {
        run(&played, &job).await.unwrap();
    }
    assert_eq!(plays.started.load(Ordering::SeqCst), 2, "one that works is kept");
    played.shutdown().await;
}
