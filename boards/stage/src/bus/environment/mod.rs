//! What keeps a user from using what is attached: permissions, missing drivers, other programs; each with the mend. Read
//! from `/sys`, `/proc`, `/dev` and `/etc/group`.
//!
//! | file | what lives there |
//! |---|---|
//! | `usb` | devices on USB: which are probes, which lack a driver |
//! | `ports` | serial ports: who may open them, who has them open |
//! | `mends` | what to do, in words and commands |

mod mends;
mod ports;
#[cfg(test)]
mod tests;
mod usb;

pub(crate) use ports::{holder, mend_for_port};
pub(crate) use usb::is_probe;

use probe_rs::probe::DebugProbeSelector;
use rustix::fs::Access;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Whether this machine shows a USB bus at all.
    pub usb: bool,
    /// The debug probes on it, in the order of their places.
    pub probes: Vec<SeenProbe>,
    /// The serial ports on it, in the order of their names.
    pub ports: Vec<SeenPort>,
    /// What keeps this user from using them.
    pub problems: Vec<Problem>,
}

/// A debug probe, as USB shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenProbe {
    /// What it calls itself.
    pub name: String,
    /// USB vendor number.
    pub vendor: u16,
    /// USB product number.
    pub product: u16,
    /// Its serial number, if it has one.
    pub serial: Option<String>,
    /// Its USB path: `1-4.2`.
    pub place: String,
    /// Whether this user may open it.
    pub may_open: bool,
}

/// A serial port on USB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenPort {
    /// What it is called now.
    pub path: PathBuf,
    /// USB vendor and product number of the device it belongs to.
    pub numbers: Option<(u16, u16)>,
    /// Whether this user may open it.
    pub may_open: bool,
    /// Who has it open now, as far as this user may see that.
    pub held_by: Vec<Process>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program.
    pub name: String,
}

/// Something that keeps this user from using what is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Of what kind it is.
    pub kind: ProblemKind,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// There is no USB: no physical probe can be there. Simulated boards need none.
    NoUsb,
    /// A probe is there and this user may not open it.
    ProbeDenied,
    /// A probe is on USB, but has no file to open it by: so it is in containers.
    ProbeHidden,
    /// A serial port is there and this user may not open it.
    PortDenied,
    /// Another program has a serial port open.
    PortHeld,
    /// A serial port is there and no kernel driver makes a device of it.
    NoDriver,
}

/// What this process finds on this machine. `root` is `/`, except in tests.
///
/// Blocks for some milliseconds.
pub fn environment(root: &Path) -> Environment {
    look(root, may_open)
}

/// What keeps this user from opening the probe that `selector` means, if something does. `root` as above. Some probes can
/// be opened all the same, by another file (hidraw): so this tells why one could not be, and not whether one can.
///
/// Blocks for some milliseconds.
pub(crate) fn denied(root: &Path, selector: &DebugProbeSelector) -> Option<Problem> {
    let devices = usb::devices(root);
    let device = devices.iter().find(|device| device.is(selector))?;
    denial(root, device, has_plugdev(root), may_open)
}

/// Whether this user may open a file.
fn may_open(path: &Path) -> bool {
    rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK).is_ok()
}

/// What keeps a user from opening a probe.
fn denial(root: &Path, device: &usb::Device, plugdev: bool, may_open: fn(&Path) -> bool) -> Option<Problem> {
    let node = device.node(root);
    match (may_open(&node), node.exists()) {
        (true, _) => None,
        (false, true) => Some(mends::probe_denied(device, plugdev)),
        (false, false) => Some(mends::probe_hidden(device)),
    }
}

fn has_plugdev(root: &Path) -> bool {
    all_groups(root).iter().any(|(name, _)| name == "plugdev")
}

fn look(root: &Path, may_open: fn(&Path) -> bool) -> Environment {
    let mut problems = Vec::new();
    let usb = root.join("sys/bus/usb/devices").is_dir();
    if !usb {
        problems.push(mends::no_usb(is_container(root)));
    }
    let devices = usb::devices(root);
    let plugdev = has_plugdev(root);
    let mut probes = Vec::new();
    for device in &devices {
        if device.is_probe() {
            let denial = denial(root, device, plugdev, may_open);
            probes.push(device.seen(denial.is_none()));
            problems.extend(denial);
        }
        problems.extend(device.missing_drivers().into_iter().map(|driver| mends::no_driver(device, driver)));
    }
    let ports = ports::ports(root, may_open);
    for port in &ports {
        if !port.may_open {
            let what = format!("the serial port {} may not be opened by this user", port.path.display());
            problems.push(Problem { kind: ProblemKind::PortDenied, what, mend: mend_for_port(root, &port.path) });
        }
        problems.extend(port.held_by.iter().map(|process| mends::port_held(port, process)));
    }
    Environment { usb, probes, ports, problems }
}

fn is_container(root: &Path) -> bool {
    [".dockerenv", "run/.containerenv"].iter().any(|sign| root.join(sign).exists())
}

/// Every group of this machine and its number.
fn all_groups(root: &Path) -> Vec<(String, u32)> {
    let text = fs::read_to_string(root.join("etc/group")).unwrap_or_default();
    let group = |line: &str| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(group).collect()
}
