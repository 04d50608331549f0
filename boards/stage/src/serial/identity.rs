//! What a serial port is named by. Names like `/dev/ttyACM0` go to whichever port comes first after the next reset, so
//! that one cannot name a board.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where udev keeps names that stay.
const BY_ID: &str = "/dev/serial/by-id";

/// What a serial port is named by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The USB device that it belongs to.
    Usb {
        /// Who made the device.
        vendor: u16,
        /// What it is.
        product: u16,
        /// Its serial number; empty for a device that has none.
        serial: String,
        /// Which of its interfaces, if it has several serial ports.
        interface: Option<u8>,
    },
    /// A name that stays: `/dev/serial/by-id/…`, an own udev link, a port on the main board.
    Path(PathBuf),
}

/// What cannot name a serial port.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The name goes to another port after the next reset.
    #[error("{path} is not the same port after a reset or another boot: {mend}", path = path.display())]
    Unstable {
        /// The name.
        path: PathBuf,
        /// What names it instead.
        mend: String,
    },
    /// Neither form.
    #[error(
        "\"{0}\" names no serial port: write its USB numbers as \"vid:pid:serial\" (hexadecimal numbers, \"vid:pid:\" for a device without a serial number), \"vid:pid-interface:serial\" for one of several ports of a device, or the path of a name that stays, like /dev/serial/by-id/…"
    )]
    Malformed(String),
    /// The interface is told twice, and differently.
    #[error("\"{usb}\" names another interface than `interface = {interface}`: leave one of them away")]
    TwoInterfaces {
        /// The USB numbers.
        usb: String,
        /// The other interface.
        interface: u8,
    },
}

impl Identity {
    /// The serial port of a USB device: `vid:pid:serial` or `vid:pid-interface:serial`, as probe-rs writes it, and the
    /// interface if it is told apart.
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn usb(usb: &str, interface: Option<u8>) -> Result<Self, IdentityError> {
        let malformed = || IdentityError::Malformed(usb.to_owned());
        // At most three parts: there are serial numbers with colons.
        let mut parts = usb.trim().splitn(3, ':');
        let (Some(vendor), Some(product), Some(serial)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let (product, own) = match product.split_once('-') {
            Some((product, own)) => (product, Some(own.parse().map_err(|_| malformed())?)),
            None => (product, None),
        };
        if let (Some(own), Some(interface)) = (own, interface)
            && own != interface
        {
            return Err(IdentityError::TwoInterfaces { usb: usb.to_owned(), interface });
        }
        let vendor = hex(vendor).ok_or_else(malformed)?;
        let product = hex(product).ok_or_else(malformed)?;
        Ok(Self::Usb { vendor, product, serial: serial.to_owned(), interface: own.or(interface) })
    }

    /// A name that stays. It need not be there now.
    ///
    /// # Errors
    /// [`IdentityError::Unstable`], with the name that stays if this port is attached now.
    pub fn path(path: impl Into<PathBuf>) -> Result<Self, IdentityError> {
        let path = path.into();
        let name = path.strip_prefix("/dev").ok().and_then(Path::to_str).unwrap_or_default();
        if path.as_os_str().is_empty() {
            return Err(IdentityError::Malformed(String::new()));
        }
        if name.starts_with("ttyACM") || name.starts_with("ttyUSB") {
            let mend = mend(&path);
            return Err(IdentityError::Unstable { path, mend });
        }
        Ok(Self::Path(path))
    }
}

/// Four or fewer hexadecimal digits, and nothing else.
fn hex(digits: &str) -> Option<u16> {
    let digits_only = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits_only.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

/// The link of `/dev/serial/by-id` to the port that is now called `path`.
pub(super) fn stable(path: &Path) -> Option<PathBuf> {
    link_to(path, Path::new(BY_ID))
}

fn link_to(path: &Path, by_id: &Path) -> Option<PathBuf> {
    let mut links: Vec<_> = fs::read_dir(by_id).ok()?.flatten().map(|entry| entry.path()).collect();
    links.sort();
    links.into_iter().find(|link| fs::canonicalize(link).is_ok_and(|target| target == path))
}

/// What names the port `path` instead.
fn mend(path: &Path) -> String {
    if let Some(stable) = stable(path) {
        return format!("write path = \"{}\" instead", stable.display());
    }
    match super::ports::identity_of(path) {
        Some(identity) => format!("write usb = \"{identity}\" instead"),
        None => format!(
            "name it by its link in {BY_ID} (see `ls -l {BY_ID}` while it is attached), or by usb = \"vid:pid:serial\""
        ),
    }
}

/// `0483:374b-2:066BFF…`, or the path.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usb { vendor, product, serial, interface: Some(interface) } => {
                write!(f, "{vendor:04x}:{product:04x}-{interface}:{serial}")
            }
            Self::Usb { vendor, product, serial, interface: None } => write!(f, "{vendor:04x}:{product:04x}:{serial}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Either form of [`Identity`]'s own text: what has a slash before any colon is a path.
impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.starts_with('/') { Self::path(text) } else { Self::usb(text, None) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usb_numbers() {
        let identity = Identity::usb("0483:374B:066BFF31", Some(2)).unwrap();
        assert_eq!(identity.to_string(), "0483:374b-2:066BFF31");
        assert_eq!(Identity::usb("0483:374b-2:066BFF31", None), Ok(identity.clone()));
        assert_eq!(Identity::usb("0483:374b-2:066BFF31", Some(2)), Ok(identity));
        assert_eq!(Identity::usb("303a:1001:DC:DA:0C:D3", None).unwrap().to_string(), "303a:1001:DC:DA:0C:D3");
        assert_eq!(Identity::usb("1a86:7523:", None).unwrap().to_string(), "1a86:7523:");
    }

    #[test]
    fn what_names_no_port_is_refused_with_the_mend() {
        for wrong in ["", "0483", "0483:374b", "+483:374b:1", "0483:374bb:1", "0483:374b-:1", "0483:374b-300:1", ":::"]
        {
            assert_eq!(Identity::usb(wrong, None), Err(IdentityError::Malformed(wrong.to_owned())), "{wrong}");
        }
        insta::assert_snapshot!(Identity::usb("ttyACM0", None).unwrap_err(), @r#""ttyACM0" names no serial port: write its USB numbers as "vid:pid:serial" (hexadecimal numbers, "vid:pid:" for a device without a serial number), "vid:pid-interface:serial" for one of several ports of a device, or the path of a name that stays, like /dev/serial/by-id/…"#);
        insta::assert_snapshot!(Identity::usb("1:2-1:3", Some(2)).unwrap_err(), @r#""1:2-1:3" names another interface than `interface = 2`: leave one of them away"#);
    }

    #[test]
    fn a_name_that_does_not_stay_is_refused_with_the_one_that_does() {
        let folder = tempfile::tempdir().unwrap();
        let port = fs::canonicalize(folder.path()).unwrap().join("ttyACM3");
        fs::write(&port, "").unwrap();
        let by_id = folder.path().join("by-id");
        fs::create_dir(&by_id).unwrap();
        let link = by_id.join("usb-STMicroelectronics_STM32_STLink_066BFF31-if02");
        std::os::unix::fs::symlink("../ttyACM3", &link).unwrap();
        assert_eq!(link_to(&port, &by_id), Some(link));
        insta::assert_snapshot!(Identity::path("/dev/ttyUSB77").unwrap_err(), @r#"/dev/ttyUSB77 is not the same port after a reset or another boot: name it by its link in /dev/serial/by-id (see `ls -l /dev/serial/by-id` while it is attached), or by usb = "vid:pid:serial""#);
        assert!(Identity::path("/dev/ttyAMA0").is_ok() && Identity::path("/dev/serial/by-id/x").is_ok());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(
            vendor: u16, product: u16, serial in "[!-~]{0,30}", interface in prop::option::of(any::<u8>())
        ) {
            let identity = Identity::Usb { vendor, product, serial, interface };
            prop_assert_eq!(identity.to_string().parse::<Identity>(), Ok(identity));
        }

        #[test]
        fn any_text_is_an_identity_that_is_shown_and_read_back_or_an_error(text in any::<String>()) {
            if let Ok(identity) = text.parse::<Identity>() {
                prop_assert_eq!(identity.to_string().parse::<Identity>(), Ok(identity));
            }
        }
    }
}
