//! One machine of the emulation.

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Robot, RobotError, TerminalTester, TesterOptions, argument, emulation::truth};

/// Bytes of one `ReadBytes`, printed at about six characters each.
const READ: u64 = 1024;
/// UART bytes written by one chain of commands.
const WRITE: usize = 64;
/// Bytes at either end of a binary that are compared after loading.
const COMPARED: u64 = 16;

/// A machine. Clones stand for the same one.
///
/// Every command names the machine (`machine=` of `ExecuteCommand`) and so selects it, whatever is selected by others
/// of the robot server and the monitor.
#[derive(Clone, Debug)]
pub struct Machine {
    robot: Robot,
    name: String,
    /// The commands that loaded something, for a reset.
    loaded: Arc<Mutex<Vec<String>>>,
}

impl Machine {
    pub(super) fn new(robot: Robot, name: String) -> Self {
        Self { robot, name, loaded: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The robot server.
    #[must_use]
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// Gives a command with this machine selected; see [`Robot::execute`].
    ///
    /// # Errors
    /// As [`Robot::execute`]; [`RobotError::Keyword`] also where the machine is gone.
    pub async fn command(&self, command: &str) -> Result<String, RobotError> {
        self.robot.note_command(command);
        self.robot.command(command, &[("machine", &self.name)]).await
    }

    /// Gives a command of a peripheral (`sysbus.usart2`, `cpu`), such as `WriteChar 0x77`, or asks for a property.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub async fn execute(&self, peripheral: &str, command: &str) -> Result<String, RobotError> {
        self.command(&format!("{} {command}", argument::peripheral(peripheral)?)).await
    }

    /// Adds the devices of a platform file (`.repl`). A relative path is one of Renode's own (`platforms/cpus/...`).
    ///
    /// # Errors
    /// [`RobotError::PlatformDownload`] where the devices are there but the platform wanted more from the network, as
    /// several stock ones do; [`RobotError::Keyword`] with line and column where the file is wrong, or where its names
    /// are taken, as after loading it twice.
    pub async fn load_platform_file(&self, path: &Path) -> Result<(), RobotError> {
        let command = format!("machine LoadPlatformDescription {}", argument::path(path)?);
        self.command(&command).await.map(drop).map_err(|error| svd(error, &path.to_string_lossy()))
    }

    /// Adds the devices of a platform given as text. `using "..."` in it names files of Renode, or absolute ones.
    ///
    /// # Errors
    /// As [`load_platform_file`](Self::load_platform_file), and [`RobotError::UnsafeArgument`] for a text with quotes
    /// behind backslashes, which has to go through a file.
    pub async fn load_platform(&self, description: &str) -> Result<(), RobotError> {
        // Line ends mean nothing in a description.
        let description = description.replace("\r\n", "\n");
        let command = format!("machine LoadPlatformDescriptionFromString {}", argument::string(&description)?);
        let base =
            description.split_once("using \"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or("its file");
        self.command(&command).await.map(drop).map_err(|error| svd(error, base))
    }

    /// Loads an ELF. The next start takes stack pointer and program counter from its vector table. Whether there is memory
    /// where it goes is not looked at.
    ///
    /// # Errors
    /// [`RobotError::Load`].
    pub async fn load_elf(&self, path: &Path) -> Result<(), RobotError> {
        self.load(path, format!("sysbus LoadELF {}", argument::path(path)?)).await
    }

    /// Loads a file as it is to an address.
    ///
    /// Renode says nothing where no memory is mapped there. So both ends of the memory are compared with the file,
    /// where it has an absolute path and this process can read it; zeros cannot be told from no memory.
    ///
    /// # Errors
    /// [`RobotError::Load`]; [`RobotError::NotLoaded`].
    pub async fn load_binary(&self, path: &Path, address: u64) -> Result<(), RobotError> {
        self.load(path, format!("sysbus LoadBinary {} 0x{address:08X}", argument::path(path)?)).await?;
        for (offset, bytes) in ends(path).await {
            if self.read_memory(address.wrapping_add(offset), bytes.len() as u64).await? != bytes {
                return Err(RobotError::NotLoaded { path: path.to_owned(), address });
            }
        }
        Ok(())
    }

    async fn load(&self, path: &Path, command: String) -> Result<(), RobotError> {
        self.command(&command).await.map_err(|error| match error {
            RobotError::Keyword { message, .. } => RobotError::Load { path: path.to_owned(), message },
            other => other,
        })?;
        self.loaded().push(command);
        Ok(())
    }

    /// Resets the machine, then loads again what was loaded through this handle or its clones: without it a Cortex-M
    /// comes up with a program counter of 0 and halts. Better with the emulation paused, or it runs in between.
    ///
    /// What was loaded by other means is only there again where a macro `reset` of the machine loads it.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn reset(&self) -> Result<(), RobotError> {
        self.command("machine Reset").await?;
        let loaded = self.loaded().clone();
        for command in loaded {
            self.command(&command).await?;
        }
        Ok(())
    }

    /// Removes the machine. External Control must not touch its memory any more: that ends Renode.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn remove(self) -> Result<(), RobotError> {
        self.robot.command(&format!("mach rem {}", argument::string(&self.name)?), &[]).await.map(drop)
    }

    /// A tester for what a UART says; see [`TerminalTester`].
    ///
    /// # Errors
    /// [`RobotError::Keyword`] where there is no such UART.
    pub async fn create_tester(&self, uart: &str, options: TesterOptions) -> Result<TerminalTester, RobotError> {
        TerminalTester::create(self, argument::peripheral(uart)?, options).await
    }

    /// Gives one byte to a UART. It takes effect in the next quantum.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn write_char(&self, uart: &str, byte: u8) -> Result<(), RobotError> {
        self.write_uart(uart, &[byte]).await
    }

    /// Gives bytes to a UART, in order. They take effect in the next quantum; from a paused emulation this is the
    /// deterministic way in.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn write_uart(&self, uart: &str, bytes: &[u8]) -> Result<(), RobotError> {
        let uart = argument::peripheral(uart)?;
        for chunk in bytes.chunks(WRITE) {
            let commands: Vec<String> = chunk.iter().map(|byte| format!("{uart} WriteChar 0x{byte:02X}")).collect();
            self.command(&commands.join("; ")).await?;
        }
        Ok(())
    }

    /// Writes what a UART says to a file of Renode's; `flush` after each byte, so that it can be read at once.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn create_file_backend(&self, uart: &str, path: &Path, flush: bool) -> Result<(), RobotError> {
        self.execute(uart, &format!("CreateFileBackend {} {flush}", argument::path(path)?)).await.map(drop)
    }

    /// The instructions that a CPU (`cpu`, `sysbus.cpu`) executed since its reset; sleep in WFI does not count.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn executed_instructions(&self, cpu: &str) -> Result<u64, RobotError> {
        self.number(cpu, "ExecutedInstructions").await
    }

    /// The program counter of a CPU.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn pc(&self, cpu: &str) -> Result<u64, RobotError> {
        self.number(cpu, "PC").await
    }

    /// Whether a CPU is halted, as after a reset with nothing loaded; the reason is in the log of Renode only.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn is_halted(&self, cpu: &str) -> Result<bool, RobotError> {
        let output = self.execute(cpu, "IsHalted").await?;
        truth(&output).ok_or_else(|| RobotError::Output { command: format!("{cpu} IsHalted"), output })
    }

    /// Sets the pace of a CPU in instructions per microsecond of virtual time. It survives a reset.
    ///
    /// # Errors
    /// [`RobotError::InvalidValue`] for zero; those of a command.
    pub async fn set_mips(&self, cpu: &str, mips: u32) -> Result<(), RobotError> {
        if mips == 0 {
            let reason = "a CPU without instructions in time does not run";
            return Err(RobotError::InvalidValue { value: "0 MIPS".to_owned(), reason });
        }
        self.execute(cpu, &format!("PerformanceInMips {mips}")).await.map(drop)
    }

    /// The address of a symbol of a loaded ELF.
    ///
    /// # Errors
    /// [`RobotError::Keyword`] where there is no such symbol.
    pub async fn symbol_address(&self, symbol: &str) -> Result<u64, RobotError> {
        self.number("sysbus", &format!("GetSymbolAddress {}", argument::string(symbol)?)).await
    }

    /// Reads bytes from the bus, about 1 ms for a kilobyte. Where nothing is mapped they are 0.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn read_memory(&self, address: u64, count: u64) -> Result<Vec<u8>, RobotError> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < count {
            let done = bytes.len() as u64;
            let part = READ.min(count - done);
            let command = format!("sysbus ReadBytes 0x{:08X} {part}", address.wrapping_add(done));
            let output = self.command(&command).await?;
            let items = argument::list(&output).unwrap_or_default();
            let read: Option<Vec<u8>> =
                items.into_iter().map(|item| argument::number(item).and_then(|byte| u8::try_from(byte).ok())).collect();
            match read {
                Some(read) if read.len() as u64 == part => bytes.extend(read),
                _ => return Err(RobotError::Output { command, output }),
            }
        }
        Ok(bytes)
    }

    /// Reads one 32-bit word from the bus in one access. Where nothing is mapped it is 0.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn read_u32(&self, address: u64) -> Result<u32, RobotError> {
        let command = format!("ReadDoubleWord 0x{address:08X}");
        let number = self.number("sysbus", &command).await?;
        u32::try_from(number).map_err(|_| RobotError::Output { command, output: number.to_string() })
    }

    /// Writes one 32-bit word to the bus in one access. Where nothing is mapped it is lost.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn write_u32(&self, address: u64, value: u32) -> Result<(), RobotError> {
        self.execute("sysbus", &format!("WriteDoubleWord 0x{address:08X} 0x{value:X}")).await.map(drop)
    }

    /// Writes bytes to the bus one by one, about 1 ms for 64 of them; for much, [`load_binary`](Self::load_binary).
    /// Where nothing is mapped they are lost.
    ///
    /// # Errors
    /// Those of a command.
    pub async fn write_memory(&self, address: u64, bytes: &[u8]) -> Result<(), RobotError> {
        let mut address = address;
        for chunk in bytes.chunks(WRITE) {
            let mut commands = Vec::with_capacity(chunk.len());
            for byte in chunk {
                commands.push(format!("sysbus WriteByte 0x{address:08X} 0x{byte:02X}"));
                address = address.wrapping_add(1);
            }
            self.command(&commands.join("; ")).await?;
        }
        Ok(())
    }

    async fn number(&self, peripheral: &str, command: &str) -> Result<u64, RobotError> {
        let output = self.execute(peripheral, command).await?;
        argument::number(&output)
            .ok_or_else(|| RobotError::Output { command: format!("{peripheral} {command}"), output })
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first and last bytes of a file with their offsets; none where it cannot be read here.
async fn ends(path: &Path) -> Vec<(u64, Vec<u8>)> {
    async fn read(path: PathBuf) -> std::io::Result<Vec<(u64, Vec<u8>)>> {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        let count = COMPARED.min(length);
        let mut ends = Vec::new();
        for offset in [0, length - count] {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(offset)).await?;
            (&mut file).take(count).read_to_end(&mut bytes).await?;
            ends.push((offset, bytes));
        }
        ends.dedup();
        ends.retain(|(_, bytes)| !bytes.is_empty());
        Ok(ends)
    }
    if !path.is_absolute() {
        return Vec::new();
    }
    read(path.to_owned()).await.unwrap_or_default()
}

/// Tells a platform that wanted an SVD from the network from other failures.
fn svd(error: RobotError, platform: &str) -> RobotError {
    match error {
        RobotError::Keyword { message, .. } if message.contains("Failed to download") && message.contains("svd") => {
            RobotError::PlatformDownload { platform: platform.to_owned(), message }
        }
        other => other,
    }
}
