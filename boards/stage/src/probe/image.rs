//! What is to lie in a board's memory: the runner's loadable segments, at their load addresses, and the model image.

use super::plan::{Found, Piece};
use farm::{Model, TargetError};
use firmware::{Firmware, ModelImage, symbols};
use object::{
    Endianness,
    elf::{FileHeader32, PT_LOAD},
    read::elf::{ElfFile, ProgramHeader},
};
use std::{fs, ops::Range};

/// Bytes of the build digest that the runner carries: SHA-256 in hex.
const DIGEST: u64 = 64;
/// Runner and model for one board.
#[derive(Debug, Clone)]
pub struct Image {
    /// The runner.
    pub runner: Vec<Piece>,
    /// The model.
    pub model: Piece,
    /// Where the runner's build digest lies.
    pub digest_at: u64,
    /// The vector table, where all of it goes to RAM.
    pub vectors_in_ram: Option<u64>,
    /// What its marks must be.
    pub wanted: Found,
}

impl Image {
    /// The image of `firmware` with `model`, for flash or for RAM. Reads the ELF file.
    ///
    /// # Errors
    /// [`TargetError::Blocked`] where the file cannot be read or is not what the builder makes.
    pub fn of(firmware: &Firmware, model: &Model, in_ram: bool) -> Result<Self, TargetError> {
        let bad = |what: String| {
            TargetError::Blocked(format!("{}: {what}; remove it, it is built again", firmware.elf.display()))
        };
        let bytes = fs::read(&firmware.elf).map_err(|error| bad(error.to_string()))?;
        let mut runner = segments(&bytes).map_err(bad)?;
        // A model's own firmware has it inside; it is a piece of its own, with its mark.
        runner.retain(|(at, _)| !(firmware.holds_model && *at == firmware.model_start));
        if runner.is_empty() {
            return Err(bad("it has nothing to load".to_owned()));
        }
        let address =
            |symbol: &str| firmware.address(symbol).ok_or_else(|| bad(format!("it lacks the symbol {symbol}")));
        let digest_at = address(symbols::RUNNER_DIGEST)?;
        let vectors_in_ram = in_ram.then(|| address(symbols::VECTORS)).transpose()?;
        let model = ModelImage::encode(model);
        let wanted =
            Found { runner: firmware.digest.clone().into_bytes(), model: model[..ModelImage::HEADER].to_vec() };
        Ok(Self { runner, model: (firmware.model_start, model), digest_at, vectors_in_ram, wanted })
    }

    /// Bytes of it all.
    pub fn bytes(&self) -> u64 {
        self.runner.iter().chain([&self.model]).map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Where the marks lie: the runner's digest, the model image's header.
    pub fn marks(&self) -> [Range<u64>; 2] {
        [self.digest_at..self.digest_at + DIGEST, self.model.0..self.model.0 + ModelImage::HEADER as u64]
    }
}

/// What the file's program headers say is to be loaded, by load (physical) address: initialised data lies in flash.
fn segments(elf: &[u8]) -> Result<Vec<Piece>, String> {
    let file = ElfFile::<FileHeader32<Endianness>>::parse(elf).map_err(|error| error.to_string())?;
    let endian = file.endian();
    let mut pieces = Vec::new();
    for header in file.elf_program_headers().iter().filter(|header| header.p_type(endian) == PT_LOAD) {
        let bytes = header.data(endian, elf).map_err(|()| "a segment lies outside of the file".to_owned())?;
        if !bytes.is_empty() {
            pieces.push((u64::from(header.p_paddr(endian)), bytes.to_vec()));
        }
    }
    pieces.sort_by_key(|(address, _)| *address);
    Ok(pieces)
}
