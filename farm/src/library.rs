//! (being written)

/// Models and datasets by name.
#[derive(Debug, Default)]
pub struct Library {}
