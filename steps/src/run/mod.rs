//! The execution: a plan's scenarios through cucumber's own runner, their jobs through the farm's scheduler.
//!
//! All scenarios live in one task (cucumber's futures are bound to it), so nothing here blocks; the work is in the
//! scheduler's tasks. Events are told from hooks and steps themselves and not from cucumber's event stream, which
//! arrives late: a job's news would overtake its scenario's.

mod baseline;
mod cucumber_parts;
mod history;
mod judge;
mod resume;
mod seat;
mod stages;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_baselines;
#[cfg(test)]
mod tests_of_boards;
#[cfg(test)]
mod tests_of_resume;
#[cfg(test)]
mod tests_of_tables;
mod tried;
mod words;

use crate::plan::{Plan, PlannedScenario};
use cucumber::{Cucumber, World, cli, runner, step};
use cucumber_parts::{Discard, Feed};
use farm::{EventSink, FarmEvent, History, JobId, Judgement, Origin, Scheduler, TargetInfo, Verdict};
use futures::{FutureExt as _, future::LocalBoxFuture};
use gherkin::StepType;
pub use resume::Resume;
use seat::Seat;
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How to run a plan.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Names the run: its start in UTC and a random tail.
    pub run: String,
    /// tinyfarm's version.
    pub version: String,
    /// The command's words.
    pub command: Vec<String>,
    /// The sources it judges and the machine it is on.
    pub origin: Origin,
    /// How many scenarios at once, at least 1. They mostly wait; how many jobs run at once is the scheduler's affair.
    pub concurrency: usize,
    /// Earlier runs, with their baselines; `None` where there is no ledger.
    pub history: Option<Arc<dyn History>>,
    /// The run to go on with, in place of a new one.
    pub resume: Option<Resume>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            run: "run".to_owned(),
            version: String::new(),
            command: Vec::new(),
            origin: Origin::default(),
            concurrency: 128,
            history: None,
            resume: None,
        }
    }
}

/// What all scenarios of a run share.
pub(crate) struct Shared {
    pub scheduler: Arc<Scheduler>,
    pub sink: EventSink,
    pub cancel: CancellationToken,
    pub targets: Vec<TargetInfo>,
    pub stand_in_host: bool,
    pub require_boards: bool,
    scenarios: Vec<Arc<PlannedScenario>>,
    /// Index of a scenario by its file and line.
    by_place: HashMap<(PathBuf, usize), usize>,
    /// Which scenarios have been told of as finished.
    told: Mutex<Vec<bool>>,
    /// How many scenarios cucumber has been fed that have not ended.
    outstanding: AtomicUsize,
    hooked: AtomicBool,
    /// Earlier runs.
    history: Option<Arc<dyn History>>,
    /// Feature files whose text has been told.
    read: Mutex<HashMap<String, Arc<str>>>,
    /// Jobs whose history has been looked up.
    historied: Mutex<HashSet<JobId>>,
}

impl Shared {
    /// Tells that scenario `index` ended; only the first time counts.
    fn finish(&self, index: usize, judgement: Judgement, took: Duration) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut told[index], true) {
            return;
        }
        let (scenario, quarantine) = (self.scenarios[index].id.clone(), self.scenarios[index].quarantine.clone());
        self.sink.send(FarmEvent::ScenarioFinished { scenario, judgement, took, quarantine });
    }

    /// Cucumber silences every panic for the time of its run. Those that happen here are bugs, and are to be heard.
    fn hear_panics(&self) {
        if !self.hooked.swap(true, Ordering::Relaxed) {
            std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
        }
    }
}

/// Cucumber's world: empty until the scenario's hook has put it in its seat.
#[derive(Debug, Default)]
pub(crate) struct FarmWorld {
    seat: Option<Seat>,
}

impl World for FarmWorld {
    type Error = Infallible;

    async fn new() -> Result<Self, Infallible> {
        Ok(Self::default())
    }
}

/// The payload that unwinds a step whose verdict is no pass: cucumber's way to end a scenario. It was never a panic,
/// so no panic hook hears of it.
pub(crate) struct StepOutcome;

/// Runs `plan`. The future is bound to its thread (`block_on` it); the runtime must be tokio's.
///
/// Emits [`FarmEvent::RunStarted`] first and, once the scheduler is shut down, [`FarmEvent::RunFinished`] last. Cancelled, it
/// ends as soon as the jobs under way are given back; scenarios that had not started are *blocked*, because interrupted. How
/// it ended is in the events.
///
/// A run that goes on ([`RunOptions::resume`]) begins with what it told before, and runs only scenarios that have no verdict.
pub async fn run(
    mut plan: Plan,
    scheduler: Arc<Scheduler>,
    sink: EventSink,
    options: RunOptions,
    cancel: CancellationToken,
) {
    let started = Instant::now();
    let mut read = HashMap::new();
    match options.resume.filter(|resume| !resume.events.is_empty()) {
        None => sink.send(FarmEvent::RunStarted {
            run: options.run,
            version: options.version,
            command: options.command,
            scenarios: plan.scenarios.len(),
            origin: options.origin,
        }),
        Some(resume) => {
            read = resume.features();
            resume.replay(&mut plan.scenarios, &sink);
        }
    }
    let seen = scheduler.targets().iter().map(|target| async {
        let info = target.info().clone();
        let availability = scheduler.availability(&info.id).await;
        availability.map(|availability| FarmEvent::TargetSeen { info, availability })
    });
    futures::future::join_all(seen).await.into_iter().flatten().for_each(|event| sink.send(event));

    let count = plan.scenarios.len();
    let by_place = plan.scenarios.iter().enumerate().map(|(index, scenario)| {
        let path = scenario.feature.path.clone().unwrap_or_default();
        ((path, scenario.id.line), index)
    });
    let shared = Arc::new(Shared {
        by_place: by_place.collect(),
        scheduler,
        sink: sink.clone(),
        cancel: cancel.clone(),
        targets: plan.targets,
        stand_in_host: plan.stand_in_host,
        require_boards: plan.require_boards,
        scenarios: plan.scenarios,
        told: Mutex::new(vec![false; count]),
        outstanding: AtomicUsize::new(0),
        hooked: AtomicBool::new(false),
        history: options.history,
        read: Mutex::new(read),
        historied: Mutex::default(),
    });
    drive(&shared, options.concurrency.max(1)).await;

    // Every scenario has a verdict, even one that cucumber never came to.
    for index in 0..count {
        let reason = if cancel.is_cancelled() {
            Judgement::new(Verdict::Blocked, "interrupted")
        } else {
            Judgement::new(Verdict::Infra, "tinyfarm bug: this scenario was never run")
        };
        shared.finish(index, reason, Duration::ZERO);
    }
    // What targets do about their health after the last job belongs to the run.
    shared.scheduler.shutdown().await;
    sink.send(FarmEvent::RunFinished { interrupted: cancel.is_cancelled(), took: started.elapsed() });
}

/// Lets cucumber run all scenarios.
async fn drive(shared: &Arc<Shared>, concurrency: usize) {
    let mut steps = step::Collection::new();
    for (keyword, regex) in crate::catalogue::patterns() {
        steps = match keyword {
            StepType::Given => steps.given(None, regex, perform),
            StepType::When => steps.when(None, regex, perform),
            StepType::Then => steps.then(None, regex, perform),
        };
    }
    let (before, after) = (Arc::clone(shared), Arc::clone(shared));
    let runner = runner::Basic::default()
        .max_concurrent_scenarios(concurrency)
        // `@serial` and `@retry` mean nothing here: a scenario is never retried, its jobs are, and only for infra.
        .which_scenario(|_, _, _| runner::basic::ScenarioType::Concurrent)
        .retry_options(|_, _, _, _| None)
        .steps(steps)
        .before(move |feature, _, scenario, world: &mut FarmWorld| {
            let shared = Arc::clone(&before);
            async move {
                shared.hear_panics();
                let place = (feature.path.clone().unwrap_or_default(), scenario.position.line);
                let Some(index) = shared.by_place.get(&place).copied() else {
                    tracing::error!("cucumber runs a scenario that was not planned: {}:{}", place.0.display(), place.1);
                    return;
                };
                let planned = Arc::clone(&shared.scenarios[index]);
                let seat = world.seat.insert(Seat::new(shared, index, planned));
                if seat.interrupted() {
                    std::panic::resume_unwind(Box::new(StepOutcome));
                }
            }
            .boxed_local()
        })
        .after(move |_, _, _, _, world| {
            after.outstanding.fetch_sub(1, Ordering::Relaxed);
            if let Some(seat) = world.and_then(|world| world.seat.take()) {
                seat.leave();
            }
            futures::future::ready(()).boxed_local()
        });
    // Enough that cucumber always has the next scenario at hand; see `Feed`.
    let feed = Feed { window: 4 * concurrency };
    Cucumber::<FarmWorld, _, _, _, _, cli::Empty>::custom(feed, runner, Discard)
        .with_cli(cli::Opts::<cli::Empty, runner::basic::Cli, cli::Empty>::default())
        .run(Arc::clone(shared))
        .await;
}

/// Every step of the vocabulary: understood once more from its words, then done.
fn perform(world: &mut FarmWorld, context: step::Context) -> LocalBoxFuture<'_, ()> {
    async move {
        let passed = match world.seat.as_mut() {
            Some(seat) => seat.step(&context.step).await,
            None => false,
        };
        if !passed {
            std::panic::resume_unwind(Box::new(StepOutcome));
        }
    }
    .boxed_local()
}
