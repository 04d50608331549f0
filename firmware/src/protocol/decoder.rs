//! Frames out of a byte stream that may hold garbage: it finds the sync bytes again after anything, believes a length
//! only when the header's check is right, and counts what it passed over.

use super::frame::{Frame, HEADER, MAX_PAYLOAD, SYNC, TRAILER, VERSION, header_check};

/// What came out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A frame whose checks are right.
    Frame(Frame),
    /// A sound frame of another version of the protocol, skipped whole.
    OtherVersion(u8),
    /// A frame whose header is sound announces more than the farm accepts. Its first byte is passed over.
    TooLong(u64),
}

/// Bytes that belonged to no frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// How many there were.
    pub bytes: u64,
    /// The first of them, up to [`Garbage::SAMPLE`].
    pub sample: Vec<u8>,
}

impl Garbage {
    /// How many bytes are kept to be shown.
    pub const SAMPLE: usize = 32;

    fn pass_over(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = Self::SAMPLE.saturating_sub(self.sample.len());
        self.sample.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The sample in a form people can read: text as text, all else escaped.
    pub fn shown(&self) -> String {
        let more = if self.bytes > self.sample.len() as u64 { "…" } else { "" };
        format!("\"{}{more}\"", self.sample.escape_ascii())
    }
}

/// Reads frames. Bytes go in by [`Decoder::push`], frames come out of [`Decoder::next`].
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    garbage: Garbage,
}

impl Decoder {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        // What was consumed is dropped only once it outweighs what is left, so that each byte moves at most once or so.
        if self.start > 0 && self.start >= self.buffer.len() - self.start {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if its last byte has come.
    #[allow(clippy::should_implement_trait, reason = "None does not end it: more bytes may come")]
    pub fn next(&mut self) -> Option<Decoded> {
        loop {
            self.seek_sync();
            let rest = &self.buffer[self.start..];
            let header: &[u8; HEADER] = rest.first_chunk()?;
            let check = u16::from_le_bytes([header[10], header[11]]);
            if check != header_check(&header[..10]) {
                self.pass_over(1);
                continue;
            }
            let length = u64::from(u32::from_le_bytes([header[6], header[7], header[8], header[9]]));
            if length > MAX_PAYLOAD as u64 {
                self.pass_over(1);
                return Some(Decoded::TooLong(length));
            }
            let (version, kind, sequence) = (header[2], header[3], u16::from_le_bytes([header[4], header[5]]));
            let end = HEADER + length as usize;
            let trailer: &[u8; TRAILER] = rest.get(end..)?.first_chunk()?;
            if u32::from_le_bytes(*trailer) != crc32fast::hash(&rest[..end]) {
                self.pass_over(1);
                continue;
            }
            let payload = rest[HEADER..end].to_vec();
            self.start += end + TRAILER;
            return Some(if version == VERSION {
                Decoded::Frame(Frame { kind, sequence, payload })
            } else {
                Decoded::OtherVersion(version)
            });
        }
    }

    /// Goes to the next byte that may begin a frame.
    fn seek_sync(&mut self) {
        let rest = &self.buffer[self.start..];
        let skip = (0..rest.len())
            .find(|&at| rest[at] == SYNC[0] && rest.get(at + 1).is_none_or(|second| *second == SYNC[1]))
            .unwrap_or(rest.len());
        self.pass_over(skip);
    }

    fn pass_over(&mut self, count: usize) {
        self.garbage.pass_over(&self.buffer[self.start..self.start + count]);
        self.start += count;
    }

    /// What was passed over so far.
    pub fn garbage(&self) -> &Garbage {
        &self.garbage
    }

    /// Forgets what was passed over so far: what a line carries while a core comes out of reset says nothing of what
    /// comes later.
    pub fn forgive(&mut self) -> Garbage {
        std::mem::take(&mut self.garbage)
    }

    /// The frame that has begun and not ended: bytes there are, and bytes it will have (of its header, while that is
    /// not whole).
    pub fn partial(&self) -> Option<(u64, u64)> {
        let rest = &self.buffer[self.start..];
        let wanted = match rest.first_chunk::<HEADER>() {
            None => HEADER,
            Some(header) => {
                HEADER + u32::from_le_bytes([header[6], header[7], header[8], header[9]]) as usize + TRAILER
            }
        };
        (!rest.is_empty()).then_some((rest.len() as u64, wanted as u64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::Kind;
    use proptest::prelude::*;

    fn all(decoder: &mut Decoder) -> Vec<Decoded> {
        std::iter::from_fn(|| decoder.next()).collect()
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let payload = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            // Payloads full of sync bytes are what misleads a reader.
            prop::collection::vec(prop_oneof![Just(0xA5u8), Just(0x5A), Just(1), any::<u8>()], 0..64),
        ];
        prop::collection::vec(
            (any::<u8>(), any::<u16>(), payload).prop_map(|(kind, sequence, payload)| Frame {
                kind,
                sequence,
                payload,
            }),
            0..6,
        )
    }

    fn garbage() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(prop_oneof![Just(0xA5u8), Just(0x5A), Just(1), Just(0)], 0..40),
        ]
    }

    /// How many places look like the start of a frame.
    fn headers(bytes: &[u8]) -> usize {
        let header =
            |bytes: &&[u8]| bytes.starts_with(&SYNC) && bytes[10..12] == header_check(&bytes[..10]).to_le_bytes();
        bytes.windows(HEADER).filter(header).count()
    }

    proptest! {
        #[test]
        fn frames_read_back_however_the_stream_is_cut(frames in frames(), cut in 1usize..40) {
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
            let mut decoder = Decoder::new();
            let mut back = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                back.extend(all(&mut decoder));
            }
            prop_assert_eq!(back, frames.into_iter().map(Decoded::Frame).collect::<Vec<_>>());
            prop_assert_eq!(decoder.garbage().bytes, 0);
            prop_assert_eq!(decoder.partial(), None);
        }

        #[test]
        fn garbage_between_frames_costs_no_frame_and_is_counted(parts in prop::collection::vec((garbage(), frames()), 0..4)) {
            let mut bytes = Vec::new();
            let mut junk = 0;
            for (garbage, frames) in &parts {
                bytes.extend(garbage);
                junk += garbage.len() as u64;
                frames.iter().for_each(|frame| bytes.extend(frame.encode()));
            }
            // Garbage that happens to pass a check of 16 bits is a header, and its length is believed.
            prop_assume!(headers(&bytes) == parts.iter().map(|(_, frames)| frames.len()).sum::<usize>());
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            let back = all(&mut decoder);
            let sent: Vec<Decoded> = parts.into_iter().flat_map(|(_, frames)| frames).map(Decoded::Frame).collect();
            prop_assert_eq!(back, sent);
            prop_assert_eq!(decoder.garbage().bytes + decoder.partial().map_or(0, |(got, _)| got), junk);
        }

        #[test]
        fn a_corrupted_frame_is_never_taken_for_another(
            frame in frames().prop_filter("one at least", |frames| !frames.is_empty()),
            at in any::<prop::sample::Index>(),
            flip in 1u8..=255,
        ) {
            let sent = &frame[0];
            let mut bytes = sent.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            // One byte wrong is a burst of at most 8 bits: CRC-32 finds every one, and so does the header's check
            // (which lets a wrong header pass only for longer errors, and the CRC-32 covers it too).
            for decoded in all(&mut decoder) {
                prop_assert!(!matches!(decoded, Decoded::Frame(_)), "took {decoded:?} for {sent:?}");
            }
        }

        #[test]
        fn no_bytes_make_it_panic_and_none_gets_lost(pieces in prop::collection::vec(garbage(), 0..20)) {
            let mut decoder = Decoder::new();
            let mut consumed = 0;
            let mut pushed = 0;
            for piece in pieces {
                pushed += piece.len() as u64;
                decoder.push(&piece);
                for decoded in all(&mut decoder) {
                    if let Decoded::Frame(frame) = decoded {
                        consumed += frame.encode().len() as u64;
                    }
                }
            }
            let held = decoder.partial().map_or(0, |(got, _)| got);
            prop_assert_eq!(decoder.garbage().bytes + consumed + held, pushed);
        }
    }

    #[test]
    fn a_length_is_not_believed_before_its_header_is_checked() {
        let mut lying = Frame::new(Kind::Log, 0, b"x".to_vec()).encode();
        lying[7] = 0x7F; // now announces 32 KiB
        let sound = Frame::new(Kind::Log, 0, b"after".to_vec());
        let mut decoder = Decoder::new();
        decoder.push(&lying);
        decoder.push(&sound.encode());
        assert_eq!(decoder.next(), Some(Decoded::Frame(sound)));
        assert_eq!(decoder.garbage().bytes, lying.len() as u64);
    }

    #[test]
    fn a_frame_of_another_version_is_skipped_whole_and_named() {
        let mut bytes = Frame::new(Kind::Log, 0, b"A5 5A".to_vec()).encode();
        bytes[2] = 2;
        let check = header_check(&bytes[..10]).to_le_bytes();
        bytes[10..12].copy_from_slice(&check);
        let end = bytes.len() - TRAILER;
        let crc = crc32fast::hash(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&crc);
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        assert_eq!(decoder.next(), Some(Decoded::OtherVersion(2)));
        assert_eq!((decoder.next(), decoder.garbage().bytes), (None, 0));
    }

    #[test]
    fn half_a_frame_says_how_much_of_it_is_there() {
        let bytes = Frame::new(Kind::Result, 1, vec![0; 4]).encode();
        let mut decoder = Decoder::new();
        decoder.push(&bytes[..7]);
        assert_eq!((decoder.next(), decoder.partial()), (None, Some((7, 12))));
        decoder.push(&bytes[7..15]);
        assert_eq!((decoder.next(), decoder.partial()), (None, Some((15, 20))));
    }

    #[test]
    fn a_frame_too_long_to_accept_is_named() {
        let mut header = vec![0xA5, 0x5A, 1, 0x83, 0, 0];
        header.extend((MAX_PAYLOAD as u32 + 1).to_le_bytes());
        header.extend(header_check(&header).to_le_bytes());
        let mut decoder = Decoder::new();
        decoder.push(&header);
        assert_eq!(decoder.next(), Some(Decoded::TooLong(MAX_PAYLOAD as u64 + 1)));
    }

    #[test]
    fn garbage_is_shown_as_people_read_it() {
        let mut decoder = Decoder::new();
        decoder.push(b"U-Boot\r\n\0");
        assert_eq!(decoder.next(), None);
        assert_eq!(decoder.garbage().shown(), r#""U-Boot\r\n\x00""#);
    }
}
