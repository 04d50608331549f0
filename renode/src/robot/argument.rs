//! Texts on their way to Renode, which reads them with rules of its own.
//!
//! - An argument of a keyword that looks like `name=value` is taken as a named one, up to the first line feed.
//! - In a monitor command a path is `@path` up to a blank (`\ ` is a blank in it) or `;`, a string is `"..."` with `\"`
//!   for a quote, or `'...'`; there is no other escape.
//!
//! What cannot be said in these rules is refused.

use std::{path::Path, time::Duration};

use super::RobotError;

/// The first parameter of the keywords whose first parameter is a free text, to name it where its value looks named.
fn first_parameter(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "ExecuteCommand" | "ExecutePython" => "command",
        "ExecuteScript" => "path",
        "CreateTerminalTester" => "uart",
        "WaitForPromptOnUart" => "prompt",
        "WaitForLineOnUart" | "WaitForBytesOnUart" | "ShouldNotBeOnUart" | "WriteToUart" | "WriteLineToUart" => {
            "content"
        }
        "WaitForLogEntry"
        | "ShouldNotBeInLog"
        | "RegisterFailingUartString"
        | "UnregisterFailingUartString"
        | "RegisterFailingLogString"
        | "UnregisterFailingLogString" => "pattern",
        _ => return None,
    })
}

/// The arguments of a keyword as Renode takes them for what they are.
pub(super) fn arguments(keyword: &str, positional: &[&str], named: &[(&str, &str)]) -> Result<Vec<String>, RobotError> {
    let mut arguments = Vec::with_capacity(positional.len() + named.len());
    for (index, text) in positional.iter().enumerate() {
        check_characters(text)?;
        if !looks_named(text) {
            arguments.push((*text).to_owned());
            continue;
        }
        // Only the last positional may be named, for nothing positional may follow it.
        let parameter = if index == 0 && positional.len() == 1 { first_parameter(keyword) } else { None };
        let unsafe_argument = |reason| RobotError::UnsafeArgument { text: (*text).to_owned(), reason };
        let parameter = parameter
            .ok_or_else(|| unsafe_argument("it looks like a named argument; pass it as one (`name=value`)"))?;
        if text.contains('\n') {
            return Err(unsafe_argument(
                "it looks like a named argument, which ends at the line feed; let it begin with a blank or a comment",
            ));
        }
        arguments.push(format!("{parameter}={text}"));
    }
    for (name, text) in named {
        check_characters(text)?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(RobotError::InvalidName {
                name: (*name).to_owned(),
                reason: "a parameter is letters and digits",
            });
        }
        if text.is_empty() || text.contains('\n') {
            let reason = "a named argument is neither empty nor more than one line; pass it as a positional one";
            return Err(RobotError::UnsafeArgument { text: (*text).to_owned(), reason });
        }
        arguments.push(format!("{name}={text}"));
    }
    Ok(arguments)
}

/// Whether Renode takes a positional argument for a named one: `^\w+=.+`.
fn looks_named(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| {
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            && value.chars().next().is_some_and(|c| c != '\n')
    })
}

/// XML 1.0 has no way to say most control characters, and reads a carriage return as a line feed.
pub(super) fn check_characters(text: &str) -> Result<(), RobotError> {
    let unsafe_argument = |reason| Err(RobotError::UnsafeArgument { text: text.to_owned(), reason });
    if text.contains('\r') {
        return unsafe_argument("a carriage return would become a line feed");
    }
    if text.contains(|c: char| (c.is_control() && c != '\t' && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return unsafe_argument("XML has no such character; send bytes one by one");
    }
    Ok(())
}

/// `@path` for a monitor command.
pub(super) fn path(path: &Path) -> Result<String, RobotError> {
    let refuse = |reason| Err(RobotError::InvalidPath { path: path.to_owned(), reason });
    let Some(text) = path.to_str() else { return refuse("it is not UTF-8") };
    if text.is_empty() {
        return refuse("it is empty");
    }
    if text.starts_with('@') {
        return refuse("renode strips a leading `@`; put `./` before it");
    }
    if text.contains(['\\', ';', '"', '\'', '$']) {
        return refuse("the monitor gives `\\`, `;`, quotes and `$` a meaning; use a path without them");
    }
    if text.contains(|c: char| c.is_control() || (c.is_whitespace() && c != ' ')) {
        return refuse("the only blank that a path can have is a space");
    }
    Ok(format!("@{}", text.replace(' ', "\\ ")))
}

/// A string of a monitor command, in the quotes that can hold it.
pub(super) fn string(text: &str) -> Result<String, RobotError> {
    // A backslash pairs with what follows it; only before the own quote is it taken away.
    let holds = |quote: char| {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '\\' && !chars.next().is_some_and(|next| next != '\n' && next != quote) {
                return false;
            }
        }
        // `\\"` in the text: the pair ends before the quote, but Renode takes the backslash away all the same.
        !text.ends_with('\\') && !text.contains(&format!("\\{quote}"))
    };
    if holds('"') {
        Ok(format!("\"{}\"", text.replace('"', "\\\"")))
    } else if !text.contains('\'') && holds('\'') {
        Ok(format!("'{text}'"))
    } else {
        let reason = "no string of the monitor can hold these backslashes and quotes; put the text into a file";
        Err(RobotError::UnsafeArgument { text: text.to_owned(), reason })
    }
}

/// A peripheral (`sysbus.usart2`, `cpu`) as one word of a monitor command.
pub(super) fn peripheral(name: &str) -> Result<&str, RobotError> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
        let reason = "a peripheral is letters, digits, `_`, `-` and `.`, such as `sysbus.usart2`";
        return Err(RobotError::InvalidName { name: name.to_owned(), reason });
    }
    Ok(name)
}

/// The name of a machine, which must survive quotes, a named argument and the list of machines.
pub(super) fn machine(name: &str) -> Result<&str, RobotError> {
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | ',' | '[' | ']');
    if name.is_empty() || name.trim() != name || !name.chars().all(plain) {
        let reason = "a machine has a name without quotes, backslashes, commas, brackets and outer blanks";
        return Err(RobotError::InvalidName { name: name.to_owned(), reason });
    }
    Ok(name)
}

/// A virtual time in seconds, as `RunFor` and the timeouts take it. Renode counts whole microseconds in 1.15.
pub(super) fn seconds(time: Duration) -> Result<String, RobotError> {
    let refuse = |reason| Err(RobotError::InvalidValue { value: format!("{time:?}"), reason });
    if time.is_zero() {
        return refuse("a time of zero");
    }
    if !time.subsec_nanos().is_multiple_of(1000) {
        return refuse("a time that is not whole microseconds");
    }
    let fraction = format!("{:06}", time.subsec_micros());
    if is_cut(&fraction, time.subsec_micros()) {
        // Half a nanosecond more, which the cut takes away.
        return Ok(format!("{}.{fraction}0005", time.as_secs()));
    }
    let text = format!("{}.{fraction}", time.as_secs());
    Ok(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// Whether Renode would read a time as less than it is: it multiplies the fraction of a second as a `double` by the ticks of
/// a second (nanoseconds, or microseconds in 1.15) and cuts the rest off, so that 65 us become 64.999 us.
fn is_cut(fraction: &str, micros: u32) -> bool {
    let seconds: f64 = format!("0.{fraction}").parse().unwrap_or_default();
    (seconds * 1e9) as u64 != u64::from(micros) * 1000 || (seconds * 1e6) as u64 != u64::from(micros)
}

/// A number as the monitor prints it: hexadecimal with `0x`, decimal after `numbersMode Decimal`, `0x10 (16)` after
/// `numbersMode Both`.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let text =
        text.strip_suffix(')').and_then(|both| both.split_once(" (")).map_or(text, |(hexadecimal, _)| hexadecimal);
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    }
}

/// The items of a list as the monitor prints it: `[`, items with `, ` after each, `]`, in several lines.
pub(super) fn list(text: &str) -> Option<Vec<&str>> {
    let items = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    Some(items.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
}

/// A time as the monitor prints it: `[days.]hh:mm:ss.fffffffff`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let (hours, rest) = text.trim().split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let whole = |text: &str| (!text.starts_with('+')).then(|| text.parse::<u64>().ok()).flatten();
    let hours = whole(days)?.checked_mul(24)?.checked_add(whole(hours)?)?;
    let seconds =
        hours.checked_mul(3600)?.checked_add(whole(minutes)?.checked_mul(60)?)?.checked_add(whole(seconds)?)?;
    if fraction.len() > 9 {
        return None;
    }
    let nanoseconds = whole(&format!("{fraction:0<9}"))?;
    Some(Duration::new(seconds, u32::try_from(nanoseconds).ok()?))
}

#[cfg(test)]
#[path = "argument_tests.rs"]
mod tests;
