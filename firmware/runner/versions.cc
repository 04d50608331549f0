// Versions of operators: see ops.h.
#include "ops.h"

namespace runner {

using namespace tflite;

// Source: TFLM's all_ops_resolver.cc.
int NewestVersion(BuiltinOperator op) {
  switch (op) {
    case BuiltinOperator_FULLY_CONNECTED:
      return 4;
    case BuiltinOperator_CONCATENATION:
    case BuiltinOperator_CONV_2D:
    case BuiltinOperator_DEPTHWISE_CONV_2D:
    case BuiltinOperator_MUL:
    case BuiltinOperator_SPLIT:
    case BuiltinOperator_SVDF:
      return 3;
    case BuiltinOperator_ADD:
    case BuiltinOperator_AVERAGE_POOL_2D:
    case BuiltinOperator_DEQUANTIZE:
    case BuiltinOperator_EQUAL:
    case BuiltinOperator_GREATER:
    case BuiltinOperator_GREATER_EQUAL:
    case BuiltinOperator_LESS:
    case BuiltinOperator_LESS_EQUAL:
    case BuiltinOperator_LOGISTIC:
    case BuiltinOperator_MAX_POOL_2D:
    case BuiltinOperator_NOT_EQUAL:
    case BuiltinOperator_PACK:
    case BuiltinOperator_PAD:
    case BuiltinOperator_PADV2:
    case BuiltinOperator_RESIZE_NEAREST_NEIGHBOR:
    case BuiltinOperator_SOFTMAX:
    case BuiltinOperator_SUB:
    case BuiltinOperator_UNPACK:
      return 2;
    default:
      return 1;
  }
}

}  // namespace runner
