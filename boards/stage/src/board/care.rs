//! Looking after a board: power cycle or reset, health checks, and what is told of it.

use super::{Board, hook};
use crate::{
    bus::{self, news::News},
    health::{
        Event, Health, Policy, State, Step,
        care::{Patient, look_after},
        next_step, reference,
    },
    probe::{Access, ProbeThread},
};
use async_trait::async_trait;
use farm::{Availability, FarmEvent, JobSpec, Target, TargetError, Timeouts};
use jiff::Timestamp;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::timeout;

/// How long a board may take to be attached again after a power cycle.
const COMES_BACK: Duration = Duration::from_secs(15);
/// How long the probe may take to reset it.
const RESET: Duration = Duration::from_secs(20);
/// How long each phase of a health check may take; a whole flash is in the first.
const CHECK: Timeouts =
    Timeouts { open: Duration::from_secs(120), infer: Duration::from_secs(30), close: Duration::from_secs(10) };

impl Board {
    /// Refuses at once where waiting for the board would be no use.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] with the reason and what ends it.
    pub(super) fn refuse_if_left_alone(&self, health: &Health) -> Result<(), TargetError> {
        let state = self.state(health)?;
        match next_step(&state, &self.options.policy, Timestamp::now()) {
            Step::StayQuarantined { .. } => Err(self.quarantined(&state)),
            _ => Ok(()),
        }
    }

    /// What is due is done, now that the board is held; then it is taken, or not.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where it is in quarantine.
    pub(super) async fn admit(&self, health: &Health) -> Result<(), TargetError> {
        let looked = look_after(self, health, &self.options.policy, None).await;
        let state = looked.map_err(|error| TargetError::Blocked(error.to_string()))?;
        if state.quarantine().is_some() { Err(self.quarantined(&state)) } else { Ok(()) }
    }

    /// Keeps count of how an attempt ended, and does what follows.
    pub(super) async fn note(&self, outcome: Result<(), &TargetError>) {
        let Some(event) = Event::of_attempt(outcome) else { return };
        let looked = match self.health() {
            Ok(health) => {
                let looked = look_after(self, &health, &self.options.policy, Some(event)).await;
                looked.map(|_| ()).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = looked {
            tracing::warn!(board = %self.info.id, "its health cannot be kept: {error}");
        }
    }

    /// Makes a health check now, whatever its state, and records how it ended. The caller [holds](Self::hold) it.
    ///
    /// # Errors
    /// [`TargetError`] of the check; `Blocked` where it could not be made: a board that is not there is neither well nor
    /// ill.
    pub async fn check_now(&self) -> Result<(), TargetError> {
        if let Availability::Absent { reason } = self.availability().await {
            return Err(TargetError::Blocked(reason));
        }
        let checked = self.check_health().await;
        // One that is started anew for each run has no past.
        if self.is_shared()
            && let Some(event) = Event::of_check(checked.as_ref().copied())
        {
            let looked = look_after(self, &self.health()?, &Policy::default(), Some(event)).await;
            looked.map_err(|error| TargetError::Blocked(error.to_string()))?;
        }
        checked
    }

    fn state(&self, health: &Health) -> Result<State, TargetError> {
        health.state().map_err(|error| TargetError::Blocked(error.to_string()))
    }

    fn quarantined(&self, state: &State) -> TargetError {
        let name = &self.definition.name;
        TargetError::Blocked(format!("{state}; `tinyfarm boards release {name}` gives it back"))
    }

    /// Waits until it is attached again, no longer than `limit`.
    ///
    /// # Errors
    /// [`TargetError::Bench`] where it does not come back.
    pub(super) async fn comes_back(&self, limit: Duration) -> Result<bus::Attached, TargetError> {
        let attached = async {
            // Listening begins before the first look: nothing is missed in between.
            let mut news = News::of_bench(&self.options.bench);
            loop {
                match self.attached().await {
                    Ok(attached) => return attached,
                    Err(_) => news.wait().await,
                }
            }
        };
        match timeout(limit, attached).await {
            Ok(attached) => Ok(attached),
            Err(_) => match self.attached().await {
                Err(TargetError::Bench(why)) => {
                    Err(TargetError::Bench(format!("its probe did not come back within {limit:?}: {why}")))
                }
                attached => attached,
            },
        }
    }

    async fn reset_by_probe(&self, access: Access) -> Result<(), TargetError> {
        let thread = self.thread(access).await?;
        let reset = thread.call("resetting the core", RESET, |device| device.reset()).await;
        thread.end(RESET).await;
        reset
    }
}

#[async_trait]
impl Patient for Board {
    async fn recover(&self) -> String {
        if let Err(error) = self.let_go().await {
            return error.to_string();
        }
        if let Some(cycle) = &self.definition.power_cycle {
            let how = cycle.command.join(" ");
            return match hook::run(cycle).await {
                Ok(()) if self.definition.probe.is_none() => format!("power-cycled by `{how}`"),
                Ok(()) => match self.comes_back(COMES_BACK).await {
                    Ok(_) => format!("power-cycled by `{how}`"),
                    Err(error) => format!("power-cycled by `{how}`; {error}"),
                },
                Err(error) => format!("the power cycle did not work: {error}"),
            };
        }
        if self.parts().is_ok_and(|parts| parts.chip.is_none()) {
            return "nothing could be done: its definition has neither [power] nor a probe".to_owned();
        }
        let reset = async { self.reset_by_probe(self.access().await?).await };
        match reset.await {
            Ok(()) => "reset by the probe".to_owned(),
            Err(error) => format!("the reset by the probe did not work: {error}"),
        }
    }

    async fn check_health(&self) -> Result<(), TargetError> {
        let blocked = |error: reference::ReferenceError| TargetError::Blocked(error.to_string());
        let reference = reference::reference().map_err(blocked)?;
        let job = JobSpec {
            model: reference.model.clone(),
            dataset: reference.dataset.clone(),
            target: self.info.id.clone(),
            alternates: Vec::new(),
            arena_limit: None,
            timeouts: CHECK,
            retries: 0,
            own_firmware: false,
            rerun: 0,
        };
        let late = |what: &str| TargetError::Bench(format!("the health check took too long: {what}"));
        let mut session = timeout(CHECK.open, self.open(&job)).await.map_err(|_| late("opening"))??;
        let inferred = timeout(CHECK.infer, session.infer(job.dataset.inputs(), &|_| ())).await;
        let _ = timeout(CHECK.close, session.close()).await;
        let inferences = inferred.map_err(|_| late("inference"))??;
        reference.check(&inferences).map_err(TargetError::Bench)
    }

    fn state_changed(&self, state: &State, re_admitted: bool) {
        let word = if re_admitted { "re-admitted" } else { state.word() };
        self.tell(FarmEvent::BenchHealth {
            target: self.info.id.clone(),
            state: word.to_owned(),
            reason: state.to_string(),
        });
    }
}

impl Board {
    /// What its probe is attached as.
    pub(super) async fn attached(&self) -> Result<bus::Attached, TargetError> {
        let Some(probe) = self.definition.probe.clone() else {
            return Err(TargetError::Blocked("its definition names no probe".to_owned()));
        };
        let bench = self.options.bench.clone();
        let resolved = tokio::task::spawn_blocking(move || bus::resolve(&probe, &bench)).await;
        let resolved =
            resolved.map_err(|error| TargetError::Bench(format!("looking for the probe failed: {error}")))?;
        self.was_attached.fetch_or(resolved.is_ok(), Ordering::SeqCst);
        resolved.map_err(|error| TargetError::Bench(error.to_string()))
    }

    /// A thread that has attached to it.
    pub(super) async fn thread(&self, access: Access) -> Result<ProbeThread, TargetError> {
        let (over, opening) = ProbeThread::start(access, super::open::ATTACH);
        *self.over() = Some(over);
        opening.await
    }
}
