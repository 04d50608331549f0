//! NPY and NPZ: arrays with one sample for each entry of the first dimension.

use super::{
    DatasetError, Truth,
    columns::{self, TruthRole},
    gather::{Gather, counted, encoding_of, read, tensors},
    labels::Classes,
    npy_header::{Array, parse},
};
use crate::TensorSpec;
use npyz::zip::{ZipArchive, result::ZipError};
use std::{
    io::{Cursor, Read},
    path::Path,
};

/// Reads arrays of their own files into `gather`.
pub(super) fn gather_npy(
    inputs: &Path,
    labels: Option<&Path>,
    expected: Option<&Path>,
    gather: &mut Gather<'_>,
) -> Result<Truth, DatasetError> {
    let load = |path: &Path, what| -> Result<(String, Vec<u8>), DatasetError> {
        Ok((path.display().to_string(), read(path, what, gather.limit)?))
    };
    let (input_place, input_bytes) = load(inputs, "dataset")?;
    let labels = labels.map(|path| load(path, "labels file")).transpose()?;
    let expected = expected.map(|path| load(path, "file of expected outputs")).transpose()?;
    let truth = match (&labels, &expected) {
        (None, None) => Arrays::None,
        (Some((place, bytes)), None) => Arrays::Labels(parse(bytes, place)?),
        (None, Some((place, bytes))) => Arrays::Expected(vec![parse(bytes, place)?]),
        (Some(_), Some(_)) => {
            let detail = "labels and expected outputs are both given; leave one".to_owned();
            return Err(DatasetError::Options { place: input_place, detail });
        }
    };
    fill(&[parse(&input_bytes, &input_place)?], truth, gather)
}

/// Reads the arrays of one NPZ file into `gather`.
pub(super) fn gather_npz(path: &Path, gather: &mut Gather<'_>) -> Result<Truth, DatasetError> {
    let place = gather.place.clone();
    let bad = |error: ZipError| DatasetError::Format {
        place: place.clone(),
        detail: format!("is not an NPZ file ({error}); save it again with numpy.savez"),
    };
    let mut archive = ZipArchive::new(Cursor::new(read(path, "dataset", gather.limit)?)).map_err(bad)?;
    let mut names: Vec<String> =
        archive.file_names().map(|name| name.strip_suffix(".npy").unwrap_or(name).to_owned()).collect();
    names.sort_by(|a, b| columns::numbered(a).cmp(&columns::numbered(b)).then_with(|| a.cmp(b)));
    let roles = columns::assign(&names, gather.options, &place, "array")?;

    let limit = gather.limit;
    let mut load = |index: usize| -> Result<(String, Vec<u8>), DatasetError> {
        let name = &names[index];
        let place = format!("{place}, array `{name}`");
        let file_name = format!("{name}.npy");
        let known = archive.file_names().any(|other| other == file_name);
        let entry = archive.by_name(if known { &file_name } else { name }).map_err(bad)?;
        let mut bytes = Vec::new();
        entry.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| DatasetError::Format {
            place: place.clone(),
            detail: format!("cannot be unpacked ({error}); save it again with numpy.savez"),
        })?;
        if bytes.len() as u64 > limit {
            return Err(DatasetError::TooLarge { place, bytes: bytes.len() as u64, limit });
        }
        Ok((place, bytes))
    };
    let inputs = roles.inputs.iter().map(|index| load(*index)).collect::<Result<Vec<_>, _>>()?;
    let (truth, is_label, by_convention) = match &roles.truth {
        TruthRole::None => (Vec::new(), false, false),
        TruthRole::Label(index) => (vec![load(*index)?], true, false),
        TruthRole::Expected(indices) => {
            let by_convention = gather.options.expected.is_none() && indices.len() == 1 && names[indices[0]] == "y";
            (indices.iter().map(|index| load(*index)).collect::<Result<Vec<_>, _>>()?, false, by_convention)
        }
    };
    let inputs = inputs.iter().map(|(place, bytes)| parse(bytes, place)).collect::<Result<Vec<_>, _>>()?;
    let mut arrays = truth.iter().map(|(place, bytes)| parse(bytes, place)).collect::<Result<Vec<_>, _>>()?;
    let truth = match arrays.as_slice() {
        [] => Arrays::None,
        // People call both labels and expected outputs `y`: a row of integers are labels.
        [one] if is_label || by_convention && one.is_integer() && one.shape.len() == 1 => {
            Arrays::Labels(arrays.remove(0))
        }
        _ => Arrays::Expected(arrays),
    };
    fill(&inputs, truth, gather)
}

enum Arrays<'a> {
    None,
    Labels(Array<'a>),
    Expected(Vec<Array<'a>>),
}

/// Samples out of one array for each input tensor.
fn fill(inputs: &[Array<'_>], truth: Arrays<'_>, gather: &mut Gather<'_>) -> Result<Truth, DatasetError> {
    let model = gather.model;
    if inputs.len() != model.inputs().len() {
        let detail = format!(
            "{} where model {} takes {}: {}; give one for each, in order",
            counted(inputs.len(), "array of inputs"),
            model.name(),
            model.inputs().len(),
            tensors(model.inputs())
        );
        return Err(DatasetError::Shape { place: gather.place.clone(), detail });
    }
    let mut encodings = Vec::new();
    for (array, spec) in inputs.iter().zip(model.inputs()) {
        check_shape(array, spec, model.name())?;
        encodings.push(encoding_of(gather.options.encoding, array.element(), &array.word(), spec, &array.place)?);
    }
    let count = inputs.first().map_or(0, Array::samples);
    let same = |array: &Array<'_>| {
        if array.samples() == count {
            return Ok(());
        }
        let detail = format!(
            "has {} where the inputs have {count}; save them again together",
            counted(array.samples(), "sample")
        );
        Err(DatasetError::Shape { place: array.place.clone(), detail })
    };
    inputs.iter().try_for_each(&same)?;
    let classes = match &truth {
        Arrays::None => None,
        Arrays::Labels(array) => {
            if array.shape.len() != 1 {
                let detail = format!(
                    "labels have the shape {}; save the index of each sample's class (numpy.argmax)",
                    array.shape_text()
                );
                return Err(DatasetError::Shape { place: array.place.clone(), detail });
            }
            same(array)?;
            Some(Classes::of(gather.options, model, &array.place)?)
        }
        Arrays::Expected(arrays) => {
            check_expected(arrays, gather)?;
            arrays.iter().try_for_each(&same)?;
            None
        }
    };
    let (mut labels, mut expected) = (Vec::new(), Vec::new());
    for sample in 0..count {
        if gather.is_full() {
            break;
        }
        let mut input = Vec::with_capacity(model.input_bytes());
        for ((array, spec), encoding) in inputs.iter().zip(model.inputs()).zip(&encodings) {
            let values = array.sample(sample);
            input.extend(gather.encode_tensor(spec, *encoding, &values, |index| array.locate(sample, index))?);
        }
        match (&truth, &classes) {
            (Arrays::Labels(array), Some(classes)) => labels.push(label(array, sample, classes)?),
            (Arrays::Expected(arrays), _) => {
                let values: Vec<f64> = arrays.iter().flat_map(|array| array.sample(sample)).collect();
                expected.push(gather.expect(values, |index| arrays[0].locate(sample, index))?);
            }
            _ => {}
        }
        gather.push(format!("sample {sample}"), input)?;
    }
    Ok(match (truth, classes) {
        (Arrays::Labels(_), Some(classes)) => Truth::Labels { labels, classes: classes.into_names() },
        (Arrays::Expected(_), _) => Truth::Expected(expected),
        _ => Truth::Unknown,
    })
}

fn label(array: &Array<'_>, sample: usize, classes: &Classes) -> Result<usize, DatasetError> {
    let value = array.sample(sample).first().copied().unwrap_or(f64::NAN);
    let place = || array.locate(sample, 0);
    if value.fract() != 0.0 || value.abs() > 1e15 {
        let detail = format!("{value} is not the index of a class; save labels as whole numbers");
        return Err(DatasetError::Label { place: place(), detail });
    }
    classes.check(value as i64, place)
}

/// Whether the entries of `array` have the shape of `spec`: dimensions of 1 aside, or flat.
fn check_shape(array: &Array<'_>, spec: &TensorSpec, model: &str) -> Result<(), DatasetError> {
    let without_ones = |shape: &[usize]| shape.iter().copied().filter(|length| *length != 1).collect::<Vec<_>>();
    let entry = array.shape.get(1..).unwrap_or_default();
    if !array.shape.is_empty() && (without_ones(entry) == without_ones(&spec.shape) || entry == [spec.elements()]) {
        return Ok(());
    }
    let inner = spec.shape.strip_prefix(&[1]).unwrap_or(&spec.shape);
    let wanted: String = inner.iter().map(|length| format!(",{length}")).collect();
    let found = array.shape_text();
    let detail = format!("has the shape {found} where model {model} takes {spec}; save it as [samples{wanted}]");
    Err(DatasetError::Shape { place: array.place.clone(), detail })
}

fn check_expected(arrays: &[Array<'_>], gather: &Gather<'_>) -> Result<(), DatasetError> {
    let model = gather.model;
    let found: usize = arrays.iter().map(Array::entry_elements).sum();
    if found == model.output_elements() && arrays.iter().all(|array| !array.shape.is_empty()) {
        return Ok(());
    }
    let shapes: Vec<String> = arrays.iter().map(Array::shape_text).collect();
    let detail = format!(
        "expected outputs have the shape {} where model {} gives {} for each sample: {}",
        shapes.join(", "),
        model.name(),
        counted(model.output_elements(), "value"),
        tensors(model.outputs())
    );
    Err(DatasetError::Shape { place: arrays.first().map_or(gather.place.clone(), |array| array.place.clone()), detail })
}
