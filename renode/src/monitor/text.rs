//! What the monitor writes: telnet bytes, echo, colours, prompts and errors, told apart without a connection.

use std::ops::Range;

/// What Renode sends on every accept: DO BINARY, WILL ECHO, WILL SUPPRESS-GO-AHEAD, WONT LINEMODE. No answer is needed.
pub(super) const PREAMBLE: [u8; 12] = [0xFF, 0xFD, 0, 0xFF, 0xFB, 1, 0xFF, 0xFB, 3, 0xFF, 0xFC, 0x22];

const IAC: u8 = 0xFF;
const ESCAPE: u8 = 0x1B;
const RESET: &str = "\u{1b}[0m";
/// Colours of the prompt without and with a machine.
const PROMPT_COLOURS: [&str; 2] = ["\u{1b}[31;1m", "\u{1b}[33;1m"];
/// What an error begins with where colours are on.
const RED: &[u8] = b";031";

/// How errors begin where colours are off; each was seen, as a whole line or as its beginning.
const ERRORS: [&str; 9] = [
    "No such command or device: ",
    "There was an error executing command '",
    "There was an error when executing command '",
    "Could not tokenize here:",
    "Bad parameters for command ",
    "Wrong machine number. Type mach to show",
    "Parameters did not match the signature",
    "Failed to download http",
    "No machine selected.",
];

/// Undoes the doubling of 0xFF. Renode doubles only the first in a piece of output, so a single one is taken as it is.
#[derive(Debug, Default)]
pub(super) struct Telnet {
    /// The last byte was an 0xFF whose twin may follow.
    half: bool,
}

impl Telnet {
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            if self.half && byte == IAC {
                self.half = false;
                continue;
            }
            self.half = byte == IAC;
            out.push(byte);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Where the echo of `command` is: verbatim, then LF CR, at the beginning of a line or after a prompt.
///
/// No other line ends in LF CR without a CR before it, but for the banner's.
pub(super) fn echo(text: &[u8], command: &str) -> Option<Range<usize>> {
    let echo = [command.as_bytes(), b"\n\r"].concat();
    let mut from = 0;
    while let Some(at) = find(text.get(from..)?, &echo) {
        let start = from + at;
        let before = &text[..start];
        let begins = before.is_empty()
            || [&b"\n"[..], b"\r", b") ", RESET.as_bytes()].iter().any(|before_echo| before.ends_with(before_echo));
        if begins {
            return Some(start..start + echo.len());
        }
        from = start + 1;
    }
    None
}

/// A prompt, as it stands in the text, colours and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt(Vec<u8>);

impl Prompt {
    pub(super) fn is_coloured(&self) -> bool {
        self.0.first() == Some(&ESCAPE)
    }

    /// What stands between the parentheses: `monitor`, or the name of the machine.
    pub(super) fn name(&self) -> String {
        let plain = strip(&self.0).0;
        plain.trim_end().trim_start_matches('(').strip_suffix(')').unwrap_or_default().to_owned()
    }

    /// The prompt that `text` ends in, and where it begins.
    pub(super) fn at_end(text: &[u8]) -> Option<(usize, Self)> {
        let coloured = PROMPT_COLOURS
            .iter()
            .filter_map(|colour| text.windows(colour.len()).rposition(|at| at == colour.as_bytes()));
        let start = if text.ends_with(format!(") {RESET}").as_bytes()) {
            coloured.max()?
        } else {
            text.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1)
        };
        let prompt = &text[start..];
        let inner = PROMPT_COLOURS.iter().find_map(|colour| prompt.strip_prefix(colour.as_bytes())).unwrap_or(prompt);
        let inner = if inner.len() < prompt.len() { inner.strip_suffix(RESET.as_bytes())? } else { inner };
        let looks = inner.len() > 3 && inner.starts_with(b"(") && inner.ends_with(b") ");
        (looks && !inner.iter().any(u8::is_ascii_control)).then(|| (start, Self(prompt.to_vec())))
    }

    /// Where the output of a command ends, in the text after its echo.
    ///
    /// `known` is the prompt before, which also counts after output without a line end, and before output that nobody
    /// asked for.
    pub(super) fn after(output: &[u8], known: Option<&Self>) -> Option<(Range<usize>, Self)> {
        let coloured = known.is_some_and(Self::is_coloured);
        if let Some((start, prompt)) = Self::at_end(output)
            && (prompt.is_coloured() || !coloured)
        {
            return Some((start..output.len(), prompt));
        }
        let known = known?;
        let start = if output.ends_with(&known.0) {
            output.len() - known.0.len()
        } else {
            let begins = |at: &usize| *at == 0 || matches!(output[*at - 1], b'\n' | b'\r');
            let at = (0..output.len()).filter(|at| output[*at..].starts_with(&known.0));
            if coloured { { at }.next()? } else { { at }.find(begins)? }
        };
        Some((start..start + known.0.len(), known.clone()))
    }
}

/// Text without escape sequences, and the part of it that was red.
fn strip(bytes: &[u8]) -> (String, String) {
    let (mut plain, mut red) = (Vec::new(), Vec::new());
    let mut in_red = false;
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == ESCAPE && rest.first() == Some(&b'[') {
            let end = rest[1..].iter().position(|byte| (0x40..=0x7E).contains(byte)).map_or(rest.len(), |end| end + 1);
            if rest.get(end) == Some(&b'm') {
                in_red = &rest[1..end] == RED;
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        } else if byte != b'\r' {
            if in_red { red.push(byte) } else { plain.push(byte) }
        }
    }
    (String::from_utf8_lossy(&plain).into_owned(), String::from_utf8_lossy(&red).into_owned())
}

/// Output of a command without colours, with LF between its lines and none at its end; and the error in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub text: String,
    pub error: Option<String>,
}

impl Output {
    pub(super) fn read(bytes: &[u8], coloured: bool) -> Self {
        let (plain, red) = strip(bytes);
        let (text, error) = match plain_error(&plain) {
            _ if coloured => (plain.as_str(), (!red.trim().is_empty()).then_some(red)),
            Some(at) => (&plain[..at], Some(plain[at..].to_owned())),
            None => (plain.as_str(), None),
        };
        let trim = |text: &str| text.trim_end_matches('\n').to_owned();
        Self { text: trim(text), error: error.as_deref().map(trim) }
    }
}

/// Text that nobody asked for, errors and all.
pub(super) fn unasked(bytes: &[u8]) -> String {
    let mut coloured = bytes.to_vec();
    // Red or not, it is one text here.
    while let Some(at) = find(&coloured, b"\x1b[;031m") {
        coloured.drain(at..at + 7);
    }
    strip(&coloured).0
}

/// Where the first line begins that looks like an error.
fn plain_error(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_error = ERRORS.iter().any(|error| line.starts_with(error))
            || (line.starts_with("Machine ") && line.trim_end().ends_with(" not found."));
        if is_error {
            return Some(at);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubled_bytes_become_one_also_over_a_split() {
        let mut telnet = Telnet::default();
        let mut out = Vec::new();
        telnet.feed(&[b'a', 0xFF], &mut out);
        telnet.feed(&[0xFF, b'b', 0xFF, b'c'], &mut out);
        assert_eq!(out, [b'a', 0xFF, b'b', 0xFF, b'c']);
    }

    #[test]
    fn prompts_are_told_from_output() {
        for (text, name) in [
            (&b"(monitor) "[..], Some("monitor")),
            (b"abc\r\r\n(stm) ", Some("stm")),
            (b"x\r\n\x1b[0m\x1b[33;1m(a b) \x1b[0m", Some("a b")),
            (b"abc (stm) ", None),
            (b"(stm)", None),
            (b"() ", None),
            (b"\x1b[33;1m(stm) ", None),
            (b"", None),
        ] {
            assert_eq!(Prompt::at_end(text).map(|(_, prompt)| prompt.name()).as_deref(), name, "{text:?}");
        }
    }

    #[test]
    fn an_echo_stands_alone() {
        let start = "(monitor) echo \"one\"; mach create \"stm\"\n\rone\r\r\n(stm) ";
        assert_eq!(echo(start.as_bytes(), "mach create \"stm\""), None);
        assert_eq!(echo(b"(stm) version\n\rRenode", "version"), Some(6..15));
        // The end of a line of output has a CR before the LF.
        assert_eq!(echo(b"version\r\n\r(stm) ", "version"), None);
    }

    #[test]
    fn a_known_prompt_ends_output_that_others_follow() {
        let known = Prompt::at_end(b"(stm) ").map(|(_, prompt)| prompt);
        let end = |text: &[u8]| Prompt::after(text, known.as_ref()).map(|(range, _)| range);
        assert_eq!(end(b"1\r\r\n(stm) from robot\r\r\n"), Some(4..10));
        assert_eq!(end(b"no line end(stm) "), Some(11..17));
        assert_eq!(end(b"1\r\r\n(stm "), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(ESCAPE), Just(b'['), Just(b'('), Just(b'\n')], 0..64), command in ".*") {
            let mut out = Vec::new();
            Telnet::default().feed(&bytes, &mut out);
            let known = Prompt::at_end(b"(m) ").map(|(_, prompt)| prompt);
            let _ = (echo(&bytes, &command), Prompt::after(&bytes, None), Prompt::after(&bytes, known.as_ref()));
            let _ = (Output::read(&bytes, true), Output::read(&bytes, false), unasked(&bytes));
        }

        #[test]
        fn what_stands_between_echo_and_prompt_is_found(output in "([a-z(]{0,9}\r\n){0,4}", machine in "[a-z][a-z ]{0,7}") {
            let text = format!("(monitor) cmd\n\r{output}({machine}) ");
            let after = echo(text.as_bytes(), "cmd").expect("echo").end;
            let (range, prompt) = Prompt::after(&text.as_bytes()[after..], None).expect("prompt");
            prop_assert_eq!(&text.as_bytes()[after..after + range.start], output.as_bytes());
            prop_assert_eq!(prompt.name(), machine);
        }
    }
}
