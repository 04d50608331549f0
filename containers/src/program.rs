//! The program that runs models: the farm's own build, or somebody else's.

use crate::options::ContainerOptions;
use farm::TargetError;
use firmware::{Builder, ExpectedRunner, HostRunner};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{process::Command, sync::OnceCell, time::timeout};

/// How long a runner may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the program comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// It is built.
    Ours(Builder),
    /// It is there; it is asked once who it is.
    Foreign(PathBuf, OnceCell<Program>),
}

/// The program.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// Ours.
    Built(Arc<HostRunner>),
    /// Somebody's, and the digest it reports.
    Foreign(PathBuf, String),
}

impl Source {
    pub(crate) fn of(options: &ContainerOptions) -> Self {
        match &options.runner {
            Some(path) => Self::Foreign(path.clone(), OnceCell::new()),
            None => Self::Ours(options.builder.clone()),
        }
    }

    /// Whether there is a runner, or what it takes to build one; else why not. Starts nothing.
    pub(crate) fn available(&self) -> Result<(), String> {
        match self {
            Self::Foreign(path, _) if path.is_file() => Ok(()),
            Self::Foreign(path, _) => Err(format!("the runner {} is no file", path.display())),
            Self::Ours(_) => firmware::port("host")
                .map_err(|error| error.to_string())
                .and_then(|port| firmware::compiler_available(port).map_err(|error| error.to_string())),
        }
    }

    /// The runner, built or asked if that was not done yet.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] with the compiler's message, or with what is wrong with the program.
    pub(crate) async fn program(&self) -> Result<Program, TargetError> {
        match self {
            Self::Ours(builder) => match builder.host().await {
                Ok(runner) => Ok(Program::Built(runner)),
                Err(error) => Err(TargetError::Blocked(error.to_string())),
            },
            Self::Foreign(path, asked) => asked.get_or_try_init(|| ask(path)).await.cloned(),
        }
    }
}

/// Asks a program for its build digest: `runner 0.1.0 DIGEST TFLM 2.2.0`.
async fn ask(path: &Path) -> Result<Program, TargetError> {
    let blocked = |why: String| TargetError::Blocked(format!("the runner {}: {why}", path.display()));
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(blocked(format!("cannot be started: {error}"))),
        Err(_) => return Err(blocked(format!("says no `--version` within {} s", PATIENCE.as_secs()))),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = said.split_whitespace().collect();
    match words[..] {
        ["runner", _, digest, "TFLM", ..] if digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(Program::Foreign(path.to_owned(), digest.to_owned()))
        }
        _ => Err(blocked("says at `--version` no `runner VERSION DIGEST TFLM VERSION`".to_owned())),
    }
}

impl Program {
    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Built(runner) => &runner.path,
            Self::Foreign(path, _) => path,
        }
    }

    /// Its build digest.
    pub(crate) fn digest(&self) -> &str {
        match self {
            Self::Built(runner) => &runner.digest,
            Self::Foreign(_, digest) => digest,
        }
    }

    /// What the handshake must say of the runner.
    pub(crate) fn expected(&self) -> ExpectedRunner {
        ExpectedRunner::with_digest(self.digest())
    }

    /// What the log says of it.
    pub(crate) fn note(&self) -> String {
        match self {
            Self::Built(_) => String::new(),
            Self::Foreign(path, _) => format!("the runner {} was not built by the farm\n", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn asked(script: &str) -> Result<Program, TargetError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runner");
        firmware::testing::write_program(&path, script).unwrap();
        ask(&path).await
    }

    #[tokio::test]
    async fn a_foreign_runner_says_its_digest_itself() {
        let program = asked("#!/bin/sh\necho runner 0.1.0 abc TFLM 2.2.0").await.unwrap();
        assert_eq!(program.digest(), "abc");
        assert!(program.note().ends_with("was not built by the farm\n"));
    }

    #[tokio::test]
    async fn a_program_that_is_no_runner_is_refused_with_what_is_wanted() {
        let refused = asked("#!/bin/sh\necho hello").await.unwrap_err();
        assert!(
            refused.to_string().ends_with("says at `--version` no `runner VERSION DIGEST TFLM VERSION`"),
            "{refused}"
        );
        let refused = ask(Path::new("/nowhere/runner")).await.unwrap_err();
        assert!(matches!(&refused, TargetError::Blocked(why) if why.contains("cannot be started")), "{refused}");
    }
}
