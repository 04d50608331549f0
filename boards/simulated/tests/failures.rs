//! What goes wrong on benches, as a real probe-rs sees it on a simulated board, and that it is over afterwards.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Board, LONG, hear, say, verified};
use probe_rs::{Core, CoreStatus, MemoryInterface, RegisterId, flashing::FlashError};
use simulated_board::{Command, Event, Fault, chips};
use std::time::Instant;

fn register(core: &mut Core, number: u16) -> u32 {
    core.read_core_reg::<u32>(RegisterId(number)).unwrap()
}

fn wait_until_locked_up(core: &mut Core) {
    let begin = Instant::now();
    while core.status().unwrap() != CoreStatus::LockedUp {
        assert!(begin.elapsed() < LONG);
    }
}

/// How the runner's frames HELLO and PREPARE begin, and INFER, with which firmware is at work.
const WORK: [&[u8]; 3] = [b"\xA5\x5A\x01\x01....", b"\xA5\x5A\x01\x03....", b"\xA5\x5A\x01\x04...."];

fn firmware_at_work(board: &Board, core: &mut Core) -> probe_rs::rtt::Rtt {
    let mut rtt = board.rtt(core);
    assert_eq!(hear(&mut rtt, core, 5), "hello");
    for message in &WORK[..2] {
        say(&mut rtt, core, message);
        hear(&mut rtt, core, message.len());
    }
    rtt
}

fn assert_it_works(board: &Board) {
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = firmware_at_work(board, &mut core);
    say(&mut rtt, &mut core, WORK[2]);
    assert_eq!(hear(&mut rtt, &mut core, 8), "\u{a6}[\u{2}\u{5}////");
}

#[test]
fn an_erased_chip_is_locked_up_and_can_be_flashed() {
    for machine in ["netduinoplus2", "mps2-an385"] {
        let board = Board::new(machine, &[]);
        board.wait_for(&Event::LockedUp);
        let mut session = board.attach().unwrap();
        let mut core = session.core(0).unwrap();
        assert_eq!(core.status().unwrap(), CoreStatus::LockedUp);
        core.halt(LONG).unwrap();
        assert_eq!(register(&mut core, 15), 0xFFFF_FFFE);
        drop(core);
        drop(session);
        assert_it_works(&board);
    }
}

#[test]
fn a_lockup_is_seen_with_its_registers_and_a_reset_ends_it() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
    board.happened();
    say(&mut rtt, &mut core, b"L");
    wait_until_locked_up(&mut core);
    board.wait_for(&Event::LockedUp);
    core.halt(LONG).unwrap();
    let flash = board.chip.flash..board.chip.flash + 0x400;
    assert!(flash.contains(&register(&mut core, 15)), "{:#x}", register(&mut core, 15));
    assert!(board.chip.ram.contains(&register(&mut core, 13)));
    // Flash is read as ever, though QEMU is gone; what RAM held is lost.
    let mut vectors = [0; 2];
    core.read_32(flash.start.into(), &mut vectors).unwrap();
    assert!(flash.contains(&vectors[1]));
    core.run().unwrap();
    wait_until_locked_up(&mut core);
    core.reset().unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
}

#[test]
fn a_fault_that_the_firmware_handles_is_told_by_the_firmware() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    say(&mut rtt, &mut core, b"F");
    assert_eq!(hear(&mut rtt, &mut core, 10), "hellofault");
}

#[test]
fn a_breakpoint_that_no_debugger_waits_for_is_a_fault() {
    let board = Board::new("mps2-an385", &[]);
    {
        let mut session = board.attach().unwrap();
        board.flash_firmware(&mut session).unwrap();
        let mut core = session.core(0).unwrap();
        core.reset_and_halt(LONG).unwrap();
        let code = board.chip.ram.start + 0x800;
        core.write_16(code.into(), &[0xBF00, 0xBE00, 0xE7FE]).unwrap();
        core.write_core_reg(RegisterId(15), code).unwrap();
    }
    let mut session = board.attach().unwrap();
    let mut core = session.core(0).unwrap();
    // Its handler says so; RTT was not set up, so that it waits there.
    let begin = Instant::now();
    let flash = board.chip.flash..board.chip.flash + 0x400;
    while !flash.contains(&(core.halt(LONG).unwrap().pc as u32)) {
        assert!(begin.elapsed() < LONG);
        core.run().unwrap();
    }
    // xPSR: in the HardFault's handler.
    assert_eq!(register(&mut core, 16) & 0x1FF, 3);
}

#[test]
fn a_reset_by_the_firmware_itself_is_noticed() {
    let board = Board::new("mps2-an385", &[]);
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
    board.happened();
    say(&mut rtt, &mut core, b"R");
    let begin = Instant::now();
    // DHCSR.S_RESET_ST
    while core.read_word_32(0xE000_EDF0).unwrap() & 1 << 25 == 0 {
        assert!(begin.elapsed() < LONG);
    }
    board.wait_for(&Event::Reset);
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
}

#[test]
fn a_cell_that_reads_back_differently_fails_the_verification_until_it_is_flashed_again() {
    let board = Board::new("mps2-an386", &["flash-verify=2"]);
    let mut session = board.attach().unwrap();
    for _ in 0..2 {
        // More than one piece, of which one is enough.
        let mut loader = session.target().flash_loader();
        loader.add_data(board.chip.flash.into(), &[0x5A; 0x3000]).unwrap();
        let error = loader.commit(&mut session, verified()).unwrap_err();
        assert!(matches!(error, FlashError::Verify), "{error:?}");
    }
    drop(session);
    assert_it_works(&board);
}

#[test]
fn a_debug_port_that_refuses_or_waits_does_so_until_it_is_told_to_give_up() {
    for fault in ["swd-fault", "swd-wait"] {
        let board = Board::new("netduinoplus2", &[fault]);
        assert!(board.attach().and_then(|mut session| session.core(0)?.status()).is_err(), "{fault}");
        assert_it_works(&board);
    }
}

#[test]
fn another_chip_is_another_chip_for_one_connection() {
    for machine in ["netduinoplus2", "mps2-an386"] {
        let board = Board::new(machine, &["wrong-chip"]);
        let word = |address: u32| {
            let mut session = board.attach().unwrap();
            session.core(0).unwrap().read_word_32(address.into()).unwrap()
        };
        let place = if machine == "netduinoplus2" { chips::DBGMCU_IDCODE } else { 0x4002_FFFC };
        let wrong = word(place);
        let right = word(place);
        assert_ne!(wrong, right);
        assert_eq!(word(place), right);
        assert_eq!(word(0xE000_ED00), board.chip.cpuid);
    }
}

#[test]
fn firmware_at_work_locks_up_hangs_or_faults_when_that_is_planned() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    for fault in [Fault::Lockup, Fault::Hang, Fault::HardFault] {
        board.board.faults().add(fault, 2);
        board.start_firmware(&mut session);
        let mut core = session.core(0).unwrap();
        let mut rtt = firmware_at_work(&board, &mut core);
        // Not during the handshake, and once until the next reset.
        assert_eq!(board.board.faults().pending(fault), 2);
        say(&mut rtt, &mut core, WORK[2]);
        assert_eq!(board.board.faults().pending(fault), 1);
        match fault {
            Fault::Lockup => wait_until_locked_up(&mut core),
            Fault::Hang => {
                assert_eq!(core.status().unwrap(), CoreStatus::Running);
                assert_eq!(rtt.up_channel(0).unwrap().read(&mut core, &mut [0; 16]).unwrap(), 0);
            }
            _ => assert_eq!(hear(&mut rtt, &mut core, 5), "fault"),
        }
        let pc = core.halt(LONG).unwrap().pc as u32;
        assert!((board.chip.flash..board.chip.flash + 0x400).contains(&pc), "{pc:#x}");
        assert_eq!(board.board.faults().pending(fault), 1);
        assert!(board.board.faults().take(fault));
    }
    drop(session);
    assert_it_works(&board);
}

#[test]
fn a_probe_that_leaves_while_the_firmware_works_comes_back() {
    let board = Board::new("mps2-an385", &["probe-leaves-running"]);
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    {
        let mut core = session.core(0).unwrap();
        let mut rtt = firmware_at_work(&board, &mut core);
        let down = rtt.down_channel(0).unwrap();
        assert!(down.write(&mut core, WORK[2]).is_err());
    }
    drop(session);
    board.wait_for(&Event::Plugged);
    assert_it_works(&board);
}

#[test]
fn a_board_that_is_slow_still_works() {
    let board = Board::new("mps2-an385", &["slow"]);
    assert_it_works(&board);
    assert_eq!(board.board.faults().pending(Fault::Slow), 0);
}

#[tokio::test]
async fn only_power_wakes_a_board_that_needs_it() {
    let board = Board::new("netduinoplus2", &[]);
    assert_it_works(&board);
    board.board.faults().add(Fault::NeedsPowerCycle, 1);
    assert!(board.attach().is_err());
    board.board.command(Command::PowerCycle).await.unwrap();
    let mut session = board.attach().unwrap();
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
    drop(core);
    let mut loader = session.target().flash_loader();
    loader.add_data(board.chip.flash.into(), &[1; 64]).unwrap();
    loader.commit(&mut session, verified()).unwrap();
}
