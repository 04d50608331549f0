//! Class names and indices.

use super::{
    DatasetError, Options,
    gather::{counted, tensors},
};
use crate::{Model, suggest};

/// The classes of a dataset, in the order of the model's output elements.
pub(super) struct Classes {
    names: Vec<String>,
    named: bool,
}

pub(super) fn wrong_class_count(found: usize, model: &Model) -> String {
    format!(
        "{} where model {} gives {} ({}); name one class for each, in order, or say `truth = \"none\"`",
        counted(found, "class"),
        model.name(),
        counted(model.output_elements(), "value"),
        tensors(model.outputs())
    )
}

impl Classes {
    /// Those of the options, or one for each output element of `model`, called by its index.
    pub fn of(options: &Options, model: &Model, place: &str) -> Result<Self, DatasetError> {
        let Some(names) = &options.classes else {
            return Ok(Self {
                names: (0..model.output_elements()).map(|index| index.to_string()).collect(),
                named: false,
            });
        };
        let wrong = |detail| Err(DatasetError::Options { place: place.to_owned(), detail });
        if names.len() != model.output_elements() {
            return wrong(wrong_class_count(names.len(), model));
        }
        let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
        match twice {
            Some((_, name)) => wrong(format!("the class `{name}` is named twice; name each class once")),
            None => Ok(Self { names: names.clone(), named: true }),
        }
    }

    /// The index of the class that `text`, found at `place`, names or counts.
    pub fn index(&self, text: &str, place: impl Fn() -> String) -> Result<usize, DatasetError> {
        let wrong = |detail| Err(DatasetError::Label { place: place(), detail });
        if let Some(index) = self.names.iter().position(|name| name == text) {
            return Ok(index);
        }
        match text.parse::<i64>() {
            Ok(number) => self.check(number, place),
            Err(_) if text.is_empty() => wrong("the class is missing; give its name or its index".to_owned()),
            Err(_) if self.named => {
                let mend = suggest::mend(text, self.names.iter().map(String::as_str));
                wrong(format!("`{text}` is none of the classes; {mend}"))
            }
            Err(_) => {
                wrong(format!("`{text}` is no index of a class; name the classes in a manifest (`classes = [...]`)"))
            }
        }
    }

    /// `number` as an index, if it is one.
    pub fn check(&self, number: i64, place: impl Fn() -> String) -> Result<usize, DatasetError> {
        match usize::try_from(number).ok().filter(|index| *index < self.names.len()) {
            Some(index) => Ok(index),
            None => {
                let last = self.names.len().saturating_sub(1);
                let detail =
                    format!("class {number} is out of range: the model's outputs make the classes 0 to {last}");
                Err(DatasetError::Label { place: place(), detail })
            }
        }
    }

    pub fn into_names(self) -> Vec<String> {
        self.names
    }
}
