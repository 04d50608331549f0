//! Embeds the runner's sources and the port files, and finds the folder of the `tfmicro` package, which holds TFLM.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);

    let mut ports = String::from("/// Name and text of every port file.\nconst PORT_FILES: &[(&str, &str)] = &[\n");
    for path in files(&here.join("ports"), &|path| path.extension().is_some_and(|ext| ext == "toml"))? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(ports, "    ({name:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    fs::write(out.join("ports.rs"), ports + "];\n")?;

    let runner = here.join("runner");
    let mut sources = String::from(
        "/// Path below `runner/` and bytes of every source of the runner.\npub(crate) const FILES: &[(&str, &[u8])] = &[\n",
    );
    let wanted = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        [".c", ".cc", ".h", ".S", ".inc", ".in"].iter().any(|end| name.ends_with(end))
    };
    for path in files(&runner, &wanted)? {
        let name = path.strip_prefix(&runner).map_err(io::Error::other)?.to_string_lossy().into_owned();
        writeln!(sources, "    ({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
    }
    fs::write(out.join("runner.rs"), sources + "];\n")?;

    if let Some(folder) = tfmicro(&here) {
        println!("cargo::rustc-env=TFMICRO_DIR={}", folder.display());
        // Gone, it is looked for again.
        println!("cargo::rerun-if-changed={}", folder.join("Cargo.toml").display());
    } else {
        println!(
            "cargo::warning=the tfmicro package is not here: run `cargo fetch`; until then only TFLM_DIR can name TFLM's source"
        );
    }
    for path in ["build.rs", "Cargo.toml", "../Cargo.lock", "ports", "runner"] {
        println!("cargo::rerun-if-changed={path}");
    }
    Ok(())
}

/// The files below `folder` that are wanted, sorted.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, wanted)?);
        } else if wanted(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Where cargo keeps the sources of `tfmicro`: it is locked and fetched, never compiled.
fn tfmicro(here: &Path) -> Option<PathBuf> {
    // Without the network first: with everything fetched, a build must not need it.
    [&["--offline"][..], &[]].into_iter().find_map(|network| {
        let output = Command::new(env::var_os("CARGO")?)
            .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
            .arg(here.join("Cargo.toml"))
            .args(network)
            .output()
            .ok()?;
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let packages = metadata.get("packages")?.as_array()?;
        let package = packages.iter().find(|package| package["name"] == "tfmicro")?;
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
        folder.is_dir().then(|| folder.to_path_buf())
    })
}
