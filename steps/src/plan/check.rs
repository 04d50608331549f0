//! One scenario's steps, walked through as the run will walk them, without running anything.

use super::{
    PlanError, PlanOptions, PlannedRun,
    latest::{Latest, Ran},
};
use crate::{
    acceptance::Acceptance,
    action::{Action, DatasetRef, Place, Run},
    catalogue,
    lineup::{self, Group, NoLineup, Scope},
    phrase::{Cell, PhraseError},
    source::SourceFile,
    tags::Settings,
};
use farm::{Criterion, Dataset, Digest, Library, Model, TargetId, TargetInfo, dataset::DatasetSource};
use gherkin::Step;
use std::{collections::BTreeSet, ops::Range, path::Path, sync::Arc};

/// What every scenario is checked against.
pub(super) struct Context<'a> {
    pub options: &'a PlanOptions,
    pub library: &'a Library,
    pub targets: &'a [TargetInfo],
    pub scope: Scope,
}

/// What came of a scenario's walk.
#[derive(Default)]
pub(super) struct Checked {
    pub errors: Vec<PlanError>,
    /// For each step, what it runs.
    pub runs: Vec<Option<Arc<PlannedRun>>>,
    /// Why the run's stages or targets leave this scenario out.
    pub left_out: Option<String>,
    /// What to know of the data.
    pub remarks: Vec<String>,
    /// Targets that evidence is compared with.
    pub references: BTreeSet<TargetId>,
}

/// Something that steps name: one that could not be found has been complained of already.
enum Named<T> {
    NotYet,
    Bad,
    Good(T),
}

struct Walk<'a> {
    context: &'a Context<'a>,
    file: &'a SourceFile,
    settings: Settings,
    example: Option<usize>,
    model: Named<Arc<Model>>,
    dataset: Named<(DatasetRef, usize)>,
    latest: Latest,
    /// Boards that steps have named, known here or not.
    boards: Vec<String>,
    checked: Checked,
}

/// Walks through `steps`; `example` is the line of the row that filled them, in an outline.
pub(super) fn walk(
    context: &Context<'_>,
    file: &SourceFile,
    steps: &[Step],
    settings: Settings,
    example: Option<usize>,
) -> Checked {
    let mut walk = Walk {
        context,
        file,
        settings,
        example,
        model: Named::NotYet,
        dataset: Named::NotYet,
        latest: Latest::Nothing,
        boards: Vec::new(),
        checked: Checked::default(),
    };
    for (index, step) in steps.iter().enumerate() {
        let run = match catalogue::parse(step) {
            Ok(action) => walk.step(action, index, steps),
            Err(error) => {
                // What follows should not be blamed for what this step would have done.
                match step.ty {
                    gherkin::StepType::Given => walk.subject_unknown(),
                    gherkin::StepType::When => walk.latest = Latest::Unknown,
                    gherkin::StepType::Then => walk.asserted(),
                }
                walk.wrong(step, error);
                None
            }
        };
        walk.checked.runs.push(run);
    }
    if let Some(last) = steps.last() {
        walk.tried_unasserted(steps);
        if matches!(walk.latest, Latest::Nothing) {
            walk.wrong(
                last,
                PhraseError::new("nothing runs in this scenario")
                    .help("add a step like `When it runs on the container`"),
            );
        }
    }
    walk.checked
}

impl Walk<'_> {
    fn step(&mut self, action: Action, index: usize, steps: &[Step]) -> Option<Arc<PlannedRun>> {
        let step = &steps[index];
        match action {
            Action::Subject { model, dataset, .. } => {
                if let Some(name) = model {
                    self.model = match self.context.library.model(&name, self.base()) {
                        Ok(model) => Named::Good(model),
                        Err(error) => {
                            self.wrong(step, PhraseError::new(chain(&error)));
                            Named::Bad
                        }
                    };
                }
                if let Some(dataset) = dataset {
                    self.dataset = Named::Good((dataset, index));
                }
            }
            Action::ArenaLimit(_) | Action::TimeLimit(_) | Action::Retries(_) => {}
            Action::Run(run) => {
                self.tried_unasserted(steps);
                return self.run(&run, index, steps);
            }
            Action::Judge(criteria) => {
                if let Some(ran) = self.evidence(step) {
                    if criteria.iter().any(|criterion| ran.leaves_nothing_of(criterion)) {
                        let reason = "it compares targets that were not asked for with one that was";
                        self.checked.left_out.get_or_insert_with(|| reason.to_owned());
                        return None;
                    }
                    let references = criteria.iter().filter_map(Criterion::reference);
                    self.checked.references.extend(references.map(TargetId::from));
                    let wrong = criteria.iter().find_map(|criterion| self.unsound_anywhere(criterion, &ran));
                    wrong.into_iter().for_each(|error| self.wrong(step, error));
                }
            }
            Action::NotWorse(wanted) => {
                if let Some(ran) = self.evidence(step)
                    && let Some(error) =
                        ran.targets.iter().find_map(|info| wanted.check(info, &ran.model, &ran.dataset).err())
                {
                    self.wrong(step, error);
                }
            }
            Action::Outputs(expected) => {
                if let Some(ran) = self.evidence(step)
                    && let Err(error) = expected.check(&ran.model, &ran.dataset)
                {
                    self.wrong(step, error);
                }
            }
            Action::FailsBecause(_) | Action::DoesNotFit => match &self.latest {
                Latest::Nothing => self.too_early(step),
                Latest::Known(Ran { tried: None, .. }) => self.wrong(
                    step,
                    PhraseError::new("a fail is wanted, and `it runs on` ends the scenario with the job's fail")
                        .help("write `it is tried on` instead of `it runs on`"),
                ),
                _ => self.asserted(),
            },
        }
        None
    }

    fn run(&mut self, run: &Run, index: usize, steps: &[Step]) -> Option<Arc<PlannedRun>> {
        let step = &steps[index];
        self.latest = Latest::Unknown;
        let missing = match (&self.model, &self.dataset) {
            (Named::NotYet, Named::NotYet) => Some("no model and no dataset"),
            (Named::NotYet, _) => Some("no model"),
            (_, Named::NotYet) => Some("no dataset"),
            _ => None,
        };
        if let Some(missing) = missing {
            let help = "before this step, say `Given the model \"…\" and the dataset \"…\"`";
            self.wrong(step, PhraseError::new(format!("there is {missing} to run yet")).help(help));
        }
        let (known, tag) = (self.context.targets, self.settings.stage);
        self.boards.extend(run.place.named_board().map(str::to_owned));
        let groups = match lineup::lineup(&run.place, known, &self.context.scope, tag) {
            Ok(groups) => groups,
            Err(NoLineup::LeftOut(reason)) => {
                self.checked.left_out.get_or_insert(reason);
                return None;
            }
            Err(NoLineup::Wrong(error)) => {
                self.wrong(step, error);
                return None;
            }
        };
        let unrestricted =
            lineup::lineup(&run.place, known, &self.context.scope.unrestricted(), tag).unwrap_or_default();
        for group in groups.iter().filter(|group| group.targets.is_empty()) {
            if let Some(missing) = &group.missing
                && (self.context.scope.require_boards || !matches!(run.place, Place::Stages { .. }))
            {
                self.checked.remarks.push(format!("scenarios will be blocked: {missing}"));
            }
        }
        if let Some(table) = &run.accepted_by {
            if let Err(error) = self.columns(table, run) {
                self.wrong(step, error);
                return None;
            }
            if !groups.iter().any(|group| table.is_for(group)) {
                if unrestricted.iter().any(|group| table.is_for(group)) {
                    let reason = "no bound of its table is for what was asked for";
                    self.checked.left_out.get_or_insert_with(|| reason.to_owned());
                } else {
                    let help = "give one, or take the tag away that restricts the stages";
                    self.wrong(
                        step,
                        PhraseError::new("no bound of this table is for what this step runs on").help(help),
                    );
                }
                return None;
            }
        }
        let (model, dataset) = self.subject(steps)?;
        let targets_of = |groups: &[Group]| groups.iter().flat_map(|group| group.targets.clone()).collect();
        let (targets, unrestricted) = (targets_of(&groups), targets_of(&unrestricted));
        let ran = Ran { targets, unrestricted, model, dataset, tried: run.tried.then_some(index) };
        if let Some(table) = &run.accepted_by {
            let mut errors: Vec<(Cell, PhraseError)> = Vec::new();
            for info in &ran.targets {
                for (criterion, cell) in table.criteria(info) {
                    let known = errors.iter().any(|(other, _)| *other == cell);
                    let for_others = || ran.unrestricted.iter().any(|other| table.judges(cell, other));
                    let left_out = criterion.compares_with_itself(info) && for_others();
                    if !known
                        && !left_out
                        && let Err(error) = self.unsound(criterion, info, &ran)
                    {
                        errors.push((cell, error.at(cell)));
                    }
                }
            }
            errors.into_iter().for_each(|(_, error)| self.wrong(step, error));
        }
        let planned = PlannedRun { model: Arc::clone(&ran.model), dataset: Arc::clone(&ran.dataset), groups };
        self.latest = Latest::Known(ran);
        Some(Arc::new(planned))
    }

    /// Every column must speak of something that this step runs on, whatever the options leave of it.
    fn columns(&self, table: &Acceptance, run: &Run) -> Result<(), PhraseError> {
        table.check_columns(&self.known().collect::<Vec<_>>())?;
        let all = match lineup::lineup(&run.place, self.context.targets, &Scope::default(), None) {
            Ok(groups) => groups,
            Err(_) => return Ok(()),
        };
        match table.idle_column(&all) {
            Some((column, name)) => {
                Err(PhraseError::new(format!("column `{name}` says nothing here: this step does not run there"))
                    .help("take the column out, or run on `every stage`")
                    .at((0, column)))
            }
            None => Ok(()),
        }
    }

    /// Every target by name: those of this farm, and the boards that steps have named.
    fn known(&self) -> impl Iterator<Item = &str> {
        let boards = self.boards.iter().map(String::as_str);
        self.context.targets.iter().map(|info| info.id.0.as_str()).chain(boards)
    }

    /// Model and dataset of a run; what is wrong with the dataset is said where it is named.
    fn subject(&mut self, steps: &[Step]) -> Option<(Arc<Model>, Arc<Dataset>)> {
        let (Named::Good(model), Named::Good((dataset, named))) = (&self.model, &self.dataset) else { return None };
        let (model, named) = (Arc::clone(model), *named);
        let found = match dataset {
            DatasetRef::Named(name) => {
                self.context.library.dataset(name, self.base(), &model).map_err(|error| chain(&error))
            }
            DatasetRef::Inline(text) => {
                // By what it holds: its history outlives an edit above it, and no other feature's is mixed in.
                let name = format!("inline {}", &Digest::of(text.as_bytes()).short()[..8]);
                Dataset::load(&name, &DatasetSource::inline_csv(text), &model)
                    .map(Arc::new)
                    .map_err(|error| chain(&error))
            }
        };
        match found {
            Ok(dataset) => {
                let told =
                    |warning: &String| format!("dataset `{}` for model `{}`: {warning}", dataset.name(), model.name());
                self.checked.remarks.extend(dataset.warnings().iter().map(told));
                Some((model, dataset))
            }
            Err(error) => {
                self.dataset = Named::Bad;
                self.wrong(&steps[named], PhraseError::new(error));
                None
            }
        }
    }

    /// Whether `criterion` can be judged on `info` at all.
    fn unsound(&self, criterion: &Criterion, info: &TargetInfo, ran: &Ran) -> Result<(), PhraseError> {
        if let Some(reference) = criterion.reference()
            && self.known().all(|known| known != reference)
        {
            return Err(PhraseError::unknown("target", reference, self.known().collect::<Vec<_>>()));
        }
        criterion.check(info, &ran.model, &ran.dataset).map_err(|error| PhraseError::new(error.to_string()))
    }

    /// The first thing wrong with judging the latest run by `criterion`. A comparison leaves out the target that it is
    /// with, unless that is all there is.
    fn unsound_anywhere(&self, criterion: &Criterion, ran: &Ran) -> Option<PhraseError> {
        let others = ran.targets.iter().any(|info| !criterion.compares_with_itself(info));
        let judged = ran.targets.iter().filter(|info| !others || !criterion.compares_with_itself(info));
        judged.into_iter().find_map(|info| self.unsound(criterion, info, ran).err())
    }

    /// The latest run's evidence, for a Then to judge.
    fn evidence(&mut self, step: &Step) -> Option<Ran> {
        match &self.latest {
            Latest::Nothing => {
                self.too_early(step);
                None
            }
            Latest::Known(Ran { tried: Some(_), .. }) | Latest::Asserted => {
                self.wrong(
                    step,
                    PhraseError::new("what was only tried is expected to fail, and leaves no evidence to judge")
                        .help("write `it runs on`, or say `it fails because \"…\"`"),
                );
                // Said once is enough: neither this nor the missing wish is to be told again.
                self.latest = Latest::Unknown;
                None
            }
            Latest::Unknown => None,
            Latest::Known(ran) => Some(ran.clone()),
        }
    }

    fn too_early(&mut self, step: &Step) {
        self.latest = Latest::Unknown;
        self.wrong(
            step,
            PhraseError::new("nothing has run before this step")
                .help("before it, add a step like `When it runs on the container`"),
        );
    }

    fn asserted(&mut self) {
        if matches!(self.latest, Latest::Known(Ran { tried: Some(_), .. }) | Latest::Unknown) {
            self.latest = Latest::Asserted;
        }
    }

    fn subject_unknown(&mut self) {
        if matches!(self.model, Named::NotYet) {
            self.model = Named::Bad;
        }
        if matches!(self.dataset, Named::NotYet) {
            self.dataset = Named::Bad;
        }
    }

    fn tried_unasserted(&mut self, steps: &[Step]) {
        if let Latest::Known(Ran { tried: Some(index), .. }) = self.latest {
            self.wrong(
                &steps[index],
                PhraseError::new("it is tried here, and no step says which fail is wanted")
                    .help("let `Then it fails because \"…\"` or `Then it does not fit` follow"),
            );
        }
    }

    /// Paths in steps are relative to the feature file.
    fn base(&self) -> &Path {
        self.file.path.parent().unwrap_or(Path::new("."))
    }

    fn wrong(&mut self, step: &Step, error: PhraseError) {
        let place = error.cell.and_then(|cell| self.cell(step, cell)).unwrap_or_else(|| {
            let (line, _) = self.file.position(step.span.start);
            self.file.line(line)
        });
        let error = PlanError::phrase(error).at(self.file, place);
        let error = match self.example {
            Some(line) => error.labelled(format!("with the example in line {line}")),
            None => error,
        };
        self.checked.errors.push(error);
    }

    fn cell(&self, step: &Step, (row, column): Cell) -> Option<Range<usize>> {
        let table = step.table.as_ref()?;
        let line = *self.file.table_rows(table.span.start, table.rows.len()).get(row)?;
        self.file
            .cells(line)
            .get(column)
            .cloned()
            .filter(|range| !range.is_empty())
            .or_else(|| Some(self.file.line(line)))
    }
}

/// An error and what is behind it, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
