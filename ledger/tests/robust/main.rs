//! What a ledger has to bear: a kill at any moment, several writers, a disk that is full, files that are something else,
//! damage. Processes are this test program, started again with an environment variable that says what to be.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used)]

mod child;
mod damage;
mod killed;
mod recent;
mod runs;
mod strangers;
mod together;
mod transfer;
