//! Packets of GDB's remote protocol: `$body#checksum`, with `}` before what must not stand in a body.
//!
//! Acknowledgements are neither sent nor waited for: QEMU takes the next command for one, and the stream loses nothing.

/// The longest body that is taken for one: QEMU's are 4 KiB at most.
const LONGEST: usize = 64 << 10;

/// Wraps a body.
pub fn encode(body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(body.len() + 4);
    packet.push(b'$');
    for &byte in body {
        if matches!(byte, b'$' | b'#' | b'}' | b'*') {
            packet.extend([b'}', byte ^ 0x20]);
        } else {
            packet.push(byte);
        }
    }
    let sum = sum(&packet[1..]);
    packet.extend(format!("#{sum:02x}").bytes());
    packet
}

/// The hexadecimal digits of `bytes`, as memory is sent.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Reads pairs of hexadecimal digits; `None` where there are others.
pub fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect()
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Takes bytes in pieces of any size and gives bodies.
#[derive(Debug, Default)]
pub struct Parser {
    bytes: Vec<u8>,
}

impl Parser {
    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole packet's body. What is no packet, or has a wrong checksum, is passed over.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let Some(start) = self.bytes.iter().position(|&byte| byte == b'$') else {
                self.bytes.clear();
                return None;
            };
            self.bytes.drain(..start);
            let Some(end) = self.bytes.iter().position(|&byte| byte == b'#') else {
                if self.bytes.len() > LONGEST {
                    self.bytes.clear();
                }
                return None;
            };
            let checksum = self.bytes.get(end + 1..end + 3)?;
            let sound = unhex(checksum).is_some_and(|checksum| checksum == [sum(&self.bytes[1..end])]);
            if sound {
                let body = plain(&self.bytes[1..end]);
                self.bytes.drain(..end + 3);
                return Some(body);
            }
            self.bytes.drain(..1);
        }
    }
}

/// Undoes the escapes and the run lengths (`0*"` is `0000`) of a body.
fn plain(body: &[u8]) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(body.len());
    let mut bytes = body.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'}' => plain.extend(bytes.next().map(|escaped| escaped ^ 0x20)),
            b'*' => {
                if let (Some(last), Some(count)) = (plain.last().copied(), bytes.next()) {
                    plain.extend(std::iter::repeat_n(last, usize::from(count.saturating_sub(29))));
                }
            }
            _ => plain.push(byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bodies(parser: &mut Parser) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| parser.next()).collect()
    }

    #[test]
    fn a_packet_is_as_the_manual_has_it() {
        assert_eq!(encode(b"m0,4"), b"$m0,4#fd");
        assert_eq!(encode(b"a#b"), b"$a}\x03b#43");
    }

    #[test]
    fn run_lengths_are_undone() {
        let mut parser = Parser::default();
        parser.push(b"$0* #7a");
        assert_eq!(bodies(&mut parser), [b"0000".to_vec()]);
    }

    #[test]
    fn garbage_acknowledgements_and_wrong_checksums_are_passed_over() {
        let mut parser = Parser::default();
        parser.push(b"+\x00$OK#00$$T05#b9-");
        assert_eq!(bodies(&mut parser), [b"T05".to_vec()]);
    }

    #[test]
    fn hexadecimal_digits_are_read_back_and_others_refused() {
        assert_eq!(hex(&[0, 0xA5, 0xFF]), "00a5ff");
        assert_eq!(unhex(b"00a5ff"), Some(vec![0, 0xA5, 0xFF]));
        assert_eq!((unhex(b"0"), unhex(b"0g")), (None, None));
    }

    proptest! {
        #[test]
        fn packets_come_through_whole_in_whatever_pieces(
            sent in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..8), piece in 1usize..16
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(|body| encode(body)).collect();
            let mut parser = Parser::default();
            let mut heard = Vec::new();
            for piece in stream.chunks(piece) {
                parser.push(piece);
                heard.extend(bodies(&mut parser));
            }
            prop_assert_eq!(heard, sent);
        }

        #[test]
        fn nothing_upsets_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut parser = Parser::default();
            parser.push(&bytes);
            bodies(&mut parser);
            // Whatever came before, the packet after a fresh start of a packet is found.
            parser.push(b"#00");
            bodies(&mut parser);
            parser.push(&encode(b"OK"));
            let found = bodies(&mut parser);
            prop_assert_eq!(found.last().map(Vec::as_slice), Some(&b"OK"[..]));
        }
    }
}
