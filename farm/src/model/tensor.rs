//! What goes into and comes out of a model: element types, quantisation, and the way between real values and bytes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 32-bit IEEE 754, little-endian.
    Float32,
    /// Signed byte.
    Int8,
    /// Unsigned byte.
    UInt8,
    /// Signed 16-bit, little-endian.
    Int16,
    /// Signed 32-bit, little-endian.
    Int32,
    /// Signed 64-bit, little-endian.
    Int64,
    /// One byte, 0 or 1.
    Bool,
}

impl ElementType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Int8 | Self::UInt8 | Self::Bool => 1,
            Self::Int16 => 2,
            Self::Float32 | Self::Int32 => 4,
            Self::Int64 => 8,
        }
    }

    /// The word used in manifests and reports: `float32`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Int8 => "int8",
            Self::UInt8 => "uint8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Bool => "bool",
        }
    }

    /// Least and greatest value a stored element can have; `None` for floating point. Of `Int64` only what an `f64`
    /// holds exactly.
    pub fn range(self) -> Option<(f64, f64)> {
        const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
        match self {
            Self::Float32 => None,
            Self::Int8 => Some((-128.0, 127.0)),
            Self::UInt8 => Some((0.0, 255.0)),
            Self::Int16 => Some((-32_768.0, 32_767.0)),
            Self::Int32 => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
            Self::Int64 => Some((-EXACT, EXACT)),
            Self::Bool => Some((0.0, 1.0)),
        }
    }

    /// The stored values in `bytes`; a last element that is not whole is left out.
    pub(crate) fn read(self, bytes: &[u8], big_endian: bool) -> Vec<f64> {
        fn each<const N: usize>(bytes: &[u8], big: bool, value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            let (elements, _) = bytes.as_chunks::<N>();
            let turn = |mut element: [u8; N]| {
                if big {
                    element.reverse();
                }
                value(element)
            };
            elements.iter().copied().map(turn).collect()
        }
        match self {
            Self::Float32 => each(bytes, big_endian, |b| f64::from(f32::from_le_bytes(b))),
            Self::Int8 => each(bytes, big_endian, |b| f64::from(i8::from_le_bytes(b))),
            Self::UInt8 | Self::Bool => each(bytes, big_endian, |b| f64::from(u8::from_le_bytes(b))),
            Self::Int16 => each(bytes, big_endian, |b| f64::from(i16::from_le_bytes(b))),
            Self::Int32 => each(bytes, big_endian, |b| f64::from(i32::from_le_bytes(b))),
            Self::Int64 => each(bytes, big_endian, |b| i64::from_le_bytes(b) as f64),
        }
    }

    /// Appends one stored value, which must be within [`ElementType::range`].
    fn write(self, value: f64, out: &mut Vec<u8>) {
        match self {
            Self::Float32 => out.extend_from_slice(&(value as f32).to_le_bytes()),
            Self::Int8 => out.extend_from_slice(&(value as i8).to_le_bytes()),
            Self::UInt8 | Self::Bool => out.push(value as u8),
            Self::Int16 => out.extend_from_slice(&(value as i16).to_le_bytes()),
            Self::Int32 => out.extend_from_slice(&(value as i32).to_le_bytes()),
            Self::Int64 => out.extend_from_slice(&(value as i64).to_le_bytes()),
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Affine quantisation of a whole tensor: real = scale × (stored − zero point).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantization {
    /// Step between neighbours.
    pub scale: f32,
    /// The stored value that stands for 0.
    pub zero_point: i64,
}

/// What goes into or comes out of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// As the model names it; may be empty.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Type of each element.
    pub element: ElementType,
    /// How stored values stand for real ones; `None` where they are the real ones.
    pub quantization: Option<Quantization>,
}

/// A value that a tensor cannot hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// Too few or too many.
    #[error("{expected} values are wanted for {tensor}, {found} were found")]
    Count {
        /// The tensor in words.
        tensor: String,
        /// Elements of the tensor.
        expected: usize,
        /// Values there were.
        found: usize,
    },
    /// A value at `index` (from 0) that the tensor has no stored value for.
    #[error("{value} at index {index} {why}")]
    Value {
        /// Which of the values, from 0.
        index: usize,
        /// The value.
        value: f64,
        /// What is wrong with it.
        why: String,
    },
}

impl TensorSpec {
    /// How many elements it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.elements() * self.element.size()
    }

    /// The stored values in `bytes`, not dequantised; a last element that is not whole is left out.
    pub fn stored(&self, bytes: &[u8]) -> Vec<f64> {
        self.element.read(bytes, false)
    }

    /// The real values in `bytes`: dequantised, computed in 64 bits. A last element that is not whole is left out.
    pub fn decode(&self, bytes: &[u8]) -> Vec<f64> {
        let mut values = self.stored(bytes);
        if self.quantization.is_some() {
            values.iter_mut().for_each(|value| *value = self.dequantize(*value));
        }
        values
    }

    /// The real value that the stored value `stored` stands for.
    pub fn dequantize(&self, stored: f64) -> f64 {
        match self.quantization {
            Some(Quantization { scale, zero_point }) => f64::from(scale) * (stored - zero_point as f64),
            None => stored,
        }
    }

    /// The bytes that stand for the real `values`.
    ///
    /// Quantised tensors do as TFLite's QUANTIZE does: divide by the scale in 32-bit floating point, round half away
    /// from zero, add the zero point, saturate.
    ///
    /// # Errors
    /// [`EncodeError`]: not as many values as elements, a value that is not finite, one beyond 32-bit floating point, or,
    /// in an integer tensor without quantisation, one that is no whole number of its range.
    pub fn encode(&self, values: &[f64]) -> Result<Vec<u8>, EncodeError> {
        self.encode_counting(values).map(|(bytes, _)| bytes)
    }

    /// [`TensorSpec::encode`], and the indices of the values that were saturated.
    pub(crate) fn encode_counting(&self, values: &[f64]) -> Result<(Vec<u8>, Vec<usize>), EncodeError> {
        let (Some(quantization), Some((least, greatest))) = (self.quantization, self.element.range()) else {
            return self.encode_stored(values).map(|bytes| (bytes, Vec::new()));
        };
        self.check_count(values)?;
        let mut bytes = Vec::with_capacity(self.bytes());
        let mut saturated = Vec::new();
        for (index, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(EncodeError::Value { index, value, why: "is not a finite number".to_owned() });
            }
            // `f32::round` rounds half away from zero, as TfLiteRound does.
            let step = (value as f32 / quantization.scale).round();
            let stored = f64::from(step) + quantization.zero_point as f64;
            if stored < least || stored > greatest {
                saturated.push(index);
            }
            self.element.write(stored.clamp(least, greatest), &mut bytes);
        }
        Ok((bytes, saturated))
    }

    /// The bytes of `values` taken as the stored values themselves: integers of the tensor's own type, not quantised
    /// again.
    ///
    /// # Errors
    /// [`EncodeError`]: not as many values as elements, or a value that the element type cannot hold.
    pub fn encode_stored(&self, values: &[f64]) -> Result<Vec<u8>, EncodeError> {
        self.check_count(values)?;
        let mut bytes = Vec::with_capacity(self.bytes());
        for (index, &value) in values.iter().enumerate() {
            let wrong = |why: String| Err(EncodeError::Value { index, value, why });
            if !value.is_finite() {
                return wrong("is not a finite number".to_owned());
            }
            match self.element.range() {
                None if !(value as f32).is_finite() => return wrong("is beyond float32".to_owned()),
                Some(_) if value.fract() != 0.0 => {
                    return wrong(format!("is not a whole number, which {} holds", self.element));
                }
                Some((least, greatest)) if !(least..=greatest).contains(&value) => {
                    return wrong(format!("is outside of {}: {least} to {greatest}", self.element));
                }
                _ => self.element.write(value, &mut bytes),
            }
        }
        Ok(bytes)
    }

    fn check_count(&self, values: &[f64]) -> Result<(), EncodeError> {
        if values.len() == self.elements() {
            return Ok(());
        }
        Err(EncodeError::Count { tensor: self.to_string(), expected: self.elements(), found: values.len() })
    }
}

impl fmt::Display for TensorSpec {
    /// `uint8 [1,49,40,1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [", self.element)?;
        for (index, dimension) in self.shape.iter().enumerate() {
            write!(f, "{}{dimension}", if index > 0 { "," } else { "" })?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    fn spec(element: ElementType, elements: usize, quantization: Option<(f32, i64)>) -> TensorSpec {
        let quantization = quantization.map(|(scale, zero_point)| Quantization { scale, zero_point });
        TensorSpec { name: String::new(), shape: vec![1, elements], element, quantization }
    }

    #[test]
    fn real_values_are_quantised_as_tflite_does() {
        let uint8 = spec(ElementType::UInt8, 5, Some((0.5, 10)));
        assert_eq!(uint8.encode(&[0.0, 0.25, -0.25, 0.24, 1e9]).unwrap(), [10, 11, 9, 10, 255]);
        assert_eq!(uint8.encode_counting(&[0.0, -6.0, 123.0, 122.5, -1e30]).unwrap().1, [1, 2, 4]);
        let int8 = spec(ElementType::Int8, 2, Some((1.0, -128)));
        assert_eq!(int8.encode(&[-1.0, 300.0]).unwrap(), [0x80, 0x7f]);
        assert_eq!(int8.decode(&[0x80, 0x7f]), [0.0, 255.0]);
        assert_eq!(int8.stored(&[0x80, 0x7f]), [-128.0, 127.0]);
        let int16 = spec(ElementType::Int16, 1, Some((0.1, 0)));
        assert_eq!(int16.encode(&[-0.2]).unwrap(), (-2_i16).to_le_bytes());
    }

    #[test]
    fn values_that_a_tensor_cannot_hold_are_refused() {
        let say = |spec: TensorSpec, values: &[f64]| spec.encode(values).unwrap_err().to_string();
        let uint8 = || spec(ElementType::UInt8, 2, Some((0.5, 10)));
        assert_snapshot!(say(uint8(), &[1.0]), @"2 values are wanted for uint8 [1,2], 1 were found");
        assert_snapshot!(say(uint8(), &[1.0, f64::NAN]), @"NaN at index 1 is not a finite number");
        assert_snapshot!(uint8().encode_stored(&[1.0, 256.0]).unwrap_err(), @"256 at index 1 is outside of uint8: 0 to 255");
        assert_snapshot!(uint8().encode_stored(&[1.0, 0.5]).unwrap_err(), @"0.5 at index 1 is not a whole number, which uint8 holds");
        let float32 = || spec(ElementType::Float32, 1, None);
        assert_snapshot!(say(float32(), &[f64::INFINITY]), @"inf at index 0 is not a finite number");
        assert_snapshot!(say(float32(), &[1e39]), @"1000000000000000000000000000000000000000 at index 0 is beyond float32");
        assert_snapshot!(say(spec(ElementType::Int32, 1, None), &[1.5]), @"1.5 at index 0 is not a whole number, which int32 holds");
        assert_snapshot!(say(spec(ElementType::Bool, 1, None), &[2.0]), @"2 at index 0 is outside of bool: 0 to 1");
    }

    #[test]
    fn big_endian_elements_are_turned() {
        assert_eq!(ElementType::Float32.read(&1.5_f32.to_be_bytes(), true), [1.5]);
        assert_eq!(ElementType::Int64.read(&(-7_i64).to_be_bytes(), true), [-7.0]);
        assert_eq!(ElementType::UInt8.read(&[7], true), [7.0]);
    }

    const ALL: [ElementType; 7] = [
        ElementType::Float32,
        ElementType::Int8,
        ElementType::UInt8,
        ElementType::Int16,
        ElementType::Int32,
        ElementType::Int64,
        ElementType::Bool,
    ];

    proptest! {
        #[test]
        fn stored_values_come_back_as_they_went_in(which in 0..ALL.len(), part in 0.0..=1.0_f64) {
            let element = ALL[which];
            let (least, greatest) = element.range().unwrap_or((-1e6, 1e6));
            let value = f64::from((least + (greatest - least) * part).round() as f32).clamp(least, greatest);
            let spec = spec(element, 1, None);
            let bytes = spec.encode_stored(&[value]).unwrap();
            prop_assert_eq!(bytes.len(), element.size());
            prop_assert_eq!(spec.decode(&bytes), vec![value]);
        }

        #[test]
        fn what_is_quantised_is_off_by_half_a_step_at_most(
            scale in 1e-3_f32..10.0,
            zero_point in -128..=127_i64,
            part in 0.0..=1.0_f64,
        ) {
            let spec = spec(ElementType::Int8, 1, Some((scale, zero_point)));
            let (least, greatest) = (spec.dequantize(-128.0), spec.dequantize(127.0));
            let value = least + (greatest - least) * part;
            let back = spec.decode(&spec.encode(&[value]).unwrap())[0];
            prop_assert!((back - value).abs() <= f64::from(scale) * 0.500_1, "{} came back as {}", value, back);
        }
    }
}
