//! A run that was refused before it began, because its features are wrong. It is told in the files that CI reads, so that
//! the report of an earlier run in the same folder does not stand for it.

use crate::{
    ReportError, ReportFolder, documents, github, json, junit,
    markdown::{self, Page, plain},
    messages, quality,
    text::{count, escape},
};
use farm::Digest;
use junit_report::{Duration, Report, TestCase, TestSuite};
use std::{fs, io::ErrorKind, path::Path};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The file, as the repository's root sees it; empty where it is about none.
    pub path: String,
    /// Line from 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Wrong {
    fn text(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help}", self.message)
    }

    fn place(&self) -> String {
        match (self.path.as_str(), self.line) {
            ("", _) => "tinyfarm".to_owned(),
            (path, 0) => path.to_owned(),
            (path, line) => format!("{path}:{line}"),
        }
    }
}

/// Removes the report of an earlier run from `dir`, and writes what is `wrong` as `junit.xml`, `report.md` and
/// `codequality.json`.
///
/// # Errors
/// [`ReportError`] where the folder cannot be made or written, or another run writes into it.
pub fn refused(dir: &Path, wrong: &[Wrong]) -> Result<(), ReportError> {
    let folder = ReportFolder::create(dir)?;
    let names = [junit::FILE, json::REPORT_FILE, json::EVIDENCE_FILE, messages::FILE];
    for name in names.into_iter().chain(documents::files()) {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(ReportError::write(&path, cause)),
            _ => {}
        }
    }
    let mut suite = TestSuite::new("tinyfarm");
    for it in wrong {
        let mut case = TestCase::error(&escape(&it.place()), Duration::ZERO, "refused", &escape(&it.text()));
        case.set_classname("tinyfarm");
        suite.add_testcase(case);
    }
    let mut report = Report::new();
    report.add_testsuite(suite);
    folder.file(junit::FILE).replace(true, |out| {
        report.write_xml(&mut *out).map_err(|error| std::io::Error::other(error.to_string()))?;
        out.write_all(b"\n")
    })?;
    let things = count(wrong.len(), "thing");
    let mut page = Page(format!("## tinyfarm: nothing was run\n\n{things} to mend first.\n"));
    let rows = wrong.iter().map(|it| [plain(&it.place()), plain(&it.message), plain(it.help.as_deref().unwrap_or(""))]);
    page.table("Wrong", ["where", "what", "mend"], rows);
    folder.file(markdown::FILE).replace(true, |out| out.write_all(page.0.as_bytes()))?;
    let issues: Vec<_> = wrong.iter().enumerate().map(|(nth, it)| issue(nth, it)).collect();
    folder.file(quality::FILE).replace(true, |out| Ok(serde_json::to_writer_pretty(&mut *out, &issues)?))?;
    Ok(())
}

fn issue(nth: usize, it: &Wrong) -> serde_json::Value {
    let path = if it.path.is_empty() { "tinyfarm.toml" } else { &it.path };
    let print = Digest::of(format!("refused\0{path}\0{}\0{nth}", it.message).as_bytes());
    serde_json::json!({
        "description": escape(&it.text()),
        "check_name": "tinyfarm/refused",
        "fingerprint": print.to_string(),
        "severity": "blocker",
        "location": { "path": escape(path), "lines": { "begin": it.line.max(1) } },
    })
}

/// The same as annotations for GitHub Actions, a line each.
pub fn annotations(wrong: &[Wrong]) -> String {
    let note = |it: &Wrong| {
        let place = (!it.path.is_empty()).then(|| (it.path.clone(), it.line.max(1)));
        github::Note { place, title: "nothing was run".to_owned(), text: it.text(), name: it.place() }
    };
    let commands = github::commands("error", wrong.iter().map(note).collect());
    commands.into_iter().map(|command| command + "\n").collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_report_of_an_earlier_run_does_not_stand_for_one_that_was_refused() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["junit.xml", "report.html", "report.json", "metrics.csv", "mine.txt"] {
            fs::write(dir.path().join(file), "of yesterday").unwrap();
        }
        let help = Some("did you mean `x`?".to_owned());
        let message = "undefined step `a <b> ]]> \u{1b}[2J`".to_owned();
        let wrong = [
            Wrong { path: "ml/a::b.feature".to_owned(), line: 7, message, help },
            Wrong { path: String::new(), line: 0, message: "no feature".to_owned(), help: None },
        ];
        refused(dir.path(), &wrong).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".lock", "codequality.json", "junit.xml", "mine.txt", "report.md"]);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let junit = read("junit.xml");
        // Before it stands the time of day.
        let (_, cases) = junit.split_once("<testcase").unwrap();
        let all = [cases, &read("report.md"), &read("codequality.json"), "\n", &annotations(&wrong)];
        insta::assert_snapshot!(all.concat());
    }
}
