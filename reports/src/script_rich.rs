//! A run with all that reports can show: quarantine, retries, a rerun, history with baselines, confusion, targets that agree
//! and one that does not, a board, a simulated board, bench health, and a cut in the middle.

use super::{Script, target};
use farm::{
    Availability, Digest, Evidence, FarmEvent, Footprint, Handshake, Inference, JobId, Judgement, Memory, Origin,
    Provenance, Quarantine, Stage, Stamped, TargetInfo, Verdict,
    events::ScenarioId,
    history::MetricHistory,
    job::{AttemptReport, JobReport},
    metrics::{Classification, Distribution, Errors, Summary},
    origin::{Machine, Since},
};
use std::{sync::Arc, time::Duration};

const SINE: &str = "features/hello_world.feature";
const WORDS: &str = "features/keywords.feature";
const HOST: &str = "container";
const M4: &str = "qemu:mps2-an386";
const M55: &str = "qemu:mps3-an547";
const NUCLEO: &str = "nucleo-1";
const SIM: &str = "sim-1";

const SINE_TEXT: &str = r#"Feature: hello_world predicts a sine

  Scenario: It predicts a sine everywhere
    Given the model "hello_world" and the dataset "sine"
    When it runs on every stage, accepted by
      | metric              | container | emulator | board   |
      | mean absolute error | <= 0.05   | <= 0.05  | <= 0.05 |

  Scenario: It is known to drift
    Given the model "hello_world" and the dataset "sine"
    When it runs on the emulator "qemu:mps2-an386"
    Then the maximum error is at most 0.1

  Scenario: It was known to be slow
    Given the model "hello_world" and the dataset "sine"
    When it runs on the emulator "qemu:mps2-an386"
    Then the instructions p99 are at most 6800

  Scenario: It runs on a Cortex-M55
    Given the model "hello_world" and the dataset "sine"
    When it runs on the emulator "qemu:mps3-an547"
"#;

const WORDS_TEXT: &str = r#"@speech
Feature: micro_speech understands keywords

  Scenario: It understands as much on every target
    Given the model "micro_speech" and the dataset "words"
    When it runs on every stage
    Then the top-1 accuracy is at least 80 %
    And nothing is worse than the baseline

  Scenario: It answers in time on the board
    Given the model "micro_speech" and the dataset "words"
    When it runs on the board "nucleo-1"
    Then the latency p99 is not worse than the baseline

  Scenario: It ships within its memory
    Given the model "micro_speech" linked into its own firmware and the dataset "words"
    When it runs on the emulator "qemu:mps2-an386"
    Then the flash is at most 200 KiB
"#;

fn info(id: &str) -> TargetInfo {
    let mut info = target(id);
    info.memory = match id {
        M4 => Some(Memory { flash: 4 << 20, ram: 4 << 20 }),
        NUCLEO | SIM => Some(Memory { flash: 2 << 20, ram: 640 << 10 }),
        _ => None,
    };
    info
}

fn id(path: &str, line: usize, name: &str) -> ScenarioId {
    let feature = if path == SINE { "hello_world predicts a sine" } else { "micro_speech understands keywords" };
    ScenarioId { path: path.to_owned(), line, feature: feature.to_owned(), name: name.to_owned() }
}

/// What a job is, and does differently from others.
#[derive(Clone, Copy)]
struct Job {
    id: u64,
    target: &'static str,
    speech: bool,
    retries: u32,
    own: bool,
    rerun: u32,
    /// Share of ticks more than usual, in thousandths.
    slower: u64,
}

impl Job {
    fn new(id: u64, target: &'static str, speech: bool) -> Self {
        Self { id, target, speech, retries: 0, own: false, rerun: 0, slower: 0 }
    }

    fn names(&self) -> [&'static str; 3] {
        if self.speech { ["micro_speech", "words", self.target] } else { ["hello_world", "sine", self.target] }
    }

    fn samples(&self) -> usize {
        if self.speech { 40 } else { 100 }
    }

    /// Sample `at`'s label and answer: one in eight is wrong, and on the board two more.
    fn answer(&self, at: usize) -> (usize, usize) {
        let label = at % 4;
        let wrong = at % 8 == 3 || (self.target == NUCLEO && (at == 10 || at == 20));
        (label, if wrong { (label + 1) % 4 } else { label })
    }

    fn inference(&self, at: usize) -> Inference {
        let output = if self.speech {
            (0..4).map(|class| if class == self.answer(at).1 { 0x7f } else { 0x80 }).collect()
        } else {
            ((at as f32 / 16.0).sin() + if self.target == HOST && at == 50 { 0.01 } else { 0.0 }).to_le_bytes().to_vec()
        };
        let usual = if self.speech { 11_800 } else { 6_800 } + (at as u64 * 37) % 61 + u64::from(at == 7) * 60;
        Inference { output, ticks: (usual + usual * self.slower / 1000) * if self.target == NUCLEO { 20 } else { 1 } }
    }

    fn evidence(&self) -> Evidence {
        let info = info(self.target);
        let firmware = info.stage != Stage::Container;
        let text = if self.own { 61_200 } else { 175_600 };
        let model = Digest::of(self.names()[0].as_bytes());
        Evidence {
            inferences: (0..self.samples()).map(|at| self.inference(at)).collect(),
            clock: info.clock,
            handshake: Handshake {
                runner: "0.1.0".to_owned(),
                runner_digest: "c0ffee".to_owned(),
                tflm: "2.2.0".to_owned(),
                core: info.core.clone(),
                clock: info.clock,
                model,
                arena_size: 65_536,
                arena_used: if self.speech { 7_120 } else { 1_472 },
            },
            footprint: firmware.then_some(Footprint { text, data: 2_400, bss: 70_000 }),
            log: "TFLM: arena allocated\n".to_owned(),
            provenance: Provenance {
                model,
                dataset: Digest::of(self.names()[1].as_bytes()),
                runner: "c0ffee".to_owned(),
                tflm: "2.2.0".to_owned(),
                tool: if firmware { "QEMU 7.2.22" } else { "Docker 20.10.24" }.to_owned(),
            },
            target: info,
        }
    }

    fn summary(&self, evidence: &Evidence) -> Summary {
        let classes = ["silence", "unknown", "yes", "no"].map(str::to_owned);
        let pairs = (0..self.samples()).map(|at| (self.answer(at).0, Some(self.answer(at).1)));
        let errors = Errors { mean_absolute: 0.033_612, root_mean_square: 0.040_334, maximum: 0.130_2 };
        Summary {
            samples: self.samples(),
            errors: (!self.speech).then_some(errors),
            classification: self.speech.then(|| Classification::of(&classes, pairs)),
            ticks: Distribution::of(evidence.inferences.iter().map(|inference| inference.ticks)),
            clock: evidence.clock,
            arena_used: evidence.handshake.arena_used,
            arena_size: evidence.handshake.arena_size,
            footprint: evidence.footprint,
            model_bytes: if self.speech { 18_800 } else { 2_512 },
        }
    }

    fn start(&self, script: &mut Script) {
        script.start(self.id, self.names(), self.samples());
    }

    /// Its attempts, its evidence, what was known before, and who uses it.
    fn end(&self, script: &mut Script, scenario: &ScenarioId, known: &[(&str, f64, f64)]) {
        let (job, took) = (JobId(self.id), Duration::from_millis(800));
        let mut attempts = Vec::new();
        for number in 1..=self.retries + 1 {
            let lost = number <= self.retries;
            let (verdict, reason) =
                if lost { (Verdict::Infra, "QEMU was killed by signal 9") } else { (Verdict::Pass, "") };
            let target = self.target.into();
            let report = AttemptReport { number, target, verdict, reason: reason.to_owned(), took };
            script.tell(FarmEvent::AttemptFinished { job, report: report.clone() });
            attempts.push(report);
            if lost {
                script.tell(FarmEvent::AttemptStarted { job, attempt: number + 1, target: self.target.into() });
            }
        }
        let evidence = self.evidence();
        let summary = Some(Arc::new(self.summary(&evidence)));
        let remark = match self.retries {
            0 => String::new(),
            1 => "after 1 infra retry".to_owned(),
            more => format!("after {more} infra retries"),
        };
        let [model, dataset, target] = self.names();
        let report = JobReport {
            id: job,
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            target: target.into(),
            simulated: evidence.target.simulated,
            judgement: Judgement::new(Verdict::Pass, remark),
            fault: None,
            attempts,
            log: evidence.log.clone(),
            evidence: Some(Arc::new(evidence)),
            own_firmware: self.own,
            rerun: self.rerun,
        };
        script.tell(FarmEvent::JobFinished { report: Arc::new(report), summary });
        if !known.is_empty() {
            let history = |(metric, baseline, spread): &(&str, f64, f64)| MetricHistory {
                metric: (*metric).to_owned(),
                baseline: Some(*baseline),
                points: (0..12).map(|at| baseline + spread * f64::from(at % 4 - 1)).collect(),
            };
            script.tell(FarmEvent::JobHistory { job, metrics: known.iter().map(history).collect() });
        }
        script.tell(FarmEvent::JobUsed { scenario: scenario.clone(), job });
    }

    fn run(&self, script: &mut Script, scenario: &ScenarioId, known: &[(&str, f64, f64)]) {
        self.start(script);
        self.end(script, scenario, known);
    }
}

fn quarantined(script: &mut Script, scenario: &ScenarioId, end: (Verdict, &str), until: &str, expired: bool) {
    let quarantine = Quarantine {
        owner: "qa-team".to_owned(),
        reason: "the model is being trained anew".to_owned(),
        until: until.parse().unwrap(),
        expired,
    };
    let (judgement, took) = (Judgement::new(end.0, end.1), Duration::from_millis(1_250));
    let (scenario, quarantine) = (scenario.clone(), Some(quarantine));
    script.tell(FarmEvent::ScenarioFinished { scenario, judgement, took, quarantine });
}

fn health(script: &mut Script, state: &str, reason: &str) {
    let (target, state, reason) = (NUCLEO.into(), state.to_owned(), reason.to_owned());
    script.tell(FarmEvent::BenchHealth { target, state, reason });
}

/// See the module.
pub(crate) fn rich() -> Vec<Stamped> {
    let mut script = Script::new(7);
    let FarmEvent::RunStarted { origin, .. } = &mut script.events[0].event else { unreachable!() };
    *origin = Origin {
        commit: Some("919f11f0c0ffee00000000000000000000000000".to_owned()),
        branch: Some("quieter-speech".to_owned()),
        dirty: true,
        folder: String::new(),
        machine: Machine {
            name: "bench-1".to_owned(),
            os: "Linux 6.1.0".to_owned(),
            cpu: "Sample CPU".to_owned(),
            cores: 4,
            memory: 16 << 30,
        },
        nightly: false,
        since: Some(Since { rev: "origin/main".to_owned(), left_out: 12 }),
    };
    let tools = [(HOST, "Docker 20.10.24"), (M4, "QEMU 7.2.22"), (NUCLEO, "probe-rs 0.32"), (SIM, "probe-rs 0.32")];
    for (id, tool) in tools {
        let availability = Availability::Ready { tool: tool.to_owned() };
        script.tell(FarmEvent::TargetSeen { info: info(id), availability });
    }
    let reason = "qemu-system-arm has no such machine; install it with scripts/setup".to_owned();
    script.tell(FarmEvent::TargetSeen { info: info(M55), availability: Availability::Absent { reason } });
    script.tell(FarmEvent::Preparing { target: M4.into() });
    script.tell(FarmEvent::Prepared { target: M4.into(), took: Duration::from_millis(11_200), error: None });
    speech(&mut script);
    sine(&mut script);
    script.finish(false);
    script.events
}

fn speech(script: &mut Script) {
    let pass = Some((Verdict::Pass, ""));
    let given = "the model \"micro_speech\" and the dataset \"words\"";
    script.tell(FarmEvent::FeatureRead { path: WORDS.to_owned(), text: WORDS_TEXT.to_owned() });
    let everywhere = id(WORDS, 4, "It understands as much on every target");
    script.begin(&everywhere, &["speech"]);
    script.step(&everywhere, "Given ", given, pass);
    let jobs = [Job::new(1, HOST, true), Job { slower: 19, ..Job::new(2, M4, true) }, Job::new(3, NUCLEO, true)];
    jobs.iter().for_each(|job| job.start(script));
    jobs[0].end(script, &everywhere, &[("top-1 accuracy", 0.875, 0.0)]);
    let known = [("top-1 accuracy", 0.875, 0.0), ("instructions p99", 11_920.0, 0.0), ("arena used", 7_200.0, 0.0)];
    jobs[1].end(script, &everywhere, &known);
    health(script, "suspect", "no answer from the probe");
    health(script, "recovering", "switched off and on");
    health(script, "healthy", "");
    jobs[2].end(script, &everywhere, &[("top-1 accuracy", 0.825, 0.0), ("latency p99", 0.003_7, 0.000_01)]);
    Job::new(4, SIM, true).run(script, &everywhere, &[]);
    script.step(&everywhere, "When ", "it runs on every stage", pass);
    for (job, target, measured) in [(1, HOST, "87.5 % (35 of 40)"), (2, M4, "87.5 % (35 of 40)"), (4, SIM, "87.5 %")] {
        script.judge(&everywhere, job, target, ["top-1 accuracy >= 80 %", measured], (Verdict::Pass, ""));
    }
    script.judge(&everywhere, 3, NUCLEO, ["top-1 accuracy >= 80 %", "82.5 % (33 of 40)"], (Verdict::Pass, ""));
    script.step(&everywhere, "Then ", "the top-1 accuracy is at least 80 %", pass);
    let worse = "worse than the baseline: instructions p99 11,920 -> 12,100 (+1.51 %)";
    script.judge(&everywhere, 2, M4, ["nothing is worse than the baseline", "1 worse"], (Verdict::Fail, worse));
    let told = format!("{M4}: {worse}");
    script.step(&everywhere, "And ", "nothing is worse than the baseline", Some((Verdict::Fail, &told)));
    script.end(&everywhere, Verdict::Fail, &told);

    let board = id(WORDS, 10, "It answers in time on the board");
    script.begin(&board, &["speech"]);
    script.step(&board, "Given ", given, pass);
    script.tell(FarmEvent::JobUsed { scenario: board.clone(), job: JobId(3) });
    script.step(&board, "When ", "it runs on the board \"nucleo-1\"", pass);
    Job { rerun: 1, ..Job::new(5, NUCLEO, true) }.run(script, &board, &[]);
    let few = "2 earlier runs with this model and dataset are too few to know the spread; 3 more are wanted";
    let criterion = ["latency p99 is not worse than the baseline", "3.70 ms, measured again 3.70 ms"];
    script.judge(&board, 3, NUCLEO, criterion, (Verdict::Inconclusive, few));
    let told = format!("{NUCLEO}: {few}");
    let step = "the latency p99 is not worse than the baseline";
    script.step(&board, "Then ", step, Some((Verdict::Inconclusive, &told)));
    script.end(&board, Verdict::Inconclusive, &told);

    let ships = id(WORDS, 15, "It ships within its memory");
    script.begin(&ships, &["speech"]);
    let given = "the model \"micro_speech\" linked into its own firmware and the dataset \"words\"";
    script.step(&ships, "Given ", given, pass);
    Job { own: true, ..Job::new(6, M4, true) }.run(script, &ships, &[("flash", 82_000.0, 0.0)]);
    script.step(&ships, "When ", "it runs on the emulator \"qemu:mps2-an386\"", pass);
    script.judge(&ships, 6, M4, ["flash <= 200 KiB", "80.5 KiB"], (Verdict::Pass, ""));
    script.step(&ships, "Then ", "the flash is at most 200 KiB", pass);
    script.end(&ships, Verdict::Pass, "");
}

fn sine(script: &mut Script) {
    let pass = Some((Verdict::Pass, ""));
    let given = "the model \"hello_world\" and the dataset \"sine\"";
    script.tell(FarmEvent::FeatureRead { path: SINE.to_owned(), text: SINE_TEXT.to_owned() });
    let everywhere = id(SINE, 3, "It predicts a sine everywhere");
    script.begin(&everywhere, &[]);
    script.step(&everywhere, "Given ", given, pass);
    Job::new(7, HOST, false).start(script);
    // The power goes, and comes back an hour later.
    script.millis += 3_600_000;
    script.tell(FarmEvent::RunResumed { scenarios: 4 });
    script.begin(&everywhere, &[]);
    script.step(&everywhere, "Given ", given, pass);
    let known = [("mean absolute error", 0.033_612, 0.0), ("instructions median", 6_829.0, 0.0)];
    for job in [Job::new(8, HOST, false), Job { retries: 2, ..Job::new(9, M4, false) }, Job::new(10, SIM, false)] {
        job.run(script, &everywhere, &known[..if job.target == M4 { 2 } else { 1 }]);
        let criterion = ["mean absolute error <= 0.05", "0.0336"];
        script.judge(&everywhere, job.id, job.target, criterion, (Verdict::Pass, ""));
    }
    script.step(&everywhere, "When ", "it runs on every stage, accepted by", pass);
    script.end(&everywhere, Verdict::Pass, "qemu:mps2-an386: after 2 infra retries");

    let runs = "it runs on the emulator \"qemu:mps2-an386\"";
    for (scenario, then, criterion, missed, until, expired) in [
        (
            id(SINE, 9, "It is known to drift"),
            "the maximum error is at most 0.1",
            ["maximum error <= 0.1", "0.1302"],
            "expected maximum error <= 0.1, found 0.1302",
            "2026-12-24",
            false,
        ),
        (
            id(SINE, 14, "It was known to be slow"),
            "the instructions p99 are at most 6800",
            ["instructions p99 <= 6800", "6,860"],
            "expected instructions p99 <= 6,800, found 6,860",
            "2026-10-31",
            true,
        ),
    ] {
        let told = format!("{M4}: {missed}");
        script.begin(&scenario, &[]);
        script.step(&scenario, "Given ", given, pass);
        script.tell(FarmEvent::JobUsed { scenario: scenario.clone(), job: JobId(9) });
        script.step(&scenario, "When ", runs, pass);
        script.judge(&scenario, 9, M4, criterion, (Verdict::Fail, missed));
        script.step(&scenario, "Then ", then, Some((Verdict::Fail, &told)));
        quarantined(script, &scenario, (Verdict::Fail, &told), until, expired);
    }

    let absent = id(SINE, 19, "It runs on a Cortex-M55");
    let reason = "qemu-system-arm has no such machine; install it with scripts/setup";
    script.begin(&absent, &[]);
    script.step(&absent, "Given ", given, pass);
    script.lost(&absent, 11, ["hello_world", "sine", M55], (Verdict::Blocked, reason), "");
    let told = format!("{M55}: {reason}");
    script.step(&absent, "When ", "it runs on the emulator \"qemu:mps3-an547\"", Some((Verdict::Blocked, &told)));
    script.end(&absent, Verdict::Blocked, &told);
}
