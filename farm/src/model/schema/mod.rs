//! The TensorFlow Lite schema (`tflite.fbs`, by the TensorFlow authors, Apache-2.0; as found in the package
//! `tract-tflite` 0.23.9) and the Rust code that flatc makes from it.
//!
//! `tflite_generated.rs` is made, never edited. To make it again, with flatc 25.12.19 (as in the Python package
//! `flatc`): `flatc --rust -o . tflite.fbs`. Versions of flatc and of the crate `flatbuffers` belong together.

#![allow(warnings, clippy::all, clippy::unwrap_used, clippy::undocumented_unsafe_blocks)]

include!("tflite_generated.rs");
