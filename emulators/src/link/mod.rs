//! The shared-memory link: the protocol's byte stream over two rings in RAM that the emulator shares with the farm, with
//! the UART as the bell (`firmware/PROTOCOL.md`, "Shared-memory link").
//!
//! A UART model of QEMU takes in 8-16 KB/s and gives out a character at a time; memory has no such bound. Nobody polls:
//! a side that finds nothing to do says so in a word, looks once more and sleeps until the bell.
//!
//! | module | what lives there |
//! |---|---|
//! | `mapping` | the mapped memory; the only `unsafe` of the link |
//! | `rings` | layout, reading and writing of the rings, without waiting |
//! | `shared` | waiting and ringing: `AsyncRead` and `AsyncWrite` |
//! | `either` | that, or the UART itself |

mod either;
mod mapping;
mod rings;
mod shared;
#[cfg(test)]
mod tests;

pub use either::Link;
pub use mapping::Mapping;
pub use rings::{Layout, Rings};
pub use shared::{Broken, SharedLink};
