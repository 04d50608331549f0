//! Removes what killed runs left behind: containers and networks that bear tinyfarm's label and whose owner is dead.
//! Those of a run that is at work right now are left alone.

use crate::{
    engine::{Engine, EngineError, ask},
    owner::{Liveness, Owner},
    run::{MADE, OWNER, RUN, remove, seconds_since_1970},
};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use std::collections::HashMap;

/// An owner on another machine or in another PID namespace cannot be asked; no run takes longer than this (seconds).
const LONGEST_RUN: u64 = 24 * 60 * 60;

/// Sweeps; returns how many containers and networks were left over.
///
/// # Errors
/// [`EngineError`] where the engine does not list what there is.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, EngineError> {
    let ours = HashMap::from([("label", vec![RUN])]);
    let listing = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let containers = ask("list containers", engine.docker.list_containers(Some(listing))).await?;
    let mut swept = 0;
    for container in containers {
        let Some(id) = container.id else { continue };
        if is_left_over(&container.labels.unwrap_or_default(), seconds_since_1970()) {
            tracing::info!(container = %id, "removing a left-over container of a killed run");
            let name = container.names.unwrap_or_default().pop().unwrap_or_default();
            remove(engine, &id, name.trim_start_matches('/')).await;
            swept += 1;
        }
    }
    let listing = ListNetworksOptionsBuilder::new().filters(&ours).build();
    for network in ask("list networks", engine.docker.list_networks(Some(listing))).await? {
        let Some(id) = network.id else { continue };
        if is_left_over(&network.labels.unwrap_or_default(), seconds_since_1970()) {
            tracing::info!(network = %id, "removing a left-over network of a killed run");
            if let Err(error) = engine.docker.remove_network(&id).await {
                tracing::debug!(network = %id, %error, "somebody else was faster, or it is in use");
            }
            swept += 1;
        }
    }
    Ok(swept)
}

/// Whether labels are those of something whose owner is dead, or cannot be asked and must be by `now`.
fn is_left_over(labels: &HashMap<String, String>, now: u64) -> bool {
    let made: Option<u64> = labels.get(MADE).and_then(|made| made.parse().ok());
    let aged = made.is_none_or(|made| now.saturating_sub(made) > LONGEST_RUN);
    match labels.get(OWNER).and_then(|owner| owner.parse::<Owner>().ok()).map(|owner| owner.liveness()) {
        Some(Liveness::Alive) => false,
        Some(Liveness::Dead) => true,
        Some(Liveness::Unknown) | None => aged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::labels;

    #[test]
    fn what_a_living_process_owns_is_kept_whatever_its_age() {
        assert!(!is_left_over(&labels("x"), u64::MAX));
    }

    #[test]
    fn what_a_dead_process_owns_is_left_over_at_once() {
        let mut labels = labels("x");
        let dead = Owner::current().to_string().rsplit_once(' ').map(|(rest, _)| format!("{rest} 1"));
        labels.insert(OWNER.to_owned(), dead.unwrap_or_default());
        assert!(is_left_over(&labels, 0));
    }

    #[test]
    fn what_an_owner_elsewhere_owns_is_left_over_after_a_day() {
        let mut labels = labels("x");
        labels.insert(OWNER.to_owned(), "elsewhere pid:[1] 1 1".to_owned());
        labels.insert(MADE.to_owned(), "1000".to_owned());
        assert!(!is_left_over(&labels, 1000 + LONGEST_RUN));
        assert!(is_left_over(&labels, 1001 + LONGEST_RUN));
        labels.insert(MADE.to_owned(), "garbled".to_owned());
        assert!(is_left_over(&labels, 0));
    }
}
