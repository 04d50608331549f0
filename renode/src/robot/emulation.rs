//! The emulation as a whole: its machines and its time.

use std::time::Duration;

use super::{Machine, Robot, RobotError, State, argument};

impl Robot {
    /// Creates a machine without any device, and selects it.
    ///
    /// # Errors
    /// [`RobotError::InvalidName`], or [`RobotError::Keyword`] where the name is taken.
    pub async fn create_machine(&self, name: &str) -> Result<Machine, RobotError> {
        let machine = self.machine(name)?;
        self.command(&format!("mach create {}", argument::string(name)?), &[]).await?;
        Ok(machine)
    }

    /// A machine that was created by other means, such as a script. Whether it exists shows with the first command.
    ///
    /// # Errors
    /// [`RobotError::InvalidName`].
    pub fn machine(&self, name: &str) -> Result<Machine, RobotError> {
        Ok(Machine::new(self.clone(), argument::machine(name)?.to_owned()))
    }

    /// The names of the machines.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn machines(&self) -> Result<Vec<String>, RobotError> {
        let command = "emulation Names";
        let output = self.command(command, &[]).await?;
        let names = argument::list(&output).map(|names| names.into_iter().map(str::to_owned).collect());
        names.ok_or_else(|| RobotError::Output { command: command.to_owned(), output })
    }

    /// Removes every machine, tester, server and setting of the emulation (`Clear`); Renode itself goes on. Loading a
    /// platform again takes a fraction of the first time.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn clear(&self) -> Result<(), RobotError> {
        self.command("Clear", &[]).await?;
        *self.state() = State::default();
        Ok(())
    }

    /// As [`clear`](Self::clear), by the keyword `ResetEmulation`, which removes the log tester as well.
    ///
    /// # Errors
    /// Those of a keyword.
    pub async fn reset_emulation(&self) -> Result<(), RobotError> {
        self.keyword("ResetEmulation", &[], &[]).await.map(drop)
    }

    /// Starts the emulation: virtual time runs until [`pause`](Self::pause). Takes 0.1 s.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn start(&self) -> Result<(), RobotError> {
        self.state().ran_freely = true;
        self.command("start", &[]).await.map(drop)
    }

    /// Pauses the emulation, wherever it is within a quantum. Does nothing where it is not started.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn pause(&self) -> Result<(), RobotError> {
        self.command("pause", &[]).await.map(drop)
    }

    /// Whether the emulation is started.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn is_started(&self) -> Result<bool, RobotError> {
        let command = "emulation IsStarted";
        let output = self.command(command, &[]).await?;
        truth(&output).ok_or_else(|| RobotError::Output { command: command.to_owned(), output })
    }

    /// Runs for a virtual time, in whole microseconds, and returns when it has passed; zero does nothing.
    ///
    /// Where the emulation ran freely before ([`start`](Self::start), or a tester that waited) it may stand within a
    /// quantum, and a run for less than the rest of that would end Renode. So for a time below the quantum it is
    /// first run to the end of the quantum, which comes on top. Drive time by `run_for` alone to have it exact.
    ///
    /// # Errors
    /// [`RobotError::Started`]: pause first. [`RobotError::InvalidValue`] for fractions of a microsecond.
    pub async fn run_for(&self, time: Duration) -> Result<(), RobotError> {
        if time.is_zero() {
            return Ok(());
        }
        let seconds = argument::seconds(time)?;
        if self.ends_within_quantum(time).await? {
            self.run_to_sync_point().await?;
        }
        self.command(&format!("emulation RunFor \"{seconds}\""), &[]).await.map(drop).map_err(started)
    }

    /// Whether a run for this time may end within the quantum that a free run stopped in, which ends Renode.
    pub(crate) async fn ends_within_quantum(&self, time: Duration) -> Result<bool, RobotError> {
        let (ran_freely, rest) = {
            let state = self.state();
            (state.ran_freely, state.rest)
        };
        Ok(ran_freely && (time < rest || time < self.quantum().await?))
    }

    /// Runs to the end of the quantum (`RunToNearestSyncPoint`); from a paused emulation only.
    ///
    /// # Errors
    /// [`RobotError::Started`].
    pub async fn run_to_sync_point(&self) -> Result<(), RobotError> {
        self.command("emulation RunToNearestSyncPoint", &[]).await.map_err(started)?;
        let mut state = self.state();
        (state.ran_freely, state.rest) = (false, Duration::ZERO);
        Ok(())
    }

    /// The quantum: the virtual time after which machines and the outside meet. 100 us at first.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn quantum(&self) -> Result<Duration, RobotError> {
        let known = self.state().quantum;
        if let Some(quantum) = known {
            return Ok(quantum);
        }
        let quantum = self.printed_time("emulation GetTimeSourceInfo", "Quantum:").await?;
        self.state().quantum = Some(quantum);
        Ok(quantum)
    }

    /// Sets the quantum, in whole microseconds. UART input and the like take effect at its end only, so a run must be
    /// longer; a short one is slow (1 s at 100 MIPS: 1.1 s with 100 us, 0.25 s with 1 ms).
    ///
    /// # Errors
    /// [`RobotError::InvalidValue`] for zero, which Renode would take, and for fractions of a microsecond.
    pub async fn set_quantum(&self, quantum: Duration) -> Result<(), RobotError> {
        let seconds = argument::seconds(quantum)?;
        if self.state().ran_freely {
            // The present quantum goes to its end before the new one begins.
            let present = self.quantum().await?;
            let mut state = self.state();
            state.rest = state.rest.max(present);
        }
        self.state().quantum = None;
        self.command(&format!("emulation SetGlobalQuantum \"{seconds}\""), &[]).await?;
        self.state().quantum = Some(quantum);
        Ok(())
    }

    /// Whether machines run one after the other, which makes their order the same each time.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn set_serial_execution(&self, serial: bool) -> Result<(), RobotError> {
        self.command(&format!("emulation SetGlobalSerialExecution {serial}"), &[]).await.map(drop)
    }

    /// Whether virtual time runs as fast as it can, and not at most as fast as real time.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn set_advance_immediately(&self, immediately: bool) -> Result<(), RobotError> {
        self.command(&format!("emulation SetGlobalAdvanceImmediately {immediately}"), &[]).await.map(drop)
    }

    /// The virtual time since the emulation was created or cleared. It goes on over a reset of a machine.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn virtual_time(&self) -> Result<Duration, RobotError> {
        self.printed_time("currentTime", "Current virtual time:").await
    }

    /// The time after a label in the output of a command.
    async fn printed_time(&self, command: &str, label: &str) -> Result<Duration, RobotError> {
        let output = self.command(command, &[]).await?;
        let time = output.lines().find_map(|line| argument::time(line.trim().strip_prefix(label)?));
        time.ok_or_else(|| RobotError::Output { command: command.to_owned(), output })
    }
}

/// `True` or `False`, as the monitor prints it.
pub(super) fn truth(output: &str) -> Option<bool> {
    match output.trim() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// Tells a started emulation from other failures.
fn started(error: RobotError) -> RobotError {
    match error {
        RobotError::Keyword { message, .. } if message.contains("not available when emulation is already started") => {
            RobotError::Started
        }
        other => other,
    }
}
