//! What the tests share. Every test program uses a part of it only, hence the `allow`.
#![allow(dead_code)]

pub mod raw_replay;
pub mod transcript;
