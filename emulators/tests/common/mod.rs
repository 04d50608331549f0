//! What the tests on real machines share: models, jobs and a builder whose cache outlives the test run.
#![allow(clippy::unwrap_used, dead_code, missing_docs)]

use emulators::{EmulatorOptions, Qemu, machines};
use farm::{Dataset, Handshake, Inference, JobSpec, Model, Session, Target, TargetError, Timeouts, dataset::Truth};
use firmware::{Builder, tflm};
use std::{
    env, fs,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

/// Compiled runners are kept here from one test run to the next.
pub fn cache() -> PathBuf {
    env::var_os("TINYFARM_CACHE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tinyfarm")), PathBuf::from)
}

pub static BUILDER: LazyLock<Arc<Builder>> =
    LazyLock::new(|| Arc::new(Builder::new(&cache(), tflm::locate().unwrap(), 4)));

pub fn options() -> EmulatorOptions {
    EmulatorOptions::new(BUILDER.clone())
}

pub fn machine(name: &str) -> Arc<Qemu> {
    machines(&options()).into_iter().find(|machine| machine.info().id.0 == format!("qemu:{name}")).unwrap()
}

fn examples() -> PathBuf {
    firmware::tfmicro_dir().unwrap().join("examples/models")
}

pub fn model(name: &str) -> Arc<Model> {
    Arc::new(Model::load(name, &examples().join(format!("{name}.tflite"))).unwrap())
}

/// A sample that comes with the models.
pub fn sample(name: &str) -> Vec<u8> {
    fs::read(examples().join(name)).unwrap()
}

/// A sample of big-endian floats (the magic wand's), as the model wants them.
pub fn big_endian_sample(name: &str) -> Vec<u8> {
    sample(name).chunks_exact(4).flat_map(|float| [float[3], float[2], float[1], float[0]]).collect()
}

/// `count` floats from 0 to 2π, one each.
pub fn sine(count: usize) -> Vec<Vec<u8>> {
    let step = std::f32::consts::TAU / count as f32;
    (0..count).map(|index| (index as f32 * step).to_le_bytes().to_vec()).collect()
}

pub fn job(target: &dyn Target, model: &Arc<Model>, inputs: Vec<Vec<u8>>) -> JobSpec {
    let names = (0..inputs.len()).map(|index| format!("sample {index}")).collect();
    let dataset = Dataset::new("test", names, inputs, Truth::Unknown, model).unwrap();
    JobSpec {
        model: model.clone(),
        dataset: Arc::new(dataset),
        target: target.info().id.clone(),
        alternates: Vec::new(),
        arena_limit: None,
        // Debug builds on a busy machine: only a hang gets near these.
        timeouts: Timeouts {
            open: Duration::from_secs(120),
            infer: Duration::from_secs(300),
            close: Duration::from_secs(30),
        },
        retries: 0,
        own_firmware: false,
        rerun: 0,
    }
}

pub async fn open(target: &dyn Target, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
    target.prepare().await?;
    target.open(job).await
}

/// A whole job: open, infer, close.
pub async fn run(target: &dyn Target, job: &JobSpec) -> Result<(Handshake, Vec<Inference>), TargetError> {
    let mut session = open(target, job).await?;
    let inferences = session.infer(job.dataset.inputs(), &|_| ()).await;
    let handshake = session.handshake().clone();
    let log = session.log();
    session.close().await;
    inferences.map(|inferences| (handshake, inferences)).inspect_err(|error| eprintln!("{error}\n{log}"))
}

pub fn float(output: &[u8]) -> f32 {
    f32::from_le_bytes(output[..4].try_into().unwrap())
}

/// The processes that this one started and that are not gone yet, zombies among them.
pub fn children(program: &str) -> Vec<u32> {
    let me = std::process::id().to_string();
    let stats =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("stat")).ok());
    let child = |stat: String| {
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let parent = rest.split(' ').nth(1)?;
        (parent == me && name.starts_with(program)).then(|| pid.parse().ok())?
    };
    stats.filter_map(child).collect()
}

/// Waits until there is no process `pid`, or only what is left of one whose new parent does not look.
pub async fn gone(pid: u32) {
    let started = Instant::now();
    let alive = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while alive() {
        assert!(started.elapsed() < Duration::from_secs(30), "process {pid} outlived its job");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
