//! How the board stage is set up, and the boards that come of it.

use super::Board;
use crate::{
    chip::ChipError,
    definition::{Definition, Definitions},
    health::Policy,
    lease::Leases,
};
use async_trait::async_trait;
use farm::{Availability, FarmEvent, Target, TargetError};
use firmware::Builder;
use std::{any::Any, fmt, path::PathBuf, sync::Arc};

/// How the board stage is set up.
#[derive(Clone)]
pub struct BoardOptions {
    /// The boards there are, with their chips.
    pub definitions: Definitions,
    /// Builds the runner for each.
    pub builder: Arc<Builder>,
    /// Folder of the simulated bench; it need not exist.
    pub bench: PathBuf,
    /// Who has which board.
    pub leases: Leases,
    /// Folder of the boards' histories: [`crate::health::default_folder`].
    pub state: PathBuf,
    /// When a board is no longer trusted.
    pub policy: Policy,
    /// The run, for those who wait for a board that it holds.
    pub run: Option<String>,
    /// Is told of flashing and of a board's health.
    pub news: News,
    /// Starts simulated boards; `None`: boards that would have to be started are absent.
    pub simulator: Option<Arc<dyn Simulator>>,
}

/// Is told what happens on a board.
#[derive(Clone)]
pub struct News(Arc<dyn Fn(FarmEvent) + Send + Sync>);

impl News {
    /// `hear` is called on whatever thread it happens; it must not block.
    pub fn new(hear: impl Fn(FarmEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// Tells of `event`.
    pub fn tell(&self, event: FarmEvent) {
        (self.0)(event);
    }
}

impl Default for News {
    /// Nobody is told.
    fn default() -> Self {
        Self::new(drop)
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("News")
    }
}

/// Starts a board made of software for a definition that names a machine and no probe. The program has one: this crate
/// knows no simulator.
#[async_trait]
pub trait Simulator: Send + Sync {
    /// Whether such a board can be started here, by which tool; else why not, with the mend.
    async fn availability(&self, definition: &Definition) -> Availability;

    /// Starts one. It ends when the guard is dropped.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where it cannot be started.
    async fn start(&self, definition: &Definition) -> Result<SimulatedBoard, TargetError>;
}

/// A simulated board that was started for this run.
pub struct SimulatedBoard {
    /// Its probe, as probe-rs selects it.
    pub selector: String,
    /// Its serial port.
    pub uart: Option<PathBuf>,
    /// Ends it.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for SimulatedBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedBoard").field("selector", &self.selector).finish_non_exhaustive()
    }
}

/// Every board that the definitions have, whether it is attached or not: [`Target::availability`] tells.
///
/// # Errors
/// [`ChipError`] where a board's chip is not known or has no room for the runner.
pub fn targets(options: BoardOptions) -> Result<Vec<Arc<dyn Target>>, ChipError> {
    Ok(boards(options)?.into_iter().map(|board| board as Arc<dyn Target>).collect())
}

/// The same, as what they are.
///
/// # Errors
/// As [`targets`].
pub fn boards(options: BoardOptions) -> Result<Vec<Arc<Board>>, ChipError> {
    let options = Arc::new(options);
    let board = |definition: &Definition| Board::new(definition.clone(), options.clone()).map(Arc::new);
    options.definitions.boards.iter().map(board).collect()
}
