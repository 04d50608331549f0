//! Builds the runner for a port, into a content-addressed cache: an unchanged source or flag never compiles twice.
//!
//! | module | what lives there |
//! |---|---|
//! | [`builder`] | the order of work, in parallel |
//! | [`recipe`] | which sources, with which flags; touches nothing |
//! | [`own`] | what is generated for a model's own firmware |
//! | [`cache`] | where objects lie, and digests of files that are not read again while unchanged |
//! | [`toolchain`] | the compiler as a process: who it is, and its errors |
//! | [`elf`] | what came out: sizes, symbols, the model's room |
//! | [`error`] | why not |
//!
//! The cache's folder:
//! ```text
//! objects/ab/abcd….o        one compiled file, named by the digest of all that went into it
//! firmware/abcd…/port.elf   one linked runner, named by its build digest, which it also reports
//! ….sha256                  beside each of those: the digest of its bytes; what does not fit it is built again
//! runner/abcd…/             the runner's sources, as embedded in this program
//! stamps                    digests of files by path, size and time
//! tmp/                      what is being written; renamed into place when it is whole
//! ```
//! Two programs at once may share it: everything appears by renaming, and the same name always means the same bytes.
//! Nothing is pruned: a changed source or compiler adds some MB. The folder may be removed at any time when no build runs.

pub mod builder;
pub mod cache;
pub mod elf;
pub mod error;
pub mod own;
pub mod recipe;
pub mod toolchain;

#[cfg(test)]
mod tests;

pub use builder::{Builder, Progress};
pub use elf::{Firmware, HostRunner};
pub use error::BuildError;
pub use toolchain::compiler_available;
