#![allow(clippy::unwrap_used)]
//! Tests of reading and writing quantities.

use super::*;
use proptest::prelude::*;

fn value(text: &str) -> f64 {
    Quantity::parse(text).unwrap().value()
}

fn complaint(text: &str) -> String {
    Quantity::parse(text).unwrap_err().to_string()
}

#[test]
fn numbers_are_read_as_people_write_them() {
    for (text, wanted, unit) in [
        ("90 %", 0.9, Unit::Share),
        ("90%", 0.9, Unit::Share),
        ("99.9\u{a0}%", 0.999, Unit::Share),
        ("5 ms", 0.005, Unit::Seconds),
        ("5 us", 5e-6, Unit::Seconds),
        ("5 µs", 5e-6, Unit::Seconds),
        ("5 μs", 5e-6, Unit::Seconds),
        ("7ns", 7e-9, Unit::Seconds),
        ("2 s", 2.0, Unit::Seconds),
        ("1.5 KiB", 1536.0, Unit::Bytes),
        ("2 MiB", 2_097_152.0, Unit::Bytes),
        ("1.5 KB", 1500.0, Unit::Bytes),
        ("1.5 kB", 1500.0, Unit::Bytes),
        ("3 MB", 3e6, Unit::Bytes),
        ("12 B", 12.0, Unit::Bytes),
        ("12 bytes", 12.0, Unit::Bytes),
        ("8,000 instructions", 8000.0, Unit::Instructions),
        ("8,000", 8000.0, Unit::Number),
        ("8_000", 8000.0, Unit::Number),
        ("12,345,678.5", 12_345_678.5, Unit::Number),
        ("1e-3", 0.001, Unit::Number),
        ("1E3", 1000.0, Unit::Number),
        ("0.05", 0.05, Unit::Number),
        (".5", 0.5, Unit::Number),
        ("-1.25", -1.25, Unit::Number),
        ("−1.25", -1.25, Unit::Number),
        ("+5", 5.0, Unit::Number),
        ("-0", 0.0, Unit::Number),
        ("000", 0.0, Unit::Number),
    ] {
        let quantity = Quantity::parse(text).unwrap();
        assert_eq!((quantity.value(), quantity.unit()), (wanted, unit), "{text}");
    }
}

#[test]
fn bad_grouping_is_refused_rather_than_guessed_at() {
    for text in ["8,00", "0,05", "0,125", "80,00,000", "8,000_000", "1234,567", ",5", "8,", "1.000.000"] {
        assert!(
            matches!(Quantity::parse(text), Err(QuantityError::Grouping(_))),
            "{text}: {:?}",
            Quantity::parse(text)
        );
    }
    insta::assert_snapshot!(complaint("8,00"), @"`8,00` is not grouped in thousands: write `8,000` for eight thousand and, with a point, `0.05` for a fraction");
}

#[test]
fn what_is_no_number_is_named() {
    for text in ["", " ", "abc", "5.", "%", "--5", "nan", "inf", "- 5", "+", "e5"] {
        assert!(
            matches!(Quantity::parse(text), Err(QuantityError::NotANumber(_))),
            "{text}: {:?}",
            Quantity::parse(text)
        );
    }
    for text in ["1e999", "1e-9999999999999999999999", "1e400", "-1e350"] {
        assert!(
            matches!(Quantity::parse(text), Err(QuantityError::OutOfRange(_))),
            "{text}: {:?}",
            Quantity::parse(text)
        );
    }
    insta::assert_snapshot!(complaint("5 mss"), @"`mss` in `5 mss` is not a unit: did you mean `ms`?");
    insta::assert_snapshot!(complaint("5 kib"), @"`kib` in `5 kib` is not a unit: did you mean `KiB`?");
}

#[test]
fn percent_is_exact() {
    assert_eq!(value("90 %").to_bits(), 0.9_f64.to_bits());
    assert_eq!(value("0.1 %").to_bits(), 0.001_f64.to_bits());
    assert_eq!(value("29 %").to_bits(), 0.29_f64.to_bits());
}

#[test]
fn fractions_are_compared_without_rounding() {
    let nine_tenths = Quantity::parse("90 %").unwrap();
    assert_eq!(nine_tenths.compare_fraction(9, 10), Ordering::Equal);
    assert_eq!(nine_tenths.compare_fraction(899_999, 1_000_000), Ordering::Less);
    assert_eq!(nine_tenths.compare_fraction(900_001, 1_000_000), Ordering::Greater);
    // One third lies between these, however many digits they have; a 64-bit float could not tell.
    assert_eq!(Quantity::parse("0.33333333333333333333333").unwrap().compare_fraction(1, 3), Ordering::Greater);
    assert_eq!(Quantity::parse("0.33333333333333333333334").unwrap().compare_fraction(1, 3), Ordering::Less);
    assert_eq!(Quantity::parse("1.5 KiB").unwrap().compare_fraction(1536, 1), Ordering::Equal);
    assert_eq!(Quantity::parse("5 ms").unwrap().compare_fraction(320_001, 64_000_000), Ordering::Greater);
    assert_eq!(Quantity::parse("-1").unwrap().compare_fraction(0, 1), Ordering::Greater);
    assert_eq!(Quantity::parse("1e40").unwrap().compare_fraction(u128::MAX, 1), Ordering::Less);
    assert_eq!(Quantity::parse("0").unwrap().compare_fraction(0, 7), Ordering::Equal);
    assert_eq!(Quantity::parse("0.001").unwrap().compare_fraction(1, 1000), Ordering::Equal);
}

#[test]
fn whole_numbers_are_told_from_fractions() {
    for (text, whole) in [("5", true), ("5.5", false), ("1.5 KiB", true), ("1e3", true), ("1e-3", false), ("0", true)] {
        assert_eq!(Quantity::parse(text).unwrap().is_whole(), whole, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_to_the_same(number in any::<f64>().prop_filter("finite", |n| n.is_finite()), suffix in 0..SUFFIXES.len()) {
        let text = format!("{number:e} {}", SUFFIXES[suffix].name);
        if let Ok(quantity) = Quantity::parse(&text) {
            let again = Quantity::parse(&quantity.to_string()).unwrap();
            prop_assert_eq!(again.value().to_bits(), quantity.value().to_bits());
            prop_assert_eq!(again, quantity);
        }
    }

    #[test]
    fn a_bare_number_is_the_nearest_float(number in any::<f64>().prop_filter("in range", |n| *n == 0.0 || (1e-300..1e300).contains(&n.abs()))) {
        prop_assert_eq!(value(&format!("{number:e}")), number);
        prop_assert_eq!(value(&format!("{number}")), number);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let _ = Quantity::parse(&text);
    }

    #[test]
    fn fractions_compare_as_products_do(numerator in 0_u64.., denominator in 1_u64.., whole in 0_u32.., thousandths in 0_u32..1000) {
        let text = format!("{whole}.{thousandths:03}");
        let exact = (u128::from(numerator) * 1000).cmp(&(u128::from(denominator) * (u128::from(whole) * 1000 + u128::from(thousandths))));
        prop_assert_eq!(Quantity::parse(&text).unwrap().compare_fraction(numerator.into(), denominator.into()), exact);
    }
}
