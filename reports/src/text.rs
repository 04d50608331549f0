//! Numbers and untrusted text as people read them.
//!
//! What features, models and devices say is untrusted: a control character in it could repaint the terminal, and a
//! change of writing direction could make a fail look like a pass.

pub use farm::text::escape;

use farm::Clock;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// The last lines of a log, each escaped and cut at 200 characters: enough to see what went wrong.
pub fn tail(log: &str, lines: usize) -> Vec<String> {
    let mut tail: Vec<String> =
        log.lines().rev().filter(|line| !line.trim().is_empty()).take(lines).map(short).collect();
    tail.reverse();
    tail
}

/// A line, escaped and cut at 200 characters.
pub fn short(line: &str) -> String {
    let escaped = escape(line.trim_end());
    match escaped.char_indices().nth(200) {
        Some((at, _)) => format!("{} …", &escaped[..at]),
        None => escaped.into_owned(),
    }
}

/// How many columns `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` filled with spaces up to `columns`; on the left if `right` is set.
pub fn pad(text: &str, columns: usize, right: bool) -> String {
    let fill = " ".repeat(columns.saturating_sub(width(text)));
    if right { format!("{fill}{text}") } else { format!("{text}{fill}") }
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size: to the byte up to 10 KiB, then in KiB and MiB.
pub fn bytes(size: u64) -> String {
    match size {
        0..10_240 => format!("{} B", thousands(size)),
        10_240..10_485_760 => format!("{:.1} KiB", size as f64 / 1024.0),
        _ => format!("{:.1} MiB", size as f64 / 1_048_576.0),
    }
}

/// A length of time, to three digits.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_nanos() {
        0..1_000 => format!("{} ns", duration.as_nanos()),
        1_000..999_500 => format!("{} µs", three(seconds * 1e6)),
        999_500..999_500_000 => format!("{} ms", three(seconds * 1e3)),
        999_500_000..100_000_000_000 => format!("{} s", three(seconds)),
        _ => {
            let whole = duration.as_secs();
            format!("{} min {:02} s", thousands(whole / 60), whole % 60)
        }
    }
}

fn three(number: f64) -> String {
    match number {
        ..9.995 => format!("{number:.2}"),
        ..99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A fraction as a percentage with one decimal. It says 100 % only for the whole: 9,999 of 10,000 are `99.9 %`.
pub fn percent(fraction: f64) -> String {
    let shown = (fraction * 1000.0).round() / 10.0;
    let shown = if fraction < 1.0 { shown.min(99.9) } else { shown };
    format!("{shown:.1} %")
}

/// A real number to four digits: `0.0336`, `12.50`, `1.200e-7`; `not a number` where it is none.
pub fn real(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        "not a number".to_owned()
    } else if number == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{number:.3e}")
    } else {
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{number:.decimals$}")
    }
}

/// Ticks of `clock`: a count where a tick is an instruction, else a time.
pub fn ticks(clock: &Clock, ticks: u64) -> String {
    match clock.duration(ticks) {
        Some(duration) => time(duration),
        None => thousands(ticks),
    }
}

/// What a timing on `clock` is, honestly, in few words.
pub fn clock(clock: &Clock) -> &'static str {
    match clock {
        Clock::QemuInstructions => "instructions (QEMU)",
        Clock::RenodeVirtual => "instructions (Renode)",
        Clock::BoardCycles { .. } => "time (board cycles)",
        Clock::BoardTimer { .. } => "time (board timer)",
        Clock::Host => "host time (informational)",
    }
}

/// `1 sample`, `1,001 samples`.
pub fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", thousands(number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_repaint_a_terminal_is_written_out() {
        assert_eq!(escape("plain é 日本 🦀"), "plain é 日本 🦀");
        assert_eq!(escape("a\x1b[2Jb\n\r\0\u{9b}\u{202e}c"), r"a\u{1b}[2Jb\n\r\u{0}\u{9b}\u{202e}c");
    }

    #[test]
    fn a_log_is_cut_to_its_last_lines() {
        assert_eq!(tail("a\n\nb\r\nc\x07\n", 2), ["b", "c\\u{7}"]);
        assert_eq!(tail(&"é".repeat(300), 2), [format!("{} …", "é".repeat(200))]);
    }

    #[test]
    fn numbers_have_separators_and_units() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([2_400, 221_696, 20 << 20].map(bytes), ["2,400 B", "216.5 KiB", "20.0 MiB"]);
        assert_eq!(count(1, "sample"), "1 sample");
        assert_eq!(count(1001, "sample"), "1,001 samples");
        let times = [999, 1_500, 999_400, 999_600, 12_345_678, 999_600_000, 61_000_000_000, 200_000_000_000];
        let shown = times.map(|nanos| time(Duration::from_nanos(nanos)));
        assert_eq!(shown, ["999 ns", "1.50 µs", "999 µs", "1.00 ms", "12.3 ms", "1.00 s", "61.0 s", "3 min 20 s"]);
    }

    #[test]
    fn nothing_is_rounded_up_to_perfect() {
        assert_eq!([1.0, 0.99999, 0.9, 0.0].map(percent), ["100.0 %", "99.9 %", "90.0 %", "0.0 %"]);
        let reals = [0.0, 0.033_612, 12.5, 1.2e-7, f64::NAN, 1234.5, 1e7, f64::INFINITY].map(real);
        assert_eq!(reals, ["0", "0.03361", "12.50", "1.200e-7", "not a number", "1234", "1.000e7", "inf"]);
    }

    #[test]
    fn columns_are_counted_as_a_terminal_does() {
        assert_eq!(pad("日本", 6, false), "日本  ");
        assert_eq!(pad("7", 3, true), "  7");
    }
}
