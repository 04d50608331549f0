//! Why a QEMU ended: whether the guest brought it down (the firmware's fault) or something else did (the bench's).

use crate::monitor::LastWords;
use farm::{Fault, TargetError};
use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

const SIGABRT: i32 = 6;

/// What is known about a QEMU that ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// How the process ended.
    pub status: ExitStatus,
    /// Its standard error, without noise.
    pub stderr: &'a str,
    /// What it said over QMP.
    pub heard: LastWords,
}

impl Ending<'_> {
    /// The error it amounts to. `symbol` names the function at an address.
    ///
    /// - A locked-up core (blank flash, a fault in the fault handler) aborts QEMU, which says so: the device crashed.
    /// - A reset asked for by the firmware: the device crashed.
    /// - Killed by a signal, or ended in any other way: the bench lost its emulator.
    pub fn explain(&self, symbol: impl Fn(u64) -> Option<String>) -> TargetError {
        let aborted = self.status.signal() == Some(SIGABRT) || self.status.code() == Some(128 + SIGABRT);
        if let Some(lockup) = aborted.then(|| lockup(self.stderr)).flatten() {
            let at = |register: &str| match register_value(self.stderr, register) {
                Some(value) => match symbol(value) {
                    Some(name) => format!("{value:#010x} in {name}"),
                    None => format!("{value:#010x}"),
                },
                None => "unknown".to_owned(),
            };
            let detail = format!("core locked up: {lockup} (pc {}, lr {})", at("R15"), at("R14"));
            return Fault::Crash { detail }.into();
        }
        // Without the event, too: firmware that resets the core at once is faster than the monitor. Nothing else ends
        // a QEMU that greeted with success and no word; a signal that it heeds is named on its standard error.
        let LastWords { greeted, guest_reset } = self.heard;
        if self.status.success() && (guest_reset || greeted && !self.stderr.contains("terminating on signal")) {
            return Fault::Crash { detail: "the firmware reset the core".to_owned() }.into();
        }
        let how = match (self.status.signal(), self.status.code()) {
            (Some(signal), _) => format!("was ended by {}", signal_name(signal)),
            (None, Some(code)) => format!("ended with exit status {code}"),
            (None, None) => format!("ended: {}", self.status),
        };
        let tail = tail(self.stderr);
        TargetError::Bench(if tail.is_empty() { format!("QEMU {how}") } else { format!("QEMU {how}: {tail}") })
    }
}

/// What QEMU says of a lockup.
fn lockup(stderr: &str) -> Option<&str> {
    stderr.lines().find_map(|line| Some(line.split_once("Lockup: ")?.1.trim()))
}

/// A register out of the dump that QEMU prints when it aborts: `R15=00000100`.
fn register_value(stderr: &str, register: &str) -> Option<u64> {
    let value = stderr.split_whitespace().find_map(|word| word.strip_prefix(register)?.strip_prefix('='))?;
    u64::from_str_radix(value, 16).ok()
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        6 => "SIGABRT".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

/// More characters of its standard error than this are for the log, not for a reason.
const LONGEST_TAIL: usize = 500;

/// The last lines, as one.
pub(crate) fn tail(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = lines[lines.len().saturating_sub(4)..].join("; ");
    let skipped = words.chars().count().saturating_sub(LONGEST_TAIL);
    words.chars().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "qemu: fatal: Lockup: can't escalate 3 to HardFault (current priority -1)\n\n\
        R00=00000000 R01=00000000 R02=00000000 R03=00000000\nR12=00000000 R13=20000fe0 R14=fffffff9 R15=00000104\nXPSR=00000003";

    fn explain(wait_status: i32, stderr: &str, guest_reset: bool) -> TargetError {
        explain_heard(wait_status, stderr, LastWords { greeted: true, guest_reset })
    }

    fn explain_heard(wait_status: i32, stderr: &str, heard: LastWords) -> TargetError {
        let ending = Ending { status: ExitStatus::from_raw(wait_status), stderr, heard };
        ending.explain(|address| (address == 0x104).then(|| "main".to_owned()))
    }

    fn crash(detail: &str) -> TargetError {
        Fault::Crash { detail: detail.to_owned() }.into()
    }

    #[test]
    fn a_lockup_is_the_devices_crash_with_the_place_it_happened() {
        let expected = crash(
            "core locked up: can't escalate 3 to HardFault (current priority -1) (pc 0x00000104 in main, lr 0xfffffff9)",
        );
        assert_eq!(explain(SIGABRT, DUMP, false), expected);
        assert_eq!(explain(134 << 8, DUMP, false), expected);
    }

    #[test]
    fn a_reset_by_the_firmware_is_the_devices_crash() {
        assert_eq!(explain(0, "", true), crash("the firmware reset the core"));
        assert_eq!(explain(0, "", false), crash("the firmware reset the core"));
    }

    #[test]
    fn a_program_that_ends_without_a_word_before_it_was_qemu_says_nothing_of_the_firmware() {
        let expected = TargetError::Bench("QEMU ended with exit status 0".to_owned());
        assert_eq!(explain_heard(0, "", LastWords::default()), expected);
    }

    #[test]
    fn any_other_end_is_the_benchs() {
        let bench = |text: &str| TargetError::Bench(text.to_owned());
        assert_eq!(explain(9, "", false), bench("QEMU was ended by SIGKILL"));
        assert_eq!(
            explain(0, "qemu-system-arm: terminating on signal 15 from pid 7", false),
            bench("QEMU ended with exit status 0: qemu-system-arm: terminating on signal 15 from pid 7")
        );
        assert_eq!(
            explain(1 << 8, "qemu-system-arm: could not load kernel 'x'", false),
            bench("QEMU ended with exit status 1: qemu-system-arm: could not load kernel 'x'")
        );
        assert_eq!(explain(SIGABRT, "assertion failed", false), bench("QEMU was ended by SIGABRT: assertion failed"));
    }
}
