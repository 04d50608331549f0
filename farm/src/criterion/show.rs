//! Numbers in messages: short, and long where short would hide a miss.

use crate::quantity::Unit;

/// A number with at most `digits` significant digits, without trailing zeros: `0.0336`, `1.2e-7`.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        let places = (digits as i32 - 1 - exponent).max(0) as usize;
        return trimmed(&format!("{value:.places$}"));
    }
    format!("{}e{exponent}", trimmed(mantissa))
}

/// As few digits as read back to the same float.
fn shortest(value: f64) -> String {
    if value == 0.0 || (1e-4..1e15).contains(&value.abs()) { format!("{value}") } else { format!("{value:e}") }
}

/// `text` without zeros behind a decimal point.
fn trimmed(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

/// A count with its thousands apart: `8,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A value in its base unit, as people read it, with `digits` significant digits.
pub(crate) fn value(value: f64, unit: Unit, digits: usize) -> String {
    let count = || {
        if value.fract() == 0.0 && (0.0..9e15).contains(&value) {
            grouped(value as u64)
        } else {
            significant(value, digits)
        }
    };
    match unit {
        Unit::Number if digits >= 17 => shortest(value),
        Unit::Number => significant(value, digits),
        Unit::Share => format!("{} %", significant(value * 100.0, digits)),
        Unit::Seconds => {
            let (scale, name) = match value.abs() {
                size if size >= 1.0 || size == 0.0 => (1.0, "s"),
                size if size >= 1e-3 => (1e3, "ms"),
                size if size >= 1e-6 => (1e6, "µs"),
                _ => (1e9, "ns"),
            };
            format!("{} {name}", significant(value * scale, digits))
        }
        Unit::Bytes => format!("{} B", count()),
        Unit::Instructions | Unit::Samples => count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_read_at_once() {
        let shown = [0.0, 0.0336, 1.0, 1234567.0, 1.2e-7, -0.5, 0.1 + 0.2, f64::NAN, f64::INFINITY, 1e20];
        let shown: Vec<String> = shown.iter().map(|number| significant(*number, 6)).collect();
        assert_eq!(shown.join(" "), "0 0.0336 1 1234567 1.2e-7 -0.5 0.3 NaN inf 1e20");
        assert_eq!(significant(0.1 + 0.2, 17), "0.30000000000000004");
        let counts: Vec<String> = [0, 7, 999, 1000, 1234567].map(grouped).into();
        assert_eq!(counts.join(" "), "0 7 999 1,000 1,234,567");
    }

    #[test]
    fn values_carry_their_unit() {
        assert_eq!(value(0.9, Unit::Share, 6), "90 %");
        assert_eq!(value(0.00512, Unit::Seconds, 6), "5.12 ms");
        assert_eq!(value(5e-8, Unit::Seconds, 6), "50 ns");
        assert_eq!(value(1536.0, Unit::Bytes, 6), "1,536 B");
        assert_eq!(value(8123.0, Unit::Instructions, 6), "8,123");
    }
}
