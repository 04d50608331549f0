//! A warm `tinyfarm run` of the shipped features on two cores. The bare loop starts every QEMU that brought evidence in
//! that run, two at a time, with the same model, inputs and command line; the run does the container's jobs, the jobs
//! that are meant to fail, and everything around them as well.

use crate::{
    Result,
    bare::{BareJob, run_all},
    figures::{Rounds, seconds, verdict},
    project::{Project, REPOSITORY, cores, emulators, library, runtime},
};
use serde_json::Value;
use std::{collections::HashMap, env, path::Path, process::Command, sync::Arc};

const ROUNDS: usize = 5;
const CORES: &str = "0,1";

/// Set in the process that has been confined to two cores.
const PINNED: &str = "TINYFARM_BENCH_PINNED";

pub fn is_pinned() -> bool {
    env::var_os(PINNED).is_some()
}

pub fn measure() -> Result {
    if !is_pinned() {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORES]).arg(env::current_exe()?).arg("shipped").env(PINNED, "1");
        return crate::project::pass(command);
    }
    let project = Project::new()?;
    let features = format!("{REPOSITORY}/features");
    // Without what names Renode: whether that is installed is no matter of this number.
    let arguments = ["run", &features, "--tags", "not @renode", "--report", "report", "--format", "json"];
    let output = project.tinyfarm(&arguments).stdout(std::process::Stdio::piped()).output()?;
    if !output.status.success() {
        return Err(format!("the shipped features do not pass: {}", output.status).into());
    }
    let events = String::from_utf8(output.stdout)?;
    let events = events.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<Value>, _>>()?;
    let told = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    let jobs = bare_jobs(&events)?;
    println!(
        "  {} scenarios, {} jobs; bare loop over the {} of them that started QEMU and brought evidence; {} cores",
        told("scenario-finished"),
        told("job-finished"),
        jobs.len(),
        cores()
    );
    let (mut bares, mut farms, mut ratios) = (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let bare = seconds(|| run_all(&jobs, cores()))?;
        let farm = seconds(|| crate::project::pass(project.tinyfarm(&arguments)))?;
        bares.add(bare);
        farms.add(farm);
        ratios.add(bare / farm);
    }
    println!("  median of {ROUNDS}: bare loop {bares:.2} s, tinyfarm run {farms:.2} s, ratio {ratios:.2}");
    verdict("under 10 s", farms.median() < 10.0);
    Ok(())
}

/// The jobs of a run on emulators that can be run again: those with evidence, over datasets that have a name.
fn bare_jobs(events: &[Value]) -> Result<Vec<BareJob>> {
    let (library, emulators, runtime) = (library()?, emulators()?, runtime()?);
    let base = Path::new(REPOSITORY);
    let mut launches = HashMap::new();
    let mut jobs = Vec::new();
    for event in events.iter().filter(|event| event["event"] == "job-finished") {
        let job = &event["job"];
        let text = |key: &str| job[key].as_str().unwrap_or_default();
        let Some(machine) = emulators.get(text("target")).filter(|_| text("verdict") == "pass") else { continue };
        let model = library.model(text("model"), base)?;
        let Ok(dataset) = library.dataset(text("dataset"), base, &model) else { continue };
        if !launches.contains_key(text("target")) {
            launches.insert(text("target").to_owned(), Arc::new(runtime.block_on(machine.launch())?));
        }
        jobs.push(BareJob::new(&launches[text("target")], &model, &dataset));
    }
    Ok(jobs)
}
