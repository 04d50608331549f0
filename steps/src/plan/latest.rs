//! What a Then would judge: the latest run, as far as it is known before anything runs.

use farm::{Criterion, Dataset, Model, TargetInfo};
use std::sync::Arc;

/// The latest run, as far as it is known beforehand.
#[derive(Clone)]
pub(super) struct Ran {
    pub targets: Vec<TargetInfo>,
    /// Those that it would run on if the run's options left none out.
    pub unrestricted: Vec<TargetInfo>,
    pub model: Arc<Model>,
    pub dataset: Arc<Dataset>,
    /// Only tried, by this step, and no step has said yet which fail is wanted.
    pub tried: Option<usize>,
}

impl Ran {
    /// Whether the run's options leave `criterion` nothing but a target that it would compare with itself.
    pub fn leaves_nothing_of(&self, criterion: &Criterion) -> bool {
        let all_its_own = |targets: &[TargetInfo]| targets.iter().all(|info| criterion.compares_with_itself(info));
        all_its_own(&self.targets) && !all_its_own(&self.unrestricted)
    }
}

pub(super) enum Latest {
    Nothing,
    /// It ran, but it is not known what: something was wrong with it.
    Unknown,
    Known(Ran),
    /// Only tried, and the fail that was wanted has been told.
    Asserted,
}
