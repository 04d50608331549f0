//! The console: what a person sees. Live on a terminal, plain lines elsewhere; the same words in both.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod` | the reporter: which event is told in which words |
//! | `live` | progress bars |
//! | `builds` | how far the builds of runners have come, where there are no bars |
//! | `summary` | what is told at the end |
//! | `table` | aligned columns |
//! | `style` | colours |

mod builds;
mod live;
mod style;
mod summary;
mod table;

pub use live::Screen;
pub use table::Table;

use crate::{
    Account, ReportError, Reporter, Tally,
    account::{JobAccount, ScenarioAccount},
    describe,
    text::{self, escape},
};
use builds::Builds;
use farm::{
    Availability, FarmEvent, Judgement, Stamped, TargetId, Verdict,
    events::{CriterionReport, ScenarioId},
};
use indicatif::ProgressDrawTarget;
use live::Bars;
use std::{collections::HashMap, io::Write, path::PathBuf};
use style::Style;

/// The scenarios by verdict, in a line without colours.
pub(crate) fn counts(tally: &Tally) -> String {
    summary::counts(tally, Style::new(false))
}

/// The longest remark that stands behind a scenario that passed, characters; the parts of a longer one stand below.
const REMARK: usize = 60;

/// Tells a person how the run goes and how it went.
pub struct Console {
    out: Box<dyn Write + Send>,
    style: Style,
    verbose: bool,
    bars: Option<Bars>,
    /// Targets that prepare, and whether it has been told that they compile.
    preparing: HashMap<TargetId, bool>,
    builds: Builds,
    /// In the order in which they were seen, which is that of the stages.
    targets: Vec<TargetId>,
    left_out: Vec<(TargetId, String)>,
    /// Scenarios that did not pass.
    troubles: Vec<(ScenarioId, Judgement)>,
    /// Those of them that do not count, because they are in quarantine.
    exempt: Vec<(ScenarioId, Judgement)>,
    /// Where the report's files are.
    files: Vec<PathBuf>,
    unwritten: Vec<PathBuf>,
}

impl Console {
    /// Plain lines to `out`, with or without colours; a `verbosity` of 1 or more tells of attempts, criteria and preparation.
    pub fn new(out: Box<dyn Write + Send>, colour: bool, verbosity: u8) -> Self {
        Self {
            out,
            style: Style::new(colour),
            verbose: verbosity > 0,
            bars: None,
            preparing: HashMap::new(),
            builds: Builds::default(),
            targets: Vec::new(),
            left_out: Vec::new(),
            troubles: Vec::new(),
            exempt: Vec::new(),
            files: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    /// At the end names `files` as where the report is.
    pub fn listing(mut self, files: Vec<PathBuf>) -> Self {
        self.files = files;
        self
    }

    /// With progress bars on standard output.
    pub fn live(self, screen: &Screen) -> Self {
        self.live_on(screen, ProgressDrawTarget::stdout())
    }

    fn live_on(mut self, screen: &Screen, target: ProgressDrawTarget) -> Self {
        self.bars = Some(Bars::new(screen, target));
        self
    }

    fn say(&mut self, lines: &[String]) -> Result<(), ReportError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = lines.join("\n");
        text.push('\n');
        let out = &mut self.out;
        let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
        let result = match &self.bars {
            Some(bars) => bars.aside(write),
            None => write(),
        };
        result.map_err(ReportError::Output)
    }

    fn lines(&mut self, Stamped { at, event }: &Stamped, account: &Account) -> Vec<String> {
        let plain = self.bars.is_none();
        match event {
            FarmEvent::RunStarted { run, version, scenarios, .. } => {
                let scenarios = text::count(*scenarios, "scenario");
                vec![format!("tinyfarm {}, run {}: {scenarios}", escape(version), escape(run))]
            }
            FarmEvent::TargetSeen { info, availability } => {
                self.targets.push(info.id.clone());
                match availability {
                    Availability::Ready { tool } if self.verbose => {
                        let clock = text::clock(&info.clock);
                        let name = account.label(&info.id);
                        vec![format!("target {name} ({}): {}, {clock}", escape(&info.core), escape(tool))]
                    }
                    Availability::Ready { .. } => Vec::new(),
                    Availability::Absent { reason } => {
                        self.left_out.push((info.id.clone(), reason.clone()));
                        Vec::new()
                    }
                }
            }
            FarmEvent::Preparing { target } if plain => {
                self.preparing.insert(target.clone(), false);
                let line = format!("preparing {}", account.label(target));
                if self.verbose { vec![line] } else { Vec::new() }
            }
            // It takes a while, and nothing else may happen in it.
            FarmEvent::Building { target, done, total } if self.preparing.contains_key(target) => {
                let progress = self.builds.on(target, *done, *total, *at);
                if self.preparing.insert(target.clone(), true) == Some(true) {
                    return progress.into_iter().collect();
                }
                let name = account.label(target);
                vec![format!("building the runner of {name}: {}", text::count(*total, "file"))]
            }
            // What took its time is worth a line; what was found done is not.
            FarmEvent::Prepared { target, took, error: None } if plain => {
                let compiled = self.preparing.remove(target).unwrap_or(false);
                self.builds.done(target);
                let line = format!("prepared {} in {}", account.label(target), text::time(*took));
                if compiled || self.verbose || took.as_secs() > 0 { vec![line] } else { Vec::new() }
            }
            FarmEvent::Prepared { target, error: Some(error), .. } => {
                let head = format!("{} could not be prepared:", account.label(target));
                let error = error.lines().map(|line| format!("  {}", escape(line)));
                std::iter::once(self.style.verdict(Verdict::Blocked, &head)).chain(error).collect()
            }
            FarmEvent::Waiting { job, target, why } if plain => {
                vec![format!("{job} waits for {}: {}", account.label(target), escape(why))]
            }
            FarmEvent::Flashing { target, done: 0, total } if plain && self.verbose => {
                vec![format!("flashing {}: {}", account.label(target), text::bytes(*total))]
            }
            FarmEvent::BenchHealth { target, state, reason } => {
                let reason = if reason.is_empty() { String::new() } else { format!(": {}", escape(reason)) };
                let line = format!("board {} is {}{reason}", account.label(target), escape(state));
                vec![
                    self.style
                        .verdict(if state == "quarantined" { Verdict::Infra } else { Verdict::Inconclusive }, &line),
                ]
            }
            FarmEvent::AttemptStarted { job, attempt: number, .. } if plain && self.verbose => {
                attempt(account.jobs.get(job), *number)
            }
            FarmEvent::JobFinished { report, .. } if plain => self.job(account.jobs.get(&report.id), account),
            FarmEvent::CriterionJudged { report, .. } if self.verbose => vec![criterion(report, account)],
            _ => Vec::new(),
        }
    }

    fn job(&self, job: Option<&JobAccount>, account: &Account) -> Vec<String> {
        let Some(job) = job else { return Vec::new() };
        if self.verbose { describe::job_lines(job, "", account) } else { vec![describe::job_line(job, "")] }
    }

    fn scenario(&mut self, finished: &ScenarioAccount, account: &Account) -> Vec<String> {
        let verdict = finished.judgement.verdict;
        let word = self.style.verdict(verdict, &text::pad(verdict.word(), 12, false));
        let (place, name) = (describe::place(&finished.id), escape(&finished.id.name));
        let mut line = format!("{word}  {place}  {name}  {}", self.style.dim(&text::time(finished.took)));
        if let Some(quarantine) = &finished.quarantine {
            line.push_str(&format!("  [{}]", describe::quarantine(quarantine)));
        }
        if verdict == Verdict::Pass {
            let remark = &finished.judgement.reason;
            if remark.chars().count() > REMARK {
                let remarks = remark.split("; ").map(|remark| self.style.dim(&format!("    {}", text::short(remark))));
                return std::iter::once(line).chain(remarks).collect();
            }
            if !remark.is_empty() {
                line.push_str(&format!("  ({})", escape(remark)));
            }
            return vec![line];
        }
        let list = if finished.gates() { &mut self.troubles } else { &mut self.exempt };
        list.push((finished.id.clone(), finished.judgement.clone()));
        // Ctrl-C ends thousands of them alike.
        if finished.judgement.reason == "interrupted" {
            line.push_str("  (interrupted)");
            return vec![line];
        }
        let trouble = describe::trouble(finished, account);
        std::iter::once(line).chain(trouble.into_iter().map(|line| format!("    {line}"))).collect()
    }

    fn ending(&self, account: &Account) -> Vec<String> {
        let mut lines = summary::table(account, &self.targets, self.style);
        let mut section = |head: &str, body: Vec<String>| {
            if !body.is_empty() {
                lines.push(String::new());
                lines.push(self.style.bold(head));
                lines.extend(body);
            }
        };
        section("did not pass", summary::reasons(&self.troubles, self.style));
        section("did not pass, in quarantine (not counted)", summary::reasons(&self.exempt, self.style));
        section("needed another attempt", summary::retried(account));
        let left_out = self.left_out.iter().map(|(id, reason)| format!("  {}: {}", account.label(id), escape(reason)));
        section("targets left out", left_out.collect());
        let files = self.files.iter().map(|file| {
            let state = if self.unwritten.contains(file) { "  (a write failed: see above)" } else { "" };
            format!("  {}{state}", escape(&file.display().to_string()))
        });
        section("report", files.collect());
        lines.push(String::new());
        lines.push(summary::counts(&account.tally, self.style));
        if account.tally.interrupted {
            lines.push(self.style.red("interrupted"));
        } else if !account.tally.finished {
            lines.push(self.style.red("the run was cut short"));
        }
        lines
    }
}

impl Reporter for Console {
    fn name(&self) -> &str {
        "console"
    }

    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError> {
        if let Some(bars) = &mut self.bars {
            bars.on(&event.event, account);
        }
        let mut lines = self.lines(event, account);
        if let Some(finished) = account.ended(&event.event) {
            lines.extend(self.scenario(finished, account));
        }
        self.say(&lines)
    }

    fn finish(&mut self, account: &Account) -> Result<(), ReportError> {
        if let Some(mut bars) = self.bars.take() {
            bars.end();
        }
        let lines = self.ending(account);
        self.say(&lines)
    }

    fn tell(&mut self, error: &ReportError) -> bool {
        if let ReportError::Write { path, .. } = error {
            self.unwritten.push(path.clone());
        }
        let line = self.style.red(&format!("report: {}", escape(&error.to_string())));
        self.say(&[line]).is_ok()
    }
}

fn attempt(job: Option<&JobAccount>, attempt: u32) -> Vec<String> {
    job.map(|job| format!("{}, {}: attempt {attempt}", job.id, describe::job(job))).into_iter().collect()
}

fn criterion(report: &CriterionReport, account: &Account) -> String {
    format!("{}, {}", report.job, describe::criterion(report, account))
}

#[cfg(test)]
mod tests;
