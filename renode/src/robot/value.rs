//! What a keyword returns.

use std::collections::BTreeMap;

/// The result of a keyword.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// The keyword returns nothing.
    #[default]
    None,
    /// A 32-bit integer; Renode cannot return wider ones.
    Int(i32),
    /// A truth value.
    Bool(bool),
    /// A floating-point number.
    Double(f64),
    /// Text, with every line end (`\r\n`, `\r\r\n`, `\r\n\r` in Renode) as one `\n`; also a date.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values.
    Array(Vec<Value>),
    /// Named values.
    Struct(BTreeMap<String, Value>),
}

impl Value {
    /// The text, where it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, where it is one.
    #[must_use]
    pub fn as_i32(&self) -> Option<i32> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, be it an integer or a floating-point one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(f64::from(*number)),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, where it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The bytes, where it is some.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The values of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// A member of a struct.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Struct(members) => members.get(name),
            _ => None,
        }
    }
}
