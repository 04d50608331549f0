//! One manifest, and the line of each mistake in it.

use super::LibraryError;
use crate::{
    Digest, ElementType,
    dataset::{ByteOrder, Data, DatasetSource, Encoding, Options, TruthKind},
    suggest,
};
use serde::Deserialize;
use std::{
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{Spanned, de::DeTable, de::DeValue};

/// A model that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// Its name in features.
    pub name: String,
    /// What it does, in a line; may be empty.
    pub summary: String,
    /// The package whose folder `file` is below; `None`: beside the manifest.
    pub package: Option<String>,
    /// The file, as the manifest has it.
    pub file: PathBuf,
    /// The digest that the file must have.
    pub sha256: Option<Digest>,
    /// The manifest.
    pub manifest: PathBuf,
    /// Its line there, from 1.
    pub line: usize,
}

/// A dataset that a manifest names.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetEntry {
    /// Its name in features.
    pub name: String,
    /// What is in it, in a line; may be empty.
    pub summary: String,
    /// The model it was made for.
    pub model: Option<String>,
    /// The package whose folder its file or folder is below; `None`: beside the manifest.
    pub package: Option<String>,
    /// Its files, as the manifest has them, and how to read them.
    pub source: DatasetSource,
    /// The manifest.
    pub manifest: PathBuf,
    /// Its line there, from 1.
    pub line: usize,
}

/// What one manifest says.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub model: Option<ModelEntry>,
    pub datasets: Vec<DatasetEntry>,
}

const TOP: &[&str] = &["model", "dataset"];
const MODEL: &[&str] = &["name", "summary", "package", "file", "sha256"];
const DATASET: &[&str] = &[
    "name",
    "summary",
    "model",
    "package",
    "file",
    "folder",
    "labels",
    "expected_file",
    "inputs",
    "expected",
    "label",
    "classes",
    "encoding",
    "expected_encoding",
    "element",
    "byte_order",
    "truth",
    "samples",
    "max_bytes",
];

#[derive(Deserialize)]
struct Raw {
    model: Option<Spanned<RawModel>>,
    #[serde(default)]
    dataset: Vec<Spanned<RawDataset>>,
}

#[derive(Deserialize)]
struct RawModel {
    name: Spanned<String>,
    #[serde(default)]
    summary: String,
    package: Option<String>,
    file: PathBuf,
    sha256: Option<Spanned<String>>,
}

#[derive(Deserialize)]
struct RawDataset {
    name: Spanned<String>,
    #[serde(default)]
    summary: String,
    model: Option<String>,
    package: Option<String>,
    file: Option<PathBuf>,
    folder: Option<PathBuf>,
    labels: Option<PathBuf>,
    expected_file: Option<PathBuf>,
    inputs: Option<OneOrMore>,
    expected: Option<OneOrMore>,
    label: Option<String>,
    classes: Option<Vec<String>>,
    encoding: Option<Encoding>,
    expected_encoding: Option<Encoding>,
    element: Option<ElementType>,
    #[serde(default)]
    byte_order: ByteOrder,
    truth: Option<TruthKind>,
    samples: Option<usize>,
    max_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a name or a list of names is wanted")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

impl Manifest {
    /// Reads the manifest `path`, whose text is `text`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LibraryError> {
        let wrong = |span: Option<Range<usize>>, detail: String| LibraryError::Manifest {
            path: path.to_owned(),
            line: span.map_or(1, |span| line_of(text, span.start)),
            detail,
        };
        let unparsable = |error: toml::de::Error| {
            let detail = error.message().trim().replace('\n', "; ");
            wrong(error.span(), detail.replace("expected usize", "expected a whole number"))
        };
        let table = DeTable::parse(text).map_err(unparsable)?;
        check_keys(table.get_ref()).map_err(|(span, detail)| wrong(Some(span), detail))?;
        let raw: Raw = toml::from_str(text).map_err(unparsable)?;
        let line = |span: Range<usize>| line_of(text, span.start);

        let mut manifest = Self::default();
        if let Some(model) = raw.model {
            let model = model.into_inner();
            let named = model.name.span();
            check_name(model.name.get_ref()).map_err(|detail| wrong(Some(named.clone()), detail))?;
            let sha256 = match &model.sha256 {
                Some(text) => Some(
                    text.get_ref()
                        .parse()
                        .map_err(|error: crate::digest::NotADigest| wrong(Some(text.span()), error.to_string()))?,
                ),
                None => None,
            };
            manifest.model = Some(ModelEntry {
                name: model.name.into_inner(),
                summary: model.summary,
                package: model.package,
                file: model.file,
                sha256,
                manifest: path.to_owned(),
                line: line(named),
            });
        }
        for dataset in raw.dataset {
            let dataset = dataset.into_inner();
            let named = dataset.name.span();
            check_name(dataset.name.get_ref()).map_err(|detail| wrong(Some(named.clone()), detail))?;
            let entry = dataset.into_entry(path, line(named.clone())).map_err(|detail| wrong(Some(named), detail))?;
            manifest.datasets.push(entry);
        }
        Ok(manifest)
    }
}

impl RawDataset {
    fn into_entry(self, manifest: &Path, line: usize) -> Result<DatasetEntry, String> {
        let name = self.name.into_inner();
        let data = match (self.file, self.folder, self.labels, self.expected_file) {
            (Some(_), Some(_), ..) => return Err(format!("dataset `{name}` has both `file` and `folder`; leave one")),
            (None, None, ..) => {
                return Err(format!("dataset `{name}` has neither `file` nor `folder`; say where it is"));
            }
            (None, Some(folder), Some(labels), None) => Data::Folder { folder, labels },
            (None, Some(_), None, _) => {
                return Err(format!("dataset `{name}` has a `folder` without `labels`: the CSV that lists its files"));
            }
            (Some(file), None, labels, expected_file) => match DatasetSource::file(&file) {
                Ok(Data::Npy { inputs, .. }) => Data::Npy { inputs, labels, expected: expected_file },
                Ok(data) if labels.is_none() && expected_file.is_none() => data,
                Ok(_) => {
                    return Err(format!(
                        "dataset `{name}` has `labels` or `expected_file`, which belong to .npy files and folders"
                    ));
                }
                Err(error) => return Err(format!("dataset `{name}`: {error}")),
            },
            (None, Some(_), _, Some(_)) => {
                return Err(format!("dataset `{name}` has `expected_file`, which belongs to .npy files"));
            }
        };
        if !matches!(data, Data::Folder { .. }) && (self.element.is_some() || self.byte_order != ByteOrder::Little) {
            return Err(format!(
                "dataset `{name}` has `element` or `byte_order`, which belong to folders of raw binaries"
            ));
        }
        let options = Options {
            inputs: self.inputs.map(OneOrMore::into_vec),
            expected: self.expected.map(OneOrMore::into_vec),
            label: self.label,
            classes: self.classes,
            encoding: self.encoding,
            expected_encoding: self.expected_encoding,
            element: self.element,
            byte_order: self.byte_order,
            truth: self.truth,
            samples: self.samples,
            max_bytes: self.max_bytes,
        };
        Ok(DatasetEntry {
            name,
            summary: self.summary,
            model: self.model,
            package: self.package,
            source: DatasetSource { data, options },
            manifest: manifest.to_owned(),
            line,
        })
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_sound = name.chars().all(|letter| letter.is_alphanumeric() || "_-. ".contains(letter));
    if is_sound && !name.trim().is_empty() && name.trim() == name {
        return Ok(());
    }
    Err(format!("`{name}` cannot be a name; take letters, digits, `_`, `-`, `.` and spaces within"))
}

type Misplaced = (Range<usize>, String);

fn check_keys(table: &DeTable<'_>) -> Result<(), Misplaced> {
    known(table, TOP, "a manifest")?;
    for (key, value) in table {
        let (keys, what): (&[&str], &str) =
            if key.get_ref() == "model" { (MODEL, "a model") } else { (DATASET, "a dataset") };
        match value.get_ref() {
            DeValue::Table(table) if what == "a model" => known(table, keys, what)?,
            DeValue::Array(array) if what == "a dataset" => {
                for item in array {
                    if let DeValue::Table(table) = item.get_ref() {
                        known(table, keys, what)?;
                    }
                }
            }
            DeValue::Table(_) => {
                return Err((key.span(), "write `[[dataset]]`: a manifest may have several datasets".to_owned()));
            }
            DeValue::Array(_) => {
                return Err((key.span(), "write `[model]`: a manifest has one model".to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn known(table: &DeTable<'_>, keys: &[&str], what: &str) -> Result<(), Misplaced> {
    match table.keys().find(|key| !keys.contains(&key.get_ref().as_ref())) {
        Some(key) => {
            let mend = suggest::mend(key.get_ref(), keys.iter().copied());
            Err((key.span(), format!("{what} has no key `{}`; {mend}", key.get_ref())))
        }
        None => Ok(()),
    }
}

/// The line, from 1, that the byte at `offset` is on.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
