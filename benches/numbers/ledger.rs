//! A ledger of a million jobs: how long it takes to list runs, to find one, to draw trends, and to compare two runs.
//!
//! One run of a thousand jobs is recorded as any other; its rows are then copied in SQL to a thousand runs, a day apart,
//! with figures that vary a little.

use crate::{
    Result,
    figures::{Rounds, seconds, verdict},
};
use ::ledger::{AcceptNote, Choice, FlakyFilter, Ledger, RunFilter, SeriesFilter};
use farm::{
    AttemptReport, Clock, Digest, Evidence, FarmEvent, Footprint, Handshake, History as _, Inference, JobId, JobReport,
    Judgement, Origin, Provenance, Slots, Stage, Stamped, TargetId, TargetInfo, Verdict,
    history::{self, Series},
    metrics::{Distribution, Summary},
};
use jiff::Timestamp;
use std::{hint::black_box, path::Path, sync::Arc, time::Duration};

const RUNS: u64 = 1000;
const MODELS: u64 = 10;
const DATASETS: u64 = 10;
const TARGETS: u64 = 10;
const BOARDS: u64 = 2;
const JOBS: u64 = MODELS * DATASETS * TARGETS;
const ROUNDS: usize = 10;
const WANTED: f64 = 200.0;
const METRIC: &str = "latency p99";

pub fn measure() -> Result {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ledger.sqlite");
    let ledger = Ledger::open(&path)?;
    let built = seconds(|| build(&ledger, &path))?;
    let size = std::fs::metadata(&path)?.len() >> 20;
    println!("  {} jobs in {RUNS} runs, {size} MiB, built in {built:.0} s", RUNS * JOBS);

    let all = SeriesFilter::default();
    let one = SeriesFilter {
        model: Some("model 3".to_owned()),
        dataset: Some("dataset 3".to_owned()),
        target: Some(TargetId::from("board-1")),
    };
    let series =
        Series { model: "model 3".to_owned(), dataset: "dataset 3".to_owned(), target: TargetId::from("board-1") };
    let newest = ledger.find("latest")?.name;
    told("list 50 runs", || Ok(ledger.runs(&RunFilter { limit: 50, ..RunFilter::default() })?.len() == 50))?;
    told("find `latest~5`", || Ok(ledger.find("latest~5")?.name != newest))?;
    told("the jobs of a run", || Ok(ledger.jobs(&newest)?.len() as u64 == JOBS))?;
    told("trend of a series, 30 runs", || Ok(ledger.trend(&one, METRIC, 30)?[0].points.len() == 30))?;
    told("trend of a model's series, 30 runs", || {
        let filter = SeriesFilter { model: one.model.clone(), ..all.clone() };
        Ok(ledger.trend(&filter, "arena used", 30)?.len() as u64 == DATASETS * TARGETS)
    })?;
    told("trend of all 1,000 series, 30 runs", || Ok(ledger.trend(&all, "arena used", 30)?.len() as u64 == JOBS))?;
    told("compare two runs, 1,000 series", || compare(&ledger, &newest))?;
    told("a job's baseline and history", || {
        let known = ledger.baseline(&series)?.is_some();
        Ok(known && ledger.recent(&series, METRIC, None, 30)?.len() == 30)
    })?;
    told("flaky jobs and scenarios", || Ok(!ledger.flaky(&FlakyFilter::default())?.jobs.is_empty()))?;
    Ok(())
}

/// Says how long `work` takes, which must be right each time.
fn told(what: &str, work: impl Fn() -> Result<bool>) -> Result {
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let mut right = false;
        rounds.add(1000.0 * seconds(|| work().map(|found| right = found))?);
        if !right {
            return Err(format!("{what}: that was not what is in it").into());
        }
    }
    println!("  {what}: {rounds:.1} ms");
    verdict(&format!("below {WANTED:.0} ms"), rounds.median() < WANTED);
    Ok(())
}

/// As `tinyfarm compare` does: every series of both, with the spread of what is noisy.
fn compare(ledger: &Ledger, newest: &str) -> Result<bool> {
    let earlier = ledger.find("latest~1")?;
    let (before, after) = (ledger.figures(&earlier.name)?, ledger.figures(newest)?);
    for (series, after) in &after {
        let Some(before) = before.get(series) else { return Ok(false) };
        let standing = history::Standing { run: earlier.name.clone(), model: before.model, dataset: before.dataset };
        let among = |metric: &str| ledger.among(series, metric, &standing).unwrap_or_default();
        let compared = history::compare(&before.measured(), &after.measured(), 0.0, &among);
        if black_box(compared).len() < 5 {
            return Ok(false);
        }
    }
    Ok(after.len() as u64 == JOBS)
}

fn build(ledger: &Ledger, path: &Path) -> Result {
    let mut recorder = ledger.record()?;
    let mut tell = |seconds: u64, event| {
        let at = Timestamp::from_second(1_600_000_000 + seconds as i64)?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(recorder.on(&Stamped { at, event })?)
    };
    let words = ["tinyfarm", "nightly"].map(str::to_owned).to_vec();
    let origin = Origin { commit: Some("c0ffee".repeat(6)), nightly: true, ..Origin::default() };
    let (run, version) = ("run-0".to_owned(), "1.0.0".to_owned());
    tell(0, FarmEvent::RunStarted { run, version, command: words, scenarios: JOBS as usize, origin })?;
    for number in 0..JOBS {
        tell(number, job(number))?;
    }
    tell(JOBS, FarmEvent::RunFinished { interrupted: false, took: Duration::from_secs(JOBS) })?;
    recorder.finish()?;
    copy(path)?;
    let note = AcceptNote { who: "a benchmark".to_owned(), reason: "as good as any".to_owned(), at: Timestamp::now() };
    ledger.accept("run-0", &Choice::default(), &note)?;
    Ok(())
}

/// Copies the rows of the one run, whose jobs have the numbers from 1.
fn copy(path: &Path) -> Result {
    let mut connection = rusqlite::Connection::open(path)?;
    let transaction = connection.transaction()?;
    let others = format!(
        "WITH RECURSIVE other(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM other WHERE n < {}) INSERT INTO",
        RUNS - 1
    );
    let day = 86_400_000_000_u64;
    transaction.execute_batch(&format!(
        "CREATE TEMP TABLE first AS SELECT min(id) AS job FROM job;
         {others} run (id, name, started, took_us, state, version, command, origin, commit_id, branch, dirty, nightly,
                       planned, passed, jobs)
           SELECT id + n, 'run-' || n, started + n * {day}, took_us, state, version, command, origin, commit_id, branch,
                  dirty, nightly, planned, passed, jobs FROM other CROSS JOIN run WHERE run.name = 'run-0';
         {others} job (id, run, number, series, at, rerun, simulated, verdict, reason, fault, attempts, samples, clock,
                       outputs, provenance)
           SELECT job.id + n * {JOBS}, run + n, number, series, at + n * {day}, rerun, simulated, verdict, reason, fault,
                  attempts, samples, clock, outputs, provenance FROM other CROSS JOIN job
           WHERE job.run = (SELECT id FROM run WHERE name = 'run-0');
         {others} attempt (job, number, target, verdict, reason, took_us)
           SELECT job + n * {JOBS}, number, target, verdict, reason, took_us FROM other CROSS JOIN attempt
           WHERE job < (SELECT job FROM first) + {JOBS};
         {others} figure (job, metric, value)
           SELECT job + n * {JOBS}, metric, value * (1 + (job * 7 + n * 13) % 17 / 1000.0) FROM other CROSS JOIN figure
           WHERE job < (SELECT job FROM first) + {JOBS};
         {others} histogram (job, buckets)
           SELECT job + n * {JOBS}, buckets FROM other CROSS JOIN histogram WHERE job < (SELECT job FROM first) + {JOBS};
         {others} news (run, seq, events)
           SELECT run + n, seq, events FROM other CROSS JOIN news
           WHERE news.run = (SELECT id FROM run WHERE name = 'run-0');"
    ))?;
    transaction.commit()?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

fn job(number: u64) -> FarmEvent {
    let name = |what: &str, index: u64| format!("{what}{index}");
    let (model, dataset) = (name("model ", number % MODELS), name("dataset ", number / MODELS % DATASETS));
    let (model_digest, dataset_digest) = (Digest::of(model.as_bytes()), Digest::of(dataset.as_bytes()));
    // Two of ten targets are boards, whose times vary; on the others instructions are counted.
    let place = number / MODELS / DATASETS;
    let (id, clock, stage) = match place < BOARDS {
        true => (name("board-", place), Clock::BoardCycles { hz: 64_000_000 }, Stage::Board),
        false => (name("qemu:machine-", place), Clock::QemuInstructions, Stage::Emulator),
    };
    let (id, core) = (TargetId(id), "Cortex-M4F".to_owned());
    let (slots, footprint) = (Slots::Own(1), Some(Footprint { text: 90_000, data: 500, bss: 9000 }));
    let (simulated, tags, kind, memory) = (false, Vec::new(), None, None);
    let target = TargetInfo { id: id.clone(), stage, core, clock, slots, simulated, tags, kind, memory };
    let inference = |sample: u64| Inference { output: vec![sample as u8; 4], ticks: 8000 + (number + 7 * sample) % 90 };
    let inferences: Vec<Inference> = (0..10).map(inference).collect();
    let ticks = Distribution::of(inferences.iter().map(|inference| inference.ticks));
    let (runner, tflm) = ("1".to_owned(), "2020".to_owned());
    let evidence = Evidence {
        inferences,
        clock,
        handshake: Handshake {
            runner: runner.clone(),
            runner_digest: "abc".to_owned(),
            tflm: tflm.clone(),
            core: target.core.clone(),
            clock,
            model: model_digest,
            arena_size: 4096,
            arena_used: 1536,
        },
        target,
        footprint,
        log: String::new(),
        provenance: Provenance {
            model: model_digest,
            dataset: dataset_digest,
            runner,
            tflm,
            tool: "probe-rs".to_owned(),
        },
    };
    let (errors, classification) = (None, None);
    let (samples, arena_used, arena_size, model_bytes) = (10, 1536, 4096, 2704);
    let summary =
        Summary { samples, errors, classification, ticks, clock, arena_used, arena_size, footprint, model_bytes };
    // One in a hundred needed another attempt.
    let attempts = if number % 100 == 7 { 2 } else { 1 };
    let attempt = |attempt: u32| AttemptReport {
        number: attempt,
        target: id.clone(),
        verdict: if attempt == attempts { Verdict::Pass } else { Verdict::Infra },
        reason: if attempt == attempts { String::new() } else { "the probe is gone".to_owned() },
        took: Duration::from_millis(40),
    };
    let report = JobReport {
        id: JobId(number + 1),
        model,
        dataset,
        target: id.clone(),
        simulated,
        judgement: Judgement::new(Verdict::Pass, ""),
        fault: None,
        attempts: (1..=attempts).map(attempt).collect(),
        evidence: Some(Arc::new(evidence)),
        log: String::new(),
        own_firmware: false,
        rerun: 0,
    };
    FarmEvent::JobFinished { report: Arc::new(report), summary: Some(Arc::new(summary)) }
}
