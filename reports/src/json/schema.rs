//! The published schema, generated from the types that are written.

use super::{EventLine, EvidenceLine, Report};
use schemars::{Schema, generate::SchemaSettings};

/// The JSON schema (draft 2020-12) of `report.json`; a line of `evidence.jsonl` is `#/$defs/EvidenceLine` in it, a line
/// of `--format json` is `#/$defs/EventLine`.
pub fn schema() -> Schema {
    // What is written, not what is read back: every field is there.
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.subschema_for::<EvidenceLine>();
    generator.subschema_for::<EventLine>();
    let mut schema = generator.into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), "tinyfarm report, version 1".into());
    schema
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
