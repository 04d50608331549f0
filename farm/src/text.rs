//! Text that people and devices wrote, made safe to show.

use std::{borrow::Cow, path::Path};

/// Whether a character is shown as it is: no control character, no separator of lines, nothing that turns the direction
/// of writing, nothing that is no character.
pub fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}')
}

/// `text` on one line, with every character that could do something to a terminal written out: `\n`, `\u{1b}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_plain(c) { escaped.push(c) } else { escaped.extend(c.escape_default()) }
    }
    Cow::Owned(escaped)
}

/// A path as it may stand in a line.
pub fn path(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

/// `text` with the same bytes in the same places, and a `?` for each of those that [`escape`] would write out, line ends
/// and tabs apart: for a source whose places are told in bytes.
pub fn mask(text: &str) -> Cow<'_, str> {
    let shown = |c: char| is_plain(c) || matches!(c, '\n' | '\t');
    if text.chars().all(shown) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Before a line feed, and invisible.
            '\r' => masked.push(' '),
            c if shown(c) => masked.push(c),
            c => masked.extend(std::iter::repeat_n('?', c.len_utf8())),
        }
    }
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_keeps_its_places() {
        let text = "a\x1b[2J é\u{202e}b\tc\r\nd";
        assert_eq!(mask(text), "a?[2J é???b\tc \nd");
        assert_eq!(mask(text).len(), text.len());
        assert!(matches!(mask("plain é 日本\n"), Cow::Borrowed(_)));
    }
}
