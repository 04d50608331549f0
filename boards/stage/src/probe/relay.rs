//! The socket of a network probe, which all simulated ones are, passed on byte by byte.
//!
//! probe-rs' driver for network probes takes the end of its connection for "no bytes yet" and asks again for ever
//! (probe-rs 0.32, `GlasgowNetDevice::transfer`). The relay stands in between: when the probe leaves, it sends the driver
//! a packet to a channel that there is not, which the driver reports as an error; and it remembers that the probe left.

use crate::sockets;
use std::{
    io,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What a selector of such a probe begins with: Glasgow Interface Explorer, by a Unix socket
const UNIX: &str = "20b7:9db1:unix:";
/// or by TCP.
const TCP: &str = "20b7:9db1:tcp:";
/// Ends a packet that has begun, then a packet to channel 9 (COBS), which there is not.
const NO_SUCH_CHANNEL: [u8; 4] = [0, 2, 9, 0];

/// A relay to one probe; dropping it cuts the connection.
#[derive(Debug)]
pub struct Relay {
    probe: Socket,
    left: Arc<AtomicBool>,
    selector: String,
}

impl Relay {
    /// A relay to the probe with this selector, where it is one that needs it.
    ///
    /// # Errors
    /// When the probe's socket is not there or nobody listens.
    pub fn to(selector: &str) -> io::Result<Option<Self>> {
        let probe = if let Some(path) = selector.strip_prefix(UNIX) {
            Socket::Unix(UnixStream::connect(path)?)
        } else if let Some(address) = selector.strip_prefix(TCP) {
            let socket = TcpStream::connect(address)?;
            // Questions and answers are short, and none waits for the next.
            socket.set_nodelay(true)?;
            Socket::Tcp(socket)
        } else {
            return Ok(None);
        };
        // For as long as the driver has not come.
        let folder = sockets::folder("tinyfarm-probe-")?;
        let near = folder.path().join("probe");
        let listener = UnixListener::bind(&near)?;
        let left = Arc::new(AtomicBool::new(false));
        let (from_probe, to_probe, gone) = (probe.try_clone()?, probe.try_clone()?, left.clone());
        thread::Builder::new().name("probe-relay".to_owned()).spawn(move || {
            let accepted = listener.accept();
            drop((listener, folder));
            let Ok((driver, _)) = accepted else { return };
            let Ok(driver_in) = driver.try_clone() else { return };
            let back = thread::Builder::new().name("probe-relay-back".to_owned()).spawn(move || {
                let mut to_probe = to_probe;
                pass_on(driver_in, &mut to_probe);
                to_probe.cut();
            });
            pass_on(from_probe, &mut &driver);
            gone.store(true, Ordering::SeqCst);
            let _ = (&driver).write_all(&NO_SUCH_CHANNEL);
            // The driver is heard until it ends: a reset of its connection would lose the packet.
            if let Ok(back) = back {
                let _ = back.join();
            }
        })?;
        Ok(Some(Self { probe, left, selector: format!("{UNIX}{}", near.display()) }))
    }

    /// What the driver is told to open.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// Whether the probe ended its side of the connection.
    pub fn left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.probe.cut();
        // Where the driver never came, the first thread still waits for it.
        if let Some(path) = self.selector.strip_prefix(UNIX) {
            let _ = UnixStream::connect(path);
        }
    }
}

/// The probe's socket.
#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
        }
    }

    /// Ends the connection, both ways.
    fn cut(&self) {
        let _ = match self {
            Self::Unix(socket) => socket.shutdown(Shutdown::Both),
            Self::Tcp(socket) => socket.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.read(buffer),
            Self::Tcp(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.write(bytes),
            Self::Tcp(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pass_on(mut from: impl Read, to: &mut impl Write) {
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                // What nobody takes any more is read all the same, until its sender ends, too.
                let _ = to.write_all(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn bytes_pass_and_a_probe_that_leaves_says_so_to_the_driver() {
        let folder = sockets::folder("tinyfarm-test-").unwrap();
        let path = folder.path().join("simulated");
        let listener = UnixListener::bind(&path).unwrap();
        let relay = Relay::to(&format!("{UNIX}{}", path.display())).unwrap().unwrap();
        let (probe, _) = listener.accept().unwrap();
        converse(&relay, probe);
        // By TCP it is the same.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(&format!("{TCP}{}", listener.local_addr().unwrap())).unwrap().unwrap();
        let (probe, _) = listener.accept().unwrap();
        converse(&relay, probe);
    }

    fn converse(relay: &Relay, mut probe: impl Read + Write) {
        let mut driver = UnixStream::connect(relay.selector().strip_prefix(UNIX).unwrap()).unwrap();
        driver.write_all(b"question").unwrap();
        let mut heard = [0; 8];
        probe.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"question");
        probe.write_all(b"answer").unwrap();
        assert!(!relay.left());
        drop(probe);
        let mut heard = [0; 10];
        driver.read_exact(&mut heard).unwrap();
        assert_eq!((&heard[..6], &heard[6..]), (&b"answer"[..], &NO_SUCH_CHANNEL[..]));
        assert!(relay.left());
    }

    #[test]
    fn only_probes_behind_a_socket_need_one_and_a_socket_with_nobody_is_an_error() {
        assert!(Relay::to("0483:374b:066BFF").unwrap().is_none());
        assert!(Relay::to("20b7:9db1:C3-2024").unwrap().is_none());
        assert!(Relay::to(&format!("{UNIX}/nowhere/at/all")).is_err());
        assert!(Relay::to(&format!("{TCP}127.0.0.1:1")).is_err());
    }
}
