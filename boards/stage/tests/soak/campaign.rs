//! Many jobs on boards on which things go wrong at random, and whether all of it can be explained afterwards: each job has
//! one verdict, each verdict its cause, no board had two jobs at once, and nothing is left over.

use super::{
    explain::{Attempt, Attempts, Tale, explain},
    leftovers::Leftovers,
    yard::{Result, Yard},
};
use farm::{
    Dataset, EventSink, FarmEvent, Inference, JobId, JobReport, JobSpec, Model, Scheduler, Stamped, Target, TargetId,
    Timeouts, dataset::Truth, scheduler::SchedulerOptions,
};
use firmware::Builder;
use jiff::Timestamp;
use simulated_board::{Event, Fault};
use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

/// Where campaigns begin.
pub const SEEDS: [u64; 4] = [0x0000_5eed, 0xb0a2_d500, 0x1234_5678_9abc_def0, 0xfee1_dead];

/// Faults of which the verdict is known, over RTT.
pub const FAULTS: [Fault; 10] = [
    Fault::FlashVerify,
    Fault::ProbeLeavesFlashing,
    Fault::ProbeLeavesRunning,
    Fault::SwdFault,
    Fault::SwdWait,
    Fault::WrongChip,
    Fault::Lockup,
    Fault::HardFault,
    Fault::Hang,
    Fault::Slow,
];

/// Each so many-th job is of the second model, so that there is something to flash.
const OTHER_MODEL: u64 = 6;
/// How long a job may take to hang: its inferences take a hundredth of that.
const INFER: Duration = Duration::from_secs(20);

/// A model, and inputs for it that jobs choose from.
pub struct Subject {
    /// The model.
    pub model: Arc<Model>,
    /// At least two.
    pub inputs: Vec<Vec<u8>>,
    /// Samples of a job.
    pub samples: usize,
}

/// What is to be done, and what may go wrong.
pub struct Campaign<'a> {
    /// Where its random numbers begin.
    pub seed: u64,
    /// How many jobs.
    pub jobs: usize,
    /// On how many boards.
    pub boards: usize,
    /// A fault is planned for each so many-th job.
    pub jobs_per_fault: usize,
    /// Of these.
    pub faults: &'a [Fault],
    /// The models of the jobs, the first for most.
    pub subjects: &'a [Subject; 2],
    /// Builds their runners.
    pub builder: &'a Arc<Builder>,
    /// The command that switches the power of the board at a place.
    pub power: &'a dyn Fn(&Path, &str) -> Option<Vec<String>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Came {
    /// Jobs by verdict.
    pub jobs: BTreeMap<&'static str, usize>,
    /// Attempts by verdict.
    pub attempts: BTreeMap<&'static str, usize>,
    /// Faults by their words, as often as they were shown.
    pub faults: BTreeMap<&'static str, usize>,
    /// How often a board was put into quarantine.
    pub quarantines: usize,
    /// From the first job to the last, and to when nothing was left.
    pub took: Duration,
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<&str, usize>| {
            counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
        };
        write!(
            f,
            "jobs: {}; attempts: {}; faults shown: {}; quarantines: {}; {:.1} s",
            list(&self.jobs),
            list(&self.attempts),
            list(&self.faults),
            self.quarantines,
            self.took.as_secs_f64()
        )
    }
}

/// A random number generator: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// Less than `bound`.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A job, and what it must bring if it brings anything.
struct Task {
    spec: JobSpec,
    wanted: Vec<Inference>,
}

impl Campaign<'_> {
    /// Runs all jobs, and explains what came of them.
    ///
    /// # Errors
    /// What cannot be explained, or was left over.
    pub fn run(&self) -> Result<Came> {
        // What a process keeps once it has run a job (a reactor's thread, say) is no leftover.
        self.play(1, &[])?;
        let before = Leftovers::look()?;
        let began = Instant::now();
        let mut came = self.play(self.jobs, self.faults)?;
        Leftovers::wait_for(&before, Duration::from_secs(30))?;
        came.took = began.elapsed();
        Ok(came)
    }

    /// Runs `jobs` jobs on boards of their own, which are gone then.
    fn play(&self, jobs: usize, faults: &[Fault]) -> Result<Came> {
        let yard = Yard::open(self.boards)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let (sink, events) = EventSink::channel();
        let hear = sink.clone();
        let boards = yard.boards(self.builder, self.power, move |event| hear.send(event))?;
        let targets: Vec<Arc<dyn Target>> = boards.into_iter().map(|board| board as Arc<dyn Target>).collect();
        let names: Vec<TargetId> = targets.iter().map(|target| target.info().id.clone()).collect();
        let options = SchedulerOptions { jobs: self.boards, ..SchedulerOptions::default() };
        let cancel = CancellationToken::new();
        let scheduler = Scheduler::new(targets, options, sink, cancel);

        let mut random = Random(self.seed);
        let known = runtime.block_on(self.reference(&scheduler, &names[0]))?;
        let tasks = (0..jobs).map(|number| self.task(number, &names, &known, &mut random));
        let tasks = tasks.collect::<Result<Vec<Task>>>()?;
        let finished = runtime.block_on(self.work(&scheduler, &yard, events, &tasks, faults, &mut random))?;
        drop(scheduler);
        // Whoever still holds an end of something of the runtime's lets go of it now.
        drop(runtime);
        self.check(&yard, &tasks, &finished)
    }

    /// What each model brings for each of its inputs, where nothing goes wrong.
    async fn reference(&self, scheduler: &Scheduler, on: &TargetId) -> Result<Vec<Vec<Inference>>> {
        let mut known = Vec::new();
        for subject in self.subjects {
            let all: Vec<usize> = (0..subject.inputs.len()).collect();
            let result = scheduler.run(self.spec(subject, "all inputs", &all, on.clone(), Vec::new())?).await;
            let evidence = result.report.evidence.as_ref().ok_or_else(|| result.report.judgement.to_string())?;
            known.push(evidence.inferences.clone());
        }
        Ok(known)
    }

    fn spec(
        &self,
        subject: &Subject,
        name: &str,
        chosen: &[usize],
        target: TargetId,
        alternates: Vec<TargetId>,
    ) -> Result<JobSpec> {
        let inputs = chosen.iter().map(|&index| subject.inputs[index].clone()).collect();
        let names = chosen.iter().map(|index| format!("input {index}")).collect();
        let dataset = Dataset::new(name, names, inputs, Truth::Unknown, &subject.model)?;
        let timeouts = Timeouts { open: Duration::from_secs(60), infer: INFER, close: Duration::from_secs(10) };
        let (model, dataset) = (subject.model.clone(), Arc::new(dataset));
        Ok(JobSpec {
            model,
            dataset,
            target,
            alternates,
            arena_limit: None,
            timeouts,
            retries: 2,
            own_firmware: false,
            rerun: 0,
        })
    }

    /// Each fourth job wants one board, the others take any.
    fn task(&self, number: usize, boards: &[TargetId], known: &[Vec<Inference>], random: &mut Random) -> Result<Task> {
        let which = usize::from(random.next().is_multiple_of(OTHER_MODEL));
        let subject = &self.subjects[which];
        let count = subject.inputs.len();
        // No two alike, or the scheduler would share them: the first inputs are the job's number.
        let mut chosen: Vec<usize> = Vec::new();
        let mut rest = number;
        while rest > 0 || chosen.is_empty() {
            chosen.push(rest % count);
            rest /= count;
        }
        let digits = chosen.len();
        chosen.extend((digits..subject.samples).map(|_| random.below(count)));
        let first = random.below(boards.len());
        let any = !random.next().is_multiple_of(4);
        let others = boards.iter().cycle().skip(first + 1).take(boards.len() - 1).cloned();
        let alternates = if any { others.collect() } else { Vec::new() };
        let spec = self.spec(subject, &format!("job {number}"), &chosen, boards[first].clone(), alternates)?;
        let wanted = chosen.iter().map(|&index| known[which][index].clone()).collect();
        Ok(Task { spec, wanted })
    }

    /// Asks for all jobs at once, and plans a fault each time some have ended.
    async fn work(
        &self,
        scheduler: &Scheduler,
        yard: &Yard,
        mut events: UnboundedReceiver<Stamped>,
        tasks: &[Task],
        faults: &[Fault],
        random: &mut Random,
    ) -> Result<Finished> {
        let mut finished = Finished::default();
        // The reference's own.
        while let Ok(event) = events.try_recv() {
            finished.hear(event);
        }
        let told_before = finished.reports.len();
        let mut plan = || {
            let fault = *faults.get(random.below(faults.len()))?;
            let stand = &yard.stands[random.below(yard.stands.len())];
            let planned = (Timestamp::now(), stand.name.clone(), fault);
            stand.board.faults().add(fault, 1);
            Some(planned)
        };
        finished.planned.extend((0..yard.stands.len()).filter_map(|_| plan()));
        let jobs: Vec<_> = tasks
            .iter()
            .map(|task| {
                let (scheduler, spec) = (scheduler.clone(), task.spec.clone());
                // Asked for in this order, each in a task of the scheduler's own.
                async move { scheduler.run(spec).await }
            })
            .collect();
        let all = futures::future::join_all(jobs);
        tokio::pin!(all);
        let mut results = None;
        while results.is_none() || finished.reports.len() - told_before < tasks.len() {
            tokio::select! {
                done = &mut all, if results.is_none() => results = Some(done),
                Some(event) = events.recv() => {
                    if finished.hear(event) && finished.reports.len().is_multiple_of(self.jobs_per_fault) {
                        finished.planned.extend(plan());
                    }
                }
            }
        }
        scheduler.shutdown().await;
        while let Ok(event) = events.try_recv() {
            finished.hear(event);
        }
        finished.jobs = results.unwrap_or_default().iter().map(|result| result.report.id).collect();
        Ok(finished)
    }

    fn check(&self, yard: &Yard, tasks: &[Task], finished: &Finished) -> Result<Came> {
        let mut came = Came { quarantines: finished.quarantined.len(), ..Came::default() };
        if finished.reports.len() != tasks.len() + self.subjects.len() {
            return Err(format!("{} reports of {} jobs", finished.reports.len(), tasks.len()).into());
        }
        for (task, id) in tasks.iter().zip(&finished.jobs) {
            let report = finished.reports.get(id).ok_or_else(|| format!("{id} has no report"))?;
            if let Some(evidence) = &report.evidence
                && evidence.inferences != task.wanted
            {
                return Err(format!("{id} brought other outputs than where nothing went wrong").into());
            }
            *came.jobs.entry(report.judgement.verdict.word()).or_default() += 1;
            for attempt in &report.attempts {
                *came.attempts.entry(attempt.verdict.word()).or_default() += 1;
            }
        }
        if let Some(held) = yard.held()?.first() {
            return Err(format!("{} is still held", held.display()).into());
        }
        let logs: BTreeMap<TargetId, Vec<(Timestamp, Event)>> =
            yard.stands.iter().map(|stand| (stand.name.clone(), stand.happened())).collect();
        for (_, event) in logs.values().flatten() {
            if let Event::FaultShown { fault } = event {
                *came.faults.entry(fault.word()).or_default() += 1;
            }
        }
        let Finished { planned, attempts, reports, quarantined, .. } = finished;
        explain(Tale { logs: &logs, planned, attempts, reports, quarantined })?;
        Ok(came)
    }
}

/// What the farm told.
#[derive(Default)]
struct Finished {
    /// In the order in which they were asked for.
    jobs: Vec<JobId>,
    reports: BTreeMap<JobId, Arc<JobReport>>,
    planned: Vec<(Timestamp, TargetId, Fault)>,
    attempts: Attempts,
    quarantined: Vec<TargetId>,
}

impl Finished {
    /// Whether a job has ended.
    fn hear(&mut self, Stamped { at, event }: Stamped) -> bool {
        match event {
            FarmEvent::AttemptStarted { job, attempt, target } => {
                self.attempts.push(Attempt { job, number: attempt, target, began: at, ended: None });
            }
            FarmEvent::AttemptFinished { job, report } => {
                let mut open = self.attempts.iter_mut().rev();
                if let Some(attempt) = open.find(|attempt| attempt.job == job && attempt.number == report.number) {
                    attempt.ended = Some((at, report.verdict, report.reason));
                }
            }
            FarmEvent::JobFinished { report, .. } => {
                self.reports.insert(report.id, report);
                return true;
            }
            FarmEvent::BenchHealth { target, state, .. } if state == "quarantined" => {
                self.quarantined.push(target);
            }
            _ => {}
        }
        false
    }
}
