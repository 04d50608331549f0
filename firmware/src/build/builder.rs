//! The order of work: who is the compiler, what is there already, compile what is not, link, look at what came out.

use super::{
    BuildError, Firmware, HostRunner,
    cache::{self, Cache, Files},
    own::{self, Own},
    recipe::{self, LINKER_SCRIPT, Recipe, Tree, Unit},
    toolchain::{self, Toolchain},
};
use crate::{
    port::{self, Compiler, Port},
    tflm::TflmSource,
};
use farm::{Digest, Model};
use std::{
    collections::HashMap,
    ffi::OsString,
    fmt,
    future::Future,
    hash::Hash,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::JoinSet,
};

/// How far a build has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// For which port.
    pub port: String,
    /// Files compiled or found compiled.
    pub done: usize,
    /// Files there are.
    pub total: usize,
}

/// Builds runners. Cheap to clone; all clones share the cache, the places for compilers and what was built.
#[derive(Clone)]
pub struct Builder(Arc<Inner>);

struct Inner {
    cache: Cache,
    files: Files,
    tflm: TflmSource,
    places: Semaphore,
    progress: Option<Box<dyn Fn(Progress) + Send + Sync>>,
    tree: OnceCell<Arc<Tree>>,
    sources: OnceCell<PathBuf>,
    toolchains: Once<(Compiler, Vec<String>), Toolchain>,
    objects: Once<Digest, PathBuf>,
    firmware: Once<String, Arc<Firmware>>,
    host: OnceCell<Arc<HostRunner>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("cache", &self.0.cache).field("tflm", &self.0.tflm).finish_non_exhaustive()
    }
}

impl Builder {
    /// A builder that keeps what it makes in `cache`, takes TFLM from `tflm` and runs up to `jobs` compilers at once.
    pub fn new(cache: &Path, tflm: TflmSource, jobs: usize) -> Self {
        let cache = Cache::new(cache);
        Self(Arc::new(Inner {
            files: Files::load(&cache),
            cache,
            tflm,
            places: Semaphore::new(jobs.max(1)),
            progress: None,
            tree: OnceCell::new(),
            sources: OnceCell::new(),
            toolchains: Once::default(),
            objects: Once::default(),
            firmware: Once::default(),
            host: OnceCell::new(),
        }))
    }

    /// Has `progress` called whenever a file was compiled, or found compiled. Only before the builder is cloned.
    #[must_use]
    pub fn with_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.progress = Some(Box::new(progress));
        }
        self
    }

    /// The runner for a microcontroller's port; asked again, the same one.
    ///
    /// # Errors
    /// [`BuildError`]. Dropped on the way, it leaves no compiler running and no half-written file in place.
    pub async fn build(&self, port: &Port) -> Result<Arc<Firmware>, BuildError> {
        if port.is_host() {
            return Err(BuildError::WrongPort(format!("{} is no microcontroller", port.name)));
        }
        port.check().map_err(|error| BuildError::WrongPort(error.to_string()))?;
        // A port is more than its name: two of one name may differ.
        let key = format!("{port:?}");
        self.0
            .firmware
            .get(key, async || {
                let (path, digest) = self.0.runner(self, port).await?;
                Ok(Arc::new(Firmware::read(&path, &digest.to_string())?))
            })
            .await
    }

    /// The runner for `port` with just the operators that `model` uses, and the model inside; its footprint is of what
    /// would ship: the same without the farm's protocol and links. Asked again, the same one.
    ///
    /// # Errors
    /// As [`Builder::build`]; and [`BuildError::NoRoom`], [`BuildError::UnsupportedOp`], which are the model's fault.
    pub async fn own(&self, port: &Port, model: &Model) -> Result<Arc<Firmware>, BuildError> {
        let own = Own::of(model, &self.0.tflm)?;
        let key = format!("{port:?} {}", own.digest);
        self.0
            .firmware
            .get(key, async || {
                let (runner, digest) = self.0.own(self, port, &own, Flavour::Runner).await?;
                let (shipped, _) = self.0.own(self, port, &own, Flavour::Shipping(None)).await?;
                let footprint = Firmware::read(&shipped, "")?.footprint;
                let mut firmware = Firmware::read(&runner, &digest.to_string())?;
                firmware.footprint = footprint;
                Ok(Arc::new(firmware))
            })
            .await
    }

    /// What would ship of `model` on `port`, with an arena of `arena` bytes: it speaks no protocol.
    ///
    /// # Errors
    /// As [`Builder::own`].
    pub async fn shipping(&self, port: &Port, model: &Model, arena: u64) -> Result<Firmware, BuildError> {
        let own = Own::of(model, &self.0.tflm)?;
        let (path, digest) = self.0.own(self, port, &own, Flavour::Shipping(Some(arena))).await?;
        Firmware::read(&path, &digest.to_string())
    }

    /// The runner for this machine, a static program; asked again, the same one.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub async fn host(&self) -> Result<Arc<HostRunner>, BuildError> {
        let build = async || {
            let port = port::port("host").map_err(|error| BuildError::WrongPort(error.to_string()))?;
            let (path, digest) = self.0.runner(self, port).await?;
            Ok(Arc::new(HostRunner { path, digest: digest.to_string() }))
        };
        self.0.host.get_or_try_init(build).await.cloned()
    }
}

/// Which of a model's own programs.
enum Flavour {
    /// The farm's runner, to be measured.
    Runner,
    /// What would ship, with so much arena; `None`: all there is.
    Shipping(Option<u64>),
}

impl Inner {
    /// Where the linked runner lies, and its build digest.
    async fn runner(&self, builder: &Builder, port: &Port) -> Result<(PathBuf, Digest), BuildError> {
        let (tree, toolchain) = self.given(builder, port).await?;
        self.linked(builder, port, &toolchain, &Recipe::of(port, &self.tflm, &tree)).await
    }

    /// The same for a model's own firmware.
    async fn own(
        &self,
        builder: &Builder,
        port: &Port,
        own: &Own,
        flavour: Flavour,
    ) -> Result<(PathBuf, Digest), BuildError> {
        if port.is_host() {
            return Err(BuildError::WrongPort(format!("{} is no microcontroller", port.name)));
        }
        port.check().map_err(|error| BuildError::WrongPort(error.to_string()))?;
        let (tree, toolchain) = self.given(builder, port).await?;
        let general = Recipe::of(port, &self.tflm, &tree);
        let recipe = match flavour {
            Flavour::Runner => general.with_own(port, &self.tflm, &tree, own),
            Flavour::Shipping(arena) => general.shipping(port, &self.tflm, &tree, own, arena),
        };
        let folder = self.sources.get_or_try_init(|| blocking(builder, |inner| inner.write_sources())).await?.clone();
        let files = own.files();
        blocking(builder, move |inner| {
            for (name, bytes) in files {
                let path = folder.join(name);
                if std::fs::read(&path).ok().as_deref() != Some(&bytes) {
                    cache::write(&inner.cache, &path, &bytes)?;
                }
            }
            Ok(())
        })
        .await?;
        self.linked(builder, port, &toolchain, &recipe).await.map_err(|error| own::no_room(error, port))
    }

    /// TFLM's files and the compiler.
    async fn given(&self, builder: &Builder, port: &Port) -> Result<(Arc<Tree>, Toolchain), BuildError> {
        let tree = self
            .tree
            .get_or_try_init(|| blocking(builder, |inner| Tree::look(&inner.tflm, &inner.files).map(Arc::new)));
        let flags = port.flags.clone();
        let toolchain = self
            .toolchains
            .get((port.compiler, flags), async || Toolchain::ask(port.compiler, &port.flags, &self.files).await);
        let (tree, toolchain) = tokio::try_join!(tree, toolchain)?;
        Ok((tree.clone(), toolchain))
    }

    /// What `recipe` makes: found, or compiled and linked.
    async fn linked(
        &self,
        builder: &Builder,
        port: &Port,
        toolchain: &Toolchain,
        recipe: &Recipe,
    ) -> Result<(PathBuf, Digest), BuildError> {
        let digest = recipe.digest(port, &toolchain.identity);
        let elf = self.cache.firmware(&digest, &port.name);
        let kept = elf.clone();
        if blocking(builder, move |_| Ok(cache::holds(&kept))).await? {
            tracing::debug!(port = port.name, %digest, "the runner is there");
        } else {
            tracing::info!(port = port.name, compiler = toolchain.version, "building the runner");
            let objects = self.compile(builder, port, toolchain, recipe.units.clone(), &digest).await?;
            self.link(port, recipe, &objects, &elf).await?;
        }
        // Not being able to remember costs time later, and nothing else.
        if let Err(error) = blocking(builder, |inner| inner.files.save(&inner.cache)).await {
            tracing::warn!(%error, "digests of sources are not remembered");
        }
        Ok((elf, digest))
    }

    async fn compile(
        &self,
        builder: &Builder,
        port: &Port,
        toolchain: &Toolchain,
        units: Vec<Unit>,
        digest: &Digest,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let sources = self.sources.get_or_try_init(|| blocking(builder, |inner| inner.write_sources())).await?;
        let total = units.len();
        let mut objects = vec![PathBuf::new(); total];
        // Dropped, the set drops every task in it, and with it every compiler.
        let mut tasks = JoinSet::new();
        for (index, mut unit) in units.into_iter().enumerate() {
            if unit.told_digest {
                unit.flags.push(format!("-DRUNNER_DIGEST=\"{digest}\""));
            }
            let (builder, port, toolchain, sources) =
                (builder.clone(), port.name.clone(), toolchain.clone(), sources.clone());
            tasks.spawn(async move {
                let inner = &builder.0;
                let key = unit.key(&toolchain.identity);
                let object =
                    inner.objects.get(key, async || inner.object(&port, &toolchain, &unit, &key, &sources).await);
                object.await.map(|object| (index, object))
            });
        }
        let gathered = self.gather(port, toolchain, &mut tasks, &mut objects).await;
        // What failed has failed; the compilers that still run are waited for, so that nothing of this build is left.
        tasks.shutdown().await;
        gathered.map(|()| objects)
    }

    async fn gather(
        &self,
        port: &Port,
        toolchain: &Toolchain,
        tasks: &mut JoinSet<Result<(usize, PathBuf), BuildError>>,
        objects: &mut [PathBuf],
    ) -> Result<(), BuildError> {
        let mut done = 0;
        while let Some(joined) = tasks.join_next().await {
            let (index, object) = joined.map_err(|error| BuildError::Compiler {
                program: toolchain::program(toolchain.compiler, true),
                reason: error.to_string(),
            })??;
            objects[index] = object;
            done += 1;
            if let Some(progress) = &self.progress {
                progress(Progress { port: port.name.clone(), done, total: objects.len() });
            }
        }
        Ok(())
    }

    /// One object: found, or compiled.
    async fn object(
        &self,
        port: &str,
        toolchain: &Toolchain,
        unit: &Unit,
        key: &Digest,
        sources: &Path,
    ) -> Result<PathBuf, BuildError> {
        let object = self.cache.object(key);
        if cache::holds(&object) {
            return Ok(object);
        }
        let _place = self.places.acquire().await;
        let scratch = self.cache.scratch()?;
        let draft = scratch.path().join("object.o");
        let program = toolchain::program(toolchain.compiler, unit.cpp);
        let folder = if unit.own { sources } else { self.tflm.root() };
        let mut arguments: Vec<OsString> =
            unit.flags.iter().map(|flag| recipe::resolve(flag, &self.tflm).into_os_string()).collect();
        // `-pipe`: a compiler that is killed leaves nothing in the temporary folder.
        arguments.extend(["-pipe".into(), "-c".into(), unit.source.clone().into(), "-o".into(), draft.clone().into()]);
        let mut command = toolchain::command(&program, folder);
        tracing::debug!(port, source = unit.source, "compiling");
        let output = toolchain::run(command.args(&arguments), &program, toolchain.compiler).await?;
        if !output.success {
            self.check_disk(&output.stderr)?;
            return Err(BuildError::Compile {
                file: unit.source.clone(),
                port: port.to_owned(),
                message: output.stderr.trim_end().to_owned(),
                command: toolchain::shown(&program, folder, &arguments),
            });
        }
        if !output.stderr.is_empty() {
            tracing::warn!(port, source = unit.source, "{}", output.stderr.trim_end());
        }
        cache::keep(&draft, &object)?;
        Ok(object)
    }

    async fn link(&self, port: &Port, recipe: &Recipe, objects: &[PathBuf], elf: &Path) -> Result<(), BuildError> {
        let scratch = self.cache.scratch()?;
        let mut arguments: Vec<OsString> = recipe.link.iter().map(Into::into).collect();
        let _place = self.places.acquire().await;
        if let Some(defines) = &recipe.script {
            let script = scratch.path().join("link.ld");
            let mut preprocess: Vec<OsString> = vec!["-E".into(), "-P".into(), "-x".into(), "c".into()];
            preprocess.extend(defines.iter().map(Into::into));
            let source = scratch.path().join(LINKER_SCRIPT);
            let bytes =
                recipe::FILES.iter().find(|(path, _)| *path == LINKER_SCRIPT).map_or(&[][..], |(_, bytes)| bytes);
            tokio::fs::write(&source, bytes).await.map_err(|error| BuildError::cache(&source, error))?;
            preprocess.extend([source.into_os_string(), "-o".into(), script.clone().into_os_string()]);
            self.link_step(port, &toolchain::program(port.compiler, false), scratch.path(), &preprocess).await?;
            arguments.extend(["-T".into(), script.into_os_string()]);
        }
        let draft = scratch.path().join("runner.elf");
        arguments.extend(objects.iter().map(Into::into));
        arguments.extend(["-o".into(), draft.clone().into_os_string()]);
        self.link_step(port, &toolchain::program(port.compiler, true), scratch.path(), &arguments).await?;
        cache::keep(&draft, elf)
    }

    async fn link_step(
        &self,
        port: &Port,
        program: &str,
        folder: &Path,
        arguments: &[OsString],
    ) -> Result<(), BuildError> {
        let mut command = toolchain::command(program, folder);
        let output = toolchain::run(command.args(arguments), program, port.compiler).await?;
        if output.success {
            return Ok(());
        }
        self.check_disk(&output.stderr)?;
        Err(BuildError::Link {
            port: port.name.clone(),
            message: output.stderr.trim_end().to_owned(),
            command: toolchain::shown(program, folder, arguments),
        })
    }

    /// A compiler that says so met a full disk, and not a wrong source.
    fn check_disk(&self, stderr: &str) -> Result<(), BuildError> {
        let full = ["No space left on device", "Disk quota exceeded"].iter().any(|words| stderr.contains(words));
        if full { Err(BuildError::DiskFull(self.cache.stamps().with_file_name(""))) } else { Ok(()) }
    }

    /// Makes the cache ready: sweeps it, and writes the runner's sources to where the compiler reads them. What lies there
    /// already is read again: objects must come from the sources that their keys name.
    fn write_sources(&self) -> Result<PathBuf, BuildError> {
        self.cache.sweep();
        let folder = self.cache.sources(&recipe::digest_of_files(|_| true));
        for (path, bytes) in recipe::FILES {
            let path = folder.join(path);
            if std::fs::read(&path).ok().as_deref() != Some(bytes) {
                cache::write(&self.cache, &path, bytes)?;
            }
        }
        Ok(folder)
    }
}

/// Runs what waits for the disk where it keeps nobody else waiting.
async fn blocking<T: Send + 'static>(
    builder: &Builder,
    work: impl FnOnce(&Inner) -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let builder = builder.clone();
    let joined = tokio::task::spawn_blocking(move || work(&builder.0)).await;
    joined.map_err(|error| BuildError::Compiler { program: "tinyfarm".to_owned(), reason: error.to_string() })?
}

/// Values that are made once each, however many ask at the same time. One that failed is made anew when asked again.
struct Once<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Once<K, V> {
    async fn get<F>(&self, key: K, make: impl FnOnce() -> F) -> Result<V, BuildError>
    where
        F: Future<Output = Result<V, BuildError>>,
    {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        cell.get_or_try_init(make).await.cloned()
    }
}
