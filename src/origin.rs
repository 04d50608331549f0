//! Where a run comes from: Git's commit and branch, and the machine.

use crate::config::cores;
use farm::origin::{Machine, Origin};
use std::{env, path::Path, process::Command};

/// What is known of the sources in `folder` and of this machine. What cannot be found out is left open.
pub fn origin(folder: &Path) -> Origin {
    let commit = git(folder, &["rev-parse", "HEAD"]);
    // Files that Git does not follow are not of the commit, and are no difference from it.
    let dirty = commit.is_some()
        && git(folder, &["status", "--porcelain", "--untracked-files=no"]).is_none_or(|files| !files.is_empty());
    let prefix = git(folder, &["rev-parse", "--show-prefix"]).unwrap_or_default();
    let branch = branch(git(folder, &["symbolic-ref", "--short", "-q", "HEAD"]), |name| env::var(name).ok());
    let branch = branch.filter(|_| commit.is_some());
    Origin { commit, branch, dirty, folder: prefix, machine: machine(), nightly: false, since: None }
}

/// Whether a CI system runs this for a merge request or a tag. Their author chooses what those are called: a branch of that
/// name is not meant.
pub fn is_proposal_or_tag() -> bool {
    proposal_or_tag(|name| env::var(name).ok())
}

fn proposal_or_tag(variable: impl Fn(&str) -> Option<String>) -> bool {
    // GitHub, GitLab and Jenkins, first for merge requests and then for tags.
    const NAMES: [&str; 5] = ["GITHUB_HEAD_REF", "CI_MERGE_REQUEST_IID", "CHANGE_ID", "CI_COMMIT_TAG", "TAG_NAME"];
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    NAMES.iter().any(is_set) || variable("GITHUB_REF_TYPE").as_deref() == Some("tag")
}

/// The branch: Git's, or where no branch is checked out, what the CI system says was. On a merge request that is the branch
/// that is to be merged.
fn branch(of_git: Option<String>, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    const NAMES: [&str; 6] = [
        "GITHUB_HEAD_REF",
        "GITHUB_REF_NAME",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
        "CI_COMMIT_BRANCH",
        "CHANGE_BRANCH",
        "BRANCH_NAME",
    ];
    of_git.or_else(|| NAMES.iter().find_map(|name| variable(name))).filter(|branch| !branch.is_empty())
}

/// What `git` prints, without the line's end; `None` where it fails or is not installed.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--no-optional-locks").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

fn machine() -> Machine {
    let read = |path| std::fs::read_to_string(path).map(|text: String| text.trim().to_owned()).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let kibibytes = value(&read("/proc/meminfo"), "MemTotal");
    let kibibytes = kibibytes.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    Machine {
        name: read("/proc/sys/kernel/hostname"),
        os: format!("{} {}", read("/proc/sys/kernel/ostype"), read("/proc/sys/kernel/osrelease")),
        cpu: value(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
        cores: cores() as u64,
        memory: kibibytes.unwrap_or(0) * 1024,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(git: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        branch(git.map(str::to_owned), find)
    }

    #[test]
    fn git_has_the_first_word_on_the_branch_and_ci_the_second() {
        assert_eq!(said(Some("main"), &[("GITHUB_REF_NAME", "other")]).unwrap(), "main");
        assert_eq!(said(None, &[("GITHUB_REF_NAME", "7/merge"), ("GITHUB_HEAD_REF", "faster")]).unwrap(), "faster");
        assert_eq!(said(None, &[("CI_COMMIT_BRANCH", "main")]).unwrap(), "main");
        assert_eq!(said(None, &[]), None);
    }

    #[test]
    fn a_merge_request_and_a_tag_are_no_branch_whatever_they_are_called() {
        let seen = |variables: &[(&str, &str)]| {
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            proposal_or_tag(find)
        };
        for (name, value) in [
            ("GITHUB_HEAD_REF", "main"),
            ("GITHUB_REF_TYPE", "tag"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_COMMIT_TAG", "main"),
            ("CHANGE_ID", "7"),
            ("TAG_NAME", "main"),
        ] {
            assert!(seen(&[(name, value)]), "{name}");
        }
        assert!(!seen(&[("GITHUB_REF_TYPE", "branch"), ("GITHUB_HEAD_REF", ""), ("CI_COMMIT_BRANCH", "main")]));
    }

    #[test]
    fn outside_a_repository_there_is_no_commit_and_there_is_a_machine() {
        let folder = tempfile::tempdir().unwrap();
        let origin = origin(folder.path());
        assert_eq!((origin.commit, origin.branch, origin.dirty), (None, None, false));
        assert!(origin.machine.memory > 0 && origin.machine.cores > 0 && origin.machine.os.starts_with("Linux "));
    }
}
