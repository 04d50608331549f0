//! Figures drawn from evidence. Pure: the same evidence gives the same figures, to the bit.
//!
//! | file | what lives there |
//! |---|---|
//! | `summary` | all figures of one job's evidence |
//! | `errors` | mean absolute, root mean square and maximum error, with compensated sums |
//! | `classification` | top-1 accuracy with its Wilson interval, confusion matrix, precision, recall, F1 |
//! | `agreement` | how two targets' outputs compare |
//! | `distribution` | minimum, median, p90, p99 and maximum of ticks |
//! | `fraction` | shares as fractions of whole numbers, so that bounds are compared without rounding |
//!
//! Rules that hold for all:
//! - Errors and differences are in real (dequantised) units, over every element of every output tensor.
//! - A NaN in an output makes the errors NaN, which meet no bound. A sample with a NaN in its output has no largest
//!   element: it is misclassified, and agrees with nothing.
//! - The class of a sample is the index of its largest output element; of equals the lowest index wins.
//! - Percentiles are nearest-rank: p99 of n values is the ⌈0.99 n⌉-th smallest, a value that was measured. The median
//!   of an even count is the lower of the middle two.

mod agreement;
mod classification;
mod distribution;
mod errors;
mod fraction;
mod summary;

pub use agreement::{Agreement, FirstDifference, OtherArgmax};
pub use classification::{ClassFigures, Classification, argmax, wilson};
pub(crate) use classification::{Figure, Share, Z95};
pub use distribution::{Distribution, Latency};
pub use errors::Errors;
pub use fraction::Fraction;
pub use summary::Summary;
