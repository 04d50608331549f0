//! The command line that Renode is given: what is not understood is refused, as by Renode.

use std::{io, path::PathBuf};

/// What matters of it.
pub struct Arguments {
    pub monitor: u16,
    pub robot: u16,
    pub pid_file: PathBuf,
}

impl Arguments {
    /// `None`: only the version is asked for.
    pub fn read(words: impl Iterator<Item = String>) -> io::Result<Option<Self>> {
        let mut words = words;
        let (mut monitor, mut robot, mut pid_file) = (None, None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| wrong(&word));
            match word.as_str() {
                "--version" => return Ok(None),
                "--disable-xwt" | "--plain" | "--hide-log" => {}
                "-P" => monitor = Some(value()?.parse().map_err(|_| wrong(&word))?),
                "--robot-server-port" => robot = Some(value()?.parse().map_err(|_| wrong(&word))?),
                "--pid-file" => pid_file = Some(value()?.into()),
                _ => return Err(wrong(&word)),
            }
        }
        let (Some(monitor), Some(robot), Some(pid_file)) = (monitor, robot, pid_file) else {
            return Err(wrong("-P, --robot-server-port and --pid-file"));
        };
        Ok(Some(Self { monitor, robot, pid_file }))
    }
}

fn wrong(word: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the command line is wrong at {word}"))
}
