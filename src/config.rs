//! `tinyfarm.toml`: where things are and what holds unless the command line says otherwise.
//!
//! The file at the root of this repository names every key with its default; a test keeps it so.

use boards::{
    health::{self, Policy},
    lease::{self, Leases},
};
use farm::{
    Timeouts,
    quantity::{Quantity, Unit},
    scheduler::SchedulerOptions,
    suggest,
};
use jiff::civil::Date;
use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use steps::plan::QuarantineRule;

/// The name that is looked for.
pub const FILE_NAME: &str = "tinyfarm.toml";

/// The whole configuration. Relative paths are relative to the folder of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Feature files, or folders of them, that run where the command line names none.
    pub features: Vec<PathBuf>,
    /// Folders whose manifests (`*.toml`) name models and datasets.
    pub models: Vec<PathBuf>,
    /// Folder for what is built once and used again.
    pub cache: PathBuf,
    /// How many emulators run at once; 0: one for each core.
    pub jobs: usize,
    /// How many more attempts a job gets after an infra fault.
    pub retries: u32,
    /// The time budget of each attempt of a job.
    pub timeouts: TimeoutsConfig,
    /// The container stage.
    pub container: ContainerConfig,
    /// The runner in container and host.
    pub runner: RunnerConfig,
    /// QEMU.
    pub qemu: QemuConfig,
    /// Renode.
    pub renode: RenodeConfig,
    /// The board stage.
    pub boards: BoardsConfig,
    /// The ledger.
    pub ledger: LedgerConfig,
    /// Baselines.
    pub baselines: BaselinesConfig,
    /// What `run --since` takes for a change of everything.
    pub since: SinceConfig,
    /// The nightly sweep.
    pub nightly: NightlyConfig,
    /// Scenarios that run and do not gate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<QuarantineConfig>,
    /// The file all this is from; `None` where there is none.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// `[timeouts]`, as people write durations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// Take the target, load runner and model, shake hands.
    pub open: Span,
    /// All inferences of the job.
    pub infer: Span,
    /// Give the target back.
    pub close: Span,
    /// Before an attempt and on top of its budget: wait for a board that another process has.
    pub wait: Span,
}

/// `[container]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerConfig {
    /// Where no container engine is to be had, let a process of the host stand in, named `host`.
    pub stand_in_host: bool,
    /// Jobs at once in the container; 0: one for each core.
    pub connections: usize,
    /// Address on which the container's port is published.
    pub publish: IpAddr,
}

/// `[runner]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunnerConfig {
    /// A runner of one's own that container and host start in place of the one the farm builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// `[qemu]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QemuConfig {
    /// The emulator's program; without it, `qemu-system-arm` on PATH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// `[renode]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RenodeConfig {
    /// Renode's program, or the folder of a portable build, or `image:TAG` for its container; without it, what the environment
    /// variable `RENODE` names, or `renode` on PATH, or what is unpacked in `renode` in the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// `[boards]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoardsConfig {
    /// Folders of definitions; the one that is meant by default need not be there.
    pub folders: Vec<PathBuf>,
    /// Folder of the simulated boards; without it, `bench` in the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bench: Option<PathBuf>,
    /// Folder that keeps each board's history; without it, one in the user's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// Folder of the leases; without it, the one that all users of the machine share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<PathBuf>,
    /// As many infra faults in a row have a board recovered and checked, and quarantined if the check fails.
    pub quarantine_after: u32,
    /// When a board in quarantine is checked again; each further time after twice as long.
    pub recheck_after: Span,
}

/// `[ledger]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// The file that keeps the history of runs.
    pub file: PathBuf,
}

/// `[baselines]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselinesConfig {
    /// What a run on one of these branches measured is accepted, if all of it passed and no file differs from the commit.
    pub branches: Vec<String>,
}

/// `[since]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinceConfig {
    /// Files, and folders with all that is in them, whose change touches every scenario.
    pub everything: Vec<PathBuf>,
}

impl Default for SinceConfig {
    fn default() -> Self {
        Self { everything: vec!["firmware".into(), "Cargo.lock".into()] }
    }
}

/// `[nightly]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NightlyConfig {
    /// Where a summary is sent at the end, as a POST of JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
}

/// `[[quarantine]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineConfig {
    /// The feature file.
    pub feature: PathBuf,
    /// The scenario's name; without it, every scenario of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Who sees to it that it is mended.
    pub owner: Said,
    /// Why it does not gate.
    pub reason: Said,
    /// The last day on which it does not gate, in UTC: `"2026-12-31"`.
    #[serde(deserialize_with = "day")]
    pub until: Date,
}

/// A day as people write it, with quotes or without.
fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a day is wanted: write it like \"2026-12-31\"")]
    enum Written {
        Text(String),
        Toml(toml::value::Datetime),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Toml(date) => date.to_string(),
    };
    // A time of day would be passed over.
    if text.len() > "2026-12-31".len() {
        return Err(serde::de::Error::custom(format!("`{text}` is no day: write it like \"2026-12-31\"")));
    }
    let wrong = |_| serde::de::Error::custom(format!("`{text}` is no day: write it like \"2026-12-31\""));
    text.parse().map_err(wrong)
}

/// Text that says something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Said(pub String);

impl TryFrom<String> for Said {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.trim().is_empty() { Err("it must say something") } else { Ok(Self(text)) }
    }
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { file: "ledger.sqlite".into() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            features: vec!["features".into()],
            models: vec!["models".into()],
            cache: ".tinyfarm".into(),
            jobs: 0,
            retries: 2,
            timeouts: TimeoutsConfig::default(),
            container: ContainerConfig::default(),
            runner: RunnerConfig::default(),
            qemu: QemuConfig::default(),
            renode: RenodeConfig::default(),
            boards: BoardsConfig::default(),
            ledger: LedgerConfig::default(),
            baselines: BaselinesConfig::default(),
            since: SinceConfig::default(),
            nightly: NightlyConfig::default(),
            quarantine: Vec::new(),
            file: None,
        }
    }
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        let Timeouts { open, infer, close } = Timeouts::default();
        let wait = SchedulerOptions::default().wait_timeout;
        Self { open: Span(open), infer: Span(infer), close: Span(close), wait: Span(wait) }
    }
}

impl Default for ContainerConfig {
    fn default() -> Self {
        Self { stand_in_host: false, connections: 0, publish: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }
}

impl Default for BoardsConfig {
    fn default() -> Self {
        let Policy { quarantine_after, recheck_after, .. } = Policy::default();
        Self {
            folders: vec!["boards".into()],
            bench: None,
            state: None,
            leases: None,
            quarantine_after,
            recheck_after: Span(recheck_after),
        }
    }
}

impl From<&TimeoutsConfig> for Timeouts {
    fn from(config: &TimeoutsConfig) -> Self {
        Self { open: config.open.0, infer: config.infer.0, close: config.close.0 }
    }
}

/// A time as people write it: `"30 s"`, `"500 ms"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is not a time: write it like `30 s` or `500 ms`");
        let time = Quantity::parse(text).ok().filter(|time| time.unit() == Unit::Seconds).ok_or_else(wanted)?;
        let time = Duration::try_from_secs_f64(time.value()).map_err(|_| wanted())?;
        if time.is_zero() { Err(format!("`{text}` leaves no time at all")) } else { Ok(Self(time)) }
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.subsec_millis() {
            0 => serializer.collect_str(&format_args!("{} s", self.0.as_secs())),
            _ => serializer.collect_str(&format_args!("{} ms", self.0.as_millis())),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It says something that is not understood.
    #[error("the configuration is wrong: {message}")]
    Wrong {
        /// What.
        message: String,
        /// The mend.
        #[help]
        help: Option<String>,
        /// The file.
        #[source_code]
        file: Arc<NamedSource<String>>,
        /// Where.
        #[label("here")]
        span: Option<SourceSpan>,
    },
}

impl Config {
    /// The configuration in `file`, or in the nearest [`FILE_NAME`] from `from` upwards, or the defaults with paths
    /// relative to `from`.
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read or understood.
    pub fn find(file: Option<&Path>, from: &Path) -> Result<Self, ConfigError> {
        let nearest = || from.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file());
        match file.map(|path| from.join(path)).or_else(nearest) {
            Some(path) => Self::load(&path),
            None => {
                let mut config = Self::default().based_at(from);
                // Nobody asked for this folder, so it need not be there.
                config.models.retain(|folder| folder.is_dir());
                Ok(config)
            }
        }
    }

    fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text, &path.display().to_string())?;
        config.file = Some(path.to_owned());
        Ok(config.based_at(path.parent().unwrap_or(Path::new("."))))
    }

    fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let message = error.message().to_owned();
            ConfigError::Wrong {
                help: unknown_key(&message),
                message,
                file: Arc::new(NamedSource::new(name, without_secrets(text)).with_language("toml")),
                span: error.span().map(SourceSpan::from),
            }
        })
    }

    fn based_at(mut self, folder: &Path) -> Self {
        let base = |path: &mut PathBuf| *path = folder.join(&*path);
        self.features.iter_mut().for_each(base);
        self.models.iter_mut().for_each(base);
        base(&mut self.cache);
        base(&mut self.ledger.file);
        self.since.everything.iter_mut().for_each(base);
        self.quarantine.iter_mut().map(|rule| &mut rule.feature).for_each(base);
        self.runner.program.iter_mut().for_each(base);
        let by_default = self.boards.folders == BoardsConfig::default().folders;
        self.boards.folders.iter_mut().for_each(base);
        // A project without boards has no such folder.
        self.boards.folders.retain(|folder| !by_default || folder.is_dir());
        [&mut self.boards.bench, &mut self.boards.state, &mut self.boards.leases].into_iter().flatten().for_each(base);
        let programs = [&mut self.qemu.program, &mut self.renode.program].into_iter().flatten();
        // A bare name is looked up on PATH.
        programs.filter(|path| path.components().count() > 1).for_each(base);
        self
    }
}

/// The text as it may be shown around an error: without the addresses of webhooks, which may hold a secret. Places in it
/// stay what they are.
fn without_secrets(text: &str) -> String {
    let hide = |line: &str| match line.split_once('=') {
        Some((key, value)) if key.trim().trim_matches('"').ends_with("webhook") => {
            let end = value.len() - value.trim_end().len();
            format!("{key}={}{}", "*".repeat(value.len() - end), &value[value.len() - end..])
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(hide).collect()
}

/// The mend for a key that is not known, read from serde's message, which lists those that are.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    Some(suggest::mend(unknown, names.collect::<Vec<_>>().iter().copied()))
}

impl Config {
    /// How many emulators run at once.
    pub fn jobs(&self) -> usize {
        or_cores(self.jobs)
    }

    /// The folder of the simulated boards.
    pub fn bench(&self) -> PathBuf {
        self.boards.bench.clone().unwrap_or_else(|| self.cache.join("bench"))
    }

    /// The folder that keeps each board's history.
    pub fn state(&self) -> PathBuf {
        self.boards.state.clone().unwrap_or_else(health::default_folder)
    }

    /// The leases of this machine.
    pub fn leases(&self) -> Leases {
        Leases::new(self.boards.leases.clone().unwrap_or_else(lease::default_folder))
    }

    /// When boards are recovered, checked and quarantined.
    pub fn policy(&self) -> Policy {
        Policy {
            quarantine_after: self.boards.quarantine_after,
            recheck_after: self.boards.recheck_after.0,
            ..Policy::default()
        }
    }

    /// Which scenarios are in quarantine.
    pub fn quarantines(&self) -> Vec<QuarantineRule> {
        let nightly = crate::command::nightly::feature_file(self);
        let rule = |rule: &QuarantineConfig| QuarantineRule {
            feature: rule.feature.clone(),
            scenario: rule.scenario.clone(),
            owner: rule.owner.0.clone(),
            reason: rule.reason.0.clone(),
            until: rule.until,
            generated: rule.feature == nightly,
        };
        self.quarantine.iter().map(rule).collect()
    }

    /// How many jobs run at once in the container.
    pub fn connections(&self) -> usize {
        or_cores(self.container.connections)
    }
}

fn or_cores(count: usize) -> usize {
    match count {
        0 => cores(),
        count => count,
    }
}

/// How many cores this machine has.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The shipped file with the keys that are commented out because they have no default put in.
    fn shipped() -> String {
        let keys = ["program", "bench", "state", "leases", "webhook"];
        let text = include_str!("../tinyfarm.toml").to_owned();
        keys.iter().fold(text, |text, key| text.replace(&format!("# {key} ="), &format!("{key} =")))
    }

    #[test]
    fn an_error_shows_the_lines_around_it_without_the_webhooks_address() {
        let text = "[nightly]\nwebhook = \"https://example.org/sécret\" # ours\nwebhok = 1\n";
        let ConfigError::Wrong { file, span, .. } = Config::parse(text, FILE_NAME).unwrap_err() else { panic!() };
        assert!(!file.inner().contains("example.org") && file.inner().contains("webhok = 1"), "{}", file.inner());
        let span = span.unwrap();
        assert_eq!(&file.inner()[span.offset()..span.offset() + span.len()], "webhok");
    }

    #[test]
    fn a_day_is_written_with_quotes_or_without_and_never_with_a_time() {
        let day = |until: &str| {
            let rule = "[[quarantine]]\nfeature = \"a.feature\"\nowner = \"a\"\nreason = \"b\"\n";
            Config::parse(&format!("{rule}until = {until}\n"), FILE_NAME)
                .map(|config| config.quarantine[0].until.to_string())
        };
        assert_eq!(
            (day("2026-12-31").unwrap(), day("\"2026-12-31\"").unwrap()),
            ("2026-12-31".into(), "2026-12-31".into())
        );
        for wrong in ["2026-12-31T23:00:00+14:00", "\"2026-12-31T23:00:00+14:00\"", "7", "\"tomorrow\""] {
            let error = day(wrong).unwrap_err().to_string();
            assert!(error.contains("write it like \"2026-12-31\""), "{error}");
        }
    }

    #[test]
    fn the_shipped_file_names_every_key_with_its_default() {
        let config = Config::parse(include_str!("../tinyfarm.toml"), FILE_NAME).unwrap();
        assert_eq!(config, Config::default());
        let full = Config {
            runner: RunnerConfig { program: Some("x".into()) },
            qemu: QemuConfig { program: Some("x".into()) },
            renode: RenodeConfig { program: Some("x".into()) },
            nightly: NightlyConfig { webhook: Some("x".into()) },
            boards: BoardsConfig {
                bench: Some("x".into()),
                state: Some("x".into()),
                leases: Some("x".into()),
                ..BoardsConfig::default()
            },
            ..Config::default()
        };
        let said: toml::Table = shipped().parse().unwrap();
        let known = toml::Table::try_from(full).unwrap();
        for (key, value) in &known {
            let keys = |value: Option<&toml::Value>| {
                value.and_then(toml::Value::as_table).map(|table| table.keys().cloned().collect::<Vec<_>>())
            };
            assert!(said.contains_key(key), "{key} is not in {FILE_NAME}");
            assert_eq!(keys(said.get(key)), keys(Some(value)), "in [{key}]");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let error = Config::parse("featurs = []", FILE_NAME).unwrap_err();
        let ConfigError::Wrong { help, span, .. } = error else { panic!("{error}") };
        assert_eq!(help.as_deref(), Some("did you mean `features`?"));
        assert_eq!(span.unwrap().offset(), 0);
    }

    #[test]
    fn a_time_without_a_unit_or_of_nothing_is_refused() {
        assert!("30".parse::<Span>().is_err());
        assert!("0 s".parse::<Span>().is_err());
        assert_eq!("1.5 s".parse(), Ok(Span(Duration::from_millis(1500))));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), "models = [\"m\"]").unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(Config::find(None, &deep).unwrap().models, [folder.path().join("m")]);
    }
}
