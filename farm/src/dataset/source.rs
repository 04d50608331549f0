//! Where a dataset comes from, and how it is to be read.

use super::DatasetError;
use crate::ElementType;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How much a dataset may take unless its manifest says otherwise: 256 MiB, as a file and again as encoded inputs.
pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// Where a dataset comes from, and how it is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetSource {
    /// The files.
    pub data: Data,
    /// How to read them.
    pub options: Options,
}

/// The files of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Data {
    /// A CSV file.
    Csv(PathBuf),
    /// CSV that lies in a feature file.
    InlineCsv(String),
    /// One array of inputs, for a model with one input.
    Npy {
        /// The inputs.
        inputs: PathBuf,
        /// Class indices.
        labels: Option<PathBuf>,
        /// Expected outputs.
        expected: Option<PathBuf>,
    },
    /// Named arrays in one file.
    Npz(PathBuf),
    /// Raw binaries.
    Folder {
        /// The folder they are in.
        folder: PathBuf,
        /// The CSV that lists them: `file,classes,class[,bytes,stride]`.
        labels: PathBuf,
    },
}

impl Data {
    /// The files, and the folder of raw binaries.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Csv(path) | Self::Npz(path) => vec![path.clone()],
            Self::InlineCsv(_) => Vec::new(),
            Self::Npy { inputs, labels, expected } => {
                [Some(inputs), labels.as_ref(), expected.as_ref()].into_iter().flatten().cloned().collect()
            }
            Self::Folder { folder, labels } => vec![folder.clone(), labels.clone()],
        }
    }
}

/// What the values of a dataset are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Real values, to be quantised where the tensor is.
    Real,
    /// The tensor's stored values themselves.
    Stored,
}

/// Which truth to take from a dataset that might have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TruthKind {
    /// None: only agreement, timings and sizes can be judged.
    None,
    /// The right class.
    Label,
    /// Expected outputs.
    Expected,
}

/// Order of the bytes of an element in a raw binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// Least significant byte first, as TensorFlow Lite has it.
    #[default]
    Little,
    /// Most significant byte first.
    Big,
}

/// How to read a dataset; everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Options {
    /// Input columns (CSV; `x*` stands for all that begin so) or arrays (NPZ, one for each input tensor), in order.
    pub inputs: Option<Vec<String>>,
    /// Columns or the array of expected outputs.
    pub expected: Option<Vec<String>>,
    /// Column or array of the right class.
    pub label: Option<String>,
    /// Names of the classes, in the order of the model's output elements; without it they are called by their index.
    pub classes: Option<Vec<String>>,
    /// What input values are. Without it: real in CSV and where numbers are floating point, stored where they are
    /// integers of the tensor's own type, and in raw binaries.
    pub encoding: Option<Encoding>,
    /// What expected values are; without it real.
    pub expected_encoding: Option<Encoding>,
    /// Type of the elements in raw binaries; without it the tensor's own.
    pub element: Option<ElementType>,
    /// Order of the bytes in raw binaries.
    pub byte_order: ByteOrder,
    /// Which truth to take; without it what there is.
    pub truth: Option<TruthKind>,
    /// Take only so many samples, from the start.
    pub samples: Option<usize>,
    /// How many bytes files, and encoded inputs, may take; without it [`DEFAULT_MAX_BYTES`].
    pub max_bytes: Option<u64>,
}

impl DatasetSource {
    /// What `path` is, by its extension: `.csv`, `.npy`, `.npz`, or a folder with a `labels.csv` (or, as MLPerf Tiny
    /// calls it, `y_labels.csv`).
    ///
    /// # Errors
    /// [`DatasetError`]: nothing is there, or it is of no kind that is known.
    pub fn from_path(path: &Path) -> Result<Self, DatasetError> {
        if !path.exists() {
            return Err(DatasetError::NotFound { path: path.to_owned(), what: "dataset" });
        }
        let data = if path.is_dir() {
            let labels = ["labels.csv", "y_labels.csv"].map(|name| path.join(name)).into_iter().find(|at| at.is_file());
            let missing = || DatasetError::NotFound { path: path.join("labels.csv"), what: "labels file" };
            Data::Folder { folder: path.to_owned(), labels: labels.ok_or_else(missing)? }
        } else {
            Self::file(path)?
        };
        Ok(data.into())
    }

    /// CSV that lies in a feature file; messages call it `doc string`.
    pub fn inline_csv(text: impl Into<String>) -> Self {
        Data::InlineCsv(text.into()).into()
    }

    /// Whether `path` has an extension that datasets have.
    pub fn is_dataset_path(path: &Path) -> bool {
        Self::file(path).is_ok()
    }

    pub(crate) fn file(path: &Path) -> Result<Data, DatasetError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_lowercase().as_str() {
            "csv" => Ok(Data::Csv(path.to_owned())),
            "npy" => Ok(Data::Npy { inputs: path.to_owned(), labels: None, expected: None }),
            "npz" => Ok(Data::Npz(path.to_owned())),
            _ => Err(DatasetError::UnknownFormat { path: path.to_owned() }),
        }
    }
}

impl From<Data> for DatasetSource {
    /// `data`, read with every option left out.
    fn from(data: Data) -> Self {
        Self { data, options: Options::default() }
    }
}
