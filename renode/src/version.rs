//! Which Renode it is: as `renode --version`, the monitor's banner and its command `version` tell.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

/// A version of Renode. Two are equal when their numbers are, whatever else Renode said.
#[derive(Debug, Clone)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
    /// The third; 0 where Renode left it out.
    pub patch: u32,
    text: String,
}

/// Text without a version in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no version of Renode in {said:?}")]
pub struct NoVersion {
    /// The beginning of the text.
    pub said: String,
}

impl Version {
    /// The oldest that these bindings were made for.
    pub const OLDEST: Self = Self::new(1, 15, 1);
    /// The newest that these bindings were made for, and the one they were tried against.
    pub const NEWEST: Self = Self::new(1, 16, 1);

    /// A version by its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, text: String::new() }
    }

    /// Finds the version in what Renode says of itself: `Renode, version 1.16.1 (v1.16.1-private)` is how 1.16.1 answers
    /// `version`; `renode --version` has a fourth number and goes on with lines about the build. What stands behind the name
    /// comes first, for scripts around Renode may have something to say before. A word alone may be the numbers themselves, or
    /// the name of a portable build; other programs have versions, too, and are none.
    ///
    /// # Errors
    /// When there are no two numbers with a dot between them, or Renode is not named.
    pub fn parse(said: &str) -> Result<Self, NoVersion> {
        let lower = said.to_lowercase();
        let named = lower.split("renode").skip(1).filter_map(|behind| behind.lines().next()).find_map(numbers);
        let (major, minor, patch) = named
            .or_else(|| numbers(said).filter(|_| said.split_whitespace().count() == 1))
            .ok_or_else(|| NoVersion { said: said.trim().chars().take(80).collect() })?;
        Ok(Self { major, minor, patch, text: said.trim().to_owned() })
    }

    /// What Renode said; empty for one made of numbers.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether these bindings were made for it. Others are started all the same, with a warning: the robot server has
    /// hardly changed in years, External Control has.
    pub fn is_known(&self) -> bool {
        (Self::OLDEST..=Self::NEWEST).contains(self)
    }

    fn key(&self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch)
    }
}

/// The first of a text: `1.16.1`, `1.16.1.2345`, `1.16`.
fn numbers(text: &str) -> Option<(u32, u32, u32)> {
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '.').find_map(|word| {
        let mut parts = word.split('.').map(str::parse);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        // A full stop may end the sentence.
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some((major, minor, patch))
    })
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(said: &str) -> Result<Self, NoVersion> {
        Self::parse(said)
    }
}

/// The numbers: `1.16.1`.
impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_version_is_found_in_all_that_renode_says() {
        for said in [
            "Renode, version 1.16.1 (v1.16.1-private)",
            "Renode, version 1.16.1 (v1.16.1-private)\n\n",
            "Renode v1.16.1.24371\n  build: 1234567-202601010000\n  build type: Release\n  runtime: .NET 8.0.11",
            "\u{1b}[33mRenode\u{1b}[0m, version 1.16.1.",
            "renode_1.16.1-dotnet_portable",
            "warning: no ICU 72.1 in /opt/Renode/lib\nRenode v1.16.1.24371\n",
        ] {
            let version = Version::parse(said).unwrap();
            assert_eq!(version, Version::NEWEST, "{said}");
            assert_eq!(version.text(), said.trim());
            assert_eq!(version.to_string(), "1.16.1");
        }
        assert_eq!("1.16".parse(), Ok(Version::new(1, 16, 0)));
    }

    #[test]
    fn versions_are_compared_by_number() {
        let in_order = [(1, 9, 0), (1, 15, 0), (1, 15, 1), (1, 15, 2), (1, 16, 0), (1, 16, 1), (1, 16, 2), (2, 0, 0)];
        let versions = in_order.map(|(major, minor, patch)| Version::new(major, minor, patch));
        assert!(versions.is_sorted());
        let known: Vec<String> = versions.iter().filter(|version| version.is_known()).map(Version::to_string).collect();
        assert_eq!(known, ["1.15.1", "1.15.2", "1.16.0", "1.16.1"]);
    }

    #[test]
    fn what_is_no_version_is_quoted() {
        let error = Version::parse("command not found").unwrap_err();
        assert_eq!(error.to_string(), "no version of Renode in \"command not found\"");
        assert!(Version::parse("true (GNU coreutils) 9.1\nCopyright (C) 2022").is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(said in ".*") {
            let _ = Version::parse(&said);
        }

        #[test]
        fn what_is_shown_can_be_read(major: u32, minor: u32, patch: u32) {
            let version = Version::new(major, minor, patch);
            prop_assert_eq!(Version::parse(&version.to_string()).unwrap(), version);
        }
    }
}
