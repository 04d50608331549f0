//! Renode's platforms as targets. A Renode takes long to start, so it stays for the run and serves one job after another,
//! each with a machine of its own; whatever goes wrong with one ends it, and the next job gets another.
//!
//! | module | what lives there |
//! |---|---|
//! | [`target`] | a platform as a target: what the farm sees |
//! | [`finder`] | the program: where it is, which version |
//! | [`pool`] | the Renodes of a run |
//! | [`machine`] | a job's machine: platform, runner, model, time |
//! | [`bench`] | what stands behind a session |

pub mod bench;
pub mod finder;
pub mod machine;
pub mod pool;
pub mod target;

pub use target::RenodeTarget;

use crate::EmulatorOptions;
use finder::Finder;
use pool::Pool;
use std::sync::Arc;

/// Every platform that a port says Renode runs, whether it can be used or not: [`farm::Target::availability`] tells.
pub fn platforms(options: &EmulatorOptions) -> Vec<Arc<RenodeTarget>> {
    let finder = Arc::new(Finder::new(options.renode.clone(), options.portable_renode.clone()));
    let pool = Arc::new(Pool::default());
    let platform = |port| RenodeTarget::new(port, finder.clone(), pool.clone(), options.builder.clone()).map(Arc::new);
    firmware::ports().iter().filter_map(platform).collect()
}
