// SysTick as the clock of one inference.
//
// It is restarted immediately before each inference, so that the first tick always falls on the same instruction: with
// QEMU's fixed icount the count is then the same to the tick in every run. It is off while the runner idles, for a
// running timer would keep the emulator from sleeping.
#include "../clock.h"

#include "registers.h"

namespace {

constexpr uint32_t kReload = 0x00FFFFFF;  // 24 bits, all there are

volatile uint32_t g_wraps;

}  // namespace

extern "C" void SysTick_Handler() { g_wraps = g_wraps + 1; }

namespace runner {

ClockFacts Clock() { return ClockFacts{PORT_CLOCK_HZ, kSysTick}; }

void StartTicks() {
  Register(kSysTickControl) = 0;
  Register(kInterruptState) = kSysTickUnpend;
  Register(kSysTickReload) = kReload;
  Register(kSysTickValue) = 0;
  g_wraps = 0;
  Register(kSysTickControl) = 7;  // core clock, interrupt, on
  // The value is loaded on the next tick: from there it counts down.
  while (Register(kSysTickValue) == 0) {
  }
}

uint64_t StopTicks() {
  uint32_t wraps;
  uint32_t value;
  bool pending;
  do {
    wraps = g_wraps;
    value = Register(kSysTickValue);
    pending = Register(kInterruptState) & kSysTickPending;
  } while (wraps != g_wraps);
  Register(kSysTickControl) = 0;
  // A wrap whose interrupt was not taken yet: the value has just been reloaded, or is about to be (0).
  if (pending && (value > kReload / 2)) ++wraps;
  return (static_cast<uint64_t>(wraps) * (kReload + 1)) + (kReload - value);
}

}  // namespace runner
