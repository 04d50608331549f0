//! Chips as probe-rs describes them, and the runner's port for each.
//!
//! | module | what lives there |
//! |---|---|
//! | [`memory`] | regions of probe-rs put together to the pieces that a linker can use |
//! | [`port`] | the port derived from a chip |

pub mod memory;
mod port;
#[cfg(test)]
mod tests;

pub use memory::{Flash, Units};
pub use port::port_of;

use crate::{definition::text_of, probe::words::chain};
use farm::suggest;
use firmware::port::Memory;
use probe_rs::config::{CoreType, MemoryRegion, Registry, RegistryError, Target};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

include!(concat!(env!("OUT_DIR"), "/chips.rs"));

/// What is wrong with a chip, or with a board's definition in the light of its chip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {mend}")]
pub struct ChipError {
    /// The key of the definition that is to be mended: `chip`, `limits.flash`.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
    /// The mend.
    pub mend: String,
}

impl ChipError {
    fn new(key: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { key, what: what.into(), mend: mend.into() }
    }
}

/// One chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// Its name, as probe-rs has it.
    pub name: String,
    /// The architecture of the core that the runner runs on: the chip's first.
    pub core_type: CoreType,
    /// What it may run code from without a word of configuration, in pieces as large as they come.
    pub flash: Vec<Flash>,
    /// What its core can read and write, in pieces as large as they come.
    pub ram: Vec<Memory>,
}

/// Every chip that probe-rs knows, the simulated ones, and those that the user's own files describe.
pub struct Chips {
    /// Not read before it is wanted: probe-rs knows thousands of chips.
    registry: OnceLock<Registry>,
    own: Vec<String>,
}

impl fmt::Debug for Chips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chips").field("own", &self.own.len()).finish_non_exhaustive()
    }
}

impl Default for Chips {
    fn default() -> Self {
        Self::shipped()
    }
}

impl Chips {
    /// Those that need no description of the user's.
    pub fn shipped() -> Self {
        Self { registry: OnceLock::new(), own: Vec::new() }
    }

    /// With those that `files` describe to probe-rs.
    ///
    /// # Errors
    /// A file that cannot be read, or that probe-rs does not understand; with the file.
    pub fn with(files: &[PathBuf]) -> Result<Self, (PathBuf, ChipError)> {
        let mut chips = Self::shipped();
        for path in files {
            let text = description(path).map_err(|error| (path.clone(), error))?;
            if !chips.own.contains(&text) {
                chips.own.push(text);
            }
        }
        Ok(chips)
    }

    /// What probe-rs attaches by.
    pub fn registry(&self) -> &Registry {
        self.registry.get_or_init(|| {
            let mut registry = Registry::from_builtin_families();
            let simulated = CHIP_FILES.iter().map(|(_, text)| *text);
            for text in simulated.chain(self.own.iter().map(String::as_str)) {
                if let Err(error) = registry.add_target_family_from_yaml(text) {
                    // A test reads the shipped ones, and the user's were read before.
                    tracing::error!(%error, "a chip's description is left out");
                }
            }
            registry
        })
    }

    /// The chip of this name, as the farm builds for it.
    ///
    /// # Errors
    /// As [`Self::target`]; or its first core is none that the runner can be built for.
    pub fn chip(&self, name: &str) -> Result<Chip, ChipError> {
        Chip::of(&self.target(name)?)
    }

    /// The chip of this name, as probe-rs attaches to it.
    ///
    /// # Errors
    /// probe-rs knows no such chip, or several.
    pub fn target(&self, name: &str) -> Result<Target, ChipError> {
        self.registry().get_target_by_name(name).map_err(|error| match error {
            RegistryError::ChipNotUnique(_, found) => {
                let found: Vec<&str> = found.split(", ").take(6).collect();
                ChipError::new(
                    "chip",
                    format!("`{name}` may be several chips"),
                    format!("say which: {}", found.join(", ")),
                )
            }
            _ => ChipError::new("chip", format!("probe-rs knows no chip `{name}`"), self.nearest(name)),
        })
    }

    /// The chips whose names are nearest, as a mend.
    fn nearest(&self, name: &str) -> String {
        let families = self.registry().families().iter();
        let mut names: Vec<&str> = families
            .flat_map(|family| &family.variants)
            .flat_map(|chip| chip.package_variants())
            .map(String::as_str)
            .collect();
        let mut near = Vec::new();
        while near.len() < 3
            && let Some(found) = suggest::nearest(name, names.iter().copied())
        {
            near.push(format!("`{found}`"));
            names.retain(|name| *name != found);
        }
        let own = "describe it in a file and name that by `chip_description`";
        if near.is_empty() {
            own.to_owned()
        } else {
            format!("did you mean {}? If it is none of them, {own}", near.join(", "))
        }
    }
}

/// The text of a chip's description, if probe-rs understands it.
fn description(path: &Path) -> Result<String, ChipError> {
    let wrong = |what: String, mend: &str| ChipError::new("chip_description", what, mend);
    let text = text_of(path)
        .map_err(|error| wrong(format!("{} cannot be read ({error})", path.display()), "check the path"))?;
    match Registry::new().add_target_family_from_yaml(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(wrong(
            format!("probe-rs does not understand {}: {}", path.display(), chain(&error)),
            "it is a target description as `target-gen` of probe-rs makes them",
        )),
    }
}

impl Chip {
    /// What of probe-rs' description the farm needs.
    fn of(target: &Target) -> Result<Self, ChipError> {
        let Some(core) = target.cores.first().filter(|core| core.core_type.is_cortex_m()) else {
            let core = target.cores.first().map_or("none".to_owned(), |core| format!("{:?}", core.core_type));
            return Err(ChipError::new(
                "chip",
                format!("the farm has no runner for the core of {} ({core})", target.name),
                "take a chip with a Cortex-M, or say `firmware = \"own\"` and `link = \"serial\"`",
            ));
        };
        let algorithms = |range: &std::ops::Range<u64>| memory::units(target, &core.name, range);
        let nvm = target.memory_map.iter().filter_map(MemoryRegion::as_nvm_region);
        let flash = nvm
            .filter(|region| region.accessible_by(&core.name) && !region.is_alias)
            .filter(|region| region.is_readable() && region.is_executable())
            .map(|region| Flash {
                range: region.range.clone(),
                boots: region.is_boot_memory(),
                units: algorithms(&region.range),
            })
            .collect();
        let ram = target.memory_map.iter().filter_map(MemoryRegion::as_ram_region);
        let ram = ram
            .filter(|region| region.accessible_by(&core.name) && region.is_readable() && region.is_writable())
            .map(|region| region.range.clone())
            .collect();
        Ok(Self {
            name: target.name.clone(),
            core_type: core.core_type,
            flash: memory::merge_flash(flash),
            ram: memory::merge(ram)
                .into_iter()
                .map(|range| Memory { origin: range.start, length: range.end - range.start })
                .collect(),
        })
    }
}
