//! Models and datasets by name, from manifests: the `*.toml` files below the folders that the configuration names.
//!
//! ```toml
//! [model]                                        # at most one in a manifest
//! name = "person_detection"
//! summary = "is there a person in a grey 96 x 96 picture?"
//! package = "tfmicro"                            # `file` is below this package's folder; without it, beside the manifest
//! file = "examples/models/person_detection_grayscale.tflite"
//! sha256 = "4b4d…"                               # may be left out
//!
//! [[dataset]]                                    # any number
//! name = "person_samples"
//! summary = "one picture of each kind"
//! model = "person_detection"                     # what it was made for; may be left out
//! package = "tfmicro"                            # `file` or `folder` is below this package's folder
//! folder = "examples/models"                     # raw binaries; or `file` for a .csv, .npy or .npz file
//! labels = "person_samples.csv"                  # beside the manifest: the folder's labels CSV, or an NPY file's labels
//! classes = ["unused", "person", "no person"]    # in the order of the model's output elements
//! ```
//!
//! More keys of a dataset: `expected_file` (an NPY file's expected outputs), and the fields of
//! [`crate::dataset::Options`]: `inputs`, `expected`, `label`, `encoding`, `expected_encoding`, `element`, `byte_order`,
//! `truth`, `samples`, `max_bytes`. A key that is not known is an error.
//!
//! | file | what lives there |
//! |---|---|
//! | `manifest` | one manifest, and the line of each mistake in it |
//! | `lookup` | from a name or a path to a model or dataset, loaded once |
//! | `error` | what can be wrong, and the mend |

mod error;
mod lookup;
mod manifest;
#[cfg(test)]
mod tests;

pub use error::LibraryError;
pub use lookup::Library;
pub use manifest::{DatasetEntry, ModelEntry};
