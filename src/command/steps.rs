//! `tinyfarm steps`: the vocabulary that features may use.

use crate::cli::StepsArgs;

/// Prints the catalogue.
pub fn run(arguments: &StepsArgs) -> miette::Result<u8> {
    let text = if arguments.markdown { steps::catalogue::markdown() } else { steps::catalogue::text() };
    super::say(text.trim_end())?;
    Ok(0)
}
