//! Runs to record: as many events as are asked for, the same each time.

use farm::{
    AttemptReport, Clock, Digest, Evidence, FarmEvent, Handshake, Inference, JobId, JobReport, Judgement, Origin,
    Provenance, Slots, Stage, Stamped, TargetId, TargetInfo, Verdict,
    events::ScenarioId,
    metrics::{Distribution, Summary},
};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};

/// The event `index` of the run `name`: its beginning, and then for each job its end and that of its scenario.
pub fn event(name: &str, index: u64) -> Stamped {
    let at = Timestamp::from_second(1_700_000_000).unwrap() + SignedDuration::from_millis(index as i64);
    let number = index.div_ceil(2);
    let event = match index {
        0 => FarmEvent::RunStarted {
            run: name.to_owned(),
            version: "1.2.3".to_owned(),
            command: vec!["tinyfarm".to_owned(), "run".to_owned()],
            scenarios: 1000,
            origin: Origin {
                commit: Some(Digest::of(name.as_bytes()).to_string()[..40].to_owned()),
                ..Origin::default()
            },
        },
        odd if odd % 2 == 1 => job(number),
        _ => FarmEvent::ScenarioFinished {
            scenario: ScenarioId {
                path: "features/a.feature".to_owned(),
                line: number as usize,
                feature: "Sine".to_owned(),
                name: format!("scenario {number}"),
            },
            judgement: Judgement::new(Verdict::Pass, ""),
            took: Duration::from_millis(3),
            quarantine: None,
        },
    };
    Stamped { at, event }
}

/// The end of a run.
pub fn end() -> Stamped {
    let event = FarmEvent::RunFinished { interrupted: false, took: Duration::from_secs(7) };
    Stamped { at: Timestamp::from_second(1_700_001_000).unwrap(), event }
}

/// A run of so many jobs, from its first event to its last.
pub fn whole(name: &str, jobs: u64) -> Vec<Stamped> {
    (0..=2 * jobs).map(|index| event(name, index)).chain([end()]).collect()
}

fn job(number: u64) -> FarmEvent {
    let clock = Clock::QemuInstructions;
    let (model, dataset) = (Digest::of(b"model"), Digest::of(b"dataset"));
    let target = TargetInfo {
        id: TargetId::from("qemu:mps2-an386"),
        stage: Stage::Emulator,
        core: "Cortex-M4".to_owned(),
        clock,
        slots: Slots::Shared,
        simulated: false,
        tags: Vec::new(),
        kind: None,
        memory: None,
    };
    let ticks = |sample: u64| 8000 + (number * 31 + sample * 17) % 100;
    let evidence = Evidence {
        target: target.clone(),
        inferences: (0..20)
            .map(|sample| Inference { output: vec![sample as u8, number as u8], ticks: ticks(sample) })
            .collect(),
        clock,
        handshake: Handshake {
            runner: "1".to_owned(),
            runner_digest: "abc".to_owned(),
            tflm: "2020".to_owned(),
            core: "Cortex-M4".to_owned(),
            clock,
            model,
            arena_size: 4096,
            arena_used: 1536,
        },
        footprint: None,
        // Not all of a log can be deflated away.
        log: (0..40).map(|line| Digest::of(&[number as u8, line]).to_string()).collect::<Vec<_>>().join("\n"),
        provenance: Provenance {
            model,
            dataset,
            runner: "abc".to_owned(),
            tflm: "2020".to_owned(),
            tool: "QEMU 7.2".to_owned(),
        },
    };
    let summary = Summary {
        samples: 20,
        errors: None,
        classification: None,
        ticks: Distribution::of(evidence.inferences.iter().map(|inference| inference.ticks)),
        clock,
        arena_used: 1536,
        arena_size: 4096,
        footprint: None,
        model_bytes: 2704,
    };
    let attempt = AttemptReport {
        number: 1,
        target: target.id.clone(),
        verdict: Verdict::Pass,
        reason: String::new(),
        took: Duration::from_millis(2),
    };
    let report = JobReport {
        id: JobId(number),
        model: format!("model {}", number % 7),
        dataset: "sine".to_owned(),
        target: target.id,
        simulated: false,
        judgement: Judgement::new(Verdict::Pass, ""),
        fault: None,
        attempts: vec![attempt],
        log: evidence.log.clone(),
        evidence: Some(Arc::new(evidence)),
        own_firmware: false,
        rerun: 0,
    };
    FarmEvent::JobFinished { report: Arc::new(report), summary: Some(Arc::new(summary)) }
}
