//! The frames of External Control as Renode 1.15.1 to 1.16.1 speak it: little-endian, no alignment.
//!
//! A request is `'R' 'E'`, the command, the length of the data (u32) and the data. A response starts with a code that
//! says what follows; see [`Response`].

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A response that claims more data than this is taken for garbage. The longest that is ever asked for is
/// [`super::READ_CHUNK`].
const MAX_DATA: usize = 16 << 20;

/// A command of External Control, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Command {
    /// Lets virtual time pass.
    RunFor = 1,
    /// Tells the virtual time.
    GetTime = 2,
    /// Gives the id of a machine.
    GetMachine = 3,
    /// Channels of an analogue-to-digital converter.
    Adc = 4,
    /// Pins of a GPIO port.
    Gpio = 5,
    /// Reads and writes on the system bus.
    SystemBus = 6,
}

impl Command {
    /// Every command, in the order of its number.
    pub(super) const ALL: [Self; 6] =
        [Self::RunFor, Self::GetTime, Self::GetMachine, Self::Adc, Self::Gpio, Self::SystemBus];

    pub(super) const fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunFor => "RunFor",
            Self::GetTime => "GetTime",
            Self::GetMachine => "GetMachine",
            Self::Adc => "ADC",
            Self::Gpio => "GPIO",
            Self::SystemBus => "SystemBus",
        })
    }
}

/// What Renode sends. Commands stay bare numbers: they are compared with what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// `0`: the command failed, the connection goes on.
    CommandFailed { command: u8, message: String },
    /// `1`: the server has stopped listening for good.
    FatalError { message: String },
    /// `2`: the command is unknown or was not activated.
    InvalidCommand { command: u8 },
    /// `3`
    SuccessWithData { command: u8, data: Bytes },
    /// `4`
    Success { command: u8 },
    /// `5`: the handshake was accepted.
    Handshake,
    /// `6`: only while RunFor runs.
    AsyncEvent { command: u8, descriptor: i32, data: Bytes },
}

/// The handshake: how many commands, then each with its version.
pub(super) fn handshake(commands: &[(Command, u8)]) -> Bytes {
    let mut frame = BytesMut::with_capacity(2 + 2 * commands.len());
    frame.put_u16_le(u16::try_from(commands.len()).unwrap_or(u16::MAX));
    for (command, version) in commands {
        frame.put_u8(command.number());
        frame.put_u8(*version);
    }
    frame.freeze()
}

/// A request. The data never exceeds a bus write of [`super::WRITE_CHUNK`] bytes or the name of a peripheral.
pub(super) fn request(command: Command, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(7 + data.len());
    frame.put_slice(b"RE");
    frame.put_u8(command.number());
    frame.put_u32_le(u32::try_from(data.len()).unwrap_or(u32::MAX));
    frame.put_slice(data);
    frame.freeze()
}

/// Takes one whole response off the front of `buffer`; `None`, and nothing taken, where more bytes are needed.
///
/// # Errors
/// What is wrong with the bytes.
pub(super) fn response(buffer: &mut BytesMut) -> Result<Option<Response>, String> {
    let Some(&code) = buffer.first() else { return Ok(None) };
    // What stands before the length, and the length where there is one.
    let head = match code {
        0 | 3 => 2,
        1 => 1,
        2 | 4 => return Ok(bare(buffer, code)),
        5 => {
            buffer.advance(1);
            return Ok(Some(Response::Handshake));
        }
        6 => 6,
        other => return Err(format!("unknown response code {other:#04x}")),
    };
    let Some(mut length) = buffer.get(head..head + 4) else { return Ok(None) };
    let length = length.get_u32_le() as usize;
    if length > MAX_DATA {
        return Err(format!("response of {length} bytes"));
    }
    if buffer.len() < head + 4 + length {
        return Ok(None);
    }
    let mut head = buffer.split_to(head + 4);
    let data = buffer.split_to(length).freeze();
    head.advance(1);
    let text = || String::from_utf8_lossy(&data).into_owned();
    Ok(Some(match code {
        0 => Response::CommandFailed { command: head.get_u8(), message: text() },
        1 => Response::FatalError { message: text() },
        3 => Response::SuccessWithData { command: head.get_u8(), data },
        _ => Response::AsyncEvent { command: head.get_u8(), descriptor: head.get_i32_le(), data },
    }))
}

/// A response that is a code and a command.
fn bare(buffer: &mut BytesMut, code: u8) -> Option<Response> {
    let command = *buffer.get(1)?;
    buffer.advance(2);
    Some(if code == 2 { Response::InvalidCommand { command } } else { Response::Success { command } })
}

#[cfg(test)]
#[path = "../../tests/support/transcript.rs"]
#[allow(dead_code, reason = "shared with the test programs")]
mod transcript;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::transcript::{Direction, read};
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Response> {
        let mut buffer = BytesMut::from(bytes);
        let mut responses = Vec::new();
        while let Some(response) = response(&mut buffer).expect("response") {
            responses.push(response);
        }
        assert!(buffer.is_empty(), "left over: {buffer:02x?} of {bytes:02x?}");
        responses
    }

    fn encode(response: &Response) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |code: u8, command: Option<u8>, descriptor: Option<i32>, data: Option<&[u8]>| {
            out.put_u8(code);
            command.into_iter().for_each(|command| out.put_u8(command));
            descriptor.into_iter().for_each(|descriptor| out.put_i32_le(descriptor));
            if let Some(data) = data {
                out.put_u32_le(u32::try_from(data.len()).expect("length"));
                out.put_slice(data);
            }
        };
        match response {
            Response::CommandFailed { command, message } => put(0, Some(*command), None, Some(message.as_bytes())),
            Response::FatalError { message } => put(1, None, None, Some(message.as_bytes())),
            Response::InvalidCommand { command } => put(2, Some(*command), None, None),
            Response::SuccessWithData { command, data } => put(3, Some(*command), None, Some(data)),
            Response::Success { command } => put(4, Some(*command), None, None),
            Response::Handshake => put(5, None, None, None),
            Response::AsyncEvent { command, descriptor, data } => put(6, Some(*command), Some(*descriptor), Some(data)),
        }
        out
    }

    fn any_response() -> impl Strategy<Value = Response> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
        prop_oneof![
            (any::<u8>(), ".*").prop_map(|(command, message)| Response::CommandFailed { command, message }),
            ".*".prop_map(|message| Response::FatalError { message }),
            any::<u8>().prop_map(|command| Response::InvalidCommand { command }),
            (any::<u8>(), bytes()).prop_map(|(command, data)| Response::SuccessWithData { command, data }),
            any::<u8>().prop_map(|command| Response::Success { command }),
            Just(Response::Handshake),
            (any::<u8>(), any::<i32>(), bytes()).prop_map(|(command, descriptor, data)| Response::AsyncEvent {
                command,
                descriptor,
                data
            }),
        ]
    }

    /// Everything Renode was heard to say is whole responses, but for the read of no bytes, which is never sent.
    #[test]
    fn recorded_responses_are_understood() {
        let mut count = 0;
        for name in ["extctl-main", "extctl-events", "extctl-clients", "extctl-fatal", "extctl-edge"] {
            for line in read(name).iter().filter(|line| line.direction == Direction::In) {
                let bytes = line.bytes.as_deref().expect("bytes");
                if bytes != [3, 6] {
                    let responses = all(bytes);
                    assert_eq!(responses.iter().flat_map(encode).collect::<Vec<_>>(), bytes);
                    count += responses.len();
                }
            }
        }
        assert!(count > 150, "{count}");
    }

    #[test]
    fn garbage_is_told_from_a_response() {
        assert!(response(&mut BytesMut::from(&b"HTTP"[..])).is_err());
        assert!(response(&mut BytesMut::from(&[3, 6, 255, 255, 255, 255][..])).is_err());
        assert_eq!(response(&mut BytesMut::from(&[3, 6][..])), Ok(None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = response(&mut buffer) {}
        }

        #[test]
        fn a_response_survives_any_split(responses in proptest::collection::vec(any_response(), 1..4), at in any::<prop::sample::Index>()) {
            let bytes: Vec<u8> = responses.iter().flat_map(encode).collect();
            let (first, second) = bytes.split_at(at.index(bytes.len()));
            let mut buffer = BytesMut::new();
            let mut seen = Vec::new();
            for part in [first, second] {
                buffer.put_slice(part);
                while let Some(one) = response(&mut buffer).expect("response") {
                    seen.push(one);
                }
            }
            prop_assert_eq!(seen, responses);
            prop_assert!(buffer.is_empty());
        }
    }
}
