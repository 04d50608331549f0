//! Devices on USB, as Linux shows them: which are debug probes, and which lack a driver.

use super::SeenProbe;
use crate::bus::same_serial;
use probe_rs::probe::DebugProbeSelector;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Probes that do not say "CMSIS-DAP" of themselves, and two that do and are on many boards: vendor, products (none: all).
/// Sources: the drivers of probe-rs 0.32; DAPLink; Raspberry Pi's debugprobe.
/// FTDI's own numbers are left out: most of what bears them is a plain serial adapter.
const PROBES: [(u16, &[u16]); 8] = [
    // ST-Link
    (0x0483, &[0x3742, 0x3748, 0x374a, 0x374b, 0x374e, 0x374f, 0x3752, 0x3753, 0x3754, 0x3757]),
    // J-Link
    (0x1366, &[]),
    // Olimex ARM-USB
    (0x15ba, &[0x0003, 0x0004, 0x002a, 0x002b]),
    // WCH-Link, CH347
    (0x1a86, &[0x8010, 0x8012, 0x55dd, 0x55de, 0x55e8]),
    // Black Magic Probe
    (0x1d50, &[0x6018]),
    // DAPLink
    (0x0d28, &[0x0204]),
    // Raspberry Pi's debugprobe
    (0x2e8a, &[0x000c]),
    // Glasgow
    (0x20b7, &[0x9db1]),
];

/// Chips that make a serial port, by the driver they need: vendor, products (none: all).
const DRIVERS: [(u16, &[u16], &str); 4] = [
    (0x0403, &[], "ftdi_sio"),
    (0x10c4, &[0xea60, 0xea70, 0xea71], "cp210x"),
    (0x1a86, &[0x5523, 0x7522, 0x7523], "ch341"),
    (0x067b, &[0x2303, 0x23a3], "pl2303"),
];

/// Class and subclass of an interface that cdc_acm makes a serial port of.
const CDC_ACM: (u8, u8) = (0x02, 0x02);
/// The class of interfaces that only a driver for this very device understands.
const VENDOR_CLASS: u8 = 0xff;

/// A device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) vendor: u16,
    pub(super) product: u16,
    pub(super) place: String,
    name: Option<String>,
    serial: Option<String>,
    bus: u16,
    address: u16,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    class: u8,
    subclass: u8,
    name: Option<String>,
    has_driver: bool,
}

/// All devices, in the order of their places; hubs of the machine itself are none.
pub(super) fn devices(root: &Path) -> Vec<Device> {
    let Ok(entries) = fs::read_dir(root.join("sys/bus/usb/devices")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let devices = paths.iter().filter(|path| !name(path).contains(':') && !name(path).starts_with("usb"));
    let device = |path: &PathBuf| {
        let place = name(path);
        let of_it = format!("{place}:");
        Some(Device {
            vendor: hex(path, "idVendor")?,
            product: hex(path, "idProduct")?,
            name: text(path, "product"),
            serial: text(path, "serial"),
            bus: text(path, "busnum")?.parse().ok()?,
            address: text(path, "devnum")?.parse().ok()?,
            interfaces: paths
                .iter()
                .filter(|path| name(path).starts_with(&of_it))
                .filter_map(|path| interface(path))
                .collect(),
            place,
        })
    };
    devices.filter_map(device).collect()
}

fn interface(path: &Path) -> Option<Interface> {
    Some(Interface {
        class: hex(path, "bInterfaceClass")?.try_into().ok()?,
        subclass: hex(path, "bInterfaceSubClass")?.try_into().ok()?,
        name: text(path, "interface"),
        has_driver: path.join("driver").exists(),
    })
}

fn text(folder: &Path, attribute: &str) -> Option<String> {
    fs::read_to_string(folder.join(attribute)).ok().map(|text| text.trim().to_owned())
}

pub(super) fn hex(folder: &Path, attribute: &str) -> Option<u16> {
    u16::from_str_radix(&text(folder, attribute)?, 16).ok()
}

fn is_one_of(products: &[u16], product: u16) -> bool {
    products.is_empty() || products.contains(&product)
}

/// Whether a device with these numbers is a debug probe for sure.
pub(crate) fn is_probe(vendor: u16, product: u16) -> bool {
    PROBES.iter().any(|&(of, products)| of == vendor && is_one_of(products, product))
}

impl Device {
    /// Whether it is a debug probe, or may be one.
    pub(super) fn is_probe(&self) -> bool {
        let names = self.interfaces.iter().filter_map(|interface| interface.name.as_ref()).chain(&self.name);
        is_probe(self.vendor, self.product) || names.into_iter().any(|name| name.contains("CMSIS-DAP"))
    }

    /// Whether `selector` means it.
    pub(super) fn is(&self, selector: &DebugProbeSelector) -> bool {
        let serial = self.serial.as_deref().unwrap_or_default();
        (self.vendor, self.product) == (selector.vendor_id, selector.product_id)
            && selector.serial_number.as_deref().is_none_or(|wanted| same_serial(serial, wanted))
    }

    /// Drivers that would make serial ports of it and have not.
    pub(super) fn missing_drivers(&self) -> Vec<&'static str> {
        let without = || self.interfaces.iter().filter(|interface| !interface.has_driver);
        let mut missing = Vec::new();
        if without().any(|interface| (interface.class, interface.subclass) == CDC_ACM) {
            missing.push("cdc_acm");
        }
        if without().any(|interface| interface.class == VENDOR_CLASS) {
            let own = |&&(vendor, products, _): &&(u16, &[u16], &str)| {
                vendor == self.vendor && is_one_of(products, self.product)
            };
            missing.extend(DRIVERS.iter().find(own).map(|&(_, _, driver)| driver));
        }
        missing
    }

    /// The file to open it by.
    pub(super) fn node(&self, root: &Path) -> PathBuf {
        root.join(format!("dev/bus/usb/{:03}/{:03}", self.bus, self.address))
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("USB device")
    }

    pub(super) fn seen(&self, may_open: bool) -> SeenProbe {
        SeenProbe {
            name: self.name().to_owned(),
            vendor: self.vendor,
            product: self.product,
            serial: self.serial.clone(),
            place: self.place.clone(),
            may_open,
        }
    }
}
