//! Typed, async bindings to [Renode](https://renode.io) 1.15.1 to 1.16.1, on tokio.
//!
//! | module | what lives there |
//! |---|---|
//! | [`process`] | finding Renode, starting it, ending it and all that it started |
//! | [`version`] | its version |
//! | [`robot`] | the robot server (XML-RPC): monitor commands, machines, terminal testers |
//! | [`external_control`] | External Control: time, memory, GPIO and ADC, in binary |
//! | [`monitor`] | the monitor, line by line |
//! | [`uart`] | a UART as a byte stream |

pub mod external_control;
pub mod monitor;
pub mod process;
pub mod robot;
pub mod uart;
pub mod version;

pub use external_control::ExternalControl;
pub use monitor::Monitor;
pub use process::{Installation, Renode, StartOptions};
pub use robot::{Machine, Robot, TerminalTester};
pub use uart::Uart;
pub use version::Version;
