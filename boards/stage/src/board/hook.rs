//! Commands of the user's: power-cycle a board, reset it, flash it.

use crate::definition::Hook;
use firmware::process::Group;
use std::{process::Stdio, time::Duration};
use tokio::{process::Command, time::timeout};

/// Of what a command wrote, so much is told.
const TAIL: usize = 300;

/// Runs it to its end.
///
/// # Errors
/// Why it did not end well, with the command and the last that it wrote.
pub async fn run(hook: &Hook) -> Result<(), String> {
    let shown = hook.command.join(" ");
    let Some((program, arguments)) = hook.command.split_first() else {
        return Err("the command is empty".to_owned());
    };
    let started = Command::new(program)
        .args(arguments)
        .current_dir(&hook.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn();
    let child = started.map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    // What it started dies with it, where it is given up.
    let group = Group::of(&child);
    let output = match timeout(hook.timeout, child.wait_with_output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("`{shown}` could not be waited for: {error}")),
        Err(_) => return Err(format!("`{shown}` did not end within {}", seconds(hook.timeout))),
    };
    group.ended();
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or_else(|| "it wrote nothing".to_owned());
    let skipped = said.chars().count().saturating_sub(TAIL);
    let said: String = said.chars().skip(skipped).collect::<String>().replace('\n', "; ");
    Err(format!("`{shown}` failed ({}): {said}", output.status))
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hook(command: &[&str], timeout: Duration) -> Hook {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Hook { command, folder: std::env::temp_dir(), timeout }
    }

    #[tokio::test]
    async fn how_a_command_ended_is_told_with_its_words() {
        let long = Duration::from_secs(60);
        assert_eq!(run(&hook(&["true"], long)).await, Ok(()));
        let shown = [
            run(&hook(&["sh", "-c", "echo no such port >&2; exit 3"], long)).await.unwrap_err(),
            run(&hook(&["no-such-program-anywhere"], long)).await.unwrap_err(),
            run(&hook(&["sleep", "600"], Duration::from_millis(20))).await.unwrap_err(),
        ];
        insta::assert_snapshot!(shown.join("\n"), @r"
        `sh -c echo no such port >&2; exit 3` failed (exit status: 3): no such port
        `no-such-program-anywhere` could not be started: No such file or directory (os error 2)
        `sleep 600` did not end within 0.02 s
        ");
    }
}
