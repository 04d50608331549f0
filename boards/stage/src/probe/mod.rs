//! A board's debug probe. probe-rs blocks, so each session with a probe has a thread of its own, and nothing of probe-rs
//! is ever called on the executor.
//!
//! | module | what lives there |
//! |---|---|
//! | [`thread`] | the thread: what is asked of it, with bounded waits, and what becomes of one that hangs |
//! | [`device`] | what it does: open, attach, read, reset, run |
//! | [`identify`] | whether this is the board that the definition means; asked before the first write |
//! | [`plan`] | what must be written: nothing, the model, or all |
//! | [`image`] | what is to lie in the board's memory, from the ELF file |
//! | [`flash`] | writing it, read back, with progress |
//! | [`rtt`] | the link: RTT buffers in the chip's RAM |
//! | [`pump`] | bytes between those buffers and the session |
//! | [`autopsy`] | registers of a core that crashed or hangs |
//! | [`rate`] | whether the core's clock is as fast as claimed |
//! | [`relay`] | the socket of a network probe, so that its end is noticed |
//! | [`words`] | what probe-rs says, in words with the mend |

pub mod autopsy;
pub mod device;
pub mod flash;
pub mod identify;
pub mod image;
pub mod plan;
pub mod pump;
pub mod rate;
pub mod relay;
pub mod rtt;
pub mod thread;
pub mod words;

pub use device::{Access, Device};
pub use thread::ProbeThread;
