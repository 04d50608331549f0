//! Which job runs where and when. Every job that is asked for ends with exactly one verdict.
//!
//! | file | what lives there |
//! |---|---|
//! | `run` | [`Scheduler`]: a job from its queue to its report |
//! | `claim` | the way to a target: there, prepared, a slot free, reserved; of several the first |
//! | `attempt` | one attempt: open, infer, close, each with its time budget |
//! | `place` | a target as the scheduler keeps it: whether it can be used, whether it is prepared, its slots |
//! | `report` | how a job ended, in its report's words |
//! | `memo` | finished jobs that may serve again |
//!
//! - **Each job in a task of its own.** It goes on, and its session is closed, even if nobody waits for it any more.
//! - **The same job is run once.** Two scenarios that ask for the same model, dataset, target and budget share one
//!   job: evidence is deterministic where it is to be judged, and a second try of the same thing could only turn a fail
//!   into a pass. Evidence that nobody holds any more is forgotten beyond 64 MiB, oldest first, so that a run of
//!   10,000 scenarios does not grow without bound; only then is the same job run again.
//! - **Order** is first come, first served: over all targets with shared slots, and on each with slots of its own. A
//!   job keeps its slot for one attempt, until its session is closed; a retry queues anew.
//! - **Reservation.** An attempt that has a slot reserves the target, which other processes may have. The wait is bounded,
//!   costs nothing of the attempt's budget, and is told once it is worth telling. When the session is closed the target may
//!   look after itself ([`Target::after`](crate::Target::after)), still reserved, in a task of its own: its job does not
//!   wait for it.
//! - **Alternates.** A job that may run on several targets queues for all of them and takes the first that is free and
//!   reserved; it lets go of the others. Targets that cannot be used are passed over and named; with none left the job is
//!   blocked, with every reason. Infra is retried on a target that has not been tried, an equal of the one that failed
//!   first; only when all have been tried, on one of them. A fail is final wherever it happened.
//! - **Verdicts.** A target's `Fault` is a fail and is never retried; `Bench` is infra and is, each time with the whole
//!   budget; `Blocked` is blocked. An `open` that does not return in time is infra. An `infer` that does not is a fail
//!   (hung), unless the session holds garbage or half a frame: then the link is at fault. A target that panics is infra.
//! - **Interruption** ends queued jobs at once as blocked, and running ones after their sessions are closed.

mod attempt;
mod claim;
mod memo;
mod place;
mod report;
mod run;
#[cfg(test)]
mod tests;

pub use run::{JobResult, Scheduler, SchedulerOptions};
