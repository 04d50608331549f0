//! A target as the scheduler keeps it: whether it can be used, whether it is prepared, its slots.

use super::{
    attempt::{Phase, Stop, panic_text, phase},
    run::Inner,
};
use crate::{Availability, FarmEvent, Slots, Target, TargetError, TargetInfo};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::Instant,
};

/// How long a target may take to say whether it can be used.
const AVAILABILITY_LIMIT: Duration = Duration::from_secs(60);

/// A target's preparation, under way or done.
pub(super) type Preparation = Shared<BoxFuture<'static, Result<(), Stop>>>;

pub(super) struct Place {
    pub(super) target: Arc<dyn Target>,
    /// A copy: jobs name their target often.
    pub(super) info: TargetInfo,
    pub(super) slots: Arc<Semaphore>,
    availability: OnceCell<Availability>,
    prepared: OnceLock<Preparation>,
}

impl Place {
    /// A place for `target`; `shared` are the slots of all targets without their own.
    pub(super) fn new(target: Arc<dyn Target>, shared: &Arc<Semaphore>) -> Self {
        let info = target.info().clone();
        let slots = match info.slots {
            Slots::Shared => shared.clone(),
            Slots::Own(count) => Arc::new(Semaphore::new(count.max(1))),
        };
        Self { target, info, slots, availability: OnceCell::new(), prepared: OnceLock::new() }
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

    /// Prepares the target; once a run, later calls get the same answer. Infra is tried `retries` more times. In a task
    /// of its own, so that it goes on for others when the job that asked first runs elsewhere.
    pub(super) fn prepare(&self, farm: &Inner, retries: u32) -> Preparation {
        let start = || {
            let (target, id) = (self.target.clone(), self.info.id.clone());
            let (limit, sink, cancel) = (farm.options.prepare_timeout, farm.sink.clone(), farm.cancel.clone());
            let task = farm.tasks.spawn(async move {
                sink.send(FarmEvent::Preparing { target: id.clone() });
                let started = Instant::now();
                let mut left = retries;
                let result = loop {
                    let result = match phase("preparing the target", limit, &cancel, target.prepare()).await {
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
                sink.send(FarmEvent::Prepared { target: id, took: started.elapsed(), error });
                result
            });
            // The task catches panics; only a runtime that is torn down ends it early.
            async move { task.await.unwrap_or(Err(Stop::Interrupted)) }.boxed().shared()
        };
        self.prepared.get_or_init(start).clone()
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
