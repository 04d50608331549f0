//! The runner's symbols that a debug probe reads or writes, and what it writes there; [`Firmware::address`] has where
//! they lie.
//!
//! [`Firmware::address`]: crate::Firmware::address

/// The control block of the RTT link.
pub const RTT: &str = "_SEGGER_RTT";

/// A word that start-up does not clear. What it holds when the runner starts says which link it is to speak over.
pub const LINK_REQUEST: &str = "link_request";

/// In [`LINK_REQUEST`]: speak over RTT. Bytes `RTT1`. Anything else: the shared memory or the UART, where there is one.
pub const LINK_REQUEST_RTT: u32 = 0x3154_5452;

/// The build digest, 64 lower-case hexadecimal digits in flash.
pub const RUNNER_DIGEST: &str = "runner_digest";

/// The vector table: what a probe starts where firmware lies in RAM.
pub const VECTORS: &str = "vectors";

/// Where the core starts: the runner's first instruction.
pub const ENTRY: &str = "Reset_Handler";
