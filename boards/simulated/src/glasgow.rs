//! What goes over the wire between probe-rs and a Glasgow Interface Explorer with the applet `probe-rs`.
//!
//! Frames in COBS, each ended by a zero byte. A frame's first byte is its channel (0: the probe itself, 1: SWD), the rest
//! goes on with that channel's stream. Source: probe-rs 0.32, `probe/glasgow/{mux,proto,mod}.rs`.

use crate::dap::{Ack, Transfer};

/// A stream's commands are at most 5 bytes, so that no frame need be longer than what one sends at once: this is ample.
const LONGEST: usize = 1 << 20;

const IDENTIFIER: &[u8] = b"probe-rs,v01";
/// The probe's clock, hertz; the speed of SWD is a division of it, and here of no consequence.
const CLOCK: u32 = 48_000_000;

const ROOT: u8 = 0;
const SWD: u8 = 1;

/// What is no frame, or does not go on with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not COBS, or empty, or endless.
    #[error("the debugger sent what is no frame of a Glasgow's; is it probe-rs 0.32?")]
    NoFrame,
    /// No such channel, or no such command.
    #[error("the debugger asked a Glasgow for what its applet `probe-rs` does not have ({channel}: {byte:#04x})")]
    Unknown {
        /// The channel.
        channel: u8,
        /// The byte.
        byte: u8,
    },
}

/// Something that the probe is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Holds the chip in reset, or lets it go.
    HoldReset(bool),
    /// Transfers on SWD that were sent as one.
    Transfers(Vec<Transfer>),
}

/// A Glasgow's end of a connection.
#[derive(Debug, Default)]
pub struct Wire {
    received: Vec<u8>,
    root: Vec<u8>,
    swd: Vec<u8>,
    divisor: [u8; 2],
    /// To be sent.
    out: Vec<u8>,
}

impl Wire {
    /// Takes what arrived, and gives what is to be done for it.
    ///
    /// # Errors
    /// When it is no Glasgow's language.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Request>, WireError> {
        self.received.extend_from_slice(bytes);
        let mut requests = Vec::new();
        while let Some(end) = self.received.iter().position(|byte| *byte == 0) {
            let mut frame: Vec<u8> = self.received.drain(..=end).collect();
            frame.pop();
            let length = cobs::decode_in_place(&mut frame).map_err(|_| WireError::NoFrame)?;
            let Some((&channel, body)) = frame[..length].split_first() else { return Err(WireError::NoFrame) };
            match channel {
                ROOT => {
                    self.root.extend_from_slice(body);
                    self.root_commands(&mut requests)?;
                }
                SWD => {
                    self.swd.extend_from_slice(body);
                    requests.extend(self.transfers()?);
                }
                _ => return Err(WireError::Unknown { channel, byte: channel }),
            }
        }
        if self.received.len() > LONGEST {
            return Err(WireError::NoFrame);
        }
        Ok(requests)
    }

    /// Answers transfers.
    pub fn answer(&mut self, acks: &[Ack]) {
        let mut body = Vec::with_capacity(acks.len() * 5);
        for ack in acks {
            match ack {
                Ack::Ok(Some(value)) => {
                    body.push(0x01);
                    body.extend(value.to_le_bytes());
                }
                Ack::Ok(None) => body.push(0x11),
                Ack::Wait => body.push(0x12),
                Ack::Fault => body.push(0x14),
                // What the applet says of an acknowledgement that is none.
                Ack::None => body.push(0x20),
            }
        }
        self.send(SWD, &body);
    }

    /// What is to be sent by now.
    pub fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn send(&mut self, channel: u8, body: &[u8]) {
        if !body.is_empty() {
            let mut frame = vec![channel];
            frame.extend_from_slice(body);
            self.out.extend(cobs::encode_vec(&frame));
            self.out.push(0);
        }
    }

    fn root_commands(&mut self, requests: &mut Vec<Request>) -> Result<(), WireError> {
        let mut answer = Vec::new();
        while let Some(&command) = self.root.first() {
            let mut used = 1;
            match command {
                0x00 => answer.extend_from_slice(IDENTIFIER),
                0x10 => answer.extend(CLOCK.to_le_bytes()),
                0x11 => answer.extend(self.divisor),
                0x12 => {
                    let Some(&divisor) = self.root.get(1..).and_then(|rest| rest.first_chunk()) else { break };
                    self.divisor = divisor;
                    used = 3;
                }
                0x20 => requests.push(Request::HoldReset(true)),
                0x21 => requests.push(Request::HoldReset(false)),
                byte => return Err(WireError::Unknown { channel: ROOT, byte }),
            }
            self.root.drain(..used);
        }
        self.send(ROOT, &answer);
        Ok(())
    }

    fn transfers(&mut self) -> Result<Option<Request>, WireError> {
        let mut transfers = Vec::new();
        let mut used = 0;
        while let Some((&command, rest)) = self.swd[used..].split_first() {
            let word = rest.first_chunk().map(|word| u32::from_le_bytes(*word));
            match command {
                0x20..=0x3F => {
                    // Bits as they are: line resets, and switching from JTAG. This port is always ready for SWD.
                    if word.is_none() {
                        break;
                    }
                    used += 5;
                }
                0x00..=0x0F => {
                    let read = command & 2 != 0;
                    if !read && word.is_none() {
                        break;
                    }
                    transfers.push(Transfer {
                        access_port: command & 1 != 0,
                        register: command & 0xC,
                        write: word.filter(|_| !read),
                    });
                    used += if read { 1 } else { 5 };
                }
                byte => return Err(WireError::Unknown { channel: SWD, byte }),
            }
        }
        self.swd.drain(..used);
        Ok((!transfers.is_empty()).then_some(Request::Transfers(transfers)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn frame(channel: u8, body: &[u8]) -> Vec<u8> {
        let mut wire = Wire::default();
        wire.send(channel, body);
        wire.take_out()
    }

    const READ_DPIDR: Transfer = Transfer { access_port: false, register: 0, write: None };

    #[test]
    fn the_probe_says_what_it_is_and_keeps_its_divisor() {
        let mut wire = Wire::default();
        assert_eq!(wire.receive(&frame(0, &[0x00, 0x10])), Ok(vec![]));
        assert_eq!(wire.take_out(), frame(0, b"probe-rs,v01\x00\x6c\xdc\x02"));
        assert_eq!(wire.receive(&frame(0, &[0x12, 0x34])), Ok(vec![]));
        assert!(wire.take_out().is_empty());
        assert_eq!(wire.receive(&frame(0, &[0x12, 0x11, 0x20, 0x21])).unwrap().len(), 2);
        assert_eq!(wire.take_out(), frame(0, &[0x34, 0x12]));
    }

    #[test]
    fn transfers_are_read_whatever_frames_they_come_in() {
        let mut wire = Wire::default();
        let write = Transfer { access_port: true, register: 4, write: Some(0x2000_0000) };
        let mut bytes = frame(1, &[0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0x02, 0x05, 0x00, 0x00]);
        assert_eq!(wire.receive(&bytes), Ok(vec![Request::Transfers(vec![READ_DPIDR])]));
        bytes = frame(1, &[0x00, 0x20]);
        assert_eq!(wire.receive(&bytes), Ok(vec![Request::Transfers(vec![write])]));
    }

    #[test]
    fn answers_are_the_applets() {
        let mut wire = Wire::default();
        wire.answer(&[Ack::Ok(Some(0x0403_0201)), Ack::Ok(None), Ack::Wait, Ack::Fault, Ack::None]);
        assert_eq!(wire.take_out(), frame(1, &[1, 1, 2, 3, 4, 0x11, 0x12, 0x14, 0x20]));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(Wire::default().receive(b"GET / HTTP/1.1\r\n\0"), Err(WireError::NoFrame));
        assert_eq!(Wire::default().receive(&[0]), Err(WireError::NoFrame));
        assert!(matches!(Wire::default().receive(&frame(7, &[0])), Err(WireError::Unknown { channel: 7, .. })));
        assert!(matches!(Wire::default().receive(&frame(1, &[0x80])), Err(WireError::Unknown { byte: 0x80, .. })));
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut wire = Wire::default();
            for piece in pieces {
                let _ = wire.receive(&piece);
            }
        }

        #[test]
        fn pieces_make_no_difference(words in proptest::collection::vec(any::<u32>(), 1..40), piece in 1usize..9) {
            let body: Vec<u8> = words.iter().flat_map(|word| [vec![0x0D], word.to_le_bytes().to_vec()].concat()).collect();
            let mut wire = Wire::default();
            let mut written = Vec::new();
            for piece in frame(1, &body).chunks(piece) {
                for request in wire.receive(piece).unwrap() {
                    let Request::Transfers(transfers) = request else { panic!("no transfers") };
                    written.extend(transfers.into_iter().map(|transfer| transfer.write.unwrap()));
                }
            }
            prop_assert_eq!(written, words);
        }
    }
}
