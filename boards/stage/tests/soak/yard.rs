//! Equal simulated boards side by side on one bench, each with a log of what happened to it, and the farm's view of them.
//! The benchmarks (`benches/numbers/boards/`) have them from here as well.

use boards::{
    BoardOptions, News,
    board::{Board, boards},
    definition::Definitions,
    health::Policy,
    lease::Leases,
};
use farm::{FarmEvent, TargetId};
use firmware::Builder;
use jiff::Timestamp;
use simulated_board::{Event, Events, Options, SimulatedBoard};
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;

/// What goes wrong ends the whole, in whatever words it comes.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// QEMU's machine behind every board.
pub const MACHINE: &str = "netduinoplus2";

/// What happened to a simulated board, and when.
pub type Log = Arc<Mutex<Vec<(Timestamp, Event)>>>;

/// One of the boards.
pub struct Stand {
    /// Its name as a target.
    pub name: TargetId,
    /// Its place on the bench.
    pub place: String,
    /// The board itself.
    pub board: SimulatedBoard,
    /// What happened to it.
    pub log: Log,
}

impl Stand {
    /// What happened so far.
    pub fn happened(&self) -> Vec<(Timestamp, Event)> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its definition, with more lines.
    pub fn definition(&self, more: &str) -> String {
        format!("kind = \"sim-{MACHINE}\"\nprobe = \"{}\"\n{more}\n", self.name)
    }
}

/// Boards that are switched on. They go with this, and then their folder.
pub struct Yard {
    /// In their order: `sim-1`, `sim-2` and so on.
    pub stands: Vec<Stand>,
    folder: TempDir,
}

impl Yard {
    /// Switches on `count` boards.
    pub fn open(count: usize) -> Result<Self> {
        let folder = boards::sockets::folder("tinyfarm-yard-")?;
        let bench = folder.path().join("bench");
        let stand = |number: usize| {
            let (name, place) = (format!("sim-{number}"), format!("place-{number}"));
            let log = Log::default();
            let hear = log.clone();
            let events = Events::new(move |event| {
                hear.lock().unwrap_or_else(PoisonError::into_inner).push((Timestamp::now(), event));
            });
            let options = Options { events, ..Options::new(MACHINE, &name, &place, &bench) };
            let board = SimulatedBoard::start(options)?;
            Ok(Stand { name: TargetId(name), place, board, log })
        };
        Ok(Self { stands: (1..=count).map(stand).collect::<Result<_>>()?, folder })
    }

    /// The bench that they stand on.
    pub fn bench(&self) -> PathBuf {
        self.folder.path().join("bench")
    }

    /// The leases of its boards.
    pub fn leases(&self) -> Leases {
        Leases::new(self.folder.path().join("leases"))
    }

    /// The boards' histories.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The leases that somebody has.
    pub fn held(&self) -> Result<Vec<PathBuf>> {
        let mut held = Vec::new();
        for lease in fs::read_dir(self.leases().folder())? {
            let path = lease?.path();
            if fs::File::open(&path)?.try_lock().is_err() {
                held.push(path);
            }
        }
        Ok(held)
    }

    /// The farm's view of them. `power` gives the command that switches the power of the board at a place, where there is
    /// one; `hear` is told of flashing and health.
    pub fn boards(
        &self,
        builder: &Arc<Builder>,
        power: &dyn Fn(&Path, &str) -> Option<Vec<String>>,
        hear: impl Fn(FarmEvent) + Send + Sync + 'static,
    ) -> Result<Vec<Arc<Board>>> {
        let definitions = self.folder.path().join("boards");
        fs::create_dir_all(&definitions)?;
        for stand in &self.stands {
            let power = power(&self.bench(), &stand.place);
            let power = power.map_or(String::new(), |cycle| format!("[power]\ncycle = {cycle:?}"));
            fs::write(definitions.join(format!("{}.toml", stand.name)), stand.definition(&power))?;
        }
        let all = boards(BoardOptions {
            definitions: Definitions::load(&[definitions])?,
            builder: builder.clone(),
            bench: self.bench(),
            leases: self.leases(),
            state: self.state(),
            // A board that failed its health check is looked at again before the run is over.
            policy: Policy { recheck_after: Duration::from_secs(1), ..Policy::default() },
            run: None,
            news: News::new(hear),
            simulator: None,
        })?;
        let ours =
            |board: &Arc<Board>| self.stands.iter().any(|stand| farm::Target::info(board.as_ref()).id == stand.name);
        Ok(all.into_iter().filter(ours).collect())
    }
}
