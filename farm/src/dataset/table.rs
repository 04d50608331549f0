//! CSV: a header that names the columns, then one row for each sample.

use super::{
    DatasetError, Encoding, Truth,
    columns::{self, Roles, TruthRole},
    gather::{Gather, counted, tensors},
    labels::Classes,
};
use csv::{ReaderBuilder, StringRecord, Trim};

/// Reads the rows of `bytes` into `gather`.
pub(super) fn gather(bytes: &[u8], gather: &mut Gather<'_>) -> Result<Truth, DatasetError> {
    let place = gather.place.clone();
    let mut rows = Rows::new(&place, bytes);
    let Some((_, header)) = rows.next()? else {
        return Err(DatasetError::Empty { place, what: "rows" });
    };
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    if !names.is_empty() && names.iter().all(|name| name.parse::<f64>().is_ok()) {
        let detail = format!("the first row holds numbers; let it name the columns: {}", columns::CONVENTION);
        return Err(DatasetError::Columns { place, detail });
    }
    let roles = columns::assign(&names, gather.options, &place, "column")?;
    check_inputs(&roles, &names, gather)?;
    let classes = match roles.truth {
        TruthRole::Label(_) => Some(Classes::of(gather.options, gather.model, &place)?),
        _ => None,
    };
    let encoding = gather.options.encoding.unwrap_or(Encoding::Real);
    let (mut labels, mut expected) = (Vec::new(), Vec::new());
    while !gather.is_full()
        && let Some((line, row)) = rows.next()?
    {
        if row.len() != names.len() {
            let place = format!("{place}:{line}");
            return Err(DatasetError::Ragged { place, expected: names.len(), found: row.len() });
        }
        let locate = |column: usize| format!("{place}:{line}, column `{}`", names[column]);
        let numbers = |columns: &[usize]| -> Result<Vec<f64>, DatasetError> {
            columns.iter().map(|column| number(&row[*column], || locate(*column))).collect()
        };
        let values = numbers(&roles.inputs)?;
        let input = gather.encode(encoding, &values, |index| locate(roles.inputs[index]))?;
        match &roles.truth {
            TruthRole::None => {}
            TruthRole::Expected(columns) => {
                expected.push(gather.expect(numbers(columns)?, |index| locate(columns[index]))?);
            }
            TruthRole::Label(column) => {
                if let Some(classes) = &classes {
                    labels.push(classes.index(&row[*column], || locate(*column))?);
                }
            }
        }
        let sample = match roles.name.map(|column| &row[column]) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => format!("row {}", gather.len() + 1),
        };
        gather.push(sample, input)?;
    }
    Ok(match (roles.truth, classes) {
        (TruthRole::Expected(_), _) => Truth::Expected(expected),
        (TruthRole::Label(_), Some(classes)) => Truth::Labels { labels, classes: classes.into_names() },
        _ => Truth::Unknown,
    })
}

/// As many input columns as input elements, as many expected ones as output elements.
fn check_inputs(roles: &Roles, names: &[String], gather: &Gather<'_>) -> Result<(), DatasetError> {
    let model = gather.model;
    let shape = |detail| Err(DatasetError::Shape { place: gather.place.clone(), detail });
    let (found, wanted) = (roles.inputs.len(), model.input_elements());
    if found != wanted {
        let (columns, inputs) = (listed(&roles.inputs, names), tensors(model.inputs()));
        return shape(format!(
            "{} ({columns}) where model {} takes {}: {inputs}; give one column for each value",
            counted(found, "input column"),
            model.name(),
            counted(wanted, "value")
        ));
    }
    if let TruthRole::Expected(columns) = &roles.truth {
        let (found, wanted) = (columns.len(), model.output_elements());
        if found != wanted {
            let (columns, outputs) = (listed(columns, names), tensors(model.outputs()));
            return shape(format!(
                "{} ({columns}) where model {} gives {}: {outputs}; give one column for each value",
                counted(found, "column of expected outputs"),
                model.name(),
                counted(wanted, "value")
            ));
        }
    }
    Ok(())
}

/// A few names, or the first and the last of many.
fn listed(columns: &[usize], names: &[String]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| names[*column].as_str()).collect();
    match names.as_slice() {
        [first, _, _, _, .., last] => format!("{first} to {last}"),
        few => few.join(", "),
    }
}

fn number(text: &str, locate: impl Fn() -> String) -> Result<f64, DatasetError> {
    let wrong = |detail: String| Err(DatasetError::Value { place: locate(), detail });
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => wrong(format!("`{text}` is not a finite number; mend the value, or leave the row out")),
        Err(_) if text.is_empty() => wrong("the value is missing; fill it in, or leave the row out".to_owned()),
        Err(_) => wrong(format!("`{text}` is not a number; write it like 0.25, -3 or 1e-3")),
    }
}

/// Rows with their line numbers.
pub(super) struct Rows<'a> {
    place: &'a str,
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// How far lines have been counted: a byte, and the line it is on.
    counted: (usize, u64),
}

impl<'a> Rows<'a> {
    pub fn new(place: &'a str, bytes: &'a [u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
        Self { place, bytes, reader, counted: (0, 1) }
    }

    /// The line of the row that the reader says starts at `byte`: it counts the empty lines before a row as the row's.
    fn line(&mut self, byte: u64) -> u64 {
        let rest = self.bytes.get(byte as usize..).unwrap_or_default();
        let start = byte as usize + rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let (from, line) = self.counted;
        let passed = self.bytes.get(from..start).unwrap_or_default();
        self.counted = (start, line + passed.iter().filter(|byte| **byte == b'\n').count() as u64);
        self.counted.1
    }

    /// The next row that is not empty, and the line it starts on.
    pub fn next(&mut self) -> Result<Option<(u64, StringRecord)>, DatasetError> {
        let mut row = StringRecord::new();
        loop {
            match self.reader.read_record(&mut row) {
                Ok(false) => return Ok(None),
                Ok(true) if row.iter().all(str::is_empty) && row.len() <= 1 => {}
                Ok(true) => {
                    let line = self.line(row.position().map_or(0, csv::Position::byte));
                    return Ok(Some((line, row)));
                }
                Err(error) => {
                    let line = self.line(error.position().map_or(0, csv::Position::byte));
                    let place = format!("{}:{line}", self.place);
                    let detail = "is not text in UTF-8; save it as CSV in UTF-8".to_owned();
                    return Err(DatasetError::Format { place, detail });
                }
            }
        }
    }
}
