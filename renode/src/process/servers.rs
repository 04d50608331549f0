//! The servers of a running Renode besides the robot server: those that it opens when asked to.

use super::{Renode, ports};
use crate::{
    external_control::{self, Capabilities, ExternalControl, ExternalControlError},
    monitor::{Monitor, MonitorError},
    robot::{Machine, RobotError},
    uart::Uart,
};
use std::{io, net::SocketAddr};

/// How often another port is tried.
const TRIES: u32 = 5;

/// Why a server of Renode could not be opened or reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Names of UARTs are words with dots between them.
    #[error("{0:?} is no name of a peripheral: name it as the platform does, such as `sysbus.usart2`")]
    Name(String),
    /// No TCP port is free.
    #[error("no free TCP port for renode: {0}")]
    Port(#[source] io::Error),
    /// Renode did not open it.
    #[error("renode does not open the server: {0}")]
    Robot(#[from] RobotError),
    /// External Control cannot be spoken.
    #[error(transparent)]
    ExternalControl(#[from] ExternalControlError),
    /// The UART's socket cannot be reached.
    #[error("cannot connect to the UART: {0}")]
    Uart(#[source] io::Error),
}

impl Renode {
    /// Where its monitor listens. Renode serves one client at a time there; a second one hears nothing.
    pub fn monitor_address(&self) -> SocketAddr {
        SocketAddr::new(self.body.host(), self.monitor)
    }

    /// Connects to its monitor. Output of commands that the robot server executes is copied there.
    ///
    /// # Errors
    /// As [`Monitor::connect`].
    pub async fn monitor(&self) -> Result<Monitor, MonitorError> {
        Monitor::connect(self.monitor_address()).await
    }

    /// Has Renode open an External Control server, and connects to it. It takes one client at a time, and stays until the
    /// emulation is cleared; each call opens another.
    ///
    /// # Errors
    /// When Renode does not open it, and as [`ExternalControl::connect`]: versions that are not spoken are refused.
    pub async fn external_control(&self, capabilities: Capabilities) -> Result<ExternalControl, ServerError> {
        // Or Renode would be left with a server that nobody speaks to.
        external_control::commands(&self.version, capabilities)?;
        let (address, _) = self
            .open("control", |port, name| format!("emulation CreateExternalControlServer \"{name}\" {port}"))
            .await?;
        Ok(ExternalControl::connect(address, &self.version, capabilities).await?.knowing(self.robot.clone()))
    }

    /// Connects a UART of a machine (`sysbus.usart2`) to a socket, and connects to that. What the UART writes from here on is
    /// kept until it is read.
    ///
    /// # Errors
    /// When it is no name, Renode does not open the socket, or the machine has no such UART.
    pub async fn uart(&self, machine: &Machine, uart: &str) -> Result<Uart, ServerError> {
        if !is_name(uart) {
            return Err(ServerError::Name(uart.to_owned()));
        }
        let (address, name) = self
            .open("uart", |port, name| {
                // `false`: neither a telnet preamble nor doubled 0xFF.
                format!("emulation CreateServerSocketTerminal {port} \"{name}\" false")
            })
            .await?;
        machine.command(&format!("connector Connect {uart} {name}")).await?;
        Uart::connect(address).await.map_err(ServerError::Uart)
    }

    /// Has Renode open a server by a name and on a port of its own.
    async fn open(
        &self,
        kind: &str,
        command: impl Fn(u16, &str) -> String,
    ) -> Result<(SocketAddr, String), ServerError> {
        let mut tries = 1..TRIES;
        loop {
            let port = ports::free().map_err(ServerError::Port)?;
            let name = self.name(kind);
            match self.robot.execute(&command(port, &name)).await {
                Ok(_) => return Ok((SocketAddr::new(self.body.host(), port), name)),
                Err(error) if ports::taken(&error.to_string()) && tries.next().is_some() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether it can stand in a command without changing what the rest of it means.
fn is_name(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-'))
    };
    text.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_words_with_dots_between_them() {
        for name in ["sysbus.usart2", "uart", "sysbus.cpu0.uart_1", "sysbus.uart-a"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "sysbus.", "sysbus.usart2; quit", "sysbus usart2", "\"x\"", "@x", "$x", "a\nb"] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
