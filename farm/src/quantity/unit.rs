//! The units a quantity may carry, and how they are written.

/// What a quantity counts or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A bare number: whatever the place wants that needs no unit.
    Number,
    /// A share; 1 is all.
    Share,
    /// Time, seconds.
    Seconds,
    /// Memory, bytes.
    Bytes,
    /// Executed instructions.
    Instructions,
    /// Samples of a dataset.
    Samples,
}

impl Unit {
    /// What it is called in messages and docs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Share => "a share",
            Self::Seconds => "a time",
            Self::Bytes => "a size in bytes",
            Self::Instructions => "a count of instructions",
            Self::Samples => "a count of samples",
        }
    }

    /// A quantity of this unit, to show how one is written.
    pub fn example(&self) -> &'static str {
        match self {
            Self::Number => "0.05",
            Self::Share => "90 %",
            Self::Seconds => "5 ms",
            Self::Bytes => "1.5 KiB",
            Self::Instructions | Self::Samples => "8,000",
        }
    }
}

/// How a unit is written: the written number × 10^tens × 2^twos is the value in the base unit.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Suffix {
    pub(super) name: &'static str,
    aliases: &'static [&'static str],
    pub(super) unit: Unit,
    pub(super) tens: i32,
    pub(super) twos: u32,
}

const fn suffix(name: &'static str, aliases: &'static [&'static str], unit: Unit, tens: i32, twos: u32) -> Suffix {
    Suffix { name, aliases, unit, tens, twos }
}

/// Every way to write a unit.
pub(super) static SUFFIXES: [Suffix; 15] = [
    suffix("", &[], Unit::Number, 0, 0),
    suffix("%", &["percent"], Unit::Share, -2, 0),
    suffix("s", &["second", "seconds"], Unit::Seconds, 0, 0),
    suffix("ms", &["millisecond", "milliseconds"], Unit::Seconds, -3, 0),
    suffix("us", &["µs", "μs", "microsecond", "microseconds"], Unit::Seconds, -6, 0),
    suffix("ns", &["nanosecond", "nanoseconds"], Unit::Seconds, -9, 0),
    suffix("B", &["byte", "bytes"], Unit::Bytes, 0, 0),
    suffix("KB", &["kB"], Unit::Bytes, 3, 0),
    suffix("MB", &[], Unit::Bytes, 6, 0),
    suffix("GB", &[], Unit::Bytes, 9, 0),
    suffix("KiB", &[], Unit::Bytes, 0, 10),
    suffix("MiB", &[], Unit::Bytes, 0, 20),
    suffix("GiB", &[], Unit::Bytes, 0, 30),
    suffix("instructions", &["instruction"], Unit::Instructions, 0, 0),
    suffix("samples", &["sample"], Unit::Samples, 0, 0),
];

impl Suffix {
    /// The unit written as `name`; letter case counts.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        SUFFIXES.iter().find(|suffix| suffix.name == name || suffix.aliases.contains(&name))
    }
}
