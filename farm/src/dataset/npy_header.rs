//! One NPY array: its header, held against the bytes that follow, and the numbers in them.
//!
//! The header is read here and not by a package, because it promises sizes that must not be believed before they have
//! been held against the file.

use super::DatasetError;
use crate::ElementType;
use npyz::{Endianness, TypeChar, TypeStr};

/// A longer header is no array of numbers.
const MAX_HEADER: usize = 4096;

/// An array of numbers, in C order.
pub(super) struct Array<'a> {
    /// File and name, for messages.
    pub place: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    kind: TypeChar,
    size: usize,
    big_endian: bool,
    data: &'a [u8],
}

/// Reads the array in `bytes`.
pub(super) fn parse<'a>(bytes: &'a [u8], place: &str) -> Result<Array<'a>, DatasetError> {
    let wrong = |detail: String| DatasetError::Format { place: place.to_owned(), detail };
    let not_npy = || wrong("is not an NPY array; save it with numpy.save".to_owned());
    let broken = |what: &str| wrong(format!("has a broken NPY header ({what}); save it again with numpy.save"));
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(not_npy());
    }
    let (start, length) = match bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([*a, *b]))),
        [_, _, _, _, _, _, 2 | 3, _, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        _ => return Err(broken("unknown version")),
    };
    if length > MAX_HEADER {
        return Err(broken("too long"));
    }
    let header = bytes.get(start..start + length).ok_or_else(|| broken("truncated"))?;
    let header = std::str::from_utf8(header).map_err(|_| broken("not text"))?;
    let Header { descr, fortran_order, shape } = Header::parse(header).map_err(broken)?;
    let unknown =
        || wrong(format!("holds `{descr}`, which is no array of numbers; save it as float32, or an integer type"));
    let of_type: TypeStr = descr.parse().map_err(|_| unknown())?;
    let (kind, size) = (of_type.type_char(), of_type.size_field() as usize);
    let known = match kind {
        TypeChar::Float => matches!(size, 4 | 8),
        TypeChar::Int | TypeChar::Uint => matches!(size, 1 | 2 | 4 | 8),
        TypeChar::Bool => size == 1,
        _ => false,
    };
    if !known {
        return Err(unknown());
    }
    if fortran_order && shape.len() > 1 {
        return Err(wrong("is in Fortran order; save it with numpy.ascontiguousarray".to_owned()));
    }
    let data = &bytes[start + length..];
    let wanted = shape.iter().try_fold(size, |bytes, length| bytes.checked_mul(*length));
    if wanted != Some(data.len()) {
        let shape = text(&shape);
        let detail = format!(
            "is truncated or damaged: {} bytes follow the header of {descr} {shape}; save it again",
            data.len()
        );
        return Err(wrong(detail));
    }
    let big_endian = of_type.endianness() == Endianness::Big;
    Ok(Array { place: place.to_owned(), shape, kind, size, big_endian, data })
}

impl Array<'_> {
    /// The length of the first dimension.
    pub fn samples(&self) -> usize {
        self.shape.first().copied().unwrap_or_default()
    }

    /// How many elements one entry of the first dimension has.
    pub fn entry_elements(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// The values of one entry of the first dimension.
    pub fn sample(&self, index: usize) -> Vec<f64> {
        let length = self.entry_elements() * self.size;
        let bytes = self.data.get(index * length..(index + 1) * length).unwrap_or_default();
        bytes.chunks_exact(self.size).map(|element| self.value(element)).collect()
    }

    fn value(&self, element: &[u8]) -> f64 {
        let mut bits = [0; 8];
        for (index, byte) in element.iter().enumerate() {
            let place = if self.big_endian { self.size - 1 - index } else { index };
            bits[place] = *byte;
        }
        let unsigned = u64::from_le_bytes(bits);
        match (self.kind, self.size) {
            (TypeChar::Float, 4) => f64::from(f32::from_bits(unsigned as u32)),
            (TypeChar::Float, _) => f64::from_bits(unsigned),
            (TypeChar::Int, size) => {
                let unused = 64 - 8 * size as u32;
                ((unsigned << unused) as i64 >> unused) as f64
            }
            _ => unsigned as f64,
        }
    }

    pub fn is_integer(&self) -> bool {
        matches!(self.kind, TypeChar::Int | TypeChar::Uint)
    }

    /// The tensor type that has the same elements.
    pub fn element(&self) -> Option<ElementType> {
        match (self.kind, self.size) {
            (TypeChar::Float, 4) => Some(ElementType::Float32),
            (TypeChar::Int, 1) => Some(ElementType::Int8),
            (TypeChar::Int, 2) => Some(ElementType::Int16),
            (TypeChar::Int, 4) => Some(ElementType::Int32),
            (TypeChar::Int, 8) => Some(ElementType::Int64),
            (TypeChar::Uint, 1) => Some(ElementType::UInt8),
            (TypeChar::Bool, _) => Some(ElementType::Bool),
            _ => None,
        }
    }

    /// `float32`, `uint16`.
    pub fn word(&self) -> String {
        let bits = 8 * self.size;
        match self.kind {
            TypeChar::Float => format!("float{bits}"),
            TypeChar::Int => format!("int{bits}"),
            TypeChar::Uint => format!("uint{bits}"),
            _ => "bool".to_owned(),
        }
    }

    /// `[100,28,28]`.
    pub fn shape_text(&self) -> String {
        text(&self.shape)
    }

    /// Where in the file element `index` of entry `sample` is, as numpy counts.
    pub fn locate(&self, sample: usize, index: usize) -> String {
        let mut rest = index;
        let mut indices: Vec<usize> = Vec::new();
        for length in self.shape.iter().skip(1).rev() {
            indices.push(rest % length.max(&1));
            rest /= length.max(&1);
        }
        indices.push(sample);
        indices.reverse();
        format!("{}{}", self.place, text(&indices))
    }
}

fn text(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    format!("[{}]", numbers.join(","))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut rest = text.trim().strip_prefix('{').ok_or("no dictionary")?.trim_start();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.starts_with('}') {
            let (key, after) = quoted(rest)?;
            rest = after.trim_start().strip_prefix(':').ok_or("no colon after a key")?.trim_start();
            match key {
                "descr" if rest.starts_with('[') => return Err("a structured type, not one kind of number"),
                "descr" => {
                    let (value, after) = quoted(rest)?;
                    (descr, rest) = (Some(value.to_owned()), after);
                }
                "fortran_order" => {
                    let value = rest.starts_with("True");
                    rest = rest.strip_prefix(if value { "True" } else { "False" }).ok_or("fortran_order")?;
                    fortran_order = Some(value);
                }
                "shape" => {
                    let (value, after) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or("shape")?;
                    let lengths = value.split(',').map(|length| length.trim().trim_end_matches('L'));
                    let lengths = lengths.filter(|length| !length.is_empty()).map(str::parse);
                    shape = Some(lengths.collect::<Result<Vec<usize>, _>>().map_err(|_| "shape")?);
                    rest = after;
                }
                _ => return Err("an unknown key"),
            }
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        Ok(Self {
            descr: descr.ok_or("no descr")?,
            fortran_order: fortran_order.ok_or("no fortran_order")?,
            shape: shape.ok_or("no shape")?,
        })
    }
}

/// A quoted word, and what follows it.
fn quoted(text: &str) -> Result<(&str, &str), &'static str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"')).ok_or("no quoted word")?;
    text[1..].split_once(quote).ok_or("an open quote")
}
