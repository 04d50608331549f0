//! What is wrong with feature files, with the place and a mend.

use crate::{phrase::PhraseError, source::SourceFile};
use farm::text::{escape, mask};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::{borrow::Cow, fmt, ops::Range, path::Path, sync::Arc};

/// One thing that is wrong with the features.
#[derive(Debug, Clone)]
pub struct PlanError {
    /// A lower-case fragment.
    pub message: String,
    /// The feature file, as given; empty where it is about none.
    pub path: String,
    /// Line from 1; 0 where it is about the whole file.
    pub line: usize,
    /// Column from 1, in characters; 0 where it is about the whole file.
    pub column: usize,
    /// How to mend it.
    pub help: Option<String>,
    label: Option<String>,
    place: Option<(NamedSource<Arc<str>>, Range<usize>)>,
}

impl PlanError {
    /// An error with no place.
    pub(crate) fn bare(message: impl Into<String>) -> Self {
        Self {
            message: safe(&message.into()),
            path: String::new(),
            line: 0,
            column: 0,
            help: None,
            label: None,
            place: None,
        }
    }

    /// About a whole file or folder.
    pub(crate) fn in_file(mut self, path: &Path) -> Self {
        self.path = path.display().to_string();
        self
    }

    /// With a mend.
    pub(crate) fn helped(mut self, help: impl Into<String>) -> Self {
        self.help = Some(safe(&help.into()));
        self
    }

    /// With a word at the place itself.
    pub(crate) fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = Some(safe(&label.into()));
        self
    }

    /// At `range` of `file`.
    pub(crate) fn at(mut self, file: &SourceFile, range: Range<usize>) -> Self {
        (self.line, self.column) = file.position(range.start);
        let path = file.path.display().to_string();
        let text = match mask(&file.text) {
            Cow::Borrowed(_) => Arc::clone(&file.text),
            Cow::Owned(masked) => masked.into(),
        };
        self.place = Some((NamedSource::new(escape(&path), text), range));
        self.path = path;
        self
    }

    /// What is wrong with a step's words.
    pub(crate) fn phrase(error: PhraseError) -> Self {
        let bare = Self::bare(error.message);
        match error.help {
            Some(help) => bare.helped(help),
            None => bare,
        }
    }

    /// What makes it the same complaint as another: a background's step is checked once for each scenario.
    pub(crate) fn key(&self) -> (&str, usize, usize, &str) {
        (&self.path, self.line, self.column, &self.message)
    }
}

/// Text that does nothing to a terminal or a log; its lines stay.
fn safe(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PlanError {}

impl Diagnostic for PlanError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, range) = self.place.as_ref()?;
        let label = self.label.clone().or_else(|| Some("here".to_owned()));
        Some(Box::new(std::iter::once(LabeledSpan::new(label, range.start, range.len()))))
    }
}

/// Everything that is wrong with the features; never empty. Nothing was run.
#[derive(Debug, Clone)]
pub struct PlanErrors(pub Vec<PlanError>);

impl PlanErrors {
    /// All errors as text for people, each with its lines of the feature file, `width` columns wide.
    pub fn render(&self, width: usize, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(width).with_context_lines(1).with_links(false);
        let mut text = String::new();
        for error in &self.0 {
            // Writing to a string cannot fail; a report that could not be drawn still says what is wrong.
            if handler.render_report(&mut text, error).is_err() {
                text.push_str(&error.message);
                text.push('\n');
            }
        }
        text
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            match (error.path.as_str(), error.line) {
                ("", _) => write!(f, "{separator}{error}")?,
                (path, 0) => write!(f, "{separator}{}: {error}", escape(path))?,
                (path, line) => write!(f, "{separator}{}:{line}:{}: {error}", escape(path), error.column)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for PlanErrors {}
