//! Numbers as people write them, with their units: `90 %`, `5 ms`, `1.5 KiB`, `8,000`, `1e-3`.
//!
//! - Digits may be grouped in thousands, by commas or underscores (`8,000`, `8_000`); the decimal point is a point.
//!   `8,00` and `0,05` are refused, because it cannot be known what was meant.
//! - A sign and an exponent may stand: `-1`, `+5`, `1e-3`.
//! - Units: `%`; `s`, `ms`, `us` or `µs`, `ns`; `B`, `KB` (1,000 bytes), `KiB` (1,024 bytes), `MB`, `MiB`, `GB`, `GiB`;
//!   `instructions`, `samples`; or none. The space before the unit may be left out.
//! - Nothing is rounded on reading: `90 %` is exactly 90/100.

mod decimal;
#[cfg(test)]
mod tests;
mod unit;

use decimal::Decimal;
use std::{cmp::Ordering, fmt, str::FromStr};
pub use unit::Unit;
use unit::{SUFFIXES, Suffix};

/// A number and its unit, exactly as written.
///
/// It is shown so that it reads back to the same value: `8000`, `90 %`, `1.5 KiB`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Quantity {
    written: Decimal,
    suffix: &'static Suffix,
}

/// Text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing, or no digit where a number begins.
    #[error("`{0}` is not a number: write it like `8,000`, `0.05`, `1e-3`, `90 %`, `5 ms` or `1.5 KiB`")]
    NotANumber(String),
    /// Separators that do not part thousands.
    #[error(
        "`{0}` is not grouped in thousands: write `8,000` for eight thousand and, with a point, `0.05` for a fraction"
    )]
    Grouping(String),
    /// An unknown unit.
    #[error("`{unit}` in `{text}` is not a unit: {mend}")]
    UnknownUnit {
        /// What was read.
        text: String,
        /// Its unit.
        unit: String,
        /// What was likely meant.
        mend: String,
    },
    /// Beyond what can be reckoned with.
    #[error("`{0}` is too large, too small or too long a number")]
    OutOfRange(String),
}

impl Quantity {
    /// Reads a number with its unit.
    ///
    /// # Errors
    /// [`QuantityError`], which names the text and the mend.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let not_a_number = || QuantityError::NotANumber(text.to_owned());
        let (negative, rest) = match text.chars().next() {
            Some('+') => (false, &text[1..]),
            Some(minus @ ('-' | '−')) => (true, &text[minus.len_utf8()..]),
            _ => (false, text),
        };
        let (whole, rest) = take(rest, |c| c.is_ascii_digit() || matches!(c, ',' | '_'));
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(after) => match take(after, |c| c.is_ascii_digit()) {
                ("", _) => return Err(not_a_number()),
                taken => taken,
            },
            None => ("", rest),
        };
        let whole = ungroup(whole).ok_or_else(|| QuantityError::Grouping(text.to_owned()))?;
        if whole.is_empty() && fraction.is_empty() {
            return Err(not_a_number());
        }
        let (exponent, unit) = exponent(rest).ok_or_else(|| QuantityError::OutOfRange(text.to_owned()))?;
        let unit = unit.trim_start();
        if unit.starts_with(|c: char| c.is_ascii_digit() || matches!(c, ',' | '_' | '.')) {
            return Err(if fraction.is_empty() { not_a_number() } else { QuantityError::Grouping(text.to_owned()) });
        }
        let suffix = Suffix::find(unit).ok_or_else(|| QuantityError::UnknownUnit {
            text: text.to_owned(),
            unit: unit.to_owned(),
            mend: crate::suggest::mend(unit, SUFFIXES.iter().map(|suffix| suffix.name).filter(|name| !name.is_empty())),
        })?;
        Decimal::new(negative, &whole, fraction, exponent)
            .map(|written| Self { written, suffix })
            .filter(|quantity| quantity.value().is_finite())
            .ok_or_else(|| QuantityError::OutOfRange(text.to_owned()))
    }

    /// The value in the base unit (a share of 1, seconds, bytes, a count): the 64-bit float nearest to what was written.
    pub fn value(&self) -> f64 {
        // A power of two scales without rounding.
        self.written.shifted(self.suffix.tens).to_f64() * (1_u64 << self.suffix.twos) as f64
    }

    /// What it counts or measures.
    pub fn unit(&self) -> Unit {
        self.suffix.unit
    }

    /// Its unit as written; empty for a bare number.
    pub(crate) fn suffix(&self) -> &'static str {
        self.suffix.name
    }

    /// Whether the value in the base unit has no fraction.
    pub fn is_whole(&self) -> bool {
        // 2^k times a decimal may be whole where the decimal is not: 1.5 KiB are 1,536 bytes.
        self.written.shifted(self.suffix.tens).is_whole() || self.value().fract() == 0.0
    }

    /// How `numerator / denominator` in the base unit stands to this quantity: exactly, with no rounding between.
    ///
    /// `denominator` is not 0 and at most 2^80, so that every comparison fits.
    pub fn compare_fraction(&self, numerator: u128, denominator: u128) -> Ordering {
        self.written.shifted(self.suffix.tens).compare_fraction(numerator, denominator << self.suffix.twos)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Self::parse(text)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.suffix.name {
            "" => write!(f, "{}", self.written),
            name => write!(f, "{} {name}", self.written),
        }
    }
}

/// Splits `text` where `wanted` no longer holds.
fn take(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

/// The digits of `whole` without their separators; `None` if these do not part thousands.
fn ungroup(whole: &str) -> Option<String> {
    let Some(separator) = whole.chars().find(|c| !c.is_ascii_digit()) else {
        return Some(whole.to_owned());
    };
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    // A leading zero (`0,125`) smells of a decimal comma.
    let sound = (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && groups.all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()));
    sound.then(|| whole.replace(separator, ""))
}

/// The exponent at the start of `rest` (0 if there is none) and what follows it; `None` if it is beyond all bounds.
fn exponent(rest: &str) -> Option<(i64, &str)> {
    let Some(after) = rest.strip_prefix(['e', 'E']) else { return Some((0, rest)) };
    let (sign, digits) = match after.strip_prefix(['-', '−']) {
        Some(digits) => (-1, digits),
        None => (1, after.strip_prefix('+').unwrap_or(after)),
    };
    match take(digits, |c| c.is_ascii_digit()) {
        ("", _) => Some((0, rest)),
        (digits, unit) => Some((sign * digits.parse::<i64>().ok()?, unit)),
    }
}
