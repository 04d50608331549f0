//! Where targets are gathered: one line for each kind.

use crate::config::Config;
use farm::{Library, Target, TargetInfo};
use firmware::{Builder, Progress};
use miette::IntoDiagnostic as _;
use std::{collections::BTreeMap, sync::Arc};

/// Every target of this farm, whether it can be used or not; in the order of the stages. `run` names the run.
///
/// # Errors
/// The source of TFLM is not to be had, without which no target has a runner.
pub fn gather(
    config: &Config,
    run: &str,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> miette::Result<Vec<Arc<dyn Target>>> {
    let builder =
        Builder::new(&config.cache, firmware::tflm::locate().into_diagnostic()?, cores()).with_progress(progress);
    let container = containers::ContainerOptions {
        runner: config.runner.program.clone(),
        connections: config.connections(),
        publish: config.container.publish,
        ..containers::ContainerOptions::new(run, builder.clone())
    };
    let qemu = emulators::EmulatorOptions { qemu: config.qemu.program.clone(), builder: Arc::new(builder) };
    let mut targets = containers::targets(&container);
    targets.extend(emulators::targets(qemu));
    Ok(targets)
}

/// What the targets are, in their order.
pub fn infos(targets: &[Arc<dyn Target>]) -> Vec<TargetInfo> {
    targets.iter().map(|target| target.info().clone()).collect()
}

/// The models and datasets that the configuration names.
///
/// # Errors
/// A folder or manifest that cannot be read, or a mistake in one.
pub fn library(config: &Config) -> miette::Result<Library> {
    let packages = firmware::tfmicro_dir().map(|folder| ("tfmicro".to_owned(), folder));
    Library::load(&config.models, &BTreeMap::from_iter(packages)).into_diagnostic()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
