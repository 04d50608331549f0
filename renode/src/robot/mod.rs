//! The robot server: XML-RPC over HTTP, by which Robot Framework drives Renode, and the best way to give commands.
//!
//! As seen with Renode 1.16.1. Each call of [`Robot`] is one *keyword*; [`Robot::execute`] gives any command of the
//! monitor. What is printed by a command also goes to whoever listens to the monitor, and the selected machine is the
//! same for both.
//!
//! The server serves one call at a time. A call that was sent runs to its end, even when the future of its caller is
//! dropped, and the next call waits for it; one that was not sent yet is forgotten. There is no timeout in real time:
//! wrap a call in `tokio::time::timeout` for one. After a command that never returns (`cpu Step` while the emulation is
//! not started) nothing is answered any more.
//!
//! | type | what it is |
//! |---|---|
//! | [`Robot`] | the server: commands, keywords, time |
//! | [`Machine`] | one machine: platform, files, memory, CPU, UART input |
//! | [`TerminalTester`] | waits for what a UART says |

mod argument;
mod emulation;
mod error;
mod http;
mod machine;
mod tester;
mod value;
mod xmlrpc;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

pub use error::RobotError;
pub use machine::Machine;
pub use tester::{BytesMatch, Line, TerminalTester, TesterOptions};
pub use value::Value;

use http::{After, Call};
use xmlrpc::Request;

/// A handle to the robot server. Clones share one connection, which a task owns and renews.
#[derive(Clone)]
pub struct Robot {
    address: SocketAddr,
    calls: mpsc::Sender<Call>,
    state: Arc<Mutex<State>>,
}

/// A command that must follow a keyword where its answer says so.
type Then<'a> = (fn(&[u8]) -> bool, &'a str);

/// What has to be remembered of Renode, because it cannot be asked.
#[derive(Default)]
struct State {
    /// Whether a waiting tester pauses where it does not say so: the options of the last tester hold for all.
    pause: bool,
    /// The quantum, where it was set by us.
    quantum: Option<Duration>,
    /// The emulation ran freely, so it may stand within a quantum.
    ran_freely: bool,
    /// The longest quantum that it may still stand in, where that is not the present one.
    rest: Duration,
}

impl std::fmt::Debug for Robot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Robot").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Robot {
    /// Connects to the robot server of a Renode. Must be called within a tokio runtime, which the connection lives in.
    ///
    /// # Errors
    /// [`RobotError::Io`] where nothing listens.
    pub async fn connect(address: SocketAddr) -> Result<Self, RobotError> {
        let calls = http::connect(address).await?;
        Ok(Self { address, calls, state: Arc::default() })
    }

    /// Gives a command of the monitor and returns its output, with `\n` as line ends and none at its end.
    ///
    /// Numbers are printed in hexadecimal until `numbersMode Decimal`. Of several commands with `;` between them the
    /// first that fails is the last.
    ///
    /// # Errors
    /// [`RobotError::Keyword`] where the command fails, [`RobotError::UnsafeArgument`] where it cannot be passed.
    pub async fn execute(&self, command: &str) -> Result<String, RobotError> {
        self.note_command(command);
        self.command(command, &[]).await
    }

    /// Runs a script (`.resc`) and returns its output as [`execute`](Self::execute) does. The path is one of Renode's
    /// file system; a relative one is not advised, for it depends on the folder that Renode was started in.
    ///
    /// # Errors
    /// [`RobotError::Keyword`] where the script is missing or a command in it fails.
    pub async fn execute_script(&self, path: &str) -> Result<String, RobotError> {
        let output = self.keyword("ExecuteScript", &[path], &[]).await?;
        text_of("ExecuteScript", output)
    }

    /// Evaluates a Python expression (IronPython; `self` is the monitor, `self.Machine` the selected machine).
    ///
    /// `byte[]` is returned as [`Value::Bytes`], `None` as [`Value::None`]. Not everything fits XML-RPC: a `ulong`, a
    /// `long`, a `dict` or a list with `None` fails after it was evaluated; return `str(...)` or `int(...)` of it.
    ///
    /// # Errors
    /// [`RobotError::Keyword`] for an exception, [`RobotError::Fault`] for a value that cannot be returned.
    pub async fn execute_python(&self, code: &str) -> Result<Value, RobotError> {
        self.keyword("ExecutePython", &[code], &[]).await
    }

    /// Runs a keyword, such as `WaitForLogEntry`. Arguments are texts, which Renode converts to what it needs.
    ///
    /// Renode takes a positional argument of the shape `name=value` for a named one. Where the keyword and its
    /// parameter are known it is passed under its name, otherwise it is refused.
    ///
    /// # Errors
    /// [`RobotError::Keyword`] where it fails, [`RobotError::Fault`] where there is no such keyword or its parameters
    /// are others, [`RobotError::UnsafeArgument`] where Renode would take an argument for something else.
    pub async fn keyword(&self, name: &str, positional: &[&str], named: &[(&str, &str)]) -> Result<Value, RobotError> {
        self.note_keyword(name, positional, named);
        self.keyword_then(name, positional, named, None).await
    }

    /// The names of all keywords.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn keywords(&self) -> Result<Vec<String>, RobotError> {
        let answer = self.request(&Request::Method("get_keyword_names"), None).await?;
        let names = answer.as_array().map(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        names.flatten().ok_or_else(|| RobotError::Protocol(format!("no list of names but {answer:?}")))
    }

    /// The version as Renode says it: `Renode, version 1.16.1 (...)`.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn version(&self) -> Result<String, RobotError> {
        self.command("version", &[]).await
    }

    /// Ends Renode. It answers, exits with status 0 within half a second and removes its temporary files.
    ///
    /// # Errors
    /// Those of the connection; [`RobotError::Closed`] where Renode was quicker than its answer.
    pub async fn stop_server(&self) -> Result<(), RobotError> {
        self.request(&Request::Method("stop_remote_server"), None).await.map(drop)
    }

    /// A command that is known not to change what is remembered of Renode.
    async fn command(&self, command: &str, named: &[(&str, &str)]) -> Result<String, RobotError> {
        let output = self.keyword_then("ExecuteCommand", &[command], named, None).await?;
        text_of(command, output)
    }

    /// A keyword, and the command that must follow it where its answer says so.
    async fn keyword_then(
        &self,
        name: &str,
        positional: &[&str],
        named: &[(&str, &str)],
        then: Option<Then<'_>>,
    ) -> Result<Value, RobotError> {
        argument::check_characters(name)?;
        let arguments = argument::arguments(name, positional, named)?;
        let after = match then {
            Some((when, command)) => {
                Some(After { when, body: Request::Keyword("ExecuteCommand", vec![command.to_owned()]).to_xml()? })
            }
            None => None,
        };
        let answer = self.request(&Request::Keyword(name, arguments), after).await?;
        xmlrpc::outcome(name, answer)
    }

    async fn request(&self, request: &Request<'_>, after: Option<After>) -> Result<Value, RobotError> {
        let what = request.describe();
        let closed = || RobotError::Closed { during: request.describe() };
        let (reply, answer) = oneshot::channel();
        let call = Call { body: request.to_xml()?, what, after, reply };
        self.calls.send(call).await.map_err(|_| closed())?;
        let body = answer.await.map_err(|_| closed())??;
        xmlrpc::answer(&body)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A keyword of the user may change what is remembered.
    fn note_keyword(&self, name: &str, positional: &[&str], named: &[(&str, &str)]) {
        match name {
            "ResetEmulation" => *self.state() = State::default(),
            "CreateTerminalTester" => self.state().pause = named.contains(&("defaultPauseEmulation", "true")),
            "ExecuteCommand" => {
                let named = named.iter().map(|(_, text)| text);
                positional.iter().chain(named).for_each(|command| self.note_command(command));
            }
            "ExecuteScript" | "Requires" => {
                let mut state = self.state();
                state.ran_freely = true;
                state.quantum = None;
            }
            // It waits for its echo, unless told otherwise.
            "WriteLineToUart" if named.contains(&("waitForEcho", "false")) => {}
            "StartEmulation" | "HandleHotSpot" | "ShouldNotBeOnUart" | "ShouldNotBeInLog" | "TestIfUartIsIdle"
            | "RunUntilBreakpoint" | "WriteLineToUart" => {
                self.state().ran_freely = true;
            }
            _ if name.starts_with("WaitFor") || name.starts_with("Assert") => self.state().ran_freely = true,
            _ => {}
        }
    }

    /// A command of the user may change what is remembered.
    fn note_command(&self, command: &str) {
        let mut state = self.state();
        let words: Vec<&str> = command.split([' ', ';', '\n', '\t']).filter(|word| !word.is_empty()).collect();
        if command.contains("Quantum") {
            state.quantum = None;
            if state.ran_freely {
                // It may stand in a quantum of any length before.
                state.rest = Duration::MAX;
            }
        }
        let free = ["start", "s", "StartAll", "include", "i", "runMacro", "execute", "python", "py"];
        if words.iter().any(|word| free.contains(word)) {
            state.ran_freely = true;
        }
        if words.iter().any(|word| matches!(*word, "include" | "i" | "runMacro")) {
            state.quantum = None;
        }
        if words == ["Clear"] {
            *state = State::default();
        }
    }
}

/// The output of a command.
fn text_of(command: &str, output: Value) -> Result<String, RobotError> {
    match output {
        Value::Text(text) => Ok(text.trim_end_matches('\n').to_owned()),
        Value::None => Ok(String::new()),
        other => Err(RobotError::Protocol(format!("{command} printed {other:?}"))),
    }
}
