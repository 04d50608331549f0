//! A target as the scheduler keeps it: whether it can be used, whether it is prepared, its slots.

use super::attempt::{Phase, Stop, panic_text, phase};
use crate::{Availability, EventSink, FarmEvent, Slots, Target, TargetError, TargetInfo};
use futures::FutureExt;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How long a target may take to say whether it can be used.
const AVAILABILITY_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Place {
    pub(super) target: Arc<dyn Target>,
    /// A copy: jobs name their target often.
    pub(super) info: TargetInfo,
    pub(super) slots: Arc<Semaphore>,
    availability: OnceCell<Availability>,
    prepared: OnceCell<Result<(), Stop>>,
}

impl Place {
    /// A place for `target`; `shared` are the slots of all targets without their own.
    pub(super) fn new(target: Arc<dyn Target>, shared: &Arc<Semaphore>) -> Self {
        let info = target.info().clone();
        let slots = match info.slots {
            Slots::Shared => shared.clone(),
            Slots::Own(count) => Arc::new(Semaphore::new(count.max(1))),
        };
        Self { target, info, slots, availability: OnceCell::new(), prepared: OnceCell::new() }
    }

    /// Whether the target can be used; asked once a run.
    pub(super) async fn availability(&self) -> &Availability {
        self.availability
            .get_or_init(|| async {
                let asked = AssertUnwindSafe(self.target.availability()).catch_unwind();
                match tokio::time::timeout(AVAILABILITY_LIMIT, asked).await {
                    Ok(Ok(availability)) => availability,
                    Ok(Err(panic)) => {
                        Availability::Absent { reason: format!("looking for it panicked: {}", panic_text(&*panic)) }
                    }
                    Err(_) => {
                        Availability::Absent { reason: format!("it did not answer within {AVAILABILITY_LIMIT:?}") }
                    }
                }
            })
            .await
    }

    /// Prepares the target; once a run, later calls get the same answer. Infra is tried `retries` more times.
    pub(super) async fn prepare(
        &self,
        limit: Duration,
        retries: u32,
        sink: &EventSink,
        cancel: &CancellationToken,
    ) -> Result<(), Stop> {
        let once = || async {
            let id = &self.info.id;
            sink.send(FarmEvent::Preparing { target: id.clone() });
            let started = Instant::now();
            let mut left = retries;
            let result = loop {
                let result = match phase("preparing the target", limit, cancel, self.target.prepare()).await {
                    Phase::Done(done) => done.map_err(Stop::Target),
                    Phase::TimedOut => {
                        Err(Stop::Target(TargetError::Blocked(format!("{id} was not ready within {limit:?}"))))
                    }
                    Phase::Interrupted => Err(Stop::Interrupted),
                };
                if left == 0 || !matches!(result, Err(Stop::Target(TargetError::Bench(_)))) {
                    break result;
                }
                left -= 1;
            };
            let error = result.as_ref().err().map(Stop::reason);
            sink.send(FarmEvent::Prepared { target: id.clone(), took: started.elapsed(), error });
            result
        };
        self.prepared.get_or_init(once).await.clone()
    }

    /// Ends what the target keeps, within `limit`.
    pub(super) async fn shutdown(&self, limit: Duration) {
        match tokio::time::timeout(limit, AssertUnwindSafe(self.target.shutdown()).catch_unwind()).await {
            Ok(Ok(())) => (),
            Ok(Err(panic)) => tracing::warn!(target = %self.info.id, "shutdown panicked: {}", panic_text(&*panic)),
            Err(_) => tracing::warn!(target = %self.info.id, "shutdown took longer than {limit:?}"),
        }
    }
}
