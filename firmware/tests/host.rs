//! The real runner on the host, over a socket pair: a real model, really run.

#![allow(clippy::unwrap_used, missing_docs)]

use async_trait::async_trait;
use farm::{
    Clock, Dataset, Inference, JobSpec, Model, Session, TargetError, Timeouts, dataset::DatasetSource, target::Fault,
};
use firmware::{Bench, Builder, ExpectedRunner, HostRunner, Load, RunnerSession, protocol::Hello, tflm, tfmicro_dir};
use std::{collections::BTreeSet, os::fd::OwnedFd, path::Path, process::Stdio, sync::Arc};

/// A runner as a child process; its socket is its standard input.
struct Child(tokio::process::Child);

#[async_trait]
impl Bench for Child {
    fn clock(&self, _: &Hello) -> Clock {
        Clock::Host
    }
    async fn why_ended(&mut self) -> Option<TargetError> {
        let status = self.0.wait().await.ok()?;
        Some(Fault::Crash { detail: status.to_string() }.into())
    }
    fn log(&self) -> String {
        String::new()
    }
    async fn close(mut self: Box<Self>) {
        let _ = self.0.kill().await;
    }
}

async fn runner() -> Arc<HostRunner> {
    let cache = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tinyfarm"));
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let builder = Builder::new(cache, tflm::locate().unwrap(), jobs);
    builder.host().await.unwrap_or_else(|error| panic!("{error}"))
}

async fn open(job: &JobSpec) -> Result<RunnerSession, TargetError> {
    let runner = runner().await;
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let mut command = tokio::process::Command::new(&runner.path);
    command.args(["--fd", "0"]).stdin(OwnedFd::from(far)).stdout(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().unwrap();
    drop(command); // and with it this side's copy of the child's end
    let link = tokio::net::UnixStream::from_std(near).unwrap();
    RunnerSession::open(link, Child(child), job, Load::Frame, ExpectedRunner::from(runner)).await
}

fn job(model: &str, csv: String) -> JobSpec {
    let path = tfmicro_dir().unwrap().join(format!("examples/models/{model}.tflite"));
    let model = Arc::new(Model::load(model, &path).unwrap());
    let dataset = Arc::new(Dataset::load("inline", &DatasetSource::inline_csv(csv), &model).unwrap());
    let (target, timeouts) = ("host".into(), Timeouts::default());
    JobSpec {
        model,
        dataset,
        target,
        alternates: Vec::new(),
        arena_limit: None,
        timeouts,
        retries: 0,
        own_firmware: false,
        rerun: 0,
    }
}

fn sine() -> JobSpec {
    let rows = (0..1001).map(|step| format!("{}\n", f64::from(step) * std::f64::consts::TAU / 1000.0));
    job("hello_world", format!("x\n{}", rows.collect::<String>()))
}

async fn infer(job: &JobSpec) -> Vec<Inference> {
    let mut session = open(job).await.unwrap();
    let inferences = session.infer(job.dataset.inputs(), &|_| ()).await.unwrap();
    Box::new(session).close().await;
    inferences
}

/// The expected values were measured with TFLM as the `tfmicro` package has it, on x86-64 and Cortex-M alike.
#[tokio::test]
async fn hello_world_draws_its_sine() {
    let job = sine();
    let inferences = infer(&job).await;
    let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    let errors: Vec<f64> = std::iter::zip(job.dataset.inputs(), &inferences)
        .map(|(input, inference)| (f64::from(value(input)).sin() - f64::from(value(&inference.output))).abs())
        .collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let maximum = errors.iter().copied().fold(0.0, f64::max);
    let distinct: BTreeSet<&[u8]> = inferences.iter().map(|inference| &inference.output[..]).collect();
    assert_eq!(inferences.len(), 1001);
    assert_eq!(format!("{mean:.4} {maximum:.3} {}", distinct.len()), "0.0336 0.130 150");
    assert!(inferences.iter().any(|inference| inference.ticks > 0));
}

#[tokio::test]
async fn the_same_inputs_give_the_same_outputs() {
    let job = sine();
    let outputs = |inferences: Vec<Inference>| inferences.into_iter().map(|i| i.output).collect::<Vec<_>>();
    assert_eq!(outputs(infer(&job).await), outputs(infer(&job).await));
}

#[tokio::test]
async fn the_handshake_tells_runner_model_and_arena() {
    let job = sine();
    let session = open(&job).await.unwrap();
    let handshake = session.handshake();
    assert_eq!(handshake.model, job.model.digest());
    assert_eq!(handshake.runner_digest, runner().await.digest);
    assert_eq!(handshake.tflm, tflm::locate().unwrap().version());
    assert!(handshake.arena_used > 1000 && handshake.arena_used < handshake.arena_size, "{handshake:?}");
}

#[tokio::test]
async fn an_arena_too_small_is_the_models_fault_and_says_how_much_is_missing() {
    let mut job = sine();
    job.arena_limit = Some(1500);
    match open(&job).await {
        Err(TargetError::Fault(Fault::ArenaTooSmall { available, missing, .. })) => {
            assert!(available <= 1500 && missing > 0, "of {available} bytes {missing} are missing");
        }
        other => panic!("{other:?}"),
    }
}

/// The model's bytes are more than any socket holds at once, and so are its inputs.
#[tokio::test]
async fn bulk_data_goes_both_ways_without_a_jam() {
    let columns: Vec<String> = (0..96 * 96).map(|index| format!("x{index}")).collect();
    let row = vec!["0.5"; 96 * 96].join(",");
    let job = job("person_detection_grayscale", format!("{}\n{row}\n{row}\n{row}\n", columns.join(",")));
    let inferences = infer(&job).await;
    assert_eq!(inferences.len(), 3);
    assert!(inferences.iter().all(|inference| inference.output == inferences[0].output));
}
