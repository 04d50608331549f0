//! `--since REV`: which scenarios the files that changed can have touched.

use crate::config::Config;
use farm::Library;
use jiff::Timestamp;
use miette::{IntoDiagnostic as _, miette};
use reports::text::{count, escape};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
    process::Command,
};
use steps::Plan;

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
pub fn select(plan: &mut Plan, library: &Library, config: &Config, rev: &str) -> miette::Result<Touched> {
    let started = Timestamp::now();
    let repository = Repository::find()?;
    let base = repository.base(rev)?;
    let mut changed = repository.changed(&base)?;
    // What the farm itself writes is no change of anybody's.
    let own = [&config.cache, &config.ledger.file].map(|path| real(path).into_os_string());
    changed.retain(|name| {
        let path = repository.root.join(name).into_os_string();
        !own.iter().any(|own| path.as_bytes().starts_with(own.as_bytes()))
    });
    let everything = everything(config);
    let boards: Vec<PathBuf> = config.boards.folders.iter().flat_map(|folder| both(folder)).collect();
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
        let files: Vec<PathBuf> = scenario.files(library).iter().flat_map(|file| both(file)).collect();
        let wants_boards = scenario.wants_boards();
        let touches = |path: &Path| {
            let below = |of: &[PathBuf]| of.iter().any(|of| path.starts_with(of));
            below(&files) || below(&everything) || (wants_boards && below(&boards))
        };
        let mut keep = false;
        for name in &changed {
            if touches(&repository.root.join(name)) {
                used.insert(name.clone());
                *touched.because.entry(name.display().to_string()).or_default() += 1;
                keep = true;
            }
        }
        match keep {
            true => touched.runs += 1,
            false => touched.left_out.push(format!("{}:{} {}", scenario.id.path, scenario.id.line, scenario.id.name)),
        }
        keep
    });
    touched.unused =
        changed.iter().filter(|name| !used.contains(*name)).map(|name| name.display().to_string()).collect();
    tracing::debug!(took = ?Timestamp::now().duration_since(started), "looked for what a change touches");
    Ok(touched)
}

impl Touched {
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
    let mut all: Vec<PathBuf> = config.since.everything.iter().flat_map(|path| both(path)).collect();
    all.extend(config.file.iter().chain(programs.into_iter().flatten()).flat_map(|path| both(path)));
    all.extend(std::env::var_os("TFLM_DIR").into_iter().flat_map(|folder| both(Path::new(&folder))));
    all
}

/// A path as it is written, and what it leads to: a link that points elsewhere is as much a change as what it points to.
fn both(path: &Path) -> [PathBuf; 2] {
    let here = std::env::current_dir().unwrap_or_default();
    [plain(&here.join(path)), real(path)]
}

/// A path without `.` and `..`, by its words alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// A path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        // What was deleted still has a folder.
        (Some(parent), Some(name)) if parent != Path::new("") => real(parent).join(name),
        (_, Some(name)) => std::env::current_dir().unwrap_or_default().join(name),
        _ => path.to_owned(),
    }
}

/// The repository that this folder is in.
struct Repository {
    root: PathBuf,
}

impl Repository {
    fn find() -> miette::Result<Self> {
        let here = std::env::current_dir().into_diagnostic()?;
        let output = git(&here, &["rev-parse", "--show-toplevel"])?;
        let root = output.map_err(|said| {
            miette!(
                help = "run it inside the repository, or without `--since`",
                "`--since` wants a Git repository: {said}"
            )
        })?;
        let root = PathBuf::from(OsStr::from_bytes(root.trim_ascii_end()));
        Ok(Self { root: root.canonicalize().unwrap_or(root) })
    }

    /// Where the branch left `rev`: what others did there since then is no change of this one.
    fn base(&self, rev: &str) -> miette::Result<String> {
        let commit = format!("{rev}^{{commit}}");
        let known = git(&self.root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        let commit = known.map_err(|_| {
            miette!(
                help = "name a branch, a tag or a commit that `git log` knows here; in CI, fetch it first (`git fetch origin main`)",
                "Git knows no revision `{rev}`"
            )
        })?;
        let commit = String::from_utf8_lossy(commit.trim_ascii_end()).into_owned();
        let base = git(&self.root, &["merge-base", &commit, "HEAD"])?;
        let base = base.map_err(|_| {
            miette!(
                help = "a shallow clone lacks it: fetch all of the history (`git fetch --unshallow`; in GitHub Actions, `fetch-depth: 0`)",
                "`{rev}` and what is checked out have no commit in common here"
            )
        })?;
        Ok(String::from_utf8_lossy(base.trim_ascii_end()).into_owned())
    }

    /// Files that differ from `base`, and those that Git does not follow and is not told to ignore.
    fn changed(&self, base: &str) -> miette::Result<BTreeSet<PathBuf>> {
        // Renames count as both: what is gone from here may have been used here.
        let differ = git(&self.root, &["diff", "--name-only", "--no-renames", "-z", base])?;
        let new = git(&self.root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let mut all = BTreeSet::new();
        for listed in [differ, new] {
            let listed = listed.map_err(|said| miette!("Git cannot say what changed: {said}"))?;
            let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            all.extend(names.map(|name| PathBuf::from(OsStr::from_bytes(name))));
        }
        Ok(all)
    }
}

/// What `git` prints, or what it says where it fails.
fn git(folder: &Path, arguments: &[&str]) -> miette::Result<Result<Vec<u8>, String>> {
    let mut command = Command::new("git");
    let command = command.arg("--no-optional-locks").arg("-C").arg(folder).args(arguments);
    let output = command.output().map_err(|error| {
        miette!(help = "install Git, or run without `--since`", "`--since` wants the program git: {error}")
    })?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if output.status.success() { Ok(output.stdout) } else { Err(said()) })
}
