//! Serial ports on USB: who may open them, and who has them open.

use super::{Process, SeenPort, all_groups, mends, usb::hex};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The serial ports on USB, in the order of their names.
pub(super) fn ports(root: &Path, may_open: fn(&Path) -> bool) -> Vec<SeenPort> {
    let Ok(entries) = fs::read_dir(root.join("sys/class/tty")) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("ttyACM") || name.starts_with("ttyUSB")).collect();
    names.sort();
    let port = |name| {
        let path = Path::new("/dev").join(name);
        SeenPort {
            numbers: numbers(root, &path),
            may_open: may_open(&below(root, &path)),
            held_by: holders(root, &path),
            path,
        }
    };
    names.into_iter().map(port).collect()
}

/// Vendor and product of the USB device that the port belongs to.
fn numbers(root: &Path, port: &Path) -> Option<(u16, u16)> {
    let interface = fs::canonicalize(root.join("sys/class/tty").join(port.file_name()?).join("device")).ok()?;
    interface.ancestors().find_map(|folder| Some((hex(folder, "idVendor")?, hex(folder, "idProduct")?)))
}

/// A path of the machine, seen from outside.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The processes that have `device` open, as far as this user may see that.
fn holders(root: &Path, device: &Path) -> Vec<Process> {
    let Ok(processes) = fs::read_dir(root.join("proc")) else { return Vec::new() };
    let mut holders: Vec<_> = processes
        .flatten()
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let files = fs::read_dir(process.path().join("fd")).ok()?;
            let mut targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
            targets.any(|target| target == device).then_some(())?;
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default().trim().to_owned();
            Some(Process { pid, name })
        })
        .collect();
    holders.sort_by_key(|process| process.pid);
    holders
}

/// Who has `device` open, in words.
pub(crate) fn holder(root: &Path, device: &Path) -> String {
    let own = std::process::id();
    let name = |process: &Process| match process.pid {
        pid if pid == own => "this process itself".to_owned(),
        pid => format!("{} (process {pid})", process.name),
    };
    match holders(root, device).as_slice() {
        [] => format!("another program (`sudo fuser -v {}` tells which)", device.display()),
        holders => holders.iter().map(name).collect::<Vec<_>>().join(" and "),
    }
}

/// What to do so that this user may open the serial port `device`.
pub(crate) fn mend_for_port(root: &Path, device: &Path) -> String {
    let metadata = fs::metadata(below(root, device)).ok();
    let group = metadata.filter(|metadata| metadata.mode() & 0o060 == 0o060).and_then(|metadata| {
        let (name, _) = all_groups(root).into_iter().find(|&(_, number)| number == metadata.gid())?;
        (name != "root").then_some(name)
    });
    mends::port_denied(device, numbers(root, device), group.as_deref())
}
