//! Waiting for a port that went away to come back: boards re-enumerate when they are flashed or reset, often under
//! another name.

use super::{Identity, SerialError, SerialLink, open};
use crate::{bus::news::News, raw_log::RawLog};
use std::{path::PathBuf, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Opens the port that `identity` means, as soon as it means one that can be opened, at the latest after `limit`.
///
/// The old link must be dropped before: a port is open once. For the rest see [`open`].
///
/// # Errors
/// [`SerialError::StayedAway`] with what was missing at the end; others at once, if waiting is no use.
pub async fn reopen(identity: &Identity, baud: u32, log: RawLog, limit: Duration) -> Result<SerialLink, SerialError> {
    let end = Instant::now() + limit;
    // Listening begins before the first look: nothing is missed in between.
    let mut news = News::of(folders(identity));
    loop {
        match open(identity, baud, log.clone()) {
            Err(error) if may_pass(&error) => {}
            done => return done,
        }
        if timeout_at(end, news.wait()).await.is_err() {
            // The last look: it may be there, and nobody told.
            let stayed_away =
                |last| SerialError::StayedAway { identity: identity.clone(), limit, last: Box::new(last) };
            return open(identity, baud, log).map_err(stayed_away);
        }
    }
}

/// Where something happens when the port comes back.
fn folders(identity: &Identity) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/dev")];
    if let Identity::Path(path) = identity {
        folders.extend(path.parent().map(PathBuf::from));
    }
    folders
}

/// Whether it may yet be there: it comes back, udev gives it its permissions, or who looked into it is done.
fn may_pass(error: &SerialError) -> bool {
    match error {
        SerialError::NotThere { .. } | SerialError::Busy { .. } | SerialError::Denied { .. } => true,
        // A port that vanished between being found and being opened, or that is not ready yet.
        SerialError::Open { baud, .. } => *baud != 0,
        SerialError::Ambiguous { .. } | SerialError::StayedAway { .. } => false,
    }
}
