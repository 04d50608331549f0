//! The constants of this side and of `runner/protocol.h` are equal.

#![allow(clippy::unwrap_used)]

use super::{
    ClockKind, ErrorCode,
    frame::{HEADER, Kind, SYNC, VERSION},
};
use std::collections::BTreeMap;

const HEADER_TEXT: &str = include_str!("../../runner/protocol.h");

/// `name = value` pairs of a C++ enum.
fn members(enumeration: &str) -> BTreeMap<String, u32> {
    let start = HEADER_TEXT.find(&format!("enum {enumeration} ")).unwrap();
    let body = HEADER_TEXT[start..].split(['{', '}']).nth(1).unwrap();
    let pairs = body.split(',').filter(|member| !member.trim().is_empty()).map(|member| {
        let (name, value) = member.split_once('=').unwrap();
        (name.trim().to_owned(), number(value))
    });
    pairs.collect()
}

fn constant(name: &str) -> u32 {
    let after = HEADER_TEXT.split(&format!(" {name} = ")).nth(1).unwrap();
    number(after.split(';').next().unwrap())
}

fn number(text: &str) -> u32 {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

#[test]
fn both_sides_frame_alike() {
    assert_eq!([constant("kSync0"), constant("kSync1")], SYNC.map(u32::from));
    assert_eq!(constant("kProtocolVersion"), VERSION.into());
    assert_eq!(constant("kHeaderBytes") as usize, HEADER);
}

#[test]
fn both_sides_have_the_same_kinds_of_frames() {
    let ours = [
        ("kHello", Kind::HelloRequest),
        ("kLoad", Kind::LoadRequest),
        ("kPrepare", Kind::PrepareRequest),
        ("kInfer", Kind::InferRequest),
        ("kHelloReply", Kind::Hello),
        ("kPrepared", Kind::Prepared),
        ("kResult", Kind::Result),
        ("kError", Kind::Error),
        ("kFault", Kind::Fault),
        ("kLog", Kind::Log),
        ("kExited", Kind::Exited),
    ];
    assert_eq!(ours.len(), Kind::ALL.len());
    let ours: BTreeMap<String, u32> = ours.map(|(name, kind)| (name.to_owned(), kind as u32)).into();
    assert_eq!(members("Kind"), ours);
}

#[test]
fn both_sides_have_the_same_errors() {
    // `unsupported-op` is `kUnsupportedOp` over there.
    let name = |word: &str| {
        let parts = word.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
        format!("k{}", parts.collect::<String>())
    };
    let ours: BTreeMap<String, u32> = ErrorCode::ALL.iter().map(|code| (name(code.word()), *code as u32)).collect();
    assert_eq!(members("ErrorCode"), ours);
}

#[test]
fn both_sides_have_the_same_clocks() {
    let ours =
        [("kHostMonotonic", ClockKind::Host), ("kSysTick", ClockKind::SysTick), ("kDwtCycles", ClockKind::Cyccnt)];
    let ours: BTreeMap<String, u32> = ours.map(|(name, kind)| (name.to_owned(), kind as u32)).into();
    assert_eq!(members("ClockKind"), ours);
}
