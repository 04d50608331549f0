//! Keys into a [`Definition`], and what does not go together in one.

use super::{
    Definition, DefinitionError, Hook, Identify, Limits, Link, Reset, RunFrom, Runner, SerialPort, UniqueId,
    keys::{Keys, Place, Said, like},
};
use crate::serial::{Identity, IdentityError};
use farm::{
    quantity::{Quantity, Unit},
    suggest,
};
use probe_rs::probe::DebugProbeSelector;
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The machines that can play a board, and the chip that each of them is.
const SIMULATED: [(&str, &str); 3] =
    [("mps2-an385", "sim-mps2-an385"), ("mps2-an386", "sim-mps2-an386"), ("netduinoplus2", "sim-stm32f405")];
/// How long a command may take to reset a board; to power-cycle it, unless its definition says more.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a command may take to write flash.
const FLASH_TIMEOUT: Duration = Duration::from_secs(120);
/// Bits per second, unless a definition says more.
const BAUD: u32 = 115_200;

/// What is wrong, and the mend.
type Wrong = (String, String);

/// Makes a definition of what its file and its kind say.
pub(super) fn definition(name: &str, file: Option<&Path>, keys: &Keys) -> Result<Definition, DefinitionError> {
    let text = |key| keys.get::<String>(key);
    let word = |key| Ok::<_, DefinitionError>(text(key)?.map(|said| said.value));
    let Some(chip) = checked(keys, "chip", named_chip)? else {
        return Err(keys.top.wrong(
            format!("`{name}` says neither `kind` nor `chip`"),
            "say which board it is, `kind = \"nucleo-l4r5zi\"`, or which chip, `chip = \"STM32L4R5ZITx\"`",
        ));
    };
    let definition = Definition {
        name: name.to_owned(),
        file: file.map(Path::to_owned),
        summary: word("summary")?.unwrap_or_default(),
        docs: word("docs")?,
        kind: word("kind")?,
        chip,
        chip_description: text("chip_description")?.map(|Said { value, place }| based(&place, &value)),
        core: checked(keys, "core", |name: String| {
            name.parse().map_err(|error: firmware::port::core::UnknownCore| {
                (format!("no core is named `{}`", error.name), error.mend)
            })
        })?,
        probe: checked(keys, "probe", |probe: String| check_probe(&probe).map(|()| probe))?,
        link: link(keys)?,
        tags: checked(keys, "tags", tags)?.unwrap_or_default(),
        clock_hz: checked(keys, "clock_hz", clock)?,
        run_from: choice(keys, "run_from", &[("flash", RunFrom::Flash), ("ram", RunFrom::Ram)])?
            .unwrap_or(RunFrom::Flash),
        unique_id: unique_id(keys)?,
        identify: checked(keys, "identify", identify)?.unwrap_or_default(),
        power_cycle: hook(keys, "power.cycle", timeout(keys)?.unwrap_or(TIMEOUT))?,
        reset: reset(keys)?,
        firmware: choice(keys, "firmware", &[("tinyfarm", Runner::Tinyfarm), ("own", Runner::Own)])?
            .unwrap_or(Runner::Tinyfarm),
        flash: hook(keys, "flash", FLASH_TIMEOUT)?,
        limits: Limits {
            flash: size(keys, "limits.flash")?,
            ram: size(keys, "limits.ram")?,
            stack: size(keys, "limits.stack")?,
            heap: size(keys, "limits.heap")?,
        },
        simulated: choice(keys, "simulated", &SIMULATED.map(|(machine, _)| (machine, machine.to_owned())))?,
        port: checked(keys, "port", |name: String| match firmware::port(&name) {
            Ok(port) if port.is_host() => Err((format!("the port `{name}` is no microcontroller's"), like("port"))),
            Ok(_) => Ok(name),
            Err(firmware::PortError::Unknown { name, mend }) => Err((format!("no port is named `{name}`"), mend)),
            Err(error) => Err((error.to_string(), "take another".to_owned())),
        })?,
    };
    together(&definition, keys)?;
    Ok(definition)
}

/// Refuses what does not go together.
fn together(definition: &Definition, keys: &Keys) -> Result<(), DefinitionError> {
    let wrong = |key: &str, what: &str, mend: &str| Err(keys.place(key).wrong(what, mend));
    let own = definition.firmware == Runner::Own;
    let serial = definition.serial();
    let has_port = serial.is_some_and(|port| port.identity.is_some());
    if definition.flash.is_some() && !own {
        return wrong(
            "flash",
            "`flash` writes firmware of one's own, and the farm writes its runner itself",
            "say `firmware = \"own\"`, or leave `flash` out",
        );
    }
    if own && definition.simulated.is_some() {
        return wrong("firmware", "a simulated board runs the farm's runner", "leave `firmware` out");
    }
    plays(definition, keys)?;
    if !definition.is_board() {
        return Ok(());
    }
    if serial.is_some() && !has_port && definition.simulated.is_none() {
        return wrong(
            "link",
            "`link = \"serial\"` without a serial port",
            "say which, as `tinyfarm boards list` shows it: `serial = { usb = \"0483:374b:066BFF…\" }`",
        );
    }
    if definition.probe.is_none() && definition.simulated.is_none() && !own {
        return wrong(
            "link",
            "without a probe the farm can put no runner on the board",
            "say `probe = \"…\"`, or `firmware = \"own\"` where the firmware on it speaks firmware/PROTOCOL.md",
        );
    }
    if own && serial.is_none() {
        return wrong(
            "firmware",
            "firmware of one's own talks over a serial port, and the link is none",
            "say `link = \"serial\"`, and which port: `serial = { usb = \"0483:374b:066BFF…\" }`",
        );
    }
    if definition.reset.as_ref().is_some_and(|reset| !matches!(reset, Reset::Command(_))) && serial.is_none() {
        return wrong(
            "reset.line",
            "`reset.line` is a line of a serial port, and the link is none",
            "say `reset = { command = [\"…\"] }`, or leave it out: a probe resets the board",
        );
    }
    let speaks_uart = |name: &str| firmware::port(name).is_ok_and(|port| port.uart.is_some());
    if serial.is_some() && !own && !definition.port.as_deref().is_some_and(speaks_uart) {
        return wrong(
            "link",
            "a runner built for a chip talks by RTT: pins and clocks of a UART differ from board to board",
            "say `link = \"rtt\"`, or `firmware = \"own\"` where the firmware on it speaks firmware/PROTOCOL.md",
        );
    }
    Ok(())
}

/// A simulated board has its machine's chip, and nothing else has that.
fn plays(definition: &Definition, keys: &Keys) -> Result<(), DefinitionError> {
    let chip = definition.chip.as_str();
    match definition.simulated.as_deref() {
        None => match SIMULATED.iter().find(|(_, its)| *its == chip) {
            Some((machine, _)) => Err(keys.place("chip").wrong(
                format!("`{chip}` is the chip of a simulated board, and nothing says that this is one"),
                format!("say `simulated = \"{machine}\"`, or name the chip that the board has"),
            )),
            None => Ok(()),
        },
        Some(machine) => match SIMULATED.iter().find(|(one, _)| *one == machine) {
            Some((_, its)) if *its != chip => {
                // Where the file itself says it, and not its kind.
                let key = if keys.place("chip").file == keys.top.file { "chip" } else { "simulated" };
                Err(keys.place(key).wrong(
                    format!("`simulated = \"{machine}\"` and another chip than that machine's: `{chip}`"),
                    format!("say `chip = \"{its}\"`, or leave `simulated` out where the board is a real one"),
                ))
            }
            _ => Ok(()),
        },
    }
}

/// A key's value, made into what it stands for.
fn checked<T: serde::de::DeserializeOwned, U>(
    keys: &Keys,
    key: &'static str,
    check: impl FnOnce(T) -> Result<U, Wrong>,
) -> Result<Option<U>, DefinitionError> {
    let Some(Said { value, place }) = keys.get::<T>(key)? else { return Ok(None) };
    check(value).map(Some).map_err(|(what, mend)| place.wrong(what, mend))
}

/// One of a few words.
fn choice<T: Clone>(keys: &Keys, key: &'static str, words: &[(&str, T)]) -> Result<Option<T>, DefinitionError> {
    checked(keys, key, |said: String| match words.iter().find(|(word, _)| *word == said) {
        Some((_, value)) => Ok(value.clone()),
        None => {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err((format!("`{key}` cannot be `{said}`"), suggest::mend(&said, known.iter().copied())))
        }
    })
}

/// Bytes, as a number or as people write them.
fn size(keys: &Keys, key: &'static str) -> Result<Option<u64>, DefinitionError> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number of bytes is wanted")]
    enum Size {
        Bytes(u64),
        Words(String),
    }
    let wrong = |text: &str| (format!("`{key}` says `{text}`, which is no size"), like(key));
    checked(keys, key, |said: Size| match said {
        Size::Bytes(0) => Err(wrong("0")),
        Size::Bytes(bytes) => Ok(bytes),
        Size::Words(text) => {
            let size = Quantity::parse(&text).ok().filter(|size| size.unit() == Unit::Bytes && size.is_whole());
            let size = size.map(|size| size.value()).filter(|size| *size >= 1.0 && *size <= f64::from(u32::MAX));
            // A whole number that a f64 holds exactly.
            size.map(|size| size as u64).ok_or_else(|| wrong(&text))
        }
    })
}

fn named_chip(chip: String) -> Result<String, Wrong> {
    if chip.trim().is_empty() { Err(("`chip` names no chip".to_owned(), like("chip"))) } else { Ok(chip) }
}

fn clock(hz: u64) -> Result<u64, Wrong> {
    match hz {
        1..=4_294_967_295 => Ok(hz),
        _ => Err((format!("a core does not run at {hz} Hz"), like("clock_hz"))),
    }
}

fn tags(tags: Vec<String>) -> Result<Vec<String>, Wrong> {
    match tags.iter().find(|tag| !sound_name(tag)) {
        None => Ok(tags),
        Some(tag) => Err((format!("`{tag}` cannot be a tag"), "take letters, digits, `_`, `-` and `.`".to_owned())),
    }
}

/// Whether steps, table columns and file names can hold it.
pub(super) fn sound_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
}

fn check_probe(probe: &str) -> Result<(), Wrong> {
    if probe.starts_with('/') {
        return Err((
            format!("`{probe}` is a serial port's name, and no probe"),
            "name the probe by its serial number, as `tinyfarm boards list` shows it".to_owned(),
        ));
    }
    let is_serial = !probe.is_empty() && !probe.contains(|letter: char| letter.is_whitespace());
    let selector = probe.contains(':').then(|| probe.parse::<DebugProbeSelector>());
    match selector {
        Some(Ok(_)) => Ok(()),
        None if is_serial => Ok(()),
        // Serial numbers of colons are some vendors'.
        Some(Err(_)) if is_serial && probe.split(':').count() > 3 => Ok(()),
        _ => Err((format!("`{probe}` is neither a probe's serial number nor a selector"), like("probe"))),
    }
}

fn link(keys: &Keys) -> Result<Link, DefinitionError> {
    let is_serial = choice(keys, "link", &[("rtt", false), ("serial", true)])?.unwrap_or(false);
    let interface = keys.get::<u8>("serial.interface")?.map(|said| said.value);
    let usb = checked(keys, "serial.usb", |usb: String| Identity::usb(&usb, interface).map_err(no_port))?;
    let path = checked(keys, "serial.path", |path: String| {
        Identity::path(based(keys.place("serial.path"), &path)).map_err(no_port)
    })?;
    let baud = checked(keys, "serial.baud", |baud: u32| match baud {
        0 => Err(("a port of 0 baud says nothing".to_owned(), like("serial.baud"))),
        baud => Ok(baud),
    })?;
    let identity = match (usb, path) {
        (Some(_), Some(_)) => {
            return Err(keys.place("serial.path").wrong("the serial port has both `usb` and `path`", "leave one"));
        }
        (usb, path) => usb.or(path),
    };
    match (is_serial, identity) {
        (true, identity) => Ok(Link::Serial(SerialPort { identity, baud: baud.unwrap_or(BAUD) })),
        (false, None) => Ok(Link::Rtt),
        (false, Some(_)) => {
            let key = if keys.get::<String>("serial.usb")?.is_some() { "serial.usb" } else { "serial.path" };
            Err(keys.place(key).wrong(
                "a serial port, and a link that is not serial",
                "say `link = \"serial\"`, or leave `serial` out",
            ))
        }
    }
}

fn no_port(error: IdentityError) -> Wrong {
    match error {
        IdentityError::Unstable { path, mend } => {
            (format!("{} is not the same port after a reset or another boot", path.display()), mend)
        }
        IdentityError::Malformed(text) => (format!("`{text}` names no serial port"), like("serial.usb")),
        IdentityError::TwoInterfaces { interface, .. } => (
            format!("`usb` names another interface than `interface = {interface}`"),
            "leave one of them out".to_owned(),
        ),
    }
}

fn unique_id(keys: &Keys) -> Result<Option<UniqueId>, DefinitionError> {
    let address = keys.get::<u32>("unique_id.address")?.map(|said| said.value);
    let words = checked(keys, "unique_id.words", |words: u32| match words {
        1..=8 => Ok(words),
        _ => Err((format!("a chip's number has 1 to 8 words, not {words}"), like("unique_id.words"))),
    })?;
    let value = keys.get::<String>("unique_id.value")?;
    let (Some(address), Some(words)) = (address, words) else {
        return match ["unique_id.value", "unique_id.address", "unique_id.words"].map(|key| keys.has(key)) {
            [false, false, false] => Ok(None),
            [true, ..] => Err(keys
                .place("unique_id.value")
                .wrong("where the chip's own number stands is not known", "say `address` and `words`, too")),
            [_, true, _] => Err(keys
                .place("unique_id.address")
                .wrong("how long the chip's own number is, is not known", "say `words`, too")),
            _ => Err(keys
                .place("unique_id.words")
                .wrong("where the chip's own number stands is not known", "say `address`, too")),
        };
    };
    let value = match value {
        None => None,
        Some(Said { value, place }) => {
            let wanted = words as usize * 4;
            let bytes = bytes_of(&value).filter(|bytes| bytes.len() == wanted);
            Some(bytes.ok_or_else(|| {
                place.wrong(
                    format!("`{value}` is no number of {words} words"),
                    format!(
                        "write its {} hex digits, bytes in the order of memory, as `tinyfarm boards doctor` shows them",
                        wanted * 2
                    ),
                )
            })?)
        }
    };
    Ok(Some(UniqueId { address: address.into(), words, value }))
}

/// Bytes written in hex.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentify {
    address: u32,
    #[serde(default = "all_bits")]
    mask: u32,
    value: u32,
}

fn all_bits() -> u32 {
    u32::MAX
}

fn identify(words: Vec<RawIdentify>) -> Result<Vec<Identify>, Wrong> {
    let one = |RawIdentify { address, mask, value }| {
        let mend = "let `value` have only bits of `mask`, and `address` be a multiple of 4";
        if value & !mask != 0 || mask == 0 {
            return Err((format!("no word fits the mask {mask:#x} and the value {value:#x}"), mend.to_owned()));
        }
        if address % 4 != 0 {
            return Err((format!("no word is at {address:#x}"), mend.to_owned()));
        }
        Ok(Identify { address: address.into(), mask, value })
    };
    words.into_iter().map(one).collect()
}

fn reset(keys: &Keys) -> Result<Option<Reset>, DefinitionError> {
    let line = choice(keys, "reset.line", &[("dtr", Reset::Dtr), ("rts", Reset::Rts)])?;
    match (line, hook(keys, "reset.command", TIMEOUT)?) {
        (Some(_), Some(_)) => {
            Err(keys.place("reset.command").wrong("`reset` has both `line` and `command`", "leave one"))
        }
        (line, None) => Ok(line),
        (None, Some(hook)) => Ok(Some(Reset::Command(hook))),
    }
}

fn timeout(keys: &Keys) -> Result<Option<Duration>, DefinitionError> {
    checked(keys, "power.timeout", |text: String| {
        let time = Quantity::parse(&text).ok().filter(|time| time.unit() == Unit::Seconds && time.value() > 0.0);
        let time = time.and_then(|time| Duration::try_from_secs_f64(time.value()).ok());
        time.ok_or_else(|| (format!("`{text}` is no time"), like("power.timeout")))
    })
}

fn hook(keys: &Keys, key: &'static str, timeout: Duration) -> Result<Option<Hook>, DefinitionError> {
    let Some(Said { value: mut command, place }) = keys.get::<Vec<String>>(key)? else { return Ok(None) };
    match command.first_mut() {
        Some(program) if !program.is_empty() => {
            // Only then does it not depend on where the farm was started.
            if program.contains('/') {
                *program = based(&place, program).to_string_lossy().into_owned();
            }
        }
        _ => return Err(place.wrong(format!("`{key}` names no program"), like(key))),
    }
    let folder = place.folder.unwrap_or_default();
    Ok(Some(Hook { command, folder, timeout }))
}

/// A path of a file, which is relative to the file's folder.
fn based(place: &Place, path: &str) -> PathBuf {
    place.folder.as_deref().unwrap_or(Path::new("")).join(path)
}
