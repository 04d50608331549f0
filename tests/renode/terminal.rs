//! The UART's socket: open from the command that creates it on; what the firmware says is kept for a client that comes
//! later, and what a client says for firmware that starts later.
//!
//! On Renode a tick of the runner is an instruction, for DWT and CPU keep the same pace. QEMU's SysTick does not, so the
//! ticks in the runner's results are turned into instructions on the way.

use crate::orders::{Fault, Orders};
use firmware::{
    Instructions,
    protocol::{Decoded, Decoder, Frame, Kind},
};
use rustix::net::Shutdown;
use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// What turns SysTick's ticks on QEMU's netduinoplus2 into instructions.
const INSTRUCTIONS: Instructions = Instructions { clock_hz: 168_000_000, icount_shift: 4 };

/// A socket terminal; dropped, it hangs up.
pub struct Terminal {
    listener: TcpListener,
    client: Arc<Mutex<Option<TcpStream>>>,
}

impl Terminal {
    pub fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        Ok(Self { listener, client: Arc::default() })
    }

    /// Connects it to the firmware's UART.
    pub fn attach(&self, uart: UnixStream, orders: Arc<Orders>) -> io::Result<()> {
        let (listener, kept) = (self.listener.try_clone()?, self.client.clone());
        thread::spawn(move || {
            let talk = || -> io::Result<()> {
                let (client, _) = listener.accept()?;
                client.set_nodelay(true)?;
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.try_clone()?);
                let (mut said, mut heard) = (client.try_clone()?, uart.try_clone()?);
                thread::spawn(move || io::copy(&mut said, &mut heard));
                relay(uart, client, &orders)
            };
            // It fails when either side hangs up, which is how it ends.
            let _ = talk();
        });
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whoever waits for a client, or for its words, is waked.
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        if let Some(client) = self.client.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = client.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Passes on what the firmware says, until it says no more.
fn relay(mut uart: UnixStream, mut client: TcpStream, orders: &Orders) -> io::Result<()> {
    let (mut decoder, mut buffer, mut passed) = (Decoder::new(), [0; 4096], 0);
    loop {
        match uart.read(&mut buffer)? {
            0 => return Ok(()),
            count => decoder.push(&buffer[..count]),
        }
        while let Some(decoded) = decoder.next() {
            let Decoded::Frame(frame) = decoded else { continue };
            let bytes = in_instructions(frame)?;
            if let Some((fault, after)) = orders.uart_fault()
                && (passed..passed + bytes.len()).contains(&after)
                && orders.fault(fault)
            {
                client.write_all(&bytes[..after - passed])?;
                if *fault == Fault::DiesAfter(after) {
                    eprintln!("Unhandled exception: it dies, as it was told to");
                    std::process::abort();
                }
                return client.shutdown(std::net::Shutdown::Both);
            }
            passed += bytes.len();
            client.write_all(&bytes)?;
        }
    }
}

/// The frame's bytes, with instructions for ticks where it is a result: they are the first eight bytes.
fn in_instructions(frame: Frame) -> io::Result<Vec<u8>> {
    let Frame { kind, sequence, mut payload, .. } = frame;
    let kind = Kind::of(kind).ok_or_else(|| io::Error::other("a kind of frame that is not known"))?;
    if kind == Kind::Result
        && let Some(ticks) = payload.first_chunk_mut::<8>()
    {
        *ticks = INSTRUCTIONS.of_ticks(u64::from_le_bytes(*ticks)).to_le_bytes();
    }
    Ok(Frame::new(kind, sequence, payload).encode())
}
