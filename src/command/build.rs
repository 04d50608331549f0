//! `tinyfarm build`: the runners of targets, without running anything.

use super::say;
use crate::{cli::BuildArgs, config::Config, targets};
use farm::{FarmEvent, Target, TargetId, suggest};
use reports::text::{count, time};
use std::{collections::HashMap, sync::Arc, time::Instant};
use tokio::{sync::mpsc, task::JoinSet};

/// Exit code where a target could not be prepared.
const NOT_BUILT: u8 = 3;

/// Prepares the targets that are named, or all, at the same time.
pub async fn run(config: &Config, arguments: &BuildArgs) -> miette::Result<u8> {
    let (told, mut building) = mpsc::unbounded_channel();
    let all = targets::gather(config, "build", move |event| drop(told.send(event)))?;
    let names: Vec<&str> = all.iter().map(|target| target.info().id.0.as_str()).collect();
    if let Some(unknown) = arguments.targets.iter().find(|wanted| !names.contains(&wanted.as_str())) {
        miette::bail!(help = suggest::mend(unknown, names.iter().copied()), "there is no target `{unknown}`");
    }
    let wanted =
        |target: &&Arc<dyn Target>| arguments.targets.is_empty() || arguments.targets.contains(&target.info().id.0);
    // Those of which no build has been told yet.
    let mut quiet: HashMap<TargetId, String> =
        all.iter().filter(wanted).map(|target| (target.info().id.clone(), target.info().label())).collect();
    let width = quiet.values().map(String::len).max().unwrap_or_default();
    let mut work = JoinSet::new();
    for target in all.iter().filter(wanted).cloned() {
        work.spawn(async move {
            let started = Instant::now();
            let result = target.prepare().await;
            (target, result, started.elapsed())
        });
    }
    let mut code = 0;
    loop {
        let built = tokio::select! {
            biased;
            Some(event) = building.recv() => {
                if let FarmEvent::Building { target, total, .. } = event
                    && let Some(name) = quiet.remove(&target)
                {
                    say(format_args!("{name:width$}  building: {}", count(total, "file")))?;
                }
                continue;
            }
            built = work.join_next() => built,
        };
        match built {
            None => break,
            Some(Ok((target, Ok(()), took))) => {
                say(format_args!("{:width$}  ready after {}", target.info().label(), time(took)))?
            }
            Some(Ok((target, Err(error), _))) => {
                code = NOT_BUILT;
                say(format_args!("{:width$}  not built: {error}", target.info().label()))?;
            }
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    for target in &all {
        target.shutdown().await;
    }
    Ok(code)
}
