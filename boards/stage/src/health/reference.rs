//! The model that shows whether a board works: TFLM's hello_world, small enough for every chip, whose answers are known.

use farm::{Dataset, Digest, Inference, Model, dataset::Truth};
use std::{
    f64::consts::TAU,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// How far an answer may be from the sine of its question: what the network was trained to, measured over 1001 points
/// with TFLM's reference kernels (0.1301, see features/hello_world.feature).
pub const BOUND: f64 = 0.131;

/// How many questions are asked.
const POINTS: usize = 16;

/// Where the model lies in the `tfmicro` package, from which TFLM comes.
const FILE: &str = "examples/models/hello_world.tflite";

/// SHA-256 of the model.
const DIGEST: &str = "06a6f319488fb9a7e67ca24af572693a07d9bb175936e3a8134d7c1417cadb07";

/// The model, and questions whose answers are known.
#[derive(Debug, Clone)]
pub struct Reference {
    /// hello_world: one `float32` in, one out.
    pub model: Arc<Model>,
    /// 16 points from 0 to 2 pi, with their sine.
    pub dataset: Arc<Dataset>,
}

/// The reference model is not to be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReferenceError {
    /// The package that holds it is gone.
    #[error(
        "the tfmicro package, which holds the model for health checks, is not there: run `cargo fetch` in tinyfarm's \
         checkout and build again"
    )]
    NoPackage,
    /// It is damaged.
    #[error("cannot use {}, the model for health checks: {why}; run `cargo fetch` in tinyfarm's checkout", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The model and its questions; read once.
///
/// # Errors
/// [`ReferenceError`], with the mend.
pub fn reference() -> Result<Reference, ReferenceError> {
    static KNOWN: OnceLock<Reference> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(known.clone());
    }
    let path = firmware::tfmicro_dir().ok_or(ReferenceError::NoPackage)?.join(FILE);
    let read = read(&path).map_err(|why| ReferenceError::Damaged { path, why })?;
    Ok(KNOWN.get_or_init(|| read).clone())
}

fn read(path: &Path) -> Result<Reference, String> {
    let bytes = fs::read(path).map_err(|error: io::Error| error.to_string())?;
    let found = Digest::of(&bytes).to_string();
    if found != DIGEST {
        return Err(format!("its sha256 is {found} where {DIGEST} is wanted"));
    }
    let model = Model::from_bytes("hello_world", path, bytes).map_err(|error| error.to_string())?;
    let points = || (0..POINTS).map(|point| (TAU * point as f64 / (POINTS - 1) as f64) as f32);
    let names = points().map(|x| format!("x = {x:.4}")).collect();
    let inputs = points().map(|x| x.to_le_bytes().to_vec()).collect();
    let truth = Truth::Expected(points().map(|x| vec![f64::from(x).sin()]).collect());
    let dataset = Dataset::new("health check", names, inputs, truth, &model).map_err(|error| error.to_string())?;
    Ok(Reference { model: Arc::new(model), dataset: Arc::new(dataset) })
}

impl Reference {
    /// Whether these answers are right.
    ///
    /// # Errors
    /// Which is not, in words.
    pub fn check(&self, inferences: &[Inference]) -> Result<(), String> {
        let Truth::Expected(expected) = self.dataset.truth() else {
            return Err("the questions of the health check have no answers".to_owned());
        };
        if inferences.len() != expected.len() {
            return Err(format!("{} answers came back to {} questions", inferences.len(), expected.len()));
        }
        for ((name, wanted), inference) in self.dataset.samples().iter().zip(expected).zip(inferences) {
            let found = self.model.decode_output(&inference.output);
            let near = |(found, wanted): (&f64, &f64)| (found - wanted).abs() <= BOUND;
            if found.len() != wanted.len() || !found.iter().zip(wanted).all(near) {
                return Err(format!("hello_world answered {found:?} where {wanted:?} was expected ({name})"));
            }
        }
        Ok(())
    }
}
