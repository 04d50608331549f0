//! What tinyfarm tells people and machines. Every reporter consumes the farm's one stream of events and nothing else;
//! [`collect()`] hands each event to all of them, and a reporter that fails stops neither the run nor the others.
//!
//! | module | what lives there |
//! |---|---|
//! | [`reporter`] | the contract of a reporter, and how one fails |
//! | `account` | all that the run told so far, kept once for all reporters |
//! | [`collect`](mod@collect) | the loop that hands events out, and what it ends with |
//! | [`options`] | which reporters a run wants |
//! | [`folder`] | the report folder: files that are whole at every moment |
//! | [`tally`] | scenarios counted by verdict |
//! | [`console`] | for people: live on a terminal, plain lines elsewhere |
//! | [`documents`] | files that are written as a whole when the run has ended: HTML, Markdown, CSV and others |
//! | [`markdown`] | the text for merge requests, and what others need to write such text |
//! | [`lines`] | for programs on the other end of a pipe: each event as a line of JSON |
//! | [`github`] | plain lines, and annotations for GitHub Actions |
//! | [`junit`] | `junit.xml`, for CI |
//! | [`messages`] | `messages.ndjson`: Cucumber Messages, for the Cucumber ecosystem's own tools |
//! | [`json`] | `report.json` and `evidence.jsonl`, with a published schema |
//! | [`refused`] | a run that did not begin, because its features are wrong |
//! | [`text`] | numbers and untrusted text as people read them |

pub mod collect;
pub mod console;
pub mod documents;
pub mod folder;
pub mod github;
pub mod json;
pub mod junit;
pub mod lines;
pub mod markdown;
pub mod messages;
pub mod options;
pub mod refused;
pub mod reporter;
pub mod tally;
pub mod text;

mod account;
mod describe;
mod eembc;
mod figures;
mod html;
mod quality;
mod table;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod script;

pub use account::Account;
pub use collect::{ReportFailure, ReportOutcome, collect};
pub use console::{Console, Screen, Table};
pub use documents::Documents;
pub use folder::ReportFolder;
pub use github::GitHub;
pub use options::{Format, ReportOptions, UnknownFormat, colour_wanted, reporters};
pub use reporter::{ReportError, Reporter};
pub use tally::Tally;
