//! hello_world jobs on a board, one after the other: attach, flash, 100 inferences; and the same where nothing has to be
//! flashed. Through the scheduler and the board stage, and by the bare loop, in turn and on the same board.

use super::{
    bare::{self, BareJob},
    yard::Yard,
};
use crate::{
    Result,
    figures::{Rounds, seconds, verdict},
    project::{Project, SAMPLES, builder, library, runtime},
};
use farm::{EventSink, JobSpec, Scheduler, Target, Timeouts, Verdict, scheduler::SchedulerOptions};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 10;
/// Warm jobs a round, for each first one.
const WARM: usize = 10;

pub fn measure() -> Result {
    let project = Project::new()?;
    let names = project.sines(ROUNDS * (1 + WARM), "on any board")?;
    let library = library()?;
    let model = library.model("hello_world", project.path())?;
    let yard = Yard::open(1)?;
    let selector = &yard.stands[0].board.record().selector;
    let runtime = runtime()?;
    let board = yard.boards(&Arc::new(builder()?), &|_, _| None, drop)?.remove(0);
    let port = board.port().ok_or("the board has no port")?;
    let firmware = runtime.block_on(builder()?.build(port))?;

    let (sink, _events) = EventSink::channel();
    let target = board.info().id.clone();
    let _inside = runtime.enter();
    let scheduler = Scheduler::new(vec![board], SchedulerOptions::default(), sink, CancellationToken::new());
    let specs = names.iter().map(|name| {
        Ok(JobSpec {
            model: model.clone(),
            dataset: library.dataset(name, project.path(), &model)?,
            target: target.clone(),
            alternates: Vec::new(),
            arena_limit: None,
            timeouts: Timeouts::default(),
            retries: 0,
            own_firmware: false,
            rerun: 0,
        })
    });
    let mut specs = specs.collect::<Result<Vec<JobSpec>>>()?.into_iter();
    let farm = |spec: JobSpec| {
        seconds(|| {
            let result = runtime.block_on(scheduler.run(spec));
            let judgement = &result.report.judgement;
            if judgement.verdict == Verdict::Pass { Ok(()) } else { Err(judgement.to_string()) }
        })
    };
    let bare = |spec: &JobSpec, flash: bool| -> Result<f64> {
        let job = BareJob::new(&firmware, &spec.model, &spec.dataset)?;
        seconds(|| job.run(selector, flash))
    };
    println!("  {ROUNDS} rounds of one first and {WARM} warm jobs, {SAMPLES} inferences each, one at a time");
    let mut all: [[Rounds; 3]; 2] = Default::default();
    for _ in 0..ROUNDS {
        for job in 0..=WARM {
            let (spec, first) = (specs.next().ok_or("there are too few jobs")?, job == 0);
            let [bares, farms, ratios] = &mut all[usize::from(!first)];
            if first {
                bare::erase(selector)?;
            }
            let by_bare = bare(&spec, first)?;
            if first {
                bare::erase(selector)?;
            }
            let by_farm = farm(spec)?;
            bares.add(1e3 * by_bare);
            farms.add(1e3 * by_farm);
            ratios.add(by_bare / by_farm);
        }
    }
    runtime.block_on(scheduler.shutdown());
    for (what, [bares, farms, ratios]) in ["first", "warm"].into_iter().zip(&all) {
        println!("  {what}: bare loop {bares:.0} ms, tinyfarm {farms:.0} ms, ratio {ratios:.2}");
    }
    verdict("a ratio of 0.8, warm", all[1][2].median() >= 0.8);
    Ok(())
}
