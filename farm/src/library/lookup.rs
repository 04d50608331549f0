//! From a name or a path to a model or dataset, loaded once.

use super::{
    LibraryError,
    manifest::{DatasetEntry, Manifest, ModelEntry},
};
use crate::{
    Dataset, Digest, Model,
    dataset::{Data, DatasetSource},
    suggest,
};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    hash::Hash,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// How deep below a folder manifests are looked for.
const MAX_DEPTH: usize = 8;

/// Models and datasets by name or by path. What has been loaded once is kept for the library's life, so that one run
/// sees one state of each file; it may be used from several threads.
#[derive(Debug, Default)]
pub struct Library {
    models: BTreeMap<String, ModelEntry>,
    datasets: BTreeMap<String, DatasetEntry>,
    packages: BTreeMap<String, PathBuf>,
    loaded_models: Cache<(String, PathBuf), Model>,
    loaded_datasets: Cache<(String, Data, Digest), Dataset>,
}

impl Library {
    /// Reads every manifest (`*.toml`) in and below `dirs`. `packages` says in which folder each package lies that
    /// manifests may name. Models and datasets themselves are read when they are asked for.
    ///
    /// # Errors
    /// [`LibraryError`]: a folder or manifest that cannot be read, a mistake in one, a name given twice.
    pub fn load(dirs: &[PathBuf], packages: &BTreeMap<String, PathBuf>) -> Result<Self, LibraryError> {
        let mut library = Self { packages: packages.clone(), ..Self::default() };
        let mut manifests = Vec::new();
        for dir in dirs {
            if !dir.is_dir() {
                return Err(LibraryError::NoFolder { path: dir.clone() });
            }
            find_manifests(dir, MAX_DEPTH, &mut manifests)?;
        }
        // One folder may be named twice, or lie below another.
        manifests.sort();
        manifests.dedup_by_key(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        for path in manifests {
            let text =
                fs::read_to_string(&path).map_err(|error| LibraryError::Unreadable { path: path.clone(), error })?;
            library.add(Manifest::parse(&path, &text)?)?;
        }
        library.check_models_of_datasets()?;
        Ok(library)
    }

    fn add(&mut self, manifest: Manifest) -> Result<(), LibraryError> {
        if let Some(model) = manifest.model {
            if let Some(other) = self.models.get(&model.name) {
                let (first, second) = (place(&other.manifest, other.line), place(&model.manifest, model.line));
                return Err(LibraryError::Duplicate { kind: "model", name: model.name, first, second });
            }
            self.models.insert(model.name.clone(), model);
        }
        for dataset in manifest.datasets {
            if let Some(other) = self.datasets.get(&dataset.name) {
                let (first, second) = (place(&other.manifest, other.line), place(&dataset.manifest, dataset.line));
                return Err(LibraryError::Duplicate { kind: "dataset", name: dataset.name, first, second });
            }
            self.datasets.insert(dataset.name.clone(), dataset);
        }
        Ok(())
    }

    fn check_models_of_datasets(&self) -> Result<(), LibraryError> {
        for dataset in self.datasets.values() {
            let Some(model) = dataset.model.as_ref().filter(|model| !self.models.contains_key(*model)) else {
                continue;
            };
            let mend = suggest::mend(model, self.models.keys().map(String::as_str));
            return Err(LibraryError::Manifest {
                path: dataset.manifest.clone(),
                line: dataset.line,
                detail: format!("dataset `{}` is for the model `{model}`, which there is not; {mend}", dataset.name),
            });
        }
        Ok(())
    }

    /// The models that manifests name, by name.
    pub fn models(&self) -> impl Iterator<Item = &ModelEntry> {
        self.models.values()
    }

    /// The datasets that manifests name, by name.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetEntry> {
        self.datasets.values()
    }

    /// The model called `name_or_path`, or the `.tflite` file at that path, which is relative to `base` (the feature's
    /// folder) or, where nothing is there, to the working directory.
    ///
    /// # Errors
    /// [`LibraryError`]: unknown, not there, not the file that its manifest means, or no model that can be run.
    pub fn model(&self, name_or_path: &str, base: &Path) -> Result<Arc<Model>, LibraryError> {
        let (path, entry) = match self.models.get(name_or_path) {
            Some(entry) => {
                let place = place(&entry.manifest, entry.line);
                (self.resolve(&entry.file, entry.package.as_deref(), &entry.manifest, &place)?, Some((entry, place)))
            }
            None => {
                let is_path = Path::new(name_or_path).extension().is_some_and(|extension| extension == "tflite");
                let names = self.models.keys().map(String::as_str);
                (find("model", name_or_path, is_path, base, names, Path::is_file)?, None)
            }
        };
        self.loaded_models.get((name_or_path.to_owned(), path.clone()), || {
            let model = Model::load(name_or_path, &path)?;
            if let Some((ModelEntry { sha256: Some(expected), .. }, place)) = &entry
                && *expected != model.digest()
            {
                let (place, expected, found) = (place.clone(), *expected, model.digest());
                return Err(LibraryError::Checksum { path, place, expected, found });
            }
            Ok(model)
        })
    }

    /// The dataset called `name_or_path`, or the file or folder at that path (relative as for [`Library::model`]),
    /// encoded for `model`.
    ///
    /// # Errors
    /// [`LibraryError`]: unknown, not there, or not fit for the model.
    pub fn dataset(&self, name_or_path: &str, base: &Path, model: &Model) -> Result<Arc<Dataset>, LibraryError> {
        let source = match self.datasets.get(name_or_path) {
            Some(entry) => self.resolve_source(entry)?,
            None => {
                let is_path = DatasetSource::is_dataset_path(Path::new(name_or_path));
                let names = self.datasets.keys().map(String::as_str);
                DatasetSource::from_path(&find("dataset", name_or_path, is_path, base, names, Path::exists)?)?
            }
        };
        let key = (name_or_path.to_owned(), source.data.clone(), model.digest());
        self.loaded_datasets.get(key, || Ok(Dataset::load(name_or_path, &source, model)?))
    }

    /// The files that `model` comes from: itself, and the manifest that names it.
    pub fn files_of_model(&self, model: &Model) -> Vec<PathBuf> {
        let manifest = self.models.get(model.name()).map(|entry| entry.manifest.clone());
        std::iter::once(model.path().to_owned()).chain(manifest).collect()
    }

    /// The files and folders that the dataset called `name_or_path` comes from (as [`Library::dataset`] has it), and the
    /// manifest that names it. None of one that lies in a feature file.
    pub fn files_of_dataset(&self, name_or_path: &str, base: &Path) -> Vec<PathBuf> {
        let (source, beside) = match self.datasets.get(name_or_path) {
            Some(entry) => (self.resolve_source(entry).ok(), Some(entry.manifest.clone())),
            None => {
                let tried = [base.join(name_or_path), PathBuf::from(name_or_path)];
                let at = tried.iter().position(|path| path.exists());
                let source = at.and_then(|at| DatasetSource::from_path(&tried[at]).ok());
                // Were the first not gone, it would be that one.
                let gone = tried.into_iter().take(at.unwrap_or(0)).next();
                (source, gone)
            }
        };
        let files = source.map(|source| source.data.files()).unwrap_or_default();
        files.into_iter().chain(beside).collect()
    }

    /// Whether a file comes with a package that tinyfarm was built with: it is as it was then.
    pub fn is_packaged(&self, path: &Path) -> bool {
        self.packages.values().any(|folder| path.starts_with(folder))
    }

    fn resolve_source(&self, entry: &DatasetEntry) -> Result<DatasetSource, LibraryError> {
        let place = place(&entry.manifest, entry.line);
        let packaged = |path: &Path| self.resolve(path, entry.package.as_deref(), &entry.manifest, &place);
        // Labels may lie beside the manifest while the data they are for lie in a package.
        let beside = |path: &Path| self.resolve(path, None, &entry.manifest, &place);
        let data = match &entry.source.data {
            Data::Csv(path) => Data::Csv(packaged(path)?),
            Data::Npz(path) => Data::Npz(packaged(path)?),
            Data::Npy { inputs, labels, expected } => Data::Npy {
                inputs: packaged(inputs)?,
                labels: labels.as_deref().map(beside).transpose()?,
                expected: expected.as_deref().map(beside).transpose()?,
            },
            Data::Folder { folder, labels } => Data::Folder { folder: packaged(folder)?, labels: beside(labels)? },
            inline @ Data::InlineCsv(_) => inline.clone(),
        };
        Ok(DatasetSource { data, options: entry.source.options.clone() })
    }

    fn resolve(
        &self,
        path: &Path,
        package: Option<&str>,
        manifest: &Path,
        place: &str,
    ) -> Result<PathBuf, LibraryError> {
        let Some(package) = package else {
            return Ok(manifest.parent().unwrap_or(Path::new("")).join(path));
        };
        match self.packages.get(package) {
            Some(folder) => Ok(folder.join(path)),
            None => {
                let mend = match self.packages.is_empty() {
                    true => "fetch it with `cargo fetch`, and build again".to_owned(),
                    false => suggest::mend(package, self.packages.keys().map(String::as_str)),
                };
                Err(LibraryError::NoPackage { place: place.to_owned(), package: package.to_owned(), mend })
            }
        }
    }
}

/// What lies at the path `name`: relative to `base`, else to the working directory.
fn find<'a>(
    kind: &'static str,
    name: &str,
    is_path: bool,
    base: &Path,
    names: impl Iterator<Item = &'a str> + Clone,
    there: impl Fn(&Path) -> bool,
) -> Result<PathBuf, LibraryError> {
    if name.trim().is_empty() {
        return Err(LibraryError::Unknown { kind, name: name.to_owned(), mend: suggest::mend(name, names) });
    }
    let mut tried = vec![base.join(name), PathBuf::from(name)];
    tried.dedup();
    if let Some(path) = tried.iter().find(|path| there(path)) {
        return Ok(path.clone());
    }
    if is_path || name.contains(['/', '\\']) {
        return Err(LibraryError::NoFile { kind, name: name.to_owned(), tried });
    }
    Err(LibraryError::Unknown { kind, name: name.to_owned(), mend: suggest::mend(name, names) })
}

fn find_manifests(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), LibraryError> {
    let unreadable = |error| LibraryError::Unreadable { path: dir.to_owned(), error };
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        // A link to a folder is not followed: it might lead back here.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if depth > 0 {
                find_manifests(&path, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    Ok(())
}

fn place(manifest: &Path, line: usize) -> String {
    format!("{}:{line}", manifest.display())
}

/// Things loaded once. Whoever asks for what another is loading waits for it; what failed is tried again.
#[derive(Debug)]
struct Cache<K, V>(Mutex<HashMap<K, Slot<V>>>);

type Slot<V> = Arc<Mutex<Option<Arc<V>>>>;

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    fn get(&self, key: K, load: impl FnOnce() -> Result<V, LibraryError>) -> Result<Arc<V>, LibraryError> {
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.as_ref() {
            Some(value) => Ok(Arc::clone(value)),
            None => {
                let value = Arc::new(load()?);
                *slot = Some(Arc::clone(&value));
                Ok(value)
            }
        }
    }
}
