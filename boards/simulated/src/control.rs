//! Commands for a simulated board: one line of JSON in, one out, over the socket `<place>.control`. They stand for what
//! is done to a real board by hand, or by a switchable hub.

use crate::{
    bench::{Bench, check_name},
    faults::{Fault, FaultError, PlannedFault},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};

/// How long an answer is waited for: a power cycle starts an emulator.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of the longest line.
pub const LINE_MAX: u64 = 64 * 1024;

/// What can be commanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Plan a fault: it is shown so often, and then is gone.
    Fault {
        /// Which.
        fault: Fault,
        /// How often.
        #[serde(default = "once")]
        times: u32,
    },
    /// Switch the power off and on again.
    PowerCycle,
    /// Exchange places with the board at another place of the bench.
    Swap {
        /// Where the other stands.
        with: String,
    },
    /// Take it off the bus.
    Unplug,
    /// Put it back.
    Plug,
    /// Tell how it is.
    Status,
    /// Move to another place, which is free. Half of a swap, sent by a board that holds the folder's lock meanwhile.
    Move {
        /// Where to.
        to: String,
    },
}

fn once() -> u32 {
    1
}

/// Words that are no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such command.
    #[error("there is no command `{0}`; there are fault, power-cycle, swap, unplug, plug, status")]
    Unknown(String),
    /// It lacks a word, or has one too many.
    #[error("write it like `{0}`")]
    Usage(&'static str),
    /// The fault is none.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

impl Command {
    /// Reads a command as it is written on a command line: `fault hang=3`, `swap port-2`, `power-cycle`.
    ///
    /// # Errors
    /// [`CommandError`], with the mend.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, CommandError> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        match *words {
            ["fault", fault] => {
                let PlannedFault { fault, times } = fault.parse()?;
                Ok(Self::Fault { fault, times })
            }
            ["swap", with] => Ok(Self::Swap { with: with.to_owned() }),
            ["power-cycle"] => Ok(Self::PowerCycle),
            ["unplug"] => Ok(Self::Unplug),
            ["plug"] => Ok(Self::Plug),
            ["status"] => Ok(Self::Status),
            ["fault", ..] => Err(CommandError::Usage("fault WORD[=TIMES]")),
            ["swap", ..] => Err(CommandError::Usage("swap PLACE")),
            ["power-cycle", ..] => Err(CommandError::Usage("power-cycle")),
            ["unplug", ..] => Err(CommandError::Usage("unplug")),
            ["plug", ..] => Err(CommandError::Usage("plug")),
            ["status", ..] => Err(CommandError::Usage("status")),
            [unknown, ..] => Err(CommandError::Unknown(unknown.to_owned())),
            [] => Err(CommandError::Unknown(String::new())),
        }
    }
}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        Self::parse(&text.split_whitespace().collect::<Vec<_>>())
    }
}

/// How a board is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its serial number.
    pub serial: String,
    /// The machine it simulates.
    pub machine: String,
    /// Where it stands.
    pub place: String,
    /// Whether it is on the bus.
    pub plugged: bool,
    /// Whether a debugger has its probe.
    pub in_use: bool,
    /// Faults still to be shown, and how often.
    pub faults: BTreeMap<Fault, u32>,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is done, and this is how the board is now.
    Done(Status),
    /// It is not done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Why a command had no effect that is known of.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no board.
    #[error("no simulated board stands at {place} of the bench {}; `tinyfarm sim-board --place {place}` starts one", bench.display())]
    Nobody {
        /// Where.
        place: String,
        /// Of which bench.
        bench: PathBuf,
    },
    /// It did not answer.
    #[error("the simulated board at {place} does not answer: {source}")]
    Silent {
        /// Where.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It will not, or cannot.
    #[error("{0}")]
    Refused(String),
}

/// Sends a command to the board at a place, and waits for the answer; a minute at most.
///
/// # Errors
/// [`ControlError`] where there is no board, or it does not answer or does not do it.
pub async fn send(bench: &Bench, place: &str, command: &Command) -> Result<Status, ControlError> {
    check_name(place, "place").map_err(|error| ControlError::Refused(error.to_string()))?;
    let silent = |source| ControlError::Silent { place: place.to_owned(), source };
    let stream = UnixStream::connect(bench.control(place)).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            ControlError::Nobody { place: place.to_owned(), bench: bench.folder().to_owned() }
        }
        _ => silent(error),
    })?;
    let answer = timeout(PATIENCE, exchange(stream, command)).await;
    match answer.unwrap_or_else(|late| Err(late.into())).map_err(silent)? {
        Answer::Done(status) => Ok(status),
        Answer::Refused { reason } => Err(ControlError::Refused(reason)),
    }
}

async fn exchange(mut stream: UnixStream, command: &Command) -> io::Result<Answer> {
    stream.write_all(&line(command)).await?;
    let mut answer = String::new();
    BufReader::new(stream.take(LINE_MAX)).read_line(&mut answer).await?;
    if answer.is_empty() {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "it hung up"));
    }
    Ok(serde_json::from_str(&answer)?)
}

/// As a line of JSON.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    // Writing to memory does not fail, and these types have nothing that JSON has not.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_what_the_contract_says() {
        let json = |text| serde_json::from_str::<Command>(text).unwrap();
        assert_eq!(json(r#"{"command":"fault","fault":"hang","times":2}"#), "fault hang=2".parse().unwrap());
        assert_eq!(json(r#"{"command":"fault","fault":"hang"}"#), "fault hang".parse().unwrap());
        assert_eq!(json(r#"{"command":"power-cycle"}"#), "power-cycle".parse().unwrap());
        assert_eq!(json(r#"{"command":"swap","with":"place-2"}"#), "swap place-2".parse().unwrap());
        assert_eq!(json(r#"{"command":"unplug"}"#), "unplug".parse().unwrap());
        assert_eq!(json(r#"{"command":"plug"}"#), "plug".parse().unwrap());
        assert_eq!(json(r#"{"command":"status"}"#), "status".parse().unwrap());
    }

    #[test]
    fn what_is_no_command_is_told_with_the_mend() {
        let wrong = |text: &str| text.parse::<Command>().unwrap_err().to_string();
        assert!(wrong("powercycle").contains("power-cycle"));
        assert!(wrong("").contains("status"));
        assert_eq!(wrong("fault"), "write it like `fault WORD[=TIMES]`");
        assert_eq!(wrong("unplug now"), "write it like `unplug`");
        assert!(wrong("fault hanging").contains("hang,"));
        assert!(wrong("fault hang=0").contains("hang=3"));
    }

    fn any_command() -> impl Strategy<Value = Command> {
        let place = "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}";
        prop_oneof![
            (proptest::sample::select(Fault::ALL.to_vec()), 1..=u32::MAX)
                .prop_map(|(fault, times)| Command::Fault { fault, times }),
            place.prop_map(|with| Command::Swap { with }),
            Just(Command::PowerCycle),
            Just(Command::Unplug),
            Just(Command::Plug),
            Just(Command::Status),
            place.prop_map(|to| Command::Move { to }),
        ]
    }

    proptest! {
        #[test]
        fn a_command_survives_its_line(command in any_command()) {
            let line = line(&command);
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(serde_json::from_slice::<Command>(&line).unwrap(), command);
        }

        #[test]
        fn a_command_line_is_read_or_refused_and_never_a_panic(text in any::<String>()) {
            let _ = text.parse::<Command>();
            let _ = serde_json::from_str::<Command>(&text);
        }

        #[test]
        fn a_fault_and_its_count_survive_being_written(
            fault in proptest::sample::select(Fault::ALL.to_vec()), times in 1..=u32::MAX,
        ) {
            let planned = PlannedFault { fault, times };
            prop_assert_eq!(planned.to_string().parse(), Ok(planned));
            let command: Command = format!("fault {planned}").parse().unwrap();
            prop_assert_eq!(command, Command::Fault { fault, times });
        }
    }
}
