//! What a path stands for, with every link on the way.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// As many links are followed for one path, as the system does (path_resolution(7)).
const LINKS: usize = 40;

/// Each link that is followed from `path`, and what it leads to, whether that is there or not. Their folders have no
/// links: these are the names by which Git knows them. A link that points elsewhere is as much a change as what it
/// points to.
pub fn ways(path: &Path) -> Vec<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    let (mut ways, mut at) = (Vec::new(), PathBuf::new());
    let mut rest = parts(&here.join(path));
    while let Some(part) = rest.pop() {
        match part.components().next() {
            Some(Component::RootDir) => at = PathBuf::from("/"),
            Some(Component::ParentDir) => drop(at.pop()),
            Some(Component::Normal(_)) => {
                let next = at.join(&part);
                match fs::read_link(&next) {
                    Ok(target) if ways.len() < LINKS => {
                        ways.push(next);
                        rest.extend(parts(&target));
                    }
                    _ => at = next,
                }
            }
            _ => {}
        }
    }
    ways.push(at);
    ways
}

/// The parts of a path, the last first.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

/// Files and links below the folder at `path`, at any depth; none where it is no folder, or cannot be read.
pub fn below(path: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_link_of_a_chain_is_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("v1/deep")).unwrap();
        symlink("v1", root.join("current")).unwrap();
        symlink("current/deep/../mid", root.join("top")).unwrap();
        symlink(root.join("gone/file"), root.join("v1/mid")).unwrap();
        let names = ["top", "current", "v1/mid", "gone/file"].map(|name| root.join(name));
        assert_eq!(ways(&root.join("./v1/../top")), names);
        symlink("loop", root.join("loop")).unwrap();
        assert!(ways(&root.join("loop")).len() <= LINKS + 1);
        let mut all = below(&root);
        all.sort();
        assert_eq!(all, ["current", "loop", "top", "v1/mid"].map(|name| root.join(name)));
    }
}
