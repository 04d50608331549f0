//! What can be said of a criterion before anything runs.

use super::{
    Criterion, CriterionError, Needs,
    metric::{Kind, Statistic},
};
use crate::{Clock, Dataset, Model, Stage, TargetInfo, dataset::Truth, suggest};

impl Criterion {
    /// Whether it would compare `target` with itself. Where one criterion is asked of several targets, it is to be left
    /// out on this one.
    pub fn compares_with_itself(&self, target: &TargetInfo) -> bool {
        self.reference().is_some_and(|reference| reference == target.id.0)
    }

    /// Checks that the criterion can be judged on `target`, of `model` and `dataset`.
    ///
    /// # Errors
    /// [`CriterionError`]: the dataset lacks labels or expected values, the class is unknown, the target lacks the clock
    /// or the firmware, or the comparison could never fail.
    pub fn check(&self, target: &TargetInfo, model: &Model, dataset: &Dataset) -> Result<(), CriterionError> {
        let metric = || self.metric.to_string();
        let has = match dataset.truth() {
            Truth::Unknown => "neither labels nor expected values",
            Truth::Expected(_) => "expected values",
            Truth::Labels { .. } => "labels",
        };
        let truth = |needs: Needs| CriterionError::Truth {
            metric: metric(),
            needs: needs.words(),
            dataset: dataset.name().to_owned(),
            has,
        };
        match (self.metric.info.needs, dataset.truth()) {
            (needs @ Needs::Expected, Truth::Unknown | Truth::Labels { .. }) => return Err(truth(needs)),
            (needs @ Needs::Labels, Truth::Unknown | Truth::Expected(_)) => return Err(truth(needs)),
            (Needs::Labels, Truth::Labels { classes, .. }) => self.check_class(dataset, classes)?,
            (Needs::Instructions, _) if !target.clock.counts_instructions() => return Err(self.clock(target)),
            // What only plays a board may stand where a board will: its time is judged, and is inconclusive.
            (Needs::Time, _) if !target.clock.times_latency() && !target.simulated => return Err(self.clock(target)),
            (Needs::Firmware, _) if matches!(target.stage, Stage::Container | Stage::Host) => {
                let (target, stage) = (target.id.to_string(), target.stage.word());
                return Err(CriterionError::NoFirmware { metric: metric(), target, stage });
            }
            _ => (),
        }
        if self.compares_with_itself(target) {
            let (criterion, target) = (self.to_string(), target.id.to_string());
            return Err(CriterionError::WithItself { criterion, target });
        }
        if matches!(self.metric.info.kind, Kind::Argmax | Kind::SameArgmax) && model.output_elements() < 2 {
            return Err(CriterionError::SingleOutput { metric: metric(), model: model.name().to_owned() });
        }
        if self.metric.info.needs == Needs::Labels && model.output_elements() < 2 {
            return Err(CriterionError::SingleClass { metric: metric(), model: model.name().to_owned() });
        }
        Ok(())
    }

    fn check_class(&self, dataset: &Dataset, classes: &[String]) -> Result<(), CriterionError> {
        match self.metric.class() {
            Some(class) if !classes.iter().any(|known| known == class) => Err(CriterionError::UnknownClass {
                dataset: dataset.name().to_owned(),
                class: class.to_owned(),
                mend: suggest::mend(class, classes.iter().map(String::as_str)),
            }),
            _ => Ok(()),
        }
    }

    fn clock(&self, target: &TargetInfo) -> CriterionError {
        let other = |what: &str| match self.metric.info.kind {
            Kind::Instructions(statistic) | Kind::Latency(statistic) => format!("{what} {}", statistic.word()),
            _ => what.to_owned(),
        };
        let mend = match target.clock {
            Clock::QemuInstructions | Clock::RenodeVirtual => {
                format!("it counts instructions and tells no real time: use `{}`", other("instructions"))
            }
            Clock::BoardCycles { .. } | Clock::BoardTimer { .. } => {
                format!("it counts no instructions: use `{}`", other("latency"))
            }
            Clock::Host => {
                "a host's time is informational only: ask it of an emulator (instructions) or a board (latency)"
                    .to_owned()
            }
        };
        CriterionError::Clock {
            metric: self.metric.to_string(),
            target: target.id.to_string(),
            clock: target.clock.to_string(),
            mend,
        }
    }
}

impl Statistic {
    /// As it is written after `instructions` or `latency`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Median => "median",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }
}
