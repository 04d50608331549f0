//! A farm of mock targets for the tests of this crate: what a feature's text leads to, as events in words.
#![allow(clippy::unwrap_used)]

use crate::{Plan, PlanErrors, PlanOptions, Resume, RunOptions, run};
use async_trait::async_trait;
use farm::{
    Availability, Clock, EventSink, FarmEvent, Fault, Footprint, Handshake, History, Inference, JobSpec, Library,
    Scheduler, Session, Slots, Stage, Stamped, Target, TargetError, TargetId, TargetInfo, scheduler::SchedulerOptions,
};
use flatbuffers::{FlatBufferBuilder, WIPOffset};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// Cucumber swaps the process's panic hook while it runs: one run at a time, so that the right one comes back.
static ONE_RUN: Mutex<()> = Mutex::new(());

/// How a mock target behaves.
#[derive(Clone)]
pub(crate) enum Script {
    /// Output element `k` is `(k + 1) × x`, off by this from the second sample on; a quantised output stores it.
    Offset(f32),
    /// It is not there.
    Absent(&'static str),
    /// The model is at fault.
    Fault(Fault),
    /// The model is, where a job may use less arena than this.
    ArenaBelow(u64),
    /// The bench is, so many times.
    Bench(usize),
    /// It panics.
    Panic,
    /// It stops the run, and then answers.
    Interrupt(CancellationToken),
    /// The first sample takes so many ticks, and so many when it is measured again.
    Takes(u64, u64),
    /// The same, and what happens in place of a second measurement.
    TakesOnce(u64, TargetError),
}

#[derive(Clone)]
pub(crate) struct Mock {
    info: TargetInfo,
    script: Script,
    opened: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Mock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mock {}", self.info.id)
    }
}

/// A mock target; its stage and clock are those that its name tells: one that begins with `sim` is a simulated board.
pub(crate) fn mock(id: &str, script: Script) -> Mock {
    let (stage, clock) = match id {
        "container" => (Stage::Container, Clock::Host),
        "host" => (Stage::Host, Clock::Host),
        id if id.starts_with("qemu:") => (Stage::Emulator, Clock::QemuInstructions),
        id if id.starts_with("sim") => (Stage::Board, Clock::QemuInstructions),
        _ => (Stage::Board, Clock::BoardCycles { hz: 1_000_000 }),
    };
    let info = TargetInfo {
        id: TargetId::from(id),
        stage,
        core: "a core".to_owned(),
        clock,
        slots: Slots::Shared,
        simulated: id.starts_with("sim"),
        tags: Vec::new(),
        kind: None,
        memory: None,
    };
    Mock { info, script, opened: Arc::default() }
}

#[async_trait]
impl Target for Mock {
    fn info(&self) -> &TargetInfo {
        &self.info
    }
    async fn availability(&self) -> Availability {
        match self.script {
            Script::Absent(reason) => Availability::Absent { reason: reason.to_owned() },
            _ => Availability::Ready { tool: "mock".to_owned() },
        }
    }
    async fn prepare(&self) -> Result<(), TargetError> {
        Ok(())
    }
    async fn open(&self, job: &JobSpec) -> Result<Box<dyn Session>, TargetError> {
        let tries = self.opened.fetch_add(1, Ordering::Relaxed);
        match &self.script {
            Script::Fault(fault) => return Err(TargetError::Fault(fault.clone())),
            Script::ArenaBelow(least) if job.arena_limit.is_some_and(|limit| limit < *least) => {
                let needed = *least;
                let what = "tensor arena".into();
                let fault = Fault::DoesNotFit { what, needed, available: job.arena_limit.unwrap_or_default() };
                return Err(TargetError::Fault(fault));
            }
            Script::Bench(times) if tries < *times => return Err(TargetError::Bench("probe lost".to_owned())),
            Script::Panic => panic!("mock panicked"),
            Script::Interrupt(cancel) => cancel.cancel(),
            Script::TakesOnce(_, error) if job.rerun > 0 => return Err(error.clone()),
            _ => {}
        }
        let handshake = Handshake {
            runner: "1".to_owned(),
            runner_digest: "abc".to_owned(),
            tflm: "2020".to_owned(),
            core: "a core".to_owned(),
            clock: self.info.clock,
            model: job.model.digest(),
            arena_size: 4096,
            arena_used: 1536,
        };
        let offset = if let Script::Offset(offset) = self.script { offset } else { 0.0 };
        let ticks = match self.script {
            Script::Takes(_, again) if job.rerun > 0 => again,
            Script::Takes(first, _) | Script::TakesOnce(first, _) => first,
            _ => 100,
        };
        let output = &job.model.outputs()[0];
        Ok(Box::new(MockSession {
            handshake,
            offset,
            ticks,
            elements: output.elements(),
            quantised: output.quantization.is_some(),
        }))
    }
}

struct MockSession {
    handshake: Handshake,
    offset: f32,
    ticks: u64,
    elements: usize,
    quantised: bool,
}

#[async_trait]
impl Session for MockSession {
    fn handshake(&self) -> &Handshake {
        &self.handshake
    }
    fn footprint(&self) -> Option<Footprint> {
        Some(Footprint { text: 1000, data: 10, bss: 100 })
    }
    async fn infer(
        &mut self,
        inputs: &[Vec<u8>],
        _: &(dyn Fn(usize) + Send + Sync),
    ) -> Result<Vec<Inference>, TargetError> {
        let infer = |(index, input): (usize, &Vec<u8>)| {
            let x = f32::from_le_bytes(input[..4].try_into().unwrap());
            let value = |k: usize| (k + 1) as f32 * x + if index > 0 { self.offset } else { 0.0 };
            let output = (0..self.elements)
                .flat_map(|k| if self.quantised { vec![value(k) as u8] } else { value(k).to_le_bytes().to_vec() })
                .collect();
            Inference { output, ticks: self.ticks + index as u64 }
        };
        Ok(inputs.iter().enumerate().map(infer).collect())
    }
    fn log(&self) -> String {
        String::new()
    }
    fn standing(&self) -> farm::target::Standing {
        farm::target::Standing { done: 0, partial: None, garbage: 0 }
    }
    async fn close(self: Box<Self>) {}
}

/// A `.tflite` file of one float input and `elements` outputs, and no operators: it only describes.
fn tflite(elements: usize, quantised: bool) -> Vec<u8> {
    let mut b = FlatBufferBuilder::new();
    let tensor = |b: &mut FlatBufferBuilder<'_>, size: usize, quantised: bool| {
        let shape = b.create_vector(&[1_i32, size as i32]);
        let (scale, zero) = (b.create_vector(&[0.5_f32]), b.create_vector(&[0_i64]));
        let start = b.start_table();
        b.push_slot_always(8, scale);
        b.push_slot_always(10, zero);
        let quantization = b.end_table(start);
        let start = b.start_table();
        b.push_slot_always(4, shape);
        if quantised {
            b.push_slot_always(6, 3_u8);
            b.push_slot_always(12, WIPOffset::<u32>::new(quantization.value()));
        }
        b.end_table(start)
    };
    let tensors = [tensor(&mut b, 1, false), tensor(&mut b, elements, quantised)];
    let tensors = b.create_vector(&tensors);
    let (inputs, outputs) = (b.create_vector(&[0_i32]), b.create_vector(&[1_i32]));
    let none: [WIPOffset<flatbuffers::TableFinishedWIPOffset>; 0] = [];
    let (operators, codes) = (b.create_vector(&none), b.create_vector(&none));
    let start = b.start_table();
    b.push_slot_always(4, tensors);
    b.push_slot_always(6, inputs);
    b.push_slot_always(8, outputs);
    b.push_slot_always(10, operators);
    let graph = b.end_table(start);
    let graphs = b.create_vector(&[graph]);
    let start = b.start_table();
    let buffer = b.end_table(start);
    let buffers = b.create_vector(&[buffer]);
    let start = b.start_table();
    b.push_slot_always(4, 3_u32);
    b.push_slot_always(6, codes);
    b.push_slot_always(8, graphs);
    b.push_slot_always(12, buffers);
    let model = b.end_table(start);
    b.finish(model, Some("TFL3"));
    b.finished_data().to_vec()
}

/// Feature files in a folder of their own, and a farm.
pub(crate) struct Yard {
    folder: tempfile::TempDir,
    pub targets: Vec<Mock>,
    pub options: PlanOptions,
    pub concurrency: usize,
    pub cancel: CancellationToken,
    pub history: Option<Arc<dyn History>>,
    pub resume: Option<Resume>,
    /// All in one thread: of targets that are free, jobs then take the first.
    in_order: bool,
}

/// A yard with a container and two emulators that do what they should, two models and three datasets:
///
/// - `line.tflite`: one output, the input; `pair.tflite`: two, quantised with scale 0.5: x and 2 x, as stored values.
/// - `line.csv`: expected outputs of `line`; `plain.csv`: no truth; `label.csv`: classes of `pair`.
pub(crate) fn yard() -> Yard {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("line.tflite", &tflite(1, false));
    write("pair.tflite", &tflite(2, true));
    write("line.csv", b"sample,x0,y0\none,1,1\ntwo,2,2\n");
    write("plain.csv", b"sample,x0\none,1\ntwo,2\n");
    write("label.csv", b"sample,x0,label\none,1,1\ntwo,2,1\n");
    let targets = vec![
        mock("container", Script::Offset(0.0)),
        mock("qemu:m3", Script::Offset(0.0)),
        mock("qemu:m4", Script::Offset(0.0)),
    ];
    let (options, cancel) = (PlanOptions::default(), CancellationToken::new());
    Yard { folder, targets, options, concurrency: 128, cancel, history: None, resume: None, in_order: false }
}

impl Yard {
    pub fn with(mut self, id: &str, script: Script) -> Self {
        self.targets.retain(|target| target.info.id.0 != id);
        self.targets.push(mock(id, script));
        self
    }

    /// With a board that has these tags; all with the same first tag are of one kind.
    pub fn with_board(self, id: &str, tags: &[&str], script: Script) -> Self {
        let mut yard = self.with(id, script);
        yard.in_order = true;
        if let Some(board) = yard.targets.last_mut() {
            board.info.slots = Slots::Own(1);
            board.info.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            board.info.kind = tags.first().map(|tag| (*tag).to_owned());
        }
        yard
    }

    /// Writes a file beside the others.
    pub fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes a feature of one scenario with these steps.
    pub fn steps(self, steps: &str) -> Self {
        self.file("f.feature", &format!("Feature: f\n  Scenario: s\n{steps}\n"))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn plan(&self) -> Result<Plan, PlanErrors> {
        self.plan_of(&[self.folder.path().to_owned()])
    }

    pub fn plan_of(&self, paths: &[PathBuf]) -> Result<Plan, PlanErrors> {
        let infos: Vec<TargetInfo> = self.targets.iter().map(|target| target.info.clone()).collect();
        Plan::new(paths, &self.options, &Library::default(), &infos)
    }

    /// What is wrong with the features, as people see it.
    pub fn errors(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        match self.plan() {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(errors) => {
                let text =
                    errors.render(200, false).replace(&folder, "").replace(folder.trim_end_matches('/'), "FOLDER");
                text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Runs the features.
    pub fn run(&self) -> Vec<FarmEvent> {
        self.run_stamped().into_iter().map(|stamped| stamped.event).collect()
    }

    /// Runs the features; what is told, and when it happened.
    pub fn run_stamped(&self) -> Vec<Stamped> {
        let plan = self.plan().unwrap_or_else(|errors| panic!("{}", errors.render(120, false)));
        let _one = ONE_RUN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (sink, mut events) = EventSink::channel();
        let targets: Vec<Arc<dyn Target>> =
            self.targets.iter().map(|target| Arc::new(target.clone()) as Arc<dyn Target>).collect();
        let runtime = match self.in_order {
            true => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            false => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
        };
        runtime.block_on(async {
            let first_job = self.resume.as_ref().map_or(1, Resume::first_job);
            let options = SchedulerOptions { first_job, ..SchedulerOptions::default() };
            let scheduler = Arc::new(Scheduler::new(targets, options, sink.clone(), self.cancel.clone()));
            let (history, resume) = (self.history.clone(), self.resume.clone());
            let options = RunOptions { concurrency: self.concurrency, history, resume, ..RunOptions::default() };
            run(plan, scheduler, sink, options, self.cancel.clone()).await;
        });
        let mut told = Vec::new();
        while let Ok(stamped) = events.try_recv() {
            told.push(stamped);
        }
        told
    }

    /// What a run tells, in words.
    pub fn story(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        story(&self.run()).replace(&folder, "")
    }

    /// The same, one scenario at a time.
    pub fn story_in_order(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        let events = self.run();
        let of = |event: &FarmEvent| match event {
            FarmEvent::ScenarioStarted { scenario, .. }
            | FarmEvent::StepFinished { scenario, .. }
            | FarmEvent::CriterionJudged { scenario, .. }
            | FarmEvent::ScenarioFinished { scenario, .. } => Some(scenario.line),
            _ => None,
        };
        let mut told: Vec<FarmEvent> = events.into_iter().filter(|event| of(event).is_some()).collect();
        told.sort_by_key(of);
        story(&told).replace(&folder, "")
    }

    /// How many times each target was opened.
    pub fn opened(&self, id: &str) -> usize {
        self.targets.iter().find(|target| target.info.id.0 == id).unwrap().opened.load(Ordering::Relaxed)
    }
}

/// What scenarios, steps and criteria came to, one line each; jobs are left out.
pub(crate) fn story(events: &[FarmEvent]) -> String {
    let mut text = String::new();
    for event in events {
        let _ = match event {
            FarmEvent::ScenarioStarted { scenario, tags } => {
                writeln!(text, "{}:{} {} / {} {tags:?}", scenario.path, scenario.line, scenario.feature, scenario.name)
            }
            FarmEvent::StepFinished { report, .. } => {
                let judgement = report.judgement.as_ref().map_or("-".to_owned(), brief);
                writeln!(text, "  {}: {} {} => {judgement}", report.line, report.keyword, report.text)
            }
            FarmEvent::CriterionJudged { report, .. } => {
                writeln!(
                    text,
                    "    {}: {}, is {} => {}",
                    report.target,
                    report.criterion,
                    report.measured,
                    brief(&report.judgement)
                )
            }
            FarmEvent::ScenarioFinished { judgement, .. } => writeln!(text, "=> {}", brief(judgement)),
            _ => Ok(()),
        };
    }
    text
}

fn brief(judgement: &farm::Judgement) -> String {
    if judgement.reason.is_empty() { judgement.verdict.to_string() } else { judgement.to_string() }
}
