//! A command of the monitor: its words, and how Renode refuses one.

/// Why a command failed, in Renode's three ways to say so.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its first word means nothing.
    NoSuch(String),
    /// The element that was addressed does not do it.
    Cannot(String),
    /// It was tried, and went wrong.
    Went(String),
}

impl Refusal {
    /// What stands there where no overload of a method takes these arguments, such as a path to nothing.
    pub fn signature() -> Self {
        Self::Cannot("Parameters did not match the signature".to_owned())
    }

    /// The text of the answer, as recorded.
    pub fn text(&self, command: &str) -> String {
        match self {
            Self::NoSuch(word) => {
                format!("KeywordException: Could not execute command '{command}': No such command or device: {word}\n")
            }
            Self::Cannot(why) => format!(
                "KeywordException: Could not execute command '{command}': There was an error executing command \
                 '{command}'{why}\n"
            ),
            Self::Went(why) => {
                format!("KeywordException: There was an error when executing command '{command}': {why}\n")
            }
        }
    }
}

/// The words: a string without its quotes, a path with its `@` and without backslashes before blanks.
pub fn words(command: &str) -> Vec<String> {
    let (mut words, mut letters) = (Vec::new(), command.chars().peekable());
    while let Some(first) = letters.next() {
        let mut word = String::new();
        match first {
            ' ' => continue,
            '"' => {
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    match letter {
                        '\\' if letters.peek() == Some(&'"') => word.extend(letters.next()),
                        _ => word.push(letter),
                    }
                }
            }
            _ => {
                word.push(first);
                while let Some(letter) = letters.next_if(|letter| *letter != ' ') {
                    match letter {
                        '\\' if first == '@' => word.extend(letters.next()),
                        _ => word.push(letter),
                    }
                }
            }
        }
        words.push(word);
    }
    words
}
