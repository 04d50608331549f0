// The interpreter: see engine.h.
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <new>

#include "clock.h"
#include "graph.h"
#include "log.h"
#include "ops.h"
#include "tensorflow/lite/core/api/error_reporter.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tensorflow/lite/version.h"

namespace runner {
namespace {

// TFLM builds an allocator of this size in the arena before it looks whether there is room, and aligns it down.
constexpr size_t kSmallestArena = 64;

bool StartsWith(const char* text, const char* start) { return strncmp(text, start, strlen(start)) == 0; }

// Collects TFLM's words, and leaves AllocateTensors at the first sign that the arena is too small: kernels of this
// TFLM go on with the null pointer that they got, which writes to address 0, on many a chip the vector table.
class Reporter : public tflite::ErrorReporter {
 public:
  int Report(const char* format, va_list args) override {
    if (mute) return 0;
    va_list numbers;
    va_copy(numbers, args);
    g_log.Format(format, args);
    if (StartsWith(format, "Failed to allocate memory. Requested")) {
      va_arg(numbers, size_t);
      va_arg(numbers, size_t);
      Shortage(va_arg(numbers, size_t));
    } else if (StartsWith(format, "Arena size is too small for activation buffers")) {
      size_t needed = va_arg(numbers, size_t);
      Shortage(needed - va_arg(numbers, size_t));
    } else if (StartsWith(format, "Too many buffers (max is")) {
      Shortage(1);  // the planner's own notes did not fit; it does not say by how much
    } else if (StartsWith(format, "Op builtin_code out of range") ||
               StartsWith(format, "Operator with CUSTOM builtin_code")) {
      unknown_op = true;
    }
    va_end(numbers);
    return 0;
  }

  bool mute = false;
  bool unknown_op = false;
  bool armed = false;
  size_t missing = 0;
  jmp_buf exit;

 private:
  void Shortage(size_t bytes) {
    if (!armed) return;
    missing = bytes;
    longjmp(exit, 1);
  }
};

Reporter g_reporter;
Operators g_operators;
alignas(tflite::MicroInterpreter) uint8_t g_interpreter[sizeof(tflite::MicroInterpreter)];

bool Refuse(Failure* failure, ErrorCode code, uint32_t a = 0, uint32_t b = 0, const char* text = nullptr) {
  *failure = Failure{code, a, b, text};
  return false;
}

}  // namespace

bool Engine::Prepare(const HeldModel& held, uint32_t limit, Failure* failure) {
  Forget();
  if (!held.sound) {
    *failure = held.failure;
    return false;
  }
  limit_ = limit == 0 || limit > arena_size_ ? arena_size_ : limit;
  if (held.length < 8 || !tflite::ModelBufferHasIdentifier(held.bytes)) {
    static char found[5];
    if (held.length >= 8) memcpy(found, held.bytes + 4, 4);
    return Refuse(failure, kNotATfliteModel, 0, 0, found);
  }
  uint32_t root = flatbuffers::ReadScalar<uint32_t>(held.bytes);
  if (root >= held.length) return Refuse(failure, kModelCorrupt, held.length, root, "root");
  if (root % sizeof root != 0) return Refuse(failure, kModelMisaligned, root, 0, "root table");
  const tflite::Model* model = tflite::GetModel(held.bytes);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    return Refuse(failure, kSchemaVersion, model->version(), TFLITE_SCHEMA_VERSION, "");
  }
  if (!CheckGraph(model, failure)) return false;
  if (limit_ < kSmallestArena) return Refuse(failure, kArenaTooSmall, limit_, kSmallestArena - limit_);
  return Build(model, failure);
}

bool Engine::Build(const tflite::Model* model, Failure* failure) {
  g_reporter = Reporter();
  g_operators = Operators();
  if (setjmp(g_reporter.exit) != 0) {
    g_reporter.armed = false;
    return Refuse(failure, kArenaTooSmall, limit_, g_reporter.missing);
  }
  g_reporter.armed = true;
  // The interpreter before this one is not destroyed: after a failure its nodes are arena bytes that nobody set,
  // and the destructor would call through them. It owns nothing outside the arena.
  auto* interpreter = new (g_interpreter) tflite::MicroInterpreter(model, g_operators, arena_, limit_, &g_reporter);
  TfLiteStatus status = interpreter->initialization_status();
  if (status == kTfLiteOk) status = interpreter->AllocateTensors();
  g_reporter.armed = false;
  if (g_operators.missed() || g_reporter.unknown_op) return Refuse(failure, kUnsupportedOp);
  if (status != kTfLiteOk) return Refuse(failure, kAllocateFailed);

  interpreter_ = interpreter;
  // Asked for the bytes used, TFLM also prints them.
  g_reporter.mute = true;
  arena_used_ = interpreter->arena_used_bytes();
  g_reporter.mute = false;
  input_bytes_ = 0;
  for (size_t i = 0; i < inputs(); ++i) input_bytes_ += input(i)->bytes;
  output_bytes_ = 0;
  for (size_t i = 0; i < outputs(); ++i) output_bytes_ += output(i)->bytes;
  return true;
}

bool Engine::Invoke(uint64_t* ticks, Failure* failure) {
  StartTicks();
  TfLiteStatus status = interpreter_->Invoke();
  *ticks = StopTicks();
  if (status != kTfLiteOk) return Refuse(failure, kInvokeFailed, status);
  return true;
}

}  // namespace runner
