//! Made-up machines.
#![allow(clippy::unwrap_used)]

use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("etc/group", "root:x:0:\ndialout:x:20:ann\nplugdev:x:46:\n");
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A device at place `1-N` with address N, and its interfaces: class, subclass, driver.
    fn device(&self, n: u16, vendor: &str, product: &str, name: &str, interfaces: &[(&str, &str, Option<&str>)]) {
        let folder = format!("sys/bus/usb/devices/1-{n}");
        let number = n.to_string();
        for (attribute, text) in
            [("idVendor", vendor), ("idProduct", product), ("product", name), ("busnum", "1"), ("devnum", &number)]
        {
            self.write(&format!("{folder}/{attribute}"), &format!("{text}\n"));
        }
        for (at, (class, subclass, driver)) in interfaces.iter().enumerate() {
            let folder = format!("{folder}:1.{at}");
            self.write(&format!("{folder}/bInterfaceClass"), class);
            self.write(&format!("{folder}/bInterfaceSubClass"), subclass);
            if let Some(driver) = driver {
                self.write(&format!("sys/bus/usb/drivers/{driver}/bind"), "");
                let driver = self.0.path().join("sys/bus/usb/drivers").join(driver);
                symlink(driver, self.0.path().join(folder).join("driver")).unwrap();
            }
        }
    }

    fn look(&self, may_open: fn(&Path) -> bool) -> Environment {
        look(self.0.path(), may_open)
    }

    fn problems(&self, may_open: fn(&Path) -> bool) -> String {
        let problems = self.look(may_open).problems;
        let lines =
            problems.iter().map(|problem| format!("{:?}: {}\n  {}\n", problem.kind, problem.what, problem.mend));
        lines.collect::<String>()
    }
}

#[test]
fn a_machine_without_usb() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.problems(Path::exists), @r"
    NoUsb: this machine shows no USB (/sys/bus/usb is missing)
      load the USB drivers of this machine, or hand its devices on to this virtual machine; simulated boards need no USB
    ");
    machine.write(".dockerenv", "");
    insta::assert_snapshot!(machine.problems(Path::exists), @r"
    NoUsb: this machine shows no USB (/sys/bus/usb is missing)
      start this container with `--privileged -v /dev:/dev -v /sys:/sys`, or run on the machine itself; simulated boards need no USB
    ");
}

#[test]
fn a_bench_where_all_is_well() {
    let machine = Machine::new();
    machine.device(1, "1d6b", "0002", "xHCI Host Controller", &[("09", "00", Some("hub"))]);
    machine.device(2, "0483", "374b", "STM32 STLink", &[("ff", "ff", None), ("02", "02", Some("cdc_acm"))]);
    machine.write("sys/bus/usb/devices/1-2/serial", "066BFF31\n");
    machine.write("dev/bus/usb/001/002", "");
    machine.write("sys/class/tty/ttyACM0/dev", "");
    machine.write("sys/class/tty/tty0/dev", "");
    machine.write("dev/ttyACM0", "");
    let found = machine.look(Path::exists);
    assert_eq!(found.problems, []);
    let [probe] = found.probes.as_slice() else { panic!("{found:?}") };
    assert_eq!((probe.serial.as_deref(), probe.place.as_str(), probe.may_open), (Some("066BFF31"), "1-2", true));
    let [port] = found.ports.as_slice() else { panic!("{found:?}") };
    assert_eq!((port.path.as_path(), port.may_open), (Path::new("/dev/ttyACM0"), true));
    // This user may open what this test has made.
    let denied = |selector: &str| denied(machine.0.path(), &selector.parse().unwrap()).map(|problem| problem.kind);
    assert_eq!(denied("0483:374b:066BFF31"), None);
    fs::remove_file(machine.0.path().join("dev/bus/usb/001/002")).unwrap();
    assert_eq!(denied("0483:374b:066BFF31"), Some(ProblemKind::ProbeHidden));
    assert_eq!((denied("0483:374b:066BFF32"), denied("1366:0101:1")), (None, None));
}

#[test]
fn a_probe_that_may_not_be_opened_and_one_without_a_file() {
    let machine = Machine::new();
    machine.device(1, "0483", "374b", "STM32 STLink", &[]);
    machine.device(2, "c251", "f001", "Keil CMSIS-DAP", &[]);
    machine.write("dev/bus/usb/001/001", "");
    insta::assert_snapshot!(machine.problems(|_| false), @r#"
    ProbeDenied: the probe STM32 STLink (0483:374b at USB 1-1) may not be opened by this user
      echo 'SUBSYSTEM=="usb|tty|hidraw", ATTRS{idVendor}=="0483", ATTRS{idProduct}=="374b", MODE="0660", GROUP="plugdev", TAG+="uaccess"' | sudo tee -a /etc/udev/rules.d/69-tinyfarm.rules && sudo udevadm control --reload && sudo udevadm trigger; who does not sit at this machine (ssh, CI) must be in the group plugdev as well: `sudo usermod -aG plugdev $USER`, then log out and in again
    ProbeHidden: the probe Keil CMSIS-DAP (c251:f001 at USB 1-2) is on USB, but has no file below /dev/bus/usb
      start this container with `-v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule='c 189:* rmw'`
    "#);
    // A rule that names a group that is not there would not be obeyed.
    machine.write("etc/group", "root:x:0:\n");
    machine.write("dev/bus/usb/001/002", "");
    let mends: Vec<_> = machine.look(|_| false).problems.into_iter().map(|problem| problem.mend).collect();
    assert!(mends.len() == 2 && mends.iter().all(|mend| !mend.contains("plugdev")), "{mends:?}");
}

#[test]
fn serial_ports_without_driver_that_are_denied_or_held() {
    let machine = Machine::new();
    machine.device(1, "2341", "0043", "Arduino Uno", &[("02", "02", None), ("0a", "00", None)]);
    machine.device(2, "0403", "6001", "FT232R", &[("ff", "ff", None)]);
    for name in ["ttyACM0", "ttyUSB0"] {
        machine.write(&format!("sys/class/tty/{name}/dev"), "");
        machine.write(&format!("dev/{name}"), "");
    }
    let device = machine.0.path().join("sys/bus/usb/devices/1-1");
    symlink(device, machine.0.path().join("sys/class/tty/ttyACM0/device")).unwrap();
    for (pid, name, port) in [(11, "ModemManager", "ttyACM0"), (7, "screen", "ttyACM0"), (5, "sh", "tty1")] {
        machine.write(&format!("proc/{pid}/comm"), &format!("{name}\n"));
        fs::create_dir(machine.0.path().join(format!("proc/{pid}/fd"))).unwrap();
        symlink(Path::new("/dev").join(port), machine.0.path().join(format!("proc/{pid}/fd/3"))).unwrap();
    }
    insta::assert_snapshot!(machine.problems(|path| path.ends_with("ttyACM0")), @r#"
    NoDriver: Arduino Uno (2341:0043 at USB 1-1) has a serial port, and the kernel driver cdc_acm for it is not there
      `sudo modprobe cdc_acm` on the machine itself; if there is no such module: `sudo apt install linux-modules-extra-$(uname -r)`, or whatever has it on this system
    NoDriver: FT232R (0403:6001 at USB 1-2) has a serial port, and the kernel driver ftdi_sio for it is not there
      `sudo modprobe ftdi_sio` on the machine itself; if there is no such module: `sudo apt install linux-modules-extra-$(uname -r)`, or whatever has it on this system
    PortHeld: the serial port /dev/ttyACM0 is held by screen (process 7)
      wait until it is done, or end it
    PortHeld: the serial port /dev/ttyACM0 is held by ModemManager (process 11)
      it takes the board for a modem: echo 'ATTRS{idVendor}=="2341", ATTRS{idProduct}=="0043", ENV{ID_MM_DEVICE_IGNORE}="1"' | sudo tee -a /etc/udev/rules.d/69-tinyfarm.rules && sudo udevadm control --reload && sudo udevadm trigger, or `sudo systemctl disable --now ModemManager`
    PortDenied: the serial port /dev/ttyUSB0 may not be opened by this user
      echo 'SUBSYSTEM=="tty", SUBSYSTEMS=="usb", TAG+="uaccess"' | sudo tee -a /etc/udev/rules.d/69-tinyfarm.rules && sudo udevadm control --reload && sudo udevadm trigger; in a container, start it with `--device /dev/ttyUSB0`
    "#);
    assert_eq!(holder(machine.0.path(), Path::new("/dev/ttyACM0")), "screen (process 7) and ModemManager (process 11)");
    assert!(holder(machine.0.path(), Path::new("/dev/ttyUSB0")).contains("sudo fuser -v /dev/ttyUSB0"));
}

#[test]
fn a_port_is_opened_by_joining_its_group_if_it_lets_its_group() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let machine = Machine::new();
    machine.write("dev/ttyACM0", "");
    let file = machine.0.path().join("dev/ttyACM0");
    machine.write("etc/group", &format!("plugdev:x:99999999:\nuucp:x:{}:\n", fs::metadata(&file).unwrap().gid()));
    let mend = |mode| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        mend_for_port(machine.0.path(), Path::new("/dev/ttyACM0"))
    };
    insta::assert_snapshot!(mend(0o660), @"join the group uucp: `sudo usermod -aG uucp $USER`, then log out and in again");
    insta::assert_snapshot!(mend(0o600), @r#"echo 'SUBSYSTEM=="tty", SUBSYSTEMS=="usb", TAG+="uaccess"' | sudo tee -a /etc/udev/rules.d/69-tinyfarm.rules && sudo udevadm control --reload && sudo udevadm trigger; in a container, start it with `--device /dev/ttyACM0`"#);
}

#[test]
fn this_machine_can_be_looked_at() {
    let found = environment(Path::new("/"));
    assert_eq!(found.usb, Path::new("/sys/bus/usb/devices").is_dir());
    assert_eq!(found.usb, !found.problems.iter().any(|problem| problem.kind == ProblemKind::NoUsb));
}
