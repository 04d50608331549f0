//! Whether the board behind the probe is the one that its definition means. Everything here is read, and compared before
//! the first write: a wrong chip is never flashed.

use super::words::could_not;
use crate::definition::Definition;
use farm::TargetError;
use firmware::port::Core;
use probe_rs::MemoryInterface;

/// What a board turned out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The core's CPUID register.
    pub cpuid: u32,
    /// The words that were asked for, in order.
    pub words: Vec<u32>,
    /// Its own number, as it lies in memory.
    pub unique_id: Option<Vec<u8>>,
    /// Whether it says of itself that it is simulated.
    pub simulated: bool,
}

const CPUID: u64 = 0xE000_ED00;
/// The MEMTYPE register of the core's ROM table, 0 or 1 in silicon (Arm Debug Interface v5.2, D3.2).
const MARKER: u64 = 0xE00F_FFCC;
/// `FTSB`, by which a simulated board says what it is.
const SIMULATED: u32 = 0x4253_5446;

/// Reads what `definition` asks for. `behind_a_socket`: whether the probe is, and so the board may be simulated.
///
/// # Errors
/// What the probe said.
pub fn see(core: &mut probe_rs::Core<'_>, definition: &Definition, behind_a_socket: bool) -> Result<Seen, TargetError> {
    let mut read = |what: &str, address: u64| {
        core.read_word_32(address).map_err(|error| could_not(&format!("read {what} at {address:#010x}"), &error))
    };
    let simulated = behind_a_socket && read("the simulated board's mark", MARKER)? == SIMULATED;
    let cpuid = read("the core's CPUID", CPUID)?;
    let words = definition.identify.iter().map(|word| read("the chip's identification", word.address));
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let unique_id = match &definition.unique_id {
        Some(id) => {
            let words = (0..u64::from(id.words)).map(|word| read("the chip's unique id", id.address + 4 * word));
            let words = words.collect::<Result<Vec<_>, _>>()?;
            Some(words.iter().flat_map(|word| word.to_le_bytes()).collect())
        }
        None => None,
    };
    Ok(Seen { cpuid, words, unique_id, simulated })
}

/// Whether `seen` is what `definition` means.
///
/// # Errors
/// What differs, in words.
pub fn check(definition: &Definition, seen: &Seen) -> Result<(), String> {
    match (definition.is_simulated(), seen.simulated) {
        (true, false) => return Err("it is no simulated board, and its definition says that it is one".to_owned()),
        (false, true) => {
            return Err("it is a simulated board, and its definition does not say so (`simulated`)".to_owned());
        }
        _ => {}
    }
    if let Some(core) = definition.core
        && part(seen.cpuid) != core.cpuid_part()
    {
        return Err(format!("its core is {}, the definition's {}", name(seen.cpuid), core.name()));
    }
    for (word, found) in definition.identify.iter().zip(&seen.words) {
        if !word.fits(*found) {
            return Err(format!(
                "at {:#010x} it has {:#x} (of {:#x}), the definition's chip {:#x}",
                word.address,
                found & word.mask,
                word.mask,
                word.value
            ));
        }
    }
    let wanted = definition.unique_id.as_ref().and_then(|id| id.value.as_ref());
    if let (Some(wanted), Some(found)) = (wanted, &seen.unique_id)
        && wanted != found
    {
        let (found, wanted) = (hex(found), hex(wanted));
        return Err(format!(
            "its unique id is {found}, the definition's {wanted}: another board of this kind hangs on the probe"
        ));
    }
    Ok(())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The core as its CPUID says.
fn name(cpuid: u32) -> String {
    let known = Core::ALL.iter().find(|core| core.cpuid_part() == part(cpuid));
    known.map_or_else(|| format!("none that is known (CPUID {cpuid:#010x})"), |core| core.name().to_owned())
}

fn part(cpuid: u32) -> u32 {
    cpuid >> 4 & 0xFFF
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::definition::Definitions;

    fn told(seen: Seen) -> String {
        let folder = tempfile::tempdir().unwrap();
        let board = r#"
            chip = "STM32F405RGTx"
            core = "Cortex-M4F"
            probe = "066BFF"
            identify = [{ address = 0xE004_2000, mask = 0xFFF, value = 0x413 }]
            unique_id = { address = 0x1FFF_7A10, words = 1, value = "001122AA" }
        "#;
        std::fs::write(folder.path().join("one.toml"), board).unwrap();
        let definitions = Definitions::load(&[folder.path().to_owned()]).unwrap();
        let definition = definitions.boards.iter().find(|board| board.name == "one").unwrap();
        check(definition, &seen).err().unwrap_or_else(|| "it is".to_owned())
    }

    #[test]
    fn a_board_that_is_another_is_told_by_what_differs() {
        let right = Seen {
            cpuid: 0x410F_C241,
            words: vec![0x1007_6413],
            unique_id: Some(vec![0x00, 0x11, 0x22, 0xAA]),
            simulated: false,
        };
        let shown = [
            told(right.clone()),
            told(Seen { cpuid: 0x410C_C601, ..right.clone() }),
            told(Seen { cpuid: 0x631F_1321, ..right.clone() }),
            told(Seen { words: vec![0x2003_6410], ..right.clone() }),
            told(Seen { unique_id: Some(vec![0x00, 0x11, 0x22, 0xAB]), ..right.clone() }),
            told(Seen { simulated: true, ..right }),
        ];
        insta::assert_snapshot!(shown.join("\n"), @r"
        it is
        its core is Cortex-M0+, the definition's Cortex-M4F
        its core is none that is known (CPUID 0x631f1321), the definition's Cortex-M4F
        at 0xe0042000 it has 0x410 (of 0xfff), the definition's chip 0x413
        its unique id is 001122ab, the definition's 001122aa: another board of this kind hangs on the probe
        it is a simulated board, and its definition does not say so (`simulated`)
        ");
    }
}
