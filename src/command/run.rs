//! `tinyfarm run`: plan, run, judge, report.

use crate::{cli::RunArgs, config::Config, origin, recorder::LedgerReporter, since, targets, webhook};
use ::steps::{Plan, Resume, RunOptions, run as run_plan};
use farm::{
    EventSink, FarmEvent, History, JobId, Origin, Scheduler, Stamped, Target, Verdict, history::Series, origin::Since,
    scheduler::SchedulerOptions,
};
use ledger::{AcceptNote, Choice, Ledger, LedgerError};
use miette::IntoDiagnostic as _;
use reports::{Format, ReportOptions, Screen, collect, reporters, text::escape};
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    sync::Arc,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::UnboundedReceiver,
};
use tokio_util::sync::CancellationToken;

/// Runs what the command line selects. The exit code is that of the run, by its verdicts.
pub async fn run(mut config: Config, arguments: RunArgs, verbose: u8, screen: Screen) -> miette::Result<u8> {
    config.retries = arguments.retries.unwrap_or(config.retries);
    config.timeouts.infer = arguments.timeout.unwrap_or(config.timeouts.infer);
    config.jobs = arguments.jobs.unwrap_or(config.jobs);
    config.container.stand_in_host |= arguments.stand_in_host;
    let farm = Farm::gather(&config, run_name())?;
    let library = targets::library(&config)?;
    let (selection, infos) = (&arguments.selection, farm.infos());
    let mut plan = match super::plan_with(&config, selection, arguments.require_boards, &infos, &library) {
        Ok(plan) => plan,
        Err(errors) => return Ok(super::refuse(&errors, &config, arguments.report.as_deref(), arguments.format)),
    };
    let mut since = None;
    if let Some(rev) = &arguments.since {
        let touched = since::select(&mut plan, &infos, &library, &config, rev)?;
        touched.lines(verbose > 0).iter().for_each(|line| tell(&screen, line));
        since = Some(Since { rev: rev.clone(), left_out: touched.left_out() });
    }
    let ledger = if arguments.no_ledger { None } else { Some(Ledger::open(&config.ledger.file).into_diagnostic()?) };
    let setup = Setup {
        report: arguments.report,
        format: arguments.format,
        verbose,
        screen,
        ledger,
        since,
        nightly: false,
        resume: None,
    };
    execute(&config, farm, plan, setup).await
}

/// The targets of a run, and the stream of its events.
pub struct Farm {
    /// The run's name.
    pub name: String,
    /// Its targets, in the order of the stages.
    pub targets: Vec<Arc<dyn Target>>,
    sink: EventSink,
    events: UnboundedReceiver<Stamped>,
}

impl Farm {
    /// Gathers the targets of the run that is called `name`.
    ///
    /// # Errors
    /// As [`targets::gather`].
    pub fn gather(config: &Config, name: String) -> miette::Result<Self> {
        let (sink, events) = EventSink::channel();
        let news = sink.clone();
        let targets = targets::gather(config, &name, move |event| news.send(event))?;
        Ok(Self { name, targets, sink, events })
    }

    /// What the targets are.
    pub fn infos(&self) -> Vec<farm::TargetInfo> {
        targets::infos(&self.targets)
    }
}

/// How a plan is run and told.
pub struct Setup {
    /// The folder for the report's files.
    pub report: Option<PathBuf>,
    /// How standard output is used.
    pub format: Format,
    /// How much is said.
    pub verbose: u8,
    /// What the console and the log share.
    pub screen: Screen,
    /// The history of runs, where there is to be one.
    pub ledger: Option<Ledger>,
    /// The change that it is about.
    pub since: Option<Since>,
    /// Whether this is a nightly sweep.
    pub nightly: bool,
    /// What the run of this name told before it was cut short; `None` for a new run.
    pub resume: Option<Resume>,
}

/// Runs `plan` on `farm`, reports it and records it. Returns the exit code.
///
/// # Errors
/// A reporter or the ledger cannot be set up; nothing was run then.
pub async fn execute(config: &Config, farm: Farm, plan: Plan, setup: Setup) -> miette::Result<u8> {
    for remark in plan.remarks() {
        // Reports tell of the scenarios that run; this is of those that do not.
        tracing::warn!("{}", escape(remark));
    }
    let Farm { name, targets, sink, events } = farm;
    let Setup { report, format, verbose, screen, ledger, since, nightly, resume } = setup;
    let is_terminal = std::io::stdout().is_terminal();
    let options = ReportOptions { dir: report, format, is_terminal, verbosity: verbose, screen: screen.clone() };
    let mut reporters = reporters(&options).into_diagnostic()?;
    if let Some(ledger) = &ledger {
        let recorder = if resume.is_some() { ledger.resume(&name) } else { ledger.record() };
        // Before the console, which comes last and tells what failed.
        reporters.insert(0, Box::new(LedgerReporter(recorder.into_diagnostic()?)));
    }
    let cancel = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        tokio::spawn(interrupts(kind, cancel.clone(), screen.clone()));
    }
    let reporting = tokio::spawn(collect(events, reporters));
    let options = SchedulerOptions {
        jobs: config.jobs(),
        wait_timeout: config.timeouts.wait.0,
        first_job: resume.as_ref().map_or(1, Resume::first_job),
        ..SchedulerOptions::default()
    };
    let scheduler = Arc::new(Scheduler::new(targets, options, sink.clone(), cancel.clone()));
    let here = std::env::current_dir().into_diagnostic()?;
    let origin = Origin { nightly, since, ..origin::origin(&here) };
    let options = RunOptions {
        run: name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // Arguments are any bytes.
        command: webhook::without_address(std::env::args_os().map(|word| word.to_string_lossy().into_owned())),
        origin: origin.clone(),
        history: ledger.clone().map(|ledger| Arc::new(ledger) as Arc<dyn History>),
        resume,
        ..RunOptions::default()
    };
    run_plan(plan, scheduler, sink, options, cancel).await;
    let outcome = reporting.await.into_diagnostic()?;
    for failure in outcome.failures.iter().filter(|failure| !failure.told) {
        tell(&screen, &failure.error);
    }
    let code = outcome.exit_code();
    if let (Some(ledger), 0) = (&ledger, code) {
        let accepted = accept_by_branch(config, ledger, &name, &origin);
        match accepted {
            Ok(said) => said.iter().for_each(|line| tell(&screen, line)),
            Err(error) => {
                tell(&screen, format_args!("no baseline was accepted: {error}"));
                return Ok(super::TROUBLE);
            }
        }
    }
    Ok(code)
}

/// Accepts what a run measured that passed, where the configuration says so of its branch. Returns what there is to say.
fn accept_by_branch(config: &Config, ledger: &Ledger, run: &str, origin: &Origin) -> Result<Vec<String>, LedgerError> {
    let Some(branch) = origin.branch.as_ref().filter(|branch| config.baselines.branches.contains(branch)) else {
        return Ok(Vec::new());
    };
    let refused = |why: &str| Ok(vec![format!("not accepted as the baseline of branch {branch}: {why}")]);
    if origin::is_proposal_or_tag() {
        return refused("this is a merge request or a tag");
    }
    if origin.dirty || origin.commit.is_none() {
        return refused("files differ from the commit");
    }
    // The exit code passes over what is in quarantine.
    let except = series_without_a_pass(ledger, run)?;
    let left_out = except.len();
    let reason = format!("passed on branch {branch}");
    let note = AcceptNote { who: "branch rule".to_owned(), reason, at: jiff::Timestamp::now() };
    let mut said = match ledger.accept(run, &Choice { except, ..Choice::default() }, &note) {
        Ok(accepted) => vec![format!("accepted as the baseline of branch {branch}: {} series", accepted.len())],
        // One that ran nothing has nothing to accept.
        Err(LedgerError::NothingToAccept { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    if left_out > 0 {
        said.push(format!("not accepted, for a scenario in quarantine did not pass with them: {left_out} series"));
    }
    Ok(said)
}

/// The series that a scenario judged by which did not pass.
fn series_without_a_pass(ledger: &Ledger, run: &str) -> Result<BTreeSet<Series>, LedgerError> {
    if ledger.outcomes(run)?.iter().all(|outcome| outcome.verdict == Verdict::Pass) {
        return Ok(BTreeSet::new());
    }
    let (mut series, mut used, mut without) = (HashMap::new(), HashMap::<_, Vec<JobId>>::new(), BTreeSet::new());
    for stamped in ledger.events(run)? {
        match stamped?.event {
            FarmEvent::JobFinished { report, .. } => drop(series.insert(report.id, Series::of(&report))),
            FarmEvent::JobUsed { scenario, job } => used.entry(scenario).or_default().push(job),
            FarmEvent::ScenarioFinished { scenario, judgement, .. } if judgement.verdict != Verdict::Pass => {
                let jobs = used.remove(&scenario).unwrap_or_default();
                without.extend(jobs.iter().filter_map(|job| series.get(job).cloned()));
            }
            _ => {}
        }
    }
    Ok(without)
}

/// The first Ctrl-C (or SIGTERM, or a terminal that is closed) ends the run cleanly, with its reports; a second one ends
/// the program at once.
async fn interrupts(kind: SignalKind, cancel: CancellationToken, screen: Screen) {
    // Whoever starts this under `nohup`, or in the background of a script, wants it left alone.
    if is_ignored(kind) {
        return;
    }
    let Ok(mut signals) = signal(kind) else { return };
    while signals.recv().await.is_some() {
        if !cancel.is_cancelled() {
            tell(&screen, "interrupted: giving the targets back; once more to stop at once");
            cancel.cancel();
        } else if kind != SignalKind::hangup() {
            // A terminal that is closed may say so twice: by its shell, and by itself.
            std::process::exit(130);
        }
    }
}

/// Whether this process was started with the signal ignored.
pub(super) fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let mask = mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}

/// A line on standard error, above the progress bars; with no one there to read it, nothing.
fn tell(screen: &Screen, line: impl Display) {
    let _ = screen.clone().write_all(format!("{line}\n").as_bytes());
}

/// Names a run so that no two are alike: its start, and its process.
pub fn run_name() -> String {
    format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), std::process::id())
}
