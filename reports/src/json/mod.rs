//! The report as JSON, for programs: `report.json` (the run, its targets, jobs and scenarios) and `evidence.jsonl` (a
//! line for each job, with every output and timing). Both are described by a published schema,
//! `docs/report.schema.json`, which is generated from the types here.
//!
//! | module | what lives there |
//! |---|---|
//! | `document` | `report.json`: the run and its scenarios |
//! | `job` | a job, its figures, its evidence |
//! | `event` | events as lines of JSON |
//! | `report` | writes `report.json` |
//! | `evidence` | writes `evidence.jsonl` |
//! | `schema` | the published schema |

mod document;
mod event;
mod evidence;
mod job;
mod report;
mod schema;

pub use document::{
    Attempt, Clock, Criterion, Origin, Quarantine, Quarantined, Report, Run, RunState, Scenario, Stage, Step, Tally,
    Target, TargetState, Verdict,
};
pub use event::{Event, EventLine, MetricHistory, ScenarioName};
pub use evidence::{EVIDENCE_FILE, EvidenceLines};
pub use job::{
    Accuracy, Arena, Class, Confusion, Errors, EvidenceLine, Fault, Figures, Firmware, Job, Provenance, Ticks,
};
pub use report::{REPORT_FILE, ReportJson};
pub use schema::schema;

/// Version of all documents here. The number grows when a reader of the old one would misread the new one; fields may
/// be added without.
pub const SCHEMA: &str = "tinyfarm-report/1";
