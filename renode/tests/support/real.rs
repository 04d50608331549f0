//! The real Renode, for tests that are worth running against it as well.

use renode_rs::Installation;
use std::{io::Write as _, sync::Once};

/// Once in a test program.
static SAID: Once = Once::new();

/// The one that `RENODE` names, as [`Installation::find`] takes it; none where it is unset.
pub fn real() -> Option<Installation> {
    if std::env::var_os("RENODE").is_none_or(|named| named.is_empty()) {
        // Past the test runner, which keeps what a test that passes prints to itself.
        SAID.call_once(|| drop(writeln!(std::io::stderr(), "skipped: no Renode")));
        return None;
    }
    match Installation::find(&[]) {
        Ok(installation) => Some(installation),
        Err(error) => panic!("{error}"),
    }
}
