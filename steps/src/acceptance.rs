//! The acceptance table: a metric in each row, a bound in each cell, and which targets each column speaks of.

use crate::{
    lineup::Group,
    phrase::{Cell, PhraseError},
};
use farm::{Criterion, Stage, TargetId, TargetInfo, criterion::Metric, suggest};

/// Bounds for every target of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Acceptance {
    columns: Vec<Column>,
    /// For each row, one cell for each column; an empty cell holds no criterion.
    rows: Vec<Vec<Option<Criterion>>>,
}

/// Which targets a column speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    /// All of them.
    Every,
    /// Those of a stage, where they have no bound of their own; a host stands in for the container here, too.
    Stage(Stage),
    /// One, by name.
    Target(String),
}

impl Column {
    fn read(heading: &str) -> Self {
        match heading {
            "bound" => Self::Every,
            "container" => Self::Stage(Stage::Container),
            "host" => Self::Stage(Stage::Host),
            "emulator" => Self::Stage(Stage::Emulator),
            "board" => Self::Stage(Stage::Board),
            name => Self::Target(name.to_owned()),
        }
    }
}

impl Acceptance {
    /// Reads the table below a step; the first row is its heading.
    ///
    /// # Errors
    /// The first thing wrong with it, with the cell it is in.
    pub(crate) fn parse(table: &[Vec<String>]) -> Result<Self, PhraseError> {
        let Some((heading, body)) = table.split_first() else {
            return Err(PhraseError::new("the acceptance table is empty"));
        };
        if heading.first().is_none_or(|first| first != "metric") {
            return Err(PhraseError::new("an acceptance table's first column is `metric`")
                .help("write `| metric | bound |`, or `| metric | container | emulator | board |`")
                .at((0, 0)));
        }
        let mut columns = Vec::new();
        for (index, name) in heading.iter().enumerate().skip(1) {
            let column = Column::read(name);
            if name.is_empty() || columns.contains(&column) {
                let wrong = if name.is_empty() {
                    "a column has no heading".to_owned()
                } else {
                    format!("there are two columns `{name}`")
                };
                return Err(PhraseError::new(wrong).at((0, index)));
            }
            columns.push(column);
        }
        let mut rows = Vec::new();
        for (number, row) in body.iter().enumerate() {
            let metric = row.first().map(String::as_str).unwrap_or_default();
            Metric::parse(metric).map_err(|error| PhraseError::new(error.to_string()).at((number + 1, 0)))?;
            let mut cells = Vec::new();
            for (index, bound) in row.iter().enumerate().skip(1) {
                let cell = if bound.is_empty() {
                    None
                } else {
                    Some(criterion(metric, bound).map_err(|error| error.at((number + 1, index)))?)
                };
                cells.push(cell);
            }
            if cells.iter().all(Option::is_none) {
                return Err(PhraseError::new(format!("the row of `{metric}` holds no bound"))
                    .help("give a bound in at least one column, or take the row out")
                    .at((number + 1, 0)));
            }
            rows.push(cells);
        }
        if rows.is_empty() || columns.is_empty() {
            return Err(PhraseError::new("the acceptance table holds no bound")
                .help("below the heading, write rows like `| mean absolute error | <= 0.05 |`"));
        }
        Ok(Self { columns, rows })
    }

    /// Whether every column speaks of something there is: a stage, or a target among `known`, to which belongs what the
    /// step itself names.
    pub(crate) fn check_columns(&self, known: &[&str]) -> Result<(), PhraseError> {
        for (index, column) in self.columns.iter().enumerate() {
            if let Column::Target(name) = column
                && !known.contains(&name.as_str())
            {
                let stages = ["bound", "container", "emulator", "board", "host"];
                let all: Vec<&str> = stages.into_iter().chain(known.iter().copied()).collect();
                return Err(PhraseError::new(format!("column `{name}` is no stage and no target"))
                    .help(suggest::mend(name, all.iter().copied()))
                    .at((0, index + 1)));
            }
        }
        Ok(())
    }

    /// The first column that speaks of nothing in `groups`.
    pub(crate) fn idle_column(&self, groups: &[Group]) -> Option<(usize, String)> {
        let stages: Vec<Stage> = groups.iter().map(|group| group.stage).collect();
        let named = |name: &String| {
            let here = |group: &Group| {
                group.unknown.as_ref() == Some(name) || group.targets.iter().any(|info| info.id.0 == *name)
            };
            groups.iter().any(here)
        };
        self.columns.iter().enumerate().find_map(|(index, column)| match column {
            Column::Every => None,
            Column::Stage(Stage::Host) if stages.contains(&Stage::Container) => None,
            Column::Stage(stage) => {
                let stands_in = *stage == Stage::Container && stages.contains(&Stage::Host);
                (!stages.contains(stage) && !stands_in).then(|| (index + 1, stage.word().to_owned()))
            }
            Column::Target(name) => (!named(name)).then(|| (index + 1, name.clone())),
        })
    }

    /// The criteria for a target, in the table's order, each with its cell. A cell in the target's own column stands in
    /// place of its stage's; an empty one does not, or a column for one bound would drop all others.
    pub(crate) fn criteria(&self, target: &TargetInfo) -> impl Iterator<Item = (&Criterion, Cell)> {
        let of = |column: Column| self.columns.iter().position(|known| *known == column);
        let host = if target.stage == Stage::Host { of(Column::Stage(Stage::Container)) } else { None };
        let nearest = [of(Column::Target(target.id.0.clone())), of(Column::Stage(target.stage)), host];
        let every = of(Column::Every);
        self.rows.iter().enumerate().flat_map(move |(number, row)| {
            let cell = move |column: usize| Some((row.get(column)?.as_ref()?, (number + 1, column + 1)));
            every.and_then(cell).into_iter().chain(nearest.into_iter().flatten().find_map(cell))
        })
    }

    /// Whether `target` is judged by what is in `cell`.
    pub(crate) fn judges(&self, cell: Cell, target: &TargetInfo) -> bool {
        self.criteria(target).any(|(criterion, other)| other == cell && !criterion.compares_with_itself(target))
    }

    /// The criteria that `target` is judged by: of those for several targets, a comparison leaves out the one it is with.
    pub(crate) fn judged_on(&self, target: &TargetInfo) -> impl Iterator<Item = &Criterion> {
        let all = self.criteria(target).map(|(criterion, _)| criterion);
        all.filter(|criterion| !criterion.compares_with_itself(target))
    }

    /// Whether a bound is for what is in `group`: for one of its targets, for a host in the container's stead, or for a
    /// stage that the farm knows no target of.
    pub(crate) fn is_for(&self, group: &Group) -> bool {
        group.targets.iter().chain(&group.simulated).any(|info| self.judged_on(info).next().is_some())
            || group.unknown.clone().is_some_and(|name| self.has_bound(&Column::Target(name)))
            || (group.targets.is_empty() && self.has_bound(&Column::Every))
            || self.binds(group.stage)
            || (group.stage == Stage::Container && self.binds(Stage::Host))
    }

    /// Whether a column speaks of `target` by name, with a bound.
    pub(crate) fn names(&self, target: &TargetId) -> bool {
        self.has_bound(&Column::Target(target.0.clone()))
    }

    /// Whether any column speaks of `stage` with a bound.
    pub(crate) fn binds(&self, stage: Stage) -> bool {
        self.has_bound(&Column::Stage(stage))
    }

    fn has_bound(&self, column: &Column) -> bool {
        let at = self.columns.iter().position(|known| known == column);
        at.is_some_and(|at| self.rows.iter().any(|row| row.get(at).is_some_and(Option::is_some)))
    }
}

/// A criterion, or what is wrong with it.
pub(crate) fn criterion(metric: &str, bound: &str) -> Result<Criterion, PhraseError> {
    Criterion::parse(metric, bound).map_err(|error| PhraseError::new(error.to_string()))
}
