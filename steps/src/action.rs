//! What a step means, once its words, table and doc string have been understood. Nothing here has touched a target.

use crate::{acceptance::Acceptance, outputs::ExpectedOutputs};
use farm::Criterion;
use std::time::Duration;

/// What one step asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// What is to be run, or the half of it that the step names.
    Subject {
        /// Model by name or path.
        model: Option<String>,
        /// Dataset.
        dataset: Option<DatasetRef>,
    },
    /// No more of the tensor arena than this, bytes.
    ArenaLimit(u64),
    /// Time budget for all inferences of a job.
    TimeLimit(Duration),
    /// How many more attempts infra may cost.
    Retries(u32),
    /// Run the subject.
    Run(Run),
    /// Judge the evidence of every job of the latest run.
    Judge(Vec<Criterion>),
    /// Compare outputs with given values.
    Outputs(ExpectedOutputs),
    /// The jobs of the latest run, which was only tried, must have failed for a reason that contains this.
    FailsBecause(String),
    /// The jobs of the latest run, which was only tried, must have failed because the model does not fit.
    DoesNotFit,
}

/// Which dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DatasetRef {
    /// By name or path.
    Named(String),
    /// CSV text in the feature file.
    Inline(String),
}

/// Where to run, and what then decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Where.
    pub place: Place,
    /// Judged at once, stage by stage.
    pub accepted_by: Option<Acceptance>,
    /// Whether a fail of the job leaves the step standing, because a later step says which fail is wanted.
    pub tried: bool,
}

impl Run {
    /// Whether its acceptance table has a bound for `target` by name: then that target is not left out.
    pub(crate) fn names(&self, target: &farm::TargetId) -> bool {
        self.accepted_by.as_ref().is_some_and(|table| table.names(target))
    }

    /// Whether its acceptance table has a bound for `stage`.
    pub(crate) fn binds(&self, stage: farm::Stage) -> bool {
        self.accepted_by.as_ref().is_some_and(|table| table.binds(stage))
    }
}

/// Where to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The container, or the host where it stands in.
    Container,
    /// The host.
    Host,
    /// One target by name; `kind` is the word the step used for it, where it bound itself to one.
    Target {
        /// Its name.
        name: String,
        /// `emulator` or `board`.
        kind: Option<farm::Stage>,
    },
    /// Every emulator; where `fitting`, those that the model does not fit are left out.
    Emulators {
        /// Leave out what the model does not fit.
        fitting: bool,
    },
    /// Every board.
    Boards,
    /// Container, then emulators, then boards.
    Stages {
        /// Leave out what the model does not fit.
        fitting: bool,
    },
}

impl Place {
    /// Every way to say where, for the catalogue.
    pub const PHRASES: &[(&str, &str)] = &[
        ("the container", "the runner in a container; `host` stands in where the run allows it and no engine is there"),
        ("the host", "the runner as a child process of the farm; isolates nothing"),
        ("the emulator \"qemu:mps2-an386\"", "one emulated machine"),
        ("the board \"…\"", "one board"),
        ("the target \"…\"", "one target of whatever kind"),
        ("every emulator", "all emulated machines; one that the model does not fit is a fail"),
        ("every emulator that it fits", "the same, but machines that the model does not fit are left out and named"),
        ("every board", "all boards"),
        (
            "every stage",
            "the container, then every emulator, then every board; a stage starts only after the one before passed",
        ),
        ("every stage that it fits", "the same, without the targets that the model does not fit"),
    ];

    /// Reads the words after `it runs on`.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let quoted = |prefix: &str| words.strip_prefix(prefix)?.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
        Some(match words {
            "the container" => Self::Container,
            "the host" => Self::Host,
            "every emulator" => Self::Emulators { fitting: false },
            "every emulator that it fits" => Self::Emulators { fitting: true },
            "every board" => Self::Boards,
            "every stage" => Self::Stages { fitting: false },
            "every stage that it fits" => Self::Stages { fitting: true },
            _ => {
                if let Some(name) = quoted("the emulator ") {
                    Self::Target { name, kind: Some(farm::Stage::Emulator) }
                } else if let Some(name) = quoted("the board ") {
                    Self::Target { name, kind: Some(farm::Stage::Board) }
                } else {
                    Self::Target { name: quoted("the target ")?, kind: None }
                }
            }
        })
    }

    /// Whether targets that the model does not fit are left out.
    pub fn fitting(&self) -> bool {
        matches!(self, Self::Emulators { fitting: true } | Self::Stages { fitting: true })
    }
}
