//! Numbers and bytes as JSON that reads back to the bit: JSON has no NaN and no infinity, and an array of numbers is a
//! long way to write bytes.

/// `#[serde(with = "crate::number::float")]`: what is no finite number is written as `"NaN"`, `"inf"` or `"-inf"`.
pub(crate) mod float {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Word(String),
    }

    pub(crate) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match number.is_finite() {
            true => number.serialize(serializer),
            false => number.to_string().serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(number),
            Written::Word(word) => word.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// `#[serde(with = "crate::number::hex")]`: bytes as hexadecimal digits.
pub(crate) mod hex {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::fmt::Write as _;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("bytes are written as pairs of hexadecimal digits");
        if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let pairs = (0..text.len()).step_by(2);
        pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())).collect()
    }
}

/// `#[serde(with = "crate::number::pair")]`: two numbers, each as [`float`] has it.
pub(crate) mod pair {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Float(#[serde(with = "super::float")] f64);

    pub(crate) fn serialize<S: Serializer>(pair: &(f64, f64), serializer: S) -> Result<S::Ok, S::Error> {
        (Float(pair.0), Float(pair.1)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(f64, f64), D::Error> {
        let (Float(first), Float(second)) = Deserialize::deserialize(deserializer)?;
        Ok((first, second))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    struct All {
        #[serde(with = "super::float")]
        float: f64,
        #[serde(with = "super::pair")]
        pair: (f64, f64),
        #[serde(with = "super::hex")]
        bytes: Vec<u8>,
    }

    fn there_and_back(all: &All) -> All {
        serde_json::from_str(&serde_json::to_string(all).unwrap()).unwrap()
    }

    #[test]
    fn what_is_no_finite_number_reads_back() {
        let all = All { float: f64::NAN, pair: (f64::INFINITY, f64::NEG_INFINITY), bytes: vec![0, 255] };
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#"{"float":"NaN","pair":["inf","-inf"],"bytes":"00ff"}"#);
        let read = there_and_back(&all);
        assert!(read.float.is_nan());
        assert_eq!((read.pair, read.bytes), (all.pair, all.bytes));
    }

    #[test]
    fn half_a_byte_and_what_is_no_digit_are_refused() {
        for bytes in ["0", "0g", "é0", "+1"] {
            let text = format!(r#"{{"float":0.0,"pair":[0.0,0.0],"bytes":"{bytes}"}}"#);
            assert!(serde_json::from_str::<All>(&text).is_err(), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn every_number_reads_back_to_the_bit(bits: u64, other: u64, bytes: Vec<u8>) {
            let all = All { float: f64::from_bits(bits), pair: (f64::from_bits(other), 0.1), bytes };
            let read = there_and_back(&all);
            prop_assert!(read.float.to_bits() == bits || (read.float.is_nan() && all.float.is_nan()));
            prop_assert!(read.pair.0.to_bits() == other || (read.pair.0.is_nan() && all.pair.0.is_nan()));
            prop_assert_eq!(read.bytes, all.bytes);
        }
    }
}
