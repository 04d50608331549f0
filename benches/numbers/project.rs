//! A folder with features and datasets as a user has one, the program run in it, and the farm's parts for the bare loops.

use crate::Result;
use emulators::{EmulatorOptions, Qemu, machines};
use farm::{Library, Target};
use firmware::Builder;
use std::{
    collections::BTreeMap,
    f64::consts::TAU,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use tempfile::TempDir;

/// The repository: shipped models and features, and the cache of built runners that tests and the demo share.
pub const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Samples of each dataset that is made here.
pub const SAMPLES: usize = 100;

/// The project's folder; it goes with this.
pub struct Project(TempDir);

impl Project {
    /// A project that uses the shipped models and the shared cache.
    pub fn new() -> Result<Self> {
        let project = Self(tempfile::tempdir()?);
        let config = format!("models = [\"{REPOSITORY}/models\"]\ncache = \"{REPOSITORY}/.tinyfarm\"\n");
        project.file("tinyfarm.toml", &config)?;
        Ok(project)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the folders above it.
    pub fn file(&self, path: &str, contents: &str) -> Result {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(self.path()))?;
        Ok(fs::write(path, contents)?)
    }

    /// Writes `count` datasets for hello_world, no two alike (equal jobs would be shared), and `test.feature`, which runs
    /// each of them `place` and judges it. Returns the datasets' paths as the feature has them.
    pub fn sines(&self, count: usize, place: &str) -> Result<Vec<String>> {
        let names: Vec<String> = (0..count).map(|index| format!("data/{index:05}.csv")).collect();
        let mut feature = format!(
            "Feature: the sine\n  Scenario Outline: <dataset>\n    Given the model \"hello_world\" and the dataset \
             \"<dataset>\"\n    When it runs {place}\n    Then the mean absolute error is at most 0.1\n\n    \
             Examples:\n      | dataset |\n"
        );
        for (index, name) in names.iter().enumerate() {
            writeln!(feature, "      | {name} |")?;
            let mut table = "x,y\n".to_owned();
            for sample in 0..SAMPLES {
                let x = (sample as f64 + index as f64 / count as f64) * TAU / SAMPLES as f64;
                writeln!(table, "{x:.7},{:.7}", x.sin())?;
            }
            self.file(name, &table)?;
        }
        self.file("test.feature", &feature)?;
        Ok(names)
    }

    /// The program, not started yet, in this folder, its output thrown away.
    pub fn tinyfarm(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tinyfarm"));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        // What is measured does not depend on whether this machine has a Renode: who measures that says so.
        command.env_remove("TINYFARM_LOG").env("RENODE", "/no/such/renode");
        command
    }
}

/// Runs a command; anything but exit code 0 is an error: a run that did not pass measures nothing.
pub fn pass(mut command: Command) -> Result {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

/// The shipped models and datasets.
pub fn library() -> Result<Library> {
    let packages = firmware::tfmicro_dir().map(|folder| ("tfmicro".to_owned(), folder));
    Ok(Library::load(&[Path::new(REPOSITORY).join("models")], &BTreeMap::from_iter(packages))?)
}

/// What builds the runners; all are in the shared cache after the first run.
pub fn builder() -> Result<Builder> {
    Ok(Builder::new(&Path::new(REPOSITORY).join(".tinyfarm"), firmware::tflm::locate()?, cores()))
}

/// QEMU's machines by target name.
pub fn emulators() -> Result<BTreeMap<String, Arc<Qemu>>> {
    let builder = Arc::new(builder()?);
    let machines = machines(&EmulatorOptions::new(builder));
    Ok(machines.into_iter().map(|machine| (machine.info().id.0.clone(), machine)).collect())
}

/// A runtime as the program has one.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
