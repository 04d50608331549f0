//! The container stage, and the runner as a child process where no container can be had.
//!
//! | module | what lives there |
//! |---|---|
//! | `target` | the target `container`: one container for a run, a connection for each job |
//! | `host` | the target `host`: the runner as a child process |
//! | [`options`] | what a run may set |
//! | `program` | the program that runs models |
//! | `engine` | the Docker engine: where it is, whether it can be used, why not |
//! | `image` | the image `FROM scratch` around the static runner |
//! | `isolation` | what the container may not do |
//! | `run` | one container at work |
//! | `owner` | whose a container is, and whether that process lives |
//! | `sweep` | removes what killed runs left behind |

mod engine;
mod host;
mod image;
mod isolation;
pub mod options;
mod owner;
mod program;
mod run;
mod sweep;
mod target;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod trial;

pub use engine::{Address, EngineError};
pub use options::ContainerOptions;

use farm::Target;
use std::sync::Arc;

/// The targets of this room: `container`, then `host`.
pub fn targets(options: &ContainerOptions) -> Vec<Arc<dyn Target>> {
    vec![Arc::new(target::ContainerTarget::new(options.clone())), Arc::new(host::HostTarget::new(options))]
}
