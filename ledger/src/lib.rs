//! The history of runs: one SQLite file that keeps every run, job, attempt, verdict and figure, the events they came from,
//! and the baselines that were accepted. It sees nothing of a run but its events.
//!
//! | module | what lives there |
//! |---|---|
//! | [`error`] | why a ledger cannot be used, with the mend |
//! | `open` | opening, migrations, the locks that tell a run under way from one that was killed |
//! | [`rows`] | what is read back |
//! | `record` | a run's events taken in, a few at a time |
//! | `derive` | the rows that events amount to |
//! | `news` | events as they are kept |
//! | `runs` | runs listed and found |
//! | `figures` | what jobs measured, and trends |
//! | `baselines` | what was accepted |
//! | `flaky` | jobs that needed another attempt, scenarios that changed their mind |
//! | `prune` | what is old taken out |
//! | `transfer` | export and import as JSON lines |
//! | `verify` | whether all of it is sound |

mod baselines;
mod derive;
pub mod error;
mod figures;
mod flaky;
mod news;
mod open;
mod prune;
mod record;
pub mod rows;
mod runs;
mod transfer;
mod verify;

pub use baselines::{AcceptNote, Acceptance, AcceptedSeries, Choice};
pub use error::LedgerError;
pub use flaky::{Flaky, FlakyFilter, FlakyJob, FlakyScenario};
pub use open::Ledger;
pub use prune::{PruneRule, Pruned};
pub use record::Recorder;
pub use rows::{
    JobRow, OutcomeRow, RunFilter, RunRow, RunState, SeriesFigures, SeriesFilter, Trend, TrendPoint, Verdicts,
};
pub use transfer::{Exported, Imported};
pub use verify::Finding;
