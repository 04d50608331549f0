//! `tinyfarm boards doctor`: what keeps boards from working, and the mend.

use super::{NOT_WELL, is_json, say_json, say_no_boards, some};
use crate::{
    cli::{Show, SomeBoards},
    command::say,
    config::Config,
};
use boards::{
    bus,
    doctor::{Bench, Finding, Severity},
};
use reports::text::count;
use std::path::Path;

/// Looks at this machine, then at each board, and prints what it finds as it finds it.
pub async fn run(config: &Config, bench: &Bench, arguments: &SomeBoards) -> miette::Result<u8> {
    let boards = some(bench, &arguments.names)?;
    let environment = bus::environment(Path::new("/"));
    let mut wrong = tell(&bench.examine_host(&environment), arguments.format)?;
    for board in &boards {
        let seen = bench.look_at(board);
        wrong += tell(&bench.examine(&seen), arguments.format)?;
        wrong += tell(&bench.touch(&seen).await, arguments.format)?;
    }
    if !is_json(arguments.format) {
        if boards.is_empty() {
            say_no_boards(config)?;
        }
        match wrong {
            0 => say("all is well")?,
            some => say(format_args!("{} wrong", count(some, "thing")))?,
        }
    }
    Ok(if wrong == 0 { 0 } else { NOT_WELL })
}

/// Prints findings, and counts those that are wrong.
fn tell(findings: &[Finding], show: Show) -> miette::Result<usize> {
    for finding in findings {
        if is_json(show) { say_json(finding)? } else { say(finding)? }
    }
    Ok(findings.iter().filter(|finding| finding.severity == Severity::Wrong).count())
}
