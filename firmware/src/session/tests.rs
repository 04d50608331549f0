//! Sessions against played runners: every way to misbehave ends in the verdict that it must, with a message that names
//! the cause.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    protocol::{Frame, Hello, Kind, RunnerError},
    testing::{Behaviour, FakeRunner},
    tfmicro_dir,
};
use async_trait::async_trait;
use farm::{
    Clock, Dataset, Inference, JobSpec, Model, Session, TargetError, Timeouts,
    dataset::DatasetSource,
    target::{Fault, Standing},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use tokio::io::AsyncWriteExt;

const BUILD: &str = "the-build-that-is-expected-and-some-more";

/// A bench whose process is whatever the test says.
struct TestBench {
    cause: Option<TargetError>,
    closed: Arc<AtomicBool>,
}

#[async_trait]
impl Bench for TestBench {
    fn clock(&self, _: &Hello) -> Clock {
        Clock::Host
    }
    fn ticks(&self, ticks: u64) -> u64 {
        ticks * 2
    }
    async fn why_ended(&mut self) -> Option<TargetError> {
        self.cause.clone()
    }
    fn log(&self) -> String {
        "the tool's words".to_owned()
    }
    async fn close(self: Box<Self>) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

fn model() -> Arc<Model> {
    let path = tfmicro_dir().unwrap().join("examples/models/hello_world.tflite");
    Arc::new(Model::load("hello_world", &path).unwrap())
}

fn job(samples: usize) -> JobSpec {
    let model = model();
    let rows: String = (0..samples).map(|row| format!("{}\n", row as f32 / 100.0)).collect();
    let dataset = Dataset::load("line", &DatasetSource::inline_csv(format!("x\n{rows}")), &model).unwrap();
    JobSpec {
        model,
        dataset: Arc::new(dataset),
        target: "test".into(),
        alternates: Vec::new(),
        arena_limit: None,
        timeouts: Timeouts::default(),
        retries: 0,
        own_firmware: false,
        rerun: 0,
    }
}

/// Opens a session with a played runner, infers the whole dataset, closes.
async fn run_with(
    behaviour: Behaviour,
    cause: Option<TargetError>,
    samples: usize,
) -> (Result<Vec<Inference>, TargetError>, Standing, String) {
    let (near, far) = tokio::io::duplex(256);
    let played = tokio::spawn(FakeRunner::new(behaviour, BUILD, 4, 4).serve(far));
    let closed = Arc::new(AtomicBool::new(false));
    let bench = TestBench { cause, closed: closed.clone() };
    let job = job(samples);
    let opened = RunnerSession::open(near, bench, &job, Load::Frame, ExpectedRunner::with_digest(BUILD)).await;
    let outcome = match opened {
        Err(error) => (Err(error), Standing::default(), String::new()),
        Ok(mut session) => {
            let inferred = tokio::time::timeout(job.timeouts.infer, session.infer(job.dataset.inputs(), &|_| ())).await;
            let inferred = inferred.unwrap_or_else(|_| Err(TargetError::Blocked("time is up".to_owned())));
            let standing = session.standing();
            let log = session.log();
            Box::new(session).close().await;
            (inferred, standing, log)
        }
    };
    assert!(closed.load(Ordering::SeqCst), "the bench was not closed");
    let _ = played.await.unwrap();
    outcome
}

async fn verdict_with(behaviour: Behaviour, cause: Option<TargetError>) -> String {
    match run_with(behaviour, cause, 10).await {
        (Ok(inferences), ..) => format!("{} inferences", inferences.len()),
        (Err(TargetError::Fault(fault)), ..) => format!("fail: {fault}"),
        (Err(TargetError::Bench(reason)), ..) => format!("infra: {reason}"),
        (Err(TargetError::Blocked(reason)), standing, _) => format!("{reason}: {standing:?}"),
    }
}

async fn verdict(behaviour: Behaviour) -> String {
    verdict_with(behaviour, None).await
}

#[tokio::test]
async fn a_session_that_never_was_tells_the_last_that_the_runner_said() {
    let (near, mut far) = tokio::io::duplex(256);
    for (kind, payload) in [(Kind::Log, b"TFLM said this\nthe stack has run out".to_vec()), (Kind::Fault, vec![0; 52])]
    {
        far.write_all(&Frame::new(kind, 0, payload).encode()).await.unwrap();
    }
    let bench = TestBench { cause: None, closed: Arc::default() };
    let opened = RunnerSession::open(near, bench, &job(1), Load::Frame, ExpectedRunner::with_digest(BUILD)).await;
    let reason = opened.unwrap_err().to_string();
    assert!(reason.ends_with("; the runner said: the stack has run out"), "{reason}");
}

#[tokio::test]
async fn a_good_runner_answers_every_sample_in_order() {
    let (inferences, standing, log) = run_with(Behaviour::Good, None, 1000).await;
    let inferences = inferences.unwrap();
    for (sample, inference) in inferences.iter().enumerate() {
        assert_eq!(inference.output, (sample as f32 / 100.0).to_le_bytes());
        assert_eq!(inference.ticks, 2 * (1000 + sample as u64), "the bench converts ticks");
    }
    assert_eq!((inferences.len(), standing.done), (1000, 1000));
    assert_eq!(log, "the tool's words");
}

#[tokio::test]
async fn progress_is_told_and_ends_with_all() {
    let (near, far) = tokio::io::duplex(256);
    tokio::spawn(FakeRunner::new(Behaviour::Good, BUILD, 4, 4).serve(far));
    let bench = TestBench { cause: None, closed: Arc::default() };
    let job = job(300);
    let mut session =
        RunnerSession::open(near, bench, &job, Load::Frame, ExpectedRunner::with_digest(BUILD)).await.unwrap();
    let told = Mutex::new(Vec::new());
    session.infer(job.dataset.inputs(), &|done| told.lock().unwrap().push(done)).await.unwrap();
    let told = told.into_inner().unwrap();
    assert!(told.is_sorted() && told.last() == Some(&300), "{told:?}");
}

#[tokio::test]
async fn a_model_beside_the_firmware_is_checked_and_not_sent() {
    let (near, far) = tokio::io::duplex(256);
    let mut runner = FakeRunner::new(Behaviour::Good, BUILD, 4, 4);
    let bytes = model().bytes().to_vec();
    runner.model = Some((model().digest(), bytes.len() as u32, crc32fast::hash(&bytes)));
    tokio::spawn(runner.serve(far));
    let bench = TestBench { cause: None, closed: Arc::default() };
    let job = job(3);
    let session =
        RunnerSession::open(near, bench, &job, Load::Beside, ExpectedRunner::with_digest(BUILD)).await.unwrap();
    assert_eq!(session.handshake().model, job.model.digest());
    assert_eq!(session.handshake().arena_used, 1024);
}

#[tokio::test]
async fn firmware_of_ones_own_may_be_any_build_and_is_sent_the_model_if_it_holds_none() {
    let bytes = model().bytes().to_vec();
    let right = (model().digest(), bytes.len() as u32, crc32fast::hash(&bytes));
    for (held, load) in [(Some(right), Load::IfOther), (None, Load::IfOther)] {
        let (near, far) = tokio::io::duplex(256);
        let mut runner = FakeRunner::new(Behaviour::Good, "a build that nobody knows", 4, 4);
        runner.model = held;
        tokio::spawn(runner.serve(far));
        let bench = TestBench { cause: None, closed: Arc::default() };
        let job = job(3);
        let session = RunnerSession::open(near, bench, &job, load, ExpectedRunner::any()).await.unwrap();
        assert_eq!(session.handshake().model, job.model.digest());
    }
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_stops_answering_stands_where_it_stopped() {
    insta::assert_snapshot!(verdict(Behaviour::Hang(3)).await, @"time is up: Standing { done: 3, partial: None, garbage: 0 }");
}

#[tokio::test(start_paused = true)]
async fn half_a_frame_is_told_from_silence() {
    insta::assert_snapshot!(verdict(Behaviour::HalfFrame(2)).await, @"time is up: Standing { done: 2, partial: Some((7, 12)), garbage: 0 }");
    insta::assert_snapshot!(verdict(Behaviour::HalfFrameThenEnd(2)).await, @"infra: the connection to the runner ended; it stopped half-way through a frame: 7 of 12 bytes");
    let crash = TargetError::Fault(Fault::Crash { detail: "SIGSEGV".into() });
    insta::assert_snapshot!(verdict_with(Behaviour::HalfFrameThenEnd(2), Some(crash)).await, @"fail: crashed: SIGSEGV; it stopped half-way through a frame: 7 of 12 bytes");
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_never_greets_is_the_benchs_fault() {
    insta::assert_snapshot!(verdict(Behaviour::Silent).await, @"infra: the runner never said HELLO within 27s; not a byte came; its tool says: the tool's words");
    insta::assert_snapshot!(verdict(Behaviour::GarbageFromTheStart).await, @r#"infra: the runner never said HELLO within 27s; its tool says: the tool's words; garbage: 37 bytes, "login: \r\nWelcome to another prog…""#);
}

#[tokio::test]
async fn garbage_is_counted_and_shown() {
    insta::assert_snapshot!(verdict(Behaviour::Garbage(4)).await, @r#"infra: garbage where a reply was due: 40 bytes, "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU…""#);
}

#[tokio::test]
async fn a_stale_model_or_runner_is_caught_before_the_first_inference() {
    insta::assert_snapshot!(verdict(Behaviour::WrongModel).await, @"infra: the runner holds model 93dc44381b52…, not 06a6f319488f… (hello_world)");
    insta::assert_snapshot!(verdict(Behaviour::CorruptModel).await, @"fail: model corrupt on the target: its CRC-32 should be 0xc2c091ad and is 0xc2c091ac");
    insta::assert_snapshot!(verdict(Behaviour::WrongBuild).await, @"infra: another runner answers: its build is 000000000000…, not the-build-th…");
    insta::assert_snapshot!(verdict(Behaviour::WrongSizes).await, @"fail: rejected by the runner: it counts 5 bytes of inputs, the model file 4");
}

#[tokio::test]
async fn fewer_answers_than_questions_are_never_taken_for_all() {
    insta::assert_snapshot!(verdict(Behaviour::LostReply(5)).await, @"infra: a reply was lost: the runner answered request 9 where INFER 8 was due");
    insta::assert_snapshot!(verdict(Behaviour::ShortOutput(5)).await, @"infra: the runner answered sample 5 with 3 bytes of output; it had promised 4");
    insta::assert_snapshot!(verdict(Behaviour::End(5)).await, @"infra: the connection to the runner ended");
}

#[tokio::test]
async fn the_models_faults_come_back_by_name() {
    let error = RunnerError { code: 10, a: 4096, b: 1234, text: "Failed to allocate tensors".into() };
    insta::assert_snapshot!(verdict(Behaviour::Refuse(error)).await, @"fail: arena too small: of 4096 bytes 1234 more are needed (Failed to allocate tensors)");
    insta::assert_snapshot!(verdict(Behaviour::CoreFault(1)).await, @"fail: HardFault at 0x00001234 (lr 0x00005679): undefined instruction (CFSR 0x00010000, HFSR 0x40000000)");
    insta::assert_snapshot!(verdict(Behaviour::Reset(1)).await, @"fail: crashed: the core was reset in mid-job");
    insta::assert_snapshot!(verdict(Behaviour::Exit(1, 11)).await, @"fail: crashed: the runner got signal 11 (SIGSEGV)");
    insta::assert_snapshot!(verdict(Behaviour::Exit(1, 9)).await, @"infra: the runner was killed from outside (SIGKILL; a memory limit does that too)");
    insta::assert_snapshot!(verdict(Behaviour::Exit(1, 0)).await, @"fail: crashed: the runner ended with status 3");
}

#[tokio::test(start_paused = true)]
async fn the_handshake_ends_before_the_schedulers_patience_does() {
    let patience = Timeouts::default().open;
    let verdict = tokio::time::timeout(patience, verdict(Behaviour::Silent)).await;
    assert!(verdict.is_ok_and(|verdict| verdict.starts_with("infra")));
}
