//! A job's machine in a Renode: platform, runner and model, and a time in which a tick is an instruction.
//!
//! Each command is one that Renode 1.16.1 was seen to answer. Every job has an emulation of its own (`Clear`, then all is
//! loaded again, 0.3 s): `machine Reset` would be faster, but what RAM held and what a UART has sent outlive it.

use farm::TargetError;
use firmware::{Firmware, port::Renode as Platform};
use renode_rs::{Renode, Uart, process::ServerError, robot::RobotError};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::fs;

/// The platforms that the program brings along, by name; the files say what each line is for.
const PLATFORMS: [(&str, &str); 2] = [
    ("stm32f4_discovery", include_str!("../../../renode/platforms/stm32f4_discovery.repl")),
    ("nrf52840", include_str!("../../../renode/platforms/nrf52840.repl")),
];

/// The machine's name in Renode.
const NAME: &str = "tinyfarm";
/// The name of its CPU, in every platform.
pub const CPU: &str = "cpu";
/// Instructions in a microsecond of virtual time: that of the timers in the platform files, which makes a tick an
/// instruction. It has to divide 1000, or Renode rounds.
const MIPS: u32 = 100;
/// Virtual time between two looks at the outside. Counts do not depend on it (seen from 10 µs to 10 ms); 100 µs, Renode's
/// own, makes it four times slower.
const QUANTUM: Duration = Duration::from_millis(1);

/// Sets up a machine for `firmware` with `model` (a model image) in place, and starts it; returns its UART.
///
/// # Errors
/// [`TargetError::Bench`] with what Renode said.
pub async fn start(
    renode: &Renode,
    platform: &Platform,
    firmware: &Firmware,
    model: &[u8],
) -> Result<Uart, TargetError> {
    let (_, text) = PLATFORMS
        .into_iter()
        .find(|(name, _)| *name == platform.platform)
        .ok_or_else(|| TargetError::Blocked(format!("there is no platform file for Renode's {}", platform.platform)))?;
    // All that it reads lies in its own folder: a container sees no other.
    let folder = renode.temp_folder();
    let place = |path: PathBuf, error: io::Error| {
        TargetError::Bench(format!("{} could not be written for Renode: {error}", path.display()))
    };
    let files = [("platform.repl", text.as_bytes()), ("model.bin", model)];
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::write(&path, bytes).await.map_err(|error| place(path, error))?;
    }
    let runner = folder.join("runner.elf");
    fs::copy(&firmware.elf, &runner).await.map_err(|error| place(runner.clone(), error))?;
    set_up(renode, platform, folder, firmware.model_start).await.map_err(|error| TargetError::Bench(error.to_string()))
}

/// What a machine may fail on.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum SetUp {
    Command(#[from] RobotError),
    Uart(#[from] ServerError),
}

async fn set_up(renode: &Renode, platform: &Platform, folder: &Path, model_start: u64) -> Result<Uart, SetUp> {
    let robot = renode.robot();
    robot.clear().await?;
    // Lists of numbers were only seen like this.
    robot.execute("numbersMode Decimal").await?;
    let machine = robot.create_machine(NAME).await?;
    machine.load_platform_file(&folder.join("platform.repl")).await?;
    machine.set_mips(CPU, MIPS).await?;
    machine.load_elf(&folder.join("runner.elf")).await?;
    machine.load_binary(&folder.join("model.bin"), model_start).await?;
    robot.set_quantum(QUANTUM).await?;
    robot.set_advance_immediately(true).await?;
    robot.set_serial_execution(true).await?;
    let uart = renode.uart(&machine, &platform.uart).await?;
    robot.start().await?;
    Ok(uart)
}

/// Ends the emulation, so that nothing of it is left.
///
/// # Errors
/// What Renode said.
pub async fn clear(renode: &Renode) -> Result<(), RobotError> {
    renode.robot().pause().await?;
    renode.robot().clear().await
}

/// What the CPU is at, in words: halted or not, and where.
///
/// # Errors
/// What Renode said.
pub async fn look(renode: &Renode, firmware: &Firmware) -> Result<String, RobotError> {
    let machine = renode.robot().machine(NAME)?;
    let at = machine.pc(CPU).await?;
    let symbol = firmware.symbol(at).map(|name| format!(" in {name}")).unwrap_or_default();
    let state = if machine.is_halted(CPU).await? { "is halted" } else { "runs" };
    let count = machine.executed_instructions(CPU).await?;
    Ok(format!("Renode's CPU {state} at {at:#010x}{symbol}, after {count} instructions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_for_renode_has_its_platform_with_timers_that_count_instructions_and_no_network() {
        let wanted: Vec<&Platform> = firmware::ports().iter().filter_map(|port| port.renode.as_ref()).collect();
        assert!(wanted.len() >= PLATFORMS.len());
        for platform in wanted {
            let found = PLATFORMS.iter().find(|(name, _)| *name == platform.platform);
            let (_, text) = found.unwrap_or_else(|| panic!("{platform:?}"));
            let rate = format!("{}", u64::from(MIPS) * 1_000_000);
            assert!(text.contains(&format!("systickFrequency: {rate}")), "{text}");
            assert!(text.contains(&format!("    frequency: {rate}")), "{text}");
            // Or the stock list of the platform is the one that counts, and loads an SVD.
            assert!(text.contains("sysbus:\n    init:\n") && !text.contains("http"), "{text}");
        }
    }
}
