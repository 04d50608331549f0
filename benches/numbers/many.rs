//! Ten thousand scenarios in one run, each with a job of its own (100 inferences on the target `host`, a process for each
//! job): what memory the program takes at most, and whether a scenario takes more CPU time at the end than at the
//! beginning. (Time on the wall is told too; it is one's neighbours' as well.) The bare loop opens, infers and closes on
//! the same target, without scheduler, Gherkin, judging and reports.

use crate::{
    Result,
    facts::field,
    figures::{Rounds, verdict},
    project::{Project, builder, cores, library, runtime},
};
use containers::ContainerOptions;
use farm::{JobSpec, Target, Timeouts};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const SCENARIOS: usize = 10_000;
const PART: usize = 1000;
const TARGET: &str = "host";

pub fn measure() -> Result {
    let project = Project::new()?;
    let names = project.sines(SCENARIOS, "on the host")?;
    let before = bare_rate(&project, &names[..PART])?;
    let child = project
        .tinyfarm(&["run", "test.feature", "--report", "report", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let Ran { began, ends, cpu, peak } = watch(child)?;
    if ends.len() != SCENARIOS {
        return Err(format!("{} of {SCENARIOS} scenarios passed", ends.len()).into());
    }
    let after = bare_rate(&project, &names[..PART])?;

    let mut last = began;
    let mut rates = Vec::new();
    for part in ends.chunks(PART) {
        let end = part[part.len() - 1];
        rates.push(part.len() as f64 / end.duration_since(last).as_secs_f64());
        last = end;
    }
    // From the first thousand on: what the program did before the first scenario, the plan, is not in it.
    let cpu: Vec<f64> = cpu.windows(2).map(|ticks| (ticks[1] - ticks[0]) * 10.0 / PART as f64).collect();
    let (early, late): (f64, f64) = (cpu[..3].iter().sum(), cpu[cpu.len() - 3..].iter().sum());
    let list = |values: &[f64], places: usize| {
        values.iter().map(|value| format!("{value:.places$}")).collect::<Vec<_>>().join(" ")
    };
    let all: Rounds = rates.iter().copied().collect();
    println!("  bare loop over {PART} of the jobs: {before:.0} scenarios/s before, {after:.0} after the run");
    println!("  tinyfarm, scenarios/s for each thousand: {}", list(&rates, 0));
    println!("  ratio to the bare loop {:.2}", all.median() / ((before + after) / 2.0));
    println!("  CPU time a scenario, from the second thousand to the last, ms: {}", list(&cpu, 2));
    println!("  peak memory {peak} MB (VmHWM)");
    verdict("under 512 MB", peak < 512);
    println!("  CPU time of the last three thousand to that of the first three listed: {:.2}", late / early);
    verdict("no slowdown per scenario (at most 1.1)", late / early <= 1.1);
    Ok(())
}

/// What was seen of the run.
struct Ran {
    /// When the first scenario started.
    began: Timestamp,
    /// When each scenario that passed did.
    ends: Vec<Timestamp>,
    /// CPU time so far of the program and its children, 10 ms each, after each thousand scenarios.
    cpu: Vec<f64>,
    /// The program's peak memory, MB.
    peak: u64,
}

/// Watches a run that tells its events.
fn watch(mut child: Child) -> Result<Ran> {
    let process = child.id();
    let status = format!("/proc/{process}/status");
    // Sampled, for a process that has ended does not tell any more; the peak never falls.
    let watch = thread::spawn(move || {
        let mut peak = 0;
        while let Some(text) = field(&status, "VmHWM") {
            peak = text.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(peak);
            thread::sleep(Duration::from_millis(20));
        }
        peak * 1024 / 1_000_000
    });
    let lines = BufReader::new(child.stdout.take().ok_or("its output is piped")?).lines();
    let (mut began, mut ends, mut cpu) = (None, Vec::new(), Vec::new());
    for line in lines {
        let line = line?;
        let is = |event: &str| line.contains(&format!("\"event\":\"{event}\""));
        let first = began.is_none() && is("scenario-started");
        if !first && !is("scenario-finished") {
            continue;
        }
        let event: Value = serde_json::from_str(&line)?;
        let at: Timestamp = event["at"].as_str().ok_or("an event without time")?.parse()?;
        if first {
            began = Some(at);
        } else if event["verdict"] == "pass" {
            ends.push(at);
            if ends.len() % PART == 0 {
                cpu.push(cpu_time(process)?);
            }
        }
    }
    child.wait()?;
    let peak = watch.join().map_err(|_| "the watch panicked")?;
    Ok(Ran { began: began.ok_or("no scenario started")?, ends, cpu, peak })
}

/// CPU time of a process and of its children that have ended, in the kernel's hundredths of a second.
fn cpu_time(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("a process without a name")?;
    // utime, stime, cutime and cstime: fields 14 to 17, of which the first two are cut off.
    fields.split(' ').skip(11).take(4).map(|ticks| Ok(ticks.parse::<f64>()?)).sum()
}

/// Jobs a second without the farm, as many at once as the farm has.
fn bare_rate(project: &Project, names: &[String]) -> Result<f64> {
    let library = library()?;
    let model = library.model("hello_world", project.path())?;
    let job = |name: &String| {
        let dataset = library.dataset(name, project.path(), &model)?;
        let (model, target, timeouts) = (model.clone(), TARGET.into(), Timeouts::default());
        Ok(JobSpec {
            model,
            dataset,
            target,
            alternates: Vec::new(),
            arena_limit: None,
            timeouts,
            retries: 0,
            own_firmware: false,
            rerun: 0,
        })
    };
    let jobs = Arc::new(names.iter().map(job).collect::<Result<Vec<JobSpec>>>()?);
    let targets = containers::targets(&ContainerOptions::new("bench", builder()?));
    let target = targets.into_iter().find(|target| target.info().id.0 == TARGET).ok_or("no target for the host")?;
    runtime()?.block_on(async {
        target.prepare().await?;
        let begun = Instant::now();
        let next = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> =
            (0..cores()).map(|_| tokio::spawn(work(target.clone(), jobs.clone(), next.clone()))).collect();
        for worker in workers {
            worker.await??;
        }
        Ok(names.len() as f64 / begun.elapsed().as_secs_f64())
    })
}

async fn work(target: Arc<dyn Target>, jobs: Arc<Vec<JobSpec>>, next: Arc<AtomicUsize>) -> Result {
    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut session = target.open(job).await?;
        let inferences = session.infer(job.dataset.inputs(), &|_| ()).await;
        session.close().await;
        inferences?;
    }
    Ok(())
}
