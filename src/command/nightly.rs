//! `tinyfarm nightly`: every model over every dataset that fits it, on every target; and what changed since the last one.

use super::{
    INTERRUPTED, boards,
    compare::{Before, Changes},
    run::{Farm, Setup, execute, run_name},
    say,
};
use crate::{
    cli::{NightlyArgs, Selection},
    config::Config,
    origin, targets,
    webhook::{self, Summary},
};
use ::ledger::{Ledger, RunFilter, RunRow, SeriesFilter};
use farm::{
    Availability, Digest, FarmEvent, Library, Stage, Stamped, Target, TargetId, TargetInfo, Verdict, history::Series,
};
use miette::{Context as _, IntoDiagnostic as _, miette};
use reports::{
    Screen,
    markdown::{Page, plain},
    text::escape,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::File,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use steps::Resume;

/// The extension of the generated feature, which lies beside the ledger: as long as that is there, reports name a file.
const FEATURE: &str = "nightly.feature";

/// How a scenario of it begins.
const SCENARIO: &str = "  Scenario: ";

/// What changed, in the report folder.
const CHANGES: &str = "nightly-changes";

/// Sweeps, and tells the webhook how that ended, whatever became of it. The exit code is that of the run; 1 as well where
/// something is worse than in the last nightly.
pub async fn run(config: Config, arguments: NightlyArgs, verbose: u8, screen: Screen) -> miette::Result<u8> {
    let webhook = arguments.webhook.clone().or_else(|| config.nightly.webhook.clone());
    let Some(url) = webhook else { return Ok(sweep(config, arguments, verbose, screen).await?.exit_code) };
    webhook::check(&url)?;
    let swept = sweep(config, arguments, verbose, screen).await;
    let summary = match &swept {
        Ok(summary) => summary.clone(),
        Err(error) => Summary { error: Some(error.to_string()), ..Summary::of_none(super::WRONG) },
    };
    let code = summary.exit_code;
    let sent = webhook::send(&url, summary).await;
    swept?;
    Ok(match sent {
        Err(error) => {
            eprintln!("{error}");
            if code == 0 { super::TROUBLE } else { code }
        }
        Ok(()) => code,
    })
}

async fn sweep(config: Config, arguments: NightlyArgs, verbose: u8, screen: Screen) -> miette::Result<Summary> {
    let ledger = Ledger::open(&config.ledger.file).into_diagnostic()?;
    let library = targets::library(&config)?;
    let mut farm = Farm::gather(&config, run_name())?;
    known(&farm, &arguments.target)?;
    if check_boards(&config, &arguments).await? == INTERRUPTED {
        return Ok(Summary::of_none(INTERRUPTED));
    }

    let chosen = choose(&farm.targets, &arguments).await;
    let configured = configured(&config, &chosen)?;
    let chosen: Vec<TargetInfo> = chosen.into_iter().map(|(info, _)| info).collect();
    let feature = feature(&library, &chosen, &ledger, &configured)?;
    if !feature.contains(SCENARIO) {
        return Err(miette!(
            help = "`tinyfarm models` lists what there is, and `tinyfarm targets` where it can run",
            "there is nothing to sweep: no model has a dataset that fits it, or no target is here"
        ));
    }
    let resume = if arguments.fresh { None } else { resume(&ledger, &library, &feature)? };
    if let Some((name, _)) = &resume {
        farm = Farm::gather(&config, name.clone())?;
    }
    let path = feature_file(&config);
    // Another nightly of this ledger writes the same file, and would have this one read what that one sweeps.
    let lock = File::open(&config.ledger.file).and_then(|file| file.lock().map(|()| file)).into_diagnostic()?;
    write_whole(&path, &feature)?;
    let selection = Selection {
        paths: super::seen_from_here(&[path]),
        tags: None,
        name: None,
        stages: Vec::new(),
        target: Vec::new(),
    };
    let infos = farm.infos();
    let plan = match super::plan_with(&config, &selection, arguments.require_boards, &infos, &library) {
        Ok(plan) => plan,
        Err(errors) => {
            let code = super::refuse(&errors, &config, arguments.report.as_deref(), arguments.format);
            return Ok(Summary::of_none(code));
        }
    };
    let _ = lock.unlock();
    let run = farm.name.clone();
    let setup = Setup {
        report: arguments.report.clone(),
        format: arguments.format,
        verbose,
        screen,
        ledger: Some(ledger.clone()),
        since: None,
        nightly: true,
        resume: resume.map(|(_, resume)| resume),
    };
    let mut code = execute(&config, farm, plan, setup).await?;

    let news = match News::of(&ledger, &run) {
        Ok(news) => news,
        // The run is over, and what it told stands.
        Err(error) => {
            eprintln!("what changed since the last nightly cannot be told: {error}");
            let exit_code = if code == 0 { super::TROUBLE } else { code };
            return Ok(Summary { run, error: Some(error.to_string()), ..Summary::of_none(exit_code) });
        }
    };
    if code != INTERRUPTED && news.worse() > 0 {
        code = 1;
    }
    if let Some(Err(error)) = arguments.report.as_deref().map(|folder| news.write(folder)) {
        eprintln!("{error:?}");
        code = if code == 0 { super::TROUBLE } else { code };
    }
    if arguments.format != reports::Format::Json {
        say(format_args!("\n{}", news.text()))?;
    }
    Ok(news.summary(code))
}

/// Writes a file so that whoever reads it finds the old text or the new one.
fn write_whole(path: &Path, text: &str) -> miette::Result<()> {
    let partial = path.with_extension("partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// Where the generated feature is written.
pub fn feature_file(config: &Config) -> PathBuf {
    config.ledger.file.with_extension(FEATURE)
}

/// Whether there are such targets.
fn known(farm: &Farm, wanted: &[String]) -> miette::Result<()> {
    let all: Vec<String> = farm.infos().into_iter().map(|info| info.id.0).collect();
    match wanted.iter().find(|name| !all.contains(name)) {
        Some(name) => {
            Err(miette!(help = format!("the targets are {}", all.join(", ")), "no target is called `{}`", escape(name)))
        }
        None => Ok(()),
    }
}

/// Boards first: one that is not well is told, mended or quarantined before jobs come to it.
async fn check_boards(config: &Config, arguments: &NightlyArgs) -> miette::Result<u8> {
    let wanted: Vec<String> = targets::boards(config)?
        .iter()
        .map(|board| board.info())
        .filter(|info| arguments.target.is_empty() || arguments.target.contains(&info.id.0))
        .filter(|info| !(arguments.require_boards && info.simulated))
        .map(|info| info.id.0.clone())
        .collect();
    if wanted.is_empty() {
        return Ok(0);
    }
    // How it went is known to the boards' histories, and to the run by these: a board in quarantine blocks its jobs.
    let is_json = arguments.format == reports::Format::Json;
    boards::check(config, &wanted, |line| {
        if is_json {
            // Standard output is for events, and the run has not begun.
            eprintln!("{line}");
            return Ok(());
        }
        say(line)
    })
    .await
}

/// A digest of what the sweep depends on besides the commit and the files that evidence names.
fn configured(config: &Config, targets: &[(TargetInfo, Option<String>)]) -> miette::Result<Digest> {
    let config = serde_json::to_vec(config).into_diagnostic()?;
    let targets = serde_json::to_vec(targets).into_diagnostic()?;
    let tflm = std::env::var_os("TFLM_DIR").unwrap_or_default();
    Ok(Digest::of_parts([env!("CARGO_PKG_VERSION").as_bytes(), &config, &targets, tflm.as_bytes()]))
}

/// The targets of the sweep. An emulator that is not installed is left out, as in every run; a container engine or a board
/// that is not there is missed, and what it should have run is blocked.
/// With each, what its tool says of itself: another version may measure something else. A board's own says nothing of that,
/// and the board may be away.
async fn choose(all: &[Arc<dyn Target>], arguments: &NightlyArgs) -> Vec<(TargetInfo, Option<String>)> {
    let mut chosen = Vec::new();
    for target in all {
        let info = target.info();
        let tool = match target.availability().await {
            Availability::Ready { tool } => Some(tool),
            Availability::Absent { .. } => None,
        };
        let wanted = match arguments.target.is_empty() {
            false => arguments.target.contains(&info.id.0),
            true => match info.stage {
                Stage::Host => false,
                Stage::Container => true,
                Stage::Board => !(arguments.require_boards && info.simulated),
                Stage::Emulator => tool.is_some(),
            },
        };
        if wanted {
            chosen.push((info.clone(), tool.filter(|_| info.stage != Stage::Board)));
        }
    }
    chosen
}

/// The sweep as a feature: a scenario for each model, dataset and target, each with its own verdict, so that a run which was
/// cut short goes on with the next one.
fn feature(library: &Library, targets: &[TargetInfo], ledger: &Ledger, configured: &Digest) -> miette::Result<String> {
    let baselines = ledger.baselines().into_diagnostic()?;
    let mut text = format!(
        "# Written by `tinyfarm nightly`; it is written anew each time. Configured as {}.\n@nightly\nFeature: nightly\n",
        configured.short()
    );
    for model in library.models() {
        // Which datasets fit it is known once it is read; what cannot be read is told by the plan.
        let loaded = library.model(&model.name, Path::new(""));
        for dataset in library.datasets() {
            let fits = match (&dataset.model, &loaded) {
                (Some(of), _) => *of == model.name,
                (None, Ok(model)) => library.dataset(&dataset.name, Path::new(""), model).is_ok(),
                (None, Err(_)) => false,
            };
            if !fits {
                continue;
            }
            for target in targets {
                let (model, dataset, place) = (&model.name, &dataset.name, &target.id);
                let _ = write!(
                    text,
                    "\n{SCENARIO}{}\n    Given the model \"{model}\" and the dataset \"{dataset}\"\n    \
                     When it runs on the target \"{place}\" where it fits\n",
                    scenario_of(model, dataset, place)
                );
                let series = Series { model: model.clone(), dataset: dataset.clone(), target: target.id.clone() };
                if baselines.contains_key(&series) {
                    text.push_str("    Then nothing is worse than the baseline\n");
                }
            }
        }
    }
    Ok(text)
}

/// The name of a scenario of the sweep.
fn scenario_of(model: &str, dataset: &str, target: &TargetId) -> String {
    format!("{model} over {dataset} on {target}")
}

/// The nightly that was cut short, if it can be gone on with: of the same commit, the same sweep, and the same files.
fn resume(ledger: &Ledger, library: &Library, feature: &str) -> miette::Result<Option<(String, Resume)>> {
    let Some(cut) = ledger.unfinished_nightly().into_diagnostic()? else { return Ok(None) };
    let anew = |why: &str| {
        eprintln!("nightly {} was cut short; this one begins anew: {why}", escape(&cut.name));
        Ok(None)
    };
    let here = std::env::current_dir().into_diagnostic()?;
    let origin = origin::origin(&here);
    if origin.commit != cut.origin.commit {
        return anew("another commit is checked out");
    }
    if origin.dirty || cut.origin.dirty {
        return anew("files differ from the commit, and what they were then is not known");
    }
    let events = match ledger.events(&cut.name) {
        Ok(events) => events.collect::<Result<Vec<Stamped>, _>>().into_diagnostic()?,
        Err(::ledger::LedgerError::NoEvents { .. }) => return anew("its events were pruned"),
        Err(error) => return Err(error).into_diagnostic(),
    };
    for stamped in &events {
        match &stamped.event {
            FarmEvent::FeatureRead { text, .. } if text != feature => {
                return anew("models, datasets, targets, their tools, baselines or the configuration are not the same");
            }
            // Its end was on the way, and what it had not come to is told as blocked.
            FarmEvent::ScenarioFinished { judgement, .. } if judgement.reason == "interrupted" => {
                return anew("somebody had interrupted it");
            }
            FarmEvent::JobFinished { report, .. } => {
                let Some(evidence) = &report.evidence else { continue };
                let model = library.model(&report.model, Path::new("")).ok();
                let dataset =
                    model.as_ref().and_then(|model| library.dataset(&report.dataset, Path::new(""), model).ok());
                let made = &evidence.provenance;
                let same = model.is_some_and(|model| model.digest() == made.model)
                    && dataset.is_some_and(|dataset| dataset.digest() == made.dataset);
                if !same {
                    return anew(&format!("{} or {} is another file", report.model, report.dataset));
                }
            }
            _ => {}
        }
    }
    let resume = Resume { events };
    eprintln!("nightly {} was cut short: going on after {} scenarios", escape(&cut.name), resume.finished().len());
    Ok(Some((cut.name, resume)))
}

/// What changed since the last nightly that came to its end.
struct News {
    run: RunRow,
    before: Option<String>,
    changes: Option<Changes>,
    /// Scenarios that passed then and do not now, with their reason.
    newly_failing: Vec<(String, Verdict, String)>,
    newly_passing: Vec<String>,
    retried: usize,
}

impl News {
    fn of(ledger: &Ledger, run: &str) -> miette::Result<Self> {
        let all = ledger.runs(&RunFilter { nightly: true, ..RunFilter::default() }).into_diagnostic()?;
        let mut later = all.into_iter().skip_while(|row| row.name != run);
        let Some(row) = later.next() else { miette::bail!("run {run} is not in the ledger") };
        // What another branch measured is no past of this one.
        let branch = row.origin.branch.clone();
        let of_branch = |other: &RunRow| other.state == ::ledger::RunState::Finished && other.origin.branch == branch;
        let before = later.find(of_branch);
        let outcomes = |run: &str| -> miette::Result<BTreeMap<String, (Verdict, String)>> {
            let all = ledger.outcomes(run).into_diagnostic()?.into_iter();
            Ok(all.map(|it| (it.name, (it.verdict, it.reason))).collect())
        };
        let retried = ledger.jobs(run).into_diagnostic()?.iter().filter(|job| job.attempts > 1).count();
        let mut news = Self {
            run: row,
            before: before.as_ref().map(|row| row.name.clone()),
            changes: None,
            newly_failing: Vec::new(),
            newly_passing: Vec::new(),
            retried,
        };
        let Some(before) = before else { return Ok(news) };
        let exempt = ledger.outcomes(run).into_diagnostic()?.into_iter().filter(|it| it.quarantined);
        let exempt: BTreeSet<String> = exempt.map(|it| it.name).collect();
        let earlier = outcomes(&before.name)?;
        for (name, (verdict, reason)) in outcomes(run)? {
            let Some((was, _)) = earlier.get(&name) else { continue };
            match (*was == Verdict::Pass, verdict == Verdict::Pass) {
                (true, false) => news.newly_failing.push((name, verdict, reason)),
                (false, true) => news.newly_passing.push(name),
                _ => {}
            }
        }
        let before = Before::Run(Box::new(before));
        let filter = SeriesFilter::default();
        let mut changes = Changes::between(ledger, &before, &news.run, &filter, 0.0).into_diagnostic()?;
        // A scenario in quarantine does not gate, and neither does what it measured.
        changes.retain(|series| !exempt.contains(&scenario_of(&series.model, &series.dataset, &series.target)));
        news.changes = Some(changes);
        Ok(news)
    }

    fn worse(&self) -> usize {
        self.changes.as_ref().map_or(0, Changes::worse)
    }

    fn head(&self) -> String {
        match &self.before {
            None => {
                let of = self.run.origin.branch.as_ref().map(|branch| format!(" of branch {}", escape(branch)));
                let of = of.unwrap_or_default();
                format!("no nightly{of} before this one came to its end: there is nothing to compare with")
            }
            Some(before) => format!(
                "since nightly {}: {} newly not passing, {} newly passing, {} that needed another attempt",
                escape(before),
                self.newly_failing.len(),
                self.newly_passing.len(),
                reports::text::count(self.retried, "job")
            ),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![self.head()];
        for (name, verdict, reason) in &self.newly_failing {
            let reason = reports::text::short(reason.lines().next().unwrap_or_default());
            lines.push(format!("  {verdict}: {}: {reason}", escape(name)));
        }
        lines.extend(self.newly_passing.iter().map(|name| format!("  passes again: {}", escape(name))));
        lines.extend(self.changes.iter().map(|changes| changes.text(false)));
        lines.join("\n")
    }

    fn markdown(&self) -> String {
        let mut page = Page(format!("## tinyfarm nightly\n\n{}\n", plain(&self.head())));
        let reason = |reason: &str| plain(&reports::text::short(reason.lines().next().unwrap_or_default()));
        let failing =
            self.newly_failing.iter().map(|(name, verdict, why)| [verdict.to_string(), plain(name), reason(why)]);
        page.table("Does not pass any more", ["verdict", "scenario", "why"], failing);
        page.table("Passes again", ["scenario"], self.newly_passing.iter().map(|name| [plain(name)]));
        if let Some(changes) = &self.changes {
            page.0.push('\n');
            page.0.push_str(&changes.markdown(false));
        }
        page.0
    }

    fn write(&self, folder: &Path) -> miette::Result<()> {
        let json = serde_json::json!({
            "run": self.run,
            "before": self.before,
            "newly_failing": self.newly_failing,
            "newly_passing": self.newly_passing,
            "retried": self.retried,
            "changes": self.changes,
        });
        for (name, text) in [("md", self.markdown()), ("json", format!("{json}\n"))] {
            let path = folder.join(format!("{CHANGES}.{name}"));
            let written = std::fs::write(&path, text);
            written.into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn summary(&self, exit_code: u8) -> Summary {
        Summary {
            error: None,
            run: self.run.name.clone(),
            state: self.run.state.word().to_owned(),
            commit: self.run.origin.commit.clone(),
            branch: self.run.origin.branch.clone(),
            exit_code,
            verdicts: self.run.verdicts,
            compared_with: self.before.clone(),
            worse: self.worse(),
            newly_failing: self.newly_failing.iter().map(|(name, ..)| name.clone()).collect(),
            newly_passing: self.newly_passing.clone(),
            retried: self.retried,
        }
    }
}
