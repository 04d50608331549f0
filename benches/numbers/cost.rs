//! What the farm adds to a job. Scenarios run one at a time in this process, as `tinyfarm run` does it (plan, cucumber,
//! scheduler, judging, all reports), on a real emulator behind a stopwatch that says how long the job had its target. The
//! rest of the scenario's time is the farm's. The bare loop starts the same QEMUs, one at a time, a few after each few
//! scenarios: what the target's own Rust adds to them shows in the difference, as far as noise lets it.

use crate::{
    Result,
    bare::BareJob,
    figures::{Rounds, seconds, verdict},
    project::{Project, emulators, library, runtime},
};
use async_trait::async_trait;
use emulators::Qemu;
use farm::{
    Availability, EventSink, FarmEvent, Footprint, Handshake, Inference, JobSpec, Library, Scheduler, Session, Stamped,
    Target, TargetError, TargetInfo, scheduler::SchedulerOptions, target::Standing,
};
use reports::{
    Account, Console, ReportError, ReportFolder, Reporter, collect,
    json::{EvidenceLines, ReportJson},
    junit::JUnit,
};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use steps::{Plan, PlanOptions, RunOptions, run};
use tokio_util::sync::CancellationToken;

const MACHINE: &str = "qemu:mps2-an386";
const JOBS: usize = 25;
const ROUNDS: usize = 8;

/// Milliseconds, in the order in which they were taken.
type Times = Arc<Mutex<Vec<f64>>>;

fn note(times: &Times, time: Duration) {
    times.lock().unwrap_or_else(PoisonError::into_inner).push(time.as_secs_f64() * 1e3);
}

fn noted(times: &Times) -> Vec<f64> {
    times.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub fn measure() -> Result {
    let machine = emulators()?.remove(MACHINE).ok_or("no such machine")?;
    let runtime = runtime()?;
    let launch = Arc::new(runtime.block_on(machine.launch())?);
    let (on_target, scenarios) = (Times::default(), Times::default());
    let (mut bare, mut whole) = (Vec::new(), 0.0);
    for _ in 0..ROUNDS {
        let project = Project::new()?;
        let names = project.sines(JOBS, &format!("on the emulator \"{MACHINE}\""))?;
        let library = library()?;
        let target = Arc::new(Stopwatch { target: machine.clone(), times: on_target.clone() });
        whole += 1e3 * seconds(|| runtime.block_on(farm(&project, &library, target, &scenarios)))?;
        let model = library.model("hello_world", project.path())?;
        for name in names {
            let job = BareJob::new(&launch, &model, library.dataset(&name, project.path(), &model)?.as_ref());
            bare.push(1e3 * seconds(|| job.run())?);
        }
    }
    let (on_target, scenarios) = (noted(&on_target), noted(&scenarios));
    let count = ROUNDS * JOBS;
    if (on_target.len(), scenarios.len()) != (count, count) {
        return Err(format!("{} jobs and {} scenarios of {count} passed", on_target.len(), scenarios.len()).into());
    }
    let around: Rounds = scenarios.iter().zip(&on_target).map(|(scenario, target)| scenario - target).collect();
    let outside = (whole - scenarios.iter().sum::<f64>()) / count as f64;
    let [bare, on_target, scenarios] = [bare, on_target, scenarios].map(Rounds::from_iter);
    println!("  {count} jobs on {MACHINE}, one at a time; medians (least to greatest)");
    println!("  bare loop {bare:.1} ms; open, infer and close {on_target:.1} ms; the whole scenario {scenarios:.1} ms");
    println!("  ratio of bare loop to scenario {:.2}", bare.median() / scenarios.median());
    println!(
        "  the farm around the target: median {:.2} ms, p90 {:.2} ms; and outside the scenario (plan, reports), on \
         average {outside:.2} ms",
        around.median(),
        around.quantile(0.9)
    );
    println!("  the target's own Rust, against the bare loop: {:+.1} ms", on_target.median() - bare.median());
    verdict("2 ms in the median, plan and reports included", around.median() + outside <= 2.0);
    Ok(())
}

/// What `tinyfarm run` does between its command line and its exit code.
async fn farm(project: &Project, library: &Library, target: Arc<dyn Target>, scenarios: &Times) -> Result {
    let options = PlanOptions::default();
    let plan = Plan::new(&[project.path().join("test.feature")], &options, library, &[target.info().clone()])
        .map_err(|errors| errors.render(110, false))?;
    let folder = ReportFolder::create(&project.path().join("report"))?;
    let reporters: Vec<Box<dyn Reporter>> = vec![
        Box::new(JUnit::new(&folder)),
        Box::new(EvidenceLines::new(&folder)),
        Box::new(ReportJson::new(&folder)),
        Box::new(Console::new(Box::new(io::sink()), false, 0)),
        Box::new(Took(scenarios.clone())),
    ];
    let cancel = CancellationToken::new();
    let (sink, events) = EventSink::channel();
    let reporting = tokio::spawn(collect(events, reporters));
    let options = SchedulerOptions { jobs: 1, ..SchedulerOptions::default() };
    let scheduler = Arc::new(Scheduler::new(vec![target], options, sink.clone(), cancel.clone()));
    let options = RunOptions { concurrency: 1, ..RunOptions::default() };
    run(plan, scheduler.clone(), sink, options, cancel).await;
    scheduler.shutdown().await;
    drop(scheduler);
    let tally = reporting.await?.tally;
    if tally.pass == JOBS { Ok(()) } else { Err(format!("not all scenarios passed: {tally:?}").into()) }
}

/// Notes how long scenarios took.
struct Took(Times);

impl Reporter for Took {
    fn name(&self) -> &str {
        "stopwatch"
    }

    fn on(&mut self, event: &Stamped, _: &Account) -> std::result::Result<(), ReportError> {
        if let FarmEvent::ScenarioFinished { took, .. } = &event.event {
            note(&self.0, *took);
        }
        Ok(())
    }

    fn finish(&mut self, _: &Account) -> std::result::Result<(), ReportError> {
        Ok(())
    }
}

/// A machine that notes how long each job is in its hands.
#[derive(Debug)]
struct Stopwatch {
    target: Arc<Qemu>,
    times: Times,
}

struct Watched {
    session: Box<dyn Session>,
    times: Times,
    so_far: Duration,
}

#[async_trait]
impl Target for Stopwatch {
    fn info(&self) -> &TargetInfo {
        self.target.info()
    }

    async fn availability(&self) -> Availability {
        self.target.availability().await
    }

    async fn prepare(&self) -> std::result::Result<(), TargetError> {
        self.target.prepare().await
    }

    async fn open(&self, job: &JobSpec) -> std::result::Result<Box<dyn Session>, TargetError> {
        let begun = Instant::now();
        let session = self.target.open(job).await?;
        Ok(Box::new(Watched { session, times: self.times.clone(), so_far: begun.elapsed() }))
    }
}

#[async_trait]
impl Session for Watched {
    fn handshake(&self) -> &Handshake {
        self.session.handshake()
    }

    fn footprint(&self) -> Option<Footprint> {
        self.session.footprint()
    }

    async fn infer(
        &mut self,
        inputs: &[Vec<u8>],
        progress: &(dyn Fn(usize) + Send + Sync),
    ) -> std::result::Result<Vec<Inference>, TargetError> {
        let begun = Instant::now();
        let inferences = self.session.infer(inputs, progress).await;
        self.so_far += begun.elapsed();
        inferences
    }

    fn log(&self) -> String {
        self.session.log()
    }

    fn standing(&self) -> Standing {
        self.session.standing()
    }

    async fn close(self: Box<Self>) {
        let begun = Instant::now();
        self.session.close().await;
        note(&self.times, self.so_far + begun.elapsed());
    }
}
