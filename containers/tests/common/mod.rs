//! What the tests of this room share: jobs over hello_world, and a look at the engine behind the targets' back.
#![allow(clippy::unwrap_used, dead_code, missing_docs)]

use bollard::{
    Docker,
    query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder},
};
use containers::ContainerOptions;
use farm::{Dataset, Fault, Inference, JobSpec, Model, Session, Target, TargetError, Timeouts, dataset::DatasetSource};
use firmware::{Builder, tflm};
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

/// Outlives the run, so that only the first one compiles.
pub fn builder() -> Builder {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Builder::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tinyfarm")), tflm::locate().unwrap(), cores)
}

/// Settings of a run named `run`, four jobs at once.
pub fn options(run: &str) -> ContainerOptions {
    ContainerOptions { connections: 4, ..ContainerOptions::new(run, builder()) }
}

/// The targets `container` and `host`.
pub fn targets(options: &ContainerOptions) -> (Arc<dyn Target>, Arc<dyn Target>) {
    let mut targets = containers::targets(options).into_iter();
    (targets.next().unwrap(), targets.next().unwrap())
}

/// hello_world over `samples` points of a sine, on `target`.
pub fn job(target: &dyn Target, samples: usize) -> JobSpec {
    let path = firmware::tfmicro_dir().unwrap().join("examples/models/hello_world.tflite");
    let model = Arc::new(Model::load("hello_world", &path).unwrap());
    let rows: String = (0..samples).map(|row| format!("{}\n", row as f32 / 100.0)).collect();
    let dataset = Dataset::load("line", &DatasetSource::inline_csv(format!("x\n{rows}")), &model).unwrap();
    JobSpec {
        model,
        dataset: Arc::new(dataset),
        target: target.info().id.clone(),
        alternates: Vec::new(),
        arena_limit: None,
        timeouts: Timeouts { open: Duration::from_secs(20), ..Timeouts::default() },
        retries: 0,
        own_firmware: false,
        rerun: 0,
    }
}

/// The whole job.
pub async fn run(target: &dyn Target, job: &JobSpec) -> Result<Vec<Inference>, TargetError> {
    let mut session = target.open(job).await?;
    let inferences = infer(&mut *session, job).await;
    session.close().await;
    inferences
}

/// The job's inferences in a session that is open.
pub async fn infer(session: &mut dyn Session, job: &JobSpec) -> Result<Vec<Inference>, TargetError> {
    session.infer(job.dataset.inputs(), &|_| ()).await
}

/// The outputs.
pub fn outputs(inferences: &[Inference]) -> Vec<&[u8]> {
    inferences.iter().map(|inference| &inference.output[..]).collect()
}

/// The reason, where the bench is at fault.
pub fn bench<T>(result: Result<T, TargetError>) -> String {
    match result {
        Err(TargetError::Bench(reason)) => reason,
        Err(error) => panic!("not the bench's fault: {error:?}"),
        Ok(_) => panic!("it passed"),
    }
}

/// The details, where the runner crashed.
pub fn crash<T>(result: Result<T, TargetError>) -> String {
    match result {
        Err(TargetError::Fault(Fault::Crash { detail })) => detail,
        Err(error) => panic!("no crash: {error:?}"),
        Ok(_) => panic!("it passed"),
    }
}

/// A container or network with a label of this run.
pub struct Engine(pub Docker);

impl Engine {
    pub fn connect() -> Self {
        Self(Docker::connect_with_defaults().unwrap())
    }

    fn label(run: &str) -> HashMap<&'static str, Vec<String>> {
        HashMap::from([("label", vec![format!("org.tinyfarm.run={run}")])])
    }

    /// Identifiers of the run's containers.
    pub async fn containers(&self, run: &str) -> Vec<String> {
        let listing = ListContainersOptionsBuilder::new().all(true).filters(&Self::label(run)).build();
        let containers = self.0.list_containers(Some(listing)).await.unwrap();
        containers.into_iter().filter_map(|container| container.id).collect()
    }

    /// Identifiers of the run's networks.
    pub async fn networks(&self, run: &str) -> Vec<String> {
        let listing = ListNetworksOptionsBuilder::new().filters(&Self::label(run)).build();
        self.0.list_networks(Some(listing)).await.unwrap().into_iter().filter_map(|network| network.id).collect()
    }

    /// The image of a container.
    pub async fn image(&self, container: &str) -> String {
        let inspected = self.0.inspect_container(container, None::<InspectContainerOptions>).await.unwrap();
        inspected.image.unwrap()
    }
}
