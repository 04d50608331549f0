//! Rows in aligned columns.

use crate::text;

/// A table whose columns are as wide as their widest cell.
#[derive(Debug)]
pub struct Table {
    heads: Vec<(&'static str, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns by head; `true` aligns to the right.
    pub fn new(heads: &[(&'static str, bool)]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; what it lacks is `-`.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.heads.len(), "-".to_owned());
        self.rows.push(cells);
    }

    /// The head and the rows as lines; `paint` may colour a cell, told by row and column. A column in which every cell is
    /// `-` is left out.
    pub fn lines(&self, paint: impl Fn(usize, usize, &str) -> String) -> (String, Vec<String>) {
        let kept: Vec<(usize, usize)> = (0..self.heads.len())
            .filter(|column| self.rows.iter().any(|row| row[*column] != "-"))
            .map(|column| {
                let cells = self.rows.iter().map(|row| text::width(&row[column]));
                (column, cells.max().unwrap_or(0).max(text::width(self.heads[column].0)))
            })
            .collect();
        let line = |cell: &dyn Fn(usize) -> (String, String)| {
            let mut line = String::new();
            for (column, width) in &kept {
                let (plain, painted) = cell(*column);
                // Colours take no room.
                let fill = " ".repeat(width.saturating_sub(text::width(&plain)));
                line +=
                    &if self.heads[*column].1 { format!("{fill}{painted}  ") } else { format!("{painted}{fill}  ") };
            }
            line.trim_end().to_owned()
        };
        let head = line(&|column| (self.heads[column].0.to_owned(), self.heads[column].0.to_owned()));
        let rows = self.rows.iter().enumerate();
        let rows = rows.map(|(at, row)| line(&|column| (row[column].clone(), paint(at, column, &row[column]))));
        (head, rows.collect())
    }
}
