//! The client, with a stub that plays a script.
#![allow(clippy::unwrap_used)]
use super::*;
use std::thread::{self, JoinHandle};

/// A stub that expects these commands and gives these answers.
fn stub(talk: &'static [(&'static str, &'static [&'static str])]) -> (Gdb, JoinHandle<()>) {
    let (near, mut far) = UnixStream::pair().unwrap();
    let serve = move || {
        let (mut parser, mut interrupts) = (Parser::default(), 0);
        for (command, answers) in talk {
            let heard = loop {
                if let Some(packet) = parser.next() {
                    break packet;
                }
                if interrupts > 0 {
                    interrupts -= 1;
                    break vec![INTERRUPT];
                }
                let mut buffer = [0; 4096];
                let size = far.read(&mut buffer).unwrap();
                for byte in &buffer[..size] {
                    if *byte == INTERRUPT { interrupts += 1 } else { parser.push(&[*byte]) }
                }
            };
            assert_eq!(String::from_utf8(heard).unwrap(), *command);
            for answer in *answers {
                far.write_all(&encode(answer.as_bytes())).unwrap();
            }
        }
    };
    (Gdb { stream: near, parser: Parser::default(), running: false }, thread::spawn(serve))
}

#[test]
fn memory_and_registers_are_little_endian() {
    let (mut gdb, stub) = stub(&[("m20000000,2", &["0102"]), ("pf", &["78563412"]), ("P0=01000000", &["OK"])]);
    assert_eq!(gdb.read(0x2000_0000, 2).unwrap(), [1, 2]);
    assert_eq!(gdb.register(Register::PC).unwrap(), 0x1234_5678);
    gdb.set_register(Register(0), 1).unwrap();
    stub.join().unwrap();
}

#[test]
fn where_there_is_no_memory_is_told() {
    let (mut gdb, stub) = stub(&[("mf0000000,4", &["E14"]), ("Mf0000000,1:00", &["E14"])]);
    assert!(matches!(gdb.read(0xF000_0000, 4), Err(GdbError::NoMemory(0xF000_0000))));
    assert!(matches!(gdb.write(0xF000_0000, &[0]), Err(GdbError::NoMemory(0xF000_0000))));
    stub.join().unwrap();
}

#[test]
fn a_breakpoint_that_comes_while_the_core_is_stopped_is_not_lost() {
    let (mut gdb, stub) = stub(&[("c", &["T05thread:01;"]), ("\u{3}", &[])]);
    gdb.resume().unwrap();
    // Both are under way at once: the stub takes no notice of the interrupt once the core has stopped.
    assert_eq!(gdb.interrupt().unwrap(), Stop::Trap);
    assert!(!gdb.running());
    stub.join().unwrap();
}

#[test]
fn a_stop_is_seen_when_it_is_there_and_not_before() {
    let (mut gdb, stub) = stub(&[("c", &[]), ("\u{3}", &["T02thread:01;"])]);
    assert_eq!(gdb.poll().unwrap(), None);
    gdb.resume().unwrap();
    assert_eq!(gdb.poll().unwrap(), None);
    assert_eq!(gdb.interrupt().unwrap(), Stop::Asked);
    stub.join().unwrap();
    gdb.resume().unwrap_err();
}

#[test]
fn a_step_is_tried_again_until_it_is_done_and_a_sleeping_core_makes_none() {
    const BEFORE: (&str, &[&str]) = ("pf", &["00010000"]);
    const AFTER: (&str, &[&str]) = ("pf", &["02010000"]);
    const STEP: (&str, &[&str]) = ("s", &[]);
    const DONE: (&str, &[&str]) = ("s", &["T05thread:01;"]);
    const STOP: (&str, &[&str]) = ("\u{3}", &["T02thread:01;"]);
    // `CPU#0 [running]`, `CPU#0 [halted ]`
    const AWAKE: (&str, &[&str]) = ("qThreadExtraInfo,1", &["4350552330205b72756e6e696e675d"]);
    const ASLEEP: (&str, &[&str]) = ("qThreadExtraInfo,1", &["4350552330205b68616c746564205d"]);
    let (mut gdb, late) = stub(&[BEFORE, STEP, STOP, BEFORE, AWAKE, STEP, STOP, BEFORE, AWAKE, DONE]);
    assert!(gdb.step().unwrap());
    late.join().unwrap();
    let (mut gdb, both_at_once) = stub(&[BEFORE, STEP, STOP, AFTER]);
    assert!(gdb.step().unwrap());
    both_at_once.join().unwrap();
    let (mut gdb, asleep) = stub(&[BEFORE, STEP, STOP, BEFORE, ASLEEP]);
    assert!(!gdb.step().unwrap());
    asleep.join().unwrap();
}

#[test]
fn a_reset_prints_what_it_likes_before_it_is_done() {
    let (mut gdb, stub) = stub(&[("qRcmd,73797374656d5f7265736574", &["O0a", "OK"])]);
    gdb.reset().unwrap();
    stub.join().unwrap();
    assert!(matches!(gdb.read(0, 1), Err(GdbError::Ended)));
}
