//! One frame as bytes: sync, version, kind, sequence, length, header check, payload, CRC-32.

use std::fmt;

/// The bytes every frame begins with.
pub const SYNC: [u8; 2] = [0xA5, 0x5A];
/// The version of the protocol that this farm speaks.
pub const VERSION: u8 = 1;
/// Bytes before the payload.
pub const HEADER: usize = 12;
/// Bytes after the payload.
pub const TRAILER: usize = 4;
/// The largest payload that the farm accepts from a runner, bytes.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Farm to runner: say who you are.
    HelloRequest = 0x01,
    /// Farm to runner: take this model.
    LoadRequest = 0x02,
    /// Farm to runner: allocate the model's tensors.
    PrepareRequest = 0x03,
    /// Farm to runner: one inference.
    InferRequest = 0x04,
    /// Runner to farm: who it is, and what model it holds.
    Hello = 0x81,
    /// Runner to farm: tensors are allocated.
    Prepared = 0x82,
    /// Runner to farm: one inference's outputs.
    Result = 0x83,
    /// Runner to farm: a request failed.
    Error = 0xE0,
    /// Runner to farm: the core faulted.
    Fault = 0xE1,
    /// Runner to farm: text.
    Log = 0xE2,
    /// Runner's parent to farm: the process behind this connection ended.
    Exited = 0xE3,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 11] = [
        Self::HelloRequest,
        Self::LoadRequest,
        Self::PrepareRequest,
        Self::InferRequest,
        Self::Hello,
        Self::Prepared,
        Self::Result,
        Self::Error,
        Self::Fault,
        Self::Log,
        Self::Exited,
    ];

    /// The kind with this number, if there is one.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A frame whose checks were right. Its kind may still be one that nobody knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Number of its kind; see [`Kind::of`].
    pub kind: u8,
    /// A reply repeats its request's; 0 in what nobody asked for.
    pub sequence: u16,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of `kind`.
    pub fn new(kind: Kind, sequence: u16, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind: kind as u8, sequence, payload: payload.into() }
    }

    /// The frame as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.payload.len() + TRAILER);
        encode_into(&mut bytes, self.kind, self.sequence, &[&self.payload]);
        bytes
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Kind::of(self.kind) {
            Some(kind) => write!(f, "{kind:?}")?,
            None => write!(f, "kind {:#04x}", self.kind)?,
        }
        write!(f, " #{} ({} bytes)", self.sequence, self.payload.len())
    }
}

/// Puts a frame of `kind` behind what `out` holds; its payload is `parts`, one after the other.
pub fn encode_into(out: &mut Vec<u8>, kind: u8, sequence: u16, parts: &[&[u8]]) {
    let start = out.len();
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.reserve(HEADER + length + TRAILER);
    out.extend_from_slice(&SYNC);
    out.extend_from_slice(&[VERSION, kind]);
    out.extend_from_slice(&sequence.to_le_bytes());
    // Longer than u32 cannot be sent; the length on the wire is cut then, and the runner refuses the frame.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    let check = header_check(&out[start..start + 10]);
    out.extend_from_slice(&check.to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    let crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// The check over a header's first ten bytes: the low 16 bits of their CRC-32.
pub fn header_check(first_ten: &[u8]) -> u16 {
    crc32fast::hash(first_ten) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_looks_on_the_wire_as_the_page_says() {
        let bytes = Frame::new(Kind::PrepareRequest, 0x0102, 7u32.to_le_bytes()).encode();
        assert_eq!(bytes[..10], [0xA5, 0x5A, 1, 3, 0x02, 0x01, 4, 0, 0, 0]);
        assert_eq!(bytes[10..12], (crc32fast::hash(&bytes[..10]) as u16).to_le_bytes());
        assert_eq!(bytes[12..16], [7, 0, 0, 0]);
        assert_eq!(bytes[16..], crc32fast::hash(&bytes[..16]).to_le_bytes());
    }

    #[test]
    fn every_kind_is_found_by_its_number_and_no_other_is() {
        for number in 0..=255u8 {
            assert_eq!(
                Kind::of(number).map(|kind| kind as u8),
                Kind::ALL.map(|k| k as u8).contains(&number).then_some(number)
            );
        }
    }
}
