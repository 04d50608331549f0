//! Boards by name and by tag, and what is said where there is no such board. That is no error of the feature: features
//! are shared between farms, and each has boards of its own.

use crate::lineup::{Group, of_stage};
use farm::{Stage, TargetInfo, suggest};

/// The boards that have all of `tags`.
pub(crate) fn tagged(tags: &[String], any: bool, infos: &[TargetInfo]) -> Group {
    let all = of_stage(Stage::Board, infos);
    let has_all = |info: &&TargetInfo| tags.iter().all(|tag| info.tags.contains(tag));
    let mut targets: Vec<TargetInfo> = all.clone().filter(has_all).cloned().collect();
    // Where any will do, a real one is better.
    targets.sort_by_key(|info| any && info.simulated);
    let mut group = Group { any, ..Group::new(Stage::Board, targets) };
    if group.targets.is_empty() {
        let mut words = "this farm knows no board".to_owned();
        if !tags.is_empty() {
            words +=
                &format!(" tagged {}", tags.iter().map(|tag| format!("\"{tag}\"")).collect::<Vec<_>>().join(" and "));
            words += &nearest_tags(tags, all.clone());
        }
        if let Some(known) = list(all) {
            words += &format!("; there is: {known}");
        }
        group.missing = Some(words);
    }
    group
}

/// A board that is asked for by a name that no board here has.
pub(crate) fn unknown(name: &str, infos: &[TargetInfo]) -> Group {
    let all = of_stage(Stage::Board, infos);
    let near = suggest::nearest(name, all.clone().map(|info| info.id.0.as_str()));
    let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    let known = list(all).map(|known| format!("; there is: {known}")).unwrap_or_default();
    let missing = Some(format!("this farm knows no board `{name}`{near}{known}"));
    Group { missing, unknown: Some(name.to_owned()), ..Group::new(Stage::Board, Vec::new()) }
}

/// `group` for a run that wants real boards.
pub(crate) fn required(mut group: Group) -> Group {
    let plays = |info: &TargetInfo| info.stage == Stage::Board && info.simulated;
    let (simulated, targets) = group.targets.into_iter().partition(plays);
    (group.targets, group.simulated) = (targets, simulated);
    if group.targets.is_empty() && !group.simulated.is_empty() {
        let found = group.simulated.iter().map(|info| info.id.0.as_str()).collect::<Vec<_>>().join(", ");
        group.missing = Some(format!("a real board is required, and there are only simulated ones: {found}"));
    }
    group
}

/// For each of `tags` that no board has, the nearest that one has.
fn nearest_tags<'a>(tags: &[String], boards: impl Iterator<Item = &'a TargetInfo>) -> String {
    let known: Vec<&str> = boards.flat_map(|info| info.tags.iter().map(String::as_str)).collect();
    let unknown = tags.iter().filter(|tag| !known.contains(&tag.as_str()));
    let near: Vec<String> = unknown
        .filter_map(|tag| suggest::nearest(tag, known.iter().copied()))
        .map(|near| format!("\"{near}\""))
        .collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" and ")) }
}

/// Boards with their tags: `nucleo-1 ("m4", "rtt"), sim-1 (simulated, no tags)`.
fn list<'a>(boards: impl Iterator<Item = &'a TargetInfo>) -> Option<String> {
    let one = |info: &TargetInfo| {
        let mut said: Vec<String> = info.simulated.then(|| "simulated".to_owned()).into_iter().collect();
        said.extend(info.tags.iter().map(|tag| format!("\"{tag}\"")));
        if info.tags.is_empty() {
            said.push("no tags".to_owned());
        }
        format!("{} ({})", info.id, said.join(", "))
    };
    let all: Vec<String> = boards.map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}
