//! The plan: everything about a run that can be known before anything runs. Feature files are read in parallel, outlines
//! expanded, filters applied, and every step of every scenario is understood, resolved and checked; all errors are told
//! at once.

mod check;
mod error;
mod feature;
mod latest;
mod quarantine;
#[cfg(test)]
mod tests;

use crate::{lineup::Scope, source};
use check::Context;
pub use error::{PlanError, PlanErrors};
use farm::{Dataset, Library, Model, Quarantine, Stage, TargetId, TargetInfo, Timeouts, events::ScenarioId};
use feature::{Filters, Outcome};
use gherkin::{Feature, Rule, Scenario};
pub use quarantine::QuarantineRule;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What the command line and the configuration ask of a run.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Cucumber tag expression: `@smoke and not @slow`.
    pub tags: Option<String>,
    /// Regular expression that a scenario's name must match somewhere.
    pub name: Option<String>,
    /// Only these stages; empty: all.
    pub stages: Vec<Stage>,
    /// Only these targets; empty: all. Targets that others are compared with run even so.
    pub targets: Vec<String>,
    /// Whether only real boards count as boards: for gates.
    pub require_boards: bool,
    /// Whether the host may stand in where there is no container engine.
    pub stand_in_host: bool,
    /// Time budgets of jobs, where no step or tag says otherwise.
    pub timeouts: Timeouts,
    /// Attempts that infra may cost beyond the first, where no step or tag says otherwise.
    pub retries: u32,
    /// Scenarios that run and do not gate.
    pub quarantines: Vec<QuarantineRule>,
    /// The day, in UTC: a quarantine that ended before it gates again.
    pub today: jiff::civil::Date,
}

/// A sound run, ready to start.
#[derive(Debug)]
pub struct Plan {
    pub(crate) scenarios: Vec<Arc<PlannedScenario>>,
    pub(crate) stand_in_host: bool,
    pub(crate) require_boards: bool,
    pub(crate) targets: Vec<TargetInfo>,
    remarks: Vec<String>,
    files: usize,
}

/// One scenario, resolved.
#[derive(Debug)]
pub struct PlannedScenario {
    /// Which.
    pub id: ScenarioId,
    /// Its tags and those it inherits, without `@`.
    pub tags: Vec<String>,
    /// Its steps, those of backgrounds first.
    pub steps: Vec<PlannedStep>,
    /// Targets that it runs nothing on, maybe, and compares with.
    pub(crate) references: BTreeSet<TargetId>,
    /// Time budgets of its jobs before any step speaks.
    pub timeouts: Timeouts,
    /// Retries of its jobs before any step speaks.
    pub retries: u32,
    /// Whether it is in quarantine, or was until lately.
    pub quarantine: Option<Quarantine>,
    /// The text of its feature file.
    pub(crate) text: Arc<str>,
    /// The feature it belongs to, without scenarios and rules.
    pub(crate) feature: Arc<Feature>,
    /// The rule it belongs to, without scenarios.
    pub(crate) rule: Option<Arc<Rule>>,
    /// As Gherkin has it, placeholders filled in.
    pub(crate) scenario: Scenario,
}

/// One step, resolved.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// As written.
    pub keyword: String,
    /// As written, placeholders filled in.
    pub text: String,
    /// Line in the feature file, from 1.
    pub line: usize,
    /// Where it runs what; `None` for a step that runs nothing.
    pub(crate) run: Option<Arc<PlannedRun>>,
}

/// What a When runs, and where.
#[derive(Debug)]
pub(crate) struct PlannedRun {
    pub model: Arc<Model>,
    pub dataset: Arc<Dataset>,
    pub groups: Vec<crate::lineup::Group>,
}

impl PlannedScenario {
    /// The files and folders that it rests on: its feature, its models and datasets, and the manifests that name them.
    pub fn files(&self, library: &Library) -> BTreeSet<PathBuf> {
        let feature = PathBuf::from(&self.id.path);
        let base = feature.parent().unwrap_or(Path::new("")).to_owned();
        let mut files = BTreeSet::from([feature]);
        for run in self.runs() {
            files.extend(library.files_of_model(&run.model));
            files.extend(library.files_of_dataset(run.dataset.name(), &base));
        }
        files
    }

    /// Whether any of its steps runs on boards, or compares with one of `targets` that is a board.
    pub fn wants_boards(&self, targets: &[TargetInfo]) -> bool {
        let boards = targets.iter().filter(|info| info.stage == Stage::Board);
        self.runs().flat_map(|run| &run.groups).any(|group| group.stage == Stage::Board)
            || boards.into_iter().any(|info| self.references.contains(&info.id))
    }

    fn runs(&self) -> impl Iterator<Item = &PlannedRun> {
        self.steps.iter().filter_map(|step| step.run.as_deref())
    }
}

impl Plan {
    /// Plans the features at `paths` (files, or folders with `.feature` files at any depth). Blocks; reads in parallel.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(
        paths: &[PathBuf],
        options: &PlanOptions,
        library: &Library,
        targets: &[TargetInfo],
    ) -> Result<Self, PlanErrors> {
        let (files, mut errors) = source::discover(paths);
        let filters = match Filters::new(options) {
            Ok(filters) => filters,
            Err(error) => return Err(PlanErrors(vec![*error])),
        };
        for name in options.targets.iter().filter(|name| targets.iter().all(|info| info.id.0 != **name)) {
            let known: Vec<&str> = targets.iter().map(|info| info.id.0.as_str()).collect();
            errors.push(
                PlanError::bare(format!("unknown target `{name}`"))
                    .helped(farm::suggest::mend(name, known.iter().copied())),
            );
        }
        errors.extend(quarantine::absent(&options.quarantines));
        let (stages, names) = (options.stages.clone(), options.targets.clone());
        let scope = Scope { stages, targets: names, require_boards: options.require_boards };
        let context = Context { options, library, targets, scope };
        let outcomes = in_parallel(&files, &context, &filters);

        let (mut scenarios, mut filtered, mut left_out) = (Vec::new(), 0, BTreeMap::<String, usize>::new());
        let mut of_data = BTreeSet::new();
        for outcome in outcomes {
            errors.extend(outcome.errors);
            scenarios.extend(outcome.scenarios);
            filtered += outcome.filtered;
            of_data.extend(outcome.remarks);
            for reason in outcome.left_out {
                *left_out.entry(reason).or_default() += 1;
            }
        }
        let mut told = HashSet::new();
        errors.retain(|error| {
            let (path, line, column, message) = error.key();
            told.insert((path.to_owned(), line, column, message.to_owned()))
        });
        let mut remarks: Vec<String> =
            left_out.iter().map(|(reason, count)| format!("{count} scenario(s) left out: {reason}")).collect();
        if filtered > 0 {
            remarks.insert(0, format!("{filtered} scenario(s) do not match {}", filters.asked()));
        }
        remarks.extend(of_data);
        remarks.extend(scenarios.iter().filter_map(quarantine::expired));
        if errors.is_empty() && scenarios.is_empty() {
            let why =
                if remarks.is_empty() { "the feature files hold no scenario".to_owned() } else { remarks.join("; ") };
            errors.push(PlanError::bare(format!("no scenario to run: {why}")));
        }
        if !errors.is_empty() {
            return Err(PlanErrors(errors));
        }
        let scenarios = uniquely_named(scenarios).into_iter().map(Arc::new).collect();
        Ok(Self {
            scenarios,
            stand_in_host: options.stand_in_host,
            require_boards: options.require_boards,
            targets: targets.to_vec(),
            remarks,
            files: files.len(),
        })
    }

    /// The scenarios to run, in the order of the files.
    pub fn scenarios(&self) -> &[Arc<PlannedScenario>] {
        &self.scenarios
    }

    /// What filters and restrictions left out, in words.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Leaves of the scenarios those for which `keep` says so. There may be none left.
    pub fn retain(&mut self, mut keep: impl FnMut(&PlannedScenario) -> bool) {
        self.scenarios.retain(|scenario| keep(scenario));
    }

    /// How many feature files were read.
    pub fn files(&self) -> usize {
        self.files
    }

    /// The targets that the steps run on; those that others are compared with may come on top.
    pub fn targets(&self) -> BTreeSet<TargetId> {
        let runs = self.scenarios.iter().flat_map(|scenario| &scenario.steps).filter_map(|step| step.run.as_ref());
        runs.flat_map(|run| &run.groups).flat_map(|group| &group.targets).map(|info| info.id.clone()).collect()
    }
}

/// Plans every file, as many at once as there are cores; outcomes in the order of the files.
fn in_parallel(files: &[PathBuf], context: &Context<'_>, filters: &Filters) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(files.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((index, path)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    files.get(index).map(|path| (index, path))
                } {
                    let outcome = feature::plan(path, context, filters);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Reports tell scenarios apart by feature and name, and some keep only the first of two that are equal: those get
/// their line (and, over several files, their path) into the name.
fn uniquely_named(mut scenarios: Vec<PlannedScenario>) -> Vec<PlannedScenario> {
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    for scenario in &scenarios {
        *seen.entry((scenario.id.feature.clone(), scenario.id.name.clone())).or_default() += 1;
    }
    for scenario in &mut scenarios {
        let id = &mut scenario.id;
        if seen.get(&(id.feature.clone(), id.name.clone())).is_some_and(|count| *count > 1) {
            id.name = format!("{} ({}:{})", id.name, id.path, id.line);
        }
    }
    scenarios
}
