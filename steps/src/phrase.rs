//! The words of one step, taken apart, and how to say what is wrong with them.

use farm::suggest;

/// Which cell of a step's table: row from 0 (the heading) and column from 0.
pub type Cell = (usize, usize);

/// What is wrong with a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PhraseError {
    /// A lower-case fragment.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// Where in the step's table; `None`: in its text.
    pub cell: Option<Cell>,
}

impl PhraseError {
    /// An error in the step's text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, cell: None }
    }

    /// With a mend.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// In a cell of the step's table.
    pub fn at(mut self, cell: Cell) -> Self {
        self.cell = Some(cell);
        self
    }

    /// `what` that nobody knows, with the nearest of what is known.
    pub(crate) fn unknown<'a>(kind: &str, what: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        Self::new(format!("unknown {kind} `{what}`")).help(suggest::mend(what, known))
    }
}

/// A step as its definition sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phrase<'a> {
    /// The pattern's parameters, in order.
    pub captures: &'a [&'a str],
    /// Below the step, without the line of the opening quotes.
    pub docstring: Option<&'a str>,
    /// Below the step, heading first.
    pub table: Option<&'a [Vec<String>]>,
}

impl<'a> Phrase<'a> {
    /// Parameter `index`; a pattern has as many as its definition reads.
    pub fn capture(&self, index: usize) -> &'a str {
        self.captures.get(index).copied().unwrap_or_default()
    }

    /// The table that the step needs.
    pub fn table(&self) -> Result<&'a [Vec<String>], PhraseError> {
        self.table.ok_or_else(|| PhraseError::new("a table is wanted below this step"))
    }
}
