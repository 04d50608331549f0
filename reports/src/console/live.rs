//! Progress bars on a terminal: one line for each job that runs, and the run as a whole below.

use crate::{
    Account,
    text::{self, escape},
};
use farm::{FarmEvent, JobId, TargetId, Verdict};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{collections::HashMap, fmt, io, time::Duration};

/// What the progress bars and the log share: whoever writes while bars are drawn has them step aside.
///
/// It is a writer to standard error as well, for the log.
#[derive(Clone)]
pub struct Screen(MultiProgress);

impl Default for Screen {
    fn default() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::hidden()))
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

impl io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.suspend(|| io::stderr().write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// At most so many jobs have a line; more would push the rest off the screen.
const LINES: usize = 12;

/// The bars.
pub(super) struct Bars {
    screen: MultiProgress,
    whole: ProgressBar,
    jobs: HashMap<JobId, Shown>,
    building: HashMap<TargetId, ProgressBar>,
    flashing: HashMap<TargetId, ProgressBar>,
    shown: usize,
}

/// A job that waits or runs.
struct Shown {
    model: String,
    samples: u64,
    /// `None` while it waits, or where there is no room.
    bar: Option<ProgressBar>,
}

impl Bars {
    pub(super) fn new(screen: &Screen, target: ProgressDrawTarget) -> Self {
        let screen = screen.0.clone();
        screen.set_draw_target(target);
        let whole = ProgressBar::new(0);
        let whole = screen.add(whole);
        whole.set_style(style("[{bar:24}] {human_pos}/{human_len} scenarios  {elapsed}  {wide_msg}"));
        Self { screen, whole, jobs: HashMap::new(), building: HashMap::new(), flashing: HashMap::new(), shown: 0 }
    }

    /// Takes in an event, which `account` has seen already.
    pub(super) fn on(&mut self, event: &FarmEvent, account: &Account) {
        match event {
            FarmEvent::RunStarted { scenarios, .. } => {
                self.whole.set_length(*scenarios as u64);
                self.whole.enable_steady_tick(Duration::from_secs(1));
            }
            FarmEvent::Preparing { target } => {
                let bar = self.screen.insert_before(&self.whole, ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {elapsed}  {wide_msg}"));
                bar.set_message(format!("preparing {}", account.label(target)));
                bar.enable_steady_tick(Duration::from_millis(200));
                self.building.insert(target.clone(), bar);
            }
            FarmEvent::Building { target, done, total } => {
                if let Some(bar) = self.building.get(target) {
                    // Drawn by its steady tick; at once when it turns from a spinner into a bar.
                    bar.set_position(*done as u64);
                    if bar.length().is_none() {
                        bar.set_length(*total as u64);
                        bar.set_style(style("[{bar:24}] {human_pos}/{human_len} files  {elapsed}  {wide_msg}"));
                        bar.force_draw();
                    }
                }
            }
            FarmEvent::Prepared { target, .. } => {
                if let Some(bar) = self.building.remove(target) {
                    self.remove(&bar);
                }
            }
            FarmEvent::JobQueued { job, model, samples, .. } => {
                let model = escape(model).into_owned();
                self.jobs.insert(*job, Shown { model, samples: *samples as u64, bar: None });
            }
            FarmEvent::Waiting { job, target, why } => {
                self.show(*job, |model| format!("{job}  {model} waits for {}: {}", account.label(target), escape(why)));
            }
            FarmEvent::AttemptStarted { job, attempt, target } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.show(*job, |model| format!("{job}  {model} on {}{again}", account.label(target)));
            }
            FarmEvent::Flashing { target, done, total } => {
                let bar = self.flashing.entry(target.clone()).or_insert_with(|| {
                    let bar = self.screen.insert_before(&self.whole, ProgressBar::new(*total));
                    bar.set_style(style("[{bar:24}] {binary_bytes}/{binary_total_bytes}  {elapsed}  {wide_msg}"));
                    bar.set_message(format!("flashing {}", account.label(target)));
                    bar.tick();
                    bar
                });
                bar.set_position(*done);
                if done >= total {
                    self.flashed(target);
                }
            }
            // However far it came.
            FarmEvent::AttemptFinished { report, .. } => self.flashed(&report.target),
            FarmEvent::JobProgress { job, done } => {
                if let Some(bar) = self.jobs.get(job).and_then(|shown| shown.bar.as_ref()) {
                    bar.set_position(*done as u64);
                }
            }
            FarmEvent::JobFinished { report, .. } => {
                if let Some(bar) = self.jobs.remove(&report.id).and_then(|shown| shown.bar) {
                    self.remove(&bar);
                    self.shown -= 1;
                }
            }
            FarmEvent::ScenarioFinished { .. } => {
                self.whole.set_position(account.tally.judged() as u64);
                let counts = account
                    .tally
                    .counts()
                    .into_iter()
                    .filter(|(verdict, count)| *count > 0 && *verdict != Verdict::Pass);
                let counts = counts.map(|(verdict, count)| format!("{} {verdict}", text::thousands(count as u64)));
                self.whole.set_message(counts.collect::<Vec<_>>().join(", "));
            }
            _ => {}
        }
    }

    fn flashed(&mut self, target: &TargetId) {
        if let Some(bar) = self.flashing.remove(target) {
            self.remove(&bar);
        }
    }

    /// Gives a job its line, from its model's name.
    fn show(&mut self, job: JobId, title: impl FnOnce(&str) -> String) {
        let Some(shown) = self.jobs.get_mut(&job) else { return };
        let title = title(&shown.model);
        if let Some(bar) = &shown.bar {
            bar.set_position(0);
            bar.set_message(title);
        } else if self.shown < LINES {
            self.shown += 1;
            let bar = self.screen.insert_before(&self.whole, ProgressBar::new(shown.samples));
            bar.set_style(style("[{bar:24}] {human_pos}/{human_len} samples  {elapsed}  {wide_msg}"));
            bar.set_message(title);
            bar.tick();
            shown.bar = Some(bar);
        }
    }

    fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.screen.remove(bar);
    }

    /// Writes above the bars.
    pub(super) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.screen.suspend(write)
    }

    /// Takes the bars away for good.
    pub(super) fn end(&mut self) {
        let jobs = self.jobs.values().filter_map(|shown| shown.bar.as_ref());
        for bar in jobs.chain(self.building.values()).chain(self.flashing.values()) {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
        self.screen.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// `{wide_msg}` is what a narrow terminal cuts; a line that wraps would be left behind when it is redrawn.
fn style(template: &str) -> ProgressStyle {
    // The templates are constants here, and tested; a bar without style is still a bar.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
