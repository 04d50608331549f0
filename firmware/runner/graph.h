// Checks of a model's graph that TFLM leaves out: it indexes tensors and reads constants without looking.
#ifndef RUNNER_GRAPH_H_
#define RUNNER_GRAPH_H_

#include "protocol.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace runner {

// Whether every tensor and buffer that the graph names is there, every constant is whole and lies aligned for its
// elements, and no operator reads what nothing sets. The file itself must be a sound flatbuffer: the farm verifies that
// before it sends one.
bool CheckGraph(const tflite::Model* model, Failure* failure);

}  // namespace runner

#endif  // RUNNER_GRAPH_H_
