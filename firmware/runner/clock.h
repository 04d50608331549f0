// The clock that times one inference. Each kind of target has its own file for it.
#ifndef RUNNER_CLOCK_H_
#define RUNNER_CLOCK_H_

#include <stdint.h>

#include "protocol.h"

namespace runner {

struct ClockFacts {
  uint32_t hz;
  ClockKind kind;
};

ClockFacts Clock();
void StartTicks();
// Ticks since StartTicks.
uint64_t StopTicks();

}  // namespace runner

#endif  // RUNNER_CLOCK_H_
