//! The way to a target: there, prepared, a slot free, reserved. Of several that would do, an attempt gets the first.

use super::{
    attempt::{Stop, panic_text},
    place::Place,
    run::Inner,
};
use crate::{Availability, FarmEvent, JobId, Reservation, TargetError, TargetId, Verdict};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{panic::AssertUnwindSafe, pin::pin, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

/// How long a reservation may take until it is told that a job waits for it: shorter waits are no news.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// How long a target may take to say who has it.
const ASK_LIMIT: Duration = Duration::from_secs(1);

/// A target that an attempt has.
pub(super) struct Claim<'a> {
    pub(super) place: &'a Place,
    /// Name and version of the tool that runs it.
    pub(super) tool: String,
    pub(super) slot: OwnedSemaphorePermit,
    /// What keeps others from it; an error is how the attempt ends before it has begun.
    pub(super) reservation: Result<Reservation, TargetError>,
    /// Whom it waited for, where that took long enough to be told of.
    pub(super) waited: Option<String>,
}

/// A target that a job cannot have, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) target: TargetId,
    /// Its name as people are to read it.
    pub(super) label: String,
    pub(super) stop: Stop,
}

impl Passed {
    /// Why, with the target's name.
    pub(super) fn words(&self) -> String {
        let reason = self.stop.reason();
        if reason.starts_with(&format!("{} ", self.target)) { reason } else { format!("{}: {reason}", self.label) }
    }
}

/// Why a job can have none of its targets: the reason where there is one, else each of them.
pub(super) fn none_left(passed: &[Passed]) -> Stop {
    if let [only] = passed {
        return only.stop.clone();
    }
    let words = passed.iter().map(Passed::words).collect::<Vec<_>>().join("; ");
    let reason = format!("none of its {} targets can be used: {words}", passed.len());
    match passed.iter().map(|passed| passed.stop.verdict()).max() {
        Some(Verdict::Infra) => Stop::bench(reason),
        _ => Stop::Target(TargetError::Blocked(reason)),
    }
}

/// Why there is no claim.
pub(super) enum NoClaim {
    /// The job ends at once: it was interrupted, or what keeps it from a target is the model's fault, which no other
    /// target mends.
    Stop(Stop),
    /// Every target was passed over.
    AllPassed,
}

impl Inner {
    /// Claims a target for `job`: the first of the first of `pools` that is free; a later pool only where all of those
    /// before were passed over. Those that cannot be used at all are added to `passed`.
    pub(super) async fn claim<'a>(
        &'a self,
        job: JobId,
        retries: u32,
        pools: &[Vec<&'a Place>],
        passed: &mut Vec<Passed>,
    ) -> Result<Claim<'a>, NoClaim> {
        let racing = async {
            for pool in pools {
                // Polled in this order at first, and one that is free is taken without a look at those after it.
                let mut race: FuturesUnordered<_> = pool.iter().map(|place| self.take(job, retries, place)).collect();
                while let Some(taken) = race.next().await {
                    match taken {
                        Ok(claim) => return Ok(claim),
                        Err(Passed { stop, .. }) if stop == Stop::Interrupted || stop.verdict() == Verdict::Fail => {
                            return Err(NoClaim::Stop(stop));
                        }
                        Err(other) if passed.contains(&other) => (),
                        Err(other) => passed.push(other),
                    }
                }
            }
            Err(NoClaim::AllPassed)
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(NoClaim::Stop(Stop::Interrupted)),
            claim = racing => claim,
        }
    }

    /// Waits until `place` is there, prepared, has a free slot and is reserved.
    async fn take<'a>(&self, job: JobId, retries: u32, place: &'a Place) -> Result<Claim<'a>, Passed> {
        let (id, label) = (&place.info.id, place.info.label());
        let pass = |stop| Passed { target: id.clone(), label: label.clone(), stop };
        let blocked = |reason| pass(Stop::Target(TargetError::Blocked(reason)));
        let tool = match place.availability().await {
            Availability::Ready { tool } => tool.clone(),
            Availability::Absent { reason } => return Err(blocked(format!("{label} is not there: {reason}"))),
        };
        place.prepare(self, retries).await.map_err(pass)?;
        let slot = place.slots.clone().acquire_owned().await.map_err(|_| pass(Stop::Interrupted))?;

        let limit = self.options.wait_timeout;
        let mut reserved = pin!(timeout(limit, AssertUnwindSafe(place.target.reserve()).catch_unwind()));
        let (reserved, waited) = match timeout(TELL_AFTER, &mut reserved).await {
            Ok(reserved) => (reserved, None),
            Err(_) => {
                let why = held_by(place).await;
                let waited = format!("waited for {label}, {why}");
                self.sink.send(FarmEvent::Waiting { job, target: id.clone(), why });
                (reserved.await, Some(waited))
            }
        };
        let reservation = match reserved {
            Ok(Ok(Err(error @ TargetError::Blocked(_)))) => return Err(pass(Stop::Target(error))),
            Ok(Ok(reservation)) => reservation,
            Ok(Err(panic)) => {
                Err(TargetError::Bench(format!("reserving the target panicked: {}", panic_text(&*panic))))
            }
            Err(_) => {
                return Err(blocked(format!("{label} was not free within {limit:?}: {}", held_by(place).await)));
            }
        };
        Ok(Claim { place, tool, slot, reservation, waited })
    }
}

/// Who has the target, in words.
async fn held_by(place: &Place) -> String {
    let asked = timeout(ASK_LIMIT, AssertUnwindSafe(place.target.held_by()).catch_unwind()).await;
    match asked {
        Ok(Ok(Some(holder))) => format!("held by {holder}"),
        _ => "it is not known who holds it".to_owned(),
    }
}
