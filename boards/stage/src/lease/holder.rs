//! Who holds a lease.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

/// No file says more of its holder than this, bytes.
const MOST: u64 = 16 * 1024;

/// Who holds a lease, as the lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// The user it belongs to.
    pub user: String,
    /// Its command line.
    pub command: String,
    /// The run, where it is one.
    pub run: Option<String>,
    /// Since when. In what [`Leases::take`](super::Leases::take) is given it means nothing: the lease has its own time.
    pub since: Option<Timestamp>,
}

impl Holder {
    /// This process, in the run of this name.
    pub fn this_process(run: Option<&str>) -> Self {
        // Arguments are any bytes.
        let command: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let command = command.join(" ");
        Self { pid: std::process::id(), user: user(), command, run: run.map(str::to_owned), since: None }
    }

    /// What the file of a lease that is held says. It may say nothing yet.
    pub(super) fn read(mut file: &File) -> Self {
        let mut text = String::new();
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MOST).read_to_string(&mut text));
        let said = read.ok().and_then(|_| serde_json::from_str(&text).ok());
        said.unwrap_or_else(|| Self {
            pid: 0,
            user: "somebody".to_owned(),
            command: String::new(),
            run: None,
            since: None,
        })
    }

    /// Writes it over what the last holder left.
    pub(super) fn write(&self, mut file: &File) -> io::Result<()> {
        let said = Self { since: Some(Timestamp::now()), ..self.clone() };
        let text = serde_json::to_string(&said)? + "\n";
        // Emptied first: who reads in between sees nothing, and never half of two.
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    }
}

/// `ann, process 4711 (tinyfarm run), since 14:03:05`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.user)?;
        if self.pid != 0 {
            write!(f, ", process {}", self.pid)?;
        }
        if !self.command.is_empty() {
            write!(f, " ({})", shortened(&self.command))?;
        }
        match self.since {
            Some(since) => write!(f, ", since {}", since.to_zoned(TimeZone::system()).strftime("%F %T")),
            None => Ok(()),
        }
    }
}

/// A command line without the folder of its program, and not longer than a line.
fn shortened(command: &str) -> String {
    const MOST: usize = 60;
    let (program, rest) = command.split_once(' ').map_or((command, ""), |(program, rest)| (program, rest));
    let program = program.rsplit('/').next().unwrap_or(program);
    let all = format!("{program} {rest}");
    let all = all.trim_end();
    if all.chars().count() <= MOST { all.to_owned() } else { all.chars().take(MOST - 1).chain(['…']).collect() }
}

/// The name of the user whose process this is, or the number.
pub(crate) fn user() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {id}"))
}
