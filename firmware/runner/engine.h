// One model in TFLM's interpreter: prepared in an arena, fed, invoked, read.
#ifndef RUNNER_ENGINE_H_
#define RUNNER_ENGINE_H_

#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "protocol.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

namespace runner {

class Engine {
 public:
  Engine(uint8_t* arena, size_t size) : arena_(arena), arena_size_(size) {}

  // Prepares `model` in `limit` bytes of arena (0, or more than there is: all). On failure nothing is prepared.
  bool Prepare(const HeldModel& model, uint32_t limit, Failure* failure);
  void Forget() { interpreter_ = nullptr; }

  bool prepared() const { return interpreter_ != nullptr; }
  size_t whole_arena() const { return arena_size_; }
  size_t arena_size() const { return limit_; }
  size_t arena_used() const { return arena_used_; }
  size_t input_bytes() const { return input_bytes_; }
  size_t output_bytes() const { return output_bytes_; }
  size_t inputs() const { return interpreter_->inputs_size(); }
  size_t outputs() const { return interpreter_->outputs_size(); }
  TfLiteTensor* input(size_t index) { return interpreter_->input(index); }
  TfLiteTensor* output(size_t index) { return interpreter_->output(index); }

  // Runs one inference and times it.
  bool Invoke(uint64_t* ticks, Failure* failure);

 private:
  bool Build(const tflite::Model* model, Failure* failure);

  uint8_t* const arena_;
  const size_t arena_size_;
  size_t limit_ = 0;
  size_t arena_used_ = 0;
  size_t input_bytes_ = 0;
  size_t output_bytes_ = 0;
  tflite::MicroInterpreter* interpreter_ = nullptr;
};

}  // namespace runner

#endif  // RUNNER_ENGINE_H_
