//! How the outputs of two targets compare, to the bit and in real units.

use super::{Fraction, classification::argmax};
use crate::{Evidence, Model};
use serde::Serialize;

/// How one job's outputs compare with another's, sample by sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Samples compared.
    pub samples: u64,
    /// Samples whose outputs are the same to the bit.
    pub identical: u64,
    /// Largest absolute difference of two elements, in real units; NaN where one is NaN and the bits differ.
    pub largest_difference: f64,
    /// Where the largest difference is; `None` where there is none.
    pub largest_at: Option<FirstDifference>,
    /// Samples whose largest element is the same one.
    pub same_argmax: u64,
    /// The first sample whose outputs differ in a bit.
    pub first_difference: Option<FirstDifference>,
    /// The first sample whose largest element is another.
    pub first_other_argmax: Option<OtherArgmax>,
}

/// A sample and element where two outputs differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FirstDifference {
    /// Index of the sample, from 0.
    pub sample: usize,
    /// Index of the element, from 0, over all output tensors.
    pub element: usize,
    /// Its value in the evidence judged, real units.
    pub found: f64,
    /// Its value in the evidence it is compared with, real units.
    pub reference: f64,
}

/// A sample whose largest element is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OtherArgmax {
    /// Index of the sample, from 0.
    pub sample: usize,
    /// Largest element in the evidence judged; `None`: there is a NaN.
    pub found: Option<usize>,
    /// Largest element in the evidence it is compared with.
    pub reference: Option<usize>,
}

impl Agreement {
    /// Compares `evidence` with `reference`; both hold outputs of `model` for the same dataset.
    pub fn between(model: &Model, evidence: &Evidence, reference: &Evidence) -> Self {
        let sizes: Vec<usize> =
            model.outputs().iter().flat_map(|spec| std::iter::repeat_n(spec.element.size(), spec.elements())).collect();
        let pairs = evidence.inferences.iter().zip(&reference.inferences);
        Self::of(
            &sizes,
            pairs.map(|(a, b)| Outputs {
                found: &a.output,
                reference: &b.output,
                found_values: model.decode_output(&a.output),
                reference_values: model.decode_output(&b.output),
            }),
        )
    }

    fn of<'a>(sizes: &[usize], pairs: impl Iterator<Item = Outputs<'a>>) -> Self {
        let mut agreement = Self {
            samples: 0,
            identical: 0,
            largest_difference: 0.0,
            largest_at: None,
            same_argmax: 0,
            first_difference: None,
            first_other_argmax: None,
        };
        for (sample, pair) in pairs.enumerate() {
            agreement.samples += 1;
            if pair.found == pair.reference {
                agreement.identical += 1;
            } else {
                agreement.differ(sample, sizes, &pair);
            }
            let (found, reference) = (argmax(&pair.found_values), argmax(&pair.reference_values));
            if found.is_some() && found == reference {
                agreement.same_argmax += 1;
            } else if agreement.first_other_argmax.is_none() {
                agreement.first_other_argmax = Some(OtherArgmax { sample, found, reference });
            }
        }
        agreement
    }

    /// Takes note of a sample whose outputs differ in a bit.
    fn differ(&mut self, sample: usize, sizes: &[usize], pair: &Outputs<'_>) {
        let mut start = 0;
        for (element, size) in sizes.iter().enumerate() {
            let bytes = start..start + size;
            start = bytes.end;
            if pair.found.get(bytes.clone()) == pair.reference.get(bytes) {
                continue;
            }
            let value = |values: &[f64]| values.get(element).copied().unwrap_or(f64::NAN);
            let (found, reference) = (value(&pair.found_values), value(&pair.reference_values));
            let here = FirstDifference { sample, element, found, reference };
            self.first_difference.get_or_insert(here);
            let difference = if found == reference { 0.0 } else { (found - reference).abs() };
            if !self.largest_difference.is_nan() && (difference.is_nan() || difference > self.largest_difference) {
                self.largest_difference = difference;
                self.largest_at = Some(here);
            }
        }
    }

    /// Bit-identical samples as a share; `None` where nothing was compared.
    pub fn identical_share(&self) -> Option<Fraction> {
        Fraction::new(self.identical, self.samples)
    }

    /// Samples with the same largest element as a share; `None` where nothing was compared.
    pub fn same_argmax_share(&self) -> Option<Fraction> {
        Fraction::new(self.same_argmax, self.samples)
    }
}

/// Both outputs of one sample.
struct Outputs<'a> {
    found: &'a [u8],
    reference: &'a [u8],
    found_values: Vec<f64>,
    reference_values: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares samples of two float elements each.
    fn compare(samples: &[([f32; 2], [f32; 2])]) -> Agreement {
        let raw = |values: &[f32; 2]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
        let raws: Vec<_> = samples.iter().map(|(found, reference)| (raw(found), raw(reference))).collect();
        Agreement::of(
            &[4, 4],
            samples.iter().zip(&raws).map(|((found, reference), (found_raw, reference_raw))| Outputs {
                found: found_raw,
                reference: reference_raw,
                found_values: found.map(f64::from).to_vec(),
                reference_values: reference.map(f64::from).to_vec(),
            }),
        )
    }

    #[test]
    fn the_first_difference_names_sample_element_and_both_values() {
        let agreement = compare(&[([1.0, 2.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 2.25]), ([4.0, 2.0], [3.0, 5.0])]);
        assert_eq!((agreement.samples, agreement.identical, agreement.same_argmax), (3, 1, 2));
        let first = FirstDifference { sample: 1, element: 1, found: 2.0, reference: 2.25 };
        assert_eq!(agreement.first_difference, Some(first));
        assert_eq!(agreement.largest_difference, 3.0);
        assert_eq!(agreement.largest_at.map(|at| (at.sample, at.element)), Some((2, 1)));
        assert_eq!(agreement.first_other_argmax, Some(OtherArgmax { sample: 2, found: Some(0), reference: Some(1) }));
    }

    #[test]
    fn a_denormal_and_a_negative_zero_differ_in_bits_though_hardly_in_value() {
        let agreement = compare(&[([0.0, 1.0], [-0.0, 1.0]), ([f32::from_bits(1), 1.0], [0.0, 1.0])]);
        assert_eq!(agreement.identical, 0);
        assert!(agreement.largest_difference > 0.0 && agreement.largest_difference < 1e-40);
    }

    #[test]
    fn nan_differs_by_nan_unless_the_bits_are_the_same_and_never_has_a_largest_element() {
        let one = compare(&[([f32::NAN, 1.0], [0.0, 1.0]), ([1.0, 1.0], [9.0, 1.0])]);
        assert!(one.largest_difference.is_nan());
        let both = compare(&[([f32::NAN, 1.0], [f32::NAN, 1.0])]);
        assert_eq!((both.identical, both.largest_difference, both.same_argmax), (1, 0.0, 0));
    }

    #[test]
    fn infinities_of_one_sign_do_not_differ() {
        let agreement = compare(&[([f32::INFINITY, 1.0], [f32::INFINITY, 2.0])]);
        assert_eq!(agreement.largest_difference, 1.0);
    }
}
