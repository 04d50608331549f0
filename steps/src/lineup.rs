//! Which targets a step runs on, stage by stage, within what the run and the scenario's tags allow. Pure: nothing here
//! asks a target anything.

use crate::{action::Place, boards, phrase::PhraseError};
use farm::{Stage, TargetInfo};

/// What a run is restricted to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Stages asked for; empty: all.
    pub stages: Vec<Stage>,
    /// Targets asked for by name; empty: all.
    pub targets: Vec<String>,
    /// Boards that are only simulated are as if they were not there.
    pub require_boards: bool,
}

impl Scope {
    /// The host belongs to the container's stage: it stands in for it.
    fn wants_stage(&self, stage: Stage) -> bool {
        self.stages.is_empty()
            || self.stages.contains(&stage)
            || (stage == Stage::Container && self.stages.contains(&Stage::Host))
    }

    fn wants(&self, info: &TargetInfo) -> bool {
        self.wants_stage(info.stage) && (self.targets.is_empty() || self.targets.contains(&info.id.0))
    }

    /// The same without what was asked for by name or stage.
    pub fn unrestricted(&self) -> Self {
        Self { require_boards: self.require_boards, ..Self::default() }
    }
}

/// The targets of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Which stage; the container's where the host was asked for as such in its stead.
    pub stage: Stage,
    /// Its targets; none where the farm knows none.
    pub targets: Vec<TargetInfo>,
    /// Any one of them will do: one job, which takes the first that is free.
    pub any: bool,
    /// Boards left out because the run wants real ones.
    pub simulated: Vec<TargetInfo>,
    /// What was looked for where there is no target, and what is known instead.
    pub missing: Option<String>,
    /// The board that was asked for by name and is not there.
    pub unknown: Option<String>,
}

impl Group {
    pub(crate) fn new(stage: Stage, targets: Vec<TargetInfo>) -> Self {
        Self { stage, targets, any: false, simulated: Vec::new(), missing: None, unknown: None }
    }

    /// Why there is nothing to run on.
    pub(crate) fn nothing(&self) -> String {
        self.missing.clone().unwrap_or_else(|| format!("this farm knows no {}", self.stage))
    }
}

/// Why a step has no lineup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoLineup {
    /// It cannot be right: an unknown target, a tag that says otherwise.
    Wrong(PhraseError),
    /// The run's options leave it out; says which.
    LeftOut(String),
}

/// The stages of a step, in order.
pub(crate) fn lineup(
    place: &Place,
    infos: &[TargetInfo],
    scope: &Scope,
    tag: Option<Stage>,
) -> Result<Vec<Group>, NoLineup> {
    let emulators = || Group::new(Stage::Emulator, of_stage(Stage::Emulator, infos).cloned().collect());
    let groups = match place {
        Place::Container => vec![container(infos, scope)],
        Place::Host => vec![Group::new(Stage::Host, of_stage(Stage::Host, infos).cloned().collect())],
        Place::Target { name, kind, .. } => vec![named(name, *kind, infos)?],
        Place::Emulators { .. } => vec![emulators()],
        Place::Boards { tags, any } => vec![boards::tagged(tags, *any, infos)],
        Place::Stages { .. } => vec![container(infos, scope), emulators(), boards::tagged(&[], false, infos)],
    };
    let several = matches!(place, Place::Stages { .. });
    if let Some(tag) = tag
        && !several
        && let Some(group) = groups.iter().find(|group| seen_as(group.stage) != tag)
    {
        return Err(NoLineup::Wrong(
            PhraseError::new(format!(
                "tag `@stage.{tag}` says {tag} only, and this step runs on the {} stage",
                seen_as(group.stage)
            ))
            .help("take the tag away, or say `every stage`"),
        ));
    }
    let wanted: Vec<Group> = groups
        .into_iter()
        .filter(|group| scope.wants_stage(group.stage) && tag.is_none_or(|tag| seen_as(group.stage) == tag))
        .map(|mut group| {
            group.targets.retain(|info| scope.wants(info));
            if scope.require_boards { boards::required(group) } else { group }
        })
        // With targets asked for by name, a stage that has none of them is left out; else an empty stage is one that
        // the farm knows no target for, and the run says so.
        .filter(|group| scope.targets.is_empty() || !group.targets.is_empty() || !group.simulated.is_empty())
        .collect();
    if wanted.is_empty() {
        return Err(NoLineup::LeftOut(match (scope.stages.is_empty(), scope.targets.is_empty()) {
            (false, true) => "it runs on a stage that was not asked for".to_owned(),
            _ => "it runs on targets that were not asked for".to_owned(),
        }));
    }
    Ok(wanted)
}

/// The targets of a stage.
pub(crate) fn of_stage(stage: Stage, infos: &[TargetInfo]) -> impl Iterator<Item = &TargetInfo> + Clone {
    infos.iter().filter(move |info| info.stage == stage)
}

/// The stage a host counts as: it only ever stands in for the container.
fn seen_as(stage: Stage) -> Stage {
    if stage == Stage::Host { Stage::Container } else { stage }
}

/// The container's stage; the host alone where the run asked for the host and not for the container.
fn container(infos: &[TargetInfo], scope: &Scope) -> Group {
    let host_only = (scope.stages.contains(&Stage::Host) && !scope.stages.contains(&Stage::Container))
        || (scope.targets.iter().any(|name| name == "host") && !scope.targets.iter().any(|name| name == "container"));
    let stage = if host_only { Stage::Host } else { Stage::Container };
    Group::new(stage, of_stage(stage, infos).cloned().collect())
}

fn named(name: &str, kind: Option<Stage>, infos: &[TargetInfo]) -> Result<Group, NoLineup> {
    let known: Vec<&str> =
        infos.iter().filter(|info| kind.is_none_or(|kind| kind == info.stage)).map(|info| info.id.0.as_str()).collect();
    let found = infos.iter().find(|info| info.id.0 == name);
    match (found, kind) {
        (None, Some(Stage::Board)) => Ok(boards::unknown(name, infos)),
        (None, kind) => {
            let what = kind.map_or("target", |kind| kind.word());
            Err(NoLineup::Wrong(PhraseError::unknown(what, name, known.iter().copied())))
        }
        (Some(info), Some(kind)) if info.stage != kind => Err(NoLineup::Wrong(
            PhraseError::new(format!("`{name}` is no {kind}, it is of the {} stage", info.stage))
                .help(format!("write `the target \"{name}\"`")),
        )),
        (Some(info), _) => Ok(Group::new(info.stage, vec![info.clone()])),
    }
}
