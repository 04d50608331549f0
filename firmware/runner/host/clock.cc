// The host's monotonic clock, in nanoseconds.
#include "../clock.h"

#include <time.h>

namespace runner {
namespace {

constexpr uint64_t kNanoseconds = 1000000000;

uint64_t g_start;

uint64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNanoseconds + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

ClockFacts Clock() { return ClockFacts{kNanoseconds, kHostMonotonic}; }

void StartTicks() { g_start = Now(); }

uint64_t StopTicks() { return Now() - g_start; }

}  // namespace runner
