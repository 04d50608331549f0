//! (being written)

/// Which job runs where and when.
#[derive(Debug)]
pub struct Scheduler {}
