//! XML-RPC as the robot server speaks it, on `dxr`: its answers are pretty-printed, have empty elements (`<string />`),
//! control characters as references, and raw line ends of three kinds in texts.

use std::borrow::Cow;

use dxr::{FaultResponse, MethodCall, MethodResponse};

use super::{RobotError, Value};

/// `run_keyword(name, arguments)`, or another method without parameters.
pub(super) enum Request<'a> {
    Keyword(&'a str, Vec<String>),
    Method(&'static str),
}

impl Request<'_> {
    /// What is being done, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Keyword(name, arguments) => {
                let text = format!("{name} {arguments:?}");
                if text.len() > 200 { format!("{}...", text.chars().take(200).collect::<String>()) } else { text }
            }
            Self::Method(name) => (*name).to_owned(),
        }
    }

    /// The body of the HTTP request.
    pub(super) fn to_xml(&self) -> Result<String, RobotError> {
        let call = match self {
            Self::Keyword(name, arguments) => {
                let arguments = arguments.iter().cloned().map(dxr::Value::String).collect();
                let params = vec![dxr::Value::String((*name).to_owned()), dxr::Value::Array(arguments)];
                let call = MethodCall { name: Cow::Borrowed("run_keyword"), params };
                call.to_xml().map_err(|error| RobotError::Protocol(error.to_string()))?
            }
            // `dxr` leaves out empty `params`; Renode was only ever seen to be asked with them.
            Self::Method(name) => format!("<methodCall><methodName>{name}</methodName><params></params></methodCall>"),
        };
        Ok(format!(r#"<?xml version="1.0"?>{call}"#))
    }
}

/// The value of an answer, or its fault.
pub(super) fn answer(body: &[u8]) -> Result<Value, RobotError> {
    let text = str::from_utf8(body).map_err(|error| RobotError::Protocol(format!("not UTF-8: {error}")))?;
    // An XML parser would turn every `\r` of a mixed line end into a line end of its own.
    let text = unify_line_ends(text);
    if let Ok(response) = MethodResponse::from_xml(&text) {
        return Ok(value(response.value));
    }
    match FaultResponse::from_xml(&text) {
        Ok(FaultResponse { fault }) => {
            Err(RobotError::Fault { code: fault.code(), message: fault.string().trim_end().to_owned() })
        }
        Err(_) => Err(RobotError::Protocol(text.chars().take(200).collect())),
    }
}

/// What a keyword returns, from the struct that says how it went.
pub(super) fn outcome(keyword: &str, answer: Value) -> Result<Value, RobotError> {
    let Value::Struct(mut members) = answer else {
        return Err(RobotError::Protocol(format!("no struct but {answer:?}")));
    };
    let mut text = |name: &str| match members.remove(name) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    match text("status").as_deref() {
        Some("PASS") => Ok(members.remove("return").unwrap_or_default()),
        Some("FAIL") => Err(RobotError::Keyword {
            keyword: keyword.to_owned(),
            message: text("error").unwrap_or_default().trim_end().to_owned(),
            traceback: text("traceback"),
        }),
        other => Err(RobotError::Protocol(format!("unknown status {other:?}"))),
    }
}

fn value(value: dxr::Value) -> Value {
    match value {
        dxr::Value::Integer(number) => Value::Int(number),
        dxr::Value::Boolean(truth) => Value::Bool(truth),
        dxr::Value::String(text) => Value::Text(text),
        dxr::Value::Double(number) => Value::Double(number),
        dxr::Value::DateTime(date) => Value::Text(date.to_string()),
        dxr::Value::Base64(bytes) => Value::Bytes(bytes),
        dxr::Value::Struct(members) => {
            Value::Struct(members.into_iter().map(|(name, v)| (name, self::value(v))).collect())
        }
        dxr::Value::Array(values) => Value::Array(values.into_iter().map(self::value).collect()),
        // The enum is open for extensions of XML-RPC that are switched off here.
        _ => Value::None,
    }
}

/// Every line end as one `\n`. Renode writes `\r\n`, `\r\r\n` and `\r\n\r`, also several in a row: each has one `\n`.
/// A `\r` far from any `\n` is a line end as well, as in XML.
pub(super) fn unify_line_ends(text: &str) -> String {
    let mut unified = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['\r', '\n']) {
        let (line, tail) = rest.split_at(start);
        let end = tail.find(|c| c != '\r' && c != '\n').unwrap_or(tail.len());
        let (run, tail) = tail.split_at(end);
        let count = run.matches('\n').count().max(1);
        unified.push_str(line);
        unified.extend(std::iter::repeat_n('\n', count));
        rest = tail;
    }
    unified + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_of_renode_are_one_each() {
        for (raw, unified) in [
            ("abc\r\r\n", "abc\n"),
            ("Renode, version\r\n\r", "Renode, version\n"),
            ("a\r\nb\r\nc\r\r\n", "a\nb\nc\n"),
            ("Available peripherals:\r\n\r\r\n\r  sysbus", "Available peripherals:\n\n  sysbus"),
            ("levels:\r\n\r\n\rBackend", "levels:\n\nBackend"),
            ("a\rb", "a\nb"),
            ("", ""),
        ] {
            assert_eq!(unify_line_ends(raw), unified, "{raw:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_answered_without_a_panic(body: Vec<u8>) {
            let _ = answer(&body);
        }

        #[test]
        fn any_text_in_an_answer_is_read(text in "[^\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\r\u{fffe}\u{ffff}]*") {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let body = format!(
                "<?xml version=\"1.0\"?>\n<methodResponse>\n  <params>\n    <param>\n      <value>\n        <string>\
                 {escaped}</string>\n      </value>\n    </param>\n  </params>\n</methodResponse>"
            );
            proptest::prop_assert_eq!(answer(body.as_bytes()).unwrap(), Value::Text(text));
        }

        #[test]
        fn any_text_survives_a_request(arguments: Vec<String>) {
            let arguments: Vec<String> =
                arguments.into_iter().filter(|text| super::super::argument::check_characters(text).is_ok()).collect();
            let xml = Request::Keyword("K", arguments.clone()).to_xml().unwrap();
            let call = MethodCall::from_xml(&xml).unwrap();
            let sent = arguments.into_iter().map(dxr::Value::String).collect();
            proptest::prop_assert_eq!(&call.params[1], &dxr::Value::Array(sent));
        }
    }
}
