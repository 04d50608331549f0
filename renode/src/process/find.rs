//! Finding Renode: it is not packaged by Linux distributions, so it is where its user put it.

use crate::version::Version;
use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

/// Environment variable that says where Renode is.
const VARIABLE: &str = "RENODE";
/// Name of the program, in portable folders as well.
const PROGRAM: &str = "renode";
/// The tag of images, unless another is named.
const TAG: &str = "latest";

/// A Renode that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Program(PathBuf),
    #[cfg(feature = "image")]
    Image {
        name: String,
        tag: String,
    },
}

/// Why no Renode was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Neither was it named, nor is it in a usual place.
    #[error(
        "no renode: set RENODE to a renode program or to the folder of an unpacked portable build \
         (https://github.com/renode/renode/releases), or put renode on PATH"
    )]
    Nowhere,
    /// The path does not exist, or cannot be looked at.
    #[error("no renode at {}: {why}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// The folder is not that of a portable build.
    #[error("no program `renode` in the folder {}: name the folder of an unpacked portable build", path.display())]
    NotPortable {
        /// The folder.
        path: PathBuf,
    },
    /// The file is no program.
    #[error("{} cannot be executed: make it executable (chmod +x), or name the program `renode`", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// The container is asked for, and left out of this build.
    #[error("RENODE asks for the container image, which needs the feature `image` of renode-rs")]
    WithoutImage,
}

impl Installation {
    /// Finds Renode: first what the environment variable `RENODE` says (a program, a portable folder, or `image` or
    /// `image:TAG` for the container image `antmicro/renode`), then `renode` on `PATH`, then in the folders given: portable
    /// builds, or folders in which portable builds were unpacked (of several, the newest).
    ///
    /// # Errors
    /// When `RENODE` names none (the other places are not tried then), or none is found.
    pub fn find(portable: &[PathBuf]) -> Result<Self, FindError> {
        let named = env::var_os(VARIABLE).filter(|named| !named.is_empty());
        Self::find_in(named.as_deref(), env::var_os("PATH").as_deref(), portable)
    }

    /// The Renode that `named` means, as the environment variable `RENODE` would: a program, a portable folder, a name on
    /// `PATH`, or an image.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(named: &OsStr) -> Result<Self, FindError> {
        Self::find_in(Some(named), env::var_os("PATH").as_deref(), &[])
    }

    fn find_in(named: Option<&OsStr>, path: Option<&OsStr>, portable: &[PathBuf]) -> Result<Self, FindError> {
        let on_path = |name: &OsStr| {
            let folders = path.map(|path| env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
            folders.into_iter().map(|folder| folder.join(name)).find(|program| is_program(program))
        };
        if let Some(named) = named {
            if let Some(image) = image_named(named) {
                return image;
            }
            // As a shell takes it: a name without a slash is looked up, unless there is such a folder or file.
            let bare = !named.as_bytes().contains(&b'/') && !Path::new(named).exists();
            let found = if bare { on_path(named) } else { None };
            return Self::at(found.as_deref().unwrap_or(Path::new(named)));
        }
        let portable = || portable.iter().find_map(|folder| portable_in(folder));
        on_path(OsStr::new(PROGRAM)).or_else(portable).map(Self::of).ok_or(FindError::Nowhere)
    }

    /// The Renode at a path: a program, or the folder of a portable build.
    ///
    /// # Errors
    /// When there is none.
    pub fn at(path: &Path) -> Result<Self, FindError> {
        let about = path.metadata().map_err(|why| FindError::Missing { path: path.to_owned(), why })?;
        if !about.is_dir() {
            return if is_program(path) {
                Ok(Self::of(path.to_owned()))
            } else {
                Err(FindError::NotExecutable { path: path.to_owned() })
            };
        }
        portable_in(path).map(Self::of).ok_or_else(|| FindError::NotPortable { path: path.to_owned() })
    }

    /// A container image with Renode: `antmicro/renode`, `antmicro/renode:1.16.1`. Whether there is one shows at the start.
    #[cfg(feature = "image")]
    pub fn image(name_and_tag: impl AsRef<str>) -> Self {
        let whole = name_and_tag.as_ref();
        // A registry may have a port: the colon of a tag has no slash after it.
        let tagged = whole.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let (name, tag) = tagged.unwrap_or((whole, TAG));
        Self { place: Place::Image { name: name.to_owned(), tag: tag.to_owned() } }
    }

    /// Its path, or its image.
    pub fn describe(&self) -> String {
        match &self.place {
            Place::Program(path) => path.display().to_string(),
            #[cfg(feature = "image")]
            Place::Image { name, tag } => format!("{name}:{tag}"),
        }
    }

    /// As it is, not resolved: scripts look for the rest of Renode beside the path they were called by.
    fn of(program: PathBuf) -> Self {
        Self { place: Place::Program(std::path::absolute(&program).unwrap_or(program)) }
    }
}

/// `image`, `image:TAG`; a file of that name is `./image`.
fn image_named(named: &OsStr) -> Option<Result<Installation, FindError>> {
    match named.to_str()?.strip_prefix("image")? {
        "" => Some(official(TAG)),
        tag => tag.strip_prefix(':').map(official),
    }
}

#[cfg(feature = "image")]
fn official(tag: &str) -> Result<Installation, FindError> {
    Ok(Installation::image(format!("antmicro/renode:{tag}")))
}

#[cfg(not(feature = "image"))]
fn official(_: &str) -> Result<Installation, FindError> {
    Err(FindError::WithoutImage)
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// The program of a portable build: the folder's own, or the newest of those unpacked in it.
fn portable_in(folder: &Path) -> Option<PathBuf> {
    let own = folder.join(PROGRAM);
    if is_program(&own) {
        return Some(own);
    }
    let inner = fs::read_dir(folder).ok()?.flatten().filter_map(|inner| {
        let name = inner.file_name();
        let name = name.to_string_lossy();
        let program = inner.path().join(PROGRAM);
        // The name last: builds of one version are the same one each time.
        let key = (Version::parse(&name).ok(), name.clone().into_owned());
        (name.starts_with(PROGRAM) && is_program(&program)).then_some((key, program))
    });
    inner.max_by(|one, other| one.0.cmp(&other.0)).map(|(_, program)| program)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tempfile::TempDir;

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn found(result: Result<Installation, FindError>) -> String {
        result.unwrap().describe()
    }

    #[test]
    fn what_is_named_comes_first_and_nothing_comes_in_its_place() {
        let folder = TempDir::new().unwrap();
        let (on_path, portable) = (folder.path().join("bin"), folder.path().join("renode_1.16.1_portable"));
        program(&on_path.join("renode"));
        program(&on_path.join("renode-nightly"));
        program(&portable.join("renode"));
        let path = Some(on_path.as_os_str());
        let given = [portable.clone()];
        let find = |named: Option<&str>| Installation::find_in(named.map(OsStr::new), path, &given);

        assert_eq!(found(find(portable.to_str())), portable.join("renode").display().to_string());
        assert_eq!(found(find(Some("renode-nightly"))), on_path.join("renode-nightly").display().to_string());
        assert_eq!(found(find(None)), on_path.join("renode").display().to_string());
        assert_eq!(found(Installation::find_in(None, None, &given)), portable.join("renode").display().to_string());
        assert!(matches!(find(Some("no-such-renode")).unwrap_err(), FindError::Missing { .. }));
        assert!(matches!(Installation::find_in(None, None, &[]).unwrap_err(), FindError::Nowhere));
    }

    #[test]
    fn the_newest_of_several_portable_builds_is_taken() {
        let folder = TempDir::new().unwrap();
        for name in ["renode_1.9.0_portable", "renode_1.16.1-dotnet_portable", "renode_1.15.3_portable", "other_9.9.9"]
        {
            program(&folder.path().join(name).join("renode"));
        }
        fs::create_dir(folder.path().join("renode_1.17.0_portable")).unwrap();
        let newest = folder.path().join("renode_1.16.1-dotnet_portable/renode");
        assert_eq!(found(Installation::at(folder.path())), newest.display().to_string());
    }

    #[test]
    fn what_is_no_renode_says_what_to_do() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("renode");
        fs::write(&file, "").unwrap();
        let error = Installation::at(&file).unwrap_err().to_string();
        assert!(
            error.ends_with("cannot be executed: make it executable (chmod +x), or name the program `renode`"),
            "{error}"
        );
        assert!(matches!(Installation::at(folder.path()).unwrap_err(), FindError::NotPortable { .. }));
        let missing = Installation::at(&folder.path().join("nowhere")).unwrap_err();
        assert!(matches!(missing, FindError::Missing { .. }));
    }

    #[cfg(feature = "image")]
    #[test]
    fn an_image_is_named_with_or_without_a_tag() {
        let named = |named| found(Installation::find_in(Some(OsStr::new(named)), None, &[]));
        assert_eq!(named("image"), "antmicro/renode:latest");
        assert_eq!(named("image:1.16.1"), "antmicro/renode:1.16.1");
        assert_eq!(Installation::image("registry:5000/renode").describe(), "registry:5000/renode:latest");
        assert_eq!(Installation::image("registry:5000/renode:1").describe(), "registry:5000/renode:1");
    }

    #[cfg(not(feature = "image"))]
    #[test]
    fn an_image_needs_the_feature() {
        let error = Installation::find_in(Some(OsStr::new("image:1.16.1")), None, &[]).unwrap_err();
        assert!(matches!(error, FindError::WithoutImage));
    }
}
