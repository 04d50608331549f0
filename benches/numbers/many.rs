//! Ten thousand scenarios in one run, each with a job of its own (100 inferences on the target `host`, a process for each
//! job): what memory the program takes at most, and whether the last thousand take longer than the first. The bare loop
//! opens, infers and closes on the same target, without scheduler, Gherkin, judging and reports.

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
    let ends = |child| finished(child);
    let child = project
        .tinyfarm(&["run", "test.feature", "--report", "report", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let (began, ends, peak) = ends(child)?;
    if ends.len() != SCENARIOS {
        return Err(format!("{} of {SCENARIOS} scenarios passed", ends.len()).into());
    }
    let after = bare_rate(&project, &names[..PART])?;

    let mut last = began;
    let mut parts = Vec::new();
    for part in ends.chunks(PART) {
        let end = part[part.len() - 1];
        parts.push(part.len() as f64 / end.duration_since(last).as_secs_f64());
        last = end;
    }
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let bare = (before + after) / 2.0;
    let all: Rounds = parts.iter().copied().collect();
    println!("  bare loop over {PART} of the jobs: {before:.0} scenarios/s before, {after:.0} after the run");
    let listed: Vec<String> = parts.iter().map(|rate| format!("{rate:.0}")).collect();
    println!("  tinyfarm, scenarios/s for each thousand: {}", listed.join(" "));
    println!("  ratio to the bare loop {:.2}; last thousand to the first {:.2}", all.median() / bare, last / first);
    println!("  peak memory {peak} MB (VmHWM)");
    verdict("under 512 MB", peak < 512);
    verdict("no slowdown per scenario (last thousand at least 0.9 of the first)", last / first >= 0.9);
    Ok(())
}

/// When the run's first scenario started, when each one passed, and the program's peak memory in MB.
fn finished(mut child: Child) -> Result<(Timestamp, Vec<Timestamp>, u64)> {
    let status = format!("/proc/{}/status", child.id());
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
    let (mut began, mut ends) = (None, Vec::new());
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
        }
    }
    child.wait()?;
    let peak = watch.join().map_err(|_| "the watch panicked")?;
    Ok((began.ok_or("no scenario started")?, ends, peak))
}

/// Jobs a second without the farm, as many at once as the farm has.
fn bare_rate(project: &Project, names: &[String]) -> Result<f64> {
    let library = library()?;
    let model = library.model("hello_world", project.path())?;
    let job = |name: &String| {
        let dataset = library.dataset(name, project.path(), &model)?;
        let (model, target) = (model.clone(), TARGET.into());
        Ok(JobSpec { model, dataset, target, arena_limit: None, timeouts: Timeouts::default(), retries: 0 })
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
