//! Simulated boards that the farm starts for itself: a definition says `simulated` and names no probe.

use crate::config::Config;
use async_trait::async_trait;
use boards::{SimulatedBoard, Simulator, definition::Definition};
use emulators::engine::Engines;
use farm::{Availability, TargetError};
use simulated_board::{self as board, Options, StartError};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Where on its bench such a board stands.
const PLACE: &str = "board";

/// Starts simulated boards, each on a bench of its own.
pub struct Simulations {
    engines: Engines,
    qemu: Option<PathBuf>,
    /// Holds a bench for each board, where what was flashed stays from run to run.
    folder: PathBuf,
}

impl Simulations {
    /// With the QEMU and the cache that the configuration names.
    pub fn new(config: &Config) -> Self {
        let qemu = config.qemu.program.clone();
        Self { engines: Engines::new(qemu.clone()), qemu, folder: config.cache.join("simulated") }
    }
}

/// Dropped in this order: first the board, then the bench it stood on.
struct Played {
    board: board::SimulatedBoard,
    _passing: Option<TempDir>,
}

/// Starts a board on its lasting bench; on a passing one where another run has that, or where its path is too long for a
/// socket.
fn play(machine: &str, name: &str, lasting: &Path, qemu: Option<PathBuf>) -> Result<Played, StartError> {
    let start = |bench: &Path| {
        board::SimulatedBoard::start(Options { qemu: qemu.clone(), ..Options::new(machine, name, PLACE, bench) })
    };
    match start(lasting) {
        Ok(board) => Ok(Played { board, _passing: None }),
        Err(StartError::Bench(error)) => {
            tracing::debug!("a passing bench for {name}: {error}");
            let passing = boards::sockets::folder("tinyfarm-bench-")?;
            start(passing.path()).map(|board| Played { board, _passing: Some(passing) })
        }
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Simulator for Simulations {
    async fn availability(&self, definition: &Definition) -> Availability {
        let machine = definition.simulated.as_deref().unwrap_or_default();
        match self.engines.find_for(machine).await {
            Ok(engine) => Availability::Ready { tool: format!("QEMU {} behind a simulated probe", engine.version) },
            Err(error) => Availability::Absent { reason: error.to_string() },
        }
    }

    async fn start(&self, definition: &Definition) -> Result<SimulatedBoard, TargetError> {
        let (machine, name) = (definition.simulated.clone().unwrap_or_default(), definition.name.clone());
        let (lasting, qemu) = (self.folder.join(&name), self.qemu.clone());
        let blocked = |error: &dyn fmt::Display| {
            TargetError::Blocked(format!("the simulated board could not be started: {error}"))
        };
        let played = tokio::task::spawn_blocking(move || play(&machine, &name, &lasting, qemu)).await;
        let played = played.map_err(|error| blocked(&error))?.map_err(|error| blocked(&error))?;
        let record = played.board.record();
        // The link, for the port may change its name.
        let uart = Some(record.control.with_extension("uart"));
        Ok(SimulatedBoard { selector: record.selector.clone(), uart, guard: Box::new(played) })
    }
}
