//! What the columns of a CSV file, or the arrays of an NPZ file, mean: as the options say, or by convention.

use super::{DatasetError, Options, TruthKind};
use crate::suggest;

/// What a name stands for by convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    Expected,
    Label,
    Name,
}

/// Which names play which role, as indices into the names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub inputs: Vec<usize>,
    pub truth: TruthRole,
    pub name: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum TruthRole {
    None,
    Expected(Vec<usize>),
    Label(usize),
}

/// The convention, in words.
pub(super) const CONVENTION: &str =
    "`x…` or `input…` for inputs, `y…` or `expected…` for expected outputs, `label` or `class`, `sample` or `name`";

/// The role of `name` by convention.
pub(super) fn role(name: &str) -> Option<Role> {
    let name = name.to_lowercase();
    let stem =
        name.find(|letter: char| letter.is_ascii_digit() || "_[.".contains(letter)).map_or(&*name, |at| &name[..at]);
    match (stem, name.as_str()) {
        ("x" | "input" | "inputs", _) => Some(Role::Input),
        ("y" | "expected", _) => Some(Role::Expected),
        (_, "label" | "labels" | "class") => Some(Role::Label),
        (_, "sample" | "samples" | "name" | "names") => Some(Role::Name),
        _ => None,
    }
}

/// Finds the roles of `names`, which `place` has as its `kind`: `column` or `array`.
pub(super) fn assign(names: &[String], options: &Options, place: &str, kind: &str) -> Result<Roles, DatasetError> {
    let wrong = |detail: String| DatasetError::Columns { place: place.to_owned(), detail };
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().position(|other| other == name) {
            let (first, second) = (first + 1, index + 1);
            return Err(wrong(format!(
                "the {kind} `{name}` is there twice ({first} and {second}); rename one or leave it out"
            )));
        }
    }
    let find = |wanted: &[String]| -> Result<Vec<usize>, DatasetError> {
        let mut found = Vec::new();
        for pattern in wanted {
            let fits = |name: &str| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern,
            };
            let before = found.len();
            found.extend((0..names.len()).filter(|index| fits(&names[*index])));
            if found.len() == before {
                let mend = suggest::mend(pattern, names.iter().map(String::as_str));
                return Err(wrong(format!("there is no {kind} `{pattern}`, which its manifest names; {mend}")));
            }
        }
        Ok(found)
    };
    let by_role =
        |wanted: Role| (0..names.len()).filter(|index| role(&names[*index]) == Some(wanted)).collect::<Vec<_>>();

    let is_said = options.inputs.is_some() || options.expected.is_some() || options.label.is_some();
    let inputs = match &options.inputs {
        Some(wanted) => find(wanted)?,
        None => by_role(Role::Input),
    };
    let expected = match &options.expected {
        Some(wanted) => find(wanted)?,
        None => by_role(Role::Expected),
    };
    let label = match &options.label {
        Some(wanted) => find(std::slice::from_ref(wanted))?,
        None => by_role(Role::Label),
    };
    let taken = |index: &usize| inputs.contains(index) || expected.contains(index) || label.contains(index);
    if let Some(stray) = (0..names.len()).find(|index| !is_said && !taken(index) && role(&names[*index]).is_none()) {
        let stray = &names[stray];
        let mend = format!("by convention there are {CONVENTION}; rename it, or name the {kind}s in a manifest");
        return Err(wrong(format!("the {kind} `{stray}` means nothing: {mend}")));
    }
    if inputs.is_empty() {
        return Err(wrong(format!(
            "there is no input {kind}; name it `x` or `input`, or say `inputs = [...]` in a manifest"
        )));
    }
    if options.inputs.is_none() {
        check_sequence(&inputs, names).map_err(&wrong)?;
    }
    if options.expected.is_none() {
        check_sequence(&expected, names).map_err(&wrong)?;
    }
    let several = |role: &str, found: &[usize]| {
        let found: Vec<&str> = found.iter().map(|index| names[*index].as_str()).collect();
        wrong(format!("there are several {role} {kind}s: {}; leave one, or name it in a manifest", found.join(", ")))
    };
    let unique = |role: &str, found: &[usize]| match found {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(several(role, found)),
    };
    let name = unique("name", &by_role(Role::Name).into_iter().filter(|index| !taken(index)).collect::<Vec<_>>())?;
    let label = unique("label", &label)?;
    let truth = match (options.truth, expected.is_empty(), label) {
        (Some(TruthKind::None), ..) | (None, true, None) => TruthRole::None,
        (Some(TruthKind::Expected) | None, false, None) | (Some(TruthKind::Expected), false, _) => {
            TruthRole::Expected(expected)
        }
        (Some(TruthKind::Label) | None, true, Some(label)) | (Some(TruthKind::Label), _, Some(label)) => {
            TruthRole::Label(label)
        }
        (Some(TruthKind::Expected), true, _) => {
            return Err(wrong(format!(
                "there is no {kind} of expected outputs, which `truth = \"expected\"` asks for"
            )));
        }
        (Some(TruthKind::Label), _, None) => {
            return Err(wrong(format!("there is no label {kind}, which `truth = \"label\"` asks for")));
        }
        (None, false, Some(_)) => {
            return Err(wrong(
                "there are both expected outputs and labels; say in a manifest which are the truth (`truth = \"label\"` or `\"expected\"`)".to_owned(),
            ));
        }
    };
    Ok(Roles { inputs, truth, name })
}

/// `name` as its stem and the number it ends with, so that `x2` comes before `x10`.
pub(super) fn numbered(name: &str) -> (&str, Option<u64>) {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    match name[stem.len()..].parse() {
        Ok(number) => (stem, Some(number)),
        Err(_) => (name, None),
    }
}

/// Numbered names must count up without a gap, so that no column is missed and none misplaced.
fn check_sequence(indices: &[usize], names: &[String]) -> Result<(), String> {
    for pair in indices.windows(2) {
        let ((stem, first), (other, second)) = (numbered(&names[pair[0]]), numbered(&names[pair[1]]));
        let (Some(first), Some(second)) = (first, second) else { continue };
        let wanted = first.saturating_add(1);
        if stem == other && second != wanted {
            let found = &names[pair[1]];
            if second <= first {
                return Err(format!(
                    "`{stem}{first}` is followed by `{found}`; put them in order, or name them in their order in a manifest"
                ));
            }
            return Err(format!(
                "`{stem}{wanted}` is missing: `{stem}{first}` is followed by `{found}`; add it, or name those that there are in a manifest"
            ));
        }
    }
    Ok(())
}
