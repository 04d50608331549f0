//! TCP ports for the servers that Renode opens.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// Renode looks for the robot server's port from here on; a port chosen below is not taken by one that starts meanwhile.
const ROBOTS: u16 = 49152;

/// A port that was free a moment ago. It may be taken before Renode opens it: then another is tried.
pub(super) fn free() -> io::Result<u16> {
    // Held until one is chosen, or the same would be offered again.
    let mut offered = Vec::new();
    for _ in 0..16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        if port < ROBOTS {
            return Ok(port);
        }
        offered.push(listener);
    }
    offered[0].local_addr().map(|address| address.port())
}

/// Whether Renode says that a port was taken: `Address already in use`, as seen with 1.16.1.
pub(super) fn taken(said: &str) -> bool {
    said.contains("Address already in use") || said.contains("AddressAlreadyInUse")
}
