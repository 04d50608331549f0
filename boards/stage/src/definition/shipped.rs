//! The definitions that are part of the program: the files of `boards/`, embedded.

include!(concat!(env!("OUT_DIR"), "/definitions.rs"));

/// How messages call an embedded file.
pub(super) fn called(name: &str) -> String {
    format!("{name}.toml (shipped)")
}

/// Name and text of every shipped definition.
pub(super) fn files() -> &'static [(&'static str, &'static str)] {
    DEFINITION_FILES
}
