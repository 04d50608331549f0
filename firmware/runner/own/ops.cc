// The runner's operators in the model's own firmware: those of the generated list, and no others.
#include "ops.h"

#include "log.h"
#include "own/own.h"

namespace runner {

using namespace tflite;

const TfLiteRegistration* Operators::FindOp(BuiltinOperator op, int version) const {
  const TfLiteRegistration* found = version <= NewestVersion(op) ? OwnOperators().FindOp(op, version) : nullptr;
  if (found == nullptr) missed_ = true;
  return found;
}

const TfLiteRegistration* Operators::FindOp(const char* op, int version) const {
  g_log.Print("Didn't find custom op '%s' version '%d'", op, version);
  missed_ = true;
  return nullptr;
}

MicroOpResolver::BuiltinParseFunction Operators::GetOpDataParser(BuiltinOperator op) const {
  return OwnOperators().GetOpDataParser(op);
}

TfLiteStatus Operators::AddBuiltin(BuiltinOperator, TfLiteRegistration*, int) { return kTfLiteError; }

}  // namespace runner
