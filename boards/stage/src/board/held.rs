//! A board that this process has. Nobody else may have it while a thread of ours is at its probe, so that a wait that is
//! given up in the middle of a flash frees the board only when that thread is done.

use crate::{lease::Lease, probe::thread::Over};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::runtime::Handle;

/// After this time a thread hangs that nobody wants any more. Before, it may be flashing, which cannot be broken off.
const HANGS: Duration = Duration::from_secs(120);

/// A board that this process has. Dropping it frees the board; where a thread is at its probe still, as soon as that is
/// over or seems to hang.
#[derive(Debug)]
pub struct Held(Option<(Lease, Arc<Mutex<Option<Over>>>)>);

impl Held {
    /// With what tells when the last session's probe is free.
    pub(super) fn new(lease: Lease, over: Arc<Mutex<Option<Over>>>) -> Self {
        Self(Some((lease, over)))
    }

    /// A board that nobody else could want.
    pub(super) fn nothing() -> Self {
        Self(None)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((lease, over)) = self.0.take() else { return };
        let over = over.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Without a runtime the process is about to end, and its threads with it.
        if let (Some(mut over), Ok(runtime)) = (over.filter(|over| !over.is_over()), Handle::try_current()) {
            runtime.spawn(async move {
                over.within(HANGS).await;
                drop(lease);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lease::{Holder, Leases};

    #[tokio::test]
    async fn a_board_is_free_when_the_thread_at_its_probe_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path());
        let holder = Holder::this_process(None);
        let (sign_of_life, over) = Over::pair();
        let over = Arc::new(Mutex::new(Some(over)));
        drop(Held::new(leases.take("SIM-1", &holder).await.unwrap(), over.clone()));
        let mut waiting = std::pin::pin!(leases.take("SIM-1", &holder));
        assert!(futures::poll!(&mut waiting).is_pending(), "its thread is at the probe still");
        drop(sign_of_life);
        drop(Held::new(waiting.await.unwrap(), over));
        assert!(leases.try_take("SIM-1", &holder).unwrap().is_some());
    }
}
