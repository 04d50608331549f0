//! (being written)

/// A metric and a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {}
