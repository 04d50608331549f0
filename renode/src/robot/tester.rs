//! A terminal tester: waits for what a UART says, in virtual time.

use std::time::Duration;

use super::{Machine, Robot, RobotError, Then, Value, argument};

/// How a [`TerminalTester`] works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TesterOptions {
    /// How long it waits, in virtual time of whole microseconds. 8 s at first.
    pub timeout: Duration,
    /// Whether it waits for bytes; otherwise for lines of text.
    pub binary: bool,
    /// Whether the emulation is paused when what is waited for has come, or has not. At first it is; otherwise the
    /// emulation goes on after a wait.
    pub pause: bool,
}

impl Default for TesterOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(8), binary: false, pause: true }
    }
}

/// A line that was waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The line. Renode leaves out bytes that are not ASCII, and terminal escapes.
    pub text: String,
    /// When it came, in virtual time; in steps of the quantum where the CPU sleeps.
    pub timestamp: Duration,
    /// The groups of the regular expression.
    pub groups: Vec<String>,
}

/// Bytes that were waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BytesMatch {
    /// What matched.
    pub content: Vec<u8>,
    /// The groups of the regular expression.
    pub groups: Vec<Vec<u8>>,
}

/// A terminal tester on one UART.
///
/// A wait starts the emulation where it is not started. There is one tester for a UART: another on the same UART shares
/// what was read, and its mode (`binary`) is that of the first. After [`Robot::clear`](super::Robot::clear) it is gone, and
/// its number may be another's: make a new one.
///
/// A wait runs to its end even when its future is dropped.
#[derive(Clone, Debug)]
pub struct TerminalTester {
    robot: Robot,
    id: String,
    options: TesterOptions,
}

impl TerminalTester {
    pub(super) async fn create(machine: &Machine, uart: &str, options: TesterOptions) -> Result<Self, RobotError> {
        let timeout = argument::seconds(options.timeout)?;
        let mut named = vec![("timeout", timeout.as_str()), ("machine", machine.name())];
        if options.pause {
            named.push(("defaultPauseEmulation", "true"));
        }
        if options.binary {
            named.push(("binaryMode", "true"));
        }
        let robot = machine.robot().clone();
        let keyword = "CreateTerminalTester";
        let id = robot.keyword(keyword, &[uart], &named).await?;
        let id = id.as_i32().ok_or_else(|| unexpected(keyword, &id))?;
        Ok(Self { robot, id: id.to_string(), options })
    }

    /// Waits for a line, ended, that contains a text or matches a regular expression of .NET. Lines that came before
    /// and were not matched yet count.
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_line(&self, pattern: &str, regex: bool) -> Result<Line, RobotError> {
        self.wait_for_line_within(pattern, regex, self.options.timeout).await
    }

    /// As [`wait_for_line`](Self::wait_for_line), with a virtual time of its own.
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_line_within(
        &self,
        pattern: &str,
        regex: bool,
        timeout: Duration,
    ) -> Result<Line, RobotError> {
        self.wait("WaitForLineOnUart", Some(pattern), regex, timeout).await.and_then(|value| line(&value))
    }

    /// Waits for a text in a line that need not be ended, such as a prompt.
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_prompt(&self, pattern: &str, regex: bool) -> Result<Line, RobotError> {
        let timeout = self.options.timeout;
        self.wait("WaitForPromptOnUart", Some(pattern), regex, timeout).await.and_then(|value| line(&value))
    }

    /// Waits for the next line, whatever it is.
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_next_line(&self) -> Result<Line, RobotError> {
        self.wait("WaitForNextLineOnUart", None, false, self.options.timeout).await.and_then(|value| line(&value))
    }

    /// Waits for bytes. Only with [`TesterOptions::binary`].
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, RobotError> {
        use std::fmt::Write as _;
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        self.wait_for_bytes_as(&hex, false, self.options.timeout).await.map(|found| found.content)
    }

    /// Waits for bytes that match a regular expression of .NET, in which `\xNN` is a byte. Only with
    /// [`TesterOptions::binary`].
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_bytes_matching(&self, regex: &str) -> Result<BytesMatch, RobotError> {
        self.wait_for_bytes_as(regex, true, self.options.timeout).await
    }

    /// As the other two, with a virtual time of its own: bytes in hexadecimal, or a regular expression.
    ///
    /// # Errors
    /// [`RobotError::Timeout`].
    pub async fn wait_for_bytes_as(
        &self,
        pattern: &str,
        regex: bool,
        timeout: Duration,
    ) -> Result<BytesMatch, RobotError> {
        let keyword = "WaitForBytesOnUart";
        let value = self.wait(keyword, Some(pattern), regex, timeout).await?;
        let content = value.get("Content").and_then(Value::as_bytes).map(<[u8]>::to_vec);
        let groups = value.get("Groups").and_then(Value::as_array).map(|groups| {
            groups.iter().map(|group| group.as_bytes().map(<[u8]>::to_vec).unwrap_or_default()).collect()
        });
        match (content, groups) {
            (Some(content), Some(groups)) => Ok(BytesMatch { content, groups }),
            _ => Err(unexpected(keyword, &value)),
        }
    }

    /// Gives bytes to the UART. Printable ASCII goes in one call, anything else in a call for each byte.
    ///
    /// # Errors
    /// Those of a keyword.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), RobotError> {
        let id = [("testerId", self.id.as_str())];
        if bytes.len() > 1
            && let Some(text) = plain(bytes)
        {
            return self.robot.keyword("WriteToUart", &[text], &id).await.map(drop);
        }
        for byte in bytes {
            self.robot.keyword("SendKeyToUart", &[&byte.to_string()], &id).await?;
        }
        Ok(())
    }

    /// Gives a line of ASCII and a carriage return to the UART. It does not wait for an echo.
    ///
    /// # Errors
    /// [`RobotError::UnsafeArgument`] for other characters, which Renode would cut to one byte each; see
    /// [`write`](Self::write).
    pub async fn write_line(&self, text: &str) -> Result<(), RobotError> {
        if let Some(text) = plain(text.as_bytes()) {
            let named = [("waitForEcho", "false"), ("testerId", self.id.as_str())];
            return self.robot.keyword("WriteLineToUart", &[text], &named).await.map(drop);
        }
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            let reason = "a line is printable ASCII; write bytes instead";
            return Err(RobotError::UnsafeArgument { text: text.to_owned(), reason });
        }
        self.write(&[text.as_bytes(), b"\r"].concat()).await
    }

    /// What the tester saw so far, with real and virtual times.
    ///
    /// # Errors
    /// Those of a keyword.
    pub async fn report(&self) -> Result<String, RobotError> {
        let value = self.robot.keyword("GetTerminalTesterReport", &[], &[("testerId", &self.id)]).await?;
        super::text_of("GetTerminalTesterReport", value)
    }

    async fn wait(
        &self,
        keyword: &str,
        pattern: Option<&str>,
        regex: bool,
        timeout: Duration,
    ) -> Result<Value, RobotError> {
        let seconds = argument::seconds(timeout)?;
        let mut named = vec![("timeout", seconds.as_str()), ("testerId", self.id.as_str())];
        if regex {
            named.push(("treatAsRegex", "true"));
        }
        {
            let mut state = self.robot.state();
            state.ran_freely = true;
            if state.pause != self.options.pause {
                named.push(("pauseEmulation", if self.options.pause { "true" } else { "false" }));
            }
        }
        // A wait that fails leaves the emulation started, which `RunFor` refuses.
        let then: Option<Then<'_>> = self.options.pause.then_some((is_failure, "pause"));
        let result = self.robot.keyword_then(keyword, pattern.as_slice(), &named, then).await;
        result.map_err(|error| match error {
            RobotError::Keyword { message, .. } if message.contains(FAILED) && message.contains("Full report:") => {
                let report =
                    message.split_once("Full report:").map_or("", |(_, report)| report.trim_start_matches('\n'));
                let waited_for = pattern.unwrap_or("a line").to_owned();
                RobotError::Timeout { waited_for, timeout, report: report.to_owned() }
            }
            other => other,
        })
    }
}

/// How Renode says that a wait failed.
const FAILED: &str = "Terminal tester failed!";

fn is_failure(answer: &[u8]) -> bool {
    answer.windows(FAILED.len()).any(|window| window == FAILED.as_bytes())
}

/// Text that Renode passes to a UART byte by byte as it is. XML may lose text of blanks only.
fn plain(bytes: &[u8]) -> Option<&str> {
    let printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let visible = bytes.iter().any(|byte| *byte != b' ');
    if printable && visible { str::from_utf8(bytes).ok() } else { None }
}

fn line(value: &Value) -> Result<Line, RobotError> {
    let text = value.get("Line").and_then(Value::as_str);
    let timestamp = value.get("Timestamp").and_then(Value::as_f64).and_then(|milliseconds| {
        // Renode counts nanoseconds, and gives milliseconds.
        Duration::try_from_secs_f64(milliseconds / 1000.0).ok().map(|time| {
            let nanoseconds = (milliseconds * 1e6).round();
            if nanoseconds < 9e15 { Duration::from_nanos(nanoseconds as u64) } else { time }
        })
    });
    let groups = value.get("Groups").and_then(Value::as_array);
    match (text, timestamp, groups) {
        (Some(text), Some(timestamp), Some(groups)) => Ok(Line {
            text: text.to_owned(),
            timestamp,
            groups: groups.iter().map(|group| group.as_str().unwrap_or_default().to_owned()).collect(),
        }),
        _ => Err(unexpected("a wait for a line", value)),
    }
}

fn unexpected(keyword: &str, value: &Value) -> RobotError {
    RobotError::Protocol(format!("{keyword} returned {value:?}"))
}
