//! What the tests on simulated boards share: a bench with one board on it, and jobs for it.
#![allow(clippy::unwrap_used, dead_code, missing_docs)]

use boards::{
    BoardOptions, News,
    board::{Board, boards},
    definition::Definitions,
    health::Policy,
    lease::Leases,
};
use farm::{
    Dataset, FarmEvent, Handshake, Inference, JobSpec, Model, Session, Target, TargetError, Timeouts, dataset::Truth,
};
use firmware::{Builder, tflm};
use simulated_board::{Event, Events, Options, PlannedFault, SimulatedBoard};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, mpsc},
    time::Duration,
};
use tempfile::TempDir;

/// Compiled runners are kept here from one test run to the next.
pub fn cache() -> PathBuf {
    env::var_os("TINYFARM_CACHE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tinyfarm")), PathBuf::from)
}

pub static BUILDER: LazyLock<Arc<Builder>> =
    LazyLock::new(|| Arc::new(Builder::new(&cache(), tflm::locate().unwrap(), 4)));

/// A bench with a simulated board `SIM-1` on it, and the farm's view of it.
pub struct Lab {
    pub board: Arc<Board>,
    // Before the folder that it stands in.
    pub simulated: SimulatedBoard,
    pub events: mpsc::Receiver<Event>,
    pub news: Arc<Mutex<Vec<FarmEvent>>>,
    pub folder: TempDir,
}

/// A board of `kind` with `more` lines in its definition, and with these faults to come.
pub fn lab(kind: &str, more: &str, faults: &[&str]) -> Lab {
    let machine = kind.strip_prefix("sim-").unwrap();
    lab_of(machine, &format!("kind = \"{kind}\"\n{more}"), faults)
}

/// A board with this definition, played by `machine`.
pub fn lab_of(machine: &str, definition: &str, faults: &[&str]) -> Lab {
    let folder = boards::sockets::folder("tinyfarm-lab-").unwrap();
    let bench = folder.path().join("bench");
    let (simulated, events) = play(machine, &bench, faults);
    let news = Arc::new(Mutex::new(Vec::new()));
    let definition = format!("probe = \"SIM-1\"\n{}", with_uart(folder.path(), definition));
    let board = board_of(folder.path(), &definition, &news);
    Lab { board, simulated, events, news, folder }
}

/// A simulated board that is switched on.
pub fn play(machine: &str, bench: &Path, faults: &[&str]) -> (SimulatedBoard, mpsc::Receiver<Event>) {
    let (hear, events) = Events::channel();
    let options = Options {
        faults: faults.iter().map(|fault| fault.parse::<PlannedFault>().unwrap()).collect(),
        events: hear,
        ..Options::new(machine, "SIM-1", "place-1", bench)
    };
    (SimulatedBoard::start(options).unwrap(), events)
}

/// Another view of the board, by the same farm or another.
pub fn board(folder: &Path, kind: &str, more: &str, news: &Arc<Mutex<Vec<FarmEvent>>>) -> Arc<Board> {
    board_of(folder, &format!("kind = \"{kind}\"\n{more}"), news)
}

/// The board that a definition means.
pub fn board_of(folder: &Path, definition: &str, news: &Arc<Mutex<Vec<FarmEvent>>>) -> Arc<Board> {
    let definitions = folder.join("boards");
    fs::create_dir_all(&definitions).unwrap();
    fs::write(definitions.join("one.toml"), format!("{definition}\n")).unwrap();
    let hear = news.clone();
    let options = BoardOptions {
        definitions: Definitions::load(&[definitions]).unwrap(),
        builder: BUILDER.clone(),
        bench: folder.join("bench"),
        leases: Leases::new(folder.join("leases")),
        state: folder.join("state"),
        policy: Policy::default(),
        run: None,
        news: News::new(move |event| hear.lock().unwrap().push(event)),
        simulator: None,
    };
    boards(options).unwrap().into_iter().find(|board| board.info().id.0 == "one").unwrap()
}

/// A definition with the board's serial port in it.
fn with_uart(folder: &Path, definition: &str) -> String {
    definition.replace("UART", &folder.join("bench/place-1.uart").display().to_string())
}

impl Lab {
    /// A definition with the board's serial port in it.
    pub fn with_uart(&self, definition: &str) -> String {
        with_uart(self.folder.path(), definition)
    }

    /// What the simulated board told since the last time.
    pub fn told(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    /// The faults that were shown since the last time.
    pub fn shown(&self) -> Vec<String> {
        let shown = |event| match event {
            Event::FaultShown { fault } => Some(fault.to_string()),
            _ => None,
        };
        self.told().into_iter().filter_map(shown).collect()
    }

    /// Bytes erased and programmed since the last time.
    pub fn written(&self) -> (u32, u32) {
        self.told().into_iter().fold((0, 0), |(erased, programmed), event| match event {
            Event::Erased { bytes, .. } => (erased + bytes, programmed),
            Event::Programmed { bytes, .. } => (erased, programmed + bytes),
            _ => (erased, programmed),
        })
    }
}

pub fn model(name: &str) -> Arc<Model> {
    let path = firmware::tfmicro_dir().unwrap().join(format!("examples/models/{name}.tflite"));
    Arc::new(Model::load(name, &path).unwrap())
}

/// `count` floats from 0 to 2π, one each.
pub fn sine(count: usize) -> Vec<Vec<u8>> {
    let step = std::f32::consts::TAU / count as f32;
    (0..count).map(|index| (index as f32 * step).to_le_bytes().to_vec()).collect()
}

pub fn job(model: &Arc<Model>, inputs: Vec<Vec<u8>>) -> JobSpec {
    let names = (0..inputs.len()).map(|index| format!("sample {index}")).collect();
    let dataset = Dataset::new("test", names, inputs, Truth::Unknown, model).unwrap();
    JobSpec {
        model: model.clone(),
        dataset: Arc::new(dataset),
        target: "one".into(),
        alternates: Vec::new(),
        arena_limit: None,
        // Debug builds on a busy machine: only a hang gets near these.
        timeouts: Timeouts {
            open: Duration::from_secs(120),
            infer: Duration::from_secs(120),
            close: Duration::from_secs(30),
        },
        retries: 0,
        own_firmware: false,
        rerun: 0,
    }
}

/// What a job brought.
pub type Brought = (Handshake, Vec<Inference>, String);

/// A whole job: reserve, open, infer, close, after.
pub async fn run(target: &dyn Target, job: &JobSpec) -> Result<Brought, TargetError> {
    target.prepare().await?;
    let _reserved = target.reserve().await?;
    let result = attempt(target, job).await;
    target.after(result.as_ref().map(|_| ())).await;
    result
}

async fn attempt(target: &dyn Target, job: &JobSpec) -> Result<Brought, TargetError> {
    let mut session = target.open(job).await?;
    let inferences = tokio::time::timeout(job.timeouts.infer, session.infer(job.dataset.inputs(), &|_| ())).await;
    let inferences = match inferences {
        Ok(inferences) => inferences,
        Err(_) => Err(late(&mut *session).await),
    };
    let brought = (session.handshake().clone(), session.log());
    session.close().await;
    let (handshake, log) = brought;
    inferences.map(|inferences| (handshake, inferences, log.clone())).inspect_err(|error| eprintln!("{error}\n{log}"))
}

/// As the scheduler asks.
async fn late(session: &mut dyn Session) -> TargetError {
    let (why, standing) = (session.why_late().await, session.standing());
    let log = session.log();
    match why {
        Some(why) => why,
        None if standing.partial.is_some() || standing.garbage > 0 => TargetError::Bench(format!("{standing:?}")),
        None => TargetError::Blocked(format!("hung: {standing:?}\n{log}")),
    }
}
