//! Exact decimal numbers: read from text, compared with fractions without rounding, written back.

use std::{cmp::Ordering, fmt};

/// Exponents beyond this are refused: no quantity of a farm needs them, and 64-bit floats end at 308.
const EXPONENT_LIMIT: i32 = 400;

/// More digits than this are refused.
const DIGIT_LIMIT: usize = 400;

/// A decimal number, exactly as written: ±0.d₁d₂d₃… × 10^point, with neither leading nor trailing zero digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// Makes a number of the digits before and after the decimal point and a power of ten; `None` if it is too large,
    /// too small or too long.
    pub(super) fn new(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Option<Self> {
        let exponent = i32::try_from(exponent).ok().filter(|exponent| exponent.abs() <= EXPONENT_LIMIT)?;
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
        if digits.len() > DIGIT_LIMIT {
            return None;
        }
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self { negative: false, digits, point: 0 });
        }
        let point = whole.len() as i32 - leading as i32 + exponent;
        Some(Self { negative, digits, point })
    }

    /// This number times 10^`tens`.
    pub(super) fn shifted(&self, tens: i32) -> Self {
        let point = if self.digits.is_empty() { 0 } else { self.point + tens };
        Self { point, ..self.clone() }
    }

    /// Whether it has no fraction.
    pub(super) fn is_whole(&self) -> bool {
        self.digits.len() as i32 <= self.point.max(0)
    }

    /// The nearest 64-bit float.
    pub(super) fn to_f64(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        // The standard library rounds correctly, however many digits there are.
        format!("{sign}0.{digits}0e{}", self.point).parse().unwrap_or(f64::NAN)
    }

    /// How `numerator / denominator` stands to this number, exactly. The denominator is not 0 and at most 2^120.
    pub(super) fn compare_fraction(&self, numerator: u128, denominator: u128) -> Ordering {
        debug_assert!(denominator > 0 && denominator <= 1 << 120);
        if self.negative {
            return Ordering::Greater;
        }
        // A u128 has at most 39 digits.
        if self.point > 39 {
            return Ordering::Less;
        }
        let whole_digits = self.point.max(0) as usize;
        let mut whole: u128 = 0;
        for index in 0..whole_digits {
            let digit = u128::from(self.digits.get(index).copied().unwrap_or(0));
            match whole.checked_mul(10).and_then(|whole| whole.checked_add(digit)) {
                Some(next) => whole = next,
                None => return Ordering::Less,
            }
        }
        let by_whole = (numerator / denominator).cmp(&whole);
        if by_whole.is_ne() {
            return by_whole;
        }
        // Long division, digit by digit, against the digits after the point.
        let mut rest = numerator % denominator;
        let zeros = (-self.point).max(0) as usize;
        let fraction = self.digits.iter().skip(whole_digits).copied();
        for digit in std::iter::repeat_n(0, zeros).chain(fraction) {
            rest *= 10;
            let by_digit = (rest / denominator).cmp(&u128::from(digit));
            if by_digit.is_ne() {
                return by_digit;
            }
            rest %= denominator;
        }
        if rest > 0 { Ordering::Greater } else { Ordering::Equal }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            write!(f, "-")?;
        }
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let length = digits.len() as i32;
        match self.point {
            _ if digits.is_empty() => write!(f, "0"),
            point @ -3..=0 => write!(f, "0.{}{digits}", "0".repeat(-point as usize)),
            point @ 1..=21 if point >= length => write!(f, "{digits}{}", "0".repeat((point - length) as usize)),
            point @ 1..=21 => write!(f, "{}.{}", &digits[..point as usize], &digits[point as usize..]),
            point if length == 1 => write!(f, "{digits}e{}", point - 1),
            point => write!(f, "{}.{}e{}", &digits[..1], &digits[1..], point - 1),
        }
    }
}
