//! The ports, with a real machine behind them.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::{
    board::Parts,
    chips::Chip,
    event::Events,
    faults::{Fault, Faults},
};
use std::os::unix::net::UnixStream;
use tempfile::TempDir;

const DRW: u8 = 0xC;
const RAM: u32 = 0x2000_0100;
const NOTHING: u32 = 0x6000_0000;

struct Bench {
    dap: Dap,
    machine: Machine,
    _folder: TempDir,
    _uart: UnixStream,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (uart, inside) = UnixStream::pair().unwrap();
        let parts = Parts {
            chip: Chip::of("netduinoplus2").unwrap(),
            unique_id: [7; 12],
            flash: folder.path().join("flash"),
            uart: inside.into(),
            qemu: None,
            faults: Faults::new(Events::default()),
            events: Events::default(),
        };
        let machine = Machine::start(parts).unwrap();
        let mut bench = Self { dap: Dap::default(), machine, _folder: folder, _uart: uart };
        // Power, words, addresses that go on.
        assert_eq!(bench.dp(4, Some(POWER_REQUESTS)), Ack::Ok(None));
        assert_eq!(bench.ap(0, Some(0x12)), Ack::Ok(None));
        bench
    }

    fn do_all(&mut self, transfers: &[Transfer]) -> Vec<Ack> {
        self.dap.transfer(transfers, &mut self.machine).unwrap()
    }

    fn dp(&mut self, register: u8, write: Option<u32>) -> Ack {
        self.do_all(&[Transfer { access_port: false, register, write }])[0]
    }

    fn ap(&mut self, register: u8, write: Option<u32>) -> Ack {
        self.do_all(&[Transfer { access_port: true, register, write }])[0]
    }

    /// What a read of the access port comes to: its result is that of the next transfer.
    fn read(&mut self, address: u32) -> Ack {
        self.ap(4, Some(address));
        self.ap(DRW, None);
        self.dp(0xC, None)
    }
}

fn word(ack: Ack) -> u32 {
    match ack {
        Ack::Ok(Some(word)) => word,
        other => panic!("{other:?}"),
    }
}

#[test]
fn power_is_there_when_it_is_asked_for_and_goes_with_the_request() {
    let mut bench = Bench::new();
    assert_eq!(word(bench.dp(0, None)), DPIDR);
    assert_eq!(word(bench.dp(4, None)) >> 28, 0xF);
    bench.dp(4, Some(0));
    assert_eq!(word(bench.dp(4, None)) >> 28, 0);
    assert_eq!(bench.ap(DRW, None), Ack::Fault);
}

#[test]
fn reads_of_the_access_port_are_posted() {
    let mut bench = Bench::new();
    bench.ap(4, Some(RAM));
    bench.ap(DRW, Some(0x1111));
    bench.ap(DRW, Some(0x2222));
    bench.ap(4, Some(RAM));
    let read = Transfer { access_port: true, register: DRW, write: None };
    let buffer = Transfer { access_port: false, register: 0xC, write: None };
    let acks = bench.do_all(&[read, read, buffer, buffer]);
    assert_eq!(acks[1..], [0x1111, 0x2222, 0x2222].map(|word| Ack::Ok(Some(word))));
    assert_eq!(word(bench.dp(8, Some(0xF0)).into_word(&mut bench)), AP_IDR);
}

impl Ack {
    /// After SELECT was written: AP register 0xFC.
    fn into_word(self, bench: &mut Bench) -> Ack {
        assert_eq!(self, Ack::Ok(None));
        bench.ap(DRW, None);
        bench.dp(0xC, None)
    }
}

#[test]
fn the_address_goes_on_within_a_kibibyte_and_bytes_come_in_their_lanes() {
    let mut bench = Bench::new();
    bench.ap(4, Some(RAM & !0x3FF | 0x3FC));
    bench.ap(DRW, Some(0x4433_2211));
    bench.ap(4, None);
    assert_eq!(word(bench.dp(0xC, None)), RAM & !0x3FF);
    bench.ap(0, Some(0x10));
    bench.ap(4, Some(RAM & !0x3FF | 0x3FD));
    let read = Transfer { access_port: true, register: DRW, write: None };
    let buffer = Transfer { access_port: false, register: 0xC, write: None };
    let acks = bench.do_all(&[read, read, read, buffer]);
    assert_eq!(acks[1..3], [0x2200, 0x33_0000].map(|word| Ack::Ok(Some(word))));
    assert_eq!(word(acks[3]), 0x4400_0000);
}

#[test]
fn an_access_to_nothing_faults_with_the_next_transfer_and_until_it_is_cleared() {
    let mut bench = Bench::new();
    assert_eq!(bench.read(NOTHING), Ack::Fault);
    assert_eq!(word(bench.dp(4, None)) & STICKY_ERROR, STICKY_ERROR);
    assert_eq!(bench.read(RAM), Ack::Fault);
    bench.dp(0, Some(CLEAR_STICKY_ERROR));
    assert_eq!(word(bench.dp(4, None)) & STICKY_ERROR, 0);
    word(bench.read(RAM));
    // Writes are gathered, and looked after when the next access needs them done.
    bench.ap(4, Some(NOTHING));
    assert_eq!(bench.ap(DRW, Some(1)), Ack::Ok(None));
    assert_eq!(bench.read(RAM), Ack::Fault);
}

#[test]
fn what_follows_a_transfer_that_was_not_done_is_not_answered() {
    let mut bench = Bench::new();
    bench.ap(4, Some(NOTHING));
    let read = Transfer { access_port: true, register: DRW, write: None };
    let acks = bench.do_all(&[read; 5]);
    assert_eq!((acks.len(), acks[1]), (2, Ack::Fault));
}

#[test]
fn planned_faults_are_shown_on_the_wire() {
    let mut bench = Bench::new();
    bench.machine.faults.add(Fault::SwdWait, 1);
    assert_eq!(bench.read(RAM), Ack::Wait);
    assert_eq!(bench.read(RAM), Ack::Wait);
    bench.dp(0, Some(ABORT));
    word(bench.read(RAM));
    bench.machine.faults.add(Fault::SwdFault, 1);
    assert_eq!(bench.read(RAM), Ack::Fault);
    bench.dp(0, Some(CLEAR_STICKY_ERROR));
    word(bench.read(RAM));
    bench.machine.faults.add(Fault::NeedsPowerCycle, 1);
    assert_eq!(bench.dp(0, None), Ack::None);
    assert_eq!(bench.dp(0, None), Ack::None);
    bench.machine.faults.power_cycled();
    assert_eq!(word(bench.dp(0, None)), DPIDR);
}
