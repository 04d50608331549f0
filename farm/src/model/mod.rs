//! A `.tflite` file: verified before anything believes it, and described by its tensors and operators.
//!
//! TFLM parses a model without verifying it, so the farm does: first the flatbuffer itself, against the schema, then
//! what TFLM takes for granted beyond it. What passes here may still be refused by a runner (an operator it lacks, a
//! schema version it does not know), with a named fault.
//!
//! | file | what lives there |
//! |---|---|
//! | `tensor` | element types, quantisation, the way between real values and bytes |
//! | `load` | from a file, or bytes, to a model |
//! | `verify` | what must hold of a flatbuffer before TFLM may see it |
//! | `error` | what can be wrong with a file, and the mend |
//! | `schema` | the TensorFlow Lite schema and the code made from it |

mod error;
#[cfg(test)]
pub(crate) mod fixtures;
mod load;
mod schema;
mod tensor;
#[cfg(test)]
mod tests;
mod verify;

pub use error::ModelError;
pub use load::{MAX_MODEL_BYTES, Model};
pub use tensor::{ElementType, EncodeError, Quantization, TensorSpec};
pub use verify::{MAX_TENSOR_BYTES, Operator};
