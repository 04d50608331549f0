//! What is wrong, and the mend.

use serde::Serialize;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It is as it should be.
    Fine,
    /// Worth knowing; it works all the same.
    Note,
    /// It keeps a board from working.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The board; `None`: this machine.
    pub board: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it; `None` where nothing is, or where `what` says it.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well with this.
    pub fn fine(board: Option<&str>, what: impl Into<String>) -> Self {
        Self { board: board.map(str::to_owned), severity: Severity::Fine, what: what.into(), mend: None }
    }

    /// Worth knowing.
    pub fn note(board: Option<&str>, what: impl Into<String>, mend: Option<String>) -> Self {
        Self { board: board.map(str::to_owned), severity: Severity::Note, what: what.into(), mend }
    }

    /// Wrong, with the mend.
    pub fn wrong(board: Option<&str>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        let mend = Some(mend.into());
        Self { board: board.map(str::to_owned), severity: Severity::Wrong, what: what.into(), mend }
    }

    /// Wrong, as an error says that tells the mend itself.
    pub fn error(board: Option<&str>, error: impl fmt::Display) -> Self {
        let (severity, what) = (Severity::Wrong, error.to_string());
        Self { board: board.map(str::to_owned), severity, what, mend: None }
    }
}

/// `WRONG  nucleo-1: the chip is another one`, with the mend in a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Fine => "fine ",
            Severity::Note => "note ",
            Severity::Wrong => "WRONG",
        };
        write!(f, "{word}  {}: {}", self.board.as_deref().unwrap_or("this machine"), self.what)?;
        match &self.mend {
            Some(mend) => write!(f, "\n       mend: {mend}"),
            None => Ok(()),
        }
    }
}
