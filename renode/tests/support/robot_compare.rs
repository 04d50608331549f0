//! Whether what the API returned is what Renode answered.

use std::time::Duration;

use dxr::{FaultResponse, MethodResponse, Value as Xml};
use renode_rs::robot::{BytesMatch, Line, RobotError, Value};

use super::robot_replay::Exchange;

/// What the API returned.
#[derive(Debug)]
pub enum Returned {
    Done,
    Text(String),
    Number(u64),
    Truth(bool),
    Time(Duration),
    Bytes(Vec<u8>),
    Names(Vec<String>),
    Value(Value),
    Line(Line),
    Match(BytesMatch),
}

/// What Renode answered.
#[derive(Debug)]
pub enum Answered {
    Passed(Option<Xml>),
    Failed(String),
    Fault(i32, String),
    Raw(Xml),
}

pub fn answered(exchange: &Exchange) -> Answered {
    let http = String::from_utf8(exchange.response.clone().expect("an answer")).expect("UTF-8");
    let (_, body) = http.split_once("\r\n\r\n").expect("a body");
    let Ok(MethodResponse { value }) = MethodResponse::from_xml(body) else {
        let fault = FaultResponse::from_xml(body).expect("a fault").fault;
        return Answered::Fault(fault.code(), fault.string().to_owned());
    };
    match value {
        Xml::Struct(mut members) => match members.get("status") {
            Some(Xml::String(status)) if status == "PASS" => Answered::Passed(members.remove("return")),
            _ => match members.remove("error") {
                Some(Xml::String(error)) => Answered::Failed(error),
                other => panic!("error {other:?}"),
            },
        },
        other => Answered::Raw(other),
    }
}

pub fn number(text: &str) -> u64 {
    match text.trim().strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).expect("a number"),
        None => text.trim().parse().expect("a number"),
    }
}

fn squash(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a value of the API is the one of XML-RPC.
fn same(value: &Value, xml: &Xml) -> bool {
    match (value, xml) {
        (Value::Int(a), Xml::Integer(b)) => a == b,
        (Value::Bool(a), Xml::Boolean(b)) => a == b,
        (Value::Double(a), Xml::Double(b)) => a == b,
        (Value::Text(a), Xml::String(b)) => squash(a) == squash(b) && !a.contains('\r'),
        (Value::Bytes(a), Xml::Base64(b)) => a == b,
        (Value::Array(a), Xml::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Struct(a), Xml::Struct(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

pub fn agree(returned: &Result<Returned, RobotError>, answered: &Answered) -> bool {
    match (returned, answered) {
        (Ok(Returned::Done), Answered::Passed(_) | Answered::Raw(_)) => true,
        (Ok(Returned::Names(names)), Answered::Raw(Xml::Array(xml))) => {
            names.iter().cloned().map(Xml::String).eq(xml.iter().cloned())
        }
        (Ok(Returned::Value(value)), Answered::Passed(None)) => *value == Value::None,
        (Ok(Returned::Value(value)), Answered::Passed(Some(xml))) => same(value, xml),
        (Ok(Returned::Line(line)), Answered::Passed(Some(Xml::Struct(members)))) => {
            let Some(Xml::Double(milliseconds)) = members.get("Timestamp") else { return false };
            let Some(Xml::Array(groups)) = members.get("Groups") else { return false };
            members.get("Line") == Some(&Xml::String(line.text.clone()))
                && line.timestamp == Duration::from_nanos((milliseconds * 1e6).round() as u64)
                && line.groups.iter().cloned().map(Xml::String).eq(groups.iter().cloned())
        }
        (Ok(Returned::Match(found)), Answered::Passed(Some(Xml::Struct(members)))) => {
            let Some(Xml::Array(groups)) = members.get("Groups") else { return false };
            members.get("Content") == Some(&Xml::Base64(found.content.clone()))
                && found.groups.iter().cloned().map(Xml::Base64).eq(groups.iter().cloned())
        }
        (Ok(returned), Answered::Passed(Some(Xml::String(printed)))) => match returned {
            Returned::Text(text) => squash(text) == squash(printed) && !text.contains('\r') && !text.ends_with('\n'),
            Returned::Number(value) => *value == number(printed),
            Returned::Truth(truth) => printed.trim().eq_ignore_ascii_case(&truth.to_string()),
            Returned::Time(time) => printed.contains(&format!("time: 00:00:00.{:09}", time.as_nanos())),
            Returned::Bytes(bytes) => {
                let items = printed.trim().trim_matches(['[', ']']).split(',').map(str::trim);
                items.filter(|item| !item.is_empty()).map(number).eq(bytes.iter().map(|byte| u64::from(*byte)))
            }
            Returned::Names(names) => squash(printed) == format!("[ {}, ]", names.join(", ")),
            _ => false,
        },
        (Err(RobotError::Fault { code, message }), Answered::Fault(recorded, text)) => {
            code == recorded && message == text
        }
        (Err(RobotError::Timeout { report, .. }), Answered::Failed(error)) => {
            squash(error)
                == squash(&format!("InvalidOperationException: Terminal tester failed! Full report: {report}"))
        }
        (Err(RobotError::Started), Answered::Failed(error)) => error.contains("already started"),
        (
            Err(
                RobotError::Keyword { message, .. }
                | RobotError::Load { message, .. }
                | RobotError::PlatformDownload { message, .. },
            ),
            Answered::Failed(error),
        ) => message == error.trim_end(),
        _ => false,
    }
}
