//! Findings of one board, without touching it.

use super::{Bench, Finding, Presence, Seen};
use crate::{
    definition::{Definition, Hook, Reset},
    health::State,
};
use std::path::Path;

impl Bench {
    /// What there is to say of a board without touching it: whether it is there, its hooks, its past.
    pub fn examine(&self, board: &Seen) -> Vec<Finding> {
        let name = Some(board.definition.name.as_str());
        let mut findings = vec![presence(name, &board.presence)];
        findings.extend(hooks(&board.definition));
        findings.extend(past(board));
        if let Some(holder) = &board.held_by {
            findings.push(Finding::note(name, format!("held by {holder}"), None));
        }
        findings
    }
}

fn presence(name: Option<&str>, presence: &Presence) -> Finding {
    match presence {
        Presence::Attached(attached) => Finding::fine(name, format!("attached: {attached}")),
        Presence::Port { device } => Finding::fine(name, format!("attached at {}", device.display())),
        Presence::Startable => Finding::fine(name, "simulated; the farm starts it when it is wanted"),
        Presence::Missing { reason } => Finding::error(name, reason),
    }
}

fn past(board: &Seen) -> Vec<Finding> {
    let name = board.definition.name.as_str();
    let past = match &board.health {
        None => return Vec::new(),
        Some(Ok(past)) => past,
        Some(Err(error)) => return vec![Finding::error(Some(name), error)],
    };
    let state = match &past.state {
        State::Healthy => Finding::fine(Some(name), format!("healthy; {}", past.tally)),
        State::Suspect { .. } | State::Recovering { .. } => {
            let mend = format!("look at its cable and power; `tinyfarm boards health {name}` checks it now");
            Finding::note(Some(name), past.state.to_string(), Some(mend))
        }
        State::Quarantined(quarantine) if quarantine.by.is_some() => {
            let mend = format!("when that is mended, `tinyfarm boards release {name}`");
            Finding::wrong(Some(name), past.state.to_string(), mend)
        }
        State::Quarantined(_) => {
            let mend = format!(
                "look at its cable, power and chip, then `tinyfarm boards health {name}`, which lets it back where it passes"
            );
            Finding::wrong(Some(name), past.state.to_string(), mend)
        }
    };
    let damaged = (past.damaged > 0).then(|| {
        let lines = if past.damaged == 1 { "1 line" } else { &format!("{} lines", past.damaged) };
        let what = format!("{lines} of its history cannot be read, after a power cut or a full disk");
        let mend = format!("nothing is to be done; `tinyfarm boards history {name}` shows the rest");
        Finding::note(Some(name), what, Some(mend))
    });
    std::iter::once(state).chain(damaged).collect()
}

/// Commands that would not start.
fn hooks(board: &Definition) -> Vec<Finding> {
    let reset = match &board.reset {
        Some(Reset::Command(hook)) => Some(hook),
        _ => None,
    };
    let hooks = [("[power] cycle", board.power_cycle.as_ref()), ("reset", reset), ("flash", board.flash.as_ref())];
    let missing = hooks.into_iter().filter_map(|(key, hook)| Some((key, absent_program(hook?)?)));
    let wrong = missing.map(|(key, program)| {
        let mend = format!("install it, or correct `{key}` in the board's definition");
        Finding::wrong(Some(&board.name), format!("the program `{program}` of `{key}` is not there"), mend)
    });
    wrong.collect()
}

/// The program of a command, if it is nowhere.
fn absent_program(hook: &Hook) -> Option<&str> {
    let program = hook.command.first()?;
    let is_there = if program.contains('/') {
        hook.folder.join(program).is_file()
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder: std::path::PathBuf| Path::new(&folder).join(program).is_file())
    };
    (!is_there).then_some(program)
}
