//! `tinyfarm build`: the runners of targets, without running anything.

use crate::{cli::BuildArgs, config::Config, targets};
use farm::{Target, suggest};
use std::{sync::Arc, time::Instant};
use tokio::task::JoinSet;

/// Exit code where a target could not be prepared.
const NOT_BUILT: u8 = 3;

/// Prepares the targets that are named, or all, at the same time.
pub async fn run(config: &Config, arguments: &BuildArgs) -> miette::Result<u8> {
    let all = targets::gather(config, "build", |_| {})?;
    let names: Vec<&str> = all.iter().map(|target| target.info().id.0.as_str()).collect();
    if let Some(unknown) = arguments.targets.iter().find(|wanted| !names.contains(&wanted.as_str())) {
        miette::bail!(help = suggest::mend(unknown, names.iter().copied()), "there is no target `{unknown}`");
    }
    let wanted =
        |target: &&Arc<dyn Target>| arguments.targets.is_empty() || arguments.targets.contains(&target.info().id.0);
    let mut building = JoinSet::new();
    for target in all.iter().filter(wanted).cloned() {
        building.spawn(async move {
            let started = Instant::now();
            let result = target.prepare().await;
            (target, result, started.elapsed())
        });
    }
    let mut code = 0;
    while let Some(built) = building.join_next().await {
        match built {
            Ok((target, Ok(()), took)) => println!("{:24} ready after {:.1} s", target.info().id, took.as_secs_f64()),
            Ok((target, Err(error), _)) => {
                code = NOT_BUILT;
                println!("{:24} not built: {error}", target.info().id);
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    for target in &all {
        target.shutdown().await;
    }
    Ok(code)
}
