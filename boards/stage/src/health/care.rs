//! Doing what is next with a board.

use super::{Event, Health, HealthError, Policy, State, Step, next_step};
use async_trait::async_trait;
use farm::TargetError;
use jiff::Timestamp;

/// A board as far as it can be looked after. Whoever looks after it holds its lease.
#[async_trait]
pub trait Patient: Send + Sync {
    /// Power-cycles it, or resets it by its probe. Says what was done, or why that did not work: the health check that
    /// follows tells whether it was enough. Returns in bounded time.
    async fn recover(&self) -> String;

    /// Runs the [reference model](super::reference) on it and checks its answers. Returns in bounded time.
    ///
    /// # Errors
    /// [`TargetError`]: `Blocked` where the check could not be made, which then says nothing of the board.
    async fn check_health(&self) -> Result<(), TargetError>;

    /// The state has changed; `re_admitted` where it was in quarantine and is back.
    fn state_changed(&self, state: &State, re_admitted: bool);
}

/// Records `event`, if any, and then recovers and checks the board as its state and `policy` ask for: at most one recovery
/// and one check. Returns the state it is left in.
///
/// # Errors
/// [`HealthError`] where the history cannot be read or written.
pub async fn look_after(
    patient: &dyn Patient,
    health: &Health,
    policy: &Policy,
    event: Option<Event>,
) -> Result<State, HealthError> {
    let mut state = health.state()?;
    if let Some(event) = event {
        state = note(patient, health, state, event)?;
    }
    loop {
        state = match next_step(&state, policy, Timestamp::now()) {
            Step::Nothing | Step::StayQuarantined { .. } => return Ok(state),
            Step::Recover => note(patient, health, state, Event::Recovered { how: patient.recover().await })?,
            // Whatever it shows: one check is enough until there is news.
            Step::Check => {
                return match Event::of_check(patient.check_health().await.as_ref().copied()) {
                    Some(event) => note(patient, health, state, event),
                    None => Ok(state),
                };
            }
        };
    }
}

fn note(patient: &dyn Patient, health: &Health, before: State, event: Event) -> Result<State, HealthError> {
    let state = health.record(event)?;
    if state != before {
        let re_admitted = before.quarantine().is_some() && state.quarantine().is_none();
        patient.state_changed(&state, re_admitted);
    }
    Ok(state)
}
