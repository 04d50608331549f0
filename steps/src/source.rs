//! Feature files as text: found, read, and with every offset known by line and column.

use crate::plan::PlanError;
use farm::text;
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A feature file's text.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As given on the command line, or found below what was given.
    pub path: PathBuf,
    /// Without a byte order mark.
    pub text: Arc<str>,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
}

impl SourceFile {
    /// Reads `path`.
    pub fn read(path: &Path) -> Result<Self, Box<PlanError>> {
        let bytes = std::fs::read(path).map_err(|error| {
            Box::new(PlanError::bare(format!("cannot read `{}`: {error}", text::path(path))).in_file(path))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            Box::new(
                PlanError::bare(format!("`{}` is not UTF-8: bad byte in line {line}", text::path(path)))
                    .in_file(path)
                    .helped("save the file as UTF-8"),
            )
        })?;
        Ok(Self::new(path, text.strip_prefix('\u{feff}').unwrap_or(&text)))
    }

    /// `text` as if it had been read from `path`.
    pub fn new(path: &Path, text: &str) -> Self {
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1));
        Self { path: path.to_owned(), text: text.into(), lines }
    }

    /// Line and column (in characters) of a byte offset, both from 1.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        let column = self.text.get(start..offset.min(self.text.len())).map_or(0, |text| text.chars().count());
        (line, column + 1)
    }

    /// Where line `line` (from 1) stands, blanks around it left out; empty at the end where there is no such line.
    pub fn line(&self, line: usize) -> Range<usize> {
        let Some(start) = self.lines.get(line.saturating_sub(1)).copied() else {
            return self.text.len()..self.text.len();
        };
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        let text = &self.text[start..end];
        let lead = text.len() - text.trim_start().len();
        start + lead.min(text.trim_end().len())..start + text.trim_end().len()
    }

    /// How many lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// The text in `range`.
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Lines of the rows of the table whose heading is at `offset`: comments and blank lines may stand between rows.
    pub fn table_rows(&self, offset: usize, count: usize) -> Vec<usize> {
        let (first, _) = self.position(offset);
        (first..=self.line_count()).filter(|line| self.slice(self.line(*line)).starts_with('|')).take(count).collect()
    }

    /// Where the cells of the table row in `line` stand, blanks around each left out.
    pub fn cells(&self, line: usize) -> Vec<Range<usize>> {
        let row = self.line(line);
        let text = self.slice(row.clone());
        let (mut bars, mut escaped) = (Vec::new(), false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'|' => bars.push(at),
                _ => {}
            }
        }
        bars.windows(2)
            .map(|pair| {
                let cell = &text[pair[0] + 1..pair[1]];
                let lead = (cell.len() - cell.trim_start().len()).min(cell.trim_end().len());
                row.start + pair[0] + 1 + lead..row.start + pair[0] + 1 + cell.trim_end().len()
            })
            .collect()
    }
}

/// Every feature file at or below `paths`, each once, sorted within a folder.
pub(crate) fn discover(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PlanError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    for path in paths {
        let before = found.len();
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk(path, &mut found, &mut errors),
            Ok(_) => found.push(path.clone()),
            Err(error) => {
                errors.push(PlanError::bare(format!("cannot read `{}`: {error}", text::path(path))).in_file(path));
            }
        }
        if found.len() == before && errors.is_empty() {
            errors.push(
                PlanError::bare(format!("no feature found: `{}` holds no `.feature` file", text::path(path)))
                    .in_file(path)
                    .helped("name a `.feature` file, or a folder that has some at any depth"),
            );
        }
    }
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    if paths.is_empty() {
        errors.push(PlanError::bare("no feature found: no path was given"));
    }
    (found, errors)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>, errors: &mut Vec<PlanError>) {
    let mut failed = |error: std::io::Error| {
        errors.push(PlanError::bare(format!("cannot read `{}`: {error}", text::path(folder))).in_file(folder))
    };
    let mut entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return failed(error),
    };
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder is not followed: it may lead back up.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found, errors);
        } else if path.extension().is_some_and(|extension| extension == "feature") {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_told_as_line_and_column_in_characters() {
        let file = SourceFile::new(Path::new("x"), "é a\n  | b |\\|c |\n");
        assert_eq!(file.position(3), (1, 3));
        assert_eq!(file.position(5), (2, 1));
        assert_eq!(file.slice(file.line(2)), r"| b |\|c |");
        let cells = file.cells(2);
        assert_eq!(file.slice(cells[0].clone()), "b");
        assert_eq!(file.slice(cells[1].clone()), r"\|c");
        assert_eq!(file.slice(file.line(9)), "");
    }
}
