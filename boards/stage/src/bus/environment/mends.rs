//! What to do about each problem, in words and commands.

use super::{Problem, ProblemKind, Process, SeenPort, usb::Device};
use std::path::Path;

/// Before udev's own rules that hand devices to who sits at the machine (73-seat-late).
const RULES: &str = "/etc/udev/rules.d/69-tinyfarm.rules";

pub(super) fn no_usb(is_container: bool) -> Problem {
    let mend = if is_container {
        "start this container with `--privileged -v /dev:/dev -v /sys:/sys`, or run on the machine itself; simulated boards need no USB"
    } else {
        "load the USB drivers of this machine, or hand its devices on to this virtual machine; simulated boards need no USB"
    };
    Problem {
        kind: ProblemKind::NoUsb,
        what: "this machine shows no USB (/sys/bus/usb is missing)".to_owned(),
        mend: mend.to_owned(),
    }
}

/// The commands that make `rule` one of udev's.
fn add(rule: &str) -> String {
    format!("echo '{rule}' | sudo tee -a {RULES} && sudo udevadm control --reload && sudo udevadm trigger")
}

/// What makes a rule be about one kind of device, or about every one on USB.
fn about(numbers: Option<(u16, u16)>) -> String {
    match numbers {
        Some((vendor, product)) => {
            format!("ATTRS{{idVendor}}==\"{vendor:04x}\", ATTRS{{idProduct}}==\"{product:04x}\"")
        }
        None => "SUBSYSTEMS==\"usb\"".to_owned(),
    }
}

fn named(device: &Device) -> String {
    format!("{} ({:04x}:{:04x} at USB {})", device.name(), device.vendor, device.product, device.place)
}

/// `plugdev`: whether there is such a group. A rule that names one which is not there is not obeyed at all.
pub(super) fn probe_denied(device: &Device, plugdev: bool) -> Problem {
    // Some are opened by their hidraw file, and most have a serial port as well.
    let of_it = format!("SUBSYSTEM==\"usb|tty|hidraw\", {}", about(Some((device.vendor, device.product))));
    let mend = if plugdev {
        let rule = format!("{of_it}, MODE=\"0660\", GROUP=\"plugdev\", TAG+=\"uaccess\"");
        format!(
            "{}; who does not sit at this machine (ssh, CI) must be in the group plugdev as well: `sudo usermod -aG \
             plugdev $USER`, then log out and in again",
            add(&rule)
        )
    } else {
        let rule = format!("{of_it}, TAG+=\"uaccess\"");
        format!(
            "{}; for who does not sit at this machine (ssh, CI) add MODE=\"0660\", GROUP=\"…\" with a group that they are in",
            add(&rule)
        )
    };
    Problem {
        kind: ProblemKind::ProbeDenied,
        what: format!("the probe {} may not be opened by this user", named(device)),
        mend,
    }
}

pub(super) fn probe_hidden(device: &Device) -> Problem {
    Problem {
        kind: ProblemKind::ProbeHidden,
        what: format!("the probe {} is on USB, but has no file below /dev/bus/usb", named(device)),
        mend: "start this container with `-v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule='c 189:* rmw'`".to_owned(),
    }
}

pub(super) fn no_driver(device: &Device, driver: &str) -> Problem {
    Problem {
        kind: ProblemKind::NoDriver,
        what: format!("{} has a serial port, and the kernel driver {driver} for it is not there", named(device)),
        mend: format!(
            "`sudo modprobe {driver}` on the machine itself; if there is no such module: `sudo apt install \
             linux-modules-extra-$(uname -r)`, or whatever has it on this system"
        ),
    }
}

/// `group`: those who may open it, if there is one that somebody can join.
pub(super) fn port_denied(port: &Path, numbers: Option<(u16, u16)>, group: Option<&str>) -> String {
    match group {
        Some(group) => format!("join the group {group}: `sudo usermod -aG {group} $USER`, then log out and in again"),
        None => format!(
            "{}; in a container, start it with `--device {}`",
            add(&format!("SUBSYSTEM==\"tty\", {}, TAG+=\"uaccess\"", about(numbers))),
            port.display()
        ),
    }
}

pub(super) fn port_held(port: &SeenPort, process: &Process) -> Problem {
    let mend = match process.name.as_str() {
        "ModemManager" => format!(
            "it takes the board for a modem: {}, or `sudo systemctl disable --now ModemManager`",
            add(&format!("{}, ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"", about(port.numbers)))
        ),
        _ => "wait until it is done, or end it".to_owned(),
    };
    Problem {
        kind: ProblemKind::PortHeld,
        what: format!("the serial port {} is held by {} (process {})", port.path.display(), process.name, process.pid),
        mend,
    }
}
