//! The runner's protocol, the farm's side of it: frames and what is in them. `PROTOCOL.md` beside this crate is the
//! page; `runner/protocol.h` is the runner's side, and a test here keeps the constants of both equal.
//!
//! | module | what lives there |
//! |---|---|
//! | [`frame`] | one frame as bytes, and its constants |
//! | [`decoder`] | frames out of a byte stream that may hold garbage |
//! | [`message`] | what the payloads say |

pub mod decoder;
pub mod frame;
pub mod message;

#[cfg(test)]
mod header_tests;

pub use decoder::{Decoded, Decoder, Garbage};
pub use frame::{Frame, Kind};
pub use message::{
    ClockKind, ErrorCode, Exited, FaultRegisters, Hello, HelloModel, Malformed, Prepared, Reply, RunnerError,
};
