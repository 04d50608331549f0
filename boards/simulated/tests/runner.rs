//! The runner on a simulated board: it does the same as on the same machine of the emulator stage, to the bit and to the
//! instruction; and planned faults come when an inference is on its way.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::{Board, LONG, verified};
use emulators::{EmulatorOptions, Qemu};
use farm::{
    Clock, Dataset, Fault as Reported, Inference, JobSpec, Model, Session as _, Target, TargetError, Timeouts,
    dataset::Truth,
};
use firmware::{
    Bench, Builder, ExpectedRunner, Firmware, Instructions, Load, ModelImage, RunnerSession, protocol::Hello, symbols,
    tflm,
};
use probe_rs::{CoreStatus, MemoryInterface, Session, rtt::ScanRegion};
use simulated_board::Fault;
use std::{
    env,
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, LazyLock},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Compiled runners are kept here from one test run to the next.
static BUILDER: LazyLock<Arc<Builder>> = LazyLock::new(|| {
    let cache = env::var_os("TINYFARM_CACHE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tinyfarm")), PathBuf::from);
    Arc::new(Builder::new(&cache, tflm::locate().unwrap(), 4))
});

fn emulated(name: &str) -> Arc<Qemu> {
    let machines = emulators::machines(&EmulatorOptions::new(BUILDER.clone()));
    machines.into_iter().find(|machine| machine.port().name == name).unwrap()
}

fn job(target: &Qemu, count: usize) -> JobSpec {
    let path = firmware::tfmicro_dir().unwrap().join("examples/models/hello_world.tflite");
    let model = Arc::new(Model::load("hello_world", &path).unwrap());
    let inputs: Vec<_> = (0..count).map(|index| (index as f32 * 0.3).to_le_bytes().to_vec()).collect();
    let names = (0..count).map(|index| format!("sample {index}")).collect();
    let dataset = Dataset::new("test", names, inputs, Truth::Unknown, &model).unwrap();
    JobSpec {
        model,
        dataset: Arc::new(dataset),
        target: target.info().id.clone(),
        alternates: Vec::new(),
        arena_limit: None,
        timeouts: Timeouts { open: LONG * 4, infer: LONG * 4, close: LONG },
        retries: 0,
        own_firmware: false,
        rerun: 0,
    }
}

/// The farm's side of what the tests need: ticks are instructions.
struct Ticks(Instructions);

#[async_trait]
impl Bench for Ticks {
    fn clock(&self, _: &Hello) -> Clock {
        Clock::QemuInstructions
    }
    fn ticks(&self, ticks: u64) -> u64 {
        self.0.of_ticks(ticks)
    }
    async fn why_ended(&mut self) -> Option<TargetError> {
        None
    }
    fn log(&self) -> String {
        String::new()
    }
    async fn close(self: Box<Self>) {}
}

/// Flashes runner and model, asks for RTT, and moves bytes until the farm hangs up or the core does not run any more;
/// gives what it does then.
fn pump(mut session: Session, flash: u64, firmware: &Firmware, job: &JobSpec, mut link: UnixStream) -> CoreStatus {
    let mut loader = session.target().flash_loader();
    loader.add_data(flash, &common::binary(&firmware.elf)).unwrap();
    loader.add_data(firmware.model_start, &ModelImage::encode(&job.model)).unwrap();
    loader.commit(&mut session, verified()).unwrap();
    let mut core = session.core(0).unwrap();
    core.reset_and_halt(LONG).unwrap();
    let request = firmware.address(symbols::LINK_REQUEST).unwrap();
    core.write_word_32(request, symbols::LINK_REQUEST_RTT).unwrap();
    core.run().unwrap();
    let block = ScanRegion::Exact(firmware.address(symbols::RTT).unwrap());
    let mut rtt = probe_rs::rtt::try_attach_to_rtt(&mut core, LONG, &block).unwrap();
    link.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut buffer = [0; 4096];
    loop {
        let said = rtt.up_channel(0).unwrap().read(&mut core, &mut buffer).unwrap();
        if said > 0 {
            if link.write_all(&buffer[..said]).is_err() {
                return CoreStatus::Running;
            }
            continue;
        }
        match core.status().unwrap() {
            CoreStatus::Running => {}
            other => return other,
        }
        match link.read(&mut buffer) {
            Ok(0) => return CoreStatus::Running,
            Ok(size) => common::say(&mut rtt, &mut core, &buffer[..size]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return CoreStatus::Running,
        }
    }
}

struct Run {
    board: Board,
    session: RunnerSession,
    pump: JoinHandle<CoreStatus>,
}

async fn start(target: &Qemu, job: &JobSpec, faults: &[&str]) -> Run {
    let firmware = BUILDER.build(target.port()).await.unwrap();
    let board = Board::new(&target.port().name, faults);
    let (link, farm) = UnixStream::pair().unwrap();
    farm.set_nonblocking(true).unwrap();
    let session = board.attach().unwrap();
    let flash = board.chip.flash.into();
    let pump = {
        let (firmware, job) = (firmware.clone(), job.clone());
        thread::spawn(move || pump(session, flash, &firmware, &job, link))
    };
    let icount_shift = target.port().qemu.as_ref().unwrap().icount_shift;
    let ticks = Ticks(Instructions { clock_hz: target.port().clock_hz, icount_shift });
    let farm = tokio::net::UnixStream::from_std(farm).unwrap();
    let session = RunnerSession::open(farm, ticks, job, Load::Beside, ExpectedRunner::from(firmware)).await.unwrap();
    Run { board, session, pump }
}

async fn infer(session: &mut RunnerSession, job: &JobSpec) -> Result<Vec<Inference>, TargetError> {
    session.infer(job.dataset.inputs(), &|_| ()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn inferences_are_those_of_the_emulator_to_the_bit_and_to_the_instruction() {
    for name in ["netduinoplus2", "mps2-an385", "mps2-an386"] {
        let target = emulated(name);
        let job = job(&target, 8);
        target.prepare().await.unwrap();
        let mut expected = target.open(&job).await.unwrap();
        let expected_inferences = expected.infer(job.dataset.inputs(), &|_| ()).await.unwrap();
        expected.close().await;

        let Run { board: _board, mut session, pump } = start(&target, &job, &[]).await;
        assert_eq!(infer(&mut session, &job).await.unwrap(), expected_inferences, "{name}");
        Box::new(session).close().await;
        assert_eq!(pump.join().unwrap(), CoreStatus::Running);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_faults_come_after_the_handshake_when_an_inference_is_on_its_way() {
    let target = emulated("netduinoplus2");
    let job = job(&target, 3);
    for fault in [Fault::HardFault, Fault::Lockup, Fault::Hang] {
        let Run { board, mut session, pump } = start(&target, &job, &[fault.word()]).await;
        // The handshake is done, and the fault still to come.
        assert_eq!(board.board.faults().pending(fault), 1);
        let patience = if fault == Fault::Hang { Duration::from_secs(1) } else { LONG };
        let answer = tokio::time::timeout(patience, infer(&mut session, &job)).await;
        match fault {
            Fault::HardFault => {
                assert!(matches!(answer, Ok(Err(TargetError::Fault(Reported::HardFault { .. })))), "{answer:?}");
            }
            Fault::Lockup => assert!(matches!(answer, Ok(Err(TargetError::Bench(_)))), "{answer:?}"),
            // It says nothing any more, however long one waits.
            _ => assert!(answer.is_err(), "{answer:?}"),
        }
        assert_eq!(board.board.faults().pending(fault), 0);
        Box::new(session).close().await;
        let expected = if fault == Fault::Lockup { CoreStatus::LockedUp } else { CoreStatus::Running };
        assert_eq!(pump.join().unwrap(), expected);
    }
}
