//! `--since REV`: which scenarios the files that changed can have touched.
//!
//! A scenario is left out only where it is known that nothing it rests on has changed: a file of which Git cannot say so,
//! because it lies elsewhere or is ignored, runs its scenarios.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod` | which scenarios run, and why |
//! | `repository` | what Git knows |
//! | `ways` | what a path stands for, with every link on the way |

mod repository;
mod ways;

use crate::{
    command::nightly,
    config::{Config, SinceConfig},
};
use boards::definition::Definitions;
use farm::{Library, TargetInfo};
use jiff::Timestamp;
use miette::IntoDiagnostic as _;
use reports::text::{count, escape};
use repository::{Repository, Unknown};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};
use steps::Plan;
use ways::{below, ways};

/// How many files or scenarios are named for one reason.
const NAMED: usize = 5;

/// What changed, and what of it was chosen.
#[derive(Debug)]
pub struct Touched {
    rev: String,
    base: String,
    /// Files that changed, seen from the repository's root.
    changed: usize,
    /// How many scenarios run because of a file.
    because: BTreeMap<String, usize>,
    /// Scenarios that run.
    runs: usize,
    /// Scenarios that are left out, by file and line.
    left_out: Vec<String>,
    /// Files that no scenario rests on.
    unused: Vec<String>,
}

/// Leaves in `plan` the scenarios that a change since `rev` can have touched.
///
/// # Errors
/// Git is not to be had, this is no repository, or it knows no such revision.
pub fn select(
    plan: &mut Plan,
    targets: &[TargetInfo],
    library: &Library,
    config: &Config,
    rev: &str,
) -> miette::Result<Touched> {
    let started = Timestamp::now();
    let repository = Repository::find()?;
    let base = repository.base(rev)?;
    let mut changed = repository.changed(&base)?;
    changed.retain(|name| !is_own(&repository.root.join(name), config));
    let mut files = Files::new(&repository, &changed);
    let of_all = everything(config);
    config.file.iter().for_each(|file| files.add(file, Doubt::Any));
    let of_boards = of_boards(config)?;
    of_all.iter().chain(&of_boards).for_each(|path| files.add(path, Doubt::Own));
    for path in not_there(config) {
        let shown = escape(&path.display().to_string()).into_owned();
        tracing::warn!("`everything` in [since] names {shown}, which is not there: nothing is touched by it");
    }
    let doubt = |path: &Path| if library.is_packaged(path) { Doubt::Own } else { Doubt::Any };
    for scenario in plan.scenarios() {
        scenario.files(library).iter().for_each(|file| files.add(file, doubt(file)));
    }
    files.ask_for_ignored()?;

    let mut touched = Touched {
        rev: rev.to_owned(),
        base: base.chars().take(10).collect(),
        changed: changed.len(),
        because: BTreeMap::new(),
        runs: 0,
        left_out: Vec::new(),
        unused: Vec::new(),
    };
    let mut used = BTreeSet::new();
    plan.retain(|scenario| {
        let boards = if scenario.wants_boards(targets) { &of_boards[..] } else { &[] };
        let own = scenario.files(library);
        let all = own.iter().chain(&of_all).chain(boards);
        let reasons: BTreeSet<&String> = all.flat_map(|path| files.reasons(path)).collect();
        for reason in &reasons {
            *touched.because.entry((*reason).clone()).or_default() += 1;
            used.insert((*reason).clone());
        }
        match reasons.is_empty() {
            false => touched.runs += 1,
            true => touched.left_out.push(format!("{}:{} {}", scenario.id.path, scenario.id.line, scenario.id.name)),
        }
        !reasons.is_empty()
    });
    touched.unused =
        changed.iter().map(|name| name.display().to_string()).filter(|name| !used.contains(name)).collect();
    tracing::debug!(took = ?Timestamp::now().duration_since(started), "looked for what a change touches");
    Ok(touched)
}

/// What touches every scenario that wants boards: their definitions, and the files that these name.
fn of_boards(config: &Config) -> miette::Result<Vec<PathBuf>> {
    let mut all = config.boards.folders.clone();
    let definitions = Definitions::load(&config.boards.folders).into_diagnostic()?;
    let boards = definitions.boards.into_iter().chain(definitions.kinds);
    all.extend(boards.filter_map(|board| board.chip_description));
    Ok(all)
}

/// What people named as touching everything, and is not there.
fn not_there(config: &Config) -> Vec<&PathBuf> {
    let by_default = SinceConfig::default().everything;
    let named = config.since.everything.iter().filter(|path| !by_default.iter().any(|known| path.ends_with(known)));
    named.filter(|path| !path.exists()).collect()
}

/// Whether the farm itself writes this file: that is no change of anybody's.
fn is_own(path: &Path, config: &Config) -> bool {
    let real = |path: &Path| ways(path).pop().unwrap_or_default();
    let ledger = real(&config.ledger.file);
    if path.starts_with(real(&config.cache)) {
        return true;
    }
    let same_folder = path.parent() == ledger.parent();
    let (Some(name), Some(own)) = (path.file_name(), ledger.file_name()) else { return false };
    let beside = name
        .as_bytes()
        .strip_prefix(own.as_bytes())
        .is_some_and(|rest| matches!(rest, b"" | b"-wal" | b"-shm" | b"-journal") || rest.starts_with(b".run-"));
    same_folder && (beside || path == ways(&nightly::feature_file(config)).pop().unwrap_or_default())
}

/// What is wanted of Git for a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Where Git cannot say whether it, or a file in it, is as it was, it counts as changed.
    Any,
    /// The same, but programs outside are the machine's business, as those on PATH are; and what is ignored inside a
    /// folder is what was built there.
    Own,
}

/// The files that scenarios rest on, and why each makes them run.
struct Files<'a> {
    repository: &'a Repository,
    /// What changed, and how that is told.
    changed: Vec<(PathBuf, String)>,
    /// By the path as it is used.
    reasons: HashMap<PathBuf, Vec<String>>,
    /// What Git may know nothing of, with the paths as they are used.
    doubtful: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl<'a> Files<'a> {
    fn new(repository: &'a Repository, changed: &BTreeSet<PathBuf>) -> Self {
        let changed = changed.iter().map(|name| (repository.root.join(name), name.display().to_string())).collect();
        Self { repository, changed, reasons: HashMap::new(), doubtful: BTreeMap::new() }
    }

    /// Looks at a file or folder.
    fn add(&mut self, path: &Path, doubt: Doubt) {
        if self.reasons.contains_key(path) {
            return;
        }
        let mut all = ways(path);
        let end = all.last().cloned().unwrap_or_default();
        let inside = below(&end);
        all.extend(inside.iter().filter(|file| file.is_symlink()).flat_map(|link| ways(link)));
        // What lies above may be a submodule, or another repository inside this one, of which Git names the folder.
        let touches = |changed: &Path| all.iter().any(|of| changed.starts_with(of) || of.starts_with(changed));
        let reasons = self.changed.iter().filter(|(changed, _)| touches(changed)).map(|(_, name)| name.clone());
        self.reasons.insert(path.to_owned(), reasons.collect());
        let doubtful = match doubt {
            // Git knows nothing of a folder itself.
            Doubt::Any if !inside.is_empty() => all.into_iter().filter(|way| *way != end).chain(inside).collect(),
            Doubt::Any => all,
            Doubt::Own => vec![end].into_iter().filter(|end| end.starts_with(&self.repository.root)).collect(),
        };
        for file in doubtful {
            self.doubtful.entry(file).or_default().push(path.to_owned());
        }
    }

    /// Adds the reasons of files of which Git cannot say whether they changed.
    fn ask_for_ignored(&mut self) -> miette::Result<()> {
        let asked = self.doubtful.keys().cloned().collect();
        for (file, why) in self.repository.unknown(&asked)? {
            let why = match why {
                Unknown::Elsewhere => "is outside of the repository",
                Unknown::Ignored => "Git is told to ignore",
            };
            let shown = file.strip_prefix(&self.repository.root).unwrap_or(&file);
            for path in self.doubtful.get(&file).into_iter().flatten() {
                self.reasons.entry(path.clone()).or_default().push(format!("{}, which {why}", shown.display()));
            }
        }
        Ok(())
    }

    fn reasons(&self, path: &Path) -> &[String] {
        self.reasons.get(path).map_or(&[], Vec::as_slice)
    }
}

impl Touched {
    /// How many scenarios are left out.
    pub fn left_out(&self) -> usize {
        self.left_out.len()
    }

    /// What runs, what is left out, and why; with `all`, every scenario and file by name.
    pub fn lines(&self, all: bool) -> Vec<String> {
        let total = self.runs + self.left_out.len();
        let files = count(self.changed, "file");
        let mut lines = vec![format!(
            "since {} (from {}): {files} changed; {} of {} can be touched by that",
            escape(&self.rev),
            self.base,
            self.runs,
            count(total, "scenario")
        )];
        let shown = |count: usize| if all { count } else { count.min(NAMED) };
        let more = |lines: &mut Vec<String>, rest: usize| {
            if rest > 0 {
                lines.push(format!("    … and {rest} more; -v names all"));
            }
        };
        if !self.because.is_empty() {
            lines.push("  these run:".to_owned());
            let limit = shown(self.because.len());
            for (file, scenarios) in self.because.iter().take(limit) {
                lines.push(format!("    {} because of {}", count(*scenarios, "scenario"), escape(file)));
            }
            more(&mut lines, self.because.len() - limit);
        }
        if !self.left_out.is_empty() {
            let why = "their feature, models, datasets, manifests, boards and firmware are as they were";
            lines.push(format!("  left out, for {why}: {}", count(self.left_out.len(), "scenario")));
            let limit = shown(self.left_out.len());
            lines.extend(self.left_out.iter().take(limit).map(|name| format!("    {}", escape(name))));
            more(&mut lines, self.left_out.len() - limit);
        }
        if !self.unused.is_empty() {
            lines.push(format!("  changed, and no scenario rests on it: {}", count(self.unused.len(), "file")));
            let limit = shown(self.unused.len());
            lines.extend(self.unused.iter().take(limit).map(|name| format!("    {}", escape(name))));
            more(&mut lines, self.unused.len() - limit);
        }
        if self.runs == 0 {
            lines.push("  nothing had to run".to_owned());
        }
        lines
    }
}

/// What touches every scenario: the configuration, what it names, and where the runner's source is.
fn everything(config: &Config) -> Vec<PathBuf> {
    let programs = [&config.runner.program, &config.qemu.program, &config.renode.program];
    let mut all = config.since.everything.clone();
    all.extend(config.file.iter().chain(programs.into_iter().flatten()).cloned());
    all.extend(std::env::var_os("TFLM_DIR").map(PathBuf::from));
    all
}
