//! A board made of software: a QEMU machine behind a debug probe that unmodified probe-rs drives, with a serial port and
//! a place on a simulated bench, and with faults on demand. Whatever it shows is simulated, and says so.
//!
//! | module | what lives there |
//! |---|---|
//! | [`board`] | the board as its user has it |
//! | [`desk`] | where all about one board comes together |
//! | [`doors`] | lets in who comes to its sockets |
//! | [`orders`] | gives a board its commands |
//! | [`device`] | the thread on which its machine lives |
//! | [`bench`] | the folder that stands for the USB bus |
//! | [`control`] | the commands, and how they are sent |
//! | [`uart`] | its serial port: a pseudo-terminal, paced |
//! | [`stream`] | what a debugger's bytes come over |
//! | [`faults`] | the plan of faults |
//! | [`event`] | what a simulated board tells of itself |
//! | [`chips`] | the chips that there are |
//! | [`machine`] | the chip, its flash and QEMU, as what has power and a probe |
//! | [`probe`] | serves a debugger |
//! | [`glasgow`] | what goes over the wire between probe-rs and the probe |
//! | [`dap`] | the debug port and its access port |
//! | [`scs`] | the core's debug registers |
//! | [`core`] | the core: runs, halts, steps, locks up; its memory and registers |
//! | [`flash`] | flash memory and its controller |
//! | [`traps`] | breakpoint instructions in RAM |
//! | [`gdb`] | a client of QEMU's gdbstub |
//! | [`qemu`] | the QEMU process |

pub mod bench;
pub mod board;
pub mod chips;
pub mod control;
pub mod core;
pub mod dap;
pub mod desk;
pub mod device;
pub mod doors;
pub mod event;
pub mod faults;
pub mod flash;
pub mod gdb;
pub mod glasgow;
pub mod machine;
pub mod orders;
pub mod probe;
pub mod qemu;
pub mod scs;
pub mod stream;
pub mod traps;
pub mod uart;

pub use bench::Bench;
pub use board::{Options, SimulatedBoard, StartError};
pub use control::{Command, Status};
pub use event::{Event, Events};
pub use faults::{Fault, Faults, PlannedFault};
pub use machine::Machine;
