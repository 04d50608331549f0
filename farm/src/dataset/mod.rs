//! Inputs with labels or expected outputs where known, encoded for one model and checked against it before anything
//! runs.
//!
//! Where they come from ([`DatasetSource`]):
//!
//! - **CSV**, a file or the text of a doc string. The first row names the columns. By convention `x…` and `input…` are
//!   inputs, `y…` and `expected…` expected outputs, `label` or `class` the right class, `sample` or `name` the sample's
//!   name; a `…` may be empty or begin with a digit, `_`, `[` or `.` (`x`, `x0`, `input_2`). A manifest may name the
//!   columns itself. Values are real ones; `encoding = "stored"` says that they are the tensor's stored integers.
//! - **NPY and NPZ**, one sample for each entry of the first dimension. Floating point is real; integers of the tensor's
//!   own type are stored values; other integers need `encoding`.
//! - **A folder** of raw binaries with a labels CSV as MLPerf Tiny has it (`file,classes,class[,bytes,stride]`).
//!
//! Real values are quantised with the tensor's own scale and zero point; those that saturate are counted in
//! [`Dataset::warnings`]. Stored values that the tensor cannot hold are errors.
//!
//! | file | what lives there |
//! |---|---|
//! | `set` | a dataset, ready for a model |
//! | `source` | where a dataset comes from, and how it is to be read |
//! | `gather` | samples one by one into a dataset, within bounds |
//! | `table`, `columns` | CSV, and what its columns mean |
//! | `labels` | class names and indices |
//! | `npy`, `npy_header` | NPY and NPZ |
//! | `folder` | raw binaries with a labels CSV |
//! | `error` | what can be wrong, and the mend |

mod columns;
mod error;
mod folder;
mod gather;
mod labels;
mod npy;
mod npy_header;
mod set;
mod source;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_arrays;
#[cfg(test)]
mod tests_of_folders;

pub use error::DatasetError;
pub use set::{Dataset, Truth};
pub use source::{ByteOrder, DEFAULT_MAX_BYTES, Data, DatasetSource, Encoding, Options, TruthKind};
