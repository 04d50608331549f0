// The model's own firmware: what is generated for one model.
#ifndef RUNNER_OWN_OWN_H_
#define RUNNER_OWN_OWN_H_

#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace runner {

// TFLM's resolver with just the operators that the model uses. Generated: see firmware/src/build/own.rs.
const tflite::MicroOpResolver& OwnOperators();

}  // namespace runner

#endif  // RUNNER_OWN_OWN_H_
