//! What came out of a build: sizes, symbols and the model's room, read from the ELF file.

use super::BuildError;
use farm::Footprint;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, SymbolKind, elf};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A runner linked for a microcontroller. One serves every model, save a model's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// The file.
    pub elf: PathBuf,
    /// Digest of sources, flags and compiler; the runner reports the same.
    pub digest: String,
    /// What it takes on the target, the model and the arena not counted. Of a model's own firmware: what would ship.
    pub footprint: Footprint,
    /// Where the model image must lie.
    pub model_start: u64,
    /// How many bytes it may have.
    pub model_room: u64,
    /// Bytes of tensor arena.
    pub arena: u64,
    /// Whether the model lies inside.
    pub holds_model: bool,
    symbols: Symbols,
    addresses: BTreeMap<String, u64>,
}

impl Firmware {
    /// Reads a linked runner.
    ///
    /// # Errors
    /// [`BuildError::BadElf`] where it is no ELF file or lacks the linker's symbols, [`BuildError::Io`].
    pub fn read(elf: &Path, digest: &str) -> Result<Self, BuildError> {
        let bytes = fs::read(elf).map_err(|error| BuildError::io(elf, error))?;
        let bad = |what: String| BuildError::BadElf { path: elf.to_path_buf(), what };
        let file = object::File::parse(&*bytes).map_err(|error| bad(error.to_string()))?;
        let address = |name: &str| {
            let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name));
            symbol.map(|symbol| symbol.address()).ok_or_else(|| bad(format!("it lacks the symbol {name}")))
        };
        let model_start = address("__model_start")?;
        let room =
            |start: u64, end: u64| end.checked_sub(start).ok_or_else(|| bad("its memory map is upside down".into()));
        Ok(Self {
            elf: elf.to_path_buf(),
            digest: digest.to_owned(),
            footprint: footprint(&file),
            model_start,
            model_room: room(model_start, address("__model_end")?)?,
            arena: room(address("__arena_start")?, address("__arena_end")?)?,
            holds_model: file.section_by_name(".model").is_some_and(|section| section.size() > 0),
            symbols: Symbols::of(&file),
            addresses: addresses(&file),
        })
    }

    /// The address of a global symbol, such as those in [`crate::symbols`]; `None` where this runner lacks it.
    pub fn address(&self, symbol: &str) -> Option<u64> {
        self.addresses.get(symbol).copied()
    }

    /// The function that holds the instruction at `pc`, demangled no further than the linker's name for it.
    pub fn symbol(&self, pc: u64) -> Option<String> {
        self.symbols.holding(pc).map(str::to_owned)
    }
}

/// The runner linked for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRunner {
    /// The program; it is static, so it runs in an empty container too.
    pub path: PathBuf,
    /// Digest of sources, flags and compiler; the runner reports the same.
    pub digest: String,
}

/// Bytes of code and constants, of initialised and of zeroed data (stack and heap with it), as `size` counts them.
/// Arena and model's room are what is left over, and no sections.
fn footprint(file: &object::File<'_>) -> Footprint {
    let mut footprint = Footprint { text: 0, data: 0, bss: 0 };
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        // A model that lies inside is counted as the model, as one beside it is.
        if sh_flags & elf::SHF_ALLOC == elf::SectionFlags(0) || section.name() == Ok(".model") {
            continue;
        }
        let writable = sh_flags & elf::SHF_WRITE != elf::SectionFlags(0);
        match section.kind() {
            SectionKind::UninitializedData => footprint.bss += section.size(),
            _ if writable => footprint.data += section.size(),
            _ => footprint.text += section.size(),
        }
    }
    footprint
}

/// Addresses of all global symbols, functions' without the bit that says Thumb.
fn addresses(file: &object::File<'_>) -> BTreeMap<String, u64> {
    file.symbols()
        .filter(|symbol| symbol.is_global() && symbol.is_definition())
        .filter_map(|symbol| {
            let thumb = u64::from(symbol.kind() == SymbolKind::Text);
            Some((symbol.name().ok()?.to_owned(), symbol.address() & !thumb))
        })
        .collect()
}

/// Functions by address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Symbols(Vec<(u64, u64, String)>);

impl Symbols {
    fn of(file: &object::File<'_>) -> Self {
        let mut functions: Vec<(u64, u64, String)> = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
            // Bit 0 of a function's address says Thumb.
            .filter_map(|symbol| Some((symbol.address() & !1, symbol.size(), symbol.name().ok()?.to_owned())))
            .filter(|(_, _, name)| !name.is_empty() && !name.starts_with('$'))
            .collect();
        functions.sort();
        Self(functions)
    }

    fn holding(&self, pc: u64) -> Option<&str> {
        let pc = pc & !1;
        let after = self.0.partition_point(|(start, ..)| *start <= pc);
        // A symbol without a size (assembly) reaches to the next one.
        let (start, size, name) =
            self.0[..after].iter().rev().find(|(_, size, _)| *size > 0).or(self.0[..after].last())?;
        (*size == 0 || pc < start + size).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_by_the_function_that_holds_it() {
        let symbols = Symbols(vec![(0x100, 0x20, "first".into()), (0x140, 0x10, "second".into())]);
        assert_eq!(symbols.holding(0x0FF), None);
        assert_eq!(symbols.holding(0x100), Some("first"));
        assert_eq!(symbols.holding(0x11F), Some("first"));
        assert_eq!(symbols.holding(0x120), None);
        assert_eq!(symbols.holding(0x143), Some("second"));
    }
}
