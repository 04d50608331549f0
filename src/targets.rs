//! Where targets are gathered: one line for each kind.

use crate::{
    config::{Config, cores},
    simulator::Simulations,
};
use boards::{BoardOptions, News, board::Board, definition::Definitions};
use farm::{FarmEvent, Library, Target, TargetId, TargetInfo};
use firmware::{Builder, Progress};
use miette::IntoDiagnostic as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

/// Every target of this farm, whether it can be used or not; in the order of the stages. `run` names the run, and `hear`
/// is told of runners that are compiled, of boards that are flashed, and how boards are.
///
/// # Errors
/// The source of TFLM is not to be had, without which no target has a runner; a definition of a board is wrong.
pub fn gather(
    config: &Config,
    run: &str,
    hear: impl Fn(FarmEvent) + Send + Sync + 'static,
) -> miette::Result<Vec<Arc<dyn Target>>> {
    let news = News::new(hear);
    let builder = builder(config, news.clone())?;
    let container = containers::ContainerOptions {
        runner: config.runner.program.clone(),
        connections: config.connections(),
        publish: config.container.publish,
        ..containers::ContainerOptions::new(run, builder.builder.as_ref().clone())
    };
    let emulators = emulators::EmulatorOptions {
        qemu: config.qemu.program.clone(),
        renode: config.renode.program.clone(),
        portable_renode: config.cache.join("renode"),
        builder: builder.builder.clone(),
    };
    let boards = boards::board::boards(board_options(config, Some(run), builder.builder.clone(), news)?);
    let boards = boards.into_diagnostic()?;

    let mut waiting = vec![("host".to_owned(), "container".into()), ("host".to_owned(), "host".into())];
    let machines = emulators::machines(&emulators);
    let platforms = emulators::renode::platforms(&emulators);
    waiting.extend(machines.iter().map(|machine| (machine.port().name.clone(), machine.info().id.clone())));
    waiting.extend(platforms.iter().map(|platform| (platform.port().name.clone(), platform.info().id.clone())));
    waiting.extend(boards.iter().filter_map(|board| Some((board.port()?.name.clone(), board.info().id.clone()))));
    // Nothing was built yet, so nobody has been told anything.
    let _ = builder.waiting.set(waiting);

    let mut targets = containers::targets(&container);
    targets.extend(machines.into_iter().map(|machine| machine as Arc<dyn Target>));
    targets.extend(platforms.into_iter().map(|platform| platform as Arc<dyn Target>));
    targets.extend(boards.into_iter().map(|board| board as Arc<dyn Target>));
    Ok(targets)
}

/// Every board, for those who look after them; of what happens on them nobody is told.
///
/// # Errors
/// As [`gather`].
pub fn boards(config: &Config) -> miette::Result<Vec<Arc<Board>>> {
    let builder = builder(config, News::default())?.builder;
    boards::board::boards(board_options(config, None, builder, News::default())?).into_diagnostic()
}

/// How the board stage is set up.
///
/// # Errors
/// A definition of a board is wrong.
fn board_options(
    config: &Config,
    run: Option<&str>,
    builder: Arc<Builder>,
    news: News,
) -> miette::Result<BoardOptions> {
    Ok(BoardOptions {
        definitions: Definitions::load(&config.boards.folders).into_diagnostic()?,
        builder,
        bench: config.bench(),
        leases: config.leases(),
        state: config.state(),
        policy: config.policy(),
        run: run.map(str::to_owned),
        news,
        simulator: Some(Arc::new(Simulations::new(config))),
    })
}

/// A builder, and which targets wait for the runner of which port: set once they are known.
struct Building {
    builder: Arc<Builder>,
    waiting: Arc<OnceLock<Vec<(String, TargetId)>>>,
}

/// Builds runners into the cache, and tells each target that waits for one.
fn builder(config: &Config, news: News) -> miette::Result<Building> {
    let tflm = firmware::tflm::locate().into_diagnostic()?;
    let waiting: Arc<OnceLock<Vec<(String, TargetId)>>> = Arc::default();
    let known = waiting.clone();
    let builder = Builder::new(&config.cache, tflm, cores()).with_progress(move |Progress { port, done, total }| {
        for (_, target) in known.get().into_iter().flatten().filter(|(wanted, _)| *wanted == port) {
            news.tell(FarmEvent::Building { target: target.clone(), done, total });
        }
    });
    Ok(Building { builder: Arc::new(builder), waiting })
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
