//! Figures drawn from evidence.

/// All figures of one job's evidence.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Summary {}
