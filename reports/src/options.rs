//! Which reporters a run wants, and setting them up.

use crate::{
    Console, Documents, GitHub, ReportError, ReportFolder, Reporter, Screen, documents,
    json::{self, EvidenceLines, ReportJson},
    junit::{self, JUnit},
    lines::EventLines,
    messages::{self, Messages},
};
use std::{fmt, io, path::PathBuf, str::FromStr};

/// How the run is told on standard output (`--format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Live on a terminal, plain elsewhere.
    #[default]
    Auto,
    /// With progress bars that are redrawn.
    Live,
    /// A line for each job and scenario.
    Plain,
    /// Each event as a line of JSON, and nothing else.
    Json,
    /// Plain lines, and annotations for GitHub Actions at the end.
    GitHub,
}

impl Format {
    /// All of them, with what they mean: for the program's help.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Auto, "live on a terminal, plain elsewhere"),
        (Self::Live, "progress bars, and a line for each scenario"),
        (Self::Plain, "a line for each job and each scenario"),
        (Self::Json, "each event as a line of JSON"),
        (Self::GitHub, "plain lines, and annotations for GitHub Actions"),
    ];

    /// The word for it on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Live => "live",
            Self::Plain => "plain",
            Self::Json => "json",
            Self::GitHub => "github",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A format that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{wanted}`: {mend}")]
pub struct UnknownFormat {
    /// What was asked for.
    pub wanted: String,
    /// What may have been meant.
    pub mend: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.iter().map(|(format, _)| *format).find(|format| format.word() == text).ok_or_else(|| UnknownFormat {
            wanted: text.to_owned(),
            mend: farm::suggest::mend(text, Self::ALL.iter().map(|(format, _)| format.word())),
        })
    }
}

/// What to report, and where.
#[derive(Debug, Clone, Default)]
pub struct ReportOptions {
    /// The folder for the report's files; `None`: none are written.
    pub dir: Option<PathBuf>,
    /// How standard output is used.
    pub format: Format,
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
    /// 0: scenarios and jobs; 1 and more: attempts, criteria and preparation as well.
    pub verbosity: u8,
    /// What the live console and the log share, so that neither writes into the other.
    pub screen: Screen,
}

/// The reporters that `options` ask for, in the order in which [`crate::collect()`] wants them. Creates the report folder
/// and sees that it can be written, so that this is known before anything runs; the files of an earlier run in it stay
/// until this one starts.
///
/// # Errors
/// [`ReportError`] where the folder cannot be made, written, or is in use by another run.
pub fn reporters(options: &ReportOptions) -> Result<Vec<Box<dyn Reporter>>, ReportError> {
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    let mut files = Vec::new();
    if let Some(dir) = &options.dir {
        let folder = ReportFolder::create(dir)?;
        let names = [junit::FILE, json::REPORT_FILE, json::EVIDENCE_FILE, messages::FILE];
        let names = names.into_iter().chain(documents::files());
        files = names.map(|name| dir.join(name)).collect();
        reporters.push(Box::new(JUnit::new(&folder)));
        reporters.push(Box::new(EvidenceLines::new(&folder)));
        reporters.push(Box::new(ReportJson::new(&folder)));
        reporters.push(Box::new(Messages::new(&folder)));
        reporters.push(Box::new(Documents::new(&folder)));
    }
    let live = match options.format {
        Format::Json => {
            reporters.push(Box::new(EventLines::new(Box::new(io::stdout()))));
            return Ok(reporters);
        }
        Format::GitHub => {
            let console = |out| Console::new(out, false, options.verbosity).listing(files);
            reporters.push(Box::new(GitHub::new(Box::new(io::stdout()), console)));
            return Ok(reporters);
        }
        Format::Auto => options.is_terminal,
        Format::Live => true,
        Format::Plain => false,
    };
    let colour = options.is_terminal && colour_wanted();
    let mut console = Console::new(Box::new(io::stdout()), colour, options.verbosity).listing(files);
    if live {
        console = console.live(&options.screen);
    }
    reporters.push(Box::new(console));
    Ok(reporters)
}

/// Whether the environment leaves colours on: <https://no-color.org>, and terminals that know none.
pub fn colour_wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}
