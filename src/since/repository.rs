//! What Git knows.

use miette::{IntoDiagnostic as _, miette};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io::Write as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The repository that this folder is in.
pub struct Repository {
    /// Its root; no part of it is a link.
    pub root: PathBuf,
}

impl Repository {
    /// The one that the working directory is in.
    ///
    /// # Errors
    /// There is none, or no Git.
    pub fn find() -> miette::Result<Self> {
        let here = std::env::current_dir().into_diagnostic()?;
        let output = git(&here, &["rev-parse", "--show-toplevel"])?;
        let root = output.map_err(|said| {
            miette!(
                // Git's own words may have the mend, as for a folder of somebody else's.
                help = "run it inside a repository that Git takes for yours, or without `--since`",
                "`--since` wants a Git repository: {said}"
            )
        })?;
        let root = PathBuf::from(OsStr::from_bytes(root.trim_ascii_end()));
        Ok(Self { root: root.canonicalize().unwrap_or(root) })
    }

    /// Where the branch left `rev`: what others did there since then is no change of this one.
    ///
    /// # Errors
    /// It knows no such revision, or nothing that both have in common.
    pub fn base(&self, rev: &str) -> miette::Result<String> {
        let commit = format!("{rev}^{{commit}}");
        let known = git(&self.root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        let commit = known.map_err(|_| {
            miette!(
                help = "name a branch, a tag or a commit that `git log` knows here; in CI, fetch it first (`git fetch origin main`)",
                "Git knows no revision `{rev}`"
            )
        })?;
        let commit = String::from_utf8_lossy(commit.trim_ascii_end()).into_owned();
        // Git also reads `^main`, which leaves out instead of naming.
        if !commit.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(miette!(help = "name a branch, a tag or a commit", "`{rev}` names no revision"));
        }
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
    ///
    /// # Errors
    /// Git cannot say.
    pub fn changed(&self, base: &str) -> miette::Result<BTreeSet<PathBuf>> {
        // Renames count as both: what is gone from here may have been used here.
        let differ = git(&self.root, &["diff", "--name-only", "--no-renames", "--ignore-submodules=none", "-z", base])?;
        let new = git(&self.root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let mut all = BTreeSet::new();
        for listed in [differ, new] {
            let listed = listed.map_err(|said| miette!("Git cannot say what changed: {said}"))?;
            let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            all.extend(names.map(|name| PathBuf::from(OsStr::from_bytes(name))));
        }
        Ok(all)
    }

    /// Those of `paths` whose changes Git does not tell: that lie elsewhere, or that it is told to ignore.
    ///
    /// # Errors
    /// Git cannot say.
    pub fn unknown(&self, paths: &BTreeSet<PathBuf>) -> miette::Result<BTreeMap<PathBuf, Unknown>> {
        let mut unknown = BTreeMap::new();
        let mut asked: BTreeMap<PathBuf, Vec<&PathBuf>> = BTreeMap::new();
        for path in paths {
            match self.own(path) {
                Some(own) => asked.entry(own).or_default().push(path),
                None => drop(unknown.insert(path.clone(), Unknown::Elsewhere)),
            }
        }
        let names: Vec<&[u8]> = asked.keys().map(|path| path.as_os_str().as_bytes()).collect();
        let listed = self.ignored(names.join(&0))?;
        let listed = listed.split(|byte| *byte == 0).filter_map(|name| asked.get(Path::new(OsStr::from_bytes(name))));
        unknown.extend(listed.flatten().map(|path| ((*path).clone(), Unknown::Ignored)));
        Ok(unknown)
    }

    /// The path as this repository knows it, seen from its root: a file of one inside it is known by that one's folder.
    /// `None` for the root itself and what lies elsewhere.
    fn own(&self, path: &Path) -> Option<PathBuf> {
        let mut own = PathBuf::new();
        for part in path.strip_prefix(&self.root).ok()?.components() {
            own.push(part);
            if self.root.join(&own).join(".git").exists() {
                break;
            }
        }
        Some(own).filter(|own| *own != Path::new(""))
    }

    /// Those of `names`, each seen from the root and all with a zero between them, that Git is told to ignore.
    fn ignored(&self, names: Vec<u8>) -> miette::Result<Vec<u8>> {
        if names.is_empty() {
            return Ok(names);
        }
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.root).args(["check-ignore", "-z", "--stdin"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(no_git)?;
        let stdin = child.stdin.take();
        // It answers while it is asked: with both in one thread, each might wait for the other.
        let asking = std::thread::spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(&names)));
        let output = child.wait_with_output().into_diagnostic()?;
        let asked = asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match output.status.code() {
            // 1: none is.
            Some(0 | 1) => asked.into_diagnostic().map(|()| output.stdout),
            _ => Err(miette!("Git cannot say what it ignores: {}", String::from_utf8_lossy(&output.stderr).trim())),
        }
    }
}

/// What `git` prints, or what it says where it fails.
fn git(folder: &Path, arguments: &[&str]) -> miette::Result<Result<Vec<u8>, String>> {
    let mut command = Command::new("git");
    let command = command.arg("--no-optional-locks").arg("-C").arg(folder).args(arguments);
    let output = command.output().map_err(no_git)?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if output.status.success() { Ok(output.stdout) } else { Err(said()) })
}

fn no_git(error: std::io::Error) -> miette::Report {
    miette!(help = "install Git, or run without `--since`", "`--since` wants the program git: {error}")
}

/// Why Git does not tell whether a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is in no folder of the repository.
    Elsewhere,
    /// Git is told to ignore it.
    Ignored,
}
