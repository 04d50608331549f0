//! The files of all folders together: which kind each has its keys from, and what cannot be said twice.

use super::{
    Definition, DefinitionError, Runner,
    keys::{Keys, Place},
    read, shipped,
};
use crate::{
    chip::{self, ChipError, Chips},
    lease,
};
use farm::suggest;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Names that mean something else where a board's may stand: other targets, and columns of an acceptance table.
const TAKEN: [&str; 8] = ["container", "emulator", "board", "host", "qemu", "renode", "bound", "metric"];

/// Every board and every kind, shipped and the user's own, by name.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// Boards: there is one of each.
    pub boards: Vec<Definition>,
    /// Kinds, which boards name.
    pub kinds: Vec<Definition>,
    /// The chips that they are of.
    pub chips: Arc<Chips>,
}

/// A file that was read.
struct Source {
    file: Option<PathBuf>,
    keys: Keys,
}

impl Definitions {
    /// Reads the definitions of `folders` (their `*.toml`, not those of folders within) and those that are part of the
    /// program. A file of the user's takes the place of a shipped one of the same name.
    ///
    /// # Errors
    /// [`DefinitionError`] with the first mistake, by file and line.
    pub fn load(folders: &[PathBuf]) -> Result<Self, DefinitionError> {
        let mut sources = BTreeMap::new();
        for folder in folders {
            for path in files(folder)? {
                put(&mut sources, &path)?;
            }
        }
        for (name, text) in shipped::files() {
            if let Entry::Vacant(free) = sources.entry((*name).to_owned()) {
                free.insert(Source { file: None, keys: Keys::parse(&shipped::called(name), None, text)? });
            }
        }
        Self::of(&sources)
    }

    /// The board of this name.
    pub fn board(&self, name: &str) -> Option<&Definition> {
        self.boards.iter().find(|board| board.name == name)
    }

    fn of(sources: &BTreeMap<String, Source>) -> Result<Self, DefinitionError> {
        let mut all = Vec::new();
        for (name, source) in sources {
            let keys = inherited(name, source, sources)?;
            let definition = read::definition(name, source.file.as_deref(), &keys)?;
            all.push((definition, keys));
        }
        let chips = Arc::new(chips(&all)?);
        for (definition, keys) in all.iter().filter(|(definition, _)| definition.file.is_some()) {
            check_chip(definition, keys, &chips)?;
        }
        // Where they stand makes no difference here.
        let bench = Path::new("/bench");
        once(&all, &["probe"], |board| board.probe.is_some().then(|| lease::identity(board, bench)))?;
        once(&all, &["serial.usb", "serial.path"], |board| {
            board.serial().and_then(|port| port.identity.as_ref()).map(ToString::to_string)
        })?;
        once(&all, &["unique_id.value"], |board| {
            board.unique_id.as_ref().and_then(|id| id.value.as_ref()).map(|value| format!("{value:?}"))
        })?;
        let definitions = all.into_iter().map(|(definition, _)| definition);
        let (boards, kinds) = definitions.partition(Definition::is_board);
        Ok(Self { boards, kinds, chips })
    }
}

/// No definition is longer, nor any description of a family of chips: the longest of probe-rs have less than 1 MiB. Bytes.
const MOST: u64 = 4 << 20;

/// The definitions in a folder, by name. Hidden files are none: editors leave such behind.
fn files(folder: &Path) -> Result<Vec<PathBuf>, DefinitionError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => DefinitionError::NoFolder { path: folder.to_owned() },
        _ => DefinitionError::Read { path: folder.to_owned(), error },
    };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    paths.retain(|path| {
        path.extension().is_some_and(|extension| extension == "toml") && !hidden(path) && !path.is_dir()
    });
    paths.sort();
    Ok(paths)
}

/// The text of a file, which is a plain one and not too long.
pub(crate) fn text_of(path: &Path) -> io::Result<String> {
    // A pipe would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other(format!("it is longer than {} MiB", MOST >> 20)));
    }
    String::from_utf8(text).map_err(|_| io::Error::other("it is not written in UTF-8"))
}

fn put(sources: &mut BTreeMap<String, Source>, path: &Path) -> Result<(), DefinitionError> {
    let called = path.display().to_string();
    let text = text_of(path).map_err(|error| DefinitionError::Read { path: path.to_owned(), error })?;
    let keys = Keys::parse(&called, path.parent().map(Path::to_owned), &text)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let rename = |what: String, mend: &str| Err(keys.top.wrong(what, mend));
    if !read::sound_name(&name) {
        return rename(
            format!("`{name}` cannot be a board's name"),
            "rename the file: letters, digits, `_`, `-` and `.`",
        );
    }
    if TAKEN.contains(&name.to_ascii_lowercase().as_str()) {
        return rename(format!("`{name}` means something else in a step"), "rename the file");
    }
    match sources.entry(name.clone()) {
        Entry::Occupied(first) => {
            rename(format!("`{name}` is there already, in {}", first.get().keys.top.file), "rename one of the files")
        }
        Entry::Vacant(free) => {
            free.insert(Source { file: Some(path.to_owned()), keys });
            Ok(())
        }
    }
}

/// What a definition says itself, and what it has from its kind, its kind's kind and so on.
fn inherited(name: &str, source: &Source, sources: &BTreeMap<String, Source>) -> Result<Keys, DefinitionError> {
    let mut keys = source.keys.clone();
    let mut seen = vec![name.to_owned()];
    let mut said = source.keys.get::<String>("kind")?;
    while let Some(kind) = said {
        if seen.contains(&kind.value) {
            seen.push(kind.value);
            return Err(kind
                .place
                .wrong(format!("a kind of itself: {}", seen.join(" -> ")), "leave `kind` out in one of them"));
        }
        let Some(source) = sources.get(&kind.value) else {
            let known = sources.keys().filter(|known| !seen.contains(known)).map(String::as_str).collect::<Vec<_>>();
            let mend = suggest::mend(&kind.value, known.iter().copied());
            return Err(kind.place.wrong(format!("there is no kind `{}`", kind.value), mend));
        };
        keys.inherit(&source.keys);
        said = source.keys.get::<String>("kind")?;
        seen.push(kind.value);
    }
    Ok(keys)
}

/// All chips, those described by the user's files with them.
fn chips(all: &[(Definition, Keys)]) -> Result<Chips, DefinitionError> {
    let files: Vec<PathBuf> = all.iter().filter_map(|(definition, _)| definition.chip_description.clone()).collect();
    Chips::with(&files).map_err(|(path, error)| {
        let by = all.iter().find(|(definition, _)| definition.chip_description.as_ref() == Some(&path));
        let place = by.map_or_else(
            || Place { file: path.display().to_string().into(), line: 1, folder: None },
            |(_, keys)| keys.place("chip_description").clone(),
        );
        place.wrong(error.what, error.mend)
    })
}

/// Whether there is such a chip, and the runner can be built for it as the definition wants.
fn check_chip(definition: &Definition, keys: &Keys, chips: &Chips) -> Result<(), DefinitionError> {
    // Nothing is asked of a chip that the farm neither probes nor builds for.
    if definition.firmware == Runner::Own && definition.probe.is_none() {
        return Ok(());
    }
    let wrong = |ChipError { key, what, mend }: ChipError| keys.place(key).wrong(what, mend);
    let chip = chips.chip(&definition.chip).map_err(wrong)?;
    if definition.firmware == Runner::Tinyfarm {
        chip::port_of(definition, &chip).map_err(wrong)?;
    }
    Ok(())
}

/// Refuses what two boards say and only one can.
fn once(
    all: &[(Definition, Keys)],
    keys_of: &[&str],
    identity: impl Fn(&Definition) -> Option<String>,
) -> Result<(), DefinitionError> {
    let mut seen: BTreeMap<String, &Definition> = BTreeMap::new();
    for (board, keys) in all.iter().filter(|(definition, _)| definition.is_board()) {
        let Some(identity) = identity(board) else { continue };
        if let Some(first) = seen.insert(identity, board) {
            let key = keys_of.iter().find(|key| keys.has(key)).unwrap_or(&"kind");
            return Err(keys.place(key).wrong(
                format!("`{}` has the same `{key}` as `{}`", board.name, first.name),
                "say it in one of them only: it tells boards apart",
            ));
        }
    }
    Ok(())
}
