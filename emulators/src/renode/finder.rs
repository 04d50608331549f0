//! Where Renode is, and which version. Asked once in a run: it takes a second to say.

use renode_rs::{
    Installation, Version,
    process::{FindError, StartError},
};
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// A Renode that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The program, or the image.
    pub installation: Installation,
    /// As it says itself.
    pub version: Version,
}

/// Why Renode cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Absent {
    /// It is nowhere.
    #[error("Renode is not installed; `make renode` installs it")]
    NotInstalled,
    /// It is not where it was said to be.
    #[error(transparent)]
    NotThere(FindError),
    /// It is there, and does not say its version.
    #[error("{place} does not say its version: {why}")]
    Dumb {
        /// Where.
        place: String,
        /// What it does instead.
        #[source]
        why: StartError,
    },
}

/// Finds Renode, and remembers what it found.
#[derive(Debug)]
pub struct Finder {
    configured: Option<PathBuf>,
    portable: PathBuf,
    found: OnceCell<Result<Found, Absent>>,
}

impl Finder {
    /// Finds Renode at `configured` (a program, or the folder of a portable build); else where the environment variable
    /// `RENODE` says, else on PATH, else among the portable builds unpacked in `portable`.
    pub fn new(configured: Option<PathBuf>, portable: PathBuf) -> Self {
        Self { configured, portable, found: OnceCell::new() }
    }

    /// The Renode to use.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn find(&self) -> Result<&Found, &Absent> {
        self.found.get_or_init(|| self.look()).await.as_ref()
    }

    async fn look(&self) -> Result<Found, Absent> {
        let installation = match &self.configured {
            Some(named) => Installation::named(named.as_os_str()),
            None => Installation::find(std::slice::from_ref(&self.portable)),
        };
        let installation = installation.map_err(|error| match error {
            FindError::Nowhere => Absent::NotInstalled,
            other => Absent::NotThere(other),
        })?;
        match installation.version().await {
            Ok(version) => Ok(Found { installation, version }),
            Err(why) => Err(Absent::Dumb { place: installation.describe(), why }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    async fn find(configured: &Path) -> String {
        let finder = Finder::new(Some(configured.to_owned()), PathBuf::new());
        match finder.find().await {
            Ok(found) => found.version.to_string(),
            Err(absent) => absent.to_string(),
        }
    }

    #[tokio::test]
    async fn a_missing_renode_a_stranger_and_a_portable_build_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        assert!(find(&nowhere).await.starts_with(&format!("no renode at {}", nowhere.display())));
        let portable = folder.path().join("renode_1.16.1_portable");
        std::fs::create_dir(&portable).unwrap();
        assert!(find(&portable).await.contains("no program `renode` in the folder"));
        let program = portable.join("renode");
        firmware::testing::write_program(&program, "#!/bin/sh\necho 'Renode v1.16.1.12345'\n").unwrap();
        assert_eq!(find(&portable).await, "1.16.1");
        let stranger = folder.path().join("stranger");
        firmware::testing::write_program(&stranger, "#!/bin/sh\necho nothing of the kind\n").unwrap();
        let stranger = find(&stranger).await;
        assert!(
            stranger.contains("does not say its version") && stranger.contains("nothing of the kind"),
            "{stranger}"
        );
    }
}
