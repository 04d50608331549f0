//! A real probe-rs drives a real QEMU: attaching, flashing, running, halting.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Board, LONG, hear, say, verified};
use probe_rs::{
    BreakpointCause, Core, CoreStatus, HaltReason, MemoryInterface, RegisterId, RegisterValue,
    semihosting::SemihostingCommand,
};
use simulated_board::{Event, chips};

const MACHINES: [&str; 3] = ["netduinoplus2", "mps2-an385", "mps2-an386"];

fn register(core: &mut Core, number: u16) -> u32 {
    core.read_core_reg::<u32>(RegisterId(number)).unwrap()
}

fn set_register(core: &mut Core, number: u16, value: u32) {
    core.write_core_reg(RegisterId(number), RegisterValue::U32(value)).unwrap();
}

#[test]
fn flashing_is_verified_on_every_machine_and_touches_only_its_sectors() {
    for machine in MACHINES {
        let board = Board::new(machine, &[]);
        let mut session = board.attach().unwrap();
        let flash: u64 = board.chip.flash.into();
        let data: Vec<u8> = (0..64u32 << 10).map(|n| (n ^ n >> 7) as u8).collect();
        let mut loader = session.target().flash_loader();
        loader.add_data(flash, &data).unwrap();
        loader.add_data(flash + 0x2_0000, b"behind").unwrap();
        loader.commit(&mut session, verified()).unwrap();
        let mut core = session.core(0).unwrap();
        let mut read = vec![0; data.len()];
        core.read(flash, &mut read).unwrap();
        assert!(read == data, "{machine}");
        let mut read = [0; 8];
        core.read(flash + 0x2_0000, &mut read).unwrap();
        assert_eq!(&read, b"behind\xFF\xFF");
        let happened = board.happened();
        let programmed = |event: &&Event| matches!(event, Event::Programmed { .. });
        assert_eq!(happened.iter().filter(programmed).count(), 17, "{machine}");
        // The first 64 KiB are four sectors of 16 KiB here, and sixteen of 4 KiB there; what is behind is another one.
        let erased = happened.iter().filter(|event| matches!(event, Event::Erased { .. })).count();
        assert_eq!(erased, if machine == "netduinoplus2" { 5 } else { 17 });
    }
}

#[test]
fn firmware_runs_and_talks_over_rtt_on_every_machine() {
    for machine in MACHINES {
        let board = Board::new(machine, &[]);
        let mut session = board.attach().unwrap();
        board.start_firmware(&mut session);
        let mut core = session.core(0).unwrap();
        let mut rtt = board.rtt(&mut core);
        assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
        for _ in 0..20 {
            say(&mut rtt, &mut core, b"abc");
            assert_eq!(hear(&mut rtt, &mut core, 3), "bcd");
        }
        // More than any of the buffers holds, in both directions.
        let many = "tinyfarm".repeat(200);
        let answer: String = many.bytes().map(|byte| char::from(byte + 1)).collect();
        let mut heard = String::new();
        for piece in many.as_bytes().chunks(40) {
            say(&mut rtt, &mut core, piece);
            heard += &hear(&mut rtt, &mut core, piece.len());
        }
        assert_eq!(heard, answer);
        assert_eq!(core.status().unwrap(), CoreStatus::Running);
    }
}

#[test]
fn what_the_debugger_leaves_in_ram_after_a_reset_is_there_when_the_firmware_starts() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    board.flash_firmware(&mut session).unwrap();
    let mut core = session.core(0).unwrap();
    let halted = core.reset_and_halt(LONG).unwrap();
    let mut reset_vector = [0];
    core.read_32(u64::from(board.chip.flash) + 4, &mut reset_vector).unwrap();
    assert_eq!(halted.pc, u64::from(reset_vector[0] & !1));
    core.write_word_32(u64::from(board.chip.ram.start) + 0x100, 0x3154_5452).unwrap();
    core.run().unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "asked");
}

#[test]
fn registers_can_be_read_and_written_the_special_ones_too() {
    for machine in MACHINES {
        let board = Board::new(machine, &[]);
        let mut session = board.attach().unwrap();
        board.flash_firmware(&mut session).unwrap();
        let mut core = session.core(0).unwrap();
        let pc = core.reset_and_halt(LONG).unwrap().pc;
        for number in (0..=12).chain([14]) {
            set_register(&mut core, number, 0x1000_0000 + u32::from(number));
        }
        let psp = board.chip.ram.start + 0x800;
        set_register(&mut core, 18, psp);
        for number in (0..=12).chain([14]) {
            assert_eq!(register(&mut core, number), 0x1000_0000 + u32::from(number));
        }
        assert_eq!(u64::from(register(&mut core, 15)), pc);
        assert_eq!(register(&mut core, 17), register(&mut core, 13));
        assert_eq!(register(&mut core, 18), psp);
        // PRIMASK is the low byte of the masks.
        set_register(&mut core, 20, 1);
        assert_eq!(register(&mut core, 20), 1);
        if machine != "mps2-an385" {
            assert!(core.fpu_support().unwrap());
            // CPACR: the unit is switched on.
            core.write_word_32(0xE000_ED88, 0xF << 20).unwrap();
            set_register(&mut core, 64 + 5, 0x4049_0FDB);
            assert_eq!(register(&mut core, 64 + 5), 0x4049_0FDB);
            assert_eq!(register(&mut core, 64 + 4), 0);
        }
        assert_eq!(u64::from(register(&mut core, 15)), pc);
    }
}

#[test]
fn peripherals_are_written_as_the_core_writes_them() {
    let board = Board::new("mps2-an386", &[]);
    let mut session = board.attach().unwrap();
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LONG).unwrap();
    // VTOR, and SysTick's reload value.
    for (address, value) in [(0xE000_ED08, 0x2000_0000), (0xE000_E014, 0x1234)] {
        core.write_word_32(address, value).unwrap();
        assert_eq!(core.read_word_32(address).unwrap(), value);
    }
}

#[test]
fn a_program_in_ram_halts_at_its_breakpoints_and_semihosting_is_seen() {
    let board = Board::new("mps2-an385", &[]);
    let mut session = board.attach().unwrap();
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LONG).unwrap();
    let code: [u16; 8] = [
        0x2018, // movs r0, #0x18 (SYS_EXIT)
        0x4901, // ldr r1, [pc, #4]
        0xBE00, // bkpt 0
        0xBEAB, // bkpt 0xAB
        0x0026, 0x0002, // ADP_Stopped_ApplicationExit
        0xE7FE, 0xE7FE,
    ];
    let at = board.chip.ram.start + 0x400;
    core.write_16(at.into(), &code).unwrap();
    set_register(&mut core, 15, at);
    core.run().unwrap();
    core.wait_for_core_halted(LONG).unwrap();
    assert_eq!(register(&mut core, 15), at + 4);
    assert_eq!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Breakpoint(BreakpointCause::Unknown)));
    // Its step leaves a breakpoint behind.
    core.run().unwrap();
    core.wait_for_core_halted(LONG).unwrap();
    assert_eq!(register(&mut core, 15), at + 6);
    let status = core.status().unwrap();
    assert!(
        matches!(
            status,
            CoreStatus::Halted(HaltReason::Breakpoint(BreakpointCause::Semihosting(SemihostingCommand::ExitSuccess)))
        ),
        "{status:?}"
    );
}

#[test]
fn breakpoints_in_flash_halt_the_firmware_each_time() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    board.flash_firmware(&mut session).unwrap();
    let mut core = session.core(0).unwrap();
    let start = core.reset_and_halt(LONG).unwrap().pc;
    assert_eq!(core.available_breakpoint_units().unwrap(), 6);
    let next = core.step().unwrap().pc;
    assert!(next > start && next <= start + 4);
    core.reset_and_halt(LONG).unwrap();
    core.set_hw_breakpoint(next).unwrap();
    core.run().unwrap();
    core.wait_for_core_halted(LONG).unwrap();
    assert_eq!(u64::from(register(&mut core, 15)), next);
    core.clear_hw_breakpoint(next).unwrap();
    core.run().unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
}

#[test]
fn a_breakpoint_that_is_set_while_the_firmware_runs_halts_it_and_is_the_reason() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
    // Somewhere in the loop in which it polls.
    let at = core.halt(LONG).unwrap().pc;
    for _ in 0..20 {
        core.run().unwrap();
        core.set_hw_breakpoint(at).unwrap();
        // Accesses, in one of which it comes to the breakpoint.
        while core.read_word_32(board.chip.ram.start.into()).is_ok() && !core.core_halted().unwrap() {}
        assert_eq!(u64::from(register(&mut core, 15)), at);
        let status = core.status().unwrap();
        assert!(matches!(status, CoreStatus::Halted(HaltReason::Breakpoint(_))), "{status:?}");
        core.clear_hw_breakpoint(at).unwrap();
    }
    core.run().unwrap();
    say(&mut rtt, &mut core, b"a");
    assert_eq!(hear(&mut rtt, &mut core, 1), "b");
}

#[test]
fn a_step_to_sleep_ends_and_a_reset_wakes_the_core() {
    let board = Board::new("netduinoplus2", &[]);
    let mut session = board.attach().unwrap();
    {
        let mut core = session.core(0).unwrap();
        core.reset_and_halt(LONG).unwrap();
        let at = board.chip.ram.start + 0x400;
        // wfi, and b to itself.
        core.write_16(at.into(), &[0xBF30, 0xE7FE]).unwrap();
        set_register(&mut core, 15, at);
        for _ in 0..2 {
            assert_eq!(core.step().unwrap().pc, u64::from(at) + 2);
        }
    }
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
}

#[test]
fn the_chip_says_who_it_is_and_that_it_is_simulated() {
    for machine in MACHINES {
        let board = Board::new(machine, &[]);
        let mut session = board.attach().unwrap();
        let mut core = session.core(0).unwrap();
        let mut word = |address: u32| core.read_word_32(address.into()).unwrap();
        assert_eq!(word(chips::SIMULATED_AT), chips::SIMULATED);
        assert_eq!(word(0xE000_ED00), board.chip.cpuid);
        let id: String = (0..3)
            .flat_map(|n| word(chips::UNIQUE_ID + 4 * n).to_le_bytes())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(id, board.board.record().unique_id);
        match machine {
            "netduinoplus2" => assert_eq!(word(chips::DBGMCU_IDCODE) & 0xFFF, 0x413),
            "mps2-an385" => assert_eq!(word(0x4002_FFFC), 0x4104_3850),
            _ => assert_eq!(word(0x4002_FFFC), 0x4104_3860),
        }
    }
}

#[test]
fn where_there_is_nothing_the_debugger_is_told_so_and_can_go_on() {
    let board = Board::new("netduinoplus2", &[]);
    {
        let mut session = board.attach().unwrap();
        let mut core = session.core(0).unwrap();
        core.read_word_32(0x6000_0000).unwrap_err();
    }
    let mut session = board.attach().unwrap();
    session.core(0).unwrap().read_word_32(board.chip.flash.into()).unwrap();
}

#[test]
fn flash_outlives_the_power_and_the_board() {
    let board = Board::new("mps2-an386", &[]);
    let mut session = board.attach().unwrap();
    board.flash_firmware(&mut session).unwrap();
    drop(session);
    let Board { board, folder, .. } = board;
    drop(board);
    let board = Board::of(folder, "mps2-an386", &[]);
    let mut session = board.attach().unwrap();
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
}

#[test]
fn a_debugger_that_leaves_while_it_flashes_leaves_a_board_that_can_be_flashed() {
    let board = Board::new("netduinoplus2", &["probe-leaves-flashing"]);
    let mut session = board.attach().unwrap();
    let mut loader = session.target().flash_loader();
    loader.add_data(board.chip.flash.into(), &vec![0x5A; 64 << 10]).unwrap();
    loader.commit(&mut session, verified()).unwrap_err();
    drop(session);
    board.wait_for(&Event::Plugged);
    let mut session = board.attach().unwrap();
    board.start_firmware(&mut session);
    let mut core = session.core(0).unwrap();
    let mut rtt = board.rtt(&mut core);
    assert_eq!(hear(&mut rtt, &mut core, 5), "hello");
}
