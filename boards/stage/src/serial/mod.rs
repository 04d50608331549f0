//! Serial ports: named by what stays, found anew whenever they are opened, read and written on the executor, with what
//! went over the wire kept as evidence.
//!
//! | module | what lives there |
//! |---|---|
//! | `identity` | what a port is named by: USB numbers or a stable path, never `/dev/ttyACM0` |
//! | `ports` | the port that an identity means now |
//! | `link` | an open port |
//! | `reopen` | waiting for a port that went away to come back, under whatever name |
//! | `error` | why there is no link, and the mend |

mod error;
mod identity;
mod link;
mod ports;
mod reopen;

pub use error::SerialError;
pub use identity::{Identity, IdentityError};
pub use link::{SerialLink, open};
pub(crate) use ports::ports_of;
pub use ports::resolve;
pub use reopen::reopen;

#[cfg(test)]
pub(crate) mod tests;
