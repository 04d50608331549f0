//! Which sources make a runner, and with which flags; `runner/README.md` has the words. Touches no compiler.
//!
//! Paths in flags are relative or begin with [`TFLM`], so that neither keys nor the firmware depend on where things lie.

use super::{BuildError, cache::Files, own::Own};
use crate::{
    port::{Compiler, Ops, Port},
    tflm::{DOWNLOADS, TflmSource},
};
use farm::Digest;
use std::{
    fs,
    path::{Path, PathBuf},
};

include!(concat!(env!("OUT_DIR"), "/runner.rs"));

/// Stands for TFLM's folder in flags.
pub const TFLM: &str = "{TFLM}";

const CPP: [&str; 5] = ["-std=c++11", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit", "-fpermissive"];

const COMMON: [&str; 14] = [
    "-fno-exceptions",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-funsigned-char",
    "-fno-delete-null-pointer-checks",
    "-fomit-frame-pointer",
    "-fno-short-enums",
    "-ffp-contract=off",
    "-DTF_LITE_STATIC_MEMORY",
    "-DTF_LITE_MCU_DEBUG_LOG",
    "-DGEMMLOWP_ALLOW_SLOW_SCALAR_FALLBACK",
    "-DNDEBUG",
];

/// Folders below TFLM's root whose files the compiler may be given: every header below them counts as an input.
/// `true`: with all below.
const TREES: [(&str, bool); 11] = [
    ("tensorflow/core/public", true),
    ("tensorflow/lite", false),
    ("tensorflow/lite/c", true),
    ("tensorflow/lite/core", true),
    ("tensorflow/lite/kernels", true),
    ("tensorflow/lite/schema", true),
    ("tensorflow/lite/micro", false),
    ("tensorflow/lite/micro/kernels", true),
    ("tensorflow/lite/micro/memory_planner", true),
    ("tensorflow/lite/micro/tools/make/downloads/flatbuffers/include", true),
    ("tensorflow/lite/micro/tools/make/downloads", true),
];

/// TFLM's files as they are on disk now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Digest over every header, path and bytes.
    pub headers: Digest,
    /// Sources to compile: path below TFLM's root, and digest.
    pub sources: Vec<(String, Digest)>,
}

impl Tree {
    /// Looks at TFLM's files.
    ///
    /// # Errors
    /// [`BuildError::Io`] where one cannot be read.
    pub fn look(tflm: &TflmSource, files: &Files) -> Result<Self, BuildError> {
        let mut paths = Vec::new();
        for (folder, deep) in TREES {
            list(tflm.root(), folder, deep, &mut paths)?;
        }
        paths.sort();
        paths.dedup();
        let mut headers = Vec::new();
        let mut sources = Vec::new();
        for path in paths {
            if is_source(&path) {
                let digest = files.digest(&tflm.root().join(&path))?;
                sources.push((path, digest));
            } else if path.ends_with(".h") || path.ends_with(".inc") || path.ends_with(".hpp") {
                let digest = files.digest(&tflm.root().join(&path))?;
                headers.extend([Digest::of(path.as_bytes()), digest]);
            }
        }
        Ok(Self { headers: Digest::of_parts(headers.iter().map(|digest| &digest.0[..])), sources })
    }
}

/// Files below `folder`, as paths below `root`. A folder that this TFLM does not have is empty.
fn list(root: &Path, folder: &str, deep: bool, paths: &mut Vec<String>) -> Result<(), BuildError> {
    // TFLM's downloads may hold compilers and SDKs; these are what the include folders name.
    const THIRD_PARTY: [&str; 4] = ["flatbuffers/include", "gemmlowp", "ruy", "kissfft"];
    if folder == DOWNLOADS {
        for name in THIRD_PARTY {
            list(root, &format!("{folder}/{name}"), true, paths)?;
        }
        return Ok(());
    }
    let path = root.join(folder);
    let Ok(entries) = fs::read_dir(&path) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(|error| BuildError::io(&path, error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // Links are followed, as the compiler does; one that leads nowhere is nothing that it can read.
        let Ok(meta) = fs::metadata(entry.path()) else { continue };
        let below = format!("{folder}/{name}");
        if meta.is_dir() && deep {
            list(root, &below, true, paths)?;
        } else if !meta.is_dir() {
            paths.push(below);
        }
    }
    Ok(())
}

/// Whether TFLM's file at this path is compiled.
fn is_source(path: &str) -> bool {
    const SINGLE: [&str; 7] = [
        "tensorflow/lite/c/common.c",
        "tensorflow/lite/core/api/error_reporter.cc",
        "tensorflow/lite/core/api/flatbuffer_conversions.cc",
        "tensorflow/lite/core/api/op_resolver.cc",
        "tensorflow/lite/core/api/tensor_utils.cc",
        "tensorflow/lite/kernels/internal/quantization_util.cc",
        "tensorflow/lite/kernels/kernel_util.cc",
    ];
    const WHOLE: [&str; 3] =
        ["tensorflow/lite/micro", "tensorflow/lite/micro/kernels", "tensorflow/lite/micro/memory_planner"];
    // The runner has a DebugLog of its own; the others are tests and tools.
    const WITHOUT: [&str; 4] = ["_test.cc", "/debug_log.cc", "/test_helpers.cc", "/micro_optional_debug_tools.cc"];
    SINGLE.contains(&path)
        || path.rsplit_once('/').is_some_and(|(folder, name)| WHOLE.contains(&folder) && name.ends_with(".cc"))
            && !WITHOUT.iter().any(|end| path.ends_with(end))
}

/// One file to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Path below TFLM's root or the runner's folder.
    pub source: String,
    /// Whether it is one of the runner's own.
    pub own: bool,
    /// Whether it is C++.
    pub cpp: bool,
    /// Every flag, with [`TFLM`] where TFLM's folder belongs.
    pub flags: Vec<String>,
    /// Digest of its bytes and of all headers it might include.
    pub content: Digest,
    /// Whether it is told the build digest, which is then part of its key.
    pub told_digest: bool,
}

impl Unit {
    /// What names its object: everything that goes into it.
    pub fn key(&self, toolchain: &Digest) -> Digest {
        let kind = [self.own.into(), self.cpp.into()];
        let mut parts = vec![&toolchain.0[..], &self.content.0, self.source.as_bytes(), &kind];
        parts.extend(self.flags.iter().map(|flag| flag.as_bytes()));
        Digest::of_parts(parts)
    }
}

/// All that makes one runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// What to compile.
    pub units: Vec<Unit>,
    /// Flags of the link, before the objects.
    pub link: Vec<String>,
    /// Defines of the linker script; `None`: the host needs none.
    pub script: Option<Vec<String>>,
}

impl Recipe {
    /// The recipe for `port`.
    pub fn of(port: &Port, tflm: &TflmSource, tree: &Tree) -> Self {
        let own_headers = digest_of_files(|path| path.ends_with(".h") || path.ends_with(".inc"));
        let mut units = Vec::new();
        for (source, content) in &tree.sources {
            let cpp = source.ends_with(".cc");
            let name = source.rsplit('/').next().unwrap_or(source);
            let mut flags = flags(port, cpp, &["-g0", "-w"], ".");
            flags.extend(port.file_flags.get(name).into_iter().flatten().cloned());
            let content = Digest::of_parts([&tree.headers.0[..], &content.0]);
            units.push(Unit { source: source.clone(), own: false, cpp, flags, content, told_digest: false });
        }
        let defines = defines(port, tflm);
        for (source, bytes) in FILES {
            let here = source.rsplit_once('/').map_or("", |(folder, _)| folder);
            let wanted = here.is_empty() || here == if port.is_host() { "host" } else { "cortexm" };
            let cpp = source.ends_with(".cc");
            if !wanted || !(cpp || source.ends_with(".c") || source.ends_with(".S")) {
                continue;
            }
            // Paths of this machine must not get into the firmware by way of `__FILE__`.
            let mut flags = flags(port, cpp, &["-g0", "-Wall", "-Wextra"], TFLM);
            flags.extend(["-I.".to_owned(), format!("-fmacro-prefix-map={TFLM}/=")]);
            flags.extend(defines.iter().cloned());
            let content = Digest::of_parts([&tree.headers.0[..], &own_headers.0, bytes]);
            let told_digest = bytes.windows(13).any(|word| word == b"RUNNER_DIGEST");
            units.push(Unit { source: (*source).to_owned(), own: true, cpp, flags, content, told_digest });
        }
        Self { units, link: link(port), script: script(port) }
    }

    /// The same runner with just the operators of `own`, and its model inside.
    pub fn with_own(&self, port: &Port, tflm: &TflmSource, tree: &Tree, own: &Own) -> Self {
        let kept = self.units.iter().filter(|unit| !(unit.own && unit.source == "ops.cc")).cloned();
        let units = kept.chain(own_units(port, tflm, tree, own, "image.S", "own/ops.cc")).collect();
        Self { units, ..self.clone() }
    }

    /// What would ship: start-up, TFLM with those operators, model and a small main. `arena`: bytes of it; `None`: all.
    pub fn shipping(&self, port: &Port, tflm: &TflmSource, tree: &Tree, own: &Own, arena: Option<u64>) -> Self {
        const START_UP: [&str; 2] = ["cortexm/startup.c", "cortexm/syscalls.c"];
        let kept = self.units.iter().filter(|unit| !unit.own || START_UP.contains(&unit.source.as_str())).cloned();
        let units = kept.chain(own_units(port, tflm, tree, own, "model.S", "own/ship.cc")).collect();
        let script = self.script.clone().map(|mut defines| {
            // Nobody erases the model alone.
            defines.retain(|define| !define.starts_with("-DMODEL_ALIGN="));
            defines.push("-DMODEL_ALIGN=0x10".to_owned());
            defines.extend(arena.map(|bytes| format!("-DARENA_SIZE={bytes:#x}")));
            defines
        });
        Self { units, link: self.link.clone(), script }
    }

    /// The build digest: over compiler, sources and flags of everything in it. The runner reports it.
    pub fn digest(&self, port: &Port, toolchain: &Digest) -> Digest {
        let keys: Vec<Digest> = self.units.iter().map(|unit| unit.key(toolchain)).collect();
        let linker_script = digest_of_files(|path| path == LINKER_SCRIPT);
        let mut parts: Vec<&[u8]> = vec![b"runner 1", port.name.as_bytes(), &toolchain.0];
        parts.extend(keys.iter().map(|key| &key.0[..]));
        parts.push(b"link");
        parts.extend(self.link.iter().map(|flag| flag.as_bytes()));
        if let Some(script) = &self.script {
            parts.extend([&b"script"[..], &linker_script.0]);
            parts.extend(script.iter().map(|define| define.as_bytes()));
        }
        Digest::of_parts(parts)
    }
}

fn own_units(port: &Port, tflm: &TflmSource, tree: &Tree, own: &Own, model: &str, program: &str) -> Vec<Unit> {
    let own_headers = digest_of_files(|path| path.ends_with(".h") || path.ends_with(".inc"));
    let defines = defines(port, tflm);
    let unit = |source: String, bytes: &[u8]| {
        let cpp = source.ends_with(".cc");
        let mut flags = flags(port, cpp, &["-g0", "-Wall", "-Wextra"], TFLM);
        flags.extend(["-I.".to_owned(), format!("-fmacro-prefix-map={TFLM}/=")]);
        flags.extend(defines.iter().cloned());
        let content = Digest::of_parts([&tree.headers.0[..], &own_headers.0, &own.digest.0, bytes]);
        Unit { source, own: true, cpp, flags, content, told_digest: false }
    };
    let mut units: Vec<Unit> = own
        .files()
        .iter()
        .filter(|(name, _)| name.ends_with("operators.cc") || name.ends_with(&format!("/{model}")))
        .map(|(name, bytes)| unit(name.clone(), bytes))
        .collect();
    let shipped = FILES.iter().filter(|(path, _)| *path == program);
    units.extend(shipped.map(|(path, bytes)| unit((*path).to_owned(), bytes)));
    units
}

/// The linker script among the runner's files.
pub const LINKER_SCRIPT: &str = "link.ld.in";

/// Digest over those of the runner's files that are wanted, paths and bytes.
pub fn digest_of_files(wanted: impl Fn(&str) -> bool) -> Digest {
    let files = FILES.iter().filter(|(path, _)| wanted(path));
    Digest::of_parts(files.flat_map(|(path, bytes)| [path.as_bytes(), bytes]))
}

fn flags(port: &Port, cpp: bool, kind: &[&str], tflm: &str) -> Vec<String> {
    let downloads = format!("{tflm}/{DOWNLOADS}");
    let mut flags: Vec<String> = if cpp { CPP.map(str::to_owned).to_vec() } else { Vec::new() };
    flags.extend(kind.iter().chain(&COMMON).map(|flag| (*flag).to_owned()));
    if port.compiler == Compiler::ArmNoneEabi {
        flags.push("--specs=nano.specs".to_owned());
    }
    // TFLM's headers warn; `-isystem` keeps that out of the runner's warnings.
    let include = if tflm == TFLM { "-isystem" } else { "-I" };
    flags.push(format!("{include}{tflm}"));
    for folder in ["", "/gemmlowp", "/flatbuffers/include", "/ruy", "/kissfft", "/kissfft/tools"] {
        flags.push(format!("{include}{downloads}{folder}"));
    }
    flags.extend(port.flags.iter().chain(&port.optimise).cloned());
    flags
}

fn defines(port: &Port, tflm: &TflmSource) -> Vec<String> {
    let mut defines = vec![
        format!("-DPORT_CORE={:?}", port.core),
        format!("-DRUNNER_VERSION={:?}", env!("CARGO_PKG_VERSION")),
        format!("-DTFLM_VERSION={:?}", tflm.version()),
    ];
    if !port.is_host() {
        defines.push(format!("-DPORT_CLOCK_HZ={}", port.clock_hz));
    }
    if port.vtor {
        defines.push("-DPORT_VTOR=1".to_owned());
    }
    if let Some(rtt) = &port.rtt {
        defines.push(format!("-DPORT_RTT_UP={}", rtt.up));
        defines.push(format!("-DPORT_RTT_DOWN={}", rtt.down));
    }
    if let Some(uart) = &port.uart {
        defines.push(format!("-DPORT_UART_{}=1", uart.driver.define()));
        defines.push(format!("-DPORT_UART_BASE={:#x}", uart.base));
        defines.push(format!("-DPORT_UART_IRQ={}", uart.irq));
    }
    if let Some(shared) = &port.shared_memory {
        defines.push(format!("-DPORT_SHARED_MEMORY_BASE={:#x}", shared.base));
        defines.push(format!("-DPORT_SHARED_MEMORY_SIZE={:#x}", shared.size));
    }
    if let Ops::Only(ops) = &port.ops {
        let list: Vec<String> = ops.iter().map(|op| format!("OP({op})")).collect();
        defines.push(format!("-DRUNNER_OPS(OP)={}", list.join(" ")));
    }
    defines
}

fn link(port: &Port) -> Vec<String> {
    let mut link: Vec<String> = port.flags.iter().chain(&port.optimise).cloned().collect();
    let more: &[&str] = match port.compiler {
        // newlib is built with short enums, and no enum crosses over.
        Compiler::ArmNoneEabi => &["--specs=nano.specs", "-nostartfiles", "-Wl,--no-enum-size-warning"],
        Compiler::X86_64 => &["-static"],
    };
    // A build id would differ by nothing but itself.
    link.extend(more.iter().chain(&["-Wl,--gc-sections", "-Wl,--build-id=none"]).map(|flag| (*flag).to_owned()));
    link
}

fn script(port: &Port) -> Option<Vec<String>> {
    let (flash, ram) = (port.flash?, port.ram?);
    let defines = [
        ("FLASH_ORIGIN", flash.origin),
        ("FLASH_LENGTH", flash.length),
        ("RAM_ORIGIN", ram.origin),
        ("RAM_LENGTH", ram.length),
        ("STACK_SIZE", port.stack),
        ("HEAP_SIZE", port.heap),
        ("MODEL_ALIGN", port.model_align),
    ];
    Some(defines.iter().map(|(name, value)| format!("-D{name}={value:#x}")).collect())
}

/// A flag as the compiler gets it.
pub fn resolve(flag: &str, tflm: &TflmSource) -> PathBuf {
    match flag.split_once(TFLM) {
        None => PathBuf::from(flag),
        Some((before, after)) => {
            let mut whole = std::ffi::OsString::from(before);
            whole.push(tflm.root());
            whole.push(after);
            PathBuf::from(whole)
        }
    }
}
