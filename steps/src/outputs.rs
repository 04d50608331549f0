//! Outputs as a table in the feature file gives them, and the comparison with what came back.
//!
//! A value written without a fraction is compared with the stored (quantised) value, exactly, where the model's outputs
//! are integers. Any other is a real value, and holds if what came back rounds to it with as many digits as were written.

use crate::phrase::PhraseError;
use farm::{Dataset, Evidence, Model, suggest};

/// Expected outputs by sample.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedOutputs {
    rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    sample: String,
    /// `None`: whatever comes back will do.
    values: Vec<Option<Expected>>,
}

/// One value as it was written.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    text: String,
    value: f64,
    /// Half a unit of the last digit written.
    tolerance: f64,
    /// Written without fraction and exponent.
    whole: bool,
}

/// One sample compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    /// In words: `outputs of no_person = 14 107 215`.
    pub criterion: String,
    /// What came back, in words.
    pub measured: String,
    /// Whether all values agree.
    pub agrees: bool,
}

impl Expected {
    fn parse(text: &str) -> Option<Self> {
        let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match plain.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
            None => (plain, None),
        };
        let (digits, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let sound = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !sound(digits) || !sound(fraction) || text.ends_with('.') {
            return None;
        }
        let whole = exponent.is_none() && !mantissa.contains('.');
        let places = exponent.unwrap_or(0) - i32::try_from(fraction.len()).ok()?;
        Some(Self { text: text.to_owned(), value: text.parse().ok()?, tolerance: 0.5 * 10f64.powi(places), whole })
    }

    fn holds(&self, real: f64, stored: f64, quantised: bool) -> bool {
        if self.whole && quantised {
            return stored == self.value;
        }
        // The slack lets a value that lies exactly half-way count, in spite of binary fractions.
        (real - self.value).abs() <= self.tolerance * (1.0 + 1e-9)
    }
}

impl ExpectedOutputs {
    /// Reads `| sample | outputs |`, where `outputs` holds all values of a sample, or one column for each value, where an
    /// empty cell asks for nothing.
    pub(crate) fn parse(table: &[Vec<String>]) -> Result<Self, PhraseError> {
        let shape =
            "write `| sample | outputs |` with rows like `| person | 43 250 44 |`, or one column for each output value";
        let Some((heading, body)) = table.split_first() else {
            return Err(PhraseError::new("the table of outputs is empty").help(shape));
        };
        if heading.len() < 2 || heading[0] != "sample" {
            return Err(PhraseError::new("the first column of a table of outputs is `sample`").help(shape).at((0, 0)));
        }
        let mut rows: Vec<Row> = Vec::new();
        for (number, row) in body.iter().enumerate() {
            let sample = row.first().cloned().unwrap_or_default();
            if rows.iter().any(|row| row.sample == sample) {
                return Err(PhraseError::new(format!("sample `{sample}` stands twice")).at((number + 1, 0)));
            }
            let mut values = Vec::new();
            for (column, cell) in row.iter().enumerate().skip(1) {
                if cell.is_empty() && row.len() > 2 {
                    values.push(None);
                }
                for word in cell.split([' ', ',']).filter(|word| !word.is_empty()) {
                    let value = Expected::parse(word).ok_or_else(|| {
                        PhraseError::new(format!("`{word}` is not a number"))
                            .help("give stored values like `250`, or real ones like `0.954`")
                            .at((number + 1, column))
                    })?;
                    values.push(Some(value));
                }
            }
            if values.iter().all(Option::is_none) {
                return Err(PhraseError::new(format!("no value is given for sample `{sample}`")).at((number + 1, 0)));
            }
            rows.push(Row { sample, values });
        }
        if rows.is_empty() {
            return Err(PhraseError::new("the table of outputs holds no sample").help(shape));
        }
        Ok(Self { rows })
    }

    /// Whether the samples are in the dataset and the model has as many output values as each row.
    pub(crate) fn check(&self, model: &Model, dataset: &Dataset) -> Result<(), PhraseError> {
        let wanted: usize = model.outputs().iter().map(farm::TensorSpec::elements).sum();
        for (number, row) in self.rows.iter().enumerate() {
            if find(dataset, &row.sample).is_none() {
                let known: Vec<&str> = dataset.samples().iter().map(String::as_str).take(20).collect();
                return Err(PhraseError::new(format!("dataset `{}` has no sample `{}`", dataset.name(), row.sample))
                    .help(suggest::mend(&row.sample, known.iter().copied()))
                    .at((number + 1, 0)));
            }
            let named = dataset.samples().iter().filter(|name| **name == row.sample).count();
            if named > 1 {
                return Err(PhraseError::new(format!(
                    "dataset `{}` has {named} samples `{}`: which is meant?",
                    dataset.name(),
                    row.sample
                ))
                .help("give each sample a name of its own, or rename the column of names: then samples are `row 1`, `row 2`, …")
                .at((number + 1, 0)));
            }
            if row.values.len() != wanted {
                return Err(PhraseError::new(format!(
                    "{} value(s) for sample `{}`, and `{}` has {wanted} output value(s)",
                    row.values.len(),
                    row.sample,
                    model.name()
                ))
                .at((number + 1, 1)));
            }
        }
        Ok(())
    }

    /// Compares what came back.
    pub(crate) fn compare(&self, model: &Model, dataset: &Dataset, evidence: &Evidence) -> Vec<Compared> {
        let quantised = !model.outputs().iter().any(|tensor| tensor.element == farm::ElementType::Float32);
        let compare = |row: &Row| {
            let expected: Vec<&str> =
                row.values.iter().map(|value| value.as_ref().map_or("?", |value| &value.text)).collect();
            let criterion = format!("outputs of {} = {}", row.sample, expected.join(" "));
            let output = find(dataset, &row.sample).and_then(|index| evidence.inferences.get(index));
            let Some(output) = output else {
                return Compared { criterion, measured: "nothing came back for this sample".to_owned(), agrees: false };
            };
            let (real, stored) = (model.decode_output(&output.output), model.raw_output(&output.output));
            let agrees = real.len() == row.values.len()
                && row.values.iter().zip(real.iter().zip(&stored)).all(|(value, (real, stored))| {
                    value.as_ref().is_none_or(|value| value.holds(*real, *stored, quantised))
                });
            let whole = row.values.iter().flatten().all(|value| value.whole);
            let shown = if whole && quantised { &stored } else { &real };
            let shown: Vec<String> = shown.iter().map(f64::to_string).collect();
            Compared { criterion, measured: shown.join(" "), agrees }
        };
        self.rows.iter().map(compare).collect()
    }
}

fn find(dataset: &Dataset, sample: &str) -> Option<usize> {
    dataset.samples().iter().position(|name| name == sample)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_real_value_holds_to_the_digits_written_and_a_stored_one_exactly() {
        let real = Expected::parse("0.801").unwrap();
        assert!(real.holds(0.8014, 205.0, true));
        assert!(!real.holds(0.8016, 205.0, true));
        assert!(!real.holds(f64::NAN, f64::NAN, false));
        let stored = Expected::parse("250").unwrap();
        assert!(stored.holds(2.23, 250.0, true));
        assert!(!stored.holds(250.0, 249.0, true));
        assert!(stored.holds(250.2, 250.2, false));
        assert_eq!(Expected::parse("1e-3").unwrap().tolerance, 0.0005);
        for bad in ["", ".", "x", "1.", "--1", "nan", "inf", "1e", "0x10"] {
            assert_eq!(Expected::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_table_of_outputs_may_hold_one_value_or_all_of_them_in_a_cell() {
        let table = |rows: &[&[&str]]| -> Vec<Vec<String>> {
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
        };
        let wide = ExpectedOutputs::parse(&table(&[&["sample", "a", "b"], &["x", "1", "2"]])).unwrap();
        let narrow = ExpectedOutputs::parse(&table(&[&["sample", "outputs"], &["x", "1, 2"]])).unwrap();
        assert_eq!(wide, narrow);
        for bad in [
            table(&[&["sample", "outputs"]]),
            table(&[&["name", "outputs"], &["x", "1"]]),
            table(&[&["sample", "o"], &["x", "y"]]),
        ] {
            assert!(ExpectedOutputs::parse(&bad).is_err());
        }
    }
}
