//! Tags that mean something to the farm: `@stage.emulator`, `@timeout.30s`, `@retries.2`. All others are free, to filter by.

use crate::phrase::PhraseError;
use farm::{Stage, suggest};
use std::time::Duration;

/// Keys of tags with a meaning, with a sound value each.
pub(crate) const RESERVED: &[(&str, &str, &str)] = &[
    ("stage", "@stage.emulator", "on `every stage`, run only this stage: `container`, `emulator` or `board`"),
    ("timeout", "@timeout.30s", "time budget for all inferences of a job"),
    ("retries", "@retries.2", "how many more attempts a job may cost when the bench, not the model, is at fault"),
];

/// What the tags of one scenario ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settings {
    /// On `every stage`, only this one.
    pub stage: Option<Stage>,
    /// Time budget for all inferences of a job.
    pub timeout: Option<Duration>,
    /// More attempts for infra.
    pub retries: Option<u32>,
}

impl Settings {
    /// Reads the tags of all levels, the farthest (feature) first; a tag nearer the scenario overrides one farther away.
    ///
    /// # Errors
    /// One for each tag that cannot be read, and for two different values at one level; each with the tag it is about.
    pub(crate) fn read(levels: &[&[String]]) -> (Self, Vec<(String, PhraseError)>) {
        let (mut all, mut errors) = (Self::default(), Vec::new());
        for tags in levels {
            let mut here = Self::default();
            for tag in *tags {
                let told = match here.apply(tag) {
                    Ok(Some(other)) => Err(PhraseError::new(format!(
                        "contradictory tags: `@{tag}`, and the same place says `{other}`"
                    ))
                    .help("keep one of them")),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error),
                };
                errors.extend(told.err().map(|error| (tag.clone(), error)));
            }
            all.stage = here.stage.or(all.stage);
            all.timeout = here.timeout.or(all.timeout);
            all.retries = here.retries.or(all.retries);
        }
        (all, errors)
    }

    /// Takes in `tag`; tells what was there before, where that was something else.
    fn apply(&mut self, tag: &str) -> Result<Option<String>, PhraseError> {
        let (key, value) = tag.split_once(['.', ':', '=']).unwrap_or((tag, ""));
        let written_right = value.is_empty() || tag[key.len()..].starts_with('.');
        match key {
            "stage" if written_right => {
                let known = [Stage::Container, Stage::Emulator, Stage::Board];
                let stage = known.into_iter().find(|stage| stage.word() == value).ok_or_else(|| {
                    PhraseError::new(format!("tag `@{tag}` names no stage")).help(mend(
                        value,
                        "stage",
                        &["container", "emulator", "board"],
                    ))
                })?;
                Ok(self.stage.replace(stage).filter(|old| *old != stage).map(|old| format!("@stage.{old}")))
            }
            "timeout" if written_right => {
                let timeout = crate::numbers::duration(value).map_err(|error| {
                    PhraseError::new(format!("tag `@{tag}` tells no time: {error}"))
                        .help("write it like `@timeout.30s` or `@timeout.500ms`")
                })?;
                Ok(self.timeout.replace(timeout).filter(|old| *old != timeout).map(|old| format!("@timeout.{old:?}")))
            }
            "retries" if written_right => {
                let retries = value.parse().map_err(|_| {
                    PhraseError::new(format!("tag `@{tag}` tells no count")).help("write it like `@retries.2`")
                })?;
                Ok(self.retries.replace(retries).filter(|old| *old != retries).map(|old| format!("@retries.{old}")))
            }
            _ if value.is_empty() => Ok(None),
            _ => match suggest::nearest(key, RESERVED.iter().map(|(key, ..)| *key)) {
                Some(near) if strsim::levenshtein(&key.to_lowercase(), near) <= 2 => {
                    Err(PhraseError::new(format!("tag `@{tag}` is close to one with a meaning, and is not it"))
                        .help(format!("did you mean `@{near}.{value}`?")))
                }
                _ => Ok(None),
            },
        }
    }
}

fn mend(value: &str, key: &str, known: &[&str]) -> String {
    match suggest::nearest(value, known.iter().copied()) {
        Some(near) => format!("did you mean `@{key}.{near}`?"),
        None => {
            format!("there is: {}", known.iter().map(|word| format!("@{key}.{word}")).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(levels: &[&str]) -> (Settings, Vec<String>) {
        let levels: Vec<Vec<String>> =
            levels.iter().map(|tags| tags.split_whitespace().map(str::to_owned).collect()).collect();
        let (settings, errors) = Settings::read(&levels.iter().map(Vec::as_slice).collect::<Vec<_>>());
        (
            settings,
            errors
                .into_iter()
                .map(|(_, error)| format!("{error}; {}", error.help.clone().unwrap_or_default()))
                .collect(),
        )
    }

    #[test]
    fn a_tag_nearer_the_scenario_overrides_one_farther_away() {
        let (settings, errors) = read(&["stage.container timeout.30s slow", "stage.emulator retries.2"]);
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(settings.stage, Some(Stage::Emulator));
        assert_eq!(settings.timeout, Some(Duration::from_secs(30)));
        assert_eq!(settings.retries, Some(2));
    }

    #[test]
    fn two_values_of_one_key_at_one_level_contradict_each_other() {
        insta::assert_snapshot!(read(&["stage.container stage.board"]).1.join("\n"),
            @"contradictory tags: `@stage.board`, and the same place says `@stage.container`; keep one of them");
        assert_eq!(read(&["stage.board stage.board"]).1.len(), 0);
    }

    #[test]
    fn a_misspelt_tag_with_a_meaning_is_refused_and_others_are_free() {
        insta::assert_snapshot!(read(&["stage.emulators timeout.abc retries.x stages.board retry.2 timeout jira.123 slow"]).1.join("\n"), @r#"
            tag `@stage.emulators` names no stage; did you mean `@stage.emulator`?
            tag `@timeout.abc` tells no time: `abc` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`; write it like `@timeout.30s` or `@timeout.500ms`
            tag `@retries.x` tells no count; write it like `@retries.2`
            tag `@stages.board` is close to one with a meaning, and is not it; did you mean `@stage.board`?
            tag `@timeout` tells no time: `` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`; write it like `@timeout.30s` or `@timeout.500ms`
        "#);
    }
}
