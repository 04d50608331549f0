// The operators that this runner was built with.
#ifndef RUNNER_OPS_H_
#define RUNNER_OPS_H_

#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace runner {

// The newest version of an operator that its kernel knows; all start at 1.
int NewestVersion(tflite::BuiltinOperator op);

// Answers TFLM's questions for an operator and remembers that one was not to be had. Unlike TFLM's own resolver it
// keeps its table in flash, with one entry for all versions of an operator: 4.6 KiB of RAM less.
class Operators : public tflite::MicroOpResolver {
 public:
  const TfLiteRegistration* FindOp(tflite::BuiltinOperator op, int version) const override;
  const TfLiteRegistration* FindOp(const char* op, int version) const override;
  BuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override;
  TfLiteStatus AddBuiltin(tflite::BuiltinOperator op, TfLiteRegistration* registration, int version) override;

  bool missed() const { return missed_; }

 private:
  mutable bool missed_ = false;
};

}  // namespace runner

#endif  // RUNNER_OPS_H_
