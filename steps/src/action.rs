//! What a step means, once its words, table and doc string have been understood. Nothing here has touched a target.

use crate::{acceptance::Acceptance, baseline::NotWorse, outputs::ExpectedOutputs};
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
        /// Whether the model is linked into firmware of its own; a step that names no model leaves it as it is.
        own_firmware: bool,
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
    /// Compare every job of the latest run with its baseline.
    NotWorse(NotWorse),
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
        /// Leave it out if the model does not fit it.
        fitting: bool,
    },
    /// Every emulator; where `fitting`, those that the model does not fit are left out.
    Emulators {
        /// Leave out what the model does not fit.
        fitting: bool,
    },
    /// Boards: each that has all of `tags`, or any one of them.
    Boards {
        /// Words that a board's definition must have; empty: all boards.
        tags: Vec<String>,
        /// One of them will do, whichever is free.
        any: bool,
    },
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
        ("the board \"nucleo-1\"", "one board by name; its job stays on it, retries too"),
        (
            "any board tagged \"m4\" and \"rtt\"",
            "one board, the first that is free of those that have all these tags, a simulated one only where no real one \
             can be had; when the bench fails, it is tried again on another, an equal one first",
        ),
        ("any board", "the same, of all boards"),
        ("the target \"…\"", "one target of whatever kind"),
        (
            "the target \"…\" where it fits",
            "the same, but a target that the model does not fit is left out and named; so it is with `the emulator` and \
             `the board`",
        ),
        (
            "every emulator",
            "all emulated machines that are there: those of QEMU, and of Renode where it is installed; one that the \
             model does not fit is a fail",
        ),
        ("every emulator that it fits", "the same, but machines that the model does not fit are left out and named"),
        ("every board tagged \"m4\"", "all boards that have all these tags"),
        ("every board", "all boards"),
        (
            "every stage",
            "the container, then every emulator, then every board; a stage starts only after the one before passed",
        ),
        ("every stage that it fits", "the same, without the targets that the model does not fit"),
    ];

    /// Reads the words after `it runs on`.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let (named, fitting) = match words.strip_suffix(" where it fits") {
            Some(named) => (named, true),
            None => (words, false),
        };
        let quoted = |prefix: &str| named.strip_prefix(prefix)?.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
        Some(match words {
            "the container" => Self::Container,
            "the host" => Self::Host,
            "every emulator" => Self::Emulators { fitting: false },
            "every emulator that it fits" => Self::Emulators { fitting: true },
            "every stage" => Self::Stages { fitting: false },
            "every stage that it fits" => Self::Stages { fitting: true },
            _ => {
                let target = |name, kind| Self::Target { name, kind, fitting };
                if let Some(name) = quoted("the emulator ") {
                    target(name, Some(farm::Stage::Emulator))
                } else if let Some(name) = quoted("the board ") {
                    target(name, Some(farm::Stage::Board))
                } else if let Some(name) = quoted("the target ") {
                    target(name, None)
                } else if fitting {
                    return None;
                } else if let Some(rest) = words.strip_prefix("any board") {
                    Self::Boards { tags: tagged(rest)?, any: true }
                } else {
                    Self::Boards { tags: tagged(words.strip_prefix("every board")?)?, any: false }
                }
            }
        })
    }

    /// The board that is named, which need not be known here: features are shared between farms.
    pub(crate) fn named_board(&self) -> Option<&str> {
        match self {
            Self::Target { name, kind: Some(farm::Stage::Board), .. } => Some(name),
            _ => None,
        }
    }

    /// Whether targets that the model does not fit are left out.
    pub fn fitting(&self) -> bool {
        matches!(
            self,
            Self::Target { fitting: true, .. } | Self::Emulators { fitting: true } | Self::Stages { fitting: true }
        )
    }
}

/// The tags in ` tagged "m4" and "rtt"`; none in nothing.
fn tagged(words: &str) -> Option<Vec<String>> {
    if words.is_empty() {
        return Some(Vec::new());
    }
    let words = words.strip_prefix(" tagged \"")?.strip_suffix('"')?;
    let tags = words.split("\" and \"").map(|tag| (!tag.is_empty() && !tag.contains('"')).then(|| tag.to_owned()));
    tags.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_chosen_by_tags() {
        let boards =
            |tags: &[&str], any| Some(Place::Boards { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), any });
        assert_eq!(Place::parse("any board tagged \"m4\" and \"r t\""), boards(&["m4", "r t"], true));
        assert_eq!(Place::parse("every board tagged \"m4\""), boards(&["m4"], false));
        assert_eq!(Place::parse("any board"), boards(&[], true));
        for wrong in ["any boards", "any board tagged", "any board tagged \"\"", "any board tagged \"a\" or \"b\""] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_target_by_name_may_be_left_out_where_the_model_does_not_fit() {
        let target = |fitting| Some(Place::Target { name: "x".to_owned(), kind: None, fitting });
        assert_eq!(Place::parse("the target \"x\""), target(false));
        assert_eq!(Place::parse("the target \"x\" where it fits"), target(true));
        let board =
            Place::parse("the board \"x\" where it fits").map(|place| (place.fitting(), place.named_board().is_some()));
        assert_eq!(board, Some((true, true)));
        for wrong in ["the container where it fits", "any board where it fits", "the target x where it fits"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
