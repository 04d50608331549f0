//! What a board is known by, whatever the files that define it are called: its probe, or else its serial port. Two
//! definitions of one board, of two users, must come to the same identity.

use crate::{bus::environment::is_probe, definition::Definition, serial};
use probe_rs::probe::DebugProbeSelector;
use std::path::Path;

/// What leases and histories know the board by. `bench` is the simulated bench, whose serial numbers mean nothing
/// beyond it.
pub fn identity(definition: &Definition, bench: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    match (&definition.probe, definition.serial().and_then(|port| port.identity.as_ref())) {
        (Some(probe), _) => match probe_serial(probe) {
            Some(serial) if definition.is_simulated() => format!("{}/{serial}", absolute(bench)),
            Some(serial) => serial.to_owned(),
            None => canonical(probe),
        },
        // The port of a probe is as good a name of the board as the probe itself.
        (None, Some(serial::Identity::Usb { vendor, product, serial, .. }))
            if !serial.is_empty() && is_probe(*vendor, *product) =>
        {
            serial.clone()
        }
        (None, Some(usb @ serial::Identity::Usb { .. })) => usb.to_string(),
        (None, Some(serial::Identity::Path(path))) => absolute(path),
        (None, None) => format!("simulated:{}", definition.name),
    }
}

/// Whether other processes could want the board too. A simulated one that the farm starts for itself is its own, and
/// has no past.
pub fn is_shared(definition: &Definition) -> bool {
    definition.probe.is_some() || definition.serial().is_some_and(|port| port.identity.is_some())
}

/// The serial number in `066BFF…` or `0483:374b:066BFF…`; `None` in a selector that names a socket or has none.
fn probe_serial(probe: &str) -> Option<&str> {
    // A serial number may hold colons itself: some are Ethernet addresses.
    let number = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (vendor, rest) = probe.split_once(':').unwrap_or((probe, ""));
    let (product, serial) = rest.split_once(':').unwrap_or((rest, ""));
    // `0483:374b-2:…` names an interface as well.
    let product = product.split_once('-').map_or(product, |(product, _)| product);
    if !number(vendor) || !number(product) {
        return Some(probe);
    }
    let socket = serial.starts_with("unix:") || serial.starts_with("tcp:");
    (!socket && !serial.is_empty()).then_some(serial)
}

/// A selector as everybody would write it: `0483:374B:` means what `0483:374b` does.
fn canonical(selector: &str) -> String {
    match selector.parse::<DebugProbeSelector>() {
        Ok(parsed) => {
            let serial = parsed.serial_number.unwrap_or_default();
            format!("{:04x}:{:04x}:{serial}", parsed.vendor_id, parsed.product_id)
        }
        Err(_) => selector.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::definition::Definitions;

    #[test]
    fn a_probe_is_known_by_its_serial_number_however_it_is_selected() {
        assert_eq!(probe_serial("066BFF31"), Some("066BFF31"));
        assert_eq!(probe_serial("0483:374b:066BFF31"), Some("066BFF31"));
        assert_eq!(probe_serial("0483:374b-2:066BFF31"), Some("066BFF31"));
        assert_eq!(probe_serial("DC:DA:0C:D3:FE:D8"), Some("DC:DA:0C:D3:FE:D8"));
        assert_eq!(probe_serial("303a:1001:DC:DA:0C:D3:FE:D8"), Some("DC:DA:0C:D3:FE:D8"));
        assert_eq!(probe_serial("20b7:9db1:unix:/bench/a.probe"), None);
        assert_eq!(probe_serial("20b7:9db1:tcp:127.0.0.1:4000"), None);
        assert_eq!(probe_serial("0483:374b"), None);
        assert_eq!(canonical("0483:374B"), canonical("0483:374b:"));
        assert_eq!(canonical("20B7:9DB1:unix:/bench/A.probe"), "20b7:9db1:unix:/bench/A.probe");
    }

    #[test]
    fn a_board_is_one_whether_it_is_named_by_its_probe_or_by_the_port_of_that() {
        let folder = tempfile::tempdir().unwrap();
        let own = "chip = \"STM32L4R5ZITx\"\nfirmware = \"own\"\nlink = \"serial\"";
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("probe.toml", "kind = \"nucleo-l4r5zi\"\nprobe = \"0483:374b:066BFF31\"\n");
        put("port.toml", &format!("{own}\nserial = {{ usb = \"0483:374b:066BFF31\", interface = 2 }}\n"));
        put("adapter.toml", &format!("{own}\nserial = {{ usb = \"0403:6011:066BFF31\", interface = 1 }}\n"));
        put("nameless.toml", &format!("{own}\nserial = {{ usb = \"0483:374b:\" }}\n"));
        let definitions = Definitions::load(&[folder.path().to_owned()]).unwrap();
        let of = |name: &str| identity(definitions.board(name).unwrap(), Path::new("/bench"));
        assert_eq!((of("probe").as_str(), of("port").as_str()), ("066BFF31", "066BFF31"));
        // An adapter is none of the board's: each of its ports may lead to another.
        assert_eq!(of("adapter"), "0403:6011-1:066BFF31");
        assert_eq!(of("nameless"), "0483:374b:");
    }
}
