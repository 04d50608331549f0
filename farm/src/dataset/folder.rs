//! A folder of raw binaries with a labels CSV, as MLPerf Tiny has it: `file,classes,class[,bytes,stride]`.
//!
//! A file holds one sample; with `bytes` and `stride` it holds a sample at each multiple of the stride, as long as a
//! whole one is left.

use super::{
    ByteOrder, DatasetError, Encoding, Truth, TruthKind,
    gather::{Gather, counted, encoding_of, ranges, read, tensors},
    labels::Classes,
    table::Rows,
};
use crate::{ElementType, suggest};
use csv::StringRecord;
use std::path::{Component, Path};

const COLUMNS: [&str; 5] = ["file", "classes", "class", "bytes", "stride"];

/// Reads the files that the CSV file `labels` lists, in `folder`, into `gather`.
pub(super) fn gather(folder: &Path, labels: &Path, gather: &mut Gather<'_>) -> Result<Truth, DatasetError> {
    if !folder.is_dir() {
        return Err(DatasetError::NotFound { path: folder.to_owned(), what: "folder" });
    }
    let place = labels.display().to_string();
    let bytes = read(labels, "labels file", gather.limit)?;
    let mut rows = Rows::new(&place, &bytes);
    let (mut columns, mut pending) = (Columns::by_position(), None);
    match rows.next()? {
        Some((_, row)) if row.get(0).is_some_and(|first| first.eq_ignore_ascii_case("file")) => {
            columns = Columns::by_name(&row, &place)?;
        }
        first => pending = first,
    }
    let with_labels = gather.options.truth != Some(TruthKind::None);
    if gather.options.truth == Some(TruthKind::Expected) {
        let detail = "a labels file has no expected outputs; say `truth = \"label\"` or `\"none\"`".to_owned();
        return Err(DatasetError::Options { place, detail });
    }
    let classes = if with_labels { Some(Classes::of(gather.options, gather.model, &place)?) } else { None };
    let mut found = Vec::new();
    while !gather.is_full() {
        let Some((line, row)) = (match pending.take() {
            Some(row) => Some(row),
            None => rows.next()?,
        }) else {
            break;
        };
        let row = Row { columns: &columns, row: &row, place: &place, line };
        row.check()?;
        let mut label = None;
        if let Some(classes) = &classes {
            row.check_class_count(gather.model.output_elements())?;
            label = Some(classes.index(row.field("class"), || row.at("class"))?);
        }
        for (sample, input) in row.windows(folder, gather)? {
            if !gather.is_full() {
                gather.push(sample, input)?;
                found.extend(label);
            }
        }
    }
    Ok(match classes {
        Some(classes) => Truth::Labels { labels: found, classes: classes.into_names() },
        None => Truth::Unknown,
    })
}

/// Where each of [`COLUMNS`] is.
struct Columns([Option<usize>; 5], bool);

impl Columns {
    fn by_position() -> Self {
        Self([Some(0), Some(1), Some(2), Some(3), Some(4)], false)
    }

    fn by_name(header: &StringRecord, place: &str) -> Result<Self, DatasetError> {
        let wrong = |detail| Err(DatasetError::Columns { place: place.to_owned(), detail });
        let mut columns = Self([None; 5], true);
        for (index, name) in header.iter().enumerate() {
            let Some(known) = COLUMNS.iter().position(|known| known.eq_ignore_ascii_case(name)) else {
                let mend = suggest::mend(name, COLUMNS);
                return wrong(format!("the column `{name}` means nothing in a labels file; {mend}"));
            };
            if columns.0[known].replace(index).is_some() {
                return wrong(format!("the column `{name}` is there twice; leave one out"));
            }
        }
        match columns.0[2] {
            None => {
                wrong("the column `class` is missing; a labels file has file,classes,class[,bytes,stride]".to_owned())
            }
            Some(_) => Ok(columns),
        }
    }

    fn index(&self, name: &str) -> Option<usize> {
        COLUMNS.iter().position(|column| *column == name).and_then(|column| self.0[column])
    }

    /// How many fields a row may have.
    fn counts(&self) -> std::ops::RangeInclusive<usize> {
        let named = self.0.iter().flatten().count();
        if self.1 { named..=named } else { 3..=5 }
    }
}

struct Row<'a> {
    columns: &'a Columns,
    row: &'a StringRecord,
    place: &'a str,
    line: u64,
}

impl Row<'_> {
    fn check(&self) -> Result<(), DatasetError> {
        let (counts, found) = (self.columns.counts(), self.row.len());
        if counts.contains(&found) {
            return Ok(());
        }
        let expected = if found < *counts.start() { *counts.start() } else { *counts.end() };
        if self.columns.1 {
            return Err(DatasetError::Ragged { place: format!("{}:{}", self.place, self.line), expected, found });
        }
        let detail = format!("{} where file,classes,class[,bytes,stride] are wanted", counted(found, "field"));
        Err(DatasetError::Columns { place: format!("{}:{}", self.place, self.line), detail })
    }

    /// A field's text; empty where it is left out.
    fn field(&self, name: &str) -> &str {
        self.columns.index(name).and_then(|index| self.row.get(index)).unwrap_or_default()
    }

    fn at(&self, column: &str) -> String {
        format!("{}:{}, column `{column}`", self.place, self.line)
    }

    fn check_class_count(&self, wanted: usize) -> Result<(), DatasetError> {
        match self.number("classes")? {
            Some(found) if found != wanted => {
                let detail = format!(
                    "{} where the model gives {}; is it the right model? (`truth = \"none\"` in a manifest leaves the labels out)",
                    counted(found, "class"),
                    counted(wanted, "value")
                );
                Err(DatasetError::Label { place: self.at("classes"), detail })
            }
            _ => Ok(()),
        }
    }

    fn number(&self, column: &str) -> Result<Option<usize>, DatasetError> {
        let text = self.field(column);
        match text.parse() {
            _ if text.is_empty() => Ok(None),
            Ok(number) => Ok(Some(number)),
            Err(_) => {
                let detail = format!("`{text}` is not a whole number");
                Err(DatasetError::Value { place: self.at(column), detail })
            }
        }
    }

    /// The samples in the row's file, encoded.
    fn windows(&self, folder: &Path, gather: &mut Gather<'_>) -> Result<Vec<(String, Vec<u8>)>, DatasetError> {
        let file = self.field("file");
        if file.is_empty() {
            let detail = "the file's name is missing".to_owned();
            return Err(DatasetError::Value { place: self.at("file"), detail });
        }
        // What a dataset consists of lies in its folder, so that a change of it is seen there.
        if Path::new(file).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            let detail = format!("`{file}` is outside of the folder; put it there, or a link to it");
            return Err(DatasetError::Value { place: self.at("file"), detail });
        }
        let path = folder.join(file);
        let bytes = read(&path, "file, which the labels file names", gather.limit)?;
        let model = gather.model;
        let wanted = match gather.options.element {
            Some(element) => model.input_elements() * element.size(),
            None => model.input_bytes(),
        };
        let place = path.display().to_string();
        let shape = |detail| Err(DatasetError::Shape { place: place.clone(), detail });
        let takes = format!("where model {} takes {wanted}: {}", model.name(), tensors(model.inputs()));
        let starts: Vec<usize> = match self.number("bytes")? {
            None if bytes.len() == wanted => vec![0],
            None => {
                let found = bytes.len();
                return shape(format!(
                    "has {} {takes}; a file with several samples needs `bytes` and `stride`",
                    counted(found, "byte")
                ));
            }
            Some(size) if size != wanted => {
                let detail = format!("windows of {size} bytes {takes}");
                return Err(DatasetError::Shape { place: self.at("bytes"), detail });
            }
            Some(size) => {
                let stride = self.number("stride")?.unwrap_or(size);
                if stride == 0 {
                    let detail = "the stride is 0; it is how many bytes one window starts after another".to_owned();
                    return Err(DatasetError::Value { place: self.at("stride"), detail });
                }
                let Some(last) = bytes.len().checked_sub(size) else {
                    return shape(format!("has {}, less than one window of {size}", counted(bytes.len(), "byte")));
                };
                let count = (last / stride + 1) as u64;
                if count.saturating_mul(size as u64) > gather.limit && gather.options.samples.is_none() {
                    let bytes = count.saturating_mul(size as u64);
                    return Err(DatasetError::TooLarge { place, bytes, limit: gather.limit });
                }
                let room = gather.options.samples.map_or(usize::MAX, |samples| samples - gather.len().min(samples));
                (0..=last).step_by(stride).take(room).collect()
            }
        };
        let several = starts.len() > 1;
        let mut samples = Vec::with_capacity(starts.len());
        for (number, start) in starts.into_iter().enumerate() {
            let input = encode(&bytes[start..start + wanted], &place, start, gather)?;
            samples.push((if several { format!("{file} window {}", number + 1) } else { file.to_owned() }, input));
        }
        Ok(samples)
    }
}

/// One sample's bytes in the file, as the model takes them.
fn encode(bytes: &[u8], place: &str, start: usize, gather: &mut Gather<'_>) -> Result<Vec<u8>, DatasetError> {
    let (model, options) = (gather.model, gather.options);
    let mut rest = bytes;
    let mut input = Vec::with_capacity(model.input_bytes());
    for (spec, _) in ranges(model.inputs()) {
        let element = options.element.unwrap_or(spec.element);
        let (part, after) = rest.split_at((spec.elements() * element.size()).min(rest.len()));
        let offset = start + bytes.len() - rest.len();
        rest = after;
        let encoding = encoding_of(options.encoding, Some(element), element.word(), spec, place)?;
        let as_it_is = element == spec.element && options.byte_order == ByteOrder::Little;
        if as_it_is && encoding == Encoding::Stored && element == ElementType::Int64 {
            // Beyond 2^53 a detour over floating point would change the value.
            gather.note(encoding, 8, part);
            input.extend_from_slice(part);
            continue;
        }
        let values = element.read(part, options.byte_order == ByteOrder::Big);
        let locate = |index: usize| format!("{place}, byte {}", offset + index * element.size());
        input.extend(gather.encode_tensor(spec, encoding, &values, locate)?);
    }
    Ok(input)
}
