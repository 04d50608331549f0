// The operators: see ops.h.
#include "ops.h"

#include "log.h"
#include "tensorflow/lite/core/api/flatbuffer_conversions.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

// A port whose flash is too small for all of them defines RUNNER_OPS as its own list.
#ifndef RUNNER_OPS
#define RUNNER_OPS(OP)                                                                                               \
  OP(ABS) OP(ADD) OP(ARG_MAX) OP(ARG_MIN) OP(AVERAGE_POOL_2D) OP(CEIL) OP(CONCATENATION) OP(CONV_2D) OP(COS)         \
  OP(DEPTHWISE_CONV_2D) OP(DEQUANTIZE) OP(EQUAL) OP(FLOOR) OP(FULLY_CONNECTED) OP(GREATER) OP(GREATER_EQUAL)         \
  OP(L2_NORMALIZATION) OP(LESS) OP(LESS_EQUAL) OP(LOG) OP(LOGICAL_AND) OP(LOGICAL_NOT) OP(LOGICAL_OR) OP(LOGISTIC)   \
  OP(MAXIMUM) OP(MAX_POOL_2D) OP(MEAN) OP(MINIMUM) OP(MUL) OP(NEG) OP(NOT_EQUAL) OP(PACK) OP(PAD) OP(PADV2)          \
  OP(PRELU) OP(QUANTIZE) OP(RELU) OP(RELU6) OP(RESHAPE) OP(RESIZE_NEAREST_NEIGHBOR) OP(ROUND) OP(RSQRT) OP(SIN)      \
  OP(SOFTMAX) OP(SPLIT) OP(SQRT) OP(SQUARE) OP(STRIDED_SLICE) OP(SUB) OP(SVDF) OP(TANH) OP(UNPACK)
#endif

namespace runner {
namespace {

using namespace tflite;
using namespace tflite::ops::micro;

struct Entry {
  BuiltinOperator op;
  TfLiteRegistration* (*registration)();
};

#define RUNNER_ENTRY(name) {BuiltinOperator_##name, Register_##name},
const Entry kEntries[] = {RUNNER_OPS(RUNNER_ENTRY)};
#undef RUNNER_ENTRY

}  // namespace

const TfLiteRegistration* Operators::FindOp(BuiltinOperator op, int version) const {
  for (const Entry& entry : kEntries) {
    if (entry.op != op) continue;
    if (version < 1 || version > NewestVersion(op)) break;
    // Kernels leave these two for whoever registers them.
    TfLiteRegistration* registration = entry.registration();
    registration->builtin_code = op;
    registration->version = version;
    return registration;
  }
  missed_ = true;
  return nullptr;
}

const TfLiteRegistration* Operators::FindOp(const char* op, int version) const {
  // TFLM says nothing about a custom operator that it does not get.
  g_log.Print("Didn't find custom op '%s' version '%d'", op, version);
  missed_ = true;
  return nullptr;
}

MicroOpResolver::BuiltinParseFunction Operators::GetOpDataParser(BuiltinOperator) const { return ParseOpData; }

TfLiteStatus Operators::AddBuiltin(BuiltinOperator, TfLiteRegistration*, int) { return kTfLiteError; }

}  // namespace runner
