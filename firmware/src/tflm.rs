//! Where the source of TensorFlow Lite for Microcontrollers (TFLM) is: in `TFLM_DIR`, else in the `tfmicro` package,
//! which cargo fetches and never builds.

use farm::Digest;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The environment variable that names another TFLM checkout.
pub const TFLM_DIR: &str = "TFLM_DIR";

/// Where TFLM's makefile puts what TFLM needs of others.
pub const DOWNLOADS: &str = "tensorflow/lite/micro/tools/make/downloads";

/// A checkout of TFLM that holds what the runner needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TflmSource {
    /// The folder that holds `tensorflow/`.
    root: PathBuf,
    version: String,
}

impl TflmSource {
    /// A checkout at `root`, looked over. `version` says in words which one it is.
    ///
    /// # Errors
    /// [`TflmError::Incomplete`], naming what is missing.
    pub fn new(root: &Path, version: impl Into<String>) -> Result<Self, TflmError> {
        const WANTED: [&str; 7] = [
            "tensorflow/lite/micro/micro_interpreter.h",
            "tensorflow/lite/micro/kernels",
            "tensorflow/lite/kernels/internal",
            "tensorflow/lite/schema/schema_generated.h",
            "tensorflow/lite/micro/tools/make/downloads/flatbuffers/include/flatbuffers/flatbuffers.h",
            "tensorflow/lite/micro/tools/make/downloads/gemmlowp/fixedpoint/fixedpoint.h",
            "tensorflow/lite/micro/tools/make/downloads/ruy",
        ];
        // Commands run in other folders, so the path must not depend on this one.
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
        let missing: Vec<&str> = WANTED.into_iter().filter(|path| !root.join(path).exists()).collect();
        if missing.is_empty() {
            Ok(Self { root, version: version.into() })
        } else {
            Err(TflmError::Incomplete { root, missing: missing.join(", ") })
        }
    }

    /// The folder that holds `tensorflow/`; absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Which TFLM it is, in words: what the runner reports.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// TFLM's source cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TflmError {
    /// The folder is there and lacks something.
    #[error(
        "{} is no TFLM checkout with its third-party downloads: {missing} is missing; \
         let `TFLM_DIR` name the folder that holds `tensorflow/`, after `make -f tensorflow/lite/micro/tools/make/Makefile \
         third_party_downloads`, or unset it",
        root.display()
    )]
    Incomplete {
        /// The folder.
        root: PathBuf,
        /// Paths below it.
        missing: String,
    },
    /// The package was there when this program was built, and is gone.
    #[error("the tfmicro package is gone from {}: run `cargo fetch` in tinyfarm's checkout, or set TFLM_DIR", .0.display())]
    PackageGone(PathBuf),
    /// The package was not there when this program was built.
    #[error("tinyfarm was built without the tfmicro package: run `cargo fetch` and build again, or set TFLM_DIR")]
    PackageUnknown,
}

/// The folder of the `tfmicro` package, which holds TFLM and its example models; `None` if it was not there at build
/// time or is gone.
pub fn tfmicro_dir() -> Option<PathBuf> {
    option_env!("TFMICRO_DIR").map(PathBuf::from).filter(|folder| folder.is_dir())
}

/// Finds TFLM's source: `TFLM_DIR`, else the `tfmicro` package.
///
/// # Errors
/// [`TflmError`], with the mend. A `TFLM_DIR` that is set and wrong is an error, never passed over.
pub fn locate() -> Result<TflmSource, TflmError> {
    match env::var_os(TFLM_DIR).filter(|folder| !folder.is_empty()) {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            TflmSource::new(&folder, describe(&folder))
        }
        None => {
            let folder = PathBuf::from(option_env!("TFMICRO_DIR").ok_or(TflmError::PackageUnknown)?);
            if !folder.is_dir() {
                return Err(TflmError::PackageGone(folder));
            }
            let package = folder.file_name().map_or_else(|| "tfmicro".into(), |name| name.to_string_lossy());
            let root = folder.join("submodules/tensorflow");
            let version = format!("{} ({})", tensorflow_version(&root), package.replacen('-', " ", 1));
            TflmSource::new(&root, version)
        }
    }
}

/// What a checkout calls itself: git's words where it is a repository, else TensorFlow's version and the folder's name.
fn describe(folder: &Path) -> String {
    let git = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["describe", "--always", "--dirty", "--tags"])
        .output()
        .ok()
        // A folder inside another project's repository is not described by that one.
        .filter(|output| output.status.success() && folder.join(".git").exists())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let name = git.unwrap_or_else(|| match folder.canonicalize().ok().as_deref().and_then(Path::file_name) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => Digest::of(folder.as_os_str().as_encoded_bytes()).short(),
    });
    format!("{} ({name})", tensorflow_version(folder))
}

/// TensorFlow's version as `core/public/version.h` has it.
fn tensorflow_version(root: &Path) -> String {
    let text = fs::read_to_string(root.join("tensorflow/core/public/version.h")).unwrap_or_default();
    let part = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.strip_prefix(' ').map(str::trim))
    };
    match (part("TF_MAJOR_VERSION"), part("TF_MINOR_VERSION"), part("TF_PATCH_VERSION")) {
        (Some(major), Some(minor), Some(patch)) => format!("{major}.{minor}.{patch}"),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_package_holds_tflm_and_its_version() {
        let root = tfmicro_dir().unwrap().join("submodules/tensorflow");
        assert_eq!(tensorflow_version(&root), "2.2.0");
        assert_eq!(TflmSource::new(&root, "x").unwrap().root(), root);
    }

    #[test]
    fn a_folder_that_is_no_checkout_is_refused_by_what_it_lacks() {
        let empty = tempfile::tempdir().unwrap();
        let error = TflmSource::new(empty.path(), "x").unwrap_err().to_string();
        assert!(error.contains("micro_interpreter.h") && error.contains("TFLM_DIR"), "{error}");
    }
}
