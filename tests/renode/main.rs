//! A stand-in for Renode, for the end-to-end tests: it answers the farm on the wire as Renode 1.16.1 was recorded to
//! answer, and QEMU's netduinoplus2 runs the firmware. It is no Renode, and its version says so.
//!
//! | module | what lives there |
//! |---|---|
//! | `arguments` | the command line that Renode is given |
//! | `orders` | what a test wants of it: a journal, and what goes wrong |
//! | `server` | the robot server: HTTP |
//! | `xml` | the robot server: XML-RPC |
//! | `emulation` | what the monitor's commands do |
//! | `command` | a command's words, and how one is refused |
//! | `guest` | the firmware on QEMU |
//! | `terminal` | the UART's socket |

mod arguments;
mod command;
mod emulation;
mod guest;
mod orders;
mod server;
mod terminal;
mod xml;

use arguments::Arguments;
use emulation::Emulation;
use orders::{Fault, Orders};
use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

/// What it says when it is asked for its version.
const VERSION: &str = "Renode, version 1.16.1 (v1.16.1-stand-in)";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stand-in for Renode: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let Some(arguments) = Arguments::read(std::env::args().skip(1))? else {
        println!("{VERSION}");
        return Ok(());
    };
    let orders = Arc::new(Orders::from_environment()?);
    orders.note("started")?;
    if orders.fault(&Fault::DiesAtStart) {
        return Err(io::Error::other("it dies at its start, as it was told to"));
    }
    fs::write(&arguments.pid_file, std::process::id().to_string())?;
    // Nobody asks the monitor anything, but Renode has it open.
    let _monitor = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.monitor))?;
    let robot = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.robot))?;
    if orders.fault(&Fault::NeverReady) {
        orders::for_ever();
    }
    let folder = temporary_folder()?;
    let port = robot.local_addr()?.port();
    let emulation = Emulation::new(folder.clone(), orders.clone());
    fs::write(folder.join("robot_port"), port.to_string())?;
    server::serve(&robot, emulation, &orders)?;
    orders.note("ended")?;
    fs::remove_dir_all(folder)
}

/// Renode's folder in its `TMPDIR`.
fn temporary_folder() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("renode-{}", std::process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}
