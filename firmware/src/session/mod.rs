//! A target taken by one job: the handshake, inferences in flight, and every way it can go wrong as a named error.
//!
//! | module | what lives there |
//! |---|---|
//! | [`bench`] | what stands behind the link: a process, a connection |
//! | [`link`] | frames over any byte stream, both directions at once |
//! | [`runner`] | the session itself: inferences in flight |
//! | `talk` | requests in order, news on the side, the handshake |
//! | [`faults`] | what the runner reports, as the domain's errors |

pub mod bench;
pub mod faults;
pub mod link;
pub mod runner;
mod talk;

#[cfg(test)]
mod tests;

pub use bench::Bench;
pub use runner::{ExpectedRunner, Load, RunnerSession};
