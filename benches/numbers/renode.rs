//! Renode beside QEMU: the same ELF, jobs and program, one job at a time. How long Renode takes to start, what a job costs
//! alone and as one of many, how many instructions pass in a second, and how much memory that takes.

use crate::{
    Result,
    figures::{Rounds, seconds},
    project::{Project, REPOSITORY, pass, runtime},
};
use renode_rs::{Installation, StartOptions};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

const TARGETS: [&str; 2] = ["qemu:netduinoplus2", "renode:stm32f4_discovery"];
const ROUNDS: usize = 5;
/// Jobs of a run, after the first.
const FURTHER: usize = 20;
/// Samples of the job whose instructions are counted: a quarter of a thousand million in all.
const SAMPLES: usize = 40;

pub fn measure() -> Result {
    let renode = match Installation::find(&[Path::new(REPOSITORY).join(".tinyfarm/renode")]) {
        Ok(renode) => renode,
        Err(error) => {
            println!("  not measured: {error}; `make renode` installs it");
            return Ok(());
        }
    };
    starts(&renode)?;
    let found = renode.describe();
    let one = Project::new()?;
    let many = Project::new()?;
    for target in TARGETS {
        let place = format!("on the emulator \"{target}\"");
        let (alone, further) = jobs(&one, &many, &place, &found)?;
        println!(
            "  {target}: one job {alone:.2} s, from the program's start to its end; each further one {further:.0} ms"
        );
        let (rate, memory) = instructions(&place, &found)?;
        println!("  {target}: {rate:.0} million instructions/s, loading included; {memory:.0} MiB resident");
    }
    Ok(())
}

fn starts(renode: &Installation) -> Result {
    let runtime = runtime()?;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let mut started = None;
        rounds.add(seconds(|| {
            started = Some(runtime.block_on(renode.start(&StartOptions::default()))?);
            Result::Ok(())
        })?);
        if let Some(renode) = started {
            runtime.block_on(renode.end());
        }
    }
    println!("  {}: {rounds:.2} s from its start until it answers", renode.describe());
    Ok(())
}

/// The program in a project, with this Renode, one job at a time.
fn tinyfarm(project: &Project, renode: &str, arguments: &[&str]) -> Command {
    let mut command = project.tinyfarm(&["run", "test.feature", "--jobs", "1"]);
    command.args(arguments).env("RENODE", renode);
    command
}

/// Seconds of a run of one job, and milliseconds that each further one adds.
fn jobs(one: &Project, many: &Project, place: &str, renode: &str) -> Result<(Rounds, Rounds)> {
    one.sines(1, place)?;
    many.sines(1 + FURTHER, place)?;
    pass(tinyfarm(one, renode, &[]))?; // builds the runner, where it is not yet
    let (mut alone, mut further) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let first = seconds(|| pass(tinyfarm(one, renode, &[])))?;
        let all = seconds(|| pass(tinyfarm(many, renode, &[])))?;
        alone.add(first);
        further.add(1e3 * (all - first) / FURTHER as f64);
    }
    Ok((alone, further))
}

/// Million instructions in a second of a long job, and the memory of the emulator meanwhile, in MiB.
fn instructions(place: &str, renode: &str) -> Result<(Rounds, Rounds)> {
    let project = Project::new()?;
    let bytes = 49 * 40;
    project.file("silence/silence.bin", &"\0".repeat(bytes * SAMPLES))?;
    project.file("silence/labels.csv", &format!("silence.bin,4,0,{bytes},{bytes}\n"))?;
    project.file(
        "test.feature",
        &format!(
            "Feature: silence\n  Scenario: it is heard\n    Given the model \"micro_speech\" and the dataset \"silence\"\n    \
             When it runs {place}\n"
        ),
    )?;
    let (mut rates, mut memory) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let mut command = tinyfarm(&project, renode, &["--report", "report", "--format", "json"]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let events = BufReader::new(child.stdout.take().ok_or("its output is piped")?);
        let mut most: f64 = 0.0;
        for event in events.lines() {
            let event: Value = serde_json::from_str(&event?)?;
            if event["event"] == "job-progress" {
                most = most.max(largest_child(child.id()));
            }
        }
        memory.add(most);
        if !child.wait()?.success() {
            return Err(format!("the run {place} did not pass").into());
        }
        let report: Value = serde_json::from_str(&fs::read_to_string(project.path().join("report/report.json"))?)?;
        let job = &report["jobs"][0];
        let ticks = job["figures"]["ticks"]["median"].as_f64().ok_or("a job has ticks")?;
        let took = job["attempts"][0]["took_s"].as_f64().ok_or("an attempt takes time")?;
        rates.add(ticks * SAMPLES as f64 / took / 1e6);
    }
    Ok((rates, memory))
}

/// Memory of the largest process that this one has started, in MiB: `/proc/N/stat` is `N (name) state parent …`.
fn largest_child(parent: u32) -> f64 {
    let parent = parent.to_string();
    let mut largest: f64 = 0.0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let is_child = stat.rsplit_once(") ").is_some_and(|(_, tail)| tail.split(' ').nth(1) == Some(&parent));
        if is_child {
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let kib =
                status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
            largest = largest.max(kib.unwrap_or(0.0) / 1024.0);
        }
    }
    largest
}
