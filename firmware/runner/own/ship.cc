// What would ship: the model set up in an interpreter and invoked, and nothing of the farm. It is linked for its size; a
// test boots it.
#include <stdarg.h>
#include <stdint.h>

#include "own/own.h"
#include "tensorflow/lite/core/api/error_reporter.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

extern "C" {
extern uint8_t __arena_start, __arena_end;
extern const uint8_t own_model[];

// How far it has come, for a debugger: 1 started, 2 tensors allocated, 3 invoked, 4 refused, 5 a fault.
extern volatile uint32_t ship_state;
volatile uint32_t ship_state;

void DebugLog(const char*) {}
void SysTick_Handler(void) {}

__attribute__((noreturn, used)) void ReportFault(uint32_t, uint32_t) {
  ship_state = 5;
  for (;;) {
  }
}
}

namespace {

class Silent : public tflite::ErrorReporter {
 public:
  int Report(const char*, va_list) override { return 0; }
};

}  // namespace

int main() {
  ship_state = 1;
  static Silent reporter;
  static tflite::MicroInterpreter interpreter(tflite::GetModel(own_model), runner::OwnOperators(), &__arena_start,
                                              &__arena_end - &__arena_start, &reporter);
  if (interpreter.AllocateTensors() == kTfLiteOk) {
    ship_state = 2;
    ship_state = interpreter.Invoke() == kTfLiteOk ? 3 : 4;
  } else {
    ship_state = 4;
  }
  for (;;) __asm volatile("wfi");
}
