//! Where targets are gathered: one line for each kind.

use crate::config::{Config, cores};
use farm::{Library, Target, TargetId, TargetInfo};
use firmware::{Builder, Progress};
use miette::IntoDiagnostic as _;
use std::{collections::BTreeMap, sync::Arc};

/// How far the build of a target's runner has come.
#[derive(Debug, Clone)]
pub struct Building {
    /// The target. Where several share a runner, each is told of.
    pub target: TargetId,
    /// Files compiled, or found compiled.
    pub done: usize,
    /// Files there are.
    pub total: usize,
}

/// Every target of this farm, whether it can be used or not; in the order of the stages. `run` names the run, and
/// `progress` hears of runners that are compiled.
///
/// # Errors
/// The source of TFLM is not to be had, without which no target has a runner.
pub fn gather(
    config: &Config,
    run: &str,
    progress: impl Fn(Building) + Send + Sync + 'static,
) -> miette::Result<Vec<Arc<dyn Target>>> {
    let tflm = firmware::tflm::locate().into_diagnostic()?;
    let builder = Builder::new(&config.cache, tflm, cores()).with_progress(move |Progress { port, done, total }| {
        for target in targets_of(&port) {
            progress(Building { target, done, total });
        }
    });
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

/// Which targets wait for the runner of this port.
fn targets_of(port: &str) -> Vec<TargetId> {
    match port {
        "host" => vec!["container".into(), "host".into()],
        machine => vec![TargetId(format!("qemu:{machine}"))],
    }
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
