//! What the monitor's commands do. It knows those that a farm gives, in the order in which Renode takes them; others
//! fail as they fail there.

use crate::{
    VERSION,
    command::{Refusal, words},
    guest::Guest,
    orders::Orders,
    terminal::Terminal,
};
use std::{collections::BTreeMap, fs, io, path::PathBuf, sync::Arc};

/// The emulation: one machine at most, and its terminals.
pub struct Emulation {
    folder: PathBuf,
    orders: Arc<Orders>,
    machine: Option<Machine>,
    terminals: BTreeMap<String, Terminal>,
    /// Files that were loaded so far: each is kept under a number.
    loaded: u32,
    /// `numbersMode Decimal` was given.
    decimal: bool,
}

#[derive(Default)]
struct Machine {
    name: String,
    has_platform: bool,
    elf: Option<PathBuf>,
    binaries: Vec<(u64, PathBuf)>,
    /// The terminal that the UART is connected to.
    link: Option<String>,
    guest: Option<Guest>,
}

type Outcome = Result<String, Refusal>;

impl Emulation {
    /// One whose files are kept in this folder.
    pub fn new(folder: PathBuf, orders: Arc<Orders>) -> Self {
        Self { folder, orders, machine: None, terminals: BTreeMap::new(), loaded: 0, decimal: false }
    }

    /// Ends everything in it.
    pub fn clear(&mut self) {
        self.machine = None;
        self.terminals.clear();
    }

    /// Executes a command, where `named` says which machine it is for. An error is the text that Renode answers.
    pub fn execute(&mut self, command: &str, named: Option<&str>) -> Result<String, String> {
        if let Some(name) = named.and_then(|named| named.strip_prefix("machine="))
            && self.machine.as_ref().is_none_or(|machine| machine.name != name)
        {
            return Err(format!("KeywordException: Could not find machine named {name} in the emulation\n"));
        }
        if self.orders.fails(command) {
            return Err(Refusal::Cannot("it fails, as it was told to".to_owned()).text(command));
        }
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.act(&words).map_err(|refusal| refusal.text(command))
    }

    fn act(&mut self, words: &[&str]) -> Outcome {
        match words {
            [] => done(),
            ["version"] => Ok(format!("{VERSION}\r\n\r")),
            ["Clear"] => {
                self.clear();
                done()
            }
            ["mach", "create", name] => self.create(name),
            ["numbersMode", mode @ ("Decimal" | "Hexadecimal")] => {
                self.decimal = *mode == "Decimal";
                done()
            }
            ["emulation", rest @ ..] => self.emulation(rest),
            ["start"] => self.start(),
            ["pause"] => {
                if let Some(guest) = self.machine.as_mut().and_then(|machine| machine.guest.as_mut()) {
                    guest.pause();
                }
                Ok("Pausing emulation...\r\n\r".to_owned())
            }
            ["connector", "Connect", uart, terminal] => self.connect(uart, terminal),
            ["machine", rest @ ..] if self.machine.is_some() => self.on_machine(rest),
            ["sysbus", rest @ ..] if self.machine.is_some() => self.on_bus(rest),
            ["cpu" | "sysbus.cpu", rest @ ..] => match &mut self.machine {
                Some(machine) if machine.has_platform => machine.on_cpu(rest, self.decimal),
                _ => Err(Refusal::NoSuch(words[0].to_owned())),
            },
            [other, ..] => Err(Refusal::NoSuch((*other).to_owned())),
        }
    }

    fn create(&mut self, name: &str) -> Outcome {
        match &self.machine {
            Some(machine) if machine.name == name => {
                Err(Refusal::Cannot("Given machine is already added or name is already taken.".to_owned()))
            }
            // Renode would; a job's remains would be there as well, and who gives this command has not cleared them.
            Some(_) => Err(Refusal::Cannot("the stand-in plays one machine at a time".to_owned())),
            None => {
                self.machine = Some(Machine { name: name.to_owned(), ..Machine::default() });
                done()
            }
        }
    }

    fn emulation(&mut self, words: &[&str]) -> Outcome {
        match words {
            ["SetGlobalQuantum", seconds] if seconds.parse::<f64>().is_ok() => done(),
            ["SetGlobalAdvanceImmediately" | "SetGlobalSerialExecution", "true" | "false"] => done(),
            ["CreateServerSocketTerminal", port, name, "false"] => {
                let port = port.parse().map_err(|_| Refusal::signature())?;
                if self.terminals.contains_key(*name) {
                    return Err(Refusal::Cannot("External's name already in use".to_owned()));
                }
                let in_use = |_| {
                    let why = "socket:[AddressAlreadyInUse] Address already in use";
                    Refusal::Cannot(format!("Unable to create '0.0.0.0:{port}' {why}"))
                };
                self.terminals.insert((*name).to_owned(), Terminal::open(port).map_err(in_use)?);
                done()
            }
            [method, ..] if METHODS.contains(method) => Err(Refusal::signature()),
            [other, ..] => Err(lacks("emulation", other)),
            [] => done(),
        }
    }

    fn connect(&mut self, uart: &str, terminal: &str) -> Outcome {
        match &mut self.machine {
            Some(machine) if machine.has_platform && uart == UART && self.terminals.contains_key(terminal) => {
                machine.link = Some(terminal.to_owned());
                done()
            }
            _ => Err(Refusal::signature()),
        }
    }

    fn start(&mut self) -> Outcome {
        let started = Ok("Starting emulation...\r\n\r".to_owned());
        let Some(machine) = &mut self.machine else { return started };
        if let Some(guest) = &mut machine.guest {
            guest.go_on();
            return started;
        }
        // Without firmware a core has nowhere to go, and halts.
        let Some(elf) = machine.elf.clone() else { return started };
        let failed = |error: io::Error| Refusal::Went(format!("the stand-in cannot start QEMU: {error}"));
        let (guest, uart) = Guest::start(elf, &machine.binaries).map_err(failed)?;
        if let Some(terminal) = machine.link.as_ref().and_then(|name| self.terminals.get(name)) {
            terminal.attach(uart, self.orders.clone()).map_err(failed)?;
        }
        machine.guest = Some(guest);
        started
    }

    fn on_machine(&mut self, words: &[&str]) -> Outcome {
        let ["LoadPlatformDescription", path] = words else {
            return match words {
                ["LoadPlatformDescription", ..] => Err(Refusal::signature()),
                [other, ..] => Err(lacks("machine", other)),
                [] => done(),
            };
        };
        let Some(machine) = &mut self.machine else { return Err(Refusal::NoSuch("machine".to_owned())) };
        let path = path.strip_prefix('@').ok_or_else(Refusal::signature)?;
        let missing = |_| Refusal::Cannot(format!("Could not find file '{path}'."));
        let platform = fs::read_to_string(path).map_err(missing)?;
        if machine.has_platform {
            return Err(Refusal::Cannot("Error E02: Variable 'fsmcBank1' was already declared".to_owned()));
        }
        if !platform.contains("using \"platforms/cpus/stm32f4.repl\"") {
            return Err(Refusal::Cannot("the stand-in plays platforms/cpus/stm32f4.repl, and no other".to_owned()));
        }
        machine.has_platform = true;
        // The devices are there, and yet it fails: the inherited one wants an SVD from the network.
        if !platform.contains("sysbus:") || !platform.contains("init:") {
            let svd = "https://dl.antmicro.com/projects/renode/svd/STM32F40x.svd.gz";
            return Err(Refusal::Went(format!("Failed to download {svd}, see log for details.")));
        }
        done()
    }

    fn on_bus(&mut self, words: &[&str]) -> Outcome {
        match words {
            ["LoadELF", path] => {
                let file = self.keep(path)?;
                if !fs::read(&file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")) {
                    return Err(Refusal::Cannot(format!(
                        "Error while loading ELF: Could not load ELF from path: {path}"
                    )));
                }
                self.machine_mut()?.elf = Some(file);
                done()
            }
            ["LoadBinary", path, address] => {
                let address = number(address).ok_or_else(Refusal::signature)?;
                let file = self.keep(path)?;
                self.machine_mut()?.binaries.push((address, file));
                done()
            }
            ["ReadBytes", address, count] => {
                let (Some(address), Some(count)) = (number(address), number(count)) else {
                    return Err(Refusal::signature());
                };
                let bytes = self.machine_mut()?.read(address, count);
                let bytes =
                    bytes.into_iter().map(|byte| shown(byte.into(), 2, self.decimal) + ", ").collect::<String>();
                Ok(format!("[\r\r\n{bytes}\r\r\n]\r\r\n"))
            }
            ["LoadELF" | "LoadBinary" | "ReadBytes", ..] => Err(Refusal::signature()),
            [other, ..] => Err(lacks("sysbus", other)),
            [] => done(),
        }
    }

    fn machine_mut(&mut self) -> Result<&mut Machine, Refusal> {
        self.machine.as_mut().ok_or_else(|| Refusal::NoSuch("sysbus".to_owned()))
    }

    /// Copies a file, for it is read when it is loaded, and QEMU reads later.
    fn keep(&mut self, path: &str) -> Result<PathBuf, Refusal> {
        let path = path.strip_prefix('@').ok_or_else(Refusal::signature)?;
        let kept = self.folder.join(format!("loaded-{}", self.loaded));
        fs::copy(path, &kept).map_err(|_| Refusal::signature())?;
        self.loaded += 1;
        Ok(kept)
    }
}

/// The one UART that is played.
const UART: &str = "sysbus.usart1";

/// What `emulation` does, with other parameters than these were given.
const METHODS: [&str; 4] =
    ["SetGlobalQuantum", "SetGlobalAdvanceImmediately", "SetGlobalSerialExecution", "CreateServerSocketTerminal"];

impl Machine {
    fn on_cpu(&mut self, words: &[&str], decimal: bool) -> Outcome {
        match words {
            ["PerformanceInMips", mips] if number(mips).is_some() => done(),
            ["PC"] => {
                let pc = self.guest.as_mut().and_then(Guest::pc).unwrap_or(0);
                Ok(shown(pc.into(), 1, decimal) + "\r\r\n")
            }
            // QEMU keeps no count that it would tell.
            ["ExecutedInstructions"] => Ok(shown(0, 16, decimal) + "\r\r\n"),
            ["IsHalted"] => {
                let runs = self.guest.as_mut().is_some_and(|guest| !guest.has_ended());
                Ok(format!("{}\r\r\n", if runs { "False" } else { "True" }))
            }
            ["PerformanceInMips", ..] => Err(Refusal::signature()),
            [other, ..] => Err(lacks("cpu", other)),
            [] => done(),
        }
    }

    /// What was loaded there; zeros where nothing was.
    fn read(&self, address: u64, count: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
        for (start, file) in &self.binaries {
            let loaded = fs::read(file).unwrap_or_default();
            for (address, byte) in (address..).zip(&mut bytes) {
                let offset = address.checked_sub(*start).and_then(|offset| usize::try_from(offset).ok());
                *byte = offset.and_then(|offset| loaded.get(offset)).copied().unwrap_or(*byte);
            }
        }
        bytes
    }
}

fn done() -> Outcome {
    Ok(String::new())
}

fn lacks(element: &str, member: &str) -> Refusal {
    Refusal::Cannot(format!("{element} does not provide a field, method or property {member}."))
}

/// A number as the monitor prints it, with so many hexadecimal digits.
fn shown(number: u64, digits: usize, decimal: bool) -> String {
    if decimal { number.to_string() } else { format!("0x{number:0digits$X}") }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
