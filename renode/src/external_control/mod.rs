//! External Control: Renode's binary interface for time, memory, GPIO and ADC, as seen with Renode 1.16.1.
//!
//! The server is made by the monitor command `emulation CreateExternalControlServer "ec" PORT`. It serves one client at a
//! time. An [`ExternalControl`] is a cheap handle to a task that owns the connection, so every future here may be dropped
//! at any time (in `select!` or a timeout): frames are written whole, and a late reply never reaches the next command.
//! Time-outs are the caller's: a RunFor takes as long as it takes.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use renode_rs::external_control::{Capabilities, ExternalControl};
//! use renode_rs::Version;
//!
//! let version: Version = Version::parse("Renode, version 1.16.1 (v1.16.1)")?;
//! let control = ExternalControl::connect("127.0.0.1:5001".parse()?, &version, Capabilities::ALL).await?;
//! let machine = control.machine("stm").await?;
//! let port = control.gpio(machine, "sysbus.gpioPortA", 16).await?;
//! port.subscribe(5, 1).await?;
//! for event in control.run_for(Duration::from_millis(1)).await? {
//!     println!("pin 5 is {} at {:?}", event.high, event.time);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What ends Renode, and is not prevented by its server:
//! - setting a GPIO pin that does not exist: refused here, see [`Gpio::set`];
//! - bus access to a machine that was removed (`mach rem`): drop everything that belongs to it first;
//! - pausing in the middle of a quantum, then running for less than the rest of it: `emulation RunToNearestSyncPoint`
//!   first, or drive time with [`ExternalControl::run_for`] only.
//!
//! The reply of a RunFor whose client left goes to the next client. No client here leaves before it, unless its process or
//! runtime ends; what another one left is skipped, but for the end of its run where a RunFor already waits for its own.
//!
//! Removing all (`Clear`) closes the connection; ids and event hooks of machines outlive a client, but not a `Clear`.

mod adc;
mod bus;
mod client;
mod codec;
mod error;
mod gpio;

use std::net::SocketAddr;
use std::ops::{BitOr, BitOrAssign};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use tokio::net::TcpStream;

pub use adc::Adc;
pub use bus::{READ_CHUNK, SystemBus, WRITE_CHUNK, Width};
pub use codec::Command;
pub use error::ExternalControlError;
pub use gpio::{Event, Gpio};

use crate::{robot::Robot, version::Version};
use client::{Client, Reply};

/// How long [`ExternalControl::connect`] waits for the handshake.
pub const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// The longest [`ExternalControl::run_for`], in microseconds: Renode counts nanoseconds in 64 bits with a sign.
const LONGEST_RUN: u64 = i64::MAX as u64 / 1000;

/// What a client wants to use. Only that is activated: Renode stops its server for good where it does not know one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// [`ExternalControl::run_for`].
    pub const RUN_FOR: Self = Self::of(Command::RunFor);
    /// [`ExternalControl::time`]. Renode 1.15.1 and 1.15.2 answer wrong times (mended in 1.15.3).
    pub const TIME: Self = Self::of(Command::GetTime);
    /// [`ExternalControl::machine`].
    pub const MACHINE: Self = Self::of(Command::GetMachine);
    /// [`ExternalControl::adc`], and the machines it needs.
    pub const ADC: Self = Self(Self::of(Command::Adc).0 | Self::MACHINE.0);
    /// [`ExternalControl::gpio`], and the machines it needs. Since 1.15.2, events since 1.15.3.
    pub const GPIO: Self = Self(Self::of(Command::Gpio).0 | Self::MACHINE.0);
    /// [`ExternalControl::system_bus`], and the machines it needs. Since 1.16.1.
    pub const SYSTEM_BUS: Self = Self(Self::of(Command::SystemBus).0 | Self::MACHINE.0);
    /// Everything; needs 1.16.1.
    pub const ALL: Self = Self(Self::RUN_FOR.0 | Self::TIME.0 | Self::ADC.0 | Self::GPIO.0 | Self::SYSTEM_BUS.0);

    const fn of(command: Command) -> Self {
        Self(1 << command.number())
    }

    /// Everything that Renode of this version has; nothing where it is not spoken.
    #[must_use]
    pub fn of_version(version: &Version) -> Self {
        Command::ALL
            .into_iter()
            .filter(|command| version_of(*command, version).is_ok())
            .fold(Self::NONE, |all, command| all | Self::of(command))
    }

    /// Whether everything of `other` is in this.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Capabilities {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// The version that `command` has in Renode `version`.
fn version_of(command: Command, version: &Version) -> Result<u8, ExternalControlError> {
    let number = (version.major, version.minor, version.patch);
    if !((1, 15, 1)..=(1, 16, 1)).contains(&number) {
        return Err(ExternalControlError::Version { version: version.to_string() });
    }
    let (since, text) = match command {
        Command::Gpio => ((1, 15, 2), "1.15.2"),
        Command::SystemBus => ((1, 16, 1), "1.16.1"),
        _ => ((1, 15, 1), "1.15.1"),
    };
    if number < since {
        return Err(ExternalControlError::NotInVersion { command, version: version.to_string(), since: text });
    }
    Ok(u8::from(command == Command::Gpio && number > (1, 15, 2)))
}

/// What has to be activated for `capabilities`, each with its version.
///
/// # Errors
/// Where Renode `version` does not have it, or is not spoken at all.
pub(crate) fn commands(
    version: &Version,
    capabilities: Capabilities,
) -> Result<Vec<(Command, u8)>, ExternalControlError> {
    // Also where nothing is activated: no byte goes to a server of another format.
    version_of(Command::RunFor, version)?;
    let wanted = Command::ALL.into_iter().filter(|command| capabilities.contains(Capabilities::of(*command)));
    wanted.map(|command| Ok((command, version_of(command, version)?))).collect()
}

/// A machine, as External Control numbers it. Every question for the same name gives a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MachineId(i32);

impl MachineId {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// A connection to an External Control server; a cheap handle, see the [module](self).
#[derive(Clone, Debug)]
pub struct ExternalControl {
    client: Client,
    active: Capabilities,
    /// Whether this version tells GPIO events.
    events: bool,
    /// Who knows whether the emulation ran freely.
    robot: Option<Robot>,
}

impl ExternalControl {
    /// Connects and activates `capabilities`, in the format of `version`, which the robot server or `renode --version`
    /// tells.
    ///
    /// # Errors
    /// [`ExternalControlError::Version`] and [`ExternalControlError::NotInVersion`] before anything is sent;
    /// [`ExternalControlError::Silent`] where another client is connected.
    pub async fn connect(
        address: SocketAddr,
        version: &Version,
        capabilities: Capabilities,
    ) -> Result<Self, ExternalControlError> {
        Self::connect_within(address, version, capabilities, HANDSHAKE_PATIENCE).await
    }

    /// The same with a patience of one's own.
    ///
    /// # Errors
    /// As [`ExternalControl::connect`].
    pub async fn connect_within(
        address: SocketAddr,
        version: &Version,
        capabilities: Capabilities,
        patience: Duration,
    ) -> Result<Self, ExternalControlError> {
        let commands = commands(version, capabilities)?;
        let stream = TcpStream::connect(address).await?;
        let client = Client::start(stream, codec::handshake(&commands), patience).await?;
        let events = version_of(Command::Gpio, version).is_ok_and(|number| number > 0);
        Ok(Self { client, active: capabilities, events, robot: None })
    }

    /// With this, a run that would end Renode is refused.
    pub(crate) fn knowing(self, robot: Robot) -> Self {
        Self { robot: Some(robot), ..self }
    }

    /// What was activated.
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        self.active
    }

    /// Lets virtual time pass, in whole microseconds; returns when it has, with the GPIO events of that time in their
    /// order, and those of earlier runs whose future was dropped.
    ///
    /// The emulation must be paused. Where it does not advance immediately (`emulation SetGlobalAdvanceImmediately
    /// true`) this takes as long as real time.
    ///
    /// **After a free run** (`start`, a waiting tester) the emulation may stand within a quantum, and a run for less than the
    /// rest of that ends Renode. A client that comes from [`Renode::external_control`](crate::Renode::external_control)
    /// refuses it; one that connected by itself cannot know.
    ///
    /// # Errors
    /// [`ExternalControlError::Duration`] where it cannot be sent unchanged, [`ExternalControlError::WithinQuantum`] as
    /// above, [`ExternalControlError::CommandFailed`] where the emulation is started.
    pub async fn run_for(&self, duration: Duration) -> Result<Vec<Event>, ExternalControlError> {
        let micros = u64::try_from(duration.as_micros())
            .ok()
            .filter(|micros| *micros <= LONGEST_RUN && Duration::from_micros(*micros) == duration)
            .ok_or(ExternalControlError::Duration { duration })?;
        if let Some(robot) = &self.robot
            // Where it cannot be known, it is not tried.
            && robot.ends_within_quantum(duration).await.unwrap_or(true)
        {
            return Err(ExternalControlError::WithinQuantum { duration });
        }
        Ok(self.request(Command::RunFor, &micros.to_le_bytes()).await?.events.take())
    }

    /// Virtual time since the emulation began, in whole microseconds.
    ///
    /// # Errors
    /// Where the connection is gone.
    pub async fn time(&self) -> Result<Duration, ExternalControlError> {
        let mut data = self.data(Command::GetTime, &[]).await?;
        Ok(Duration::from_micros(data.try_get_u64_le().map_err(|_| short(Command::GetTime))?))
    }

    /// The machine of this name (`mach create "name"`).
    ///
    /// # Errors
    /// [`ExternalControlError::CommandFailed`] where there is none.
    pub async fn machine(&self, name: &str) -> Result<MachineId, ExternalControlError> {
        let mut data = Vec::with_capacity(4 + name.len());
        put_name(&mut data, name)?;
        Ok(MachineId(self.number(Command::GetMachine, &data).await?))
    }

    /// A GPIO port by its name (`sysbus.gpioPortA`) with its number of pins, counted from 0.
    ///
    /// Renode does not tell how many there are, and a [`Gpio::set`] beyond them ends it: `pins` is what every pin is
    /// checked against.
    ///
    /// # Errors
    /// [`ExternalControlError::CommandFailed`] where there is no such port in the machine.
    pub async fn gpio(&self, machine: MachineId, name: &str, pins: u32) -> Result<Gpio, ExternalControlError> {
        let id = self.instance(Command::Gpio, machine, name).await?;
        Ok(Gpio::new(self.clone(), id, name, pins))
    }

    /// An analogue-to-digital converter by its name (`sysbus.adc1`). Not every model can be controlled.
    ///
    /// # Errors
    /// [`ExternalControlError::CommandFailed`] where there is no such converter in the machine.
    pub async fn adc(&self, machine: MachineId, name: &str) -> Result<Adc, ExternalControlError> {
        let id = self.instance(Command::Adc, machine, name).await?;
        Adc::new(self.clone(), id, name).await
    }

    /// The bus of a machine: `sysbus`, or as a CPU or other peripheral sees it, by its name (`sysbus.cpu`).
    ///
    /// # Errors
    /// [`ExternalControlError::CommandFailed`] where there is no such peripheral in the machine.
    pub async fn system_bus(&self, machine: MachineId, name: &str) -> Result<SystemBus, ExternalControlError> {
        let id = self.instance(Command::SystemBus, machine, name).await?;
        Ok(SystemBus::new(self.clone(), id))
    }

    /// Closes the connection after everything asked before, for all clones; returns when the next client may come.
    pub async fn close(self) {
        self.client.close().await;
    }

    async fn instance(&self, command: Command, machine: MachineId, name: &str) -> Result<i32, ExternalControlError> {
        let mut data = Vec::with_capacity(12 + name.len());
        data.put_i32_le(-1);
        data.put_i32_le(machine.0);
        put_name(&mut data, name)?;
        self.number(command, &data).await
    }

    async fn request(&self, command: Command, data: &[u8]) -> Result<Reply, ExternalControlError> {
        if !self.active.contains(Capabilities::of(command)) {
            return Err(ExternalControlError::NotActivated { command });
        }
        self.client.request(command, data).await
    }

    async fn data(&self, command: Command, data: &[u8]) -> Result<Bytes, ExternalControlError> {
        self.request(command, data).await?.data.ok_or_else(|| short(command))
    }

    async fn number(&self, command: Command, data: &[u8]) -> Result<i32, ExternalControlError> {
        self.data(command, data).await?.try_get_i32_le().map_err(|_| short(command))
    }
}

fn short(command: Command) -> ExternalControlError {
    ExternalControlError::Protocol(format!("too little data in the answer to {command}"))
}

fn put_name(data: &mut Vec<u8>, name: &str) -> Result<(), ExternalControlError> {
    let length = i32::try_from(name.len()).ok().filter(|length| *length > 0).ok_or(ExternalControlError::EmptyName)?;
    data.put_i32_le(length);
    data.put_slice(name.as_bytes());
    Ok(())
}
