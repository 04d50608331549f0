//! The domain of tinyfarm: what a model, a dataset, a target, a job, evidence, a criterion and a verdict are, how jobs
//! are scheduled on targets and how their evidence is judged. It knows no tool: targets come in through [`Target`],
//! news goes out as [`FarmEvent`]s.
//!
//! | module | what lives there |
//! |---|---|
//! | [`model`] | a `.tflite` file, verified and described |
//! | [`dataset`] | inputs with labels or expected outputs, checked against a model |
//! | [`library`] | models and datasets by name, from manifests |
//! | [`target`] | the contract every place that can run a model fulfils |
//! | [`clock`] | which clock a timing was read from |
//! | [`evidence`] | what a job brings back |
//! | [`job`] | one model over one dataset on one target, and its attempts |
//! | [`metrics`] | figures drawn from evidence |
//! | [`history`] | which figures are followed from run to run, and the contract of what remembers them |
//! | [`origin`] | which sources and which machine a run is of |
//! | [`quarantine`] | scenarios that run and do not gate |
//! | [`criterion`] | a metric and a bound, and the judgement of evidence by it |
//! | [`verdict`] | pass, fail, infra, blocked, inconclusive |
//! | [`scheduler`] | which job runs where and when |
//! | [`text`] | text that people and devices wrote, made safe to show |
//! | [`events`] | the one stream that reporters see |

pub mod clock;
pub mod criterion;
pub mod dataset;
pub mod digest;
pub mod events;
pub mod evidence;
pub mod history;
pub mod job;
pub mod library;
pub mod metrics;
pub mod model;
mod number;
pub mod origin;
pub mod quantity;
pub mod quarantine;
pub mod scheduler;
pub mod suggest;
pub mod target;
#[cfg(test)]
mod testing;
pub mod text;
pub mod verdict;

pub use clock::Clock;
pub use criterion::Criterion;
pub use dataset::Dataset;
pub use digest::Digest;
pub use events::{EventSink, FarmEvent, Stamped};
pub use evidence::{Evidence, Footprint, Handshake, Inference, Provenance};
pub use history::History;
pub use job::{AttemptReport, JobId, JobReport, JobSpec, Timeouts};
pub use library::Library;
pub use model::{ElementType, Model, Quantization, TensorSpec};
pub use origin::Origin;
pub use quarantine::Quarantine;
pub use scheduler::Scheduler;
pub use target::{
    Availability, Fault, Memory, Reservation, Session, Slots, Stage, Target, TargetError, TargetId, TargetInfo,
};
pub use verdict::{Judgement, Verdict};
