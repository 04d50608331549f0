//! Reader for the recorded conversations in `tests/transcripts/*.jsonl`: one JSON object a line, in order of time.

use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value};

/// Where a line went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Client to Renode.
    Out,
    /// Renode to client: what arrived until a short silence, not one TCP segment.
    In,
    /// Not wire traffic: a process start or exit, a command given over another port, ...
    Event,
}

/// One line of a transcript.
#[derive(Clone, Debug)]
pub struct Line {
    pub direction: Direction,
    /// Milliseconds since the start of the recording.
    pub time_ms: f64,
    /// Number of the client connection.
    pub connection: Option<u32>,
    /// Raw text of an HTTP request or response.
    pub http: Option<String>,
    /// Payload of a `b64` or `hex` line.
    pub bytes: Option<Vec<u8>>,
    /// Readable copy of the payload.
    pub text: Option<String>,
    pub event: Option<String>,
    pub note: Option<String>,
    /// Every field as it stands in the file.
    pub fields: Map<String, Value>,
}

/// Every line of `tests/transcripts/{name}.jsonl`.
///
/// # Panics
/// Where the file is missing or a line of it cannot be read.
pub fn read(name: &str) -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name).with_extension("jsonl");
    let content = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    content.lines().map(parse).collect()
}

fn parse(line: &str) -> Line {
    let fields: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text_of = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let bytes = match (text_of("b64"), text_of("hex")) {
        (Some(text), _) => Some(base64::engine::general_purpose::STANDARD.decode(text).expect("base64")),
        (None, Some(text)) => Some(hex(&text)),
        (None, None) => None,
    };
    Line {
        direction: match text_of("dir").as_deref() {
            Some("out") => Direction::Out,
            Some("in") => Direction::In,
            Some("event") => Direction::Event,
            other => panic!("unknown direction {other:?}"),
        },
        time_ms: fields.get("t_ms").and_then(Value::as_f64).expect("t_ms"),
        connection: fields.get("conn").and_then(Value::as_u64).map(|number| u32::try_from(number).expect("conn")),
        http: text_of("http"),
        bytes,
        text: text_of("text"),
        event: text_of("event"),
        note: text_of("note"),
        fields,
    }
}

/// The bytes of a string of hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "odd number of digits");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex")).collect()
}
