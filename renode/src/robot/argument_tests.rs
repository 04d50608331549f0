//! Tests of the texts for Renode, against its reading of them.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// How Renode's monitor reads a string (the token, then its value).
fn read_string(token: &str) -> Option<String> {
    let quote = token.chars().next()?;
    let mut chars = token.char_indices().skip(1);
    let end = loop {
        match chars.next()? {
            (_, '\\') => {
                let (_, next) = chars.next()?;
                if next == '\n' {
                    return None;
                }
            }
            (at, c) if c == quote => break at,
            _ => {}
        }
    };
    if end + 1 != token.len() {
        return None;
    }
    let value = token.replace(&format!("\\{quote}"), &quote.to_string());
    Some(value[1..value.len() - 1].to_owned())
}

/// How Renode's monitor reads a path.
fn read_path(token: &str) -> (String, &str) {
    let mut end = 1;
    loop {
        let rest = &token[end..];
        if rest.starts_with("\\ ") {
            end += 2;
        } else if let Some(c) = rest.chars().next().filter(|c| !c.is_whitespace() && *c != ';') {
            end += c.len_utf8();
        } else {
            return (token[..end].trim_start_matches('@').replace("\\ ", " "), rest);
        }
    }
}

/// How Renode reads a time (`TimeInterval.TryParse`), in ticks: its multiplication cuts off.
fn read_time(text: &str, ticks_per_second: u64) -> u64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction: f64 = format!("0.{fraction}").parse().unwrap();
    whole.parse::<u64>().unwrap() * ticks_per_second + (fraction * ticks_per_second as f64) as u64
}

#[test]
fn no_time_below_a_second_loses_a_tick() {
    for micros in 1..1_000_000 {
        let text = seconds(Duration::from_micros(micros)).unwrap();
        assert_eq!(read_time(&text, 1_000_000_000), micros * 1000, "{text}");
        assert_eq!(read_time(&text, 1_000_000), micros, "{text}");
    }
    assert_eq!(seconds(Duration::from_micros(65)).unwrap(), "0.0000650005");
}

#[test]
fn named_looking_arguments_are_named_or_refused() {
    assert_eq!(arguments("ExecuteCommand", &["x=version"], &[]).unwrap(), ["command=x=version"]);
    assert_eq!(arguments("ExecuteCommand", &["$z=\"v\""], &[]).unwrap(), ["$z=\"v\""]);
    assert_eq!(arguments("ExecutePython", &["x=1"], &[("machine", "m")]).unwrap(), ["command=x=1", "machine=m"]);
    assert_eq!(arguments("ExecuteCommand", &["log \"a=b\""], &[]).unwrap(), ["log \"a=b\""]);
    assert_eq!(arguments("ExecuteCommand", &["x="], &[]).unwrap(), ["x="]);
    assert!(matches!(arguments("ExecuteCommand", &["x=1\ny=2"], &[]), Err(RobotError::UnsafeArgument { .. })));
    assert!(matches!(arguments("Provides", &["a=b"], &[]), Err(RobotError::UnsafeArgument { .. })));
    assert!(matches!(arguments("ExecuteCommand", &["a=b", "c"], &[]), Err(RobotError::UnsafeArgument { .. })));
    assert!(matches!(arguments("K", &[], &[("timeout", "")]), Err(RobotError::UnsafeArgument { .. })));
    assert!(matches!(arguments("K", &[], &[("a b", "1")]), Err(RobotError::InvalidName { .. })));
    assert!(matches!(arguments("K", &["\u{1b}"], &[]), Err(RobotError::UnsafeArgument { .. })));
    assert!(matches!(arguments("K", &["a\r\n"], &[]), Err(RobotError::UnsafeArgument { .. })));
}

#[test]
fn paths() {
    assert_eq!(path(Path::new("/fw/a b.elf")).unwrap(), "@/fw/a\\ b.elf");
    assert_eq!(path(Path::new("platforms/cpus/stm32f4.repl")).unwrap(), "@platforms/cpus/stm32f4.repl");
    for bad in ["", "@x", "a;b", "a\\b", "a\tb", "a\nb", "a\u{a0}b", "a\"b", "$CWD/x"] {
        assert!(matches!(path(Path::new(bad)), Err(RobotError::InvalidPath { .. })), "{bad:?}");
    }
}

#[test]
fn times_and_numbers() {
    assert_eq!(seconds(Duration::from_millis(2)).unwrap(), "0.002");
    assert_eq!(seconds(Duration::from_secs(5)).unwrap(), "5");
    assert_eq!(seconds(Duration::from_secs(10)).unwrap(), "10");
    assert_eq!(seconds(Duration::from_micros(1)).unwrap(), "0.000001");
    assert!(seconds(Duration::ZERO).is_err());
    assert!(seconds(Duration::from_nanos(1)).is_err());
    assert_eq!(number("0x00000000000095B6"), Some(38326));
    assert_eq!(number("38326"), Some(38326));
    assert_eq!(number("0x000095B6 (38326)"), Some(38326));
    assert_eq!(number("x"), None);
    assert_eq!(list("[\n120, 86, 52, 18, \n]"), Some(vec!["120", "86", "52", "18"]));
    assert_eq!(list("[\n\n]"), Some(vec![]));
    assert_eq!(time("00:00:00.000383260"), Some(Duration::from_nanos(383_260)));
    assert_eq!(time("1.02:03:04.5"), Some(Duration::from_millis(93_784_500)));
    assert_eq!(time("00:00"), None);
}

proptest! {
    #[test]
    fn a_string_is_read_back(text in "([a\\\\\"' \n=;]|\\PC)*") {
        if let Ok(token) = string(&text) {
            prop_assert_eq!(read_string(&token), Some(text));
        }
    }

    #[test]
    fn a_string_without_backslashes_is_never_refused(text in "[^\\\\]*") {
        prop_assert!(string(&text).is_ok());
    }

    #[test]
    fn a_path_is_read_back(text in "([a-z/ ;\\\\@.]|\\PC)+") {
        if let Ok(token) = path(Path::new(&text)) {
            let command = format!("{token} next");
            prop_assert_eq!(read_path(&command), (text, " next"));
        }
    }

    #[test]
    fn nothing_printed_panics(text: String) {
        let _ = (number(&text), list(&text), time(&text));
    }

    #[test]
    fn a_time_is_read_back(micros in 1u64..1_000_000_000_000) {
        let text = seconds(Duration::from_micros(micros)).unwrap();
        prop_assert_eq!(read_time(&text, 1_000_000_000), micros * 1000);
        prop_assert_eq!(read_time(&text, 1_000_000), micros);
    }
}
