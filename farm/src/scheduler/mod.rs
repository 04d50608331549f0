//! Which job runs where and when. Every job that is asked for ends with exactly one verdict.
//!
//! | file | what lives there |
//! |---|---|
//! | `run` | [`Scheduler`]: a job from its queue to its report |
//! | `attempt` | one attempt: open, infer, close, each with its time budget |
//! | `place` | a target as the scheduler keeps it: whether it can be used, whether it is prepared, its slots |
//! | `memo` | finished jobs that may serve again |
//!
//! - **Each job in a task of its own.** It goes on, and its session is closed, even if nobody waits for it any more.
//! - **The same job is run once.** Two scenarios that ask for the same model, dataset, target and budget share one
//!   job: evidence is deterministic where it is to be judged, and a second try of the same thing could only turn a fail
//!   into a pass. Evidence that nobody holds any more is forgotten beyond 64 MiB, oldest first, so that a run of
//!   10,000 scenarios does not grow without bound; only then is the same job run again.
//! - **Order** is first come, first served: over all targets with shared slots, and on each with slots of its own. A
//!   job keeps its slot for one attempt, until its session is closed; a retry queues anew.
//! - **Verdicts.** A target's `Fault` is a fail and is never retried; `Bench` is infra and is, each time with the whole
//!   budget; `Blocked` is blocked. An `open` that does not return in time is infra. An `infer` that does not is a fail
//!   (hung), unless the session holds garbage or half a frame: then the link is at fault. A target that panics is infra.
//! - **Interruption** ends queued jobs at once as blocked, and running ones after their sessions are closed.

mod attempt;
mod memo;
mod place;
mod run;
#[cfg(test)]
mod tests;

pub use run::{JobResult, Scheduler, SchedulerOptions};
