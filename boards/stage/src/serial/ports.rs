//! The serial port that an identity means now.

use super::{Identity, SerialError};
use crate::bus::same_serial;
use serialport::{SerialPortInfo, SerialPortType, UsbPortInfo};
use std::{
    fs, io,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

/// The device that `identity` means at this moment; after the next reset it may be another.
///
/// # Errors
/// [`SerialError`]: it is not there, or there are several; both list what is.
pub fn resolve(identity: &Identity) -> Result<PathBuf, SerialError> {
    match identity {
        Identity::Path(path) => at(identity, path),
        Identity::Usb { .. } => choose(identity, &attached()),
    }
}

fn at(identity: &Identity, path: &Path) -> Result<PathBuf, SerialError> {
    let missing = |there: String| SerialError::NotThere { identity: identity.clone(), there };
    let port = fs::canonicalize(path).map_err(|error| match fs::read_link(path) {
        Ok(target) => missing(format!("it is a link to {}, which is gone", target.display())),
        Err(_) if error.kind() == io::ErrorKind::NotFound => missing("nothing has this name".to_owned()),
        Err(_) => missing(error.to_string()),
    })?;
    match fs::metadata(&port) {
        Ok(metadata) if metadata.file_type().is_char_device() => Ok(port),
        Ok(_) => Err(missing(format!("{} is no device", port.display()))),
        Err(error) => Err(missing(error.to_string())),
    }
}

/// The serial ports on USB, in the order of their names.
fn attached() -> Vec<(PathBuf, UsbPortInfo)> {
    // serialport panics where there is no sysfs.
    if !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    usb_ports(serialport::available_ports().unwrap_or_default())
}

fn usb_ports(all: Vec<SerialPortInfo>) -> Vec<(PathBuf, UsbPortInfo)> {
    let mut ports: Vec<_> = all
        .into_iter()
        .filter_map(|port| match port.port_type {
            SerialPortType::UsbPort(usb) => Some((PathBuf::from(port.port_name), usb)),
            _ => None,
        })
        .collect();
    ports.sort_by(|(one, _), (other, _)| one.cmp(other));
    ports
}

fn choose(identity: &Identity, ports: &[(PathBuf, UsbPortInfo)]) -> Result<PathBuf, SerialError> {
    let meant: Vec<_> = ports.iter().filter(|(_, usb)| means(identity, usb)).collect();
    let list = |ports: &mut dyn Iterator<Item = &(PathBuf, UsbPortInfo)>| {
        ports.map(|(path, usb)| format!("{} ({})", of(usb), path.display())).collect::<Vec<_>>().join(", ")
    };
    match meant.as_slice() {
        [(path, _)] => Ok(path.clone()),
        [] => {
            let there = match list(&mut ports.iter()) {
                list if list.is_empty() => "no serial port is attached to USB".to_owned(),
                list => format!("attached: {list}"),
            };
            Err(SerialError::NotThere { identity: identity.clone(), there })
        }
        [(_, one), (_, other), ..] => {
            let mend = if one.interface == other.interface {
                "they cannot be told apart by their numbers: name the socket by path = \"/dev/serial/by-path/…\""
            } else {
                "add interface = … to `serial`"
            };
            let these = list(&mut meant.iter().copied());
            Err(SerialError::Ambiguous { identity: identity.clone(), these, mend })
        }
    }
}

fn means(identity: &Identity, usb: &UsbPortInfo) -> bool {
    let Identity::Usb { vendor, product, serial, interface } = identity else { return false };
    (usb.vid, usb.pid) == (*vendor, *product)
        && same_serial(usb.serial_number.as_deref().unwrap_or_default(), serial)
        && interface.is_none_or(|interface| usb.interface == Some(interface))
}

fn of(usb: &UsbPortInfo) -> Identity {
    Identity::Usb {
        vendor: usb.vid,
        product: usb.pid,
        serial: usb.serial_number.clone().unwrap_or_default(),
        interface: usb.interface,
    }
}

/// What names the port that is now called `path`, if it is on USB.
pub(super) fn identity_of(path: &Path) -> Option<Identity> {
    attached().into_iter().find(|(port, _)| port == path).map(|(_, usb)| of(&usb))
}

/// The serial ports of a USB device, each under its most stable name.
pub(crate) fn ports_of(vendor: u16, product: u16, serial: Option<&str>) -> Vec<PathBuf> {
    let serial = serial.unwrap_or_default().to_owned();
    let device = Identity::Usb { vendor, product, serial, interface: None };
    let ports = attached().into_iter().filter(|(_, usb)| means(&device, usb));
    ports.map(|(path, _)| super::identity::stable(&path).unwrap_or(path)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn port(name: &str, serial: Option<&str>, interface: u8) -> SerialPortInfo {
        let usb = UsbPortInfo {
            vid: 0x0483,
            pid: 0x374b,
            serial_number: serial.map(str::to_owned),
            manufacturer: None,
            product: None,
            interface: Some(interface),
        };
        SerialPortInfo { port_name: name.to_owned(), port_type: SerialPortType::UsbPort(usb) }
    }

    fn choice(identity: &str) -> String {
        let ports = usb_ports(vec![
            port("/dev/ttyACM2", Some("B"), 4),
            port("/dev/ttyACM0", Some("A"), 2),
            port("/dev/ttyACM1", Some("B"), 2),
            port("/dev/ttyUSB1", None, 0),
            port("/dev/ttyUSB0", None, 0),
            SerialPortInfo { port_name: "/dev/ttyS0".to_owned(), port_type: SerialPortType::Unknown },
        ]);
        let chosen = choose(&identity.parse().unwrap(), &ports);
        chosen.map_or_else(|error| error.to_string(), |path| path.display().to_string())
    }

    #[test]
    fn a_port_is_found_by_its_numbers_whatever_it_is_called() {
        assert_eq!(choice("0483:374b:A"), "/dev/ttyACM0");
        assert_eq!(choice("0483:374b-4:B"), "/dev/ttyACM2");
        // The odd numbers of old ST-Links, as probe-rs writes them.
        assert_eq!(choice("0483:374b:41"), "/dev/ttyACM0");
    }

    #[test]
    fn none_and_several_are_told_with_what_is_there() {
        insta::assert_snapshot!(choice("0483:374b:C"), @"the serial port 0483:374b:C is not there; attached: 0483:374b-2:A (/dev/ttyACM0), 0483:374b-2:B (/dev/ttyACM1), 0483:374b-4:B (/dev/ttyACM2), 0483:374b-0: (/dev/ttyUSB0), 0483:374b-0: (/dev/ttyUSB1): plug it in, or correct `serial` in the board's definition");
        insta::assert_snapshot!(choice("0483:374b:B"), @"the serial port 0483:374b:B may be any of these: 0483:374b-2:B (/dev/ttyACM1), 0483:374b-4:B (/dev/ttyACM2); add interface = … to `serial`");
        insta::assert_snapshot!(choice("0483:374b:"), @r#"the serial port 0483:374b: may be any of these: 0483:374b-0: (/dev/ttyUSB0), 0483:374b-0: (/dev/ttyUSB1); they cannot be told apart by their numbers: name the socket by path = "/dev/serial/by-path/…""#);
        let none = choose(&"0483:374b:A".parse().unwrap(), &[]).unwrap_err();
        assert!(none.to_string().contains("no serial port is attached to USB"), "{none}");
    }

    #[test]
    fn a_path_must_lead_to_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("place.uart");
        let at = |path: &Path| resolve(&Identity::path(path).unwrap());
        assert!(at(&link).unwrap_err().to_string().contains("is not there; nothing has this name"));
        std::os::unix::fs::symlink("/dev/pts/no-such", &link).unwrap();
        assert!(at(&link).unwrap_err().to_string().contains("a link to /dev/pts/no-such, which is gone"));
        assert!(at(folder.path()).unwrap_err().to_string().contains("is no device"));
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert_eq!(at(&link).unwrap(), Path::new("/dev/null"));
    }
}
