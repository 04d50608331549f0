//! Eight boards and one farm: `tinyfarm run` with more jobs than boards, each job for any of them. What share of the time
//! has a board an attempt under way, for as long as jobs wait? Beside it the bare loop over the same eight boards, one
//! thread for each, which says how much of the machine there is to be had.

use super::{bare::BareJob, yard::Yard};
use crate::{
    Result,
    figures::{Rounds, seconds, verdict},
    project::{Project, SAMPLES, builder, cores, library, runtime},
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

const BOARDS: usize = 8;
const JOBS: usize = 400;
const ROUNDS: usize = 3;
/// Jobs that have to flash another model first, one for each board.
const OTHERS: &str = "magic_wand";

pub fn measure() -> Result {
    let project = Project::new()?;
    let names = project.sines(JOBS, "on any board tagged \"eight\"")?;
    let yard = Yard::open(BOARDS)?;
    let config = project.path().join("tinyfarm.toml");
    let config = format!("{}{}", fs::read_to_string(&config)?, config_of(&yard));
    project.file("tinyfarm.toml", &config)?;
    let mut others = format!(
        "Feature: others\n  Scenario Outline: on <board>\n    Given the model \"{OTHERS}\" and the dataset \"gestures\"\n    \
         When it runs on the board \"<board>\"\n    Then every sample is classified correctly\n\n    Examples:\n      | board |\n"
    );
    for stand in &yard.stands {
        project.file(&format!("boards/{}.toml", stand.name), &stand.definition("tags = [\"eight\"]"))?;
        others += &format!("      | {} |\n", stand.name);
    }
    project.file("others.feature", &others)?;

    let library = library()?;
    let model = library.model("hello_world", project.path())?;
    let board = farm_view(&yard)?;
    let firmware = runtime()?.block_on(builder()?.build(board.port().ok_or("the board has no port")?))?;
    let jobs = names
        .iter()
        .map(|name| BareJob::new(&firmware, &model, library.dataset(name, project.path(), &model)?.as_ref()));
    let jobs = jobs.collect::<Result<Vec<BareJob>>>()?;

    println!("  {JOBS} jobs of {SAMPLES} inferences, and {OTHERS} once on each of {BOARDS} boards; {} cores", cores());
    let (mut shares, mut rates, mut ratios) = (Rounds::default(), Rounds::default(), Rounds::default());
    for round in 1..=ROUNDS {
        let bare = JOBS as f64 / seconds(|| bare_loop(&yard, &jobs))?;
        let Ran { share, least, rate } = farm(&project)?;
        println!(
            "  round {round}: busy {:.1} % (the least of the boards {:.1} %), {rate:.1} jobs/s; bare loop {bare:.1} jobs/s, \
             ratio {:.2}",
            1e2 * share,
            1e2 * least,
            rate / bare
        );
        shares.add(1e2 * share);
        rates.add(rate);
        ratios.add(rate / bare);
    }
    println!("  median: busy {shares:.1} %, {rates:.1} jobs/s, ratio to the bare loop {ratios:.2}");
    verdict("at least 90 % busy while jobs wait", shares.median() >= 90.0);
    Ok(())
}

/// The part of a configuration by which the program finds these boards.
fn config_of(yard: &Yard) -> String {
    let (bench, state, leases) = (yard.bench(), yard.state(), yard.leases());
    let leases = leases.folder();
    format!("\n[boards]\nfolders = [\"boards\"]\nbench = {bench:?}\nstate = {state:?}\nleases = {leases:?}\n")
}

/// One of the boards, for what its firmware is.
fn farm_view(yard: &Yard) -> Result<std::sync::Arc<boards::board::Board>> {
    let boards = yard.boards(&std::sync::Arc::new(builder()?), &|_, _| None, drop)?;
    Ok(boards.into_iter().next().ok_or("there are no boards")?)
}

/// Every job once, each board a job at a time. Its first flashes: the farm's last on that board was of another model.
fn bare_loop(yard: &Yard, jobs: &[BareJob]) -> Result {
    let next = AtomicUsize::new(0);
    let work = |selector: &str| {
        let mut flash = true;
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            job.run(selector, std::mem::take(&mut flash))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let each = yard.stands.iter().map(|stand| scope.spawn(|| work(&stand.board.record().selector)));
        let each: Vec<_> = each.collect();
        each.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
    })
}

/// What was seen of a run.
struct Ran {
    /// Of the boards' time.
    share: f64,
    /// The same for the board that had least.
    least: f64,
    /// Jobs a second.
    rate: f64,
}

/// Runs the program, and reads its events.
fn farm(project: &Project) -> Result<Ran> {
    let arguments = ["run", "test.feature", "others.feature", "--report", "report", "--format", "json"];
    let output = project.tinyfarm(&arguments).stdout(Stdio::piped()).output()?;
    if !output.status.success() {
        return Err(format!("the run did not pass: {}", output.status).into());
    }
    let mut began: BTreeMap<(u64, u64), (String, Timestamp)> = BTreeMap::new();
    let mut attempts: Vec<(String, Timestamp, Timestamp)> = Vec::new();
    let mut last_began = None;
    for line in String::from_utf8(output.stdout)?.lines().filter(|line| line.contains("\"event\":\"attempt-")) {
        let event: Value = serde_json::from_str(line)?;
        let at: Timestamp = event["at"].as_str().ok_or("an event without time")?.parse()?;
        let number = |value: &Value| value.as_u64().ok_or("an attempt without number");
        let job = number(&event["job"])?;
        if event["event"] == "attempt-started" {
            let target = event["target"].as_str().ok_or("an attempt without target")?;
            began.insert((job, number(&event["attempt"])?), (target.to_owned(), at));
            last_began = Some(at);
        } else if event["event"] == "attempt-finished" {
            let (target, start) = began.remove(&(job, number(&event["attempt"]["number"])?)).ok_or("it never began")?;
            attempts.push((target, start, at));
        }
    }
    // From then on no job waits.
    let to = last_began.ok_or("there were no attempts")?;
    let from = attempts.iter().map(|(_, began, _)| *began).min().ok_or("no attempt ended")?;
    let ended = attempts.iter().map(|(.., ended)| *ended).max().ok_or("no attempt ended")?;
    let time = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let mut busy: BTreeMap<&str, f64> = BTreeMap::new();
    for (target, began, ended) in &attempts {
        *busy.entry(target).or_default() += time(*began, (*ended).min(to)).max(0.0);
    }
    let shares: Rounds = busy.values().map(|busy| busy / time(from, to)).collect();
    if busy.len() != BOARDS {
        return Err(format!("{} boards had jobs", busy.len()).into());
    }
    let share = busy.values().sum::<f64>() / BOARDS as f64 / time(from, to);
    Ok(Ran { share, least: shares.quantile(0.0), rate: attempts.len() as f64 / time(from, ended) })
}
