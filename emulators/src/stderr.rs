//! What QEMU writes to its standard error: kept in a memory file of fixed size. No task has to read along, nothing is
//! lost when the process dies, and a chatty emulator fills no memory.

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, ftruncate, memfd_create, seek};
use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
};

/// More than this of its standard error is refused to QEMU.
const CAPACITY: u64 = 256 << 10;

/// What every start on the farm's machines says and means nothing: no network card is connected, and the clock stands
/// while the core sleeps.
const NOISE: [&str; 2] = ["has no peer", "icount sleep disabled and no active timers"];

/// A process's standard error.
#[derive(Debug)]
pub struct Stderr(File);

impl Stderr {
    /// An empty one.
    ///
    /// # Errors
    /// When the kernel has no memory or file descriptors left.
    pub fn new() -> io::Result<Self> {
        let file = memfd_create("emulator-stderr", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, CAPACITY)?;
        fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
        Ok(Self(file.into()))
    }

    /// The end for the process. It shares this one's position, which so tells how much was written.
    ///
    /// # Errors
    /// When there are no file descriptors left.
    pub fn for_child(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// What was written so far, without noise, trimmed.
    pub fn text(&self) -> String {
        let written = seek(&self.0, SeekFrom::Current(0)).unwrap_or(0).min(CAPACITY);
        let mut bytes = vec![0; usize::try_from(written).unwrap_or(0)];
        if self.0.read_exact_at(&mut bytes, 0).is_err() {
            return String::new();
        }
        without_noise(&String::from_utf8_lossy(&bytes))
    }
}

fn without_noise(text: &str) -> String {
    let noise = |line: &str| line.contains("warning:") && NOISE.iter().any(|noise| line.contains(noise));
    let lines: Vec<&str> = text.lines().filter(|line| !noise(line)).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    fn said(script: &str) -> String {
        let stderr = Stderr::new().unwrap();
        let child = stderr.for_child().unwrap();
        Command::new("sh").args(["-c", script]).stderr(child).status().unwrap();
        stderr.text()
    }

    #[test]
    fn what_a_process_wrote_is_there_after_it_died_and_noise_is_not() {
        let script = "echo 'qemu-system-arm: warning: nic lan9118.0 has no peer' >&2
            echo 'qemu-system-arm: warning: icount sleep disabled and no active timers' >&2
            echo 'qemu: fatal: Lockup' >&2; kill -9 $$";
        assert_eq!(said(script), "qemu: fatal: Lockup");
    }

    #[test]
    fn an_endless_writer_fills_its_room_and_no_more() {
        assert_eq!(
            said("echo first >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2 2>/dev/null || true").len() as u64,
            CAPACITY
        );
    }
}
