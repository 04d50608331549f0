//! A probe by its serial number or by the selector that probe-rs knows it by.

use super::{Attached, BusError, bench, usb};
use probe_rs::probe::DebugProbeSelector;
use std::path::Path;

/// Why what a definition names is not found.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It is not attached.
    #[error("no probe \"{probe}\" is attached; {there}: plug it in, or name one that is attached as `probe`")]
    NotThere {
        /// What was looked for.
        probe: String,
        /// What is there instead, in words.
        there: String,
    },
    /// Several are meant.
    #[error("the probe \"{probe}\" may be any of these: {these}; {mend}")]
    Ambiguous {
        /// What was looked for.
        probe: String,
        /// Those that it may be.
        these: String,
        /// How to tell them apart.
        mend: &'static str,
    },
    /// The bench cannot be looked at.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The one attached thing whose probe has this serial number, or which this full selector of probe-rs means.
///
/// Blocks for some milliseconds.
///
/// # Errors
/// [`ResolveError`]: it is not there, or there are several; both list what is.
pub fn resolve(probe: &str, bench: &Path) -> Result<Attached, ResolveError> {
    let mut all = usb::attached();
    // What is on USB does not depend on the simulated bench.
    let failed = match bench::attached(bench) {
        Ok(simulated) => {
            all.extend(simulated);
            None
        }
        Err(error) => Some(error),
    };
    match (choose(probe, all), failed) {
        (Err(ResolveError::NotThere { .. }), Some(error)) => Err(error.into()),
        (chosen, _) => chosen,
    }
}

fn choose(probe: &str, all: Vec<Attached>) -> Result<Attached, ResolveError> {
    // A serial number may look like a selector: some are Ethernet addresses.
    let selector: Option<DebugProbeSelector> = probe.parse().ok();
    let (meant, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|attached| {
        attached.serial.as_deref().is_some_and(|serial| same_serial(serial, probe))
            || selector.as_ref().is_some_and(|selector| means(selector, attached))
    });
    let mut meant = meant.into_iter();
    match (meant.next(), meant.next()) {
        (Some(only), None) => Ok(only),
        (Some(one), Some(other)) => {
            let mend = if one.selector == other.selector {
                "they have the same serial number, and probe-rs cannot tell them apart: leave only one attached, or give one another number"
            } else {
                "give the whole selector as `probe`"
            };
            let these = [one, other].into_iter().chain(meant).map(|one| with_selector(&one)).collect::<Vec<_>>();
            Err(ResolveError::Ambiguous { probe: probe.to_owned(), these: these.join(", "), mend })
        }
        (None, _) => match selector.and_then(|selector| far(&selector)) {
            Some(far) => Ok(far),
            None => Err(ResolveError::NotThere { probe: probe.to_owned(), there: there(&others) }),
        },
    }
}

/// Each as `name selector at place`.
fn with_selector(attached: &Attached) -> String {
    format!("{} \"{}\" at {}", attached.name, attached.selector, attached.place)
}

fn there(all: &[Attached]) -> String {
    let list: Vec<_> = all.iter().map(ToString::to_string).collect();
    match (list.is_empty(), super::usb::is_there()) {
        (false, _) => format!("attached: {}", list.join(", ")),
        (true, true) => "nothing is attached".to_owned(),
        (true, false) => "nothing is attached, and this machine has no USB".to_owned(),
    }
}

fn means(selector: &DebugProbeSelector, attached: &Attached) -> bool {
    let Ok(other) = attached.selector.parse::<DebugProbeSelector>() else { return false };
    let serial = other.serial_number.as_deref().unwrap_or_default();
    (selector.vendor_id, selector.product_id) == (other.vendor_id, other.product_id)
        && (selector.interface.is_none() || selector.interface == other.interface)
        && selector.serial_number.as_deref().is_none_or(|wanted| same_serial(serial, wanted))
}

/// A Glasgow that is reached through a socket is attached wherever that leads: nobody lists it.
fn far(selector: &DebugProbeSelector) -> Option<Attached> {
    const GLASGOW: (u16, u16) = (0x20b7, 0x9db1);
    let address = selector.serial_number.as_deref()?;
    let (kind, path) = address.split_once(':')?;
    let reachable = match kind {
        "tcp" => true,
        "unix" => Path::new(path).exists(),
        _ => false,
    };
    ((selector.vendor_id, selector.product_id) == GLASGOW && reachable).then(|| Attached {
        serial: None,
        selector: selector.to_string(),
        name: "Glasgow".to_owned(),
        place: address.to_owned(),
        simulated: false,
        uart: None,
    })
}

/// Whether two serial numbers mean one device, as probe-rs sees it: either may be the hexadecimal form of the other, for
/// some ST-Links have bytes for a number that no one can read.
pub(crate) fn same_serial(one: &str, other: &str) -> bool {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    one == other || (!one.is_empty() && !other.is_empty() && (hex(one) == other || one == hex(other)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bus::bench::tests::put;

    fn probe(serial: Option<&str>, selector: &str, place: &str) -> Attached {
        Attached {
            serial: serial.map(str::to_owned),
            selector: selector.to_owned(),
            name: "STLink V2-1".to_owned(),
            place: place.to_owned(),
            simulated: false,
            uart: None,
        }
    }

    fn three() -> Vec<Attached> {
        vec![
            probe(Some("066BFF31"), "0483:374b:066BFF31", "1-1"),
            probe(Some("066BFF32"), "0483:374b:066BFF32", "1-4.2"),
            probe(None, "0483:3748:", "2-1"),
        ]
    }

    fn place(probe: &str, all: Vec<Attached>) -> String {
        choose(probe, all).map_or_else(|error| error.to_string(), |attached| attached.place)
    }

    #[test]
    fn by_serial_number_and_by_selector() {
        assert_eq!(place("066BFF32", three()), "1-4.2");
        assert_eq!(place("0483:374b:066BFF31", three()), "1-1");
        assert_eq!(place("0483:374B:066BFF31", three()), "1-1");
        assert_eq!(place("0483:3748", three()), "2-1");
        assert_eq!(place("0483:3748:", three()), "2-1");
        let address = vec![probe(Some("DC:DA:0C:D3:FE:D8"), "303a:1001:DC:DA:0C:D3:FE:D8", "1-1")];
        assert_eq!(place("DC:DA:0C:D3:FE:D8", address), "1-1");
    }

    #[test]
    fn the_odd_serial_numbers_of_old_st_links() {
        let odd = || vec![probe(Some("35C3BF71"), "0483:3748:35C3BF71", "1-1")];
        assert_eq!(place("5\u{7ff}q", vec![probe(Some("35DFBF71"), "0483:3748:35DFBF71", "1-1")]), "1-1");
        assert_eq!(place("35C3BF71", odd()), "1-1");
        assert!(place("35C3BF72", odd()).starts_with("no probe"));
        assert!(!same_serial("", "00") && same_serial("", ""));
    }

    #[test]
    fn what_is_not_there_or_meant_twice_is_told_with_what_is_there() {
        insta::assert_snapshot!(place("066BFF99", three()), @r#"no probe "066BFF99" is attached; attached: STLink V2-1 0483:374b:066BFF31 at 1-1, STLink V2-1 0483:374b:066BFF32 at 1-4.2, STLink V2-1 0483:3748: at 2-1: plug it in, or name one that is attached as `probe`"#);
        insta::assert_snapshot!(place("0483:374b", three()), @r#"the probe "0483:374b" may be any of these: STLink V2-1 "0483:374b:066BFF31" at 1-1, STLink V2-1 "0483:374b:066BFF32" at 1-4.2; give the whole selector as `probe`"#);
        let twins = vec![probe(Some("1"), "0483:374b:1", "1-1"), probe(Some("1"), "0483:374b:1", "1-2")];
        insta::assert_snapshot!(place("1", twins), @r#"the probe "1" may be any of these: STLink V2-1 "0483:374b:1" at 1-1, STLink V2-1 "0483:374b:1" at 1-2; they have the same serial number, and probe-rs cannot tell them apart: leave only one attached, or give one another number"#);
    }

    #[test]
    fn two_simulated_boards_with_one_serial_number_are_told_apart_by_their_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let bench = folder.path();
        let _one = put(bench, "a", "SIM-1");
        let _other = put(bench, "b", "SIM-1");
        let error = resolve("SIM-1", bench).unwrap_err().to_string();
        assert!(error.contains("a.probe") && error.contains("b.probe") && error.contains("whole selector"), "{error}");
        let selector = format!("20b7:9db1:unix:{}", bench.join("b.probe").display());
        let found = resolve(&selector, bench).unwrap();
        assert_eq!((found.place.as_str(), found.simulated), ("b", true));
    }

    #[test]
    fn a_simulated_bench_that_cannot_be_looked_at_is_in_the_way_of_simulated_boards_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(resolve("SIM-1", file.path()), Err(ResolveError::Bus(_))));
        assert!(resolve("20b7:9db1:tcp:127.0.0.1:4000", file.path()).is_ok());
    }

    #[test]
    fn a_socket_that_nobody_lists_is_taken_at_its_word() {
        let found = choose("20b7:9db1:tcp:127.0.0.1:4000", three()).unwrap();
        assert_eq!((found.place.as_str(), found.simulated), ("tcp:127.0.0.1:4000", false));
        assert!(choose("20b7:9db1:unix:/no/such.probe", three()).is_err());
        assert!(choose("20b7:9db1:C3-2024", three()).is_err());
    }
}
