//! Embeds the shipped board definitions, and the descriptions of the simulated machines' chips.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let boards = here.join("..");
    let table = |name: &str, what: &str, folder: &Path, end: &str| -> io::Result<String> {
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        files.retain(|path| path.extension().is_some_and(|found| found == end));
        files.sort();
        let mut text = format!("/// {what}\nconst {name}: &[(&str, &str)] = &[\n");
        for path in files {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            writeln!(text, "    ({stem:?}, include_str!({path:?})),").map_err(io::Error::other)?;
        }
        Ok(text + "];\n")
    };
    let definitions = table("DEFINITION_FILES", "Name and text of every shipped definition.", &boards, "toml")?;
    fs::write(out.join("definitions.rs"), definitions)?;
    let chips = boards.join("simulated/chips");
    let chips = table("CHIP_FILES", "Name and text of every simulated chip's description.", &chips, "yaml")?;
    fs::write(out.join("chips.rs"), chips)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
