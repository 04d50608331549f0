//! `tinyfarm boards list`: every board, and what is attached besides.

use super::{is_json, say_json, say_no_boards};
use crate::{cli::Show, command::say, config::Config};
use boards::{
    bus::Attached,
    definition::Definitions,
    doctor::{Bench, Past, Presence, Seen, Survey},
    health::{State, Tally},
    lease::Holder,
};
use miette::IntoDiagnostic as _;
use reports::Table;
use serde::Serialize;
use std::path::Path;

/// Prints a row for each board, and for each probe that no definition names the lines that would.
pub fn run(config: &Config, bench: &Bench, show: Show) -> miette::Result<u8> {
    let survey = bench.survey().into_diagnostic()?;
    if is_json(show) {
        say_json(&Listed::of(&survey))?;
        return Ok(0);
    }
    if survey.boards.is_empty() {
        say_no_boards(config)?;
    } else {
        say(table(&survey.boards))?;
    }
    let here = std::env::current_dir().unwrap_or_default();
    let folder = config.boards.folders.first().map_or(Path::new("boards"), |folder| folder);
    for stranger in &survey.strangers {
        let lines = invitation(stranger, &bench.definitions, folder.strip_prefix(&here).unwrap_or(folder));
        say(format_args!("\n{lines}"))?;
    }
    Ok(0)
}

/// The boards, a row each.
fn table(boards: &[Seen]) -> String {
    let heads = ["BOARD", "KIND", "PROBE OR PORT", "THERE", "HELD BY", "HEALTH", "JOBS SERVED"];
    let right = |head| head == "JOBS SERVED";
    let mut table = Table::new(&heads.map(|head| (head, right(head))));
    for board in boards {
        table.row(row(board));
    }
    let (head, rows) = table.lines(|_, _, cell| cell.to_owned());
    std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
}

fn row(board: &Seen) -> Vec<String> {
    let definition = &board.definition;
    let simulated = if definition.is_simulated() { " (simulated)" } else { "" };
    let kind = format!("{}{simulated}", definition.kind.as_ref().unwrap_or(&definition.chip));
    let there = match &board.presence {
        Presence::Attached(attached) => attached.place.clone(),
        Presence::Port { device } => device.display().to_string(),
        Presence::Startable => "starts when wanted".to_owned(),
        Presence::Missing { .. } => "no".to_owned(),
    };
    let holder = board.held_by.as_ref().map_or("-".to_owned(), ToString::to_string);
    let (health, served) = match &board.health {
        Some(Ok(Past { state, tally, .. })) => (state.to_string(), (tally.served + tally.model_failed).to_string()),
        Some(Err(error)) => (error.clone(), "-".to_owned()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    vec![definition.name.clone(), kind, wire(board), there, holder, health, served]
}

/// What the farm reaches the board by.
fn wire(board: &Seen) -> String {
    match &board.presence {
        Presence::Startable => "-".to_owned(),
        _ => board.definition.probe.clone().unwrap_or_else(|| board.identity.clone()),
    }
}

/// The lines of a definition for what is attached.
fn invitation(attached: &Attached, definitions: &Definitions, folder: &Path) -> String {
    let probe = attached.serial.as_ref().unwrap_or(&attached.selector);
    let all = || definitions.kinds.iter().chain(&definitions.boards);
    let simulated = attached.name.strip_prefix("simulated ");
    let played = all().find(|definition| simulated.is_some() && definition.simulated.as_deref() == simulated);
    let kind = match played {
        Some(definition) => format!("kind = \"{}\"", definition.kind.as_ref().unwrap_or(&definition.name)),
        None => {
            "kind = \"nucleo-l4r5zi\"  # or another that is shipped; or chip = \"…\", as probe-rs calls it".to_owned()
        }
    };
    let file = folder.join("NAME.toml");
    let port = attached.uart.as_ref().map_or(String::new(), |port| {
        format!("\n  # for a link over its serial port: link = \"serial\", serial.path = \"{}\"", port.display())
    });
    format!(
        "{attached} is in no definition; to have it as the board NAME, write {}:\n  {kind}\n  probe = \"{probe}\"\n  tags = []{port}",
        file.display()
    )
}

/// What a program reads.
#[derive(Serialize)]
struct Listed<'a> {
    boards: Vec<ListedBoard<'a>>,
    /// What is attached and in no definition.
    strangers: &'a [Attached],
}

#[derive(Serialize)]
struct ListedBoard<'a> {
    name: &'a str,
    kind: Option<&'a str>,
    chip: &'a str,
    probe: Option<&'a str>,
    identity: &'a str,
    tags: &'a [String],
    simulated: bool,
    there: &'a Presence,
    held_by: Option<&'a Holder>,
    health: Option<&'a State>,
    counts: Option<&'a Tally>,
    error: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn of(survey: &'a Survey) -> Self {
        let board = |board: &'a Seen| {
            let past = board.health.as_ref().and_then(|health| health.as_ref().ok());
            ListedBoard {
                name: &board.definition.name,
                kind: board.definition.kind.as_deref(),
                chip: &board.definition.chip,
                probe: board.definition.probe.as_deref(),
                identity: &board.identity,
                tags: &board.definition.tags,
                simulated: board.definition.is_simulated(),
                there: &board.presence,
                held_by: board.held_by.as_ref(),
                health: past.map(|past| &past.state),
                counts: past.map(|past| &past.tally),
                error: board.health.as_ref().and_then(|health| health.as_ref().err()).map(String::as_str),
            }
        };
        Self { boards: survey.boards.iter().map(board).collect(), strangers: &survey.strangers }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn attached(name: &str, serial: &str, place: &str, simulated: bool) -> Attached {
        let selector = format!("0483:374b:{serial}");
        let (name, place, serial) = (name.to_owned(), place.to_owned(), Some(serial.to_owned()));
        Attached { serial, selector, name, place, simulated, uart: None }
    }

    fn seen(name: &str, presence: Presence, state: State, held_by: Option<Holder>) -> Seen {
        let kinds = Definitions::load(&[]).unwrap().kinds;
        let mut definition = kinds.into_iter().find(|kind| kind.name == "nucleo-l4r5zi").unwrap();
        (definition.name, definition.kind) = (name.to_owned(), Some("nucleo-l4r5zi".to_owned()));
        definition.probe = Some("066BFF31".to_owned());
        let tally = Tally { served: 12, model_failed: 1, infra: 2, ..Tally::default() };
        let health = Some(Ok(Past { state, tally, damaged: 0 }));
        Seen { definition, identity: "066BFF31".to_owned(), presence, held_by, health }
    }

    #[test]
    fn a_row_tells_all_that_is_known_of_a_board() {
        let there = Presence::Attached(attached("STLink V2-1", "066BFF31", "USB 1-4.2", false));
        let gone = Presence::Missing { reason: "no probe".to_owned() };
        let (user, command) = ("ann".to_owned(), "/usr/bin/tinyfarm run".to_owned());
        let holder = Holder { pid: 4711, user, command, run: None, since: None };
        let suspect = State::Suspect { infra: 2, reason: "SWD fault".to_owned() };
        let boards = [seen("nucleo-1", there, suspect, Some(holder)), seen("nucleo-two", gone, State::Healthy, None)];
        insta::assert_snapshot!(table(&boards), @r"
        BOARD       KIND           PROBE OR PORT  THERE      HELD BY                           HEALTH                                            JOBS SERVED
        nucleo-1    nucleo-l4r5zi  066BFF31       USB 1-4.2  ann, process 4711 (tinyfarm run)  suspect after 2 infra faults in a row: SWD fault           13
        nucleo-two  nucleo-l4r5zi  066BFF31       no         -                                 healthy                                                    13
        ");
    }

    #[test]
    fn what_is_in_no_definition_comes_with_three_lines_to_paste() {
        let definitions = Definitions::load(&[]).unwrap();
        let lines = [
            invitation(&attached("STLink V2-1", "066BFF31", "USB 1-4.2", false), &definitions, Path::new("boards")),
            invitation(
                &attached("simulated netduinoplus2", "SIM-1", "port-1", true),
                &definitions,
                Path::new("boards"),
            ),
        ];
        insta::assert_snapshot!(lines.join("\n\n"), @r#"
        STLink V2-1 0483:374b:066BFF31 at USB 1-4.2 is in no definition; to have it as the board NAME, write boards/NAME.toml:
          kind = "nucleo-l4r5zi"  # or another that is shipped; or chip = "…", as probe-rs calls it
          probe = "066BFF31"
          tags = []

        simulated netduinoplus2 SIM-1 at place port-1 is in no definition; to have it as the board NAME, write boards/NAME.toml:
          kind = "sim-netduinoplus2"
          probe = "SIM-1"
          tags = []
        "#);
    }
}
