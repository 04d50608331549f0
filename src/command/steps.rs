//! `tinyfarm steps`: the vocabulary that features may use.

use crate::cli::StepsArgs;
use std::io::Write as _;

/// Prints the catalogue.
pub fn run(arguments: &StepsArgs) -> miette::Result<u8> {
    let text = if arguments.markdown { steps::catalogue::markdown() } else { steps::catalogue::text() };
    // A pager that was closed early is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}
