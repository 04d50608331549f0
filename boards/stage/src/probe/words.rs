//! What probe-rs says, in words that a person can act on: the whole chain of causes, and the mend where one is known.

use farm::TargetError;
use probe_rs::probe::{DebugProbeError, ProbeCreationError};
use std::{error::Error, io};

const PERMISSION: &str = "this user may not use the probe: `tinyfarm boards doctor` says what gives the right, or \
                          install the udev rules of probe-rs (https://probe.rs/docs/getting-started/probe-setup) and \
                          plug it in again";

/// `doing` did not work. `doing` completes "could not ...". It is the bench's fault, but where this user may not use the
/// probe: then nothing could be tried.
pub fn could_not(doing: &str, error: &(dyn Error + 'static)) -> TargetError {
    let mend = mend(error);
    let words =
        format!("could not {doing}: {}{}", chain(error), mend.map_or(String::new(), |mend| format!("; {mend}")));
    if mend == Some(PERMISSION) { TargetError::Blocked(words) } else { TargetError::Bench(words) }
}

/// The error and its causes, each once, from the outermost on.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string().replace('\n', " ");
        let text = text.trim().trim_end_matches('.').to_owned();
        // Many an error's text has its cause's text in it already.
        if !text.is_empty() && !words.iter().any(|earlier| earlier.contains(&text)) {
            words.push(text);
        }
        cause = error.source();
    }
    words.join(": ")
}

/// What a person can do about it.
fn mend(error: &(dyn Error + 'static)) -> Option<&'static str> {
    const BUSY: &str = "another program holds the probe: end it (a debugger, an IDE, probe-rs, openocd)";
    const NOT_FOUND: &str = "is it plugged in? `tinyfarm boards list` shows what is";
    const NO_TARGET: &str = "the probe is there and the chip does not answer: check its power, the SWD cable, and \
                             that the definition's chip is the one on the board";
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::PermissionDenied => return Some(PERMISSION),
                io::ErrorKind::ResourceBusy => return Some(BUSY),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => return Some(NOT_FOUND),
                _ => {}
            }
        }
        match error.downcast_ref::<DebugProbeError>() {
            Some(DebugProbeError::TargetNotFound) => return Some(NO_TARGET),
            Some(DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::NotFound)) => return Some(NOT_FOUND),
            Some(DebugProbeError::ProbeCouldNotBeCreated(ProbeCreationError::CouldNotOpen)) => {
                return Some(PERMISSION);
            }
            _ => {}
        }
        let text = error.to_string().to_lowercase();
        if text.contains("permission denied") || text.contains("access denied") {
            return Some(PERMISSION);
        }
        if text.contains("busy") {
            return Some(BUSY);
        }
        if text.contains("no ack") || text.contains("did not respond") || text.contains("not find a target") {
            return Some(NO_TARGET);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: impl Error + 'static) -> String {
        could_not("open the probe 0483:374b:066B", &error).to_string()
    }

    #[test]
    fn every_cause_is_told_once_and_known_ones_with_their_mend() {
        let usb = |kind: io::ErrorKind| probe_rs::Error::from(DebugProbeError::Usb(kind.into()));
        let shown = [
            told(usb(io::ErrorKind::PermissionDenied)),
            told(usb(io::ErrorKind::ResourceBusy)),
            told(usb(io::ErrorKind::BrokenPipe)),
            told(DebugProbeError::from(ProbeCreationError::NotFound)),
            told(probe_rs::Error::from(DebugProbeError::TargetNotFound)),
            told(probe_rs::Error::Other("One thing.\n".to_owned())),
        ];
        let denied = could_not("open it", &io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(denied, TargetError::Blocked(_)), "{denied:?}");
        insta::assert_snapshot!(shown.join("\n"), @r"
        could not open the probe 0483:374b:066B: An error with the usage of the probe occurred: USB Communication Error: permission denied; this user may not use the probe: `tinyfarm boards doctor` says what gives the right, or install the udev rules of probe-rs (https://probe.rs/docs/getting-started/probe-setup) and plug it in again
        could not open the probe 0483:374b:066B: An error with the usage of the probe occurred: USB Communication Error: resource busy; another program holds the probe: end it (a debugger, an IDE, probe-rs, openocd)
        could not open the probe 0483:374b:066B: An error with the usage of the probe occurred: USB Communication Error: broken pipe
        could not open the probe 0483:374b:066B: The debug probe could not be created: The selected debug probe was not found. This can be due to permissions; is it plugged in? `tinyfarm boards list` shows what is
        could not open the probe 0483:374b:066B: An error with the usage of the probe occurred: Failed to find or attach to the target. Please check the wiring before retrying; the probe is there and the chip does not answer: check its power, the SWD cable, and that the definition's chip is the one on the board
        could not open the probe 0483:374b:066B: One thing
        ");
    }
}
