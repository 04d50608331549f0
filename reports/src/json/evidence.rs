//! Writes `evidence.jsonl`: each job as a line when it ends, so that a killed run keeps what it had, and so that the
//! evidence of 10,000 jobs is never in memory at once.

use super::EvidenceLine;
use crate::{Account, ReportError, ReportFolder, Reporter};
use farm::{FarmEvent, Stamped};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

/// The file's name in the report folder.
pub const EVIDENCE_FILE: &str = "evidence.jsonl";

/// Writes [`EVIDENCE_FILE`].
#[derive(Debug)]
pub struct EvidenceLines {
    path: PathBuf,
    /// Held for its lock.
    _folder: ReportFolder,
    run: String,
    file: Option<File>,
    /// Length of the whole lines in the file.
    whole: u64,
}

impl EvidenceLines {
    /// Into `folder`. The file of an earlier run stays until this one starts.
    pub fn new(folder: &ReportFolder) -> Self {
        let path = folder.path().join(EVIDENCE_FILE);
        Self { path, _folder: folder.clone(), run: String::new(), file: None, whole: 0 }
    }

    fn append(&mut self, line: &EvidenceLine) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let written = file.write_all(&bytes);
        match &written {
            Ok(()) => self.whole += bytes.len() as u64,
            // Half a line would make the file unreadable; what is whole stays. Later lines may fit again.
            Err(_) => drop(file.set_len(self.whole)),
        }
        written
    }
}

impl Reporter for EvidenceLines {
    fn name(&self) -> &str {
        "evidence"
    }

    fn on(&mut self, event: &Stamped, _: &Account) -> Result<(), ReportError> {
        let result = match &event.event {
            FarmEvent::RunStarted { run, .. } => {
                self.run.clone_from(run);
                self.whole = 0;
                // Append: after a cut the next line must not leave a hole.
                let mut options = OpenOptions::new();
                options.create(true).append(true);
                options.open(&self.path).and_then(|file| {
                    if file.metadata()?.is_file() {
                        file.set_len(0)?;
                    }
                    self.file = Some(file);
                    Ok(())
                })
            }
            FarmEvent::JobFinished { report, summary } => {
                self.append(&EvidenceLine::of(&self.run, report, summary.as_deref()))
            }
            _ => Ok(()),
        };
        result.map_err(|cause| ReportError::write(&self.path, cause))
    }

    fn finish(&mut self, _: &Account) -> Result<(), ReportError> {
        match self.file.take() {
            Some(file) => file.sync_all().map_err(|cause| ReportError::write(&self.path, cause)),
            None => Ok(()),
        }
    }
}
