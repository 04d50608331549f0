//! Files of the report that are written as a whole when the run has ended: each from one account of all that it told.
//!
//! Each is written when the run starts as well, for the file of an earlier run must not stand for this one: it then says
//! that the run goes on, which is also what a killed run leaves.

use crate::{
    ReportError, ReportFolder, Reporter, account::Account, eembc::Results, folder::ReportFile, html::Html,
    markdown::Markdown, quality::CodeQuality, table::Metrics,
};
use farm::{FarmEvent, Stamped};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// One file of the report. What it writes depends on the account alone: not on the time of day, not on the order of a hash.
pub(crate) trait Document: Send {
    /// The file's name in the report folder.
    fn file(&self) -> &'static str;

    /// What people call it: `HTML`, `Markdown`.
    fn name(&self) -> &'static str;

    /// Writes all of it.
    fn write(&self, account: &Account, out: &mut dyn io::Write) -> io::Result<()>;
}

/// Writes all documents.
pub struct Documents {
    documents: Vec<(ReportFile, Box<dyn Document>)>,
}

/// The documents there are, in the order in which the console lists them.
fn all() -> Vec<Box<dyn Document>> {
    vec![Box::new(Html), Box::new(Markdown), Box::new(Metrics), Box::new(CodeQuality), Box::new(Results)]
}

/// The names of the files.
pub fn files() -> Vec<&'static str> {
    all().iter().map(|document| document.file()).collect()
}

impl Documents {
    /// Into `folder`.
    pub fn new(folder: &ReportFolder) -> Self {
        let documents = all().into_iter().map(|document| (folder.file(document.file()), document));
        Self { documents: documents.collect() }
    }

    /// Writes each, though one fail; the first failure is told.
    fn write(&self, account: &Account, last: bool) -> Result<(), ReportError> {
        let mut result = Ok(());
        for (file, document) in &self.documents {
            let write = || file.replace(last, |out| document.write(account, out)).map(drop);
            let written = catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let message = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Err(ReportError::Panicked { reporter: document.name().to_owned(), message })
            });
            result = result.and(written);
        }
        result
    }
}

impl Reporter for Documents {
    fn name(&self) -> &str {
        "documents"
    }

    fn on(&mut self, event: &Stamped, account: &Account) -> Result<(), ReportError> {
        if matches!(event.event, FarmEvent::RunStarted { .. }) { self.write(account, false) } else { Ok(()) }
    }

    fn finish(&mut self, account: &Account) -> Result<(), ReportError> {
        self.write(account, true)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::script::{self, Played};

    /// What `document` writes of `events`.
    pub(crate) fn written(document: &dyn Document, events: &[Stamped]) -> String {
        let mut account = Account::default();
        events.iter().for_each(|event| account.on(event));
        let mut out = Vec::new();
        document.write(&account, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_events_give_the_same_bytes() {
        for events in [script::rich(), script::every_verdict(), script::boards()] {
            for document in all() {
                let [one, other] = [(), ()].map(|()| written(document.as_ref(), &events));
                assert!(one == other, "{} differs", document.file());
            }
        }
    }

    #[test]
    fn a_file_of_an_earlier_run_does_not_stand_for_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = ReportFolder::create(dir.path()).unwrap();
        for file in files() {
            std::fs::write(dir.path().join(file), "of yesterday").unwrap();
        }
        let mut documents = Played::new(Documents::new(&folder));
        documents.on(&script::rich()[0]).unwrap();
        for file in files() {
            assert!(std::fs::read_to_string(dir.path().join(file)).unwrap() != "of yesterday", "{file}");
        }
    }
}
