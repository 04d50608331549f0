//! Probes on USB, as probe-rs lists them, with their places.

use super::{Attached, same_serial};
use nusb::MaybeFuture as _;
use probe_rs::probe::{DebugProbeInfo, DebugProbeSelector, list::Lister};
use std::{collections::HashMap, path::Path};

/// Where Linux shows what is on USB.
const DEVICES: &str = "/sys/bus/usb/devices";

/// Whether there is any USB: a machine or container without one is no error, and probe-rs would warn of each driver.
pub(super) fn is_there() -> bool {
    Path::new(DEVICES).is_dir()
}

/// A device on USB.
#[derive(Debug, Clone)]
struct Device {
    vendor: u16,
    product: u16,
    serial: Option<String>,
    place: String,
}

/// The probes, in the order of their places.
pub(super) fn attached() -> Vec<Attached> {
    if !is_there() {
        return Vec::new();
    }
    let devices = match nusb::list_devices().wait() {
        Ok(devices) => devices.map(|device| Device {
            vendor: device.vendor_id(),
            product: device.product_id(),
            serial: device.serial_number().map(str::to_owned),
            place: device.sysfs_path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }),
        Err(error) => {
            tracing::debug!("cannot list the devices on USB: {error}");
            return Vec::new();
        }
    };
    let devices = devices.collect::<Vec<_>>();
    let mut attached = named(&Lister::new().list_all(), &devices);
    for probe in &mut attached {
        let device = devices.iter().find(|device| device.place == probe.place);
        probe.uart = device.and_then(|device| {
            crate::serial::ports_of(device.vendor, device.product, device.serial.as_deref()).into_iter().next()
        });
    }
    attached
}

/// The probes with their places. Two that probe-rs cannot tell apart have two places all the same.
fn named(probes: &[DebugProbeInfo], devices: &[Device]) -> Vec<Attached> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut attached: Vec<Attached> = probes
        .iter()
        .map(|probe| {
            let mut selector = DebugProbeSelector::from(probe);
            // With an empty number, probe-rs takes none that has one.
            let serial = selector.serial_number.get_or_insert_default().clone();
            let selector = selector.to_string();
            let nth = seen.entry(selector.clone()).or_default();
            let mut same = devices.iter().filter(|device| {
                (device.vendor, device.product) == (probe.vendor_id, probe.product_id)
                    && same_serial(device.serial.as_deref().unwrap_or_default(), &serial)
            });
            let place = same.nth(*nth).map_or_else(|| "USB".to_owned(), |device| device.place.clone());
            *nth += 1;
            Attached {
                serial: probe.serial_number.clone(),
                selector,
                name: probe.identifier.clone(),
                place,
                simulated: false,
                uart: None,
            }
        })
        .collect();
    attached.sort_by(|one, other| one.place.cmp(&other.place));
    attached
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe_rs::probe::stlink::StLinkFactory;

    fn probe(product: u16, serial: Option<&str>) -> DebugProbeInfo {
        let serial = serial.map(str::to_owned);
        DebugProbeInfo::new("STLink", 0x0483, product, serial, &StLinkFactory, None, false)
    }

    fn device(product: u16, serial: Option<&str>, place: &str) -> Device {
        Device { vendor: 0x0483, product, serial: serial.map(str::to_owned), place: place.to_owned() }
    }

    #[test]
    fn each_probe_has_its_place_even_twins_and_those_with_odd_numbers() {
        let devices = [
            device(0x374b, Some("066B"), "1-2"),
            device(0x374b, Some("066B"), "1-1"),
            device(0x3748, Some("5\u{ff}q"), "2-1"),
            device(0x3748, None, "2-2"),
            device(0x5740, None, "3-1"),
        ];
        // An odd number is listed in its hexadecimal form.
        let probes = [
            probe(0x374b, Some("066B")),
            probe(0x374b, Some("066B")),
            probe(0x3748, Some("35C3BF71")),
            probe(0x3748, None),
            probe(0x3748, Some("unheard of")),
        ];
        let named: Vec<_> =
            named(&probes, &devices).into_iter().map(|probe| format!("{} {}", probe.place, probe.selector)).collect();
        assert_eq!(
            named,
            [
                "1-1 0483:374b:066B",
                "1-2 0483:374b:066B",
                "2-1 0483:3748:35C3BF71",
                "2-2 0483:3748:",
                "USB 0483:3748:unheard of"
            ]
        );
    }
}
