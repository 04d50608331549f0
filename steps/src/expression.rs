//! Step patterns in the manner of Cucumber expressions, and the regular expressions they stand for.
//!
//! `{name}` is a parameter, `(s)` is optional text, `emulator/board` are alternatives.

use std::fmt::Write;

/// The parameters a pattern may hold, and what each matches (exactly one group each).
const PARAMETERS: &[(&str, &str)] = &[
    ("string", r#""([^"]*)""#),
    // A number and its unit: one word or two.
    ("quantity", r#"([^"\s]+(?: [^"\s]+)?)"#),
    ("metric", r#"([^"'\s](?:[^"']*?[^"'\s])?)"#),
    ("count", "([0-9][0-9,]*|no)"),
    ("place", r#"((?:[^",]|"[^"]*")+)"#),
    ("comparison", "(at most|at least|below|under|above|over|exactly)"),
    ("reference", r#"(the container's|the host's|those on "[^"]*")"#),
];

/// The anchored regular expression for `pattern`; group `i + 1` is parameter `i`.
pub(crate) fn regex_source(pattern: &str) -> String {
    let mut source = String::from("^");
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '{' => {
                let end = rest.find('}').map_or(rest.len(), |end| end + 1);
                let name = rest[..end].trim_matches(['{', '}']);
                let known = PARAMETERS.iter().find(|(known, _)| *known == name);
                source.push_str(known.map_or("(.+)", |(_, regex)| regex));
                end
            }
            '(' => {
                let end = rest.find(')').map_or(rest.len(), |end| end + 1);
                let _ = write!(source, "(?:{})?", regex::escape(rest[..end].trim_matches(['(', ')'])));
                end
            }
            ' ' => {
                source.push_str(" +");
                1
            }
            _ => {
                let end = rest.find([' ', '{', '(']).unwrap_or(rest.len());
                let words: Vec<String> = rest[..end].split('/').map(regex::escape).collect();
                match words.as_slice() {
                    [word] => source.push_str(word),
                    words => {
                        let _ = write!(source, "(?:{})", words.join("|"));
                    }
                }
                end
            }
        };
        rest = &rest[taken..];
    }
    source.push('$');
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_optional_text_and_alternatives_become_a_regular_expression() {
        assert_eq!(regex_source("{count} retry/retries"), "^([0-9][0-9,]*|no) +(?:retry|retries)$");
        assert_eq!(regex_source("the dataset(:)"), "^the +dataset(?::)?$");
        assert_eq!(regex_source(r"a (b) {string}"), r#"^a +(?:b)? +"([^"]*)"$"#);
    }

    #[test]
    fn every_parameter_holds_one_group() {
        for (name, regex) in PARAMETERS {
            let groups = regex::Regex::new(regex).map(|regex| regex.captures_len());
            assert_eq!(groups, Ok(2), "{name}");
        }
    }
}
