//! The keys that a file may have, each with its place; and how a board has those of its kind.
//!
//! A key of a table is known by its whole path, `limits.flash`: a board that says only `unique_id.value` has the
//! address from its kind.

use super::DefinitionError;
use farm::suggest;
use serde::{Deserialize as _, de::DeserializeOwned};
use std::{collections::BTreeMap, ops::Range, path::PathBuf, sync::Arc};
use toml::{
    Spanned, Value,
    de::{DeTable, DeValue, ValueDeserializer},
};

/// Every key there is, with what it may look like.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("summary", "\"the board on the left\""),
    ("docs", "\"https://…\""),
    ("kind", "\"nucleo-l4r5zi\""),
    ("chip", "\"STM32L4R5ZITx\""),
    ("chip_description", "\"my-chip.yaml\""),
    ("core", "\"Cortex-M4F\""),
    ("probe", "\"066BFF…\" or \"0483:374b:066BFF…\""),
    ("link", "\"rtt\" or \"serial\""),
    ("serial.usb", "\"0483:374b:066BFF…\""),
    ("serial.interface", "2"),
    ("serial.path", "\"/dev/serial/by-id/…\""),
    ("serial.baud", "115200"),
    ("tags", "[\"m4\", \"dsp\"]"),
    ("clock_hz", "4_000_000"),
    ("run_from", "\"flash\" or \"ram\""),
    ("unique_id.address", "0x1FFF_7590"),
    ("unique_id.words", "3"),
    ("unique_id.value", "\"0011223344556677…\""),
    ("identify", "[{ address = 0xE004_2000, mask = 0xFFF, value = 0x470 }]"),
    ("power.cycle", "[\"uhubctl\", \"-l\", \"1-1\", \"-p\", \"2\", \"-a\", \"cycle\"]"),
    ("power.timeout", "\"30 s\""),
    ("reset.line", "\"dtr\" or \"rts\""),
    ("reset.command", "[\"./reset.sh\"]"),
    ("firmware", "\"tinyfarm\" or \"own\""),
    ("flash", "[\"./flash.sh\"]"),
    ("limits.flash", "0x8_0000 or \"512 KiB\""),
    ("limits.ram", "0x1_0000 or \"64 KiB\""),
    ("limits.stack", "0x1000 or \"4 KiB\""),
    ("limits.heap", "0x400 or \"1 KiB\""),
    ("simulated", "\"netduinoplus2\""),
    ("port", "\"netduinoplus2\""),
];

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as people are to read it.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// The folder that its paths are relative to; the program's own files have none.
    pub folder: Option<PathBuf>,
}

impl Place {
    /// The error that something is wrong here.
    pub fn wrong(&self, what: impl Into<String>, mend: impl Into<String>) -> DefinitionError {
        let (file, line) = (self.file.to_string(), self.line);
        DefinitionError::Wrong { file, line, what: what.into(), mend: mend.into() }
    }
}

/// What a key says, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said<T> {
    /// What.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// What one file says, or a board with what it has from its kind.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    said: BTreeMap<&'static str, Said<Value>>,
    /// The file's first line: where what is missing should be.
    pub top: Place,
}

impl Keys {
    /// Reads `text`, the contents of `file`, whose paths are relative to `folder`.
    pub fn parse(file: &str, folder: Option<PathBuf>, text: &str) -> Result<Self, DefinitionError> {
        let file: Arc<str> = file.into();
        let at = |span: Option<Range<usize>>| Place {
            file: Arc::clone(&file),
            line: span.map_or(1, |span| line_of(text, span.start)),
            folder: folder.clone(),
        };
        let table = DeTable::parse(text).map_err(|error| {
            at(error.span()).wrong(error.message().trim().replace('\n', "; "), "a definition is lines of `key = value`")
        })?;
        let mut keys = Self { said: BTreeMap::new(), top: at(None) };
        for (key, value) in table.get_ref() {
            let (name, place) = (key.get_ref().as_ref(), at(Some(key.span())));
            let below = format!("{name}.");
            let is_table = KEYS.iter().any(|(known, _)| known.starts_with(&below));
            match value.get_ref() {
                DeValue::Table(inner) if is_table => {
                    for (key, value) in inner {
                        keys.put(&format!("{below}{}", key.get_ref()), value, at(Some(key.span())))?;
                    }
                }
                _ if is_table => {
                    let within = KEYS.iter().find_map(|(known, example)| Some((known.strip_prefix(&below)?, example)));
                    let example = within.map_or(String::new(), |(key, example)| {
                        format!("{key} = {}", example.split(" or ").next().unwrap_or_default())
                    });
                    return Err(place
                        .wrong(format!("`{name}` is no table"), format!("write it like `{name} = {{ {example} }}`")));
                }
                _ => keys.put(name, value, place)?,
            }
        }
        Ok(keys)
    }

    fn put(&mut self, name: &str, value: &Spanned<DeValue<'_>>, place: Place) -> Result<(), DefinitionError> {
        let Some((known, _)) = KEYS.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = KEYS.iter().map(|(known, _)| *known).collect();
            return Err(place.wrong(format!("there is no key `{name}`"), suggest::mend(name, names.iter().copied())));
        };
        let value = Value::deserialize(ValueDeserializer::from(value.clone()))
            .map_err(|error| place.wrong(format!("`{name}`: {}", error.message()), like(name)))?;
        self.said.insert(known, Said { value, place });
        Ok(())
    }

    /// Adds what `kind` says and this does not.
    pub fn inherit(&mut self, kind: &Self) {
        for (key, said) in &kind.said {
            if *key != "kind" {
                self.said.entry(key).or_insert_with(|| said.clone());
            }
        }
    }

    /// What the key says.
    ///
    /// # Errors
    /// It says something of another type.
    pub fn get<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<Said<T>>, DefinitionError> {
        debug_assert!(KEYS.iter().any(|(known, _)| *known == key), "{key}");
        let Some(Said { value, place }) = self.said.get(key) else { return Ok(None) };
        let place = place.clone();
        match T::deserialize(value.clone()) {
            Ok(value) => Ok(Some(Said { value, place })),
            Err(error) => {
                let what = error.message().trim().replace('\n', "; ");
                Err(place.wrong(format!("`{key}` says what it cannot: {what}"), like(key)))
            }
        }
    }

    /// Whether the key is said.
    pub fn has(&self, key: &str) -> bool {
        self.said.contains_key(key)
    }

    /// Where the key is; where it should be, if it is not there.
    pub fn place(&self, key: &str) -> &Place {
        self.said.get(key).map_or(&self.top, |said| &said.place)
    }
}

/// How the key is written.
pub(super) fn like(key: &str) -> String {
    let example = KEYS.iter().find(|(known, _)| *known == key).map_or("", |(_, example)| example);
    let ways: Vec<String> = example.split(" or ").map(|way| format!("`{key} = {way}`")).collect();
    format!("write it like {}", ways.join(" or "))
}

/// The line, from 1, that the byte at `offset` is on.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
