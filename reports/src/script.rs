//! Runs that were never run: streams of events for the tests of all reporters.

#![allow(clippy::unwrap_used)]

use crate::{Account, ReportError, Reporter};
use farm::{
    Availability, Clock, Digest, Evidence, FarmEvent, Fault, Footprint, Handshake, Inference, JobId, Judgement,
    Provenance, Slots, Stage, Stamped, TargetInfo, Verdict,
    events::{CriterionReport, ScenarioId, StepReport},
    job::{AttemptReport, JobReport},
    metrics::{Classification, Distribution, Errors, Summary},
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

#[path = "script_rich.rs"]
mod rich;
pub(crate) use rich::rich;

/// A reporter with the account that it is given.
pub(crate) struct Played<R> {
    pub reporter: R,
    pub account: Account,
}

impl<R: Reporter> Played<R> {
    pub fn new(reporter: R) -> Self {
        Self { reporter, account: Account::default() }
    }

    pub fn on(&mut self, event: &Stamped) -> Result<(), ReportError> {
        self.account.on(event);
        self.reporter.on(event, &self.account)
    }

    pub fn finish(&mut self) -> Result<(), ReportError> {
        self.reporter.finish(&self.account)
    }
}

/// Plays all of `events` to `reporter`.
pub(crate) fn play(reporter: &mut dyn Reporter, events: &[Stamped]) {
    let mut account = Account::default();
    for event in events {
        account.on(event);
        reporter.on(event, &account).unwrap();
    }
    reporter.finish(&account).unwrap();
}

/// Puts events one after another.
pub(crate) struct Script {
    pub events: Vec<Stamped>,
    millis: i64,
    /// Milliseconds between events.
    pace: i64,
}

fn target(id: &str) -> TargetInfo {
    let board = Clock::BoardCycles { hz: 64_000_000 };
    let (stage, core, clock, slots) = match id {
        "container" => (Stage::Container, "x86-64", Clock::Host, Slots::Own(4)),
        id if id.starts_with("sim") => (Stage::Board, "Cortex-M4F", Clock::QemuInstructions, Slots::Own(1)),
        id if id.contains("nucleo") => (Stage::Board, "Cortex-M4F", board, Slots::Own(1)),
        _ => (Stage::Emulator, "Cortex-M4F", Clock::QemuInstructions, Slots::Shared),
    };
    let tags = if stage == Stage::Board { vec!["m4".to_owned()] } else { Vec::new() };
    let kind = (stage == Stage::Board).then(|| "nucleo-l4r5zi".to_owned());
    let (id, core, simulated) = (id.into(), core.to_owned(), id.starts_with("sim"));
    TargetInfo { id, stage, core, clock, slots, simulated, tags, kind, memory: None }
}

pub(crate) fn scenario(line: usize, name: &str) -> ScenarioId {
    let path = "features/hello_world.feature".to_owned();
    ScenarioId { path, line, feature: "hello_world predicts a sine".to_owned(), name: name.to_owned() }
}

/// What a job brought back.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    /// Mean absolute error.
    Sine(f64),
    /// Right answers out of 30.
    Labels(u64),
    /// A dataset without answers.
    Outputs,
}

impl Script {
    pub(crate) fn new(scenarios: usize) -> Self {
        let mut script = Self { events: Vec::new(), millis: 0, pace: 100 };
        script.tell(FarmEvent::RunStarted {
            run: "20261122T134600Z-5eed".to_owned(),
            version: "0.1.0".to_owned(),
            command: vec!["tinyfarm".to_owned(), "run".to_owned(), "features".to_owned()],
            scenarios,
            origin: farm::Origin::default(),
        });
        script
    }

    pub(crate) fn tell(&mut self, event: FarmEvent) {
        let at = Timestamp::from_second(1_795_355_160).unwrap() + jiff::SignedDuration::from_millis(self.millis);
        self.millis += self.pace;
        self.events.push(Stamped { at, event });
    }

    pub(crate) fn see(&mut self, id: &str, availability: Availability) {
        self.tell(FarmEvent::TargetSeen { info: target(id), availability });
    }

    pub(crate) fn ready(&mut self, id: &str, tool: &str) {
        self.see(id, Availability::Ready { tool: tool.to_owned() });
    }

    pub(crate) fn begin(&mut self, id: &ScenarioId, tags: &[&str]) {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self.tell(FarmEvent::ScenarioStarted { scenario: id.clone(), tags });
    }

    pub(crate) fn step(&mut self, id: &ScenarioId, keyword: &str, text: &str, end: Option<(Verdict, &str)>) {
        let line = id.line + 1 + self.events.iter().filter(|event| is_step_of(event, id)).count();
        let judgement = end.map(|(verdict, reason)| Judgement::new(verdict, reason));
        let (keyword, text) = (keyword.to_owned(), text.to_owned());
        let report = StepReport { keyword, text, line, judgement, took: Duration::from_millis(250) };
        self.tell(FarmEvent::StepFinished { scenario: id.clone(), report });
    }

    pub(crate) fn end(&mut self, id: &ScenarioId, verdict: Verdict, reason: &str) {
        let judgement = Judgement::new(verdict, reason);
        let (took, quarantine) = (Duration::from_millis(1_250), None);
        self.tell(FarmEvent::ScenarioFinished { scenario: id.clone(), judgement, took, quarantine });
    }

    pub(crate) fn judge(&mut self, id: &ScenarioId, job: u64, at: &str, criterion: [&str; 2], end: (Verdict, &str)) {
        let report = CriterionReport {
            job: JobId(job),
            target: at.into(),
            criterion: criterion[0].to_owned(),
            measured: criterion[1].to_owned(),
            value: Some(0.033_612),
            judgement: Judgement::new(end.0, end.1),
        };
        self.tell(FarmEvent::CriterionJudged { scenario: id.clone(), report });
    }

    pub(crate) fn finish(&mut self, interrupted: bool) {
        self.tell(FarmEvent::RunFinished { interrupted, took: Duration::from_millis(12_345) });
    }

    /// A job that waits and gets its target.
    pub(crate) fn start(&mut self, job: u64, names: [&str; 3], samples: usize) {
        let [model, dataset, target] = names;
        self.tell(FarmEvent::JobQueued {
            job: JobId(job),
            model: model.to_owned(),
            dataset: dataset.to_owned(),
            target: target.into(),
            alternates: Vec::new(),
            samples,
        });
        self.tell(FarmEvent::AttemptStarted { job: JobId(job), attempt: 1, target: target.into() });
        self.tell(FarmEvent::JobProgress { job: JobId(job), done: samples / 2 });
    }

    /// A whole job with evidence, after `retries` attempts that met with infra.
    pub(crate) fn job(&mut self, id: &ScenarioId, job: u64, names: [&str; 3], found: Found, retries: u32) {
        let samples = if matches!(found, Found::Labels(_)) { 30 } else { 1_001 };
        self.start(job, names, samples);
        let mut attempts = Vec::new();
        for number in 1..=retries + 1 {
            let last = number > retries;
            let verdict = if last { Verdict::Pass } else { Verdict::Infra };
            let reason = if last { "" } else { "QEMU was killed by signal 9" }.to_owned();
            let report =
                AttemptReport { number, target: names[2].into(), verdict, reason, took: Duration::from_millis(800) };
            self.tell(FarmEvent::AttemptFinished { job: JobId(job), report: report.clone() });
            attempts.push(report);
            if !last {
                self.tell(FarmEvent::AttemptStarted { job: JobId(job), attempt: number + 1, target: names[2].into() });
            }
        }
        let reason = if retries > 0 { "after 1 infra retry" } else { "" };
        let evidence = evidence(names[2]);
        let summary = Arc::new(summary(&evidence, samples, found));
        let report = JobReport {
            own_firmware: false,
            rerun: 0,
            id: JobId(job),
            model: names[0].to_owned(),
            dataset: names[1].to_owned(),
            target: names[2].into(),
            simulated: target(names[2]).simulated,
            judgement: Judgement::new(Verdict::Pass, reason),
            fault: None,
            attempts,
            evidence: Some(Arc::new(evidence)),
            log: "TFLM: arena allocated\n".to_owned(),
        };
        self.tell(FarmEvent::JobFinished { report: Arc::new(report), summary: Some(summary) });
        self.tell(FarmEvent::JobUsed { scenario: id.clone(), job: JobId(job) });
    }

    /// A job that brought nothing back.
    pub(crate) fn lost(&mut self, id: &ScenarioId, job: u64, names: [&str; 3], end: (Verdict, &str), log: &str) {
        let (verdict, reason) = end;
        let fault = (verdict == Verdict::Fail).then(|| Fault::Crash { detail: reason.to_owned() });
        self.ended(id, job, names, (verdict, reason), (fault, log));
    }

    /// A job that ended with this fault.
    pub(crate) fn faulty(&mut self, id: &ScenarioId, job: u64, names: [&str; 3], fault: Fault) {
        let reason = fault.to_string();
        self.ended(id, job, names, (Verdict::Fail, &reason), (Some(fault), ""));
    }

    fn ended(
        &mut self,
        id: &ScenarioId,
        job: u64,
        names: [&str; 3],
        (verdict, reason): (Verdict, &str),
        (fault, log): (Option<Fault>, &str),
    ) {
        let mut attempts = Vec::new();
        if verdict != Verdict::Blocked {
            self.start(job, names, 1_001);
            let took = Duration::from_millis(800);
            attempts.push(AttemptReport {
                number: 1,
                target: names[2].into(),
                verdict,
                reason: reason.to_owned(),
                took,
            });
        }
        let report = JobReport {
            own_firmware: false,
            rerun: 0,
            id: JobId(job),
            model: names[0].to_owned(),
            dataset: names[1].to_owned(),
            target: names[2].into(),
            simulated: target(names[2]).simulated,
            judgement: Judgement::new(verdict, reason),
            fault,
            attempts,
            evidence: None,
            log: log.to_owned(),
        };
        self.tell(FarmEvent::JobFinished { report: Arc::new(report), summary: None });
        self.tell(FarmEvent::JobUsed { scenario: id.clone(), job: JobId(job) });
    }
}

fn is_step_of(event: &Stamped, id: &ScenarioId) -> bool {
    matches!(&event.event, FarmEvent::StepFinished { scenario, .. } if scenario == id)
}

fn evidence(id: &str) -> Evidence {
    let info = target(id);
    let firmware = info.stage != Stage::Container;
    Evidence {
        inferences: vec![
            Inference { output: vec![0, 0, 0x80, 0x3f], ticks: 6_812 },
            Inference { output: vec![0, 0, 0, 0xbf], ticks: 6_901 },
        ],
        clock: info.clock,
        handshake: Handshake {
            runner: "0.1.0".to_owned(),
            runner_digest: "c0ffee".to_owned(),
            tflm: "2.2.0".to_owned(),
            core: info.core.clone(),
            clock: info.clock,
            model: Digest::of(b"model"),
            arena_size: 65_536,
            arena_used: 1_472,
        },
        footprint: firmware.then_some(Footprint { text: 175_600, data: 2_400, bss: 70_000 }),
        log: "TFLM: arena allocated\n".to_owned(),
        provenance: Provenance {
            model: Digest::of(b"model"),
            dataset: Digest::of(b"dataset"),
            runner: "c0ffee".to_owned(),
            tflm: "2.2.0".to_owned(),
            tool: "QEMU 7.2.22".to_owned(),
        },
        target: info,
    }
}

fn summary(evidence: &Evidence, samples: usize, found: Found) -> Summary {
    let errors = |mean| Errors { mean_absolute: mean, root_mean_square: mean * 1.2, maximum: 0.130_2 };
    let classes = ["yes".to_owned(), "no".to_owned()];
    let labels =
        |right| Classification::of(&classes, (0..30).map(|at| (at % 2, (at < right as usize).then_some(at % 2))));
    Summary {
        samples,
        errors: if let Found::Sine(mean) = found { Some(errors(mean)) } else { None },
        classification: if let Found::Labels(right) = found { Some(labels(right)) } else { None },
        ticks: Distribution { min: 6_700, median: 6_812, p90: 6_850, p99: 6_901, max: 6_950 },
        clock: evidence.clock,
        arena_used: evidence.handshake.arena_used,
        arena_size: evidence.handshake.arena_size,
        footprint: evidence.footprint,
        model_bytes: 2_512,
    }
}

/// A run in which everything happens: every verdict, a retry, targets that are left out, a scenario on several targets,
/// text that would like to do harm.
pub(crate) fn every_verdict() -> Vec<Stamped> {
    let mut script = Script::new(7);
    let given = "the model \"hello_world\" and the dataset \"sine\"";
    let [container, m4, board] = ["container", "qemu:mps2-an386", "board:nucleo"];
    let sine = |target| ["hello_world", "sine", target];
    let pass = Some((Verdict::Pass, ""));
    script.ready(container, "Docker 20.10.24");
    script.ready(m4, "QEMU 7.2.22");
    script.ready(board, "probe-rs 0.29");
    let absent = "qemu-system-arm has no such machine; install it with scripts/setup";
    script.see("qemu:mps3-an547", Availability::Absent { reason: absent.to_owned() });
    script.tell(FarmEvent::Preparing { target: m4.into() });
    for done in [1, 2] {
        script.tell(FarmEvent::Building { target: m4.into(), done, total: 2 });
    }
    script.tell(FarmEvent::Prepared { target: m4.into(), took: Duration::from_millis(11_200), error: None });
    script.tell(FarmEvent::Preparing { target: board.into() });
    let error = Some("runner.cc:7: error: 'x' was not declared\n    7 | x\n".to_owned());
    script.tell(FarmEvent::Prepared { target: board.into(), took: Duration::from_millis(900), error });

    let id = scenario(5, "It predicts a sine everywhere");
    script.begin(&id, &["smoke"]);
    script.step(&id, "Given ", given, pass);
    for (job, target) in [(1, container), (2, m4), (3, board)] {
        script.job(&id, job, sine(target), Found::Sine(0.033_612), u32::from(target == m4));
        let criterion = ["mean absolute error <= 0.05", "0.0336"];
        script.judge(&id, job, target, criterion, (Verdict::Pass, ""));
    }
    script.step(&id, "When ", "it runs on every stage, accepted by", pass);
    script.end(&id, Verdict::Pass, "after 1 infra retry");

    let id = scenario(15, "It is better than it is");
    let missed = "expected mean absolute error <= 0.03, found 0.0336: 0.0036 too much";
    let told = format!("{m4}: {missed}");
    script.begin(&id, &[]);
    script.step(&id, "Given ", given, pass);
    script.tell(FarmEvent::JobUsed { scenario: id.clone(), job: JobId(2) });
    script.step(&id, "When ", "it runs on the emulator \"qemu:mps2-an386\"", pass);
    script.judge(&id, 2, m4, ["mean absolute error <= 0.03", "0.0336"], (Verdict::Fail, missed));
    script.step(&id, "Then ", "the mean absolute error is at most 0.03", Some((Verdict::Fail, &told)));
    script.step(&id, "When ", "it runs on the board", None);
    script.end(&id, Verdict::Fail, &told);

    let id = scenario(25, "It crashes \u{1b}[2J\u{202e}ssap ]]> <b>&\"日本 🦀\0");
    let crash = "crashed: core locked up \u{1b}[32mpass\u{1b}[0m";
    script.begin(&id, &[]);
    script.lost(&id, 4, ["evil\u{7}", "sine", m4], (Verdict::Fail, crash), "one\n]]> \u{1b}[1A two\r\n\0three\n");
    script.step(&id, "When ", "it runs on the emulator \"qemu:mps2-an386\"", Some((Verdict::Fail, crash)));
    script.end(&id, Verdict::Fail, crash);

    let id = scenario(35, "The bench breaks");
    let infra = "QEMU was killed by signal 9";
    script.begin(&id, &[]);
    script.lost(&id, 5, ["hello_world", "other", m4], (Verdict::Infra, infra), "qemu: terminating on signal 9\n");
    script.step(&id, "When ", "it runs on the emulator \"qemu:mps2-an386\"", Some((Verdict::Infra, infra)));
    script.end(&id, Verdict::Infra, infra);

    for line in [45, 50] {
        let id = scenario(line, "It cannot be tried");
        let blocked = "the Docker engine does not answer; start dockerd";
        script.begin(&id, &[]);
        script.lost(&id, line as u64, ["person", "people", container], (Verdict::Blocked, blocked), "");
        script.step(&id, "When ", "it runs in the container", Some((Verdict::Blocked, blocked)));
        script.end(&id, Verdict::Blocked, blocked);
    }

    let id = scenario(55, "It needs more samples");
    let few = "30 samples are too few to show top-1 accuracy >= 99 %: even a perfect score shows no more than 88.6 %";
    let told = format!("{m4}: {few}");
    script.begin(&id, &[]);
    script.job(&id, 6, ["micro_speech", "words", m4], Found::Labels(30), 0);
    script.job(&id, 7, ["micro_speech", "noise", container], Found::Outputs, 0);
    let criterion = ["top-1 accuracy >= 99 %", "100.0 % (30 of 30)"];
    script.judge(&id, 6, m4, criterion, (Verdict::Inconclusive, few));
    script.step(&id, "Then ", "the top-1 accuracy is at least 99 %", Some((Verdict::Inconclusive, &told)));
    script.end(&id, Verdict::Inconclusive, &told);
    script.finish(false);
    script.events
}

/// A run on boards: one that waits, one whose bench fails and that goes on elsewhere, a simulated one, one that could have
/// none.
pub(crate) fn boards() -> Vec<Stamped> {
    let mut script = Script::new(3);
    for board in ["nucleo-1", "nucleo-2", "sim-1"] {
        script.ready(board, "probe-rs 0.32");
    }
    script.see("sim-2", Availability::Absent { reason: "it is not on the bench".to_owned() });
    let id = scenario(5, "Any board");
    script.begin(&id, &["board"]);
    let (job, lost) = (JobId(1), "the probe left while flashing\u{1b}[2J");
    let alternates = vec!["nucleo-2".into(), "sim-1".into()];
    let (model, dataset) = ("hello_world".to_owned(), "sine".to_owned());
    script.tell(FarmEvent::JobQueued { job, model, dataset, target: "nucleo-1".into(), alternates, samples: 1_001 });
    let why = "held by process 4711 (qa, tinyfarm run) since 10:31".to_owned();
    script.tell(FarmEvent::Waiting { job, target: "nucleo-1".into(), why });
    let mut attempts = Vec::new();
    for (number, board, verdict, reason) in [(1, "nucleo-1", Verdict::Infra, lost), (2, "nucleo-2", Verdict::Pass, "")]
    {
        script.tell(FarmEvent::AttemptStarted { job, attempt: number, target: board.into() });
        for done in [0, 90_000] {
            script.tell(FarmEvent::Flashing { target: board.into(), done, total: 180_000 });
        }
        let (target, took) = (board.into(), Duration::from_millis(800));
        let report = AttemptReport { number, target, verdict, reason: reason.to_owned(), took };
        attempts.push(report.clone());
        script.tell(FarmEvent::AttemptFinished { job, report });
        if verdict == Verdict::Infra {
            for (state, reason) in [("quarantined", lost), ("re-admitted", "")] {
                let (target, state, reason) = (board.into(), state.to_owned(), reason.to_owned());
                script.tell(FarmEvent::BenchHealth { target, state, reason });
            }
        }
    }
    let evidence = evidence("nucleo-2");
    let summary = Arc::new(summary(&evidence, 1_001, Found::Sine(0.033_612)));
    let report = JobReport {
        own_firmware: false,
        rerun: 0,
        id: job,
        model: "hello_world".to_owned(),
        dataset: "sine".to_owned(),
        target: "nucleo-2".into(),
        simulated: false,
        judgement: Judgement::new(Verdict::Pass, format!("after 1 infra retry: on nucleo-1: {lost}")),
        fault: None,
        attempts,
        evidence: Some(Arc::new(evidence)),
        log: String::new(),
    };
    script.tell(FarmEvent::JobFinished { report: Arc::new(report), summary: Some(summary) });
    script.tell(FarmEvent::JobUsed { scenario: id.clone(), job });
    script.end(&id, Verdict::Pass, &format!("nucleo-2: after 1 infra retry: on nucleo-1: {lost}"));

    let id = scenario(15, "A simulated board");
    script.begin(&id, &[]);
    script.job(&id, 2, ["hello_world", "sine", "sim-1"], Found::Sine(0.033_612), 1);
    script.judge(&id, 2, "sim-1", ["mean absolute error <= 0.05", "0.0336"], (Verdict::Pass, ""));
    let timeless = "sim-1 is simulated and tells no time";
    script.judge(&id, 2, "sim-1", ["latency p99 <= 5 ms", "nothing"], (Verdict::Inconclusive, timeless));
    script.step(&id, "When ", "it runs on the board \"sim-1\", accepted by", Some((Verdict::Inconclusive, timeless)));
    script.end(&id, Verdict::Inconclusive, timeless);

    let id = scenario(25, "No board");
    script.begin(&id, &[]);
    let (job, target, alternates) = (JobId(3), "nucleo-1".into(), vec!["sim-1".into()]);
    let (model, dataset) = ("hello_world".to_owned(), "sine".to_owned());
    script.tell(FarmEvent::JobQueued { job, model, dataset, target, alternates, samples: 1_001 });
    let none = "none of its 2 targets can be used: nucleo-1: quarantined; sim-1: quarantined";
    script.lost(&id, 3, ["hello_world", "sine", "nucleo-1"], (Verdict::Blocked, none), "");
    script.step(&id, "When ", "it runs on any board tagged \"m4\"", Some((Verdict::Blocked, none)));
    script.end(&id, Verdict::Blocked, none);
    script.finish(false);
    script.events
}

/// A run of `count` scenarios with a job each, about 100 a second; every tenth fails.
pub(crate) fn long(count: usize) -> impl Iterator<Item = Stamped> {
    let mut script = Script::new(count);
    script.pace = 1;
    let mut at = 0;
    std::iter::from_fn(move || {
        if script.events.is_empty() {
            if at > count {
                return None;
            }
            at += 1;
            if at > count {
                script.finish(false);
            } else {
                one(&mut script, at);
            }
        }
        // Handed out from the front; a scenario has a dozen events.
        Some(script.events.remove(0))
    })
}

fn one(script: &mut Script, at: usize) {
    let id = scenario(at, &format!("Scenario {at}"));
    script.begin(&id, &["many"]);
    script.job(&id, at as u64, ["hello_world", "sine", "qemu:mps2-an386"], Found::Sine(0.033_612), 0);
    let missed = format!("mean absolute error is 0.0336, wanted <= 0.0{at}");
    let end = if at.is_multiple_of(10) { (Verdict::Fail, missed.as_str()) } else { (Verdict::Pass, "") };
    let criterion = ["mean absolute error <= 0.05", "0.0336"];
    script.judge(&id, at as u64, "qemu:mps2-an386", criterion, end);
    script.step(&id, "Then ", "the mean absolute error is at most 0.05", Some(end));
    script.end(&id, end.0, end.1);
}
