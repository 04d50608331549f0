//! Bytes, times and counts in steps and tags, as people write them.

use crate::phrase::PhraseError;
use farm::quantity::{Quantity, Unit};
use std::time::Duration;

/// The longest time budget that is believed: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

fn quantity(text: &str) -> Result<Quantity, PhraseError> {
    Quantity::parse(text).map_err(|error| PhraseError::new(error.to_string()))
}

/// A time above zero and of a day at most: `30 s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, PhraseError> {
    let quantity = quantity(text)?;
    if quantity.unit() != Unit::Seconds {
        return Err(PhraseError::new(format!("`{text}` is {}, and a time is wanted", quantity.unit().word()))
            .help("write it like `30 s` or `500 ms`"));
    }
    match Duration::try_from_secs_f64(quantity.value()) {
        Ok(time) if time.is_zero() => Err(PhraseError::new(format!("`{text}` leaves no time at all"))),
        Ok(time) if time <= LONGEST => Ok(time),
        _ => Err(PhraseError::new(format!("`{text}` is not between nothing and a day"))),
    }
}

/// A count of bytes above zero: `2 KiB`, `2048`.
pub(crate) fn bytes(text: &str) -> Result<u64, PhraseError> {
    let quantity = quantity(text)?;
    if !matches!(quantity.unit(), Unit::Bytes | Unit::Number) {
        return Err(PhraseError::new(format!("`{text}` is {}, and a size is wanted", quantity.unit().word()))
            .help("write it like `2 KiB` or `2048`"));
    }
    let value = quantity.value();
    if !quantity.is_whole() || !(1.0..=1e15).contains(&value) {
        return Err(PhraseError::new(format!("`{text}` is not a whole number of bytes, of 1 at least")));
    }
    Ok(value as u64)
}

/// A count: `2`, `1,000`, `no`.
pub(crate) fn count(text: &str) -> Result<u32, PhraseError> {
    if text == "no" {
        return Ok(0);
    }
    let quantity = quantity(text)?;
    let value = quantity.value();
    if quantity.unit() != Unit::Number || !quantity.is_whole() || !(0.0..=1000.0).contains(&value) {
        return Err(PhraseError::new(format!("`{text}` is not a count from 0 to 1,000")));
    }
    Ok(value as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_sizes_and_counts_read_as_people_write_them() {
        assert_eq!(duration("30 s").unwrap(), Duration::from_secs(30));
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(bytes("1.5 KiB").unwrap(), 1536);
        assert_eq!(bytes("2,048").unwrap(), 2048);
        assert_eq!(count("no").unwrap(), 0);
        for bad in ["0 s", "5 KiB", "-1 s", "90000 s", "soon", "5"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["0", "1.5", "2 s", "-1 KiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert!(count("1.5").is_err());
    }
}
