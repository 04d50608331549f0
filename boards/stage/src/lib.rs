//! The board stage: physical boards and simulated ones as targets.
//!
//! | module | what lives there |
//! |---|---|
//! | [`definition`] | what a board is: the files of `boards/` |
//! | [`chip`] | chips as probe-rs describes them, and the port for each |
//! | [`board`] | a board as a target: what the farm sees |
//! | [`lease`] | who has a board: one process at a time |
//! | [`health`] | whether a board can be trusted: its history, and what follows |
//! | [`doctor`] | what is known of a bench without running a job, what is wrong with it, and the mend |
//! | [`probe`] | a board's debug probe: identify, flash, run, RTT, post mortem; a thread of its own |
//! | [`bus`] | what is attached: probes on USB, simulated boards; what keeps a user from using it |
//! | [`serial`] | serial ports: named by what stays, read and written on the executor |
//! | [`raw_log`] | what went over a wire, as evidence |
//! | [`pipe`] | a byte stream between the executor and a thread |
//! | [`sockets`] | folders in which Unix sockets have room |

pub mod board;
pub mod bus;
pub mod chip;
pub mod definition;
pub mod doctor;
pub mod health;
pub mod lease;
pub mod pipe;
pub mod probe;
pub mod raw_log;
pub mod serial;
pub mod sockets;

pub use board::{BoardOptions, News, SimulatedBoard, Simulator, targets};
pub use definition::{Definition, Definitions};
