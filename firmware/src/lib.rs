//! The runner: its protocol, its ports, and how it is built for a target. The C++ is in `runner/`.
//!
//! | module | what lives there |
//! |---|---|
//! | [`protocol`] | frames and what is in them; `PROTOCOL.md` is the page |
//! | [`model_image`] | the model as data beside the firmware |
//! | [`port`] | what differs from target to target |
//! | [`tflm`] | where TFLM's source is |
//! | [`build`] | the runner, built for a port, into a content-addressed cache |
//! | [`process`] | starting runners and emulators so that none outlives the farm |
//! | [`session`] | a target taken by one job |
//! | [`instructions`] | ticks to instructions, where QEMU runs the runner |
//! | [`symbols`] | what a debug probe looks for in a running runner |
//! | [`testing`] | a runner that is played, well or badly |

pub mod build;
pub mod instructions;
pub mod model_image;
pub mod port;
pub mod process;
pub mod protocol;
pub mod session;
pub mod symbols;
pub mod testing;
pub mod tflm;

pub use build::{BuildError, Builder, Firmware, HostRunner, Progress, compiler_available};
pub use instructions::Instructions;
pub use model_image::ModelImage;
pub use port::{Port, PortError, port, ports};
pub use session::{Bench, ExpectedRunner, Load, RunnerSession};
pub use tflm::{TflmError, TflmSource, tfmicro_dir};
