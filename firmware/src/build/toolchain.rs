//! The compiler as a process: who it is, running it so that nothing of it outlives us, and its errors.

use super::{BuildError, cache::Files};
use crate::{
    port::{Compiler, Port},
    process::Group,
};
use farm::Digest;
use std::{ffi::OsString, io, path::Path, process::Stdio};
use tokio::process::Command;

/// A compiler that is there, and what makes it the same as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Which.
    pub compiler: Compiler,
    /// What it says of itself in one line: `arm-none-eabi-g++ (15:12.2.rel1-1) 12.2.1 20221205`.
    pub version: String,
    /// Digest of what it says of itself and of the libraries it links, for given flags.
    pub identity: Digest,
}

impl Toolchain {
    /// Asks the compiler who it is and which libraries go with `flags`.
    ///
    /// # Errors
    /// [`BuildError::NoCompiler`], [`BuildError::Compiler`].
    pub async fn ask(compiler: Compiler, flags: &[String], files: &Files) -> Result<Self, BuildError> {
        let program = program(compiler, true);
        let asked = |argument: &'static str| {
            let (program, flags) = (program.clone(), flags.to_vec());
            async move {
                let mut command = command(&program, Path::new("/"));
                let output = run(command.args(flags).arg(argument), &program, compiler).await?;
                if output.success {
                    Ok(output.stdout)
                } else {
                    Err(BuildError::Compiler { program, reason: output.stderr.trim().to_owned() })
                }
            }
        };
        // The libraries are linked in; a C library that was upgraded under the same compiler makes another runner.
        let (version, c, cpp, gcc) = tokio::try_join!(
            asked("--version"),
            asked("-print-file-name=libc.a"),
            asked("-print-file-name=libstdc++.a"),
            asked("-print-libgcc-file-name"),
        )?;
        let mut parts = vec![Digest::of(version.as_bytes())];
        for library in [c, cpp, gcc] {
            let path = Path::new(library.trim());
            if !path.is_absolute() {
                let reason = format!("it has no {}; Debian packages: {}", path.display(), compiler.packages());
                return Err(BuildError::Compiler { program, reason });
            }
            parts.push(files.digest(path)?);
        }
        Ok(Self {
            compiler,
            version: version.lines().next().unwrap_or_default().to_owned(),
            identity: Digest::of_parts(parts.iter().map(|part| &part.0[..])),
        })
    }
}

/// The name of the compiler's program, for C++ or C.
pub fn program(compiler: Compiler, cpp: bool) -> String {
    format!("{}{}", compiler.prefix(), if cpp { "g++" } else { "gcc" })
}

/// Whether the compiler for `port` is there: looks on `PATH` and starts nothing.
///
/// # Errors
/// [`BuildError::NoCompiler`].
pub fn compiler_available(port: &Port) -> Result<(), BuildError> {
    let program = program(port.compiler, true);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(&program).is_file());
    if found { Ok(()) } else { Err(BuildError::NoCompiler { program, packages: port.compiler.packages() }) }
}

/// What a process said.
#[derive(Debug)]
pub struct Output {
    /// Whether it ended with status 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A command for `program` in `folder`, in an environment where nothing steers a compiler behind our back.
pub fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C");
    for name in [
        "CPATH",
        "C_INCLUDE_PATH",
        "CPLUS_INCLUDE_PATH",
        "LIBRARY_PATH",
        "COMPILER_PATH",
        "GCC_EXEC_PREFIX",
        "DEPENDENCIES_OUTPUT",
        "SUNPRO_DEPENDENCIES",
        "SOURCE_DATE_EPOCH",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end. If this is dropped, the process and all it started are killed.
///
/// # Errors
/// [`BuildError::NoCompiler`], [`BuildError::Compiler`] where it cannot be started.
pub async fn run(command: &mut Command, program: &str, compiler: Compiler) -> Result<Output, BuildError> {
    // The driver starts the compiler proper and the assembler: they share its group, and the group is what is killed.
    let child = command.process_group(0).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            BuildError::NoCompiler { program: program.to_owned(), packages: compiler.packages() }
        }
        _ => BuildError::Compiler { program: program.to_owned(), reason: error.to_string() },
    })?;
    let group = Group::of(&child);
    let output = child.wait_with_output().await;
    group.ended();
    let output =
        output.map_err(|error| BuildError::Compiler { program: program.to_owned(), reason: error.to_string() })?;
    Ok(Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A command as it could be pasted into a shell.
pub fn shown(program: &str, folder: &Path, arguments: &[OsString]) -> String {
    let quoted = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+./,:@%".contains(&byte);
        if !word.is_empty() && word.bytes().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let mut text = format!("cd {} && {program}", quoted(&folder.to_string_lossy()));
    for argument in arguments {
        text.push(' ');
        text.push_str(&quoted(&argument.to_string_lossy()));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let shown = shown("g++", Path::new("/a b"), &["-DX=\"1 2\"".into(), "-c".into(), "it's.cc".into()]);
        insta::assert_snapshot!(shown, @r#"cd '/a b' && g++ '-DX="1 2"' -c 'it'\''s.cc'"#);
    }

    #[tokio::test]
    async fn a_compiler_that_is_not_there_is_named_with_its_package() {
        let program = "no-such-compiler-g++";
        let error = run(&mut command(program, Path::new("/")), program, Compiler::ArmNoneEabi).await.unwrap_err();
        insta::assert_snapshot!(error, @"no-such-compiler-g++ is not on PATH; install it with scripts/setup (Debian packages: gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib)");
    }

    #[tokio::test]
    async fn a_dropped_run_leaves_no_process_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pid");
        // A driver that starts a child of its own, as gcc does, and tells the child's id.
        let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", mark.display());
        let mut command = command("sh", folder.path());
        let running = run(command.arg("-c").arg(script), "sh", Compiler::X86_64);
        let seen = async {
            loop {
                if let Ok(text) = std::fs::read_to_string(&mark) {
                    break text.trim().parse::<i32>().unwrap();
                }
                tokio::task::yield_now().await;
            }
        };
        let grandchild = tokio::select! { _ = running => panic!("it cannot end"), pid = seen => pid };
        // `/proc/<pid>` stays until init reaps it; a zombie is dead all the same.
        let alive = || {
            std::fs::read_to_string(format!("/proc/{grandchild}/stat"))
                .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
        };
        while alive() {
            tokio::task::yield_now().await;
        }
    }
}
